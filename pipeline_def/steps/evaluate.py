"""ModelEvaluation: what the candidate is worth on the validation rows, and against the champion on the same.

A validation row that the candidate was trained on says nothing about it and is left out, from everything.
Writes evaluation.json: SageMaker's model-quality format at the top, what our rules read under `handsoff`.
Decides nothing. A champion that cannot be scored is reported in `champion_problem`; it never fails the job.
Runs in SageMaker's scikit-learn image and imports nothing of this project but the scripts beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import boto3
import numpy as np
import pandas as pd

import binary
import drift
import multiclass
import regression
from artifact import Array, Model, load_model
from champion import (
    AWS,
    ROW,
    ChampionProblem,
    Columns,
    check_columns,
    check_schema,
    fetch,
    newest_approved,
    problems,
    read_ids,
    read_json,
)
from uncertainty import agreement, measured, paired

Json = dict[str, Any]

TASKS: Final[Mapping[str, ModuleType]] = {
    "binary_classification": binary,
    "multiclass_classification": multiclass,
    "regression": regression,
}
UNDEFINED: Final = {"value": math.nan, "standard_deviation": math.nan, "interval": [math.nan, math.nan]}
MOST_DRIFTED: Final = 5  # features that the log names


def read_rows(folder: Path, config: Mapping[str, Any]) -> pd.DataFrame:
    """The validation rows as DataPreProcessing wrote them; what is missing is NaN in every column."""
    frame = pd.read_parquet(folder)
    for name in config["features"]["categorical"]:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), np.nan)
    return frame


# --- scores -----------------------------------------------------------------------------------------------


def unusable(prediction: Array) -> int:
    """Rows with a prediction that is no finite number."""
    return int((~usable(prediction)).sum())


def usable(prediction: Array) -> Array:
    finite = np.isfinite(prediction)
    return finite if finite.ndim == 1 else np.asarray(finite.all(axis=1))


def scores(task: str, target: Array, prediction: Array) -> Json:
    """Every metric of these rows; all are undefined if a single prediction is unusable."""
    wrong = unusable(prediction)
    found = {} if wrong else measured(TASKS[task].score(target, prediction))
    return {
        "n": len(target),
        "unusable": wrong,
        "smallest_class": smallest_class(task, target),
        "metrics": metrics(task, found),
    }


def smallest_class(task: str, target: Array) -> int | None:
    """How many rows are of the rarest class that occurs; None in regression, and where there are no rows."""
    if task == "regression" or not len(target):
        return None
    return int(np.unique(target, return_counts=True)[1].min())


def metrics(task: str, found: Mapping[str, Json], undefined: Json = UNDEFINED) -> dict[str, Json]:
    return {name: found.get(name, undefined) for name in TASKS[task].METRICS}


def compared(
    task: str, target: Array, ours: Array, theirs: Array
) -> tuple[dict[str, Json], dict[str, Json], dict[str, Json]]:
    """The metrics of both on the same rows, with all that SageMaker's format needs, and their differences."""
    module, wrong = TASKS[task], [unusable(prediction) for prediction in (ours, theirs)]
    if not any(wrong):
        return paired(module.score(target, ours), module.score(target, theirs))
    each = [
        {} if bad else measured(module.score(target, prediction))
        for bad, prediction in zip(wrong, (ours, theirs), strict=True)
    ]
    return each[0], each[1], {}


def differences(task: str, found: Mapping[str, Json]) -> dict[str, Json]:
    nothing = {"value": math.nan, "standard_error": math.nan, "freedom": math.nan, "bounds": [math.nan] * 2}
    return metrics(task, found, {**nothing, "method": "undefined: there are predictions that are no numbers"})


def comparison(task: str, target: Array, ours: Array, theirs: Array) -> Json:
    """Candidate and champion on the same rows, and candidate minus champion."""
    mine, others, gaps = compared(task, target, ours, theirs)
    found: Json = {
        "n": len(target),
        "smallest_class": smallest_class(task, target),
        "candidate": metrics(task, mine),
        "champion": metrics(task, others),
        "differences": differences(task, gaps),
        "agreement": None,
    }
    if task != "regression" and not unusable(ours) and not unusable(theirs):
        predicted = TASKS[task].predicted
        found["agreement"] = agreement(predicted(ours) == target, predicted(theirs) == target)
    return found


def inside(rows: pd.DataFrame, where: Mapping[str, str], boolean: Iterable[str]) -> Array:
    """Which rows are in a slice; of a boolean column its values are "true" and "false"."""
    found = np.ones(len(rows), dtype=bool)
    for column, value in where.items():
        wanted: str | float = {"true": 1.0, "false": 0.0}[value] if column in boolean else value
        found &= (rows[column] == wanted).to_numpy()
    return found


# --- what the candidate is compared with ------------------------------------------------------------------


def guess(config: Mapping[str, Any], train: Mapping[str, Any], n: int) -> tuple[str, Array]:
    """What guessing from the training rows predicts of n rows, in words and numbers: shares, or the mean.

    `train` is that split in data_report.json. The most frequent class is the first of several.
    """
    if config["task"] == "regression":
        mean = train["target"]["mean"]
        mean = math.nan if mean is None else mean
        return f"the training rows' mean {mean:.6g}", np.full(n, mean)
    shares = [train["class_share"][name] for name in config["classes"]]
    most = int(np.argmax(shares))
    text = f"class {config['classes'][most]}, {shares[most]:.3f} of the training rows"
    if config["task"] == "binary_classification":
        return text, np.full(n, shares[1])
    return text, np.tile(shares, (n, 1))


def against_champion(
    session: Any,
    given: Mapping[str, str],
    config: Mapping[str, Any],
    columns: Columns,
    rows: pd.DataFrame,
    candidate: Array,
    profile: Mapping[str, Any],
) -> tuple[Json, Json | None]:
    """The comparison on the rows that the champion was not trained on, and the drift if it can be told.

    `given` has bucket, champion and role. Raises ChampionProblem, whatever is wrong with the champion.
    """
    with problems():
        with tempfile.TemporaryDirectory() as folder:
            found = fetch(
                session, given["bucket"], given["champion"], config["name"], given["role"], Path(folder)
            )
        check_schema(found.model.config, config, rows)
        check_columns(found.columns, columns)
        fresh = ~np.isin(rows[ROW].to_numpy(), found.training_rows)
        rows, candidate = rows[fresh], candidate[fresh]
        champion = found.model.predict(rows)
        moved = None
        if found.profile:
            moved = {"reference": given["champion"], "columns": drift.drift(found.profile, profile)}
    task, target = config["task"], rows[config["target"]].to_numpy()
    slices = []
    for where in config["slices"]:
        mask = inside(rows, where, config["features"]["boolean"])
        slices.append(
            {"where": dict(where), **comparison(task, target[mask], candidate[mask], champion[mask])}
        )
    whole = comparison(task, target, candidate, champion)
    return {**whole, "excluded": int((~fresh).sum()), "slices": slices}, moved


# --- SageMaker's format -----------------------------------------------------------------------------------


def sagemaker_format(config: Mapping[str, Any], found: Json, target: Array, prediction: Array) -> Json:
    """The metrics as SageMaker's model-quality monitor writes them, under the task's key."""
    module = TASKS[config["task"]]
    values = {theirs: plain(found.get(ours, UNDEFINED)) for theirs, ours in module.SAGEMAKER.items()}
    if config["task"] != "regression":
        known = usable(prediction)
        values = {
            "confusion_matrix": confusion(
                target[known], module.predicted(prediction[known]), config["classes"]
            ),
            **values,
        }
    return {f"{config['task']}_metrics": values}


def plain(metric: Json) -> Json:
    return {name: metric[name] for name in ("value", "standard_deviation")}


def confusion(target: Array, predicted: Array, classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Rows by actual, then by predicted class."""
    cell = target.astype(np.int64) * len(classes) + predicted
    counts = np.bincount(cell, minlength=len(classes) ** 2).reshape(len(classes), -1)
    return {
        actual: {said: int(count) for said, count in zip(classes, row, strict=True)}
        for actual, row in zip(classes, counts, strict=True)
    }


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


# --- the whole --------------------------------------------------------------------------------------------


def evaluate(
    model: Model,
    rows: pd.DataFrame,
    config: Mapping[str, Any],
    *,
    training_rows: Array,
    report: Mapping[str, Any],
    profile: Mapping[str, Any],
    execution: str,
    bucket: str,
    role: str,
    champion: str | None,
    session: Any = None,
) -> Json:
    """evaluation.json as plain data, with NaN where a metric is undefined (`to_json` deals with that).

    `training_rows` are the identities of those that `model` was trained on; `report` and `profile` are what
    DataPreProcessing wrote of them. `role` is the ARN that this pipeline's jobs run as. `champion` is a
    package ARN or None; `session` is a boto3 session and only needed where there is one.
    """
    leaked = np.isin(rows[ROW].to_numpy(), training_rows)
    rows = rows[~leaked]
    task, target, prediction = config["task"], rows[config["target"]].to_numpy(), model.predict(rows)
    guessed, constant = guess(config, report["splits"]["train"], len(rows))
    ours, guessing, gaps = compared(task, target, prediction, constant)
    slices = []
    for where in config["slices"]:
        mask = inside(rows, where, config["features"]["boolean"])
        slices.append({"where": dict(where), **scores(task, target[mask], prediction[mask])})
    found, moved, problem = None, None, None
    if champion:
        try:
            given = {"bucket": bucket, "champion": champion, "role": role}
            found, moved = against_champion(
                session, given, config, report["columns"], rows, prediction, profile
            )
        except ChampionProblem as error:
            problem = " ".join(str(error).split())[:1000]
    return {
        **sagemaker_format(config, ours, target, prediction),
        "handsoff": {
            "schema_version": 2,
            "model": config["name"],
            "task": task,
            "classes": config["classes"],
            "execution": execution,
            "batch": report["batch"],
            "leaked": int(leaked.sum()),
            "candidate": {
                "n": len(rows),
                "unusable": unusable(prediction),
                "smallest_class": smallest_class(task, target),
                "metrics": metrics(task, ours),
            },
            "slices": slices,
            "baseline": {
                "predicts": guessed,
                "metrics": metrics(task, guessing),
                "differences": differences(task, gaps),
            },
            "data": {
                split: {name: report["splits"][split][name] for name in ("rows", "missing_share")}
                for split in ("train", "validation")
            },
            "champion": champion,
            "champion_problem": problem,
            "comparison": found,
            "drift": moved,
        },
    }


def summary(evaluation: Mapping[str, Any]) -> str:
    """A table for the log."""
    ours = evaluation["handsoff"]
    candidate, baseline = ours["candidate"], ours["baseline"]
    lines = [f"candidate on {candidate['n']} rows"]
    if ours["leaked"]:
        lines[0] += f"; left out: {ours['leaked']} validation rows that it was trained on"
    if candidate["unusable"]:
        lines.append(f"warning: {candidate['unusable']} predictions are no numbers: no metric is defined")
    lines.append(f"  {'':26} {'value':>10}   {'deviation':>9}   guessing {baseline['predicts']}")
    for name, metric in candidate["metrics"].items():
        guessed = baseline["metrics"][name]["value"]
        lines.append(
            f"  {name:26} {metric['value']:10.4f} ± {metric['standard_deviation']:9.4f}   {guessed:.4f}"
        )
    for item in ours["slices"]:
        said = ", ".join(
            f"{name} {item['metrics'][name]['value']:.4f}" for name in TASKS[ours["task"]].METRICS[:4]
        )
        lines.append(f"where {named(item['where'])}: {item['n']} rows, {said}")
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
            lines.append(f"  {name:26} {metric['value']:+10.4f} ± {metric['standard_error']:9.4f}")
        if agreed := found["agreement"]:
            lines.append(
                f"  right: both {agreed['both_right']}, only the candidate {agreed['only_candidate']}, "
                f"only the champion {agreed['only_champion']}, none {agreed['both_wrong']}; "
                f"McNemar p = {agreed['mcnemar_p']:.4f}"
            )
    if ours["drift"]:
        beyond = {name: item["psi"] - item["by_chance"] for name, item in ours["drift"]["columns"].items()}
        worst = sorted(beyond.items(), key=lambda item: (math.isnan(item[1]), -item[1]))[:MOST_DRIFTED]
        said = ", ".join(f"{name} {value:.3f}" for name, value in worst)
        lines.append(f"drift since then, beyond chance: {said}")
    return "\n".join(lines)


def named(where: Mapping[str, str]) -> str:
    return ", ".join(f"{column}={value}" for column, value in where.items())


def write_message(text: str) -> None:
    """SageMaker shows the first kilobyte of this file as the job's ExitMessage."""
    path = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "output", "message")
    with suppress(OSError):  # the log has it as well
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(" ".join(text.split())[:1000], encoding="utf-8")


def run(given: argparse.Namespace) -> None:
    config = read_json(given.config)
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
        report=read_json(given.report),
        profile=read_json(given.profile),
        execution=given.execution,
        bucket=given.bucket,
        role=given.role,
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
    parser.add_argument("--profile", type=Path, required=True, help="data_profile.json")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--group", required=True, help="model package group, for --champion latest")
    parser.add_argument("--role", required=True, help="ARN of the role that the pipeline's jobs run as")
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
