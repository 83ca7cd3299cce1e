"""ModelEvaluation: from an artifact and rows to evaluation.json, alone and beside a champion."""

from __future__ import annotations

import json
import math
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import artifact
import comparison
import model_quality
import scoring
from job import Features, StepConfig, Task, parse_config
from kept_rows import read_rows
from retraining.config.tasks import METRICS
from retraining.verdicts.evaluation import parse_evaluation
from tests.pipeline_def.helpers import BUCKET, SMALL, Run, land, register
from tests.pipeline_def.runs import CSV

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@pytest.mark.slow
def test_evaluate_without_a_champion_has_no_comparison(second: Run, sagemaker: SageMakerClient) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="handsoff-small")
    for champion in ("none", "latest"):
        found = second.evaluate(champion)["handsoff"]
        assert (found["champion"], found["champion_problem"], found["comparison"]) == (None, None, None)


@pytest.mark.slow
def test_comparison_leaves_out_the_champions_training_rows(
    first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    found = second.evaluate(champion)["handsoff"]
    assert (found["champion"], found["champion_problem"]) == (champion, None)
    assert (found["comparison"]["n"], found["comparison"]["excluded"]) == (4, 2)
    assert found["candidate"]["n"] == 6
    assert found["comparison"]["champion"]["accuracy"]["value"] == 1.0
    assert found["batch"] == second.report["batch"]
    assert found["execution"] == second.execution


@pytest.mark.slow
def test_evaluate_leaves_out_the_candidates_training_rows(
    s3: S3Client, tmp_path: Path, first: Run, sagemaker: SageMakerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """The candidate was trained on 3 of 7 rows; the champion on 1 of the other 4."""
    land(s3, "curated/small/train.csv", CSV.replace("a", "b"))
    seen, champions, fresh = "0,b,0\n3,b,0\n6,b,1\n", "6,a,1\n", "1.5,a,0\n5.5,b,1\n6.5,z,1\n"
    land(s3, "curated/small/validation.csv", f"x,c,y\n{seen}{champions}{fresh}")
    run = Run(tmp_path / "leaky", s3, {**SMALL, "slices": [{"c": "b"}]}, "cccccccccccc")
    assert run.preprocess() == 0
    run.train()
    capsys.readouterr()
    found = run.evaluate(register(sagemaker, first))["handsoff"]
    assert (found["leaked"], found["candidate"]["n"]) == (3, 4)
    assert [item["n"] for item in found["slices"]] == [1]
    assert (found["comparison"]["n"], found["comparison"]["excluded"]) == (3, 1)
    said = "candidate on 4 rows; left out: 3 validation rows that it was trained on\n"
    assert capsys.readouterr().out.startswith(said)


@pytest.mark.slow
def test_evaluate_no_row_left_is_undefined_and_valid(
    s3: S3Client, tmp_path: Path, first: Run, sagemaker: SageMakerClient
) -> None:
    land(s3, "curated/small/validation.csv", CSV)
    run = Run(tmp_path / "copied", s3, {**SMALL, "slices": [{"c": "b"}]}, "cccccccccccc")
    assert run.preprocess() == 0
    run.train()
    found = run.evaluate(register(sagemaker, first))
    assert (found["handsoff"]["leaked"], found["handsoff"]["candidate"]["n"]) == (60, 0)
    assert found["handsoff"]["candidate"]["metrics"]["accuracy"] == {
        "value": None,
        "standard_deviation": None,
        "interval": [None, None],
        "bounds": {},
    }
    assert found["binary_classification_metrics"]["accuracy"]["value"] == "NaN"
    assert found["binary_classification_metrics"]["confusion_matrix"] == {
        "0": {"0": 0, "1": 0},
        "1": {"0": 0, "1": 0},
    }
    assert (found["handsoff"]["comparison"]["n"], found["handsoff"]["comparison"]["excluded"]) == (0, 0)
    read = parse_evaluation(json.dumps(found), source="evaluation.json")
    assert (read.leaked, read.candidate.n, read.slices[0].n) == (60, 0, 0)


@pytest.mark.slow
def test_evaluate_slice_of_one_class_is_partly_undefined(second: Run) -> None:
    second.config["slices"] = [{"c": "a"}, {"c": "b"}, {"c": "nowhere"}]
    (second.code / "model.json").write_text(json.dumps(second.config))
    second.evaluate()
    text = (second.output / "evaluation" / "evaluation.json").read_text()
    found = parse_evaluation(text, source="evaluation.json")
    assert [(item.where, item.n) for item in found.slices] == [
        ({"c": "a"}, 5),
        ({"c": "b"}, 1),
        ({"c": "nowhere"}, 0),
    ]
    one_class = found.slices[1].metrics
    assert one_class["accuracy"].value == 1.0
    assert math.isnan(one_class["roc_auc"].value)
    assert math.isnan(found.slices[2].metrics["accuracy"].value)
    assert "NaN" not in json.dumps(json.loads(text)["handsoff"])


@pytest.mark.slow
def test_sagemaker_format_is_at_the_top(second: Run) -> None:
    found = second.evaluate()["binary_classification_metrics"]
    assert found["confusion_matrix"] == {"0": {"0": 3, "1": 0}, "1": {"0": 0, "1": 3}}
    assert set(found) == {
        *("confusion_matrix", "recall", "precision", "accuracy", "auc", "au_prc", "f1"),
        *("true_positive_rate", "true_negative_rate"),
    }
    assert found["accuracy"] == {"value": 1.0, "standard_deviation": 0.0}


def test_to_json_undefined_values_are_strict_json_in_both_parts() -> None:
    text = model_quality.to_json(
        {"binary_classification_metrics": {"auc": math.nan}, "handsoff": [{"auc": math.inf}]}
    )
    assert json.loads(text) == {"binary_classification_metrics": {"auc": "NaN"}, "handsoff": [{"auc": None}]}


def test_load_model_archive_with_a_path_outside_is_an_error(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(tarfile.TarError, match=r"'\.\./outside' would be extracted .*outside the dest"):
        artifact.load_model(tmp_path / "model.tar.gz", tmp_path / "model")


@pytest.mark.slow
def test_evaluate_broken_candidate_ends_the_job_with_a_message(second: Run, base_dir: Path) -> None:
    (second.folder / "model.tar.gz").write_bytes(b"nothing")
    with pytest.raises(tarfile.ReadError):
        second.evaluate()
    assert (base_dir / "output" / "message").read_text().startswith("ReadError in artifact.py, line ")


def test_read_rows_missing_values_are_nan(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1.0, None], "c": ["a", None], "y": [0, 1]}).to_parquet(tmp_path / "v.parquet")
    rows = read_rows(tmp_path, parse_config(SMALL))
    assert math.isnan(rows["c"][1])


# --- slices, guessing, drift ------------------------------------------------------------------------------


@pytest.mark.slow
def test_comparison_has_each_slice(second: Run, first: Run, sagemaker: SageMakerClient) -> None:
    second.config["slices"] = [{"c": "a"}, {"c": "b"}]
    (second.code / "model.json").write_text(json.dumps(second.config))
    found = second.evaluate(register(sagemaker, first))
    read = parse_evaluation(json.dumps(found), source="evaluation.json")
    assert read.comparison is not None
    assert [(item.where, item.n) for item in read.comparison.slices] == [({"c": "a"}, 4), ({"c": "b"}, 0)]
    assert read.comparison.slices[0].agreement is not None
    assert read.comparison.slices[0].agreement.both_right == 4


def test_inside_boolean_column_takes_true_and_false() -> None:
    rows = pd.DataFrame({"b": [1.0, 0.0, np.nan], "c": ["x", "true", "true"]})
    config = StepConfig("small", "regression", "y", (), Features((), ("c",), ("b",)), "ridge")
    assert scoring.inside(rows, {"b": "true"}, config).tolist() == [True, False, False]
    assert scoring.inside(rows, {"b": "false"}, config).tolist() == [False, True, False]
    assert scoring.inside(rows, {"c": "true"}, config).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("value", "inside"),
    [
        ("3", [True, False, False, False]),
        ("3.0", [True, False, False, False]),
        (" +3 ", [True, False, False, False]),
        ("True", [False, True, False, False]),
        ("2026-01-01 00:00:00", [False, False, True, False]),
        ("NULL", [False, False, False, True]),
        ("nowhere", [False, False, False, False]),
    ],
)
def test_inside_categorical_column_takes_every_spelling(value: str, inside: list[bool]) -> None:
    rows = pd.DataFrame({"c": ["3", "true", "2026-01-01", np.nan]})
    config = StepConfig("small", "regression", "y", (), Features((), ("c",)), "ridge")
    assert scoring.inside(rows, {"c": value}, config).tolist() == inside


@pytest.mark.parametrize(
    ("task", "classes", "train", "text", "prediction"),
    [
        (
            "binary_classification",
            ["no", "yes"],
            {"class_share": {"no": 0.618, "yes": 0.382}},
            "class no, 0.618 of the training rows",
            [0.382, 0.382],
        ),
        (
            "binary_classification",
            ["no", "yes"],
            {"class_share": {"no": 0.5, "yes": 0.5}},
            "class no, 0.500 of the training rows",
            [0.5, 0.5],
        ),
        (
            "multiclass_classification",
            ["a", "b", "c"],
            {"class_share": {"c": 0.4, "b": 0.4, "a": 0.2}},
            "class b, 0.400 of the training rows",
            [[0.2, 0.4, 0.4], [0.2, 0.4, 0.4]],
        ),
        ("regression", [], {"target": {"mean": 152.1334}}, "the training rows' mean 152.133", [152.1334] * 2),
    ],
)
def test_guess_predicts_class_shares_or_the_mean(
    task: str, classes: list[str], train: dict[str, Any], text: str, prediction: list[Any]
) -> None:
    config = parse_config({**SMALL, "task": task, "classes": classes})
    said, found = scoring.guess(config, train, 2)
    assert (said, found.tolist()) == (text, prediction)


@pytest.mark.slow
def test_evaluate_baseline_is_guessing(second: Run) -> None:
    """24 of 60 training rows are 1, as are 3 of 6 validation rows."""
    found = second.evaluate()["handsoff"]["baseline"]
    assert found["predicts"] == "class 0, 0.600 of the training rows"
    assert found["metrics"]["accuracy"]["value"] == 0.5
    assert found["metrics"]["brier"]["value"] == pytest.approx((0.36 + 0.16) / 2)
    assert found["metrics"]["roc_auc"]["interval"] == [0.5, 0.5]
    assert found["differences"]["accuracy"]["value"] == 0.5


@pytest.mark.slow
def test_evaluate_data_has_rows_and_missing_shares(second: Run) -> None:
    found = second.evaluate()["handsoff"]["data"]
    assert found == {
        "train": {"rows": 60, "missing_share": {"x": 0.0, "c": 0.0}},
        "validation": {"rows": 6, "missing_share": {"x": 0.0, "c": 0.0}},
    }


@pytest.mark.slow
def test_evaluate_measures_drift_since_the_champion(
    first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    """x has the same values. c was a or b, and is d in every row now."""
    champion = register(sagemaker, first)
    found = second.evaluate(champion)["handsoff"]["drift"]
    assert found["reference"] == champion
    assert found["columns"]["x"]["psi"] == 0.0
    assert found["columns"]["c"]["psi"] > 5
    # a, b, others and missing, of which missing has none, of 60 rows each: 2 (1/60 + 1/60)
    assert found["columns"]["c"]["by_chance"] == pytest.approx(4 / 60)


@pytest.mark.slow
@pytest.mark.parametrize("profile", [None, "no JSON"])
def test_comparison_champion_without_a_profile_has_no_drift(
    s3: S3Client,
    first: Run,
    second: Run,
    sagemaker: SageMakerClient,
    profile: str | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if profile is None:
        s3.delete_object(Bucket=BUCKET, Key=f"{first.prefix}/data_profile.json")
    else:
        land(s3, f"{first.prefix}/data_profile.json", profile)
    found = second.evaluate(register(sagemaker, first))["handsoff"]
    assert (found["champion_problem"], found["drift"]) == (None, None)
    assert found["comparison"]["n"] == 4
    assert "drift is not measured: " in capsys.readouterr().out


# --- predictions that are no numbers, classes never seen --------------------------------------------------

TARGETS: dict[Task, np.ndarray[Any, Any]] = {
    "binary_classification": np.array([0, 1, 0, 1]),
    "multiclass_classification": np.array([0, 1, 2, 1]),
    "regression": np.array([1.0, 2.0, 3.0, 4.0]),
}


def predictions(task: Task) -> np.ndarray[Any, Any]:
    return np.full((4, 3), 1 / 3) if task == "multiclass_classification" else np.array([0.2, 0.8, 0.4, 0.6])


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("task", TARGETS)
def test_scores_one_unusable_prediction_leaves_every_metric_undefined(task: Task, wrong: float) -> None:
    prediction = predictions(task)
    prediction[(1, 2) if prediction.ndim == 2 else 1] = wrong
    found = scoring.scores(task, TARGETS[task], prediction)
    assert (found["n"], found["unusable"]) == (4, 1)
    assert list(found["metrics"]) == list(METRICS[task])
    assert all(math.isnan(item["value"]) for item in found["metrics"].values())
    for ours, theirs in ((prediction, predictions(task)), (predictions(task), prediction)):
        both = comparison.comparison(task, TARGETS[task], ours, theirs)
        assert both["agreement"] is None
        assert all(math.isnan(item["value"]) for item in both["differences"].values())
    assert not math.isnan(both["candidate"]["mae" if task == "regression" else "accuracy"]["value"])
    assert math.isnan(both["champion"]["mae" if task == "regression" else "accuracy"]["value"])
    json.loads(model_quality.to_json({"handsoff": both}))


@pytest.mark.parametrize("task", TARGETS)
def test_comparison_without_rows_is_undefined(task: Task) -> None:
    found = comparison.comparison(task, TARGETS[task][:0], predictions(task)[:0], predictions(task)[:0])
    assert found["n"] == 0
    assert all(math.isnan(item["value"]) for item in found["differences"].values())
    assert (found["agreement"] is None) == (task == "regression")
    json.loads(model_quality.to_json({"handsoff": found}))


class Learned:
    """A fitted pipeline of three classes that had no row of class 1."""

    classes_ = np.array([0, 2], dtype=np.int16)

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray[Any, Any]:
        return np.tile([0.25, 0.75], (len(rows), 1))


def test_predict_class_without_training_rows_has_probability_zero() -> None:
    config = StepConfig(
        "small", "multiclass_classification", "y", ("a", "b", "c"), Features(("x",)), "logistic_regression"
    )
    rows = pd.DataFrame({"x": [1.0, 2.0]})
    model = artifact.Model(Learned(), config)
    assert model.predict(rows).tolist() == [[0.25, 0.0, 0.75], [0.25, 0.0, 0.75]]
    assert model.predict(rows[:0]).shape == (0, 3)


# --- the other tasks --------------------------------------------------------------------------------------


def small_run(s3: S3Client, folder: Path, **config: Any) -> Run:
    """An execution on forty rows whose target follows from x."""
    rows = [f"{number / 4},{number % 2 == 0},{config['says'](number)}\n" for number in range(40)]
    del config["says"]
    for split, part in (("train", rows[::2] + rows[1::4]), ("validation", rows[3::4])):
        land(s3, f"curated/small/{split}.csv", "x,even,y\n" + "".join(part))
    features = {"numeric": ["x"], "categorical": [], "boolean": ["even"]}
    slices = [{"even": "false"}]
    run = Run(folder, s3, {**SMALL, "features": features, "slices": slices, **config}, "eeeeeeeeeeee")
    assert run.preprocess() == 0
    run.train()
    return run


@pytest.mark.slow
def test_evaluate_multiclass_from_data_to_evaluation(
    s3: S3Client, tmp_path: Path, sagemaker: SageMakerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    run = small_run(
        s3,
        tmp_path / "run",
        task="multiclass_classification",
        classes=["low", "middle", "high"],
        says=lambda number: ["low", "middle", "high"][number // 14],
    )
    found = run.evaluate(register(sagemaker, run))
    top = found["multiclass_classification_metrics"]
    assert set(top) == {
        *("confusion_matrix", "accuracy", "weighted_recall", "weighted_precision"),
        *("weighted_f0_5", "weighted_f1", "weighted_f2"),
    }
    assert list(top["confusion_matrix"]) == ["low", "middle", "high"]
    assert sum(top["confusion_matrix"]["high"].values()) == 3
    assert set(top["accuracy"]) == {"value", "standard_deviation"}
    read = parse_evaluation(json.dumps(found), source="evaluation.json")
    assert (read.task, read.candidate.n, read.slices[0].n) == ("multiclass_classification", 10, 10)
    assert read.candidate.metrics["roc_auc_ovr"].value > 0.9
    assert read.comparison is not None
    assert read.comparison.differences["accuracy"].value == 0.0
    assert "McNemar p = 1.0000" in capsys.readouterr().out


@pytest.mark.slow
def test_evaluate_regression_from_data_to_evaluation(
    s3: S3Client, tmp_path: Path, sagemaker: SageMakerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    run = small_run(
        s3,
        tmp_path / "run",
        task="regression",
        classes=[],
        training={"estimator": "ridge"},
        says=lambda number: f"{10 + number + number % 3}",
    )
    found = run.evaluate(register(sagemaker, run))
    assert set(found["regression_metrics"]) == {"mae", "mse", "rmse", "r2"}
    assert found["regression_metrics"]["mse"]["value"] == pytest.approx(
        found["regression_metrics"]["rmse"]["value"] ** 2
    )
    read = parse_evaluation(json.dumps(found), source="evaluation.json")
    assert (read.task, read.candidate.n) == ("regression", 10)
    assert read.candidate.metrics["r2"].value > 0.9
    assert read.baseline.predicts.startswith("the training rows' mean ")
    assert read.baseline.differences["rmse"].bounds[1] < 0
    assert read.comparison is not None
    assert read.comparison.agreement is None
    assert read.comparison.differences["rmse"].value == 0.0
    assert "there is no champion" not in capsys.readouterr().out


@pytest.mark.slow
def test_evaluate_file_under_three_names_counts_each_row_once(
    s3: S3Client, tmp_path: Path, first: Run, sagemaker: SageMakerClient
) -> None:
    """40 rows that neither model has seen, once and three times: the same numbers, and as many clusters."""
    rows = "".join(f"{k % 7 + 0.25 + k / 1000},{'abz'[k % 3]},{int(k % 7 > 2 + k % 3)}\n" for k in range(40))
    land(s3, "curated/small/train.csv", CSV.replace("a", "b"))
    found = []
    for names in (["validation"], ["validation", "validation/2", "validation/3"]):
        for name in names:
            land(s3, f"curated/small/{name}.csv", f"x,c,y\n{rows}")
        run = Run(tmp_path / f"landed-{len(names)}", s3, SMALL, "cccccccccccc")
        assert run.preprocess() == 0
        run.train()
        found.append(run.evaluate(register(sagemaker, first))["handsoff"])
    once, thrice = found
    for part in ("candidate", "comparison"):
        assert (once[part]["n"], once[part]["clusters"]) == (40, 40)
        assert (thrice[part]["n"], thrice[part]["clusters"]) == (120, 40)
        for count in ("smallest_class", "smallest_predicted"):
            assert thrice[part][count] == once[part][count]
    for name in ("roc_auc", "brier", "log_loss"):
        for key in ("value", "standard_deviation", "interval"):
            before, after = (item["candidate"]["metrics"][name][key] for item in found)
            assert after == pytest.approx(before, rel=0.02)
        before, after = (item["comparison"]["differences"][name] for item in found)
        assert after["standard_error"] == pytest.approx(before["standard_error"])
    assert [item["p"] for item in thrice["comparison"]["found_slices"]] == pytest.approx(
        [item["p"] for item in once["comparison"]["found_slices"]]
    )


@pytest.mark.slow
def test_evaluate_group_is_one_cluster(s3: S3Client, tmp_path: Path) -> None:
    """24 rows of six tickets; the files have the column, and it is no feature."""
    rows = "".join(f"{k % 5 + 0.5},{'ab'[k % 2]},{int(k % 3 == 0)},t{k % 6}\n" for k in range(24))
    land(
        s3, "curated/small/train.csv", "".join(f"{line},\n" for line in CSV.split()).replace("y,", "y,ticket")
    )
    land(s3, "curated/small/validation.csv", f"x,c,y,ticket\n{rows}")
    run = Run(tmp_path / "grouped", s3, {**SMALL, "data": {"group": ["ticket"]}}, "cccccccccccc")
    assert run.preprocess() == 0
    run.train()
    found = run.evaluate()["handsoff"]["candidate"]
    assert (found["n"], found["clusters"], found["smallest_class"]) == (24, 6, 2)


BOTH, PAIR, NEITHER = [0.5, 0.5], [0.7, 0.4], [1.2, -0.2]


@pytest.mark.parametrize(
    ("task", "prediction", "wrong"),
    [
        ("binary_classification", [0.0, 1.0, 1.0000005, -0.0000005], 0),
        ("binary_classification", [1.7, -0.4, 0.5, 1.00001], 3),
        ("binary_classification", [np.nan, np.inf, -np.inf, 0.5], 3),
        ("multiclass_classification", [BOTH, [1.0, 0.0], [0.3, 0.7000005]], 0),
        ("multiclass_classification", [BOTH, PAIR, NEITHER, [0.9, 0.9], [np.nan, 0.5], [0.0, 0.0]], 5),
        ("regression", [1.7, -0.4, 1e300], 0),
        ("regression", [1.7, np.nan, np.inf], 2),
    ],
)
def test_unusable_predictions_are_no_numbers_or_no_probabilities(
    task: Task, prediction: list[Any], wrong: int
) -> None:
    assert scoring.unusable(task, np.array(prediction)) == wrong


@pytest.mark.parametrize("task", ["binary_classification", "multiclass_classification"])
def test_scores_of_no_probabilities_are_undefined(task: Task) -> None:
    """A log loss of probabilities of 1.7 and −0.4 would be 0, and the model perfect."""
    target = np.array([0, 1] * 20)
    prediction = np.where(target == 1, 1.7, -0.4)
    if task == "multiclass_classification":
        prediction = np.full((40, 3), 0.9)
    found = scoring.scores(task, target, prediction)
    assert found["unusable"] == 40
    assert all(math.isnan(metric["value"]) for metric in found["metrics"].values())
