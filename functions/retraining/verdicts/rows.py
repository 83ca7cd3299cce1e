"""The validation rows that a rule on a metric is about: how many, how many count, and which were left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from retraining.config.rules import CLASS_ROWS, MetricRule
from retraining.config.tasks import NO_CLASS_COUNTS
from retraining.verdicts.evaluation import Comparison, Evaluation, Measured, Paired, Scores
from retraining.verdicts.verdict import Finding
from retraining.verdicts.wording import counted, metric_label

PREDICTED: Final = frozenset({"precision"})
"""Metrics that are a share of the rows that are predicted to be of the positive class."""


class Rows(NamedTuple):
    """The rows of a rule, and what was measured on them. Without a slice in the evaluation there are none.

    Of two sides of a comparison the smaller one counts. `clusters` is the number of rows that do not depend
    on each other; the number of rows where that is not known. `smallest_class` and `smallest_predicted` are
    those of Scores. `left_out` says how many rows were left out, and why; empty if none was.
    """

    n: int
    clusters: int
    smallest_class: int | None
    smallest_predicted: int | None
    metrics: Mapping[str, Measured]
    paired: Paired | None
    left_out: str

    @property
    def text(self) -> str:
        """The number of rows, of clusters where they are fewer, and of the rows that were left out."""
        return said(self.n, self.clusters, self.left_out)


def said(n: int, clusters: int, left_out: str) -> str:
    """A number of rows in words: with the clusters where they are fewer, and with the rows left out."""
    more = [counted(clusters, "cluster")] if clusters < n else []
    more += [f"left out: {left_out}"] if left_out else []
    return counted(n, "row") + (f" ({'; '.join(more)})" if more else "")


def independent(measured: Scores | Paired) -> int:
    """The number of clusters of rows; of rows where clusters are not known."""
    return measured.n if measured.clusters is None else min(measured.n, measured.clusters)


def rows(rule: MetricRule, evaluation: Evaluation, other: str = "champion") -> Rows:
    """The rows that the rule is about: all or a slice; for a comparison those that both models share.

    `other` names the model that the candidate is compared with.
    """
    compared: Comparison | None = evaluation.comparison if rule.versus_champion is not None else None
    found: Scores | None = evaluation.candidate
    paired: Paired | None = compared
    if rule.slice is not None:
        found = next((item for item in evaluation.slices if item.where == rule.slice), None)
        of_slices = compared.slices if compared else ()
        paired = next((item for item in of_slices if item.where == rule.slice), None)
    if found is None:
        return Rows(0, 0, None, None, {}, None, "")
    sides = [item for item in (found, paired) if item is not None]
    return Rows(
        n=min(item.n for item in sides),
        clusters=min(independent(item) for item in sides),
        smallest_class=_smallest(item.smallest_class for item in sides),
        smallest_predicted=_smallest(item.smallest_predicted for item in sides),
        metrics={} if found.unusable else found.metrics,
        paired=paired,
        left_out=(
            left_out(evaluation, compared, other)
            if rule.slice is None
            else _left_out_of_slice(found, paired, compared, other)
        ),
    )


def too_few(rule: MetricRule, found: Rows, evaluation: Evaluation) -> Finding | None:
    """That there are too few rows, or too few of the rarest class, for the rule to be judged."""
    label, needed = metric_label(rule), rule.rows_needed
    if found.clusters < needed:
        numbers = f"{label}: {_why_so_few(rule, found, evaluation)}, needs ≥ {needed}"
        return Finding.of("min_samples", "unknown", numbers, n=found.n, limit=needed)
    if rule.metric in NO_CLASS_COUNTS:
        return None
    counts = [("of the rarest class", found.smallest_class)]
    if rule.metric in PREDICTED:
        counts.append(("that are predicted positive", found.smallest_predicted))
    for which, count in counts:
        if count is not None and count < CLASS_ROWS:
            unit = "cluster" if found.clusters < found.n else "row"
            numbers = f"{label}: {counted(count, unit)} {which}, needs ≥ {CLASS_ROWS}"
            return Finding.of("min_samples", "unknown", numbers, n=found.n, limit=CLASS_ROWS)
    return None


def left_out(evaluation: Evaluation, compared: Comparison | None = None, other: str = "champion") -> str:
    """How many validation rows were left out, and why: of the candidate's numbers, and of `compared`."""
    counts: list[tuple[int | None, str]] = [
        (evaluation.leaked, "that the candidate was trained on"),
        (evaluation.same_group, "whose group the candidate was trained on"),
    ]
    if compared is not None:
        counts += [
            (compared.excluded, f"that the {other} was trained on"),
            (compared.excluded_groups, f"whose group the {other} was trained on"),
        ]
    return ", ".join(f"{count} {why}" for count, why in counts if count)


def _left_out_of_slice(found: Scores, paired: Paired | None, compared: Comparison | None, other: str) -> str:
    """The same for a slice, of which only the rows that leave the comparison are known."""
    if paired is None or compared is None or paired.n >= found.n:
        return ""
    why = f"that the {other} was trained on"
    if compared.excluded_groups:
        why += ", or whose group it was trained on"
    return f"{found.n - paired.n} {why}"


def _smallest(counts: Iterable[int | None]) -> int | None:
    """The smallest count that is known."""
    return min((count for count in counts if count is not None), default=None)


def _why_so_few(rule: MetricRule, found: Rows, evaluation: Evaluation) -> str:
    """How many rows there are; that the slice was not measured, or that no row is in it."""
    if rule.slice is not None and all(item.where != rule.slice for item in evaluation.slices):
        return "the evaluation has no such slice (slices are measured for the rules that were published then)"
    if rule.slice is not None and found.n == 0 and not found.left_out:
        return "0 rows (no validation row has these values)"
    return found.text
