"""The JSON Schema of handsoff.yaml says what the parser says, as far as a schema can."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from handsoff.cli import app
from handsoff.config_schema import config_schema
from handsoff.yaml_file import read, read_text
from retraining.config.schema import parse_config
from retraining.errors import ConfigError
from tests.functions.config.test_problems import FULL, WRONG, places
from tests.functions.fakes import ROOT

SCHEMA = Draft202012Validator(config_schema())

CASES: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("bad_configs.yaml").read_text("utf-8"))

BEYOND = {
    # what the words of YAML 1.1 mean
    "octal class",
    "octal value of a slice",
    "no in classes",
    "yes in a slice",
    "hyperparameter no",
    # what some estimators take, and own code does not
    "hyperparameter null",
    # numbers that JSON has not
    "not a number",
    "infinite",
    # lists of names that are not written into the schema
    "zone misspelt",
    "zone in lower case",
    "zone abbreviated",
    "zone as an offset",
    "encoding",
    # moments that only a calendar refuses
    "split, before the year 1 in UTC",
    "split, after the year 9999 in UTC",
    "schedule, no leap year",
    "schedule, year that is over",
    # what compares values with each other
    "search, range upside down",
    "search, logarithms from 0",
    "schedule: cron day that never comes",
    "times out of order",
    "runtime",
    "label beside probabilities",
    "inference of an estimator",
    # forms of names
    "tag name reserved",
    "folder above",
    "hyperparameter with dashes",  # of own code only
}
"""Wrong files that the schema accepts."""


def accepted(values: object) -> bool:
    try:
        parse_config(values, source="f")
    except ConfigError:
        return False
    return True


def test_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA.schema)


@pytest.mark.parametrize(
    "file",
    [*ROOT.glob("handsoff*.yaml"), *ROOT.glob("[!.]*/**/handsoff*.yaml")],  # not of the environments
    ids=str,
)
def test_schema_accepts_each_handsoff_yaml_of_the_repository(file: Path) -> None:
    assert [error.message for error in SCHEMA.iter_errors(read(file).values)] == []


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_schema_refuses_what_the_parser_refuses(case: dict[str, str]) -> None:
    try:
        values = read_text(case["file"], source="f").values
    except ConfigError:
        return
    if case["name"] in ("contains itself", "model name a number"):  # no JSON
        return
    assert SCHEMA.is_valid(values) is (case["name"] in BEYOND)


@pytest.mark.parametrize("path", places(FULL), ids=lambda path: ".".join(map(str, path)))
def test_schema_never_refuses_what_the_parser_accepts(path: tuple[Any, ...]) -> None:
    for wrong in WRONG:
        values = at = copy.deepcopy(FULL)
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = wrong
        if accepted(values):
            assert [error.message for error in SCHEMA.iter_errors(values)] == []


def test_schema_describes_each_key() -> None:
    for section in (SCHEMA.schema, *SCHEMA.schema["$defs"].values()):
        for key, value in section.get("properties", {}).items():
            assert value["description"], key


def test_command_prints_the_schema() -> None:
    done = CliRunner().invoke(app, ["schema"])
    assert json.loads(done.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
