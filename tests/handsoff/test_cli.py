"""The command line's errors (one line, exit code 1), its help, and interrupted commands."""

from __future__ import annotations

import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.main import get_command

from handsoff import cli
from tests import commands
from tests.local.support import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NOWHERE = {"PATH": os.defpath, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}


def handsoff(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in `folder`, without AWS, SAM CLI and profile, in this process."""
    return commands.run(*arguments, environment={**NOWHERE, **environment}, folder=folder)


def alone(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command line in `folder`, without AWS, SAM CLI and profile, in a process of its own.

    `before` is Python that runs before it.
    """
    return subprocess.run(
        [sys.executable, "-c", before + "from handsoff.cli import main; main()", *arguments],
        cwd=folder,
        env=NOWHERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A checkout, so that its SAM CLI is the one that `make setup` installs."""
    shutil.copy(ROOT / "handsoff.yaml", tmp_path)
    (tmp_path / "pipeline_def").mkdir()
    (tmp_path / "pipeline_def" / "publish.py").touch()
    return tmp_path


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of error output. Fails for another exit code, a traceback, or more lines."""
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("handsoff: ")
    return line


def test_command_outside_a_project_names_the_config_option(tmp_path: Path) -> None:
    line = refused(alone(tmp_path, "status"))
    assert line == (
        "handsoff: handsoff.yaml does not exist: go to the project's folder, name it by --config, "
        "or write it by `handsoff init`"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: [", "is not valid YAML"),
        (
            "models: {}\nprefix: a\nmodels: {}",
            "line 3, column 1 is not valid YAML: the key models is repeated",
        ),
        ("", "is empty or no mapping"),
        ("- titanic", "is empty or no mapping"),
    ],
)
def test_config_that_is_not_valid_yaml_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "handsoff.yaml").write_text(text)
    assert said in refused(handsoff(tmp_path, "status"))


def test_config_with_an_unknown_key_names_the_key(project: Path) -> None:
    path = project / "handsoff.yaml"
    path.write_text(path.read_text().replace("target: survived", "target: survived\n    colour: red"))
    done = handsoff(project, "status")
    assert done.returncode == 1
    assert "models.titanic.colour: no such key" in done.stderr


def test_command_without_region_or_credentials_suggests_local_up(project: Path) -> None:
    assert "`handsoff local up --detach`" in refused(handsoff(project, "status"))
    assert "`handsoff local up --detach`" in refused(handsoff(project, "status", AWS_REGION="us-east-1"))


def test_command_without_an_answer_names_the_endpoint(project: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        keys["AWS_DEFAULT_REGION"] = "us-east-1"
        line = refused(handsoff(project, "status", AWS_ENDPOINT_URL=endpoint, AWS_MAX_ATTEMPTS="1", **keys))
    assert endpoint in line


def test_missing_sam_cli_is_reported_before_anything_starts(project: Path) -> None:
    line = refused(alone(project, "local", "up", "--detach"))
    assert line == "handsoff: the SAM CLI is missing: run `make setup`"
    assert not (project / ".handsoff").exists()
    assert refused(alone(project, "demo")) == line
    assert not (project / ".handsoff").exists()


def test_local_up_with_a_used_port_names_the_port(project: Path) -> None:
    sam = project / ".venv-sam" / "bin" / "sam"
    sam.parent.mkdir(parents=True)
    sam.symlink_to("/bin/false")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = alone(project, "local", "up", "--detach", "--port", str(port))
    assert done.returncode == 1
    began, line = done.stderr.strip().splitlines()
    assert began == "✗ starting AWS on this machine"
    assert f"port {port}" in line
    assert "--port" in line
    assert not (project / ".handsoff" / "local").exists()


@pytest.mark.parametrize("wrong", ["ml.m5.large for training job usage", "quota=many", "quota=-1"])
def test_local_up_refuses_a_quota_that_is_no_number(project: Path, wrong: str) -> None:
    line = refused(handsoff(project, "local", "up", "--quota", wrong))
    assert line == (
        f"handsoff: --quota takes NAME=NUMBER, such as ml.m5.large for training job usage=1, not {wrong}"
    )


def test_local_up_stops_the_server_when_deploying_fails(project: Path) -> None:
    sam = project / ".venv-sam" / "bin" / "sam"
    sam.parent.mkdir(parents=True)
    sam.symlink_to("/bin/false")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    done = alone(project, "local", "up", "--detach", "--port", str(port))
    assert done.returncode == 1
    assert "`sam build` failed with exit code 1" in done.stderr
    assert not (project / ".handsoff" / "local").exists()
    with socket.socket() as again:
        assert again.connect_ex(("127.0.0.1", port)) != 0


def test_local_env_and_down_say_that_nothing_runs(project: Path) -> None:
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
        ["predict"],
    ],
    ids=" ".join,
)
def test_help_works_without_a_project(tmp_path: Path, command: list[str]) -> None:
    done = handsoff(tmp_path, *command, "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def all_commands() -> list[tuple[str, str]]:
    """Every command's name and its help text, `local`'s commands included."""
    main: Any = get_command(cli.app)
    commands = {**main.commands}
    commands |= {f"local {name}": found for name, found in commands.pop("local").commands.items()}
    return [(name, found.help or "") for name, found in commands.items()]


@pytest.mark.parametrize(("name", "text"), [pytest.param(*one, id=one[0]) for one in all_commands()])
def test_help_has_a_summary_of_one_sentence_and_an_example(name: str, text: str) -> None:
    summary, *_, example = inspect.cleandoc(text).split("\n\n")
    assert summary.endswith(".")
    assert len(summary) <= 110
    assert re.match(rf"Example: `(eval \"\$\()?handsoff {name}\b", example)


def test_version_is_the_one_in_pyproject(tmp_path: Path) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    done = alone(tmp_path, "--version")
    assert (done.returncode, done.stdout) == (0, f"handsoff {declared}\n")


@pytest.mark.parametrize(
    ("command", "imported"),
    [
        (["--version"], set()),
        (["local", "down", "--help"], {"handsoff.commands.local", "handsoff.commands.terminal"}),
        (["schema"], {"handsoff.commands.schema", "handsoff.commands.terminal"}),
    ],
    ids=["version", "help", "schema"],
)
def test_command_imports_no_other_command(tmp_path: Path, command: list[str], imported: set[str]) -> None:
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    done = alone(tmp_path, *command, before=code)
    assert done.returncode == 0
    assert {name for name in done.stderr.split() if name.startswith("handsoff.commands.")} == imported


@pytest.mark.parametrize("command", [["demo"], ["local", "up", "--port", "0"]], ids=["demo", "up"])
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda number: number.name
)
def test_interrupted_command_leaves_no_files_and_no_processes(
    project: Path, command: list[str], number: signal.Signals
) -> None:
    """The command is interrupted while a slow SAM CLI deploys the template."""
    sam = project / ".venv-sam" / "bin" / "sam"
    sam.parent.mkdir(parents=True)
    sam.write_text(f"#!/bin/sh\ntouch {project}/reached\nexec sleep 60\n")
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
