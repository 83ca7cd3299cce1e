"""ModelEvaluation: what the candidate is worth on the validation rows, alone and against the champion.

Validation rows that the candidate was trained on are left out of every number. The step writes
evaluation.json: SageMaker's model-quality format at the top, what the approval rules read under `handsoff`.
It decides nothing. If the champion cannot be scored, `champion_problem` says why and the job succeeds. Runs
in SageMaker's scikit-learn image, with the other step scripts beside it.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import pandas as pd

from anchor import anchor_part
from artifact import Model, load_model
from champion import ChampionProblem, package_of, problems
from comparison import (
    ChampionSource,
    Shared,
    against_champion,
    compared,
    differences,
    fetched,
    new_by_chance,
    share,
)
from data_changes import data_changes
from data_report import data_notes
from evaluation_summary import summary
from job import SPLITS, Array, Json, StepConfig, one_line, read_config, read_json, scratch
from kept_rows import read_rows
from model_quality import sagemaker_format, to_json
from picture import Shown
from predicted import Predicted, answer_notes, read_predicted, read_scoring
from provenance import of_artifact, of_scoring
from reasons import print_error, reason_written
from row_ids import COLUMNS, Held, Ids, read_training_ids
from scoring import guess, inside, metrics, scores, scores_of
from search import search_notes
from seen_rows import Seen, copies, seen, validation_identity
from split_drift import date_notes

SCHEMA_VERSION: Final = 2
"""The version of `handsoff` in evaluation.json. A change that breaks a reader raises it."""


@dataclass(frozen=True)
class Trained:
    """What DataPreProcessing wrote about the candidate's data.

    `ids` are the identities of the training rows, `report` is data_report.json and `profile` is
    data_profile.json.
    """

    ids: Ids
    report: Mapping[str, Any]
    profile: Mapping[str, Any]


def evaluate(
    model: Model | Predicted,
    rows: pd.DataFrame,
    config: StepConfig,
    *,
    trained: Trained,
    made: Json,
    execution: str,
    champion: ChampionSource | None,
    anchor: ChampionSource | None = None,
) -> tuple[Json, Shown]:
    """evaluation.json as plain data, with NaN where a metric is undefined, which `to_json` replaces; and what
    pictures show of it.

    `rows` are the validation rows as `read_rows` gives them, `made` is the model's artifact and packages,
    `execution` is the execution's ARN. `champion` and `anchor` are None where there is none to compare with.
    """
    every = Held({name: rows[name].to_numpy() for name in COLUMNS if name in rows})
    known = seen(every, trained.ids, config.row_column, group=bool(config.data.group))
    rows = rows if known.left.all() else rows[known.left]  # a copy is as large as all columns
    prediction, unknown = model.predict(rows), model.unknown(rows)
    searched = model.search if isinstance(model, Model) else None
    report = trained.report
    beside, shared = champion_part(champion, config, rows, prediction, trained, unknown)
    others: Json = {"columns": report["columns"], "profile": trained.profile, "unknown": unknown}
    sagemaker, alone = candidate_part(config, rows, prediction, report)
    ours = {
        **heading(config, execution, report["batch"]),
        **made,
        "validation": validation_identity(every),
        **seen_part(config, every, known, trained.ids),
        **alone,
        "data": data_counts(report),
        "unknown": unknown_shares(unknown, rows, trained.profile),
        "data_notes": notes(report, model, prediction, searched),
        "search": searched,
        "validation_drift": report["validation_drift"],
        "time_drift": report["time_drift"],
        **beside,
        "anchor": anchor_part(anchor, beside, config, rows, prediction, **others),
    }
    shown = Shown(config, ours, model, rows, prediction, shared, report, trained.profile)
    return {**sagemaker, "handsoff": ours}, shown


def notes(
    report: Mapping[str, Any], model: Model | Predicted, prediction: Array, searched: Json | None
) -> list[str]:
    """What people should know of the data, the dates, the answers and the search."""
    found = (data_notes(report), date_notes(report), answer_notes(model, prediction), search_notes(searched))
    return [note for each in found for note in each]


def seen_part(config: StepConfig, every: Held, known: Seen, train: Ids) -> Json:
    """Which of the validation rows, whose identities are `every`, were seen in training, or are copies."""
    return {
        "leaked": int(known.same.sum()),
        "same_group": int(known.same_group.sum()),
        "lookalikes": known.lookalikes,
        "copies": copies(every, known.left, train, config.cluster_column),
    }


def heading(config: StepConfig, execution: str, batch: str) -> Json:
    """What was evaluated."""
    return {
        "schema_version": SCHEMA_VERSION,
        "model": config.name,
        "task": config.task,
        "classes": list(config.classes),
        "execution": execution,
        "batch": batch,
    }


def candidate_part(
    config: StepConfig, rows: pd.DataFrame, prediction: Array, report: Mapping[str, Any]
) -> tuple[Json, Json]:
    """SageMaker's part of evaluation.json, and our part about the candidate alone and beside guessing."""
    target, clusters = (rows[name].to_numpy() for name in (config.target, config.cluster_column))
    guessed, constant = guess(config, report["splits"]["train"], len(rows))
    ours, guessing, gaps, _ = compared(config.task, target, prediction, constant, clusters)
    return sagemaker_format(config, ours, target, prediction), {
        "candidate": scores_of(config.task, target, prediction, clusters, ours),
        "slices": slice_scores(config, rows, target, prediction, clusters),
        "baseline": {
            "predicts": guessed,
            "metrics": metrics(config.task, guessing),
            "differences": differences(config.task, gaps),
        },
    }


def slice_scores(
    config: StepConfig, rows: pd.DataFrame, target: Array, prediction: Array, clusters: Array
) -> list[Json]:
    """The candidate's metrics on each slice of the config."""
    found = []
    for where in config.slices:
        mask = inside(rows, where, config)
        some = (target[mask], prediction[mask], clusters[mask])
        found.append({"where": dict(where), **scores(config.task, *some)})
    return found


def data_counts(report: Mapping[str, Any]) -> Json:
    """Rows and shares of missing values by split, from data_report.json."""
    return {
        split: {name: report["splits"][split][name] for name in ("rows", "missing_share")} for split in SPLITS
    }


def unknown_shares(unknown: Mapping[str, Array], rows: pd.DataFrame, profile: Mapping[str, Any]) -> Json:
    """By categorical feature, the share of the rows with a value whose category is not among those of train.

    `by_chance` is the share that the training rows explain.
    """
    return {
        name: {
            "share": share(wrong[rows[name].notna().to_numpy()]),
            "by_chance": new_by_chance(profile, name),
        }
        for name, wrong in unknown.items()
    }


def champion_part(
    champion: ChampionSource | None,
    config: StepConfig,
    rows: pd.DataFrame,
    prediction: Array,
    trained: Trained,
    unknown: Mapping[str, Array],
) -> tuple[Json, Shared | None]:
    """What evaluation.json says about the champion: its ARN, the problem or the comparison, and the drift.

    `data_changes` also stands there if the champion was loaded and cannot be compared. The second result are
    the rows on which both were compared.
    """
    found, moved, changes, problem, shared = None, None, None, None, None
    if champion:
        try:
            loaded = fetched(champion, config)
            with problems(show=config.show_values):
                changes = data_changes(
                    loaded.report,
                    trained.report,
                    loaded.profile,
                    trained.profile,
                    config.data.spelling,
                    show=config.show_values,
                )
            found, moved, shared = against_champion(
                loaded,
                champion.package,
                config,
                rows,
                prediction,
                columns=trained.report["columns"],
                profile=trained.profile,
                unknown=unknown,
            )
        except ChampionProblem as error:
            problem = one_line(error)
    return {
        "champion": champion.package if champion else None,
        "champion_problem": problem,
        "comparison": found,
        "drift": moved,
        "data_changes": changes,
    }, shared


def model_source(given: argparse.Namespace, package: str) -> ChampionSource | None:
    """The model of this package, as `package_of` takes it; None for none, or where none is approved."""
    session = boto3.Session()
    found = package_of(session, package, given.group)
    return ChampionSource(session, found, given.bucket, given.role, given.output) if found else None


def scored_source(given: argparse.Namespace, folder: Path | None, rows: int) -> ChampionSource | None:
    """The model whose predictions of `rows` validation rows the folder has; None if there was none."""
    package = read_scoring(folder)["package"] if folder else None
    if package is None:
        return None
    return ChampionSource(boto3.Session(), package, given.bucket, given.role, given.output, folder, rows)


def run(given: argparse.Namespace) -> None:
    """Read what the earlier steps wrote, evaluate, and write evaluation.json to the output folder."""
    config, profile = read_config(given.config), read_json(given.profile)
    rows = read_rows(given.validation, config)
    model: Model | Predicted
    if given.candidate_predictions:
        model = read_predicted(given.candidate_predictions, len(rows), profile)
        made = of_scoring(read_scoring(given.candidate_predictions))
        champion, anchor = (
            scored_source(given, folder, len(rows))
            for folder in (given.champion_predictions, given.anchor_predictions)
        )
    else:
        champion, anchor = (model_source(given, package) for package in (given.champion, given.anchor))
        with scratch(given.output) as folder:
            model = load_model(given.model / "model.tar.gz", folder)
        made = of_artifact(given.model / "model.tar.gz")
    evaluation, shown = evaluate(
        model,
        rows,
        config,
        made=made,
        trained=Trained(read_training_ids(given.training_rows), read_json(given.report), profile),
        execution=given.execution,
        champion=champion,
        anchor=anchor,
    )
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "evaluation.json").write_text(to_json(evaluation), encoding="utf-8")
    print(summary(evaluation), flush=True)
    draw(shown, given.output)


def draw(shown: Shown, folder: Path) -> None:
    """Write pictures.json to the folder. The step succeeds without it, and the log says why there is none."""
    try:
        from pictures import write_pictures  # here, so that the evaluation needs nothing of it

        write_pictures(shown, folder)
    except Exception as error:
        print_error(error, show=shown.config.show_values)
        print("pictures.json is not written", flush=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments that definition.py gives the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="model.json")
    parser.add_argument("--model", type=Path, help="folder of model.tar.gz; not of own code")
    for model in ("candidate", "champion", "anchor"):
        folder = f"folder of the {model}'s predictions.csv and scoring.json, of own code"
        parser.add_argument(f"--{model}-predictions", type=Path, help=folder)
    parser.add_argument("--validation", type=Path, required=True, help="folder of Parquet files")
    parser.add_argument("--training-rows", type=Path, required=True, help="training_rows.parquet")
    parser.add_argument("--report", type=Path, required=True, help="data_report.json")
    parser.add_argument("--profile", type=Path, required=True, help="data_profile.json")
    parser.add_argument("--bucket", required=True, help="the data bucket")
    parser.add_argument("--group", required=True, help="model package group, for latest and first")
    parser.add_argument("--role", required=True, help="ARN of the role that the pipeline's jobs run as")
    parser.add_argument("--champion", default="none", help="a model package's ARN, none, or latest")
    parser.add_argument("--anchor", default="none", help="a model package's ARN, none, or first")
    parser.add_argument("--execution", required=True, help="the pipeline execution's ARN")
    parser.add_argument("--output", type=Path, required=True, help="folder for evaluation.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the step. An error leaves its reason as the job's ExitMessage."""
    given = parse(arguments)
    with reason_written("message", given.config):
        run(given)


if __name__ == "__main__":
    main()
