"""Verdicts on AWS on this machine: each task by config alone; candidates better, equal, worse and wrong."""

from __future__ import annotations

import gzip
import io
import json
import math
import random
from collections.abc import Callable
from importlib import resources
from typing import Any

import pandas as pd
import pytest
from sklearn import datasets

from handsoff.operating.executions import evidence_of, package_of
from tests.loop.conftest import TITANIC, Loop, handsoff, wait

pytestmark = pytest.mark.story


def published(load: Callable[..., Any], target: str, names: list[str] | None = None) -> pd.DataFrame:
    """One of scikit-learn's data sets, its classes by name."""
    bunch = load(as_frame=True)
    frame: pd.DataFrame = bunch.data.rename(columns=lambda name: name.replace(" ", "_"))
    return frame.assign(**{target: bunch.target if names is None else [names[code] for code in bunch.target]})


def penguins() -> pd.DataFrame:
    """The Palmer penguins of scikit-learn's own tests: words, gaps, and a sex that is `_`."""
    packed = resources.files("sklearn.datasets.tests.data.openml.id_42585") / "data-v1-dl-21854866.arff.gz"
    head, _, body = gzip.decompress(packed.read_bytes()).decode().partition("@DATA\n")
    names = [line.split()[1] for line in head.splitlines() if line.startswith("@ATTRIBUTE")]
    return pd.read_csv(io.StringIO(body), names=names, na_values="?")


def model(task: str, target: str, frame: pd.DataFrame, estimator: str, *rules: Any, **more: Any) -> Any:
    """A model of all columns of a table, by how pandas reads them."""
    columns = frame.drop(columns=target)
    numeric = [*columns.select_dtypes("number")]
    categorical = [name for name in columns if name not in numeric]
    return {
        "task": task,
        "target": target,
        "features": {"numeric": numeric, "categorical": categorical},
        "training": {"estimator": estimator},
        "approval": {"rules": rules},
        **more,
    }


CANCER = published(datasets.load_breast_cancer, "diagnosis", ["malignant", "benign"])
WINE = published(datasets.load_wine, "cultivar", ["first", "second", "third"])
DIABETES = published(datasets.load_diabetes, "progression")
PENGUINS = penguins()
SETS = {"cancer": CANCER, "wine": WINE, "diabetes": DIABETES, "penguins": PENGUINS}
VERSUS = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.05}}
STORIES: dict[str, Any] = {
    "cancer": model(
        "binary_classification", "diagnosis", CANCER, "logistic_regression",
        {"metric": "recall", "min": 0.9}, {"metric": "brier", "max": 0.05},
        classes=["benign", "malignant"],
    ),
    "wine": model(
        "multiclass_classification", "cultivar", WINE, "random_forest",
        {"metric": "f1_macro", "min": 0.9}, {"metric": "expected_calibration_error", "max": 0.3},
        classes=["first", "second", "third"],
    ),
    "diabetes": model(
        "regression", "progression", DIABETES, "ridge",
        {"metric": "r2", "min": 0.3}, {"metric": "rmse", "max": 70}, {"data": "rows", "min": 300},
    ),
    "penguins": model(
        "multiclass_classification", "species", PENGUINS, "hist_gradient_boosting",
        {"metric": "accuracy", "min": 0.9}, {"data": "missing_share", "max": 0.1},
        classes=["Adelie", "Chinstrap", "Gentoo"],
    ),
    "succession": {
        "approval": {"rules": [{"metric": "accuracy", "min": 0.6}, VERSUS, {"data": "drift", "max": 9}]},
    },
    "leaked": {
        "features": {"numeric": ["age", "fare", "lifeboat"], "categorical": ["sex"]},
        "approval": {
            "rules": [
                {"metric": "accuracy", "min": 0.78},
                {"metric": "roc_auc", "max": 0.97, "on_fail": "hold"},
            ]
        },
    },
    "eight": {"approval": {"rules": [{"metric": "accuracy", "min": 0.5}]}},
    "stale": {"approval": {"rules": [{"metric": "accuracy", "min": 0.6}, VERSUS]}},
}  # fmt: skip
TRAIN, VALIDATION = (pd.read_csv(TITANIC / f"{split}.csv") for split in ("train", "validation"))


def as_csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


def land(loop: Loop, name: str, train: pd.DataFrame, validation: pd.DataFrame = VALIDATION) -> None:
    loop.land(name, as_csv(train), as_csv(validation))


def verdict(loop: Loop, name: str, number: int = 1) -> dict[str, Any]:
    """The evidence of a model's execution of this number once it is decided."""
    return evidence_of(loop.deployment, loop.settled(name, number))


def reasons(found: dict[str, Any]) -> str:
    return "\n".join(found["verdict"]["reasons"])


@pytest.fixture(scope="module", autouse=True)
def landed(loop: Loop) -> None:
    """All first batches land at once, so that they train beside each other."""
    for name, frame in SETS.items():
        validation = frame.sample(frac=0.3, random_state=0)
        land(loop, name, frame.drop(validation.index), validation)
    land(loop, "succession", TRAIN.iloc[::7])  # of all classes, by which the file is sorted
    land(loop, "stale", TRAIN.iloc[:800])
    leaky = [frame.assign(lifeboat=frame["survived"] * 7 + frame.index % 3) for frame in (TRAIN, VALIDATION)]
    land(loop, "leaked", *leaky)
    eight = VALIDATION.groupby("survived").head(4)
    assert len(eight) == 8
    land(loop, "eight", TRAIN, eight)


@pytest.mark.parametrize(
    ("name", "metric", "least"),
    [
        ("cancer", "recall", 0.9),
        ("wine", "f1_macro", 0.9),
        ("diabetes", "r2", 0.3),
        ("penguins", "accuracy", 0.9),
    ],
)
def test_first_batch_of_each_task_is_approved(loop: Loop, name: str, metric: str, least: float) -> None:
    found = verdict(loop, name)
    assert found["pipelineExecutionStatus"] == "Succeeded"
    assert found["modelApprovalStatus"] == "Approved", reasons(found)
    assert found["metrics"][metric] >= least
    assert found["verdict"]["firstModel"] == "rules_only"
    assert found["verdict"]["rules"][-1]["rule"] == "better than guessing"


def test_candidate_with_leaked_feature_is_held(loop: Loop) -> None:
    found = verdict(loop, "leaked")
    assert found["verdict"]["decision"] == "HOLD"
    assert found["modelApprovalStatus"] == "PendingManualApproval"
    assert reasons(found).startswith("roc_auc: 1 (95 % interval ")
    assert "; guessing 0.5), needs ≤ 0.97 → fail" in reasons(found)


def test_candidate_with_eight_validation_rows_is_not_approved(loop: Loop) -> None:
    found = verdict(loop, "eight")
    assert found["verdict"]["decision"] != "APPROVE"
    assert "8 rows, needs ≥ 30 to tell from guessing" in found["verdict"]["rules"][-1]["text"]


def test_better_and_equal_candidates_succeed_and_a_worse_one_is_rejected(loop: Loop) -> None:
    """Better and equal are approved, clearly worse is rejected; one taken back gives way to the last."""
    packages = [verdict(loop, "succession")]
    land(loop, "succession", TRAIN)  # seven times the rows
    packages.append(verdict(loop, "succession", 2))
    land(loop, "succession", TRAIN.iloc[:-1])
    packages.append(verdict(loop, "succession", 3))
    worse = TRAIN.copy()
    draw = random.Random(0)
    worse["survived"] = [draw.randint(0, 1) if draw.random() < 0.85 else label for label in TRAIN["survived"]]
    land(loop, "succession", worse)
    packages.append(verdict(loop, "succession", 4))
    assert [found["modelApprovalStatus"] for found in packages] == [
        *("Approved", "Approved", "Approved", "Rejected")
    ], [reasons(found) for found in packages]
    arns = [found["modelPackageArn"] for found in packages]
    assert [found["verdict"]["champion"] for found in packages] == [None, arns[0], arns[1], arns[2]]
    compared = [rule["text"] for found in packages[1:] for rule in found["verdict"]["rules"]]
    assert any("roc_auc: candidate" in text and "lower 95 % bound" in text for text in compared)
    assert any("drift of any feature (" in text for text in compared)

    events = listen(loop, "Champion Rolled Back")
    loop.deployment.sagemaker.update_model_package(ModelPackageArn=arns[2], ModelApprovalStatus="Rejected")
    told = loop.told("succession", "rolled_back")
    assert told["modelPackageArn"] == arns[2]
    event = wait("the custom event", events)
    assert event["source"] == "handsoff"
    assert (event["detail"]["rejected"], event["detail"]["champion"]) == (arns[2], arns[1])
    assert event["detail"]["model"] == "succession"


def listen(loop: Loop, detail_type: str) -> Callable[[], dict[str, Any] | None]:
    """A queue that gets our events of this type from the bus, as a service that serves models would."""
    session, sqs = loop.deployment.session, loop.deployment.sqs
    url = sqs.create_queue(QueueName="serving")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events = session.client("events")
    pattern = {"source": ["handsoff"], "detail-type": [detail_type]}
    events.put_rule(Name="serving", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="serving", Targets=[{"Id": "queue", "Arn": arn}])

    def look() -> dict[str, Any] | None:
        messages = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", [])
        return json.loads(messages[0]["Body"]) if messages else None

    return look


def test_judge_without_champion_releases_candidates_held_by_a_lost_model(loop: Loop) -> None:
    """The champion's model is gone: candidates are held until a person puts it aside, and says why."""
    first = verdict(loop, "stale")
    assert first["modelApprovalStatus"] == "Approved", reasons(first)
    bucket, _, key = first["modelDataUrl"].removeprefix("s3://").partition("/")
    loop.deployment.s3.delete_object(Bucket=bucket, Key=key)
    land(loop, "stale", TRAIN.iloc[:900])
    held = verdict(loop, "stale", 2)
    assert held["verdict"]["decision"] == "HOLD"
    assert "cannot be read: 404" in reasons(held)
    land(loop, "stale", TRAIN.iloc[:1000])
    newer = verdict(loop, "stale", 3)
    assert newer["verdict"]["decision"] == "HOLD"

    arn = newer["modelPackageArn"]
    refused = handsoff(loop, "judge", arn, "--without-champion", "--reason", " ", code=1)
    assert "reason" in refused.stderr
    done = handsoff(loop, "judge", arn, "--without-champion", "--reason", "its file was deleted")
    assert "APPROVE" in done.stdout
    shown = json.loads(handsoff(loop, "explain", arn, "--json").stdout)
    assert shown["verdict"]["decision"] == "APPROVE"
    assert "its file was deleted" in shown["verdict"]["withoutChampion"]
    assert "better than guessing" in handsoff(loop, "explain", "stale/3").stdout
    found = evidence_of(loop.deployment, loop.settled("stale", 3))
    assert found["modelApprovalStatus"] == "Approved"

    def superseded() -> bool:
        package = package_of(loop.deployment, loop.settled("stale", 2))
        return package is not None and package.approval_status == "Rejected"

    wait("the older candidate to be superseded", superseded)
    assert loop.told("stale", "rejected")["modelPackageArn"] == held["modelPackageArn"]


def test_judge_of_a_downloaded_evaluation_gives_the_recorded_verdict(loop: Loop, tmp_path: Any) -> None:
    found = verdict(loop, "diabetes")
    bucket, _, key = found["modelDataUrl"].removeprefix("s3://").partition("/")
    evaluation = "/".join([*key.split("/")[:3], "evaluation.json"])
    loop.deployment.s3.download_file(bucket, evaluation, str(tmp_path / "evaluation.json"))
    arguments = ("judge", "--evaluation", str(tmp_path / "evaluation.json"), "--model", "diabetes")
    again = json.loads(handsoff(loop, *arguments, "--json").stdout)
    assert again == found["verdict"]
    text = json.loads((tmp_path / "evaluation.json").read_text())
    assert math.isclose(text["regression_metrics"]["r2"]["value"], found["metrics"]["r2"])
