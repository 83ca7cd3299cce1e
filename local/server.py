"""Start, find and stop AWS on this machine. The command line and the tests use this and nothing below it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import boto3
import psutil
from botocore.config import Config
from botocore.session import Session

from local import folder as folders
from local.account import ACCOUNT, ADMINISTRATOR
from local.errors import NoSuchUser, PortInUse, ServerDied


@dataclass(frozen=True)
class Cloud:
    """A running server: where it answers and who it is."""

    endpoint: str
    region: str
    pid: int
    folder: Path
    account: str = ACCOUNT

    def environment(self, user: str | None = None) -> dict[str, str]:
        """The variables that point any AWS client here and at nothing else.

        They are the administrator's, or those of a `user` who was made here. Raises NoSuchUser.
        """
        key, secret = self.keys(user) if user else ADMINISTRATOR
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
        """Keep a user's access key as long as this server lives, where only its owner can read it."""
        path = self._keys(user)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump([key, secret], file)

    def keys(self, user: str) -> tuple[str, str]:
        """The access key, id and secret, that was kept of a user. Raises NoSuchUser."""
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
        """A session with this server's region and credentials; its clients still need the endpoint.

        It looks at no profile and no configuration file of the person who runs it.
        """
        mine: dict[str, Any] = {
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
        }
        return boto3.Session(
            *ADMINISTRATOR, region_name=self.region, botocore_session=Session(session_vars=mine)
        )

    def client(self, name: str) -> Any:
        """A boto3 client of service `name` against this server, whatever the environment says."""
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 2},
            s3={"addressing_style": "path"},
            proxies={},
        )
        return self.session().client(name, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload]


_held_open: dict[Path, IO[bytes]] = {}
"""The standard input of servers that end with us, by folder: the system closes it if we do not."""


def running(folder: Path) -> Cloud | None:
    """The server that lives in `folder`, None if none does."""
    found = folders.read_record(folder)
    if found is None:
        return None
    process, port, region = found
    return Cloud(f"http://127.0.0.1:{port}", region, process.pid, folder.resolve())


def start(
    folder: Path,
    port: int | None = 4566,
    region: str = "us-east-1",
    timeout: float = 60,
    *,
    python: str = sys.executable,
    outlives_us: bool = True,
    enforce_iam: bool = False,
    bridge: str | None = None,
) -> Cloud:
    """Start a server in `folder`, in a session of its own, and return once it answers.

    `port` None takes any free one. `timeout` in seconds. Unless it `outlives_us`, it ends when this process
    does, however that ends. With `enforce_iam` everybody but the administrator may do only what IAM lets
    them, and iam.jsonl in the folder says who asked for what. With `bridge`, the address of Docker's bridge
    (containers.bridge()), containers on this machine reach it as host.docker.internal. Raises AlreadyRunning,
    FolderNotOurs, NoBridge, NoSpace, PortInUse, ServerDied; after each nothing is left but, of a server that
    died, its log.
    """
    folder = folder.resolve()
    if running(folder):
        raise folders.already_running(folder)
    folders.check(folder)
    if port is not None:
        _check_port(port)
    log = folder / folders.LOG
    with folders.no_space(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / folders.LOCK).touch(mode=0o600)
        log.write_bytes(b"")
    command = [python, "-m", "local.cloud", "--port", str(port or 0), "--folder", str(folder)]
    command += ["--region", region] + ([] if outlives_us else ["--attached"])
    command += ["--enforce-iam"] if enforce_iam else []
    command += ["--bridge", bridge] if bridge else []
    with log.open("ab") as out:
        child = subprocess.Popen(
            command,
            cwd=Path(__file__).resolve().parent.parent,
            env=process_environment(dict(os.environ), folder),
            stdin=subprocess.DEVNULL if outlives_us else subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    if child.stdin:
        _held_open[folder] = child.stdin
    try:
        return _wait_until_ready(child, folder, timeout)
    except BaseException as error:
        _end(psutil.Process(child.pid) if child.poll() is None else None, grace=5)
        child.wait()
        if not folders.abandon(folder, keep_log=isinstance(error, ServerDied)):
            raise folders.already_running(folder) from error  # somebody else was faster
        raise


def _wait_until_ready(child: "subprocess.Popen[bytes]", folder: Path, timeout: float) -> Cloud:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise _death(folder, f"ended with exit code {child.returncode}")
        cloud = running(folder)
        if cloud and cloud.pid == child.pid:
            child.returncode = 0  # from here on it is found by its record; Popen must not warn that it lives
            return cloud
        time.sleep(0.05)
    raise _death(folder, f"was not ready after {timeout:g} s")


def _death(folder: Path, how: str) -> ServerDied:
    log = folder / folders.LOG
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return ServerDied(f"AWS on this machine {how}: {last} (all of it: {log})")


def stop(folder: Path) -> bool:
    """Stop the server of `folder` with all that it started, delete the folder; False if there was none.

    Also clears what a killed server left there.
    """
    folder = folder.resolve()
    if not (folder / folders.LOCK).exists():
        return False
    found = folders.read_record(folder)
    if found:
        _end(found[0], grace=20)
    folders.end_strays(folder)
    folders.delete(folder)
    if pipe := _held_open.pop(folder, None):
        pipe.close()
    return found is not None


def _end(process: psutil.Process | None, grace: float) -> None:
    """TERM, `grace` seconds, KILL. psutil compares the create time, so it is never a stranger."""
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
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = _occupant(port) or f"cannot be used ({error.strerror})"
            raise PortInUse(f"port {port} {why}: choose another with --port") from None


def _occupant(port: int) -> str:
    """Who listens on `port`, in words; empty where the system does not tell."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    return "is in use"
                return f"is in use by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""


def process_environment(base: dict[str, str], folder: Path) -> dict[str, str]:
    """What a process of this folder may know of its surroundings: never credentials, proxies or profiles."""
    kept: dict[str, str] = {name: base[name] for name in ("PATH", "LANG", "LC_ALL", "TZ") if name in base}
    return {
        "LANG": "C.UTF-8",
        "PATH": os.defpath,
        **kept,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
    }
