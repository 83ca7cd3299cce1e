"""`data.split`: its three forms, the columns that it names, and what a wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pipeline_def.publish import step_config
from retraining.config.data import Data
from retraining.config.schema import ModelConfig, dump_model, parse_config, parse_model
from retraining.config.split import ByGroup, ByTime
from retraining.errors import ConfigError
from tests.functions.config.configs import changed


def model(data: str) -> ModelConfig:
    """The Titanic's config with this YAML as its `data`."""
    return parse_config(changed("models.titanic.data", yaml.safe_load(data)), source="f").models["titanic"]


@pytest.mark.parametrize(
    ("data", "by", "validation", "start", "named"),
    [
        ("split: {by: random, validation: 20%}", "random", 0.2, None, ()),
        ("split: {by: random, validation: 0.25}", "random", 0.25, None, ()),
        ("split: {by: random, validation: 12.5 %}", "random", 0.125, None, ()),
        ("split: {by: {group: c}, validation: 1%}", ByGroup(group=("c",)), 0.01, None, ("c",)),
        ("split: {by: {group: [c, d]}, validation: 90%}", ByGroup(group=("c", "d")), 0.9, None, ("c", "d")),
        ("split: {by: {time: t}, validation: 20%}", ByTime(time="t"), 0.2, None, ("t",)),
        ("split: {by: {time: t}, from: 2026-01-31}", ByTime(time="t"), None, "2026-01-31", ("t",)),
        ("split: {by: {time: t}, from: '2026-01-31'}", ByTime(time="t"), None, "2026-01-31", ("t",)),
        (
            "split: {by: {time: t}, validation: 20%, from: 2026-01-31T10:00:00+02:00}",
            ByTime(time="t"),
            0.2,
            "2026-01-31 08:00:00",
            ("t",),
        ),
    ],
)
def test_split_has_three_forms_and_names_columns(
    data: str, by: Any, validation: float | None, start: str | None, named: tuple[str, ...]
) -> None:
    found = model(data)
    assert found.data.split is not None
    assert (found.data.split.by, found.data.split.validation, found.data.split.start) == (
        by,
        validation,
        start,
    )
    assert found.data.whole
    assert found.columns[8:] == named
    assert parse_model(dump_model(found), source="SSM") == found


def test_split_fills_group_or_date_and_agrees_with_them() -> None:
    assert model("split: {by: {group: c}, validation: 20%}").data.group == ("c",)
    assert model("split: {by: {time: t}, validation: 20%}").data.date == "t"
    assert model("{split: {by: {time: t}, validation: 20%}, date: t, group: c}").data.group == ("c",)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            "split: {by: random}",
            ".data.split: the key validation is missing: write the share of validation rows, such as 20%",
        ),
        (
            "split: {by: random, validation: 20}",
            ".data.split.validation: expected a share such as 20% or 0.2, from 1% to 90%, not 20",
        ),
        (
            "split: {by: random, validation: 0%}",
            ".data.split.validation: expected a share such as 20% or 0.2, from 1% to 90%, not '0%'",
        ),
        (
            "split: {by: radnom, validation: 20%}",
            ".data.split.by: expected random, {time: COLUMN} or {group: COLUMN}, not 'radnom'",
        ),
        (
            "split: {by: {tiem: t}, validation: 20%}",
            ".data.split.by: expected random, {time: COLUMN} or {group: COLUMN}, not {tiem: 't'}",
        ),
        (
            "split: {by: {group: []}, validation: 20%}",
            ".data.split.by: expected random, {time: COLUMN} or {group: COLUMN}, not {group: []}",
        ),
        (
            "split: {by: random, from: 2026-01-01}",
            ".data.split.from: from is for by: {time: COLUMN} only: remove it",
        ),
        (
            "split: {by: {time: t}, from: soon}",
            ".data.split.from: expected a date such as 2026-01-31, or a time such as 2026-01-31 "
            "14:05:00, not 'soon'",
        ),
        (
            "{split: {by: {group: c}, validation: 20%}, group: d}",
            ".data.group: split.by.group names c, and group names d: name the same columns, or leave "
            "group out",
        ),
        (
            "{split: {by: {time: c}, validation: 20%}, date: d}",
            ".data.date: split.by.time names c, and date names d: name the same column, or leave date out",
        ),
        (
            "split: {by: {group: survived}, validation: 20%}",
            ".data.group: data.group names the target survived: name other columns",
        ),
    ],
)
def test_wrong_split_is_named_with_what_was_expected(data: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        model(data)
    assert str(error.value) == f"f is not valid:\n  models.titanic{said}"


def test_step_config_has_the_split_as_it_is_written() -> None:
    found = model("split: {by: {time: t}, from: 2026-01-31}").model_dump(mode="json", exclude_none=True)
    assert step_config(found, "titanic")["data"]["split"] == {"by": {"time": "t"}, "from": "2026-01-31"}
    without = model("{}").model_dump(mode="json", exclude_none=True)
    assert "split" not in step_config(without, "titanic")["data"]
    assert not Data().whole


def test_weight_is_a_column_of_the_files_and_no_feature() -> None:
    assert model("weight: w").columns[-1] == "w"
    for data, said in (
        ("weight: age", "data.weight: the weight age is also a feature: remove it from features"),
        ("weight: survived", "data.weight: data.weight names the target survived: name other columns"),
    ):
        with pytest.raises(ConfigError) as error:
            model(data)
        assert str(error.value) == f"f is not valid:\n  models.titanic.{said}"
