"""The one folder in which a server and everything that it starts live, and what is left of them.

    FOLDER/cloud.json   who serves here: pid, its create time, port, region (mode 0600)
    FOLDER/server.log   what the server says
    FOLDER/users/…      access keys of users who were made here (mode 0600)
    FOLDER/iam.jsonl    what IAM was asked and what it answered, where it is enforced
    FOLDER/jobs/…       a folder for each running job
    FOLDER/tmp, home    TMPDIR and HOME of the server and its Lambda workers

Processes are recognised by their TMPDIR, which lies in the folder and which every child inherits: that finds
workers, jobs and what they started, also after `kill -9` of the server, and never a stranger with a reused
pid.
"""

import contextlib
import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from local.errors import AlreadyRunning, FolderNotOurs, NoSpace

RECORD = "cloud.json"
LOCK = "cloud.lock"
LOG = "server.log"
USERS = "users"
ROOM_NEEDED = 200 * 1024 * 1024


def check(folder: Path) -> None:
    """Raise NoSpace or FolderNotOurs unless a server may live in `folder`. Changes nothing."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < ROOM_NEEDED:
        raise NoSpace(
            f"{existing} has {free // 2**20} MB free and AWS on this machine needs {ROOM_NEEDED // 2**20}: "
            "make room or name another folder"
        )
    if not folder.exists():
        return
    if not folder.is_dir():
        raise FolderNotOurs(f"{folder} is a file: name another folder")
    if any(folder.iterdir()) and not (folder / LOCK).exists():
        raise FolderNotOurs(
            f"{folder} holds other files and would be deleted at the end: name another folder"
        )


def claim(folder: Path) -> int:
    """Make `folder`, lock it for the life of this process and clear what a killed server left.

    Returns the lock's file descriptor, which must stay open. The kernel lets go of it when the process ends,
    however it ends. Raises AlreadyRunning.
    """
    check(folder)
    with no_space(folder):
        folder.mkdir(parents=True, exist_ok=True)
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


def already_running(folder: Path) -> AlreadyRunning:
    """The error that says so."""
    return AlreadyRunning(f"AWS already runs in {folder}: stop it first (handsoff local down)")


def abandon(folder: Path, *, keep_log: bool) -> bool:
    """Clear what a server that failed to start has left; False if another one lives there by now."""
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
    """Say "disk full" in our words."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"no space left in {folder}: make room or name another folder") from error
        raise


def write_record(folder: Path, *, port: int, region: str) -> None:
    """Say that this process serves here; from now on others can find it."""
    me = psutil.Process()
    record = {"pid": me.pid, "createTime": me.create_time(), "port": port, "region": region}
    draft = folder / (RECORD + ".new")
    draft.write_text(json.dumps(record))
    draft.chmod(0o600)
    draft.replace(folder / RECORD)


def read_record(folder: Path) -> tuple[psutil.Process, int, str] | None:
    """(process, port, region) of the server that lives here, None if none does."""
    try:
        record = json.loads((folder / RECORD).read_text())
        process = psutil.Process(record["pid"])
        if process.create_time() != record["createTime"] or process.status() == psutil.STATUS_ZOMBIE:
            return None
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return process, record["port"], record["region"]


def strays(folder: Path, *, spare: frozenset[int] = frozenset()) -> list[psutil.Process]:
    """Processes that a server of this folder started, directly or not, except those in `spare`."""
    inside = str(folder.resolve()) + os.sep
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid not in spare and process.environ().get("TMPDIR", "").startswith(inside):
                found.append(process)
    return found


def end_strays(folder: Path, *, spare: frozenset[int] = frozenset(), grace: float = 0.0) -> None:
    """End them: TERM and `grace` seconds if there is grace, then KILL, again until none is left."""
    deadline = time.monotonic() + 10
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
    """Delete a file or tree; a file that a dying process still wrote is met by trying again."""
    for _ in range(20):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        if not path.exists():
            return
        time.sleep(0.05)
