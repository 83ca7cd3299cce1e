"""What each example has: a valid configuration, data of fixed bytes, a short README and a picture."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import pytest

from handsoff import project
from retraining.config.rules import MetricRule
from tests.examples import stories

README_LINES = 30
"""Lines that an example's README may have."""


@pytest.mark.parametrize("model", stories.MODELS)
def test_example_can_be_published_from_its_own_folder(model: str) -> None:
    found = project.load(stories.EXAMPLES / stories.MODELS[model] / "handsoff.yaml")
    assert list(found.config.models) == [model]
    assert len(found.config.prefix) <= 20


def test_titanic_is_the_configuration_of_the_repository() -> None:
    ours = (stories.ROOT / "handsoff.yaml").read_text()
    assert (stories.EXAMPLES / "titanic" / "handsoff.yaml").read_text() == ours


@pytest.mark.parametrize("model", stories.MODELS)
def test_example_has_a_short_readme_and_its_picture(model: str) -> None:
    folder = stories.EXAMPLES / stories.MODELS[model]
    readme = (folder / "README.md").read_text()
    assert len(readme.splitlines()) <= README_LINES
    assert "](review-page.png)" in readme
    assert (folder / "review-page.png").read_bytes().startswith(b"\x89PNG")


def test_examples_are_exactly_those_that_run() -> None:
    folders = {path.parent.name for path in stories.EXAMPLES.glob("*/handsoff.yaml")}
    assert folders == set(stories.MODELS.values())


def test_churn_data_has_the_same_bytes_each_time(tmp_path: Path) -> None:
    (path,) = stories.write_data("churn", tmp_path)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 2290
    assert Counter(row["left"] for row in rows) == {"no": 1415, "yes": 875}
    assert max(Counter(row["customer"] for row in rows).values()) == 4
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith("c828f5763c3c9922")


@pytest.mark.parametrize("model", stories.MODELS)
def test_example_holds_a_suspicious_leap(model: str) -> None:
    found = project.load(stories.EXAMPLES / stories.MODELS[model] / "handsoff.yaml")
    rules = found.config.models[model].approval.rules
    limits = [
        rule.versus_champion.max_gain
        for rule in rules
        if isinstance(rule, MetricRule) and rule.versus_champion
    ]
    assert limits == [{"titanic": 0.1, "churn": 0.1, "wine": 0.15, "diabetes": 0.3}[model]]
