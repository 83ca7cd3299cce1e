"""A test run that is ended leaves no server and no program behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.local.support import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
HOLDS_SERVERS = """
import subprocess, time
import pytest
from local import server

@pytest.fixture
def detached(tmp_path):
    yield server.start(tmp_path / "detached", port=None, detached=True)
    server.stop(tmp_path / "detached")

def test_holds(tmp_path, detached, pytestconfig):
    attached = server.start(tmp_path / "attached", port=None)
    (pytestconfig.rootpath / "servers").write_text(f"{attached.pid} {detached.pid} ")
    time.sleep(120)
"""


HOLDS_A_PROVIDER = """
import json, sys, time
from pathlib import Path
from tests import providers

with providers.running(Path(sys.argv[1]), {"AWS_REGION": "us-east-1"}) as found:
    (provider,) = json.loads(found["TF_REATTACH_PROVIDERS"]).values()
    print(provider["Pid"], flush=True)
    time.sleep(float(sys.argv[2]))
"""


def the_run(run: psutil.Process) -> psutil.Process:
    return run


def its_worker(run: psutil.Process) -> psutil.Process:
    """The process of xdist that runs the test."""
    (worker,) = (child for child in run.children() if "local.cloud" not in " ".join(child.cmdline()))
    return worker


@pytest.mark.parametrize(
    ("options", "ended"),
    [(["-p", "no:xdist"], the_run), (["-n", "1"], the_run), (["-n", "1"], its_worker)],
    ids=["alone", "with workers", "a worker"],
)
def test_run_ended_by_term_leaves_no_server(
    tmp_path: Path, options: list[str], ended: Callable[[psutil.Process], psutil.Process]
) -> None:
    (tmp_path / "test_holds.py").write_text(HOLDS_SERVERS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", *options, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment = {name: value for name, value in environment.items() if not name.startswith("PYTEST_")}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        noted = tmp_path / "servers"
        wait_until(lambda: run.poll() is not None or (noted.exists() and noted.read_text().endswith(" ")), 60)
        assert run.poll() is None, run.stdout and run.stdout.read()
        servers = [psutil.Process(int(pid)) for pid in noted.read_text().split()]
        ended(psutil.Process(run.pid)).send_signal(signal.SIGTERM)
        said, _ = run.communicate(timeout=60)
    assert run.returncode != 0, said
    wait_until(lambda: not any(server.is_running() for server in servers), 30)


@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed")
@pytest.mark.parametrize(("seconds", "killed", "code"), [(0, False, 0), (120, True, -signal.SIGKILL)])
def test_provider_of_terraform_ends_with_the_process_that_started_it(
    tmp_path: Path, seconds: int, killed: bool, code: int
) -> None:
    command = [sys.executable, "-c", HOLDS_A_PROVIDER, str(tmp_path / "provider"), str(seconds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        pid = int(run.stdout.readline())
        if killed:
            run.kill()
        run.wait(60)
    assert run.returncode == code
    wait_until(lambda: not psutil.pid_exists(pid), 30)
