"""Every check of one evaluation, and the reason to hold a candidate whose evaluation fails one. Pure.

Two numbers that contradict each other hold the candidate: one of them is wrong, and a rule may have read it.
Evaluations of earlier versions lack some numbers. What is not there contradicts nothing. Paths in the
sentences are those below `handsoff`, but for SageMaker's part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Final

from retraining.verdicts.bounds import quantile
from retraining.verdicts.consistency.confusion import of_confusion
from retraining.verdicts.consistency.metrics import of_pair, of_rows, of_sagemaker
from retraining.verdicts.consistency.sentences import alike, at_most, counted, same, within
from retraining.verdicts.evaluation import (
    Agreement,
    Comparison,
    Evaluation,
    FoundSlice,
    Lookalikes,
    Paired,
    Scores,
    Shift,
)
from retraining.verdicts.verdict import Reason

MAX_NAMED: Final = 3
"""Contradictions that the reason names; it counts the others."""


def doubts(evaluation: Evaluation) -> list[Reason]:
    """The reason to hold a candidate whose evaluation contradicts itself, whatever its rules say."""
    found = contradictions(evaluation)
    if not found:
        return []
    more = f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    text = (
        f"evaluation.json does not add up: {'; '.join(found[:MAX_NAMED])}{more}; read the log of "
        "ModelEvaluation, and start the execution again"
    )
    return [Reason(code="evaluation_inconsistent", text=text)]


def contradictions(evaluation: Evaluation) -> list[str]:
    """What does not add up, one sentence each: the path of a number, its value, and what contradicts it.

    Empty for an evaluation that was not read from a file.
    """
    if evaluation.quality is None:
        return []
    return [
        *_task(evaluation),
        *_quality(evaluation, evaluation.quality),
        *_scores("candidate", evaluation.candidate, evaluation),
        *_slices(evaluation),
        *of_pair(
            "baseline.differences",
            ("candidate.metrics", "baseline.metrics"),
            (evaluation.candidate.metrics, evaluation.baseline.metrics),
            evaluation.baseline.differences,
        ),
        *of_rows("baseline.metrics", evaluation.task, evaluation.candidate.n, evaluation.baseline.metrics),
        *_data(evaluation),
        *_champion(evaluation),
    ]


def _task(evaluation: Evaluation) -> Iterator[str]:
    """What is wrong with task and classes."""
    known = len(set(evaluation.classes))
    fits = {"regression": known == 0, "binary_classification": known == 2}
    if known != len(evaluation.classes) or not fits.get(evaluation.task, known > 1):
        yield f"classes are {', '.join(evaluation.classes) or 'none'}, but task is {evaluation.task}"


def _quality(evaluation: Evaluation, quality: Mapping[str, object]) -> Iterator[str]:
    """What is wrong with SageMaker's part, which is below the task's key."""
    key = f"{evaluation.task}_metrics"
    others = [name for name in quality if name.endswith("_metrics") and name != key]
    if others:
        yield f"the file has {', '.join(others)}, but task is {evaluation.task}"
    found = quality.get(key)
    if not isinstance(found, Mapping):
        return
    yield from of_sagemaker(key, found, evaluation.candidate.metrics)
    yield from of_confusion(f"{key}.confusion_matrix", evaluation, found.get("confusion_matrix"))


# ---- rows ------------------------------------------------------------------------------------------------


def _scores(path: str, scores: Scores, evaluation: Evaluation) -> Iterator[str]:
    """What is wrong with the candidate's scores on some rows."""
    yield from at_most(f"{path}.unusable", scores.unusable, scores.n, f"{path}.n")
    if scores.unusable:
        for name, item in scores.metrics.items():
            if not math.isnan(item.value):
                yield f"{path}.metrics.{name}.value is {item.value:.7g}, but {path}.unusable is not 0"
    yield from _counts(path, scores, evaluation)
    alone = scores.clusters in (None, scores.n)
    yield from of_rows(f"{path}.metrics", evaluation.task, scores.n, scores.metrics, independent=alone)


def _counts(path: str, rows: Scores | Paired, evaluation: Evaluation) -> Iterator[str]:
    """What is wrong with the counts of clusters and classes among some rows."""
    metrics = rows.metrics if isinstance(rows, Scores) else rows.candidate
    area = next((metrics[name].value for name in ("roc_auc", "roc_auc_ovr") if name in metrics), math.nan)
    several = not math.isnan(area)  # rows of at least two classes
    yield from at_most(f"{path}.clusters", rows.clusters, rows.n, f"{path}.n")
    most = rows.n if rows.clusters is None else rows.clusters
    of_class = min(most, rows.n // 2) if several else most
    for name, value, highest in (
        ("smallest_class", rows.smallest_class, of_class),
        ("smallest_predicted", rows.smallest_predicted, most),
    ):
        yield from at_most(f"{path}.{name}", value, highest, "the most that these rows can have")
        known = getattr(evaluation.candidate, name) is not None
        if value is None and known and rows.n and evaluation.task != "regression":
            yield f"{path}.{name} is not given, but that of the candidate is"
        if value is not None and evaluation.task == "regression":
            yield f"{path}.{name} is {value}, but regression has no classes"


def _slices(evaluation: Evaluation) -> Iterator[str]:
    """What is wrong with the candidate's slices."""
    features, seen = evaluation.data.train.missing_share, []
    for place, item in enumerate(evaluation.slices):
        path = f"slices[{place}]"
        yield from _scores(path, item, evaluation)
        yield from at_most(f"{path}.n", item.n, evaluation.candidate.n, "candidate.n")
        if item.where in seen:
            yield f"{path}.where is {item.where}, as that of an earlier slice"
        seen.append(item.where)
        if features and (unknown := [name for name in item.where if name not in features]):
            yield f"{path}.where names {', '.join(unknown)}, which is no feature"


def _data(evaluation: Evaluation) -> Iterator[str]:
    """What is wrong with the counts and the shares of the data."""
    rows = evaluation.data.validation.rows
    left = evaluation.leaked + evaluation.same_group
    counts = evaluation.candidate.n + left
    yield from same("candidate.n + leaked + same_group", counts, rows, "data.validation.rows")
    for split, data in (("train", evaluation.data.train), ("validation", evaluation.data.validation)):
        for name, share in data.missing_share.items():
            path = f"data.{split}.missing_share.{name}"
            yield from within(path, share, 0, 1)
            yield from counted(path, share, data.rows, f"data.{split}.rows")
    for name, item in (evaluation.unknown or {}).items():
        yield from within(f"unknown.{name}.share", item.share, 0, 1)
        yield from within(f"unknown.{name}.by_chance", item.by_chance, 0, 1)
        trained = evaluation.data.train.rows * (1 - evaluation.data.train.missing_share.get(name, math.nan))
        what = "the number of training rows with a value"
        yield from counted(f"unknown.{name}.by_chance", item.by_chance, trained, what)
        if not left:
            measured = rows * (1 - evaluation.data.validation.missing_share.get(name, math.nan))
            what = "the number of validation rows with a value"
            yield from counted(f"unknown.{name}.share", item.share, measured, what)
    for path, found in (("lookalikes", evaluation.lookalikes), ("copies", evaluation.copies)):
        if found:
            yield from _lookalikes(path, found, rows, evaluation.data.train.rows)
    yield from _chance(evaluation)
    for path, shift in (
        ("drift", evaluation.drift),
        ("validation_drift", evaluation.validation_drift),
        ("time_drift", evaluation.time_drift),
    ):
        yield from _shift(path, shift)


def _lookalikes(path: str, found: Lookalikes, rows: int, train_rows: float) -> Iterator[str]:
    """What is wrong with the counts of look-alike rows, or their z (docs/reference/rules.md)."""
    yield from at_most(f"{path}.n", found.n, rows, "the number of rows")
    yield from at_most(f"{path}.equal", found.equal, found.n, f"{path}.n")
    yield from at_most(f"{path}.train_n", found.train_n, train_rows, "the number of training rows")
    yield from within(f"{path}.train_share", found.train_share, 0, 1)
    if not found.n or not found.train_n or not 0 <= found.train_share <= 1:
        return
    yield from counted(f"{path}.train_share", found.train_share, found.train_n, f"{path}.train_n")
    share, one, other = found.equal / found.n, 1 / found.n, 1 / found.train_n
    yield from same(f"{path}.share", found.share, share, f"{path}.equal / n")
    chance = min(max(found.train_share, one, 4 * other), max(1 - other, 0.5))
    variance = 0.0
    for name, value, most in (
        ("independent", found.independent, found.n),
        ("train_independent", found.train_independent, found.train_n),
    ):
        yield from at_most(f"{path}.{name}", value, most, "the number of different rows")
        variance += 1 / (most if value is None or not value > 0 else value)
    z = (share - chance) / math.sqrt(chance * (1 - chance) * variance)
    yield from same(f"{path}.z", found.z, z, "the z of these shares")


def _chance(evaluation: Evaluation) -> Iterator[str]:
    """That the chance of the validation rows' drift is not that of a whole number of bins."""
    found, data = evaluation.validation_drift, evaluation.data
    if found is None or not (data.train.rows and data.validation.rows):
        return
    each = 1 / data.train.rows + 1 / data.validation.rows
    for name, item in found.columns.items():
        path = f"validation_drift.columns.{name}.by_chance"
        yield from counted(path, item.by_chance, 1 / each, "1 / (1/train rows + 1/validation rows)")


def _shift(path: str, shift: Shift | None) -> Iterator[str]:
    """What is wrong with the indices of one drift."""
    if shift is None:
        return
    named = [(f"{path}.columns.{name}", item) for name, item in shift.columns.items()]
    for at, item in [*named, *([(f"{path}.target", shift.target)] if shift.target else [])]:
        yield from within(f"{at}.psi", item.psi, 0, math.inf)
        yield from within(f"{at}.by_chance", item.by_chance, 0, math.inf)


# ---- the champion ----------------------------------------------------------------------------------------


def _champion(evaluation: Evaluation) -> Iterator[str]:
    """What is wrong with the comparisons with champion and anchor."""
    if evaluation.champion is None and (
        evaluation.comparison or evaluation.drift or evaluation.champion_problem
    ):
        yield "champion is null, but there is a comparison, drift, or a problem with one"
    if evaluation.comparison:
        yield from _compared("comparison", evaluation.comparison, evaluation)
    if evaluation.anchor and evaluation.anchor.comparison:
        yield from _compared("anchor.comparison", evaluation.anchor.comparison, evaluation)
        # undefined numbers are not equal to themselves, but their texts are
        if evaluation.anchor.package == evaluation.champion and evaluation.comparison:
            texts = [item.model_dump_json() for item in (evaluation.comparison, evaluation.anchor.comparison)]
            if texts[0] != texts[1]:
                yield "anchor.comparison differs from comparison, but the anchor is the champion"


def _compared(at: str, compared: Comparison, evaluation: Evaluation) -> Iterator[str]:
    """What is wrong with the comparison with one model."""
    rows = compared.n + compared.excluded + (compared.excluded_groups or 0)
    left = f"{at}.n + excluded + excluded_groups"
    yield from same(left, rows, evaluation.candidate.n, "candidate.n")
    yield from _paired(at, compared, evaluation)
    if rows == compared.n:
        yield from _same_rows(at, compared, "candidate", evaluation.candidate)
    whole = {tuple(sorted(item.where.items())): item for item in evaluation.slices}
    for place, item in enumerate(compared.slices):
        path = f"{at}.slices[{place}]"
        yield from _paired(path, item, evaluation)
        yield from at_most(f"{path}.n", item.n, compared.n, f"{at}.n")
        ours = whole.pop(tuple(sorted(item.where.items())), None)
        if ours is None:
            yield f"{path}.where is {item.where}, which is no slice, or that of an earlier one"
            continue
        yield from at_most(f"{path}.n", item.n, ours.n, "that of the same slice in slices")
        if rows == compared.n:
            yield from _same_rows(path, item, "the same slice in slices", ours)
    yield from _shares_of_champion(at, compared)
    yield from _found_slices(at, compared)
    if compared.lookalikes:
        yield from _lookalikes(f"{at}.lookalikes", compared.lookalikes, evaluation.candidate.n, math.inf)


def _paired(path: str, paired: Paired, evaluation: Evaluation) -> Iterator[str]:
    """What is wrong with both models on the same rows."""
    names = (f"{path}.candidate", f"{path}.champion")
    yield from _counts(path, paired, evaluation)
    for name, metrics in zip(names, (paired.candidate, paired.champion), strict=True):
        alone = paired.clusters in (None, paired.n)
        yield from of_rows(name, evaluation.task, paired.n, metrics, independent=alone)
    yield from of_pair(f"{path}.differences", names, (paired.candidate, paired.champion), paired.differences)
    if paired.agreement:
        yield from _agreement(path, paired, paired.agreement)


def _agreement(path: str, paired: Paired, found: Agreement) -> Iterator[str]:
    """What is wrong with the counts of rows on which either model is right."""
    both, ours, theirs = found.both_right, found.only_candidate, found.only_champion
    yield from same(
        f"the sum of {path}.agreement", both + ours + theirs + found.both_wrong, paired.n, f"{path}.n"
    )
    yield from within(f"{path}.agreement.mcnemar_p", found.mcnemar_p, 0, 1)
    for name, metrics, right in (
        ("candidate", paired.candidate, both + ours),
        ("champion", paired.champion, both + theirs),
    ):
        if "accuracy" in metrics and paired.n:
            share = right / paired.n
            at = f"{path}.{name}.accuracy.value"
            yield from same(at, metrics["accuracy"].value, share, f"{path}.agreement")


def _same_rows(path: str, paired: Paired, other: str, scores: Scores) -> Iterator[str]:
    """What differs between the candidate in a comparison that left out no row, and the candidate alone."""
    yield from same(f"{path}.n", paired.n, scores.n, f"n of {other}")
    if paired.smallest_class is not None and scores.smallest_class is not None:
        ours, theirs = paired.smallest_class, scores.smallest_class
        yield from same(f"{path}.smallest_class", ours, theirs, f"that of {other}")
    if paired.clusters is not None and scores.clusters is not None:
        yield from same(f"{path}.clusters", paired.clusters, scores.clusters, f"that of {other}")
    for name, item in paired.candidate.items():
        if name in scores.metrics and not scores.unusable:
            alone = scores.metrics[name]
            at = f"{path}.candidate.{name}"
            yield from same(f"{at}.value", item.value, alone.value, f"that of {other}")
            deviation = alone.standard_deviation
            yield from same(
                f"{at}.standard_deviation", item.standard_deviation, deviation, f"that of {other}"
            )


def _shares_of_champion(at: str, compared: Comparison) -> Iterator[str]:
    """What is wrong with the shares of rows that the champion does not know."""
    for name, item in compared.unknown.items():
        path = f"{at}.unknown.{name}"
        yield from within(f"{path}.share", item.share, 0, 1)
        yield from counted(f"{path}.share", item.share, compared.n, f"{at}.n")
        yield from counted(f"{path}.known_to_candidate", item.known_to_candidate, compared.n, f"{at}.n")
        yield from at_most(f"{path}.known_to_candidate", item.known_to_candidate, item.share, "its share")
    if found := compared.unfamiliar:
        yield from within(f"{at}.unfamiliar.share", found.share, 0, 1)
        yield from within(f"{at}.unfamiliar.by_chance", found.by_chance, 0, 1)
        yield from counted(f"{at}.unfamiliar.share", found.share, compared.n, f"{at}.n")


def _found_slices(at: str, compared: Comparison) -> Iterator[str]:
    """What is wrong with the slices that were searched for a higher loss, the lowest p-value first."""
    found, tested = compared.found_slices or (), compared.slices_tested or 0
    if len(found) > tested:
        yield f"{at}.found_slices are {len(found)}, but slices_tested is {tested}"
    corrected = 0.0
    for place, item in enumerate(found):
        path = f"{at}.found_slices[{place}]"
        yield from _found_slice(path, item, compared.n)
        corrected = min(1.0, max(corrected, (tested - place) * item.p))
        yield from same(f"{path}.p_holm", item.p_holm, corrected, "p, corrected for slices_tested,")


MEASURABLE: Final = 1e-6
"""A p-value from which `quantile` is exact enough to check it."""

P_TOLERANCE: Final = 0.01
"""The relative error of a difference that a p-value gives."""


def _found_slice(path: str, item: FoundSlice, n: int) -> Iterator[str]:
    """What is wrong with one of them."""
    yield from at_most(f"{path}.n", item.n, n, "the number of compared rows")
    yield from at_most(f"{path}.clusters", item.clusters, item.n, f"{path}.n")
    yield from within(f"{path}.p", item.p, 0, 1)
    yield from within(f"{path}.standard_error", item.standard_error, 0, math.inf)
    yield from within(f"{path}.margin", item.margin, 0, math.inf)
    above = item.difference - item.margin
    if (item.p - 0.5) * above > 0 and not alike(item.p, 0.5):
        yield f"{path}.p is {item.p:.7g}, but difference − margin is {above:.7g}"
    if MEASURABLE < item.p < 1 - MEASURABLE:
        expected = quantile(1 - item.p, item.clusters - 1.0) * item.standard_error
        if abs(expected - above) > P_TOLERANCE * max(abs(expected), item.standard_error):
            yield (
                f"{path}.difference − margin is {above:.7g}, but p, clusters and standard_error give "
                f"{expected:.7g}"
            )
