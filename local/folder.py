"""The folder of a server and of all processes that it starts. Only its owner may enter it (mode 0700).

    FOLDER/cloud.json   the server: pid, its create time, port, region, the administrator's key (mode 0600)
    FOLDER/cloud.lock   locked while a server runs
    FOLDER/server.log   the server's log
    FOLDER/users/…      access keys of users (mode 0600)
    FOLDER/iam.jsonl    IAM's decisions, if it is enforced
    FOLDER/jobs/…       a folder for each running job
    FOLDER/tmp, home    TMPDIR and HOME of the server and its Lambda workers

A process belongs to the folder if its TMPDIR is in it. Every child inherits that variable. So workers, jobs
and their children are found even after KILL of the server. A process with a reused pid is not among them.
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from local.errors import AlreadyRunning, FolderNotOurs, NoSpace

RECORD: Final = "cloud.json"
"""The file with the server's process, port, region and administrator's key."""

LOCK: Final = "cloud.lock"
"""The file that a running server locks. It marks a folder as a server's."""

LOG: Final = "server.log"
"""The file with the server's log."""

USERS: Final = "users"
"""The subfolder with users' access keys."""

MIN_FREE = 200 * 1024 * 1024
"""Bytes that must be free on the disk before a server starts."""

MAX_CLEARING_SECONDS: Final = 10
"""Seconds after which `end_strays` gives up."""

DELETE_TRIES: Final = 20
"""How often `delete` tries, 0.05 s apart."""


def check(folder: Path) -> None:
    """Raise NoSpace or FolderNotOurs unless a server may use `folder`. Changes nothing."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE:
        raise NoSpace(
            f"{existing} has {free // 2**20} MB free and AWS on this machine needs {MIN_FREE // 2**20}: "
            "free some space or name another folder"
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FolderNotOurs(f"{folder} is a file: name another folder")
    if any(folder.iterdir()) and not (folder / LOCK).exists():
        raise FolderNotOurs(
            f"{folder} has files that are not AWS on this machine's, and it would be deleted at the end: "
            "name another folder"
        )


def claim(folder: Path) -> int:
    """Make `folder`, lock it until this process ends, and clear up after a server that was killed.

    Returns the lock's file descriptor, which must stay open. The kernel unlocks it when the process ends,
    however it ends. Raises AlreadyRunning, FolderNotOurs, NoSpace.
    """
    check(folder)
    with no_space(folder):
        make(folder)
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise already_running(folder) from None
    end_strays(folder)
    for path in folder.iterdir():
        if path.name not in (LOCK, LOG):
            delete(path)
    with no_space(folder):
        for name in ("jobs", "tmp", "home"):
            (folder / name).mkdir()
    return lock


def make(folder: Path) -> None:
    """Make `folder`, if it does not exist, and let nobody but its owner enter it."""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def already_running(folder: Path) -> AlreadyRunning:
    """The error for a folder in which a server runs."""
    return AlreadyRunning(f"AWS already runs in {folder}: stop it first (handsoff local down)")


def abandon(folder: Path, *, keep_log: bool) -> bool:
    """Clear up after a server that failed to start. False if another server runs there by now."""
    if not folder.exists():
        return True
    try:
        lock = claim(folder)
    except AlreadyRunning:
        return False
    try:
        for path in folder.iterdir():
            if path.name != LOCK and not (keep_log and path.name == LOG):
                delete(path)
        if not keep_log:
            delete(folder)
    finally:
        os.close(lock)
    return True


@contextlib.contextmanager
def no_space(folder: Path) -> Iterator[None]:
    """Turn the system's errors about a full disk into NoSpace."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"no space left in {folder}: free some space or name another folder") from error
        raise


@dataclass(frozen=True)
class Record:
    """The server that runs in a folder. `administrator` is an access key id and its secret."""

    process: psutil.Process
    port: int
    region: str
    administrator: tuple[str, str]


def write_record(folder: Path, *, port: int, region: str, administrator: tuple[str, str]) -> None:
    """Write that this process serves here, so that its owner can find it, and nobody else."""
    me = psutil.Process()
    record = {
        "pid": me.pid,
        "createTime": me.create_time(),
        "port": port,
        "region": region,
        "administrator": administrator,
    }
    draft = folder / (RECORD + ".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(record, file)
    draft.replace(folder / RECORD)


def read_record(folder: Path) -> Record | None:
    """The server that runs here, None if there is none."""
    try:
        record = json.loads((folder / RECORD).read_text())
        process = psutil.Process(record["pid"])
        if process.create_time() != record["createTime"] or process.status() == psutil.STATUS_ZOMBIE:
            return None
        key, secret = record["administrator"]
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return Record(process, record["port"], record["region"], (key, secret))


def strays(folder: Path, *, spare: frozenset[int] = frozenset()) -> list[psutil.Process]:
    """Processes that belong to this folder, except the pids in `spare`."""
    inside = str(folder.resolve()) + os.sep
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in spare and process.environ().get("TMPDIR", "").startswith(inside):
                found.append(process)
    return found


def end_strays(folder: Path, *, spare: frozenset[int] = frozenset(), grace: float = 0.0) -> None:
    """End the processes that belong to `folder`: TERM and `grace` seconds if it is not 0, then KILL.

    Repeats until none is left.
    """
    deadline = time.monotonic() + MAX_CLEARING_SECONDS
    while (left := strays(folder, spare=spare | {os.getpid()})) and time.monotonic() < deadline:
        if grace:
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.terminate()
            _, left = psutil.wait_procs(left, timeout=grace)
            grace = 0
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=2)


def delete(path: Path) -> None:
    """Delete a file or a folder. Tries again, because a process that ends may still write files."""
    for _ in range(DELETE_TRIES):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if not path.exists():
            return
        time.sleep(0.05)
