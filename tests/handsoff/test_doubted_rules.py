"""A handsoff.yaml with rules that ask nothing can be published nowhere, and stops no other command."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from handsoff import cli, project
from handsoff.commands import terminal
from retraining.errors import ConfigError
from tests import commands

NOWHERE = {"PATH": os.defpath, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent"}

MODELS = """
models:
  fares:
    task: regression
    target: fare
    features: {{numeric: [age]}}
  titanic:
    task: binary_classification
    target: survived
    features: {{numeric: [age, fare]}}
    approval:
      rules: [{rules}]
"""

FEW = "{metric: roc_auc, versus_champion: {max_loss: 0.05}, min_samples: 2}"

ACCEPTED_BEFORE = {
    FEW: "approval.rules, number 1: a comparison needs at least 30 rows",
    "{metric: brier, min: 0.1}": "approval.rules, number 1: brier is better the lower it is",
    "{metric: roc_auc, max: 0.97}": "approval.rules: no rule asks for a good model",
    "{metric: log_loss, max: true}": "approval.rules, number 1, max: expected a number, not true",
}
"""Rules that an earlier version accepted, and the beginning of what is said about them."""

OTHERS = {
    "land": ["titanic", "train.csv"],
    "data": ["titanic"],
    "start": ["titanic"],
    "release": ["titanic"],
    "init": ["train.csv", "--target", "survived"],
    "predict": ["titanic", "train.csv"],
    "status": [],
    "evidence": [],
    "report": [],
    "logs": [],
    "notifications": [],
    "models": [],
    "versions": ["titanic"],
    "compare": ["titanic", "1", "2"],
    "rollback": ["titanic", "--reason", "worse in May"],
    "pause": ["titanic", "--reason", "the source is down"],
    "resume": ["titanic"],
    "stop": ["titanic"],
    "verify": ["titanic"],
    "export": ["titanic/3", "--format", "mlbom"],
    "review": ["titanic/3"],
    "explain": ["titanic/3"],
    "approve": ["titanic/3", "--reason", "good"],
    "reject": ["titanic/3", "--reason", "bad"],
    "judge": ["titanic/3", "--without-champion", "--reason", "gone"],
    "anchor": ["titanic"],
    "failures": [],
    "redrive": ["everything"],
    "destroy": ["--confirm", "handsoff"],
    "local down": [],
    "local env": [],
    "local invoke": ["Reconcile", "event.json"],
    "local up": ["--no-deploy"],
}
"""Commands that publish nothing, with arguments."""

PUBLISHING = {
    "publish": [],
    "deploy": [],
    "render": [],
    "judge": ["--evaluation", "evaluation.json", "--model", "titanic"],
    "demo": [],
    "doctor": [],
    "check": [],
    "local up": [],
    "local update": [],
}
"""Commands that publish rules, judge by them, or say whether they can be published; with arguments."""


def run(folder: Path, name: str, arguments: list[str]) -> str:
    """What the command says, without AWS, SAM CLI and profile; it ends with an error."""
    (folder / "train.csv").write_text("age,fare,survived\n")
    for file in ("terraform/versions.tf", "pipeline_def/publish.py"):  # a checkout without `make setup`
        (folder / file).parent.mkdir()
        (folder / file).touch()
    done = commands.run(*name.split(), *arguments, environment=NOWHERE, folder=folder)
    ended = 2 if name == "verify" else 1  # 1 would say that evidence does not hold
    assert done.returncode == ended or name == "local down", done.stdout
    return done.stdout + done.stderr


@pytest.fixture(params=ACCEPTED_BEFORE)
def doubted(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    """A folder with a handsoff.yaml that an earlier version accepted, and what is said about its rule."""
    (tmp_path / "handsoff.yaml").write_text(MODELS.format(rules=request.param))
    return tmp_path, ACCEPTED_BEFORE[request.param]


def test_each_command_is_looked_at() -> None:
    main: Any = get_command(cli.app)
    names = {*main.commands, *(f"local {name}" for name in main.commands["local"].commands)} - {"local"}
    assert names == {*OTHERS, *PUBLISHING, "schema"}  # schema reads no configuration


@pytest.mark.parametrize("name", OTHERS)
def test_command_that_publishes_nothing_is_not_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "handsoff.yaml").write_text(MODELS.format(rules=FEW))
    said = run(tmp_path, name, OTHERS[name])
    assert "is not valid" not in said
    assert "min_samples" not in said


@pytest.mark.parametrize("name", PUBLISHING)
def test_command_that_publishes_or_judges_is_refused(name: str, doubted: tuple[Path, str]) -> None:
    folder, why = doubted
    assert why in run(folder, name, PUBLISHING[name])
    assert not (folder / ".handsoff").exists()


def test_file_that_is_not_to_be_published_is_read_with_its_rules(doubted: tuple[Path, str]) -> None:
    folder, _ = doubted
    (rule,) = project.load(folder / "handsoff.yaml", to_publish=False).config.models["titanic"].approval.rules
    assert rule.on_fail == "reject"
    with pytest.raises(ConfigError, match="is not valid"):
        project.load(folder / "handsoff.yaml")


def test_doubt_is_said_in_one_line(doubted: tuple[Path, str]) -> None:
    folder, why = doubted
    terminal.choose(folder / "handsoff.yaml")
    said = terminal.doubt() or ""
    assert said.startswith(f"{folder / 'handsoff.yaml'} cannot be published: line 12, column ")
    assert "models.titanic.approval.rules" in said
    assert why in said
    assert len(said.splitlines()) == 1


def test_rules_without_a_doubt_are_silent(tmp_path: Path) -> None:
    (tmp_path / "handsoff.yaml").write_text(MODELS.format(rules="{metric: roc_auc, min: 0.8}"))
    terminal.choose(tmp_path / "handsoff.yaml")
    assert terminal.doubt() is None


@pytest.mark.parametrize("wrong", ["{metric: roc_auc, colour: red}", "{metric: roc_auc}"])
def test_file_that_no_version_accepted_stops_every_command(wrong: str, tmp_path: Path) -> None:
    (tmp_path / "handsoff.yaml").write_text(MODELS.format(rules=wrong))
    assert "handsoff.yaml is not valid" in run(tmp_path, "status", [])
