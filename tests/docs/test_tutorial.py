"""docs/tutorials/03-sagemaker-pipeline: its commands, run on AWS on this machine with IAM enforced."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import server
from tests import providers, warm
from tests.docs.shell import ROOT, blocks, clean_environment, run
from tests.loop.builds import provide

TUTORIAL = ROOT / "docs" / "tutorials" / "03-sagemaker-pipeline.md"
SPANISH = TUTORIAL.with_suffix(".es.md")
START = "handsoff local up --detach --enforce-iam"
FOLDERS = ("functions", "layers", "pipeline_def", "terraform", "data")
FILES = ("handsoff.yaml", "template.yaml", "samconfig.toml", "Makefile")


def start_on(port: int, *others: int) -> str:
    """The shell command that starts AWS on this machine on the first free one of these ports."""
    start = f"{START} --port {port}"
    return " || ".join([start, *(f"{START} --port {other}" for other in others)])


def ports() -> list[int]:
    """Three random ports below the range from which the system chooses ports by itself."""
    return random.sample(range(20_000, 32_000), 3)


@pytest.fixture
def project(tmp_path: Path, ready_build: Path) -> Iterator[Path]:
    """A copy of the files that the commands read: the commands write into the project's folder.

    Functions and layer are built there already, as they are at the second start.
    """
    folder = tmp_path / "project"
    folder.mkdir()
    made = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.auto.tfvars.json", "__pycache__")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=made)
    for name in FILES:
        shutil.copy(ROOT / name, folder / name)
    provide(ready_build, folder / ".handsoff")
    yield folder
    server.stop(folder / ".handsoff" / "local")


def give_environments(project: Path, handsoff: Path) -> None:
    """Make the project's environments: Python as it is in ours, with this command line and a warm SAM CLI."""
    for environment, program in ((".venv", handsoff), (".venv-sam", warm.sam())):
        place = project / environment / "bin"
        place.mkdir(parents=True)
        (place / program.name).symlink_to(program)
    for name in ("bin/python", "bin/python3", "lib", "pyvenv.cfg"):
        (project / ".venv" / name).symlink_to(ROOT / ".venv" / name)


@pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
@pytest.mark.story
def test_the_commands_print_what_the_page_shows(project: Path, tmp_path: Path) -> None:
    script = "\n".join(blocks(TUTORIAL))
    assert script.count(START) == 1
    terraform = {name: value for name, value in providers.environment().items() if name[:2] in ("TF", "GO")}
    environment = clean_environment(tmp_path / "home")
    environment |= {"NO_COLOR": "1", "COLUMNS": "160", **terraform}
    with warm.program("aws") as aws, warm.program("handsoff", environment) as handsoff:
        give_environments(project, handsoff)
        environment["PATH"] = f"{aws.parent}:{environment['PATH']}"
        done = run(script.replace(START, start_on(*ports())), environment, project, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]

    output = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    shown = [line for block in blocks(TUTORIAL, "text") for line in block.splitlines()]
    assert len(shown) > 40
    assert [line for line in shown if not is_printed(line, output)] == []
    evidence = json.loads((project / ".handsoff" / "evidence.json").read_text())
    assert evidence["pipelineExecutionStatus"] == "Succeeded"
    assert evidence["trigger"]["kind"] == "manual"
    assert evidence["modelApprovalStatus"] == "Approved"


def is_printed(line: str, output: str) -> bool:
    """Whether a line of the page, in which … stands for any text, is a line of the output."""
    pattern = ".*".join(re.escape(part) for part in line.split("…"))
    return re.search(f"^{pattern}$", output, re.MULTILINE) is not None


@pytest.mark.slow
@pytest.mark.parametrize("who", ["administrator", "operator"])
@pytest.mark.parametrize("page", [TUTORIAL, SPANISH], ids=lambda page: str(page.name))
def test_the_block_for_aws_gives_each_client_profile_and_region(page: Path, who: str, tmp_path: Path) -> None:
    environment = clean_environment(tmp_path)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile admin]\n[profile data-science-user]\n")  # no region
    on_aws = blocks(page, "")[0]
    asked = "import boto3; print(boto3.Session().profile_name, boto3.Session().region_name)"
    output = run(f'{on_aws}\n{who}\necho "$AWS_REGION"; python -c "{asked}"', environment, ROOT).stdout
    profile = {"administrator": "admin", "operator": "data-science-user"}[who]
    assert output.splitlines() == ["us-east-1", f"{profile} us-east-1"]


def test_both_languages_have_the_same_commands_and_answers() -> None:
    for language in ("sh", "text", ""):
        assert blocks(SPANISH, language) == blocks(TUTORIAL, language)
    titles = [re.findall(r"^(#+) ", page.read_text(), re.MULTILINE) for page in (TUTORIAL, SPANISH)]
    assert titles[0] == titles[1]
