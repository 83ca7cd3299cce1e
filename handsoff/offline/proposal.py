"""A first handsoff.yaml as text, with the reason of each guess beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from handsoff.config_schema import config_schema
from handsoff.offline.guesses import Guess, Guesses, Use
from handsoff.offline.scripts import Script
from handsoff.project import Project
from retraining.config.tasks import Task

SCHEMA_FILE: Final = ".handsoff/handsoff.schema.json"
"""Where the schema lies that the first line of the file names, relative to the file."""

STARTERS: Final[Mapping[Task, Sequence[tuple[str, str]]]] = {
    "binary_classification": (
        ("{metric: roc_auc, min: 0.7, confidence: 0.95}", "of use at all, proven"),
        (
            "{metric: roc_auc, versus_champion: {max_loss: 0.03, max_gain: 0.1}, on_fail: hold}",
            "no worse; no suspicious leap",
        ),
        ("{metric: roc_auc, versus_anchor: {max_loss: 0.05}, on_fail: hold}", "many small losses end here"),
        (
            "{metric: brier, versus_champion: {max_loss: 0.02}, on_fail: hold}",
            "ranks are blind to wrong probabilities",
        ),
        ("{metric: roc_auc, max: 0.99, on_fail: hold}", "too good to be true: leakage"),
        ("{data: drift, max: 0.25, on_fail: hold}", "other units, other rows, another share of the classes"),
    ),
    "multiclass_classification": (
        ("{metric: f1_macro, min: 0.5}", "each class counts alike, the rare ones, too"),
        (
            "{metric: f1_macro, versus_champion: {max_loss: 0.05, max_gain: 0.15}, on_fail: hold}",
            "no class is given up",
        ),
        (
            "{metric: roc_auc_ovr, versus_anchor: {max_loss: 0.05}, on_fail: hold}",
            "many small losses end here",
        ),
        ("{data: drift, max: 0.25, on_fail: hold}", "other units, other shares of the classes"),
    ),
    "regression": (
        ("{metric: r2, min: 0.3}", "explains something, in any unit"),
        (
            "{metric: mae, versus_champion: {max_loss: 0.1, max_gain: 0.3, relative: true}, on_fail: hold}",
            "mae bears heavy tails, rmse does not",
        ),
        (
            "{metric: mae, versus_anchor: {max_loss: 0.15, relative: true}, on_fail: hold}",
            "many small losses end here",
        ),
        ("{data: drift, max: 0.25, on_fail: hold}", "other units, another level of the target"),
    ),
}
"""Rules to start with and their reasons, as docs/explanation/approval.md has them."""


FEATURES: Final[Sequence[Use]] = ("numeric", "categorical", "boolean", "date feature")
"""The uses of columns that are features."""

_ABOUT_ROWS: Final[Sequence[tuple[Use, str]]] = (
    ("identity", "which row a row is"),
    ("group", "which rows belong together"),
    ("date", "when a row came about"),
)
"""Keys of `data` that name a column, and what it says."""


def write_schema(project: Project) -> Path:
    """Write the schema where the first line of the project's file looks for it; its path.

    Raises ProjectReadOnly.
    """
    project.make_work()
    path = project.folder / SCHEMA_FILE
    path.write_text(json.dumps(config_schema(), indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def written(name: str, guesses: Guesses, *, split: bool, script: Script | None, source_dir: str) -> str:
    """The text of a handsoff.yaml with one model. `split`: files do not say which rows are for validation."""
    lines = [
        f"# yaml-language-server: $schema={SCHEMA_FILE}",
        "# Made by `handsoff init` from guesses: read the reasons, and correct what is wrong.",
        "models:",
        f"  {name}:",
        *(f"    {line}" for line in _model(guesses, split, script, source_dir)),
    ]
    return "\n".join(lines) + "\n"


def _model(guesses: Guesses, split: bool, script: Script | None, source_dir: str) -> Iterator[str]:
    (target,) = guesses.of("target")
    yield f"task: {guesses.task} # {guesses.why}"
    yield f"target: {scalar(target)}"
    if guesses.task != "regression" and list(guesses.classes) != ["0", "1"]:
        last = " # the last one is the positive class" if len(guesses.classes) == 2 else ""
        names = ", ".join(json.dumps(name, ensure_ascii=False) for name in guesses.classes)
        yield f"classes: [{names}]{last}"
    yield "features:"
    for kind in FEATURES:
        if columns := [each for each in guesses.columns if each.use == kind]:
            yield f"  {kind.split()[0]}:"
            yield from (f"    - {scalar(each.column)} # {_comment(each)}" for each in columns)
    for each in guesses.columns:
        if each.use == "left out":
            yield f"  # left out: {scalar(each.column)} ({_comment(each)})"
    yield from _data(guesses, split, script)
    yield "retrain:"
    yield "  ready: {when: marker} # an execution starts when the file _SUCCESS lands after the others"
    yield from _training(script, source_dir)
    yield "approval:"
    yield "  first_model: hold # a person decides on the first model; rules_only lets the rules do it"
    yield "  rules:"
    yield from (f"    - {rule} # {why}" for rule, why in STARTERS[guesses.task])


def _data(guesses: Guesses, split: bool, script: Script | None) -> Iterator[str]:
    lines = [f"  {key}: {scalar(value)} # so the files are written" for key, value in guesses.data.items()]
    for use, why in _ABOUT_ROWS:
        if columns := guesses.of(use):
            lines.append(f"  {use}: {scalar(columns[0])} # {why}")
    if script and script.reads_csv:
        lines.append(f"  channel_format: csv # {script.path.name} reads CSV; without this it gets Parquet")
    if split:
        date = guesses.of("date")
        by, why = "random", "a hash of each row decides, so that it stays on its side"
        if group := guesses.of("group"):
            by, why = f"{{group: {scalar(group[0])}}}", "all rows of a group are on one side"
        elif date:
            by, why = (
                f"{{time: {scalar(date[0])}}}",
                "the newest rows are for validation, as a model meets them",
            )
        lines.append(f"  split: {{by: {by}, validation: 20%}} # {why}")
    if lines:
        yield "data:"
        yield from lines


def _training(script: Script | None, source_dir: str) -> Iterator[str]:
    if script is None:
        yield "training: {estimator: hist_gradient_boosting, instance_type: ml.m5.large}"
        return
    yield "training:"
    yield f"  source_dir: {scalar(source_dir)}"
    yield f"  entry_point: {scalar(script.path.name)}"
    yield f"  image: {script.image} # {script.why_image}"
    if script.hyperparameters:
        yield "  hyperparameters: # the defaults of its arguments"
        yield from (f"    {scalar(name)}: {scalar(value)}" for name, value in script.hyperparameters.items())
    yield "  instance_type: ml.m5.xlarge"
    if not script.functions:
        yield "inference: {entry_point: inference.py}"


def scalar(value: object) -> str:
    """A value as YAML writes it in one line; text in quotes where it could be read as something else."""
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_./ -]*[A-Za-z0-9_/]|[A-Za-z]", value)
        if plain and yaml.safe_load(value) == value:
            return value
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _comment(guess: Guess) -> str:
    """The reason in one line."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in guess.why).split())
