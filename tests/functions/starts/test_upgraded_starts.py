"""A start that another version noted, and a config that another version reads."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from retraining.config.schema import dump_model, parse_model
from retraining.facts.starts import Start, StartRequest
from tests.functions.fakes import titanic_config

AT = datetime(2026, 11, 30, tzinfo=UTC)
REQUEST = StartRequest(trigger="landing", cause="landing", requested_by="s3", at=AT)


def test_a_start_of_an_earlier_version_has_no_images() -> None:
    start = Start(key="k", batch="b", champion="none", requests=(REQUEST,), taken_at=AT)
    noted = json.loads(start.model_dump_json(by_alias=True, exclude_none=True))
    assert not {"championImage", "anchorImage"} & set(noted)
    found = Start.model_validate(noted)
    assert (found.champion_image, found.anchor_image) == (None, None)


def test_a_start_keeps_its_images_in_the_ledger() -> None:
    start = Start(
        key="k",
        batch="b",
        champion="c",
        champion_image="1.dkr/x:1",
        anchor="a",
        anchor_image="1.dkr/y:1",
        requests=(REQUEST,),
        taken_at=AT,
    )
    assert Start.model_validate(json.loads(start.model_dump_json(by_alias=True))) == start


def test_a_model_without_own_code_is_stored_with_keys_that_earlier_functions_know() -> None:
    """They refuse other keys. They run until an upgrade has updated them, and after it is rolled back."""
    stored = json.loads(dump_model(titanic_config()))
    assert set(stored.get("training", {})) <= {"estimator", "instance_type"}
    assert "inference" not in stored
    assert "columns" not in stored.get("data", {})
    assert parse_model(json.dumps(stored), source="SSM") == titanic_config()
