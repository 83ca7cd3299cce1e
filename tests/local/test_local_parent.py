"""A server ends with the process that started it, however that process ends. A detached server does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local import folder as folders
from local import server
from tests.local.support import wait_until, with_a_job

pytestmark = pytest.mark.story

HOLDS_A_SERVER = """
import time
from pathlib import Path
from local import server

def test_holds_a_server() -> None:
    server.start(Path({folder!r}), port=None, detached={detached})
    time.sleep(120)
"""

Run = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server. No process of it is left after the test."""
    path = tmp_path / "cloud"
    yield path
    server.stop(path)


@pytest.fixture
def run_pytest(folder: Path, tmp_path: Path) -> Iterator[Run]:
    """Runs pytest on a test that starts a server in `folder` and sleeps. Returns once the server answers."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*options: str, detached: bool = False) -> subprocess.Popen[bytes]:
        test = tmp_path / "test_holds.py"
        test.write_text(HOLDS_A_SERVER.format(folder=str(folder), detached=detached))
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        with (tmp_path / "output").open("wb") as output:
            started.append(
                subprocess.Popen(
                    [*command, *options, str(test)],
                    cwd=tmp_path,
                    env=environment,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )
        wait_until(lambda: server.running(folder), 60)
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.wait(10)


def gone(pid: int) -> bool:
    """Whether a process has ended. An ended process that nobody waits for stays as a zombie."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize(
    ("killed", "number", "options"),
    [
        ("pytest", signal.SIGTERM, []),
        ("pytest", signal.SIGKILL, []),
        ("xdist controller", signal.SIGTERM, ["-n1"]),
        ("xdist worker", signal.SIGKILL, ["-n1"]),
    ],
)
def test_server_ends_when_its_test_run_is_killed(
    killed: str, number: int, options: list[str], folder: Path, run_pytest: Run
) -> None:
    run = run_pytest(*options)
    cloud = server.running(folder)
    assert cloud is not None
    with_a_job(cloud)
    starter = psutil.Process(cloud.pid).ppid()
    assert (starter == run.pid) is (killed == "pytest")
    os.kill(starter if killed == "xdist worker" else run.pid, number)
    wait_until(lambda: not folder.exists(), 40)
    wait_until(lambda: gone(cloud.pid))
    assert folders.strays(folder) == []
    assert run.wait(30) != 0
    wait_until(lambda: gone(starter))


def test_detached_server_outlives_its_test_run(folder: Path, run_pytest: Run) -> None:
    run = run_pytest(detached=True)
    cloud = server.running(folder)
    assert cloud is not None
    run.kill()
    run.wait(10)
    assert cloud.client("sqs").list_queues()
    assert server.running(folder) == cloud
