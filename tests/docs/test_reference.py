"""The generated pages of docs/reference/: what they say of the code, and that nothing of it is left out."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from docs.make import reference
from handsoff.config_schema import plain_schema
from retraining.config.fields import Duration
from retraining.config.schema import Config

ROOT = Path(__file__).parents[2]


class Inner(BaseModel):
    """A model inside another one."""

    share: float | None = Field(None, ge=0, lt=1)
    """A share."""


class Sample(BaseModel):
    """A model with a field of each kind."""

    name: str = Field(alias="Name", max_length=3)
    """The name,
    on two lines."""

    when: Literal["a", "b"] = "a"
    """A choice: a | b."""

    wait: Duration | None = timedelta(hours=36)
    """A duration."""

    inner: Inner = Inner()
    several: tuple[Inner, ...] = ()
    """Several."""


class Undocumented(BaseModel):
    """A model with a field that nobody described."""

    share: float


def test_keys_of_a_model_have_meaning_values_and_default() -> None:
    assert reference.keys(Sample, "x.").splitlines() == [
        "| key | meaning | values | default |",
        "| --- | --- | --- | --- |",
        "| `x.Name` | The name, on two lines. | text of at most 3 characters | required |",
        "| `x.when` | A choice: a \\| b. | `a`, `b` | `a` |",
        "| `x.wait` | A duration. | a duration or `null` | `36h` |",
        "| `x.inner.share` | A share. | a number from 0 below 1 | – |",
        "| `x.several` | Several. | a list, each entry a mapping | – |",
    ]


def test_a_field_without_a_docstring_is_refused() -> None:
    with pytest.raises(reference.Undescribed, match=r"Undocumented\.share has no docstring below it"):
        reference.keys(Undocumented)


@pytest.mark.parametrize("meanings", [{}, {"a": "…"}, {"a": "…", "b": "…", "c": "…"}])
def test_a_sample_whose_keys_are_not_those_described_is_refused(meanings: dict[str, str]) -> None:
    with pytest.raises(reference.Undescribed):
        reference.described({"a": 1, "b": 2}, meanings)


def test_check_names_a_stale_page_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs" / "reference" / "no-such-page.md"
    monkeypatch.setattr(reference, "rendered", lambda: {page: "text"})
    assert reference.main(["--check"]) == 1
    assert "docs/reference/no-such-page.md is not what the code says" in capsys.readouterr().err
    assert not page.exists()


def test_the_events_page_names_every_function_and_every_example() -> None:
    text = (ROOT / "docs" / "reference" / "events.md").read_text(encoding="utf-8")
    for handler in (ROOT / "functions").glob("*.py"):
        assert f"| `{handler.stem}` |" in text
    for example in (ROOT / "events").glob("*.json"):
        group = example.stem.partition(".")[0]
        assert f"`{example.stem}`" in text or f"`{group}.*`" in text


def test_the_configuration_page_has_every_key_of_the_sample() -> None:
    text = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    schema = plain_schema(Config)
    found = {name for model in schema["$defs"].values() for name in model["properties"]}
    sections = {"features", "retrain", "training", "inference", "approval", "approvers"}
    assert {name for name in found - sections if f"{name}`" not in text} == set()


def test_the_command_page_has_every_command() -> None:
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    names = [name for name, _ in reference.commands()]
    assert {"demo", "local up", "approve"} <= set(names)
    assert [name for name in names if f"## `handsoff {name}`" not in text] == []


def test_the_command_page_shows_no_python_types_and_no_doubled_ellipses() -> None:
    text = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    assert re.findall(r"<[\w\[\] ]+>|….*\.\.\.|\.\.\.\]\.\.\.", text) == []
