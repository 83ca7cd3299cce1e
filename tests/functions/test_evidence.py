"""The form of evidence.json: its schema version, and one case for all of its keys."""

from __future__ import annotations

import json
import re
from typing import Any

from retraining import evidence
from retraining.aws import pipelines
from retraining.collaborators import Collaborators
from tests.functions.fakes import arn_of, event, register, was_held
from tests.functions.world import World

REPORT = {
    "schema_version": 1,
    "batch": "b",
    "ignored_columns": ["boat_number"],
    "files": [{"key": "curated/titanic/train.csv", "versionId": "v", "rows": 3, "blank_lines": 1}],
    "splits": {
        "train": {"rows": 3, "missing_share": {"home_town": 0.5}, "class_share": {"ignored_columns": 1.0}}
    },
    "validation_rows_also_in_train": 0,
}


def gathered(world: World) -> dict[str, Any]:
    """The evidence of the execution that registered version 1, whose data report is REPORT."""
    arn = event("execution_changed.succeeded")["detail"]["pipelineExecutionArn"]
    register(world)
    was_held(world, arn_of(1))
    world.s3.put_object(
        Bucket="data",
        Key=f"models/titanic/{arn.rsplit('/', 1)[-1]}/data_report.json",
        Body=json.dumps(REPORT).encode(),
    )
    execution = pipelines.describe(world.sagemaker, arn)  # type: ignore[arg-type]
    return evidence.gather(world.using(Collaborators).sources, "titanic", execution)


def keys_of(value: Any, below: str = "") -> list[str]:
    """Every key that handsoff chooses: not the names of columns, classes and metrics."""
    if isinstance(value, list):
        return [key for item in value for key in keys_of(item, below)]
    if not isinstance(value, dict) or below in ("missingShare", "classShare", "metrics"):
        return []
    return [*value, *(key for name, item in value.items() for key in keys_of(item, name))]


def test_evidence_names_its_schema_version(world: World) -> None:
    assert gathered(world)["schemaVersion"] == 2


def test_evidence_keys_are_in_camel_case_and_columns_keep_their_names(world: World) -> None:
    found = gathered(world)
    keys = keys_of(found)
    assert {"missingShare", "validationRowsAlsoInTrain", "blankLines", "ignoredColumns"} <= set(keys)
    assert [key for key in keys if not re.fullmatch("[a-z]+([A-Z0-9][a-z0-9]*)*", key)] == []
    train = found["data"]["splits"]["train"]
    assert train == {"rows": 3, "missingShare": {"home_town": 0.5}, "classShare": {"ignored_columns": 1.0}}
    assert found["data"]["ignoredColumns"] == ["boat_number"]
