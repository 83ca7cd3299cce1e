"""Running other programs: their output, their environment, and Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from handsoff.deploying import tools
from handsoff.errors import ToolFailed
from tests.local.support import wait_until


def run(program: str, folder: Path, **environment: str | None) -> str:
    return tools.run("the program", [sys.executable, "-c", program], folder=folder, environment=environment)


def test_run_shows_error_output_only_on_failure(tmp_path: Path) -> None:
    said = "import sys; print('said'); print('complained', file=sys.stderr); sys.exit({})"
    assert run(said.format(0), tmp_path) == "said\n"
    with pytest.raises(ToolFailed, match=r"(?s)`the program` failed with exit code 3:\nsaid\ncomplained"):
        run(said.format(3), tmp_path)


def test_run_removes_a_variable_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_CLI_CONFIG_FILE", "/nowhere")
    program = "import os; print(os.environ.get('TF_CLI_CONFIG_FILE'))"
    assert run(program, tmp_path) == "/nowhere\n"
    assert run(program, tmp_path, TF_CLI_CONFIG_FILE=None) == "None\n"


def test_run_puts_the_projects_programs_first_on_the_path(tmp_path: Path) -> None:
    program = "import os; print(os.environ['PATH'].split(os.pathsep)[0])"
    assert run(program, tmp_path) == f"{Path(sys.executable).parent}\n"


@pytest.mark.slow
def test_run_lets_a_program_finish_after_ctrl_c(tmp_path: Path) -> None:
    program = """if True:
        import pathlib, signal, time
        def until(done):
            end = time.monotonic() + 60
            while not done() and time.monotonic() < end:
                time.sleep(0.01)
        asked = []
        signal.signal(signal.SIGINT, lambda *_: asked.append(1))
        pathlib.Path("began").touch()
        until(lambda: asked)
        pathlib.Path("asked").touch()
        until(pathlib.Path("may-end").exists)  # Terraform writes its state
        pathlib.Path("finished").write_text(str(len(asked)))
        """
    outer = "import pathlib, sys, handsoff.deploying.tools as t; "
    outer += f"t.run('x', [sys.executable, '-c', {program!r}], folder=pathlib.Path.cwd(), environment={{}})"
    with subprocess.Popen(
        [sys.executable, "-c", outer], cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        wait_until((tmp_path / "began").exists)
        os.killpg(process.pid, signal.SIGINT)
        wait_until((tmp_path / "asked").exists)
        os.killpg(process.pid, signal.SIGINT)  # a second Ctrl-C
        with pytest.raises(subprocess.TimeoutExpired):  # the command still waits
            process.wait(timeout=1)
        (tmp_path / "may-end").touch()
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert (tmp_path / "finished").read_text() == "1"


def test_run_ends_a_program_on_ctrl_c_during_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[str]] = []
    begin = subprocess.Popen

    def interrupted(*arguments: Any, **options: Any) -> subprocess.Popen[str]:
        begun.append(begin(*arguments, **options))
        signal.raise_signal(signal.SIGINT)
        return begun[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            run("import time; time.sleep(60)", tmp_path)
        assert begun[0].poll() is not None
    finally:
        begun[0].kill()
