"""Starts, finds and stops AWS on this machine. The command line and the tests use this module."""

import contextlib
import functools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import boto3
import psutil
from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from local import folder as folders
from local.account import ACCOUNT
from local.errors import NoSuchUser, PortInUse, ServerDied
from local.images import installing


@dataclass(frozen=True)
class Cloud:
    """A running server: its endpoint, region, process and folder, the administrator's key, the account.

    `administrator` is an access key id and its secret. Only requests that are signed with a key of this
    server are served.
    """

    endpoint: str
    region: str
    pid: int
    folder: Path
    administrator: tuple[str, str] = field(repr=False)
    account: str = ACCOUNT

    def environment(self, user: str | None = None) -> dict[str, str]:
        """The environment variables that direct any AWS client to this server.

        The keys are the administrator's, or those of `user`. Raises NoSuchUser.
        """
        key, secret = self.keys(user) if user else self.administrator
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_ACCOUNT_ID": self.account,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def keep(self, user: str, key: str, secret: str) -> None:
        """Store a user's access key in the server's folder, readable for the owner of the folder only."""
        path = self._keys(user)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump([key, secret], file)

    def keys(self, user: str) -> tuple[str, str]:
        """The id and the secret of a user's stored access key. Raises NoSuchUser."""
        try:
            key, secret = json.loads(self._keys(user).read_text())
        except FileNotFoundError:
            raise NoSuchUser(
                f"AWS on this machine has no user {user}: `handsoff local up --enforce-iam` makes "
                "data-science-user"
            ) from None
        return key, secret

    def _keys(self, user: str) -> Path:
        return self.folder / folders.USERS / f"{Path(user).name}.json"

    def session(self) -> boto3.Session:
        """The session with this server's region and the administrator's key. Clients still need the endpoint.

        It reads neither profiles nor configuration files of this machine.
        """
        return _session(*self.administrator, self.region)

    def client(self, name: str) -> Any:
        """A boto3 client of service `name` for this server. It ignores the environment."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path"},
            proxies={},
        )
        with _one_at_a_time:
            return self.session().client(name, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload]


_one_at_a_time = threading.Lock()
"""Held while a client is made: a session is not for several threads."""


@functools.cache
def _session(key: str, secret: str, region: str) -> boto3.Session:
    """One session for all clients of a server: a new one takes four times as long as a client."""
    no_files: dict[str, Any] = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
    }
    session = Session(session_vars=no_files)
    session.register_component("data_loader", _service_models())
    return boto3.Session(key, secret, region_name=region, botocore_session=session)


@functools.cache
def _service_models() -> Loader:
    """What reads botocore's descriptions of services: each once for all sessions of this process."""
    return create_loader()


_held_open: dict[Path, IO[bytes]] = {}
"""The write ends of the standard input of attached servers, by folder.

The system closes them when this process ends, however it ends. A server stops when its standard input ends.
"""


def running(folder: Path) -> Cloud | None:
    """The server that runs in `folder`, None if there is none."""
    found = folders.read_record(folder)
    if found is None:
        return None
    return Cloud(
        f"http://127.0.0.1:{found.port}",
        found.region,
        found.process.pid,
        folder.resolve(),
        administrator=found.administrator,
    )


def start(
    folder: Path,
    port: int | None = 4566,
    region: str = "us-east-1",
    timeout: float = 60,
    *,
    python: str = sys.executable,
    detached: bool = False,
    enforce_iam: bool = False,
    bridge: str | None = None,
    quotas: Mapping[str, int] | None = None,
    prepare: Sequence[str] = (),
) -> Cloud:
    """Start a server in `folder`, in a session of its own, and return once it answers.

    `port` None takes any free one. `timeout` is in seconds. Unless it is `detached`, the server stops when
    this process ends, even by KILL. With `enforce_iam` every caller but the administrator needs permissions,
    and iam.jsonl in the folder records IAM's decisions. With `bridge`, the address of Docker's bridge
    (containers.bridge()), containers on this machine reach the server as host.docker.internal. `quotas` are
    instances that jobs may have at once, by the names of Service Quotas; others are unlimited. Of the images
    `prepare` (names of images/table.py), what jobs are forked from starts now.

    Raises AlreadyRunning, FolderNotOurs, NoBridge, NoSpace, PortInUse, ServerDied. After an error nothing is
    left but the log of a server that died.
    """
    folder = folder.resolve()
    _prepare(folder, port)
    command = [python, "-m", "local.cloud", "--port", str(port or 0), "--folder", str(folder)]
    command += ["--region", region, *([] if detached else ["--attached"])]
    command += _optional(enforce_iam=enforce_iam, bridge=bridge, quotas=quotas or {})
    command += [f"--prepare={name}" for name in prepare]
    child = _spawn(command, folder, detached=detached)
    try:
        cloud = _wait_until_ready(child, folder, timeout)
    except BaseException as error:
        _abandon(child)
        if not folders.abandon(folder, keep_log=isinstance(error, ServerDied)):
            raise folders.already_running(folder) from error  # another start was faster
        raise
    _let_go(folder)  # of a server that was killed
    if child.stdin:
        _held_open[folder] = child.stdin
    return cloud


def _optional(*, enforce_iam: bool, bridge: str | None, quotas: Mapping[str, int]) -> list[str]:
    """The arguments of local.cloud for what most servers do not have."""
    arguments = ["--enforce-iam"] if enforce_iam else []
    arguments += ["--bridge", bridge] if bridge else []
    return arguments + [f"--quota={name}={number}" for name, number in quotas.items()]


def _prepare(folder: Path, port: int | None) -> None:
    """Make the folder with an empty log. Raises AlreadyRunning, FolderNotOurs, NoSpace, PortInUse."""
    if running(folder):
        raise folders.already_running(folder)
    folders.check(folder)
    if port is not None:
        _check_port(port)
    with folders.no_space(folder):
        folders.make(folder)
        (folder / folders.LOCK).touch(mode=0o600)
        (folder / folders.LOG).write_bytes(b"")


def _abandon(child: "subprocess.Popen[bytes]") -> None:
    """End a server process that is not ready."""
    _end(psutil.Process(child.pid) if child.poll() is None else None, grace=5)
    if child.stdin:
        child.stdin.close()
    child.wait()


def _spawn(command: list[str], folder: Path, *, detached: bool) -> "subprocess.Popen[bytes]":
    """Start the server process. Unless it is `detached`, its standard input is a pipe of this process."""
    with (folder / folders.LOG).open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=Path(__file__).resolve().parent.parent,
            env={
                **process_environment(dict(os.environ), folder),
                installing.VARIABLE: json.dumps(installing.of_user(os.environ)),
            },
            stdin=subprocess.DEVNULL if detached else subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_ready(child: "subprocess.Popen[bytes]", folder: Path, timeout: float) -> Cloud:
    """The server once it answers. Raises ServerDied if it ends or `timeout` seconds pass first."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise _death(folder, f"ended with exit code {child.returncode}")
        cloud = running(folder)
        if cloud and cloud.pid == child.pid:
            child.returncode = 0  # keeps Popen from warning that it still runs
            return cloud
        time.sleep(0.05)
    raise _death(folder, f"was not ready after {timeout:g} s")


def _death(folder: Path, how: str) -> ServerDied:
    """The error for a server that failed to start, with the last line of its log."""
    log = folder / folders.LOG
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "its log is empty")
    return ServerDied(f"AWS on this machine {how}: {last} (log: {log})")


def stop(folder: Path) -> bool:
    """Stop the server of `folder` and all processes that it started, then delete the folder.

    Also clears up after a server that was killed. False if no server ran.
    """
    folder = folder.resolve()
    if not (folder / folders.LOCK).exists():
        _let_go(folder)
        return False
    found = folders.read_record(folder)
    if found:
        _end(found.process, grace=20)
    folders.end_strays(folder)
    folders.delete(folder)
    _let_go(folder)
    return found is not None


def _let_go(folder: Path) -> None:
    """Close the standard input of the server that this process started in `folder`, if it is held open."""
    if pipe := _held_open.pop(folder, None):
        pipe.close()


def _end(process: psutil.Process | None, grace: float) -> None:
    """TERM, and KILL after `grace` seconds. psutil compares create times, so a reused pid gets no signal."""
    if process is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(grace)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)


def _check_port(port: int) -> None:
    """Raise PortInUse, naming the process, if `port` cannot be used."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = _occupant(port) or f"cannot be used ({error.strerror})"
            raise PortInUse(f"port {port} {why}: choose another with --port") from None


def _occupant(port: int) -> str:
    """Which process listens on `port`, in words. Empty if the system does not tell."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    return "is in use"
                return f"is in use by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


def process_environment(base: dict[str, str], folder: Path) -> dict[str, str]:
    """The environment of a process of this folder, without credentials, proxies or profiles of `base`."""
    kept: dict[str, str] = {name: base[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in base}
    return {
        "LANG": "C.UTF-8",
        "PATH": os.defpath,
        **kept,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
    }
