"""The candidate beside another model on the same rows: guessing, or the champion."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import numpy as np
import pandas as pd

import drift
from champion import Champion, Columns, check_schema, check_spelling, fetch, problems, rows_seen
from clusters import numbered
from found_slices import worse_slices
from job import Array, Json, StepConfig, Task, scratch
from scoring import alike, counts_of, inside, metrics, scored, unusable
from seen_rows import Seen
from uncertainty import agreement, measured, paired


@dataclass(frozen=True)
class ChampionSource:
    """Where a champion is found: its package's ARN, the data bucket, and the ARN of the role of our jobs.

    `output` is the folder of the step's output, in which its files are unpacked. `predictions` is the
    folder of its predictions of all `rows` validation rows, if it was scored in its own image.
    """

    session: boto3.Session
    package: str
    bucket: str
    role: str
    output: Path
    predictions: Path | None = None
    rows: int = 0


@dataclass(frozen=True)
class Shared:
    """The validation rows on which candidate and champion were compared.

    `rows` says of each of the candidate's n rows whether it is one of them, `champion` has the champion's
    prediction of these, and `loaded` is the champion.
    """

    rows: Array
    champion: Array
    loaded: Champion


class Compared(NamedTuple):
    """The metrics of two models on the same rows, and their differences.

    These are more metrics than rules may name: SageMaker's format needs others. A model with an unusable
    prediction has no metric, and then no difference is defined. `labels` are the predicted classes of both
    (n each); None in regression, and where a prediction is unusable.
    """

    ours: dict[str, Json]
    theirs: dict[str, Json]
    differences: dict[str, Json]
    labels: list[Array] | None


def compared(
    task: Task, target: Array, ours: Array, theirs: Array, clusters: Array | None = None
) -> Compared:
    """Every metric of both models, and candidate minus other. `clusters` (n) are ids of any kind."""
    wrong = [unusable(task, prediction) for prediction in (ours, theirs)]
    ours, theirs = alike(ours, theirs)
    clusters = numbered(clusters)  # once: both models share the array
    if not any(wrong):
        both = [scored(task, target, prediction, clusters) for prediction in (ours, theirs)]
        labels = [item.labels.predicted for item in both if item.labels]
        return Compared(*paired(*both), labels or None)
    each = [
        {} if bad else measured(scored(task, target, prediction, clusters))
        for bad, prediction in zip(wrong, (ours, theirs), strict=True)
    ]
    return Compared(each[0], each[1], {}, None)


def differences(task: Task, found: Mapping[str, Json]) -> dict[str, Json]:
    """The differences of the metrics that rules may name: those found, and the others as undefined."""
    nothing = {"value": math.nan, "standard_error": math.nan, "freedom": math.nan, "bounds": [math.nan] * 2}
    return metrics(task, found, {**nothing, "method": "undefined: there are predictions that are no numbers"})


def comparison(task: Task, target: Array, ours: Array, theirs: Array, clusters: Array | None = None) -> Json:
    """Candidate and champion on the same rows, and candidate minus champion."""
    clusters = numbered(clusters)
    mine, others, gaps, labels = compared(task, target, ours, theirs, clusters)
    found: Json = {
        "n": len(target),
        **counts_of(task, target, labels, clusters),
        "candidate": metrics(task, mine),
        "champion": metrics(task, others),
        "differences": differences(task, gaps),
        "agreement": None,
    }
    if labels is not None:
        found["agreement"] = agreement(labels[0] == target, labels[1] == target, clusters)
    return found


def fetched(source: ChampionSource, config: StepConfig) -> Champion:
    """The champion, loaded or as predictions. Raises ChampionProblem for everything that is wrong with it."""
    where = source.session, source.bucket, source.package, config.name, source.role
    with problems(show=config.show_values), scratch(source.output) as folder:
        return fetch(*where, folder, source.predictions, source.rows)


def against_champion(
    found: Champion,
    package: str,
    config: StepConfig,
    rows: pd.DataFrame,
    candidate: Array,
    *,
    columns: Columns,
    profile: Mapping[str, Any],
    unknown: Mapping[str, Array],
) -> tuple[Json, Json | None, Shared]:
    """The comparison on the rows that the champion has not seen, the drift if known, and these rows.

    `package` is the champion's ARN. `candidate` are the candidate's predictions of `rows`, and `unknown` says
    for each categorical feature and row whether the candidate does not know the category. `columns` and
    `profile` describe the candidate's data. Raises ChampionProblem if the two cannot be compared.
    """
    with problems(show=config.show_values):
        check_schema(found.model.config, config, rows)
        check_spelling(found, config)
        known = rows_seen(found, config, rows, columns)
        fresh = known.left
        rows, candidate = rows[fresh], candidate[fresh]
        spelled = found.model.respelled(rows, config.data.spelling)
        champion = found.model.predict(spelled)
        unfamiliar = unknown_to_champion(
            found.model.unknown(spelled),
            {name: item[fresh] for name, item in unknown.items()},
            (found.profile, profile),
            config.data.new_categories,
        )
        moved = moved_from(found, package, profile, config)
    target, clusters = (rows[name].to_numpy() for name in (config.target, config.cluster_column))
    slices = []
    for where in config.slices:
        mask = inside(rows, where, config)
        some = (target[mask], candidate[mask], champion[mask], clusters[mask])
        slices.append({"where": dict(where), **comparison(config.task, *some)})
    whole = comparison(config.task, target, candidate, champion, clusters)
    searched = worse_slices(config, rows, candidate, champion)
    beside = {**whole, **left_out(known), "slices": slices, **searched, **unfamiliar}
    return beside, moved, Shared(fresh, champion, found)


def moved_from(found: Champion, package: str, profile: Mapping[str, Any], config: StepConfig) -> Json | None:
    """The drift of the candidate's data from the champion's; None if the champion has no profile."""
    if not found.profile:
        return None
    reference = drift.with_target(found.profile, found.report)
    return {"reference": package, **drift.shift(reference, profile, config.data.spelling)}


def left_out(known: Seen) -> Json:
    """How many validation rows leave the comparison because the champion has seen them or their groups."""
    return {
        "excluded": int(known.same.sum()),
        "excluded_groups": int(known.same_group.sum()),
        "lookalikes": known.lookalikes,
    }


def unknown_to_champion(
    champion: Mapping[str, Array],
    candidate: Mapping[str, Array],
    profiles: tuple[Mapping[str, Any] | None, Mapping[str, Any]],
    expected: Collection[str],
) -> dict[str, Json]:
    """How many of the compared rows have a category that the champion does not know.

    `unknown` has, by feature, the share of such rows, and the part of it that the candidate knows.
    `unfamiliar` has the share of rows in which the candidate knows what the champion does not, in any feature
    but those that are `expected` to have new categories, and the part of it that chance explains. `champion`
    and `candidate` say, by feature and row, whether the model does not know the category; `profiles` are
    those of both.
    """
    lost = {
        name: rows & ~candidate[name] if name in candidate else rows & False
        for name, rows in champion.items()
    }
    counted = [name for name in champion if name not in expected]
    unfamiliar = np.any([lost[name] for name in counted], axis=0) if counted else np.zeros(0, dtype=bool)
    chance = (min(share(lost[name]), known_to_one_by_chance(name, *profiles)) for name in counted)
    return {
        "unknown": {
            name: {"share": share(rows), "known_to_candidate": share(lost[name])}
            for name, rows in champion.items()
        },
        "unfamiliar": {"share": share(unfamiliar), "by_chance": min(1.0, sum(chance))},
    }


def known_to_one_by_chance(
    feature: str, champion: Mapping[str, Any] | None, candidate: Mapping[str, Any]
) -> float:
    """The share of values that are new to the champion and not to the candidate, as chance alone explains it.

    It is at most the product of both probabilities: rare categories are new to both.
    """
    return new_by_chance(champion, feature) * (1 - new_by_chance(candidate, feature)) if champion else 0.0


def new_by_chance(profile: Mapping[str, Any], feature: str) -> float:
    """The share of values whose category is new, as the training rows of a data_profile.json explain it.

    It is the part of them whose category they have once (Good 1953); 0 if the profile did not count these.
    """
    column = profile["columns"].get(feature, {})
    trained = profile["rows"] - column.get("missing", 0)
    return column.get("once", 0) / trained if trained else 0.0


def share(rows: Array) -> float:
    """The share of the rows that are true; 0 if there are none."""
    return float(rows.mean()) if len(rows) else 0.0
