"""What the command line says when something is missing: one clear line, exit code 1, nothing left."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.local.support import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NOWHERE = {"PATH": os.defpath, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}


def handsoff(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in `folder`, with no AWS, no SAM CLI and no profile in reach."""
    return subprocess.run(
        [sys.executable, "-c", "from handsoff.cli import main; main()", *arguments],
        cwd=folder,
        env={**NOWHERE, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "handsoff.yaml", tmp_path)
    return tmp_path


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that was said. Fails if there was more, a traceback or a wrong exit code."""
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("handsoff: ")
    return line


def test_outside_a_project(tmp_path: Path) -> None:
    line = refused(handsoff(tmp_path, "status"))
    assert line == (
        "handsoff: handsoff.yaml does not exist: go to the project's folder, or name it by --config"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: [", "is not valid YAML"),
        ("models: {}\nprefix: a\nmodels: {}", "line 3, column 1 is not valid YAML: models stands twice"),
        ("", "is empty or no mapping"),
        ("- titanic", "is empty or no mapping"),
    ],
)
def test_a_config_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "handsoff.yaml").write_text(text)
    assert said in refused(handsoff(tmp_path, "status"))


def test_a_config_with_a_wrong_key_names_it(project: Path) -> None:
    path = project / "handsoff.yaml"
    path.write_text(path.read_text().replace("target: survived", "target: survived\n    colour: red"))
    done = handsoff(project, "status")
    assert done.returncode == 1
    assert "models.titanic.colour: no such key" in done.stderr


def test_no_region_and_no_credentials(project: Path) -> None:
    assert "`handsoff local up --detach`" in refused(handsoff(project, "status"))
    assert "`handsoff local up --detach`" in refused(handsoff(project, "status", AWS_REGION="us-east-1"))


def test_nothing_listens_where_the_environment_points(project: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        keys["AWS_DEFAULT_REGION"] = "us-east-1"
        line = refused(handsoff(project, "status", AWS_ENDPOINT_URL=endpoint, AWS_MAX_ATTEMPTS="1", **keys))
    assert endpoint in line


def test_the_sam_cli_is_missing(project: Path) -> None:
    line = refused(handsoff(project, "local", "up", "--detach"))
    assert line == "handsoff: the SAM CLI is missing: run `make setup`"
    assert not (project / ".handsoff").exists()
    assert refused(handsoff(project, "demo")) == line
    assert not (project / ".handsoff").exists()


def test_the_port_is_in_use(project: Path) -> None:
    sam = project / ".venv-sam" / "bin" / "sam"
    sam.parent.mkdir(parents=True)
    sam.symlink_to("/bin/false")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = handsoff(project, "local", "up", "--detach", "--port", str(port))
    assert done.returncode == 1
    began, line = done.stderr.strip().splitlines()
    assert began == "starting AWS on this machine …"
    assert f"port {port}" in line
    assert "--port" in line
    assert not (project / ".handsoff" / "local").exists()


def test_a_failed_deployment_stops_what_was_started(project: Path) -> None:
    sam = project / ".venv-sam" / "bin" / "sam"
    sam.parent.mkdir(parents=True)
    sam.symlink_to("/bin/false")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = handsoff(project, "local", "up", "--detach", "--port", str(port))
    assert done.returncode == 1
    assert "`sam build` failed with exit code 1" in done.stderr
    assert not (project / ".handsoff" / "local").exists()
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0


def test_nothing_runs_here(project: Path) -> None:
    assert "not running: `handsoff local up --detach`" in refused(handsoff(project, "local", "env"))
    done = handsoff(project, "local", "down")
    assert done.returncode == 0
    assert "was not running" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["demo"],
        ["local"],
        ["local", "up"],
        ["local", "update"],
        ["local", "invoke"],
        ["doctor"],
        ["render"],
        ["deploy"],
        ["destroy"],
        ["publish"],
        ["land"],
        ["start"],
        ["status"],
        ["evidence"],
        ["judge"],
        ["explain"],
        ["approve"],
        ["reject"],
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(tmp_path: Path, command: list[str]) -> None:
    done = handsoff(tmp_path, *command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("command", [["demo"], ["local", "up", "--port", "0"]], ids=["demo", "up"])
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name
)
def test_however_it_ends_nothing_stays(project: Path, command: list[str], number: signal.Signals) -> None:
    """Ended while the template is being deployed, by a SAM CLI that takes its time."""
    sam = project / ".venv-sam" / "bin" / "sam"
    sam.parent.mkdir(parents=True)
    sam.write_text("#!/bin/sh\ntouch reached\nexec sleep 60\n")
    sam.chmod(0o755)
    if "--port" in command:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            command = [*command[:-1], str(probe.getsockname()[1])]
    running = subprocess.Popen(
        [sys.executable, "-c", "from handsoff.cli import main; main()", *command],
        cwd=project,
        env=NOWHERE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: (project / "reached").exists())
    running.send_signal(number)
    assert running.wait(30) != 0

    def left() -> list[str]:
        folders = [str(path) for path in (project / ".handsoff").glob("*")]
        commands = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
        return folders + [command for command in commands if f"--folder {project}" in command]

    wait_until(lambda: not left())
