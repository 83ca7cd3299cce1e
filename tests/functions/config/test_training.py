"""How handsoff.yaml names own training code, and what is refused about it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from pipeline_def.images import ALIASES
from retraining.config.schema import ModelConfig, dump_model, parse_config, parse_model
from retraining.config.training import IMAGES, Inference
from retraining.errors import ConfigError

OWN: dict[str, Any] = {"source_dir": "src/churn", "entry_point": "train.py", "image": "xgboost:3.0-5"}
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/churn"
FARES: dict[str, Any] = {"task": "regression", "target": "fare", "features": {"numeric": ["age"]}}
CHURN: dict[str, Any] = {**FARES, "task": "binary_classification", "target": "left"}


def model(training: Any, **more: Any) -> ModelConfig:
    values = {**CHURN, "training": training, **more}
    return parse_config({"models": {"m": values}}, source="handsoff.yaml").models["m"]


def refused(training: Any, **more: Any) -> str:
    """The only line of the refusal, behind the model's path."""
    with pytest.raises(ConfigError) as refusal:
        model(training, **more)
    (line,) = str(refusal.value).splitlines()[1:]
    return line.strip().removeprefix("models.m")


def test_own_code_has_no_estimator_and_these_defaults() -> None:
    found = model({**OWN, "source_dir": "./src//churn/", "entry_point": "./train.py"})
    training = found.training
    assert (training.source_dir, training.entry_point, training.image) == (
        *("src/churn", "train.py"),
        OWN["image"],
    )
    assert (training.own_code, training.estimator, training.hyperparameters) == (True, None, {})
    assert (training.instance_count, training.volume_gb, training.spot) == (1, 30, False)
    assert training.max_runtime == timedelta(hours=4)
    assert found.inference == Inference(content_type="text/csv", accept="text/csv", header=False)
    assert (found.inference.returned("regression"), found.inference.returned(found.task)) == (
        *("value", "probability"),
    )


def test_a_model_without_own_code_is_stored_as_before() -> None:
    assert json.loads(dump_model(model({}))) == {**CHURN, "classes": ["0", "1"]}
    assert json.loads(dump_model(model({"estimator": "random_forest"})))["training"] == {
        "estimator": "random_forest"
    }


def test_what_is_stored_of_own_code_is_read_again() -> None:
    training = {
        **OWN,
        "hyperparameters": {"max-depth": 4, "eta": 0.05, "verbose": True, "objective": "binary:logistic"},
        "instance_count": 2,
        "volume_gb": 100,
        "max_runtime": "2d",
        "spot": True,
    }
    found = model(training, inference={"entry_point": "inference.py", "returns": "label", "header": True})
    stored = json.loads(dump_model(found))
    assert stored["training"] == {**training, "max_runtime": "172800s"}
    assert stored["inference"] == {"entry_point": "inference.py", "returns": "label", "header": True}
    again = parse_model(dump_model(found), source="SSM")
    assert again == found
    assert [type(value) for value in again.training.hyperparameters.values()] == [int, float, bool, str]


@pytest.mark.parametrize("script", ["serve/inference.py", "a/b/c.py", "serve.v2.py"])
def test_a_script_that_no_endpoint_can_import_does_not_serve(script: str) -> None:
    """sagemaker_containers and sagemaker_inference import a script by its name without `.py`."""
    assert refused(OWN, inference={"entry_point": script}) == (
        ".inference.entry_point: an endpoint imports only a script in the first folder of source_dir, "
        f"without another dot in its name, not {script}: put an inference.py there, which may import the "
        "functions from elsewhere"
    )
    assert refused({**OWN, "entry_point": script}) == (
        f".inference.entry_point: the training script {script} would serve, too, and an endpoint imports "
        "only a script in the first folder of source_dir, without another dot in its name: write inference: "
        "{entry_point: inference.py}, which imports what it needs"
    )
    found = model({**OWN, "entry_point": script}, inference={"entry_point": "my-inference_2.py"})
    assert found.training.entry_point == script


def test_the_aliases_are_those_that_pipelines_know() -> None:
    assert set(IMAGES) == set(ALIASES)


@pytest.mark.parametrize("image", [*IMAGES, f"{ECR}:1.2", f"{ECR}@sha256:{'ab' * 32}"])
def test_an_alias_or_an_address_in_ecr_is_an_image(image: str) -> None:
    assert model({**OWN, "image": image}).training.image == image


@pytest.mark.parametrize(
    "image",
    [
        "xgboost",
        "xgboost:1.7-1",
        "xgboost:3.0-5-cpu-py3",
        ECR,
        f"{ECR}:",
        f"{ECR}@sha256:ab",
        "docker.io/a/b:1",
    ],
)
def test_another_image_is_refused(image: str) -> None:
    assert refused({**OWN, "image": image}) == (
        ".training.image: expected one of scikit-learn:1.9-0, xgboost:3.0-5, pytorch:2.6.0, or the address "
        "of an image in ECR with its tag, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1.2, "
        f"not {image!r:.80}"
    )


def test_an_address_is_as_long_as_sagemaker_takes_it() -> None:
    """Container.ImageUri and AlgorithmSpecification.TrainingImage take 255 characters."""
    longest = f"{ECR}:" + "a" * 128
    longest = f"{ECR}{'x' * (255 - len(longest))}:" + "a" * 128
    assert model({**OWN, "image": longest}).training.image == longest
    assert "255" in refused({**OWN, "image": longest.replace("x:", "xx:")})


@pytest.mark.parametrize(
    "folder",
    ["../elsewhere", "src/../../x", "/etc", "~/code", "C:/code", "src\\churn", "src/a\nb", "src/(a)"],
)
def test_a_folder_outside_or_with_other_characters_is_refused(folder: str) -> None:
    assert refused({**OWN, "source_dir": folder}).startswith(
        ".training.source_dir: expected a path below the folder of handsoff.yaml, of letters, digits and "
    )


def test_the_folder_of_handsoff_yaml_itself_may_hold_the_code() -> None:
    assert [model({**OWN, "source_dir": name}).training.source_dir for name in (".", "./")] == [".", "."]


@pytest.mark.parametrize(
    "script",
    ["train.sh", "../train.py", "a/../train.py", "/train.py", "-train.py", ".train.py", "", "train.py "],
)
def test_an_entry_point_that_is_no_python_file_inside_is_refused(script: str) -> None:
    assert ".training.entry_point: expected " in refused({**OWN, "entry_point": script})


def test_an_entry_point_with_a_name_of_ours_is_refused() -> None:
    assert refused({**OWN, "entry_point": "handsoff_entry.py"}) == (
        ".training.entry_point: expected another name than handsoff_entry.py, which is put beside the code, "
        "not 'handsoff_entry.py'"
    )


@pytest.mark.parametrize(
    ("training", "problem"),
    [
        (
            {**OWN, "estimator": "ridge"},
            ": source_dir, entry_point, image beside the estimator ridge: name either a built-in estimator, "
            "or own code by source_dir, entry_point, image",
        ),
        ({"source_dir": "src"}, ": own code needs source_dir, entry_point, image: add entry_point, image"),
        (
            {"image": "xgboost:3.0-5"},
            ": own code needs source_dir, entry_point, image: add source_dir, entry_point",
        ),
        ({"estimator": None}, ": name an estimator, or own code by source_dir, entry_point, image"),
        (
            {"instance_count": 2},
            ".instance_count: built-in estimators train on one instance: remove instance_count",
        ),
        (
            {**OWN, "hyperparameters": {"sagemaker_program": "x"}},
            ".hyperparameters.sagemaker_program: names that begin with sagemaker_ are script mode's own: "
            "choose another name",
        ),
        (
            {**OWN, "hyperparameters": {"--depth": 4}},
            ".hyperparameters.--depth: expected a name of letters, digits and . _ - without dashes before "
            "it, such as max-depth",
        ),
        (
            {**OWN, "hyperparameters": {"eta": float("nan")}},
            ".hyperparameters.eta: expected a finite number",
        ),
        (
            {**OWN, "hyperparameters": {"x": "y" * 2499}},
            ".hyperparameters.x: the value has 2,501 characters as JSON, at most 2,500 are passed",
        ),
        (
            {**OWN, "hyperparameters": {f"p{number}": 1 for number in range(97)}},
            ".hyperparameters: 97 hyperparameters: at most 96 are passed",
        ),
    ],
)
def test_keys_that_do_not_agree_are_refused(training: dict[str, Any], problem: str) -> None:
    assert refused(training) == f".training{problem}"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("max_runtime", "30s", "a duration from 1m to 5d, not '30s'"),
        ("max_runtime", "6d", "a duration from 1m to 5d, not '6d'"),
        ("instance_count", 0, "a number of at least 1, not 0"),
        ("instance_count", 21, "a number of at most 20, not 21"),
        ("volume_gb", 0, "a number of at least 1, not 0"),
    ],
)
def test_limits_of_the_training_job_are_refused_where_sagemaker_would(
    key: str, value: Any, expected: str
) -> None:
    assert refused({**OWN, key: value}) == f".training.{key}: expected {expected}"


@pytest.mark.parametrize(
    "training",
    [
        {**OWN, "image": "xgboost"},
        {**OWN, "image": 3},
        {**OWN, "source_dir": "../src"},
        {**OWN, "entry_point": "train.sh"},
        {"source_dir": "src"},
        {"image": "xgboost:3.0-5"},
        {**OWN, "estimator": "ridge"},
    ],
)
def test_wrong_own_code_is_one_problem_although_other_keys_need_own_code(training: dict[str, Any]) -> None:
    said = refused(
        training,
        inference={"entry_point": "inference.py"},
        data={"columns": "declared", "channel_format": "csv"},
    )
    assert said.startswith(".training")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            {"inference": {"header": True}},
            "inference is for own code: remove it, or name training.source_dir",
        ),
        (
            {"data": {"columns": "declared"}},
            "data.columns is for own code: remove it, as estimators see the features",
        ),
        (
            {"data": {"channel_format": "csv"}},
            "data.channel_format is for own code: remove it, as estimators see the features",
        ),
    ],
)
def test_keys_of_own_code_are_refused_for_built_in_estimators(more: dict[str, Any], problem: str) -> None:
    assert refused({}, **more).partition(": ")[2] == problem


def test_returns_must_fit_the_task() -> None:
    assert refused(OWN, inference={"returns": "value"}).endswith(
        "inference.returns: binary_classification returns no value: write returns: probability, or "
        "returns: label"
    )
    assert refused(OWN, **FARES, inference={"returns": "label"}).endswith(
        "inference.returns: regression returns no label: write returns: value"
    )


def test_a_rule_on_probabilities_is_refused_where_the_model_returns_labels() -> None:
    rules = {"rules": [{"metric": "accuracy", "min": 0.7}, {"metric": "roc_auc", "min": 0.7}]}
    assert model(OWN, approval=rules).inference.returned("binary_classification") == "probability"
    assert refused(OWN, approval=rules, inference={"returns": "label"}).endswith(
        "approval.rules, number 2: roc_auc needs probabilities, and inference.returns is label: choose one "
        "of accuracy, balanced_accuracy, precision, recall, f1, or return probabilities"
    )
