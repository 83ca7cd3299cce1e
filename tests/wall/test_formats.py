"""The two files that both sides read: model.json, made from the config, and evaluation.json."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import Any

import pytest

import evaluate
import job
from pipeline_def.publish import step_config
from retraining.config.schema import Features, ModelConfig
from retraining.config.tasks import METRICS, Task
from retraining.verdicts.evaluation import Evaluation, parse_evaluation
from tests.pipeline_def.helpers import MODEL, SAMPLES

FILES = {
    "binary_classification": "evaluation.json",
    "multiclass_classification": "evaluation.multiclass.json",
    "regression": "evaluation.regression.json",
}
"""The sample of each task. tests/pipeline_def/test_pipeline_samples.py holds them to what the steps write."""

EVIDENCE = {"artifact", "packages"}
"""Keys of evaluation.json that no rule reads: the evidence shows them (functions/test_evidence_record.py)."""


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def read(name: str) -> Evaluation:
    return parse_evaluation((SAMPLES / name).read_text(encoding="utf-8"), source=name)


def keys(value: Any) -> Any:
    """The keys of JSON data, at any depth."""
    if isinstance(value, dict):
        return {key: keys(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [keys(item) for item in value]
    return None


# --- model.json -------------------------------------------------------------------------------------------


def test_model_json_sample_is_made_from_a_valid_config() -> None:
    config = ModelConfig.model_validate(MODEL)
    dumped = config.model_dump(mode="json", exclude_none=True)
    assert step_config(dumped, "titanic") == sample("model.json")


def test_steps_read_every_field_of_model_json() -> None:
    found = job.parse_config(sample("model.json"))
    assert found == job.StepConfig(
        name="titanic",
        task="binary_classification",
        target="survived",
        classes=("0", "1"),
        features=job.Features(("age", "sibsp", "parch", "fare"), ("pclass", "sex", "embarked"), ()),
        estimator="hist_gradient_boosting",
        slices=({"sex": "female"},),
        marker="_SUCCESS",
    )


def test_kinds_of_features_are_the_same() -> None:
    kinds = [field.name for field in fields(job.Features)]
    assert kinds == ["numeric", "categorical", "boolean", "date"]
    assert kinds == [*Features.model_fields] == [*job.Features().by_kind]
    assert {*kinds} - {"date"} == {*sample("model.json")["features"]}  # left out where a model has none


def test_classes_that_are_not_named_are_the_same() -> None:
    """A config of two classes may leave them out, and so did the model.json of older artifacts."""
    config = ModelConfig.model_validate({key: value for key, value in MODEL.items() if key != "classes"})
    values = {key: value for key, value in sample("model.json").items() if key != "classes"}
    assert config.classes == job.parse_config(values).classes == ("0", "1")


@pytest.mark.parametrize(
    ("written", "text"), [(1, "1"), (1.0, "1"), (2.5, "2.5"), (True, "true"), (False, "false"), ("01", "01")]
)
def test_slice_value_of_a_config_is_text_in_model_json(written: object, text: str) -> None:
    rules = [{"metric": "recall", "slice": {"pclass": written}, "min": 0.5}]
    config = ModelConfig.model_validate({**MODEL, "approval": {"rules": rules}})
    found = job.parse_config(step_config(config.model_dump(mode="json", exclude_none=True), "titanic"))
    assert found.slices == ({"pclass": text},)


# --- evaluation.json --------------------------------------------------------------------------------------


def test_evaluation_sample_is_what_the_rules_read() -> None:
    found = read("evaluation.json")
    assert (found.model, found.candidate.n, found.leaked) == ("titanic", 262, 0)
    assert 0.80 <= found.candidate.metrics["accuracy"].value <= 0.82
    assert found.baseline.predicts == "class 0, 0.618 of the training rows"
    assert [(item.where, item.n) for item in found.slices] == [({"sex": "female"}, 93)]
    assert found.comparison is not None
    assert (found.comparison.n, found.comparison.excluded) == (252, 10)
    assert [(item.where, item.n) for item in found.comparison.slices] == [({"sex": "female"}, 89)]
    assert found.drift is not None
    assert found.drift.reference == found.champion


@pytest.mark.parametrize("task", METRICS)
def test_evaluation_sample_has_every_metric_of_its_task(task: Task) -> None:
    found = read(FILES[task])
    assert found.task == task
    assert found.candidate.unusable == 0
    assert found.comparison is not None
    for metrics in (
        found.candidate.metrics,
        found.baseline.metrics,
        found.baseline.differences,
        found.comparison.candidate,
        found.comparison.champion,
        found.comparison.differences,
    ):
        assert set(metrics) == set(METRICS[task])
    assert all(math.isfinite(item.value) for item in found.comparison.differences.values())


@pytest.mark.parametrize("name", FILES.values())
def test_rules_read_every_key_that_the_steps_write(name: str) -> None:
    """A key on one side only would be a field that nobody fills, or a number that nobody reads."""
    written = keys(sample(name)["handsoff"])
    assert set(written) > EVIDENCE
    read_by_rules = {key: below for key, below in written.items() if key not in EVIDENCE}
    assert read_by_rules == keys(read(name).model_dump(mode="json"))


def test_schema_version_is_the_one_that_the_rules_read() -> None:
    assert read("evaluation.json").schema_version == evaluate.SCHEMA_VERSION == 2
