"""ModelEvaluation from predictions: the numbers of the model itself, and every check of a champion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import scoring as metrics
from tests.pipeline_def.helpers import (
    BUCKET,
    PENGUINS,
    PRICES,
    SMALL,
    Run,
    land,
    land_titanic,
    register,
    titanic_config,
)
from tests.pipeline_def.own_code import OWN, OwnRun, artifact
from tests.pipeline_def.runs import CSV

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("undrawn")]

THRESHOLD = """
import csv, io

def model_fn(folder):
    return float(open(folder + "/threshold.txt").read())

def input_fn(body, content_type):
    return list(csv.reader(io.StringIO(body)))

def predict_fn(rows, threshold):
    return [0.9 if row[0] and float(row[0]) > threshold else 0.2 for row in rows]

def output_fn(found, accept):
    return "\\n".join(map(str, found)), accept
"""


def evaluated(
    s3: S3Client, sagemaker: SageMakerClient, folder: Path, config: dict[str, Any], later: str | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a built-in candidate is against a built-in champion: from predictions, and from the models.

    The candidate is trained on the rows `later`; without them, on the champion's.
    """
    champion = Run(folder / "champion", s3, config, "aaaaaaaaaaaa")
    assert champion.preprocess() == 0
    champion.train()
    package = register(sagemaker, champion)
    if later is not None:
        land(s3, "curated/small/train.csv", later)
    inside = Run(folder / "inside", s3, config, "bbbbbbbbbbbb")
    assert inside.preprocess() == 0
    inside.train()
    wanted = inside.evaluate(package)["handsoff"]
    own = OwnRun(folder / "own", s3, {**config, "training": {}}, "bbbbbbbbbbbb")
    assert own.preprocess(champion="latest") == 0
    own.put(inside.folder)
    assert [own.score(who).code for who in ("candidate", "champion")] == [0, 0]
    found = own.evaluate_predictions("champion")["handsoff"]
    ours, theirs = found.pop("packages"), wanted.pop("packages")  # of the model's process, and of the job
    assert {"python", "numpy", "scikit-learn"} <= ours.keys() & theirs.keys()
    assert all(ours[name] == theirs[name] for name in ours.keys() & theirs.keys())
    return found, wanted


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Two evaluations differ in rounding at most.

    The model is asked in another process. Where an array begins in memory decides in which order some
    processors add up its products, which changes the last bit of a probability.
    """
    assert flat(found) == pytest.approx(flat(wanted))


def flat(part: object, path: str = "") -> dict[str, object]:
    """Each value of nested dicts and lists by its path; of an empty one, its text."""
    if not isinstance(part, (dict, list)):
        return {path: part}
    if not part:
        return {path: str(part)}
    items = part.items() if isinstance(part, dict) else enumerate(part)
    return {place: value for key, each in items for place, value in flat(each, f"{path}/{key}").items()}


def test_evaluation_from_predictions_is_that_of_the_model_itself(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    land_titanic(s3)
    training = {"estimator": "hist_gradient_boosting", "hyperparameters": {"max_iter": 20}}
    found, wanted = evaluated(s3, sagemaker, tmp_path, {**titanic_config(), "training": training})

    assert found["data_notes"].pop(-1) == HAD_ROWS
    assert_same(found, wanted)


KINDS: dict[str, Any] = {
    "features": {"numeric": ["x"], "categorical": ["c"], "boolean": ["b"], "date": ["d"]},
    "data": {"delimiter": ";", "decimal": ",", "weight": "w"},
}
"""A feature of each kind, in files with decimal commas."""


FEW_TREES: dict[str, Any] = {"estimator": "random_forest", "hyperparameters": {"n_estimators": 20}}


@pytest.mark.parametrize(
    ("task", "targets"),
    [
        ({}, "01"),
        ({**PENGUINS, "training": FEW_TREES}, ["Adelie", "Chinstrap", "Gentoo"]),
        (PRICES, ["1,5", "2", "-3"]),
    ],
    ids=["two classes", "three classes", "a number"],
)
def test_evaluation_from_predictions_is_that_of_the_model_in_each_task_and_kind_of_feature(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, task: dict[str, Any], targets: Sequence[str]
) -> None:
    def lines(first: int, last: int) -> str:
        rows = (
            f"{at % 9},{at % 7};{['1,50', 'b', '', '01', 'Ü x'][at % 5]};{['yes', 'F', ''][at % 3]};"
            f"2026-0{1 + at % 9}-1{at % 9}{['', ' 14:05:00.25', 'T01:00:00+02:00'][at % 3]};{1 + at % 2};"
            f"{targets[(at * at // 3) % len(targets)]}"
            for at in range(first, last)
        )
        return "x;c;b;d;w;y\n" + "\n".join(rows) + "\n"

    config = {**SMALL, **task, **KINDS}
    land(s3, "curated/small/train.csv", lines(0, 200))
    land(s3, "curated/small/validation.csv", lines(150, 300))
    found, wanted = evaluated(s3, sagemaker, tmp_path, config, lines(20, 160))

    assert found["comparison"]["n"] == 100
    assert found["data_notes"].pop(-1) == HAD_ROWS
    assert_same(found, wanted)


def test_own_code_candidate_is_compared_with_a_built_in_champion(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run
) -> None:
    package = register(sagemaker, first)
    land(s3, "curated/small/train.csv", CSV.replace("a", "d").replace("b", "d"))
    land(s3, "curated/small/validation.csv", "x,c,y\n0,b,0\n6,a,1\n1.5,a,0\n5.5,a,1\n0.5,a,0\n6.5,a,1\n")
    own = OwnRun(tmp_path / "own", s3, OWN, "bbbbbbbbbbbb")
    assert own.preprocess(champion="latest") == 0
    own.put(artifact(tmp_path / "artifact", {"inference.py": THRESHOLD}, {"threshold.txt": b"3.5"}))
    assert own.score().lines == ["probability", "0.2", "0.9", "0.2", "0.9", "0.2", "0.9"]
    scored = own.score("champion")
    assert (scored.code, scored.scoring["package"], scored.scoring["rows"]) == (0, package, 6)

    found = own.evaluate_predictions("champion")["handsoff"]

    assert found["champion"] == package
    assert found["champion_problem"] is None
    assert found["comparison"]["n"] == 4  # the champion was trained on the other two
    assert found["candidate"]["metrics"]["accuracy"]["value"] == 1.0
    assert found["unknown"] == {"c": {"share": 1.0, "by_chance": 0.0}}


def prepared(s3: S3Client, folder: Path, config: dict[str, Any] = OWN, **models: str) -> OwnRun:
    """An execution of own code on six validation rows, after DataPreProcessing."""
    land(s3, "curated/small/train.csv", CSV.replace("a", "d").replace("b", "d"))
    land(s3, "curated/small/validation.csv", "x,c,y\n0,b,0\n6,a,1\n1.5,a,0\n5.5,a,1\n0.5,a,0\n6.5,a,1\n")
    run = OwnRun(folder, s3, config, "bbbbbbbbbbbb")
    assert run.preprocess(**models) == 0
    return run


RIGHT = ["probability", "0.2", "0.9", "0.2", "0.9", "0.2", "0.9"]
"""Predictions of the six rows."""


def problem(run: OwnRun) -> str:
    """The champion_problem of an evaluation that is otherwise complete."""
    found = run.evaluate_predictions("champion")["handsoff"]
    assert found["comparison"] is None
    assert found["candidate"]["metrics"]["accuracy"]["value"] == 1.0
    text: str = found["champion_problem"]
    return text


def test_no_champion_is_none(s3: S3Client, tmp_path: Path) -> None:
    own = prepared(s3, tmp_path / "own")
    own.predict(RIGHT)
    own.predict([], "champion")

    found = own.evaluate_predictions("champion")["handsoff"]

    assert (found["champion"], found["champion_problem"], found["comparison"]) == (None, None, None)


def test_champion_that_was_not_scored_is_a_problem(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run
) -> None:
    package = register(sagemaker, first)
    own = prepared(s3, tmp_path / "own")
    own.predict(RIGHT)
    own.predict([], "champion", package=package, problem="model_fn failed: ValueError: bad", config=None)

    assert problem(own) == "model_fn failed: ValueError: bad"


def test_champion_with_other_rows_is_a_problem(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run
) -> None:
    own = prepared(s3, tmp_path / "own")
    own.predict(RIGHT)
    own.predict(RIGHT[:-1], "champion", package=register(sagemaker, first))

    assert problem(own) == "it has 5 predictions for 6 validation rows"


def test_champion_of_another_task_is_a_problem(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run
) -> None:
    own = prepared(s3, tmp_path / "own")
    own.predict(RIGHT)
    config = {**OWN, "target": "z"}
    own.predict(RIGHT, "champion", package=register(sagemaker, first), config=config)

    assert problem(own) == "its target is z, the candidate's y"


@pytest.mark.parametrize(("key", "value"), [("ignore_case", True), ("not_missing", ["NA"])])
def test_champion_with_another_spelling_is_a_problem(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run, key: str, value: object
) -> None:
    own = prepared(s3, tmp_path / "own", {**OWN, "data": {key: value}})
    own.predict(RIGHT)
    own.predict(RIGHT, "champion", package=register(sagemaker, first), config=OWN)

    assert problem(own) == (
        f"it was trained with another data.{key}, so it knows categories by another spelling than these rows "
        "have: decide by hand, and the next candidate is compared with this one"
    )


def test_champion_of_the_first_release_is_a_problem(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run
) -> None:
    """Its training_rows.parquet has identities by text and no metadata."""
    path = first.output / "report" / "training_rows.parquet"
    pq.write_table(pq.read_table(path).select(["handsoff:row"]).replace_schema_metadata(None), path)
    s3.upload_file(str(path), BUCKET, f"{first.prefix}/training_rows.parquet")
    own = prepared(s3, tmp_path / "own")
    own.predict(RIGHT)
    own.predict(RIGHT, "champion", package=register(sagemaker, first))

    assert problem(own) == (
        "handsoff 0.1 made it, and it knows categories as files spelled them: it cannot be asked about these "
        "rows in its own image"
    )


def test_built_in_candidate_is_not_compared_with_a_champion_of_own_code(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, second: Run
) -> None:
    own = OwnRun(tmp_path / "own", s3, OWN, "cccccccccccc")
    assert own.preprocess() == 0
    own.put(artifact(tmp_path / "artifact", {"inference.py": THRESHOLD}, {"threshold.txt": b"3.5"}))

    found = second.evaluate(register(sagemaker, own))["handsoff"]

    assert found["comparison"] is None
    assert found["champion_problem"] == (
        "own code trained it, and a candidate with a built-in estimator is compared in one image only: "
        "decide by hand, or set training.source_dir again, so that each model is scored in its own image"
    )


def test_anchor_is_compared_from_its_predictions(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run
) -> None:
    package = register(sagemaker, first)
    own = prepared(s3, tmp_path / "own", champion="none", anchor="first")
    own.put(artifact(tmp_path / "artifact", {"inference.py": THRESHOLD}, {"threshold.txt": b"3.5"}))
    assert [own.score(who).code for who in ("candidate", "champion", "anchor")] == [0, 0, 0]

    found = own.evaluate_predictions("champion", "anchor")["handsoff"]

    assert found["champion"] is None
    assert (found["anchor"]["package"], found["anchor"]["problem"]) == (package, None)
    assert (found["anchor"]["comparison"]["n"], found["anchor"]["comparison"]["excluded"]) == (4, 2)


UNDEFINED_OF_LABELS = {
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "expected_calibration_error",
    "calibration_slope",
}


def test_labels_leave_metrics_of_probabilities_undefined(s3: S3Client, tmp_path: Path) -> None:
    own = prepared(s3, tmp_path / "own")
    own.predict(["label", "0", "1", "0", "1", "0", "0"], returns="label")

    found = own.evaluate_predictions()["handsoff"]["candidate"]

    values = {name: metric["value"] for name, metric in found["metrics"].items()}
    assert {name for name, value in values.items() if value is None} == UNDEFINED_OF_LABELS
    assert (values["accuracy"], values["precision"], values["recall"]) == (5 / 6, 1.0, 2 / 3)


def test_labels_are_compared_with_the_classes_of_a_champion_with_probabilities(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, first: Run
) -> None:
    own = prepared(s3, tmp_path / "own")
    own.predict(["label", "0", "1", "0", "1", "0", "0"], returns="label")
    own.predict(RIGHT, "champion", package=register(sagemaker, first))

    found = own.evaluate_predictions("champion")["handsoff"]["comparison"]

    assert found["n"] == 4
    for model in ("candidate", "champion"):
        undefined = {name for name, item in found[model].items() if item["value"] is None}
        assert undefined == UNDEFINED_OF_LABELS
    assert found["champion"]["accuracy"]["value"] == 1.0
    assert found["differences"]["accuracy"]["value"] == -0.25
    assert found["differences"]["roc_auc"]["value"] is None
    assert found["agreement"]["only_champion"] == 1


def test_labels_of_more_classes(s3: S3Client, tmp_path: Path) -> None:
    names = PENGUINS["classes"]
    lines = "".join(f"{at % 7},a,{names[at % 3]}\n" for at in range(60))
    land(s3, "curated/small/train.csv", "x,c,y\n" + lines)
    land(s3, "curated/small/validation.csv", "x,c,y\n9,a,Gentoo\n8,a,Adelie\n7,b,Chinstrap\n")
    own = OwnRun(tmp_path / "own", s3, {**PENGUINS, "training": {}}, "bbbbbbbbbbbb")
    assert own.preprocess() == 0
    own.predict(["label", "2", "0", "2"], returns="label")

    values = own.evaluate_predictions()["handsoff"]["candidate"]["metrics"]

    assert values["accuracy"]["value"] == 2 / 3
    assert values["log_loss"]["value"] is None
    assert values["roc_auc_ovr"]["value"] is None


def test_values_of_regression(s3: S3Client, tmp_path: Path) -> None:
    own = prepared(s3, tmp_path / "own", {**PRICES, "training": {}})
    own.predict(["value", "0", "1", "0", "1", "0", "3"], returns="value")

    assert own.evaluate_predictions()["handsoff"]["candidate"]["metrics"]["mae"]["value"] == 2 / 6


def test_unknown_categories_are_those_of_no_training_row(s3: S3Client, tmp_path: Path) -> None:
    """A profile has 254 categories. Where there are more, it is not known which are new."""
    own = prepared(s3, tmp_path / "own")
    own.predict(RIGHT)
    assert own.evaluate_predictions()["handsoff"]["unknown"] == {"c": {"share": 1.0, "by_chance": 0.0}}

    many = "".join(f"{at % 7},{at},{at % 2}\n" for at in range(300))
    land(s3, "curated/small/train.csv", "x,c,y\n" + many)
    more = OwnRun(tmp_path / "more", s3, OWN, "cccccccccccc")
    assert more.preprocess() == 0
    more.predict(RIGHT)
    assert more.evaluate_predictions()["handsoff"]["unknown"] == {"c": {"share": 0.0, "by_chance": 1.0}}


HAD_ROWS = (
    "the candidate's training script had the validation rows as well: if it fitted the model on them, its "
    "metrics are too good, and so is each comparison with them"
)

SURE = (
    "each probability that the candidate answered is exactly 0 or 1; if its code answers classes, such as "
    "those of scikit-learn's predict, set inference.returns: label, or answer predict_proba"
)


def test_probabilities_that_may_be_classes_are_noted(s3: S3Client, tmp_path: Path) -> None:
    land(s3, "curated/small/train.csv", CSV)
    rows = "".join(f"{at},z,{at % 2}\n" for at in range(10))
    land(s3, "curated/small/validation.csv", "x,c,y\n" + rows)
    for number, (last, notes) in enumerate(((1, 1), (0.5, 0))):
        own = OwnRun(tmp_path / f"own-{number}", s3, OWN, f"bbbbbbbbbbb{number}")
        assert own.preprocess() == 0
        own.predict(["probability", *(["0", "1"] * 4), "0", str(last)])

        found = own.evaluate_predictions()["handsoff"]["data_notes"]

        assert found == [HAD_ROWS, *[SURE][:notes]]


def test_parts_of_predicted_classes_are_predicted_classes() -> None:
    labels = np.array([0.0, 1.0, 1.0]).view(metrics.OneHot)

    assert metrics.is_classes(labels[np.array([True, False, True])])
    assert metrics.alike(labels, np.array([0.2, 0.5, 0.6]))[1].tolist() == [0.0, 0.0, 1.0]
    assert not metrics.is_classes(np.array([0.0, 1.0]))
