"""ModelEvaluation: metrics by hand, the champion on the same rows, and JSON that is always valid."""

from __future__ import annotations

import io
import json
import math
import pickle
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from sklearn.linear_model import LogisticRegression

import evaluate
from evaluate import Scored
from retraining.evaluation import parse_evaluation
from tests.pipeline_def.helpers import BUCKET, SMALL, Run, land, register

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


def scored(target: list[int], probability: list[float]) -> Scored:
    return Scored(np.array(target), np.array(probability))


# --- metrics ----------------------------------------------------------------------------------------------


def test_metrics_of_five_rows_by_hand() -> None:
    """Ones at 0.9, 0.6, 0.2 and zeros at 0.6, 0.1: two hits, one miss, one false alarm."""
    found = scored([1, 1, 1, 0, 0], [0.9, 0.6, 0.2, 0.6, 0.1]).values()
    assert found["accuracy"] == pytest.approx(3 / 5)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["specificity"] == pytest.approx(1 / 2)
    assert found["balanced_accuracy"] == pytest.approx(7 / 12)
    assert found["f1"] == pytest.approx(2 / 3)
    # six pairs: 0.9 beats both, 0.6 ties with one and beats the other, 0.2 beats one
    assert found["roc_auc"] == pytest.approx(4.5 / 6)
    # precision 1 at 0.9, 2/3 at 0.6, 3/4 at 0.2, each for a third of the ones
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert found["log_loss"] == pytest.approx(0.6495, abs=5e-5)
    assert found["brier"] == pytest.approx((0.01 + 0.16 + 0.64 + 0.36 + 0.01) / 5)


def test_confusion_is_by_actual_then_predicted() -> None:
    found = scored([1, 1, 1, 0, 0], [0.9, 0.6, 0.2, 0.6, 0.1]).confusion()
    assert found == {"0": {"0": 1, "1": 1}, "1": {"0": 1, "1": 2}}


@pytest.mark.parametrize(
    ("target", "probability", "undefined"),
    [
        ([1, 1], [0.9, 0.1], {"balanced_accuracy", "specificity", "roc_auc"}),
        (
            [0, 0],
            [0.1, 0.2],
            {"balanced_accuracy", "recall", "precision", "f1", "roc_auc", "average_precision"},
        ),
        ([0, 1], [0.1, 0.2], {"precision"}),
        ([], [], {*evaluate.METRICS, "specificity"}),
    ],
)
def test_what_is_undefined_is_nan(target: list[int], probability: list[float], undefined: set[str]) -> None:
    found = scored(target, probability)
    assert {name for name, value in found.values().items() if math.isnan(value)} == undefined
    assert {
        name for name, item in evaluate.scores(found)["metrics"].items() if math.isnan(item["value"])
    } == undefined


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, 8).map(lambda eighths: eighths / 8), st.integers(0, 3)),
        min_size=2,
        max_size=30,
    ).filter(lambda rows: {target for target, _, weight in rows if weight} == {0, 1})
)
def test_agrees_with_scikit_learn_under_any_weights(rows: list[tuple[int, float, int]]) -> None:
    target, probability, weight = (np.array(column) for column in zip(*rows, strict=True))
    found = Scored(target, probability).measure(weight[None, :].astype(float))
    label = (probability > 0.5).astype(int)
    expected = {
        "accuracy": reference.accuracy_score(target, label, sample_weight=weight),
        "balanced_accuracy": reference.balanced_accuracy_score(target, label, sample_weight=weight),
        "recall": reference.recall_score(target, label, sample_weight=weight),
        "roc_auc": reference.roc_auc_score(target, probability, sample_weight=weight),
        "average_precision": reference.average_precision_score(target, probability, sample_weight=weight),
        "log_loss": reference.log_loss(target, probability, sample_weight=weight),
        "brier": reference.brier_score_loss(target, probability, sample_weight=weight),
    }
    assert {name: float(found[name][0]) for name in expected} == pytest.approx(expected)


def test_the_spread_of_an_accuracy_is_the_binomial_one() -> None:
    """0.8 on 250 rows: sqrt(0.8 * 0.2 / 250) = 0.0253."""
    found = evaluate.scores(scored([1] * 200 + [0] * 50, [0.9] * 250))["metrics"]["accuracy"]
    assert found["value"] == pytest.approx(0.8)
    assert found["standard_deviation"] == pytest.approx(0.0253, abs=0.002)


def test_the_same_rows_give_the_same_spread() -> None:
    rows = scored([0, 1] * 50, list(np.linspace(0, 1, 100)))
    assert json.dumps(evaluate.scores(rows)) == json.dumps(evaluate.scores(rows))


def test_a_spread_is_undefined_where_many_resamples_are() -> None:
    assert math.isnan(evaluate.spread(np.array([1.0, 2.0, math.nan])))
    assert evaluate.spread(np.array([1.0] * 49 + [3.0] * 50 + [math.nan])) == pytest.approx(1.005, abs=0.001)


@pytest.mark.parametrize(
    ("n", "resamples"), [(0, 1000), (262, 1000), (50_000, 1000), (100_000, 500), (10**6, 100)]
)
def test_large_data_gets_fewer_resamples(n: int, resamples: int) -> None:
    assert evaluate.resamples_for(n) == resamples


def test_chunks_do_not_change_the_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(evaluate.resample_weights(50)))
    monkeypatch.setattr(evaluate, "CHUNK", 50 * 7)
    assert np.array_equal(np.concatenate(list(evaluate.resample_weights(50))), whole)
    assert whole.shape == (1000, 50)
    assert (whole.sum(axis=1) == 50).all()


def test_262_rows_are_measured_in_no_time() -> None:
    generator = np.random.default_rng(1)
    target = generator.integers(0, 2, 262)
    started = time.perf_counter()
    evaluate.comparison(target, generator.random(262), generator.random(262), excluded=0)
    assert time.perf_counter() - started < 3


# --- comparison -------------------------------------------------------------------------------------------


def test_a_paired_difference_knows_that_the_rows_are_the_same() -> None:
    """The champion errs on 10 of 100 rows, the candidate on none: sqrt(0.1 * 0.9 / 100) = 0.03."""
    target = np.array([0, 1] * 50)
    candidate = np.where(target == 1, 0.9, 0.1)
    champion = candidate.copy()
    champion[:10] = 1 - champion[:10]
    found = evaluate.comparison(target, candidate, champion, excluded=3)
    assert found["differences"]["accuracy"]["value"] == pytest.approx(0.1)
    assert found["differences"]["accuracy"]["standard_error"] == pytest.approx(0.03, abs=0.003)
    assert (found["n"], found["excluded"]) == (100, 3)
    assert found["method"] == "paired bootstrap, 1000 resamples, seed 0"
    assert list(found["differences"]) == list(evaluate.METRICS)


def test_a_model_compared_with_itself_differs_by_nothing() -> None:
    probability = np.linspace(0.05, 0.95, 40)
    found = evaluate.comparison(np.array([0, 1] * 20), probability, probability, excluded=0)
    assert {item["value"] for item in found["differences"].values()} == {0.0}
    assert {item["standard_error"] for item in found["differences"].values()} == {0.0}


def test_all_rows_excluded() -> None:
    found = evaluate.comparison(np.empty(0), np.empty(0), np.empty(0), excluded=9)
    assert (found["n"], found["excluded"]) == (0, 9)
    assert all(math.isnan(item["value"]) for item in found["differences"].values())
    json.loads(evaluate.to_json({"handsoff": found}))


# --- the champion in the registry -------------------------------------------------------------------------

CSV = "x,c,y\n" + "".join(
    f"{number % 7},{'ab'[number % 3 == 0]},{int(number % 7 > 3)}\n" for number in range(60)
)


@pytest.fixture
def first(s3: S3Client, tmp_path: Path) -> Run:
    """A champion's execution."""
    land(s3, "curated/small/train.csv", CSV)
    land(s3, "curated/small/validation.csv", "x,c,y\n1,z,0\n6,z,1\n")
    run = Run(tmp_path / "first", s3, SMALL, "aaaaaaaaaaaa")
    assert run.preprocess() == 0
    run.train()
    return run


@pytest.fixture
def second(s3: S3Client, tmp_path: Path, first: Run) -> Run:  # noqa: ARG001
    """A candidate's execution; 2 of its 6 validation rows the champion was trained on."""
    land(s3, "curated/small/train.csv", CSV.replace("a", "d").replace("b", "d"))
    land(s3, "curated/small/validation.csv", "x,c,y\n0,b,0\n6,a,1\n1.5,a,0\n5.5,a,1\n0.5,a,0\n6.5,a,1\n")
    run = Run(tmp_path / "second", s3, SMALL, "bbbbbbbbbbbb")
    assert run.preprocess() == 0
    run.train()
    return run


def test_no_champion(second: Run, sagemaker: SageMakerClient) -> None:
    sagemaker.create_model_package_group(ModelPackageGroupName="handsoff-small")
    for champion in ("none", "latest"):
        found = second.evaluate(champion)["handsoff"]
        assert (found["champion"], found["champion_problem"], found["comparison"]) == (None, None, None)


def test_rows_that_the_champion_was_trained_on_leave_the_comparison(
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


def test_rows_that_the_candidate_was_trained_on_leave_everything(
    s3: S3Client, tmp_path: Path, first: Run, sagemaker: SageMakerClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 7 rows the candidate has seen 3; of the other 4 the champion has seen 1."""
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


def test_no_row_is_left(s3: S3Client, tmp_path: Path, first: Run, sagemaker: SageMakerClient) -> None:
    land(s3, "curated/small/validation.csv", CSV)
    run = Run(tmp_path / "copied", s3, {**SMALL, "slices": [{"c": "b"}]}, "cccccccccccc")
    assert run.preprocess() == 0
    run.train()
    found = run.evaluate(register(sagemaker, first))
    assert (found["handsoff"]["leaked"], found["handsoff"]["candidate"]["n"]) == (60, 0)
    assert found["handsoff"]["candidate"]["metrics"]["accuracy"] == {
        "value": None,
        "standard_deviation": None,
    }
    assert found["binary_classification_metrics"]["accuracy"]["value"] == "NaN"
    assert found["binary_classification_metrics"]["confusion_matrix"] == {
        "0": {"0": 0, "1": 0},
        "1": {"0": 0, "1": 0},
    }
    assert (found["handsoff"]["comparison"]["n"], found["handsoff"]["comparison"]["excluded"]) == (0, 0)
    read = parse_evaluation(json.dumps(found), source="evaluation.json")
    assert (read.leaked, read.candidate.n, read.slices[0].n) == (60, 0, 0)


def test_latest_is_the_one_decided_last(first: Run, second: Run, sagemaker: SageMakerClient) -> None:
    newest = register(sagemaker, first, approvedAt="2099-01-02T00:00:00Z")
    register(sagemaker, first, approvedAt="2099-01-01T23:59:59+00:00")
    register(sagemaker, first)
    register(sagemaker, first, status="Rejected", approvedAt="2099-06-01T00:00:00Z")
    register(sagemaker, first, status="PendingManualApproval")
    assert second.evaluate("latest")["handsoff"]["champion"] == newest


def test_when_a_package_was_decided() -> None:
    created, changed = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    package: dict[str, Any] = {"CreationTime": created}
    assert evaluate.approved_at(package) == created
    package["LastModifiedTime"] = changed
    assert evaluate.approved_at(package) == changed
    package["CustomerMetadataProperties"] = {"approvedAt": "no time"}
    assert evaluate.approved_at(package) == changed
    package["CustomerMetadataProperties"] = {"approvedAt": "2026-01-15T12:00:00"}
    assert evaluate.approved_at(package) == datetime(2026, 1, 15, 12, tzinfo=UTC)


def problem(run: Run, champion: str) -> str:
    """What is said of a champion that could not be compared; the evaluation is whole all the same."""
    found = run.evaluate(champion)["handsoff"]
    assert found["champion"] == champion
    assert found["comparison"] is None
    assert found["candidate"]["metrics"]["accuracy"]["value"] == 1.0
    text: str = found["champion_problem"]
    assert "\n" not in text
    return text


def replace_model(s3: S3Client, run: Run, config: dict[str, Any], pickled: bytes) -> None:
    """Another artifact where the run's lies."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, content in (("code/model.json", json.dumps(config).encode()), ("model.joblib", pickled)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    land(s3, run.model_url.removeprefix(f"s3://{BUCKET}/"), raw.getvalue())


def test_a_champion_that_is_gone(second: Run, sagemaker: SageMakerClient, first: Run) -> None:
    champion = register(sagemaker, first).replace("/1", "/999")
    assert problem(second, champion).startswith("DescribeModelPackage: ValidationException: ")


def test_a_champion_whose_model_is_gone(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    s3.delete_object(Bucket=BUCKET, Key=first.model_url.removeprefix(f"s3://{BUCKET}/"))
    assert problem(second, champion) == f"its model, {first.model_url}, cannot be read: 404"


def test_a_champion_whose_training_rows_are_unknown(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    s3.delete_object(Bucket=BUCKET, Key=f"{first.prefix}/training_rows.parquet")
    assert problem(second, champion) == (
        f"the list of rows that it was trained on, s3://{BUCKET}/{first.prefix}/training_rows.parquet, "
        "cannot be read: 404"
    )


def test_a_champion_whose_data_report_is_gone(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    s3.delete_object(Bucket=BUCKET, Key=f"{first.prefix}/data_report.json")
    assert problem(second, champion) == (
        f"the report on its data, s3://{BUCKET}/{first.prefix}/data_report.json, cannot be read: 404"
    )


def test_a_column_more_makes_rows_incomparable(
    s3: S3Client, tmp_path: Path, first: Run, sagemaker: SageMakerClient
) -> None:
    """The champion has seen every row of this file; none of them has the identity that it had then."""
    wider = CSV.replace("\n", ",,\n").replace("y,,", "y,note,id")
    land(s3, "curated/small/train.csv", wider)
    land(s3, "curated/small/validation.csv", wider.replace(",,", ",new,"))
    run = Run(tmp_path / "wider", s3, SMALL, "cccccccccccc")
    assert run.preprocess() == 0
    run.train()
    assert problem(run, register(sagemaker, first)) == (
        "the files have other columns than those it was trained on (added id, note): "
        "which rows it has seen cannot be told"
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ([["c", "w", "y"]], "the files have other columns than those it was trained on (added x, removed w)"),
        (
            [["c", "v", "w", "x", "y"]],
            "the files have other columns than those it was trained on (removed v, w)",
        ),
        (
            [["c", "x", "y"], ["c", "y"]],
            "the files have other columns than those it was trained on (others in each file)",
        ),
        (None, "it is not recorded which columns the files had that it was trained on"),
    ],
)
def test_a_champion_of_files_with_other_columns(
    s3: S3Client,
    first: Run,
    second: Run,
    sagemaker: SageMakerClient,
    columns: list[list[str]] | None,
    says: str,
) -> None:
    report = {key: value for key, value in first.report.items() if key != "columns"}
    report |= {} if columns is None else {"columns": columns}
    land(s3, f"{first.prefix}/data_report.json", json.dumps(report))
    assert problem(second, register(sagemaker, first)) == f"{says}: which rows it has seen cannot be told"


@pytest.mark.parametrize(
    "url", ["s3://elsewhere/models/small/x/model.tar.gz", f"s3://{BUCKET}/models/smaller/x"]
)
def test_a_model_from_elsewhere_is_never_loaded(
    second: Run, sagemaker: SageMakerClient, first: Run, url: str
) -> None:
    register(sagemaker, first)
    champion = sagemaker.create_model_package(
        ModelPackageGroupName="handsoff-small",
        InferenceSpecification={
            "Containers": [{"Image": "image", "ModelDataUrl": url}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    assert (
        problem(second, champion)
        == f"its model {url} does not lie under s3://{BUCKET}/models/small/: not loaded"
    )


def test_a_champion_of_another_scikit_learn(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    pickled = io.BytesIO()
    joblib.dump(LogisticRegression(), pickled)
    version = sklearn.__version__.encode()
    assert pickled.getvalue().count(version) == 1
    replace_model(s3, first, SMALL, pickled.getvalue().replace(version, b"0" + version[1:]))
    assert problem(second, champion) == (
        f"was made with scikit-learn 0{sklearn.__version__[1:]}; this image has {sklearn.__version__}"
    )


def test_a_champion_that_is_no_model(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient
) -> None:
    champion = register(sagemaker, first)
    replace_model(s3, first, SMALL, pickle.dumps(None))
    assert problem(second, champion).startswith("cannot be scored: AttributeError: ")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"target": "z"}, "it predicts z, the candidate y"),
        (
            {"features": {"numeric": ["x", "w"], "categorical": ["c"]}},
            "it needs w, which is no feature any more",
        ),
        (
            {"features": {"numeric": ["x", "c"], "categorical": []}},
            "it takes c as numeric, the candidate does not",
        ),
    ],
)
def test_a_champion_of_other_columns(
    s3: S3Client, first: Run, second: Run, sagemaker: SageMakerClient, change: dict[str, Any], says: str
) -> None:
    champion = register(sagemaker, first)
    replace_model(s3, first, {**SMALL, **change}, (first.model_dir / "model.joblib").read_bytes())
    assert problem(second, champion) == says


# --- the file ---------------------------------------------------------------------------------------------


def test_a_slice_of_one_class_does_not_end_the_evaluation(second: Run) -> None:
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


def test_the_top_is_sagemakers_format(second: Run) -> None:
    found = second.evaluate()["binary_classification_metrics"]
    assert found["confusion_matrix"] == {"0": {"0": 3, "1": 0}, "1": {"0": 0, "1": 3}}
    assert set(found) == {
        *("confusion_matrix", "recall", "precision", "accuracy", "auc", "au_prc", "f1"),
        *("true_positive_rate", "true_negative_rate"),
    }
    assert found["accuracy"] == {"value": 1.0, "standard_deviation": 0.0}


def test_undefined_values_are_strict_json_in_both_parts() -> None:
    text = evaluate.to_json(
        {"binary_classification_metrics": {"auc": math.nan}, "handsoff": [{"auc": math.inf}]}
    )
    assert json.loads(text) == {"binary_classification_metrics": {"auc": "NaN"}, "handsoff": [{"auc": None}]}


def test_an_archive_that_reaches_out_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../outside"))
    with pytest.raises(tarfile.OutsideDestinationError):
        evaluate.load_model(tmp_path / "model.tar.gz", tmp_path / "model")


def test_a_broken_candidate_ends_the_job_and_says_so(second: Run, base_dir: Path) -> None:
    (second.folder / "model.tar.gz").write_bytes(b"nothing")
    with pytest.raises(tarfile.ReadError):
        second.evaluate()
    assert (base_dir / "output" / "message").read_text().startswith("ReadError: ")


def test_gaps_reach_the_model_as_in_training(tmp_path: Path) -> None:
    pd.DataFrame({"x": [1.0, None], "c": ["a", None], "y": [0, 1]}).to_parquet(tmp_path / "v.parquet")
    rows = evaluate.read_rows(tmp_path, SMALL)
    assert math.isnan(rows["c"][1])
