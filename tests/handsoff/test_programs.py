"""The programs that a deployment is built with: found, installed, or named as missing with a command."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from handsoff.deploying import doctor, programs, tools
from handsoff.errors import ProjectReadOnly, ToolMissing
from handsoff.project import Project, load
from tests import commands

ROOT = Path(__file__).parents[2]
SAID = "installing the SAM CLI, once on this machine: it takes a minute"


def wheel(folder: Path) -> Path:
    """A wheel with a program named sam, in place of the SAM CLI's."""
    files = {
        "samcli.py": "def main():\n    print('SAM CLI, version 9.9.9')\n",
        "aws_sam_cli-9.9.9.dist-info/METADATA": "Metadata-Version: 2.1\nName: aws-sam-cli\nVersion: 9.9.9\n",
        "aws_sam_cli-9.9.9.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "aws_sam_cli-9.9.9.dist-info/entry_points.txt": "[console_scripts]\nsam = samcli:main\n",
    }
    target = folder / "aws_sam_cli-9.9.9-py3-none-any.whl"
    record = "aws_sam_cli-9.9.9.dist-info/RECORD"
    with zipfile.ZipFile(target, "w") as archive:
        lines = []
        for name, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            lines.append(f"{name},sha256={digest},{len(text)}\n")
            archive.writestr(name, text)
        archive.writestr(record, "".join(lines) + f"{record},,\n")
    return target


@pytest.fixture
def packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of an installed wheel, on a machine without the SAM CLI, whose cache is empty."""
    app, folder = tmp_path / "app", tmp_path / "mine"
    (app / "requirements").mkdir(parents=True)
    folder.mkdir()
    file = wheel(tmp_path)
    lock = f"aws-sam-cli @ {file.as_uri()} --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"
    (app / "requirements" / "sam.txt").write_text(lock)
    monkeypatch.setattr(programs, "PACKAGED", app)
    monkeypatch.setattr("handsoff.project.PACKAGED", app)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "1")
    (folder / "handsoff.yaml").write_text((ROOT / "handsoff.yaml").read_text())
    return replace(load(folder / "handsoff.yaml"), app=app)


def version(program: Path) -> str:
    return subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_sam_cli_is_installed_once_into_the_users_cache(packaged: Project, tmp_path: Path) -> None:
    said: list[str] = []
    program = programs.sam(packaged, said.append)
    assert program.is_relative_to(tmp_path / "cache" / "handsoff" / "sam")
    assert version(program) == "SAM CLI, version 9.9.9"
    assert programs.sam(packaged, said.append) == program
    assert said == [SAID]


@pytest.mark.slow
def test_sam_cli_that_was_half_installed_is_installed_again(packaged: Project) -> None:
    said: list[str] = []
    program = programs.sam(packaged, said.append)
    program.unlink()
    (program.parents[1] / "complete").unlink()  # as a process leaves it that was killed before the end
    assert version(programs.sam(packaged, said.append)) == "SAM CLI, version 9.9.9"
    assert said == [SAID, SAID]


@pytest.mark.slow
def test_sam_cli_is_installed_by_one_of_two_processes(packaged: Project) -> None:
    program = (
        "import sys; from pathlib import Path; from handsoff.deploying import programs; "
        "from handsoff.project import load; from dataclasses import replace; app = Path(sys.argv[1]); "
        "programs.PACKAGED = app; "
        "print(programs.sam(replace(load(Path(sys.argv[2])), app=app), print))"
    )
    command = [sys.executable, "-c", program, str(packaged.app), str(packaged.folder / "handsoff.yaml")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [one.communicate(timeout=60)[0].splitlines() for one in both]
    assert sorted(map(len, said)) == [1, 2]
    assert said[0][-1] == said[1][-1]


@pytest.mark.slow
def test_sam_cli_that_cannot_be_installed_is_named_with_the_command(packaged: Project) -> None:
    lock = packaged.app / "requirements" / "sam.txt"
    lock.write_text(lock.read_text()[:-5] + "0000\n")  # another hash
    with pytest.raises(
        ToolMissing, match=r"^the SAM CLI is missing, and could not be installed: "
    ) as refused:
        programs.sam(packaged)
    assert str(refused.value).splitlines()[-1] == (
        "To install it yourself: `pipx install aws-sam-cli`, or `uv tool install aws-sam-cli`"
    )


def test_sam_cli_on_the_path_is_used(packaged: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    program = packaged.folder / "bin" / "sam"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert programs.sam(packaged) == program


def test_sam_cli_of_a_checkout_is_installed_by_make(
    packaged: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "PACKAGED", packaged.folder)
    with pytest.raises(ToolMissing, match=r"^the SAM CLI is missing: run `make setup`$"):
        programs.sam(packaged)


def test_doctor_says_that_the_sam_cli_is_installed_later(packaged: Project) -> None:
    found = {item.what: item for item in doctor.programs_found(packaged.app, ">= 1.9")}
    assert (found["SAM CLI"].outcome, found["SAM CLI"].why) == (
        "ok",
        "none is installed: handsoff installs its own before the first build",
    )


@pytest.mark.parametrize(
    ("name", "command"),
    [("make", "`sudo apt-get install make`"), ("terraform", "`brew install hashicorp/tap/terraform`")],
)
def test_program_that_is_missing_is_named_with_the_command(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match=f"^the program {name} is missing. To install it: ") as refused:
        tools.need(name)
    assert command in str(refused.value)
    with pytest.raises(ToolMissing, match=f"^the program {name} is missing. To install it: "):
        tools.run(name, [name, "--version"], folder=tmp_path, environment={})


def test_program_in_a_folder_that_is_gone_is_not_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        tools.run("true", ["true"], folder=tmp_path / "gone", environment={})


def test_folder_that_cannot_be_written_is_named(packaged: Project) -> None:
    """A file in place of the folder: the tests may run as a user who may write anywhere."""
    packaged.work.touch()
    with pytest.raises(ProjectReadOnly, match=r"mine/\.handsoff cannot be written \(File exists\): "):
        packaged.make_work()


def test_git_ignores_the_folder_of_state(packaged: Project) -> None:
    packaged.make_work()
    assert (packaged.work / ".gitignore").read_text() == "*\n"


def test_doctor_works_in_a_folder_without_anything(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true"}
    done = commands.run("doctor", environment=environment, folder=tmp_path)
    assert done.returncode == 1
    assert "✗ configuration: handsoff.yaml does not exist" in done.stdout
    assert "SAM CLI" in done.stdout
    assert "Traceback" not in done.stderr
