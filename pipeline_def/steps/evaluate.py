"""ModelEvaluation: what the candidate is worth on the validation rows, and against the champion on the same.

A validation row that the candidate was trained on says nothing about it and is left out, from everything.
Writes evaluation.json: SageMaker's model-quality format at the top, what our rules read under `handsoff`.
Decides nothing. A champion that cannot be scored is reported in `champion_problem`; it never fails the job.
Runs in SageMaker's scikit-learn image, by itself: it imports nothing of this project.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tarfile
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import joblib
import numpy as np
import pandas as pd
from botocore.config import Config as ClientConfig
from botocore.exceptions import BotoCoreError, ClientError
from sklearn.exceptions import InconsistentVersionWarning

SEED: Final = 0
THRESHOLD: Final = 0.5
ROW: Final = "handsoff:row"  # where preprocess.py keeps the identity of each raw row
RESAMPLES: Final = 1000
FEWEST_RESAMPLES: Final = 100
MOST_WEIGHTS: Final = 50_000_000
"""Resamples times rows: above it fewer resamples are drawn, so that a million rows take seconds."""
CHUNK: Final = 2_000_000
UNDEFINED_SHARE: Final = 0.05
"""A standard deviation is undefined where the metric is so in more than this share of the resamples."""
NEWEST: Final = 30
"""Approved packages among which the champion is looked for; registry.py does the same."""
AWS: Final = ClientConfig(
    connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}
)

METRICS: Final = (
    "accuracy",
    "balanced_accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
)

# Our metrics by the names of SageMaker's model-quality format.
SAGEMAKER_METRICS: Final = {
    "recall": "recall",
    "precision": "precision",
    "accuracy": "accuracy",
    "true_positive_rate": "recall",
    "true_negative_rate": "specificity",
    "auc": "roc_auc",
    "au_prc": "average_precision",
    "f1": "f1",
}

Array = np.ndarray[Any, Any]
Json = dict[str, Any]
Columns = list[list[str]]
"""The sorted column names of each kind of file in a batch, as data_report.json has them."""


class ChampionProblem(Exception):
    """Why the champion cannot be compared, in one line for the approver."""


# --- metrics ----------------------------------------------------------------------------------------------


class Scored:
    """Rows with a target (0 or 1) and a predicted probability, ready to be measured under many weightings.

    A bootstrap resample is a weighting of the same rows by how often each was drawn, so one pass of array
    arithmetic measures hundreds of resamples and the rows are sorted once.
    """

    def __init__(self, target: Array, probability: Array) -> None:
        target = np.asarray(target, dtype=float)
        probability = np.asarray(probability, dtype=float)
        predicted = (probability > THRESHOLD).astype(float)
        clipped = np.clip(probability, np.finfo(float).eps, 1 - np.finfo(float).eps)
        self.n = len(target)
        self.order = np.argsort(-probability, kind="stable")
        ranked = probability[self.order]
        self.starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]]) if self.n else np.empty(0, int)
        self.ranked_target = target[self.order]
        self.per_row = np.column_stack(
            [
                target * predicted,
                (1 - target) * predicted,
                target * (1 - predicted),
                (1 - target) * (1 - predicted),
                -(target * np.log(clipped) + (1 - target) * np.log1p(-clipped)),
                (probability - target) ** 2,
            ]
        )

    def measure(self, weights: Array) -> dict[str, Array]:
        """Each metric under each row of `weights` (shape: weightings x n); NaN where it is undefined."""
        tp, fp, fn, tn, log_loss, brier = (weights @ self.per_row).T
        recall, specificity = divide(tp, tp + fn), divide(tn, tn + fp)
        roc_auc, average_precision = self._ranking(weights, tp + fn, tn + fp)
        total = tp + fp + fn + tn
        return {
            "accuracy": divide(tp + tn, total),
            "balanced_accuracy": (recall + specificity) / 2,
            "precision": divide(tp, tp + fp),
            "recall": recall,
            "specificity": specificity,
            "f1": divide(2 * tp, 2 * tp + fp + fn),
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "log_loss": divide(log_loss, total),
            "brier": divide(brier, total),
        }

    def _ranking(self, weights: Array, positives: Array, negatives: Array) -> tuple[Array, Array]:
        """Area under the ROC curve (a tie counts half), average precision; by groups of equal probability."""
        if not self.n:
            return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
        ranked = weights[:, self.order]
        hits = np.add.reduceat(ranked * self.ranked_target, self.starts, axis=1)
        misses = np.add.reduceat(ranked * (1 - self.ranked_target), self.starts, axis=1)
        hits_so_far, misses_so_far = np.cumsum(hits, axis=1), np.cumsum(misses, axis=1)
        below = negatives[:, None] - misses_so_far + misses / 2
        precision = np.nan_to_num(divide(hits_so_far, hits_so_far + misses_so_far))
        roc_auc = divide((hits * below).sum(axis=1), positives * negatives)
        return roc_auc, divide((hits * precision).sum(axis=1), positives)

    def values(self) -> dict[str, float]:
        """Each metric on the rows as they are."""
        return {name: float(value[0]) for name, value in self.measure(np.ones((1, self.n))).items()}

    def confusion(self) -> dict[str, dict[str, int]]:
        """Rows by actual, then by predicted class."""
        tp, fp, fn, tn = (int(count) for count in self.per_row[:, :4].sum(axis=0))
        return {"0": {"0": tn, "1": fp}, "1": {"0": fn, "1": tp}}


def divide(numerator: Array, denominator: Array) -> Array:
    """Elementwise; NaN where the denominator is zero."""
    undefined = np.full(np.shape(denominator), np.nan)
    return np.asarray(np.divide(numerator, denominator, out=undefined, where=denominator != 0))


def resamples_for(n: int) -> int:
    """How many resamples n rows get: 1000, and fewer from 50,000 rows on, but never under 100."""
    return min(RESAMPLES, max(FEWEST_RESAMPLES, MOST_WEIGHTS // max(n, 1)))


def resample_weights(n: int) -> Iterator[Array]:
    """How often each of n rows is drawn in each resample, some resamples at a time. Same n, same draws."""
    generator = np.random.default_rng(SEED)
    left, at_once = resamples_for(n), max(1, CHUNK // max(n, 1))
    while left:
        size = min(left, at_once)
        left -= size
        drawn = generator.integers(0, n, size=(size, n)) + np.arange(size)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(float)


def bootstrap(scored: Sequence[Scored]) -> list[dict[str, Array]]:
    """Each metric of each scoring over the same resamples: all scorings are of the same rows."""
    n = scored[0].n
    if not n:
        return [{name: np.empty(0) for name in item.values()} for item in scored]
    found: list[list[dict[str, Array]]] = [[] for _ in scored]
    for weights in resample_weights(n):
        for item, results in zip(scored, found, strict=True):
            results.append(item.measure(weights))
    return [
        {name: np.concatenate([result[name] for result in results]) for name in results[0]}
        for results in found
    ]


def spread(values: Array) -> float:
    """The standard deviation over resamples; NaN where too few of them define the metric."""
    defined = values[np.isfinite(values)]
    if len(defined) < 2 or len(defined) < (1 - UNDEFINED_SHARE) * len(values):
        return math.nan
    return float(defined.std(ddof=1))


def measured(values: Mapping[str, float], resampled: Mapping[str, Array]) -> Json:
    return {
        name: {
            "value": value,
            "standard_deviation": spread(resampled[name]) if math.isfinite(value) else math.nan,
        }
        for name, value in values.items()
    }


# --- candidate --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Model:
    """An unpacked artifact: the fitted pipeline and the config that it was trained with."""

    pipeline: Any
    config: Mapping[str, Any]

    def probability(self, rows: pd.DataFrame) -> Array:
        """The probability of 1 for each row."""
        features = [*self.config["features"]["numeric"], *self.config["features"]["categorical"]]
        if not len(rows):
            return np.empty(0)
        return np.asarray(self.pipeline.predict_proba(rows[features])[:, 1], dtype=float)


def load_model(archive: Path, folder: Path) -> Model:
    """Unpack model.tar.gz into `folder` and load it. One of another scikit-learn version is an error."""
    with tarfile.open(archive, "r:gz") as packed:
        # Python before 3.11.4 has no filters; the image's has.
        safely: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        packed.extractall(folder, **safely)  # noqa: S202 - below our own prefix, and filtered
    config = json.loads((folder / "code" / "model.json").read_text(encoding="utf-8"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", InconsistentVersionWarning)
        return Model(joblib.load(folder / "model.joblib"), config)


def read_rows(folder: Path, config: Mapping[str, Any]) -> pd.DataFrame:
    """The validation rows as DataPreProcessing wrote them; what is missing is NaN in every column."""
    frame = pd.read_parquet(folder)
    for name in config["features"]["categorical"]:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), np.nan)
    return frame


def read_ids(path: Path) -> Array:
    """The identities in a training_rows.parquet."""
    return np.asarray(pd.read_parquet(path)[ROW].to_numpy())


def scores(scored: Scored) -> Json:
    return {"n": scored.n, "metrics": measured(scored.values(), bootstrap([scored])[0])}


def slice_scores(
    rows: pd.DataFrame, target: Array, probability: Array, slices: Sequence[Mapping[str, str]]
) -> list[Json]:
    """The candidate's scores on the rows of each slice that a rule asks about."""
    found = []
    for where in slices:
        inside = np.ones(len(rows), dtype=bool)
        for column, value in where.items():
            inside &= (rows[column] == value).to_numpy()
        found.append({"where": dict(where), **scores(Scored(target[inside], probability[inside]))})
    return found


# --- champion ---------------------------------------------------------------------------------------------


def newest_approved(sagemaker: Any, group: str) -> str | None:
    """The ARN of the package approved most recently, by decision, among the NEWEST; None where none is."""
    answer = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus="Approved",
        SortBy="CreationTime",
        SortOrder="Descending",
        MaxResults=NEWEST,
    )
    packages = [
        sagemaker.describe_model_package(ModelPackageName=item["ModelPackageArn"])
        for item in answer["ModelPackageSummaryList"]
    ]
    newest = max(packages, key=approved_at, default=None)
    return newest["ModelPackageArn"] if newest else None


def approved_at(package: Mapping[str, Any]) -> datetime:
    """When the package was approved; where nobody wrote that down, when it last changed, or was made."""
    with suppress(KeyError, ValueError):
        approved = datetime.fromisoformat(package["CustomerMetadataProperties"]["approvedAt"])
        return approved if approved.tzinfo else approved.replace(tzinfo=UTC)
    changed: datetime = package.get("LastModifiedTime") or package["CreationTime"]
    return changed


def compare(
    session: Any,
    bucket: str,
    champion: str,
    config: Mapping[str, Any],
    columns: Columns,
    rows: pd.DataFrame,
    candidate: Array,
) -> Json:
    """Candidate against champion on the rows that the champion was not trained on.

    `columns` are those of this execution's files. Raises ChampionProblem, whatever is wrong with the
    champion: its model must not keep a candidate from being judged.
    """
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = fetch_champion(session, bucket, champion, config["name"], Path(folder))
        model, training_rows, its_columns = found
        check_schema(model.config, config, rows)
        check_columns(its_columns, columns)
        fresh = ~np.isin(rows[ROW].to_numpy(), training_rows)
        champion_probability = model.probability(rows[fresh])
    except ChampionProblem:
        raise
    except InconsistentVersionWarning as error:
        raise ChampionProblem(
            f"was made with scikit-learn {error.original_sklearn_version}; "
            f"this image has {error.current_sklearn_version}"
        ) from error
    except ClientError as error:
        details = error.response["Error"]
        raise ChampionProblem(f"{error.operation_name}: {details['Code']}: {details['Message']}") from error
    except Exception as error:  # a pickle may raise anything
        raise ChampionProblem(f"cannot be scored: {type(error).__name__}: {error}") from error
    target = rows[config["target"]].to_numpy()[fresh]
    return comparison(target, candidate[fresh], champion_probability, excluded=int((~fresh).sum()))


def comparison(target: Array, candidate: Array, champion: Array, *, excluded: int) -> Json:
    """Both models on the same rows, and candidate minus champion with its standard error, by metric."""
    ours, theirs = Scored(target, candidate), Scored(target, champion)
    ours_resampled, theirs_resampled = bootstrap([ours, theirs])
    our_values, their_values = ours.values(), theirs.values()
    differences = {}
    for name in METRICS:
        value = our_values[name] - their_values[name]
        error = spread(ours_resampled[name] - theirs_resampled[name]) if math.isfinite(value) else math.nan
        differences[name] = {"value": value, "standard_error": error}
    return {
        "n": ours.n,
        "excluded": excluded,
        "candidate": only_metrics(measured(our_values, ours_resampled)),
        "champion": only_metrics(measured(their_values, theirs_resampled)),
        "differences": differences,
        "method": f"paired bootstrap, {resamples_for(ours.n) if ours.n else 0} resamples, seed {SEED}",
    }


def fetch_champion(
    session: Any, bucket: str, champion: str, model: str, folder: Path
) -> tuple[Model, Array, Columns | None]:
    """The champion, the identities of the rows that it was trained on, and its files' columns if recorded.

    A model is code, so only one that a pipeline of ours wrote is loaded: below `models/<model>/`.
    """
    package = session.client("sagemaker", config=AWS).describe_model_package(ModelPackageName=champion)
    containers = package.get("InferenceSpecification", {}).get("Containers") or [{}]
    uri = containers[0].get("ModelDataUrl") or ""
    ours = f"s3://{bucket}/models/{model}/"
    if not uri.startswith(ours):
        raise ChampionProblem(f"its model {uri or '(none)'} does not lie under {ours}: not loaded")
    execution = uri.removeprefix(ours).split("/")[0]
    s3 = session.client("s3", config=AWS)
    archive, ids, report = (
        folder / name for name in ("champion.tar.gz", "training_rows.parquet", "data_report.json")
    )
    download(s3, uri, archive, "its model")
    download(s3, f"{ours}{execution}/training_rows.parquet", ids, "the list of rows that it was trained on")
    download(s3, f"{ours}{execution}/data_report.json", report, "the report on its data")
    columns = json.loads(report.read_text(encoding="utf-8")).get("columns")
    return load_model(archive, folder / "champion"), read_ids(ids), columns


def download(s3: Any, uri: str, path: Path, what: str) -> None:
    """Copy one object. Raises ChampionProblem, which calls it `what`."""
    place = urlsplit(uri)
    try:
        with path.open("wb") as file:
            s3.download_fileobj(place.netloc, place.path.lstrip("/"), file)
    except ClientError as error:
        raise ChampionProblem(f"{what}, {uri}, cannot be read: {error.response['Error']['Code']}") from error
    except BotoCoreError as error:
        raise ChampionProblem(f"{what}, {uri}, cannot be read: {error}") from error


def check_schema(champion: Mapping[str, Any], config: Mapping[str, Any], rows: pd.DataFrame) -> None:
    """Raises ChampionProblem unless the champion can be asked about these rows."""
    if champion["target"] != config["target"]:
        raise ChampionProblem(f"it predicts {champion['target']}, the candidate {config['target']}")
    for kind, names in champion["features"].items():
        if missing := [name for name in names if name not in rows]:
            raise ChampionProblem(f"it needs {', '.join(missing)}, which is no feature any more")
        if changed := [name for name in names if name not in config["features"][kind]]:
            raise ChampionProblem(f"it takes {', '.join(changed)} as {kind}, the candidate does not")


def check_columns(champion: Columns | None, candidate: Columns) -> None:
    """Raises ChampionProblem unless a row of the champion's files has the same identity in the candidate's.

    An identity is of all columns: with one more, every row that the champion has seen would look fresh.
    """
    if champion == candidate:
        return
    if champion is None:
        what = "it is not recorded which columns the files had that it was trained on"
    else:
        before, now = ({name for names in files for name in names} for files in (champion, candidate))
        changes = {"added": sorted(now - before), "removed": sorted(before - now)}
        said = ", ".join(f"{change} {', '.join(names)}" for change, names in changes.items() if names)
        what = f"the files have other columns than those it was trained on ({said or 'others in each file'})"
    raise ChampionProblem(f"{what}: which rows it has seen cannot be told")


# --- the whole --------------------------------------------------------------------------------------------


def evaluate(
    model: Model,
    rows: pd.DataFrame,
    config: Mapping[str, Any],
    *,
    training_rows: Array,
    columns: Columns,
    batch: str,
    execution: str,
    bucket: str,
    champion: str | None,
    session: Any = None,
) -> Json:
    """evaluation.json as plain data, with NaN where a metric is undefined (`to_json` deals with that).

    `training_rows` are the identities of those that `model` was trained on, `columns` those of the files.
    `champion` is a package ARN or None; `session` is a boto3 session and only needed where there is one.
    """
    leaked = np.isin(rows[ROW].to_numpy(), training_rows)
    rows = rows[~leaked]
    target = rows[config["target"]].to_numpy()
    probability = model.probability(rows)
    scored = Scored(target, probability)
    candidate = scores(scored)
    slices = slice_scores(rows, target, probability, config["slices"])
    found, problem = None, None
    if champion:
        try:
            found = compare(session, bucket, champion, config, columns, rows, probability)
        except ChampionProblem as error:
            problem = " ".join(str(error).split())[:1000]
    return {
        "binary_classification_metrics": {
            "confusion_matrix": scored.confusion(),
            **{theirs: candidate["metrics"][ours] for theirs, ours in SAGEMAKER_METRICS.items()},
        },
        "handsoff": {
            "schema_version": 1,
            "model": config["name"],
            "task": config["task"],
            "execution": execution,
            "batch": batch,
            "leaked": int(leaked.sum()),
            "candidate": {**candidate, "metrics": only_metrics(candidate["metrics"])},
            "slices": [{**item, "metrics": only_metrics(item["metrics"])} for item in slices],
            "champion": champion,
            "champion_problem": problem,
            "comparison": found,
        },
    }


def only_metrics(values: Mapping[str, Any]) -> Json:
    return {name: values[name] for name in METRICS}


def to_json(evaluation: Mapping[str, Any]) -> str:
    """Strict JSON: what is undefined is "NaN" in SageMaker's part, as SageMaker does, and null in ours."""
    parts = {key: undefined(part, None if key == "handsoff" else "NaN") for key, part in evaluation.items()}
    return json.dumps(parts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def undefined(value: Any, instead: str | None) -> Any:
    """`value` with `instead` in place of each number that is not finite, however deep."""
    if isinstance(value, dict):
        return {key: undefined(item, instead) for key, item in value.items()}
    if isinstance(value, list):
        return [undefined(item, instead) for item in value]
    return instead if isinstance(value, float) and not math.isfinite(value) else value


def summary(evaluation: Mapping[str, Any]) -> str:
    """A table for the log."""
    ours = evaluation["handsoff"]
    lines = [f"candidate on {ours['candidate']['n']} rows"]
    if ours["leaked"]:
        lines[0] += f"; left out: {ours['leaked']} validation rows that it was trained on"
    for name, metric in ours["candidate"]["metrics"].items():
        lines.append(f"  {name:18} {metric['value']:8.4f} ± {metric['standard_deviation']:.4f}")
    for item in ours["slices"]:
        where = ", ".join(f"{column}={value}" for column, value in item["where"].items())
        recall, accuracy = item["metrics"]["recall"]["value"], item["metrics"]["accuracy"]["value"]
        lines.append(f"where {where}: {item['n']} rows, accuracy {accuracy:.4f}, recall {recall:.4f}")
    if not ours["champion"]:
        lines.append("there is no champion")
    elif ours["champion_problem"]:
        lines.append(f"champion {ours['champion']} not compared: {ours['champion_problem']}")
    else:
        found = ours["comparison"]
        lines.append(
            f"against champion {ours['champion']} on {found['n']} rows, {found['excluded']} excluded"
        )
        for name, metric in found["differences"].items():
            lines.append(f"  {name:18} {metric['value']:+8.4f} ± {metric['standard_error']:.4f}")
    return "\n".join(lines)


def write_message(text: str) -> None:
    """SageMaker shows the first kilobyte of this file as the job's ExitMessage."""
    path = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "output", "message")
    with suppress(OSError):  # the log has it as well
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(text.split())[:1000], encoding="utf-8")


def run(given: argparse.Namespace) -> None:
    config = json.loads(given.config.read_text(encoding="utf-8"))
    report = json.loads(given.report.read_text(encoding="utf-8"))
    session = boto3.Session()
    champion = None if given.champion == "none" else given.champion
    if champion == "latest":
        champion = newest_approved(session.client("sagemaker", config=AWS), given.group)
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(given.model / "model.tar.gz", Path(folder))
    evaluation = evaluate(
        model,
        read_rows(given.validation, config),
        config,
        training_rows=read_ids(given.training_rows),
        columns=report["columns"],
        batch=report["batch"],
        execution=given.execution,
        bucket=given.bucket,
        champion=champion,
        session=session,
    )
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "evaluation.json").write_text(to_json(evaluation), encoding="utf-8")
    print(summary(evaluation), flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="model.json")
    parser.add_argument("--model", type=Path, required=True, help="folder of model.tar.gz")
    parser.add_argument("--validation", type=Path, required=True, help="folder of Parquet files")
    parser.add_argument("--training-rows", type=Path, required=True, help="training_rows.parquet")
    parser.add_argument("--report", type=Path, required=True, help="data_report.json")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--group", required=True, help="model package group, for --champion latest")
    parser.add_argument("--champion", required=True, help="a model package's ARN, none, or latest")
    parser.add_argument("--execution", required=True, help="the pipeline execution's ARN")
    parser.add_argument("--output", type=Path, required=True)
    try:
        run(parser.parse_args(arguments))
    except Exception as error:
        write_message(f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main()
