"""What refuses a file or a start is decided by the newest config, not by one that is kept in memory."""

from __future__ import annotations

from typing import Any

import pytest

from retraining.config.schema import ModelConfig, parse_config
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, MODEL, OneModel
from tests.functions.starts.test_quarantine import bodies, state_of, told


def config(**sections: Any) -> ModelConfig:
    """The model's config with these sections."""
    model = {
        "task": "binary_classification",
        "target": "survived",
        "features": {"numeric": ["age"], "categorical": ["sex"]},
        **sections,
    }
    return parse_config({"models": {MODEL: model}}, source="test").models[MODEL]


class Published(OneModel):
    """A model whose config was published anew: functions still keep the old one in memory."""

    def __init__(self, old: ModelConfig, new: ModelConfig) -> None:
        super().__init__()
        self.config, self.new, self.fresh_reads = old, new, 0

    def get(self, model: str, *, fresh: bool = False, **_: bool) -> ModelConfig | None:
        self.fresh_reads += fresh
        self.config = self.new if fresh else self.config
        return super().get(model)


@pytest.mark.parametrize(
    ("sections", "body"),
    [
        ({"data": {"delimiter": ";"}}, HEADER.replace(b",", b";") + ROWS.replace(b",", b";")),
        ({"data": {"header": ["survived", "age", "sex"]}}, b"0,22,male\n1,38,female\n"),
        ({"features": {"numeric": ["Age"], "categorical": ["sex"]}}, HEADER.replace(b"age", b"Age") + ROWS),
        ({"retrain": {"ready": {"when": "marker", "marker": "_DONE"}}}, HEADER + ROWS),
    ],
)
def test_start_is_decided_by_a_config_that_was_just_published(sections: Any, body: bytes) -> None:
    world = Published(config(), config(**sections))
    world.land("train.csv", body)
    world.land("validation.csv", body)
    world.land("_DONE", b"")
    world.mark()
    assert len(world.started()) == 1
    assert bodies(world.s3, "curated/titanic/train.csv") == [body]
    assert told(world) == []


def test_start_that_a_newer_config_admits_is_not_refused_for_few_rows() -> None:
    world = Published(config(retrain={"min_new_rows": 1000}), config())
    world.land_batch(1)
    world.mark()
    assert len(world.started()) == 1


def test_bad_file_goes_to_quarantine_if_the_newest_config_refuses_it_too() -> None:
    world = Published(config(), config(data={"delimiter": ";"}))
    world.land("train.csv", BAD)
    world.land("validation.csv", (HEADER + ROWS).replace(b",", b";"))
    world.mark()
    assert world.started() == []
    assert bodies(world.s3, "curated/titanic/train.csv") == [BAD, None]
    assert state_of(world).answer == "refuse"


def test_start_that_is_admitted_reads_the_config_anew_once() -> None:
    """The parameters of its execution are those of the pipeline that was published last."""
    world = Published(config(), config())
    world.land_batch(1)
    world.mark()
    assert (len(world.started()), world.fresh_reads) == (1, 1)
