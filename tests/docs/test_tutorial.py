"""docs/tutorials/03-sagemaker-pipeline: run as a reader would, on AWS on this machine, with IAM enforced."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import server
from tests import providers
from tests.docs.shell import ROOT, blocks, clean_environment, run

TUTORIAL = ROOT / "docs" / "tutorials" / "03-sagemaker-pipeline.md"
SPANISH = TUTORIAL.with_suffix(".es.md")
FOLDERS = ("functions", "layers", "pipeline_def", "terraform", "data")
FILES = ("handsoff.yaml", "template.yaml", "samconfig.toml", "Makefile")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A copy of what the commands read, with the tools beside it: they write into the project's folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    made = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.auto.tfvars.json", "__pycache__")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=made)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    for name in (".venv", ".venv-sam"):
        (folder / name).symlink_to(ROOT / name)
    yield folder
    server.stop(folder / ".handsoff" / "local")


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
@pytest.mark.xdist_group("tutorial")
def test_the_commands_do_what_the_page_says(project: Path, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path / "home", ROOT / ".venv-sam" / "bin" / "aws")
    environment |= {"NO_COLOR": "1", "COLUMNS": "160"}
    environment |= {name: value for name, value in providers.environment().items() if name.startswith("TF_")}
    start = "handsoff local up --detach --enforce-iam"
    script = "\n".join(blocks(TUTORIAL))
    assert start in script
    done = run(script.replace(start, f"{start} --port {free_port()}"), environment, project, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]

    said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    shown = [line for block in blocks(TUTORIAL, "text") for line in block.splitlines()]
    assert len(shown) > 40
    assert [line for line in shown if not is_said(line, said)] == []
    evidence = json.loads((project / ".handsoff" / "evidence.json").read_text())
    assert evidence["pipelineExecutionStatus"] == "Succeeded"
    assert evidence["trigger"]["kind"] == "manual"
    assert evidence["modelApprovalStatus"] == "Approved"


def is_said(line: str, said: str) -> bool:
    """Whether a shown line, with … for anything, is one of those that were said."""
    pattern = ".*".join(re.escape(part) for part in line.split("…"))
    return re.search(f"^{pattern}$", said, re.MULTILINE) is not None


def test_both_languages_have_the_same_commands_and_answers() -> None:
    for language in ("sh", "text", ""):
        assert blocks(SPANISH, language) == blocks(TUTORIAL, language)
    titles = [re.findall(r"^(#+) ", page.read_text(), re.MULTILINE) for page in (TUTORIAL, SPANISH)]
    assert titles[0] == titles[1]
