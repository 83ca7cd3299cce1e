"""Pure: two versions of a model side by side, from their stored evaluations. Nothing is measured anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from handsoff.operating.versions import known, measured_as_json
from retraining.config.tasks import LOWER_IS_BETTER, NEITHER_IS_BETTER
from retraining.history import Version
from retraining.report_keys import camel_case
from retraining.verdicts.evaluation import Comparison, Difference, Evaluation, Measured

Basis = Literal["paired", "same_rows", "other_rows", "not_known"]
"""What the numbers rest on: a comparison row by row, the same validation rows, other rows, or rows of which
it is not known whether they are the same."""

MAX_GAPS: Final = 10
"""Features that are named because the share of missing values differs, the largest differences first."""

SPLITS: Final = ("train", "validation")


@dataclass(frozen=True)
class Pair:
    """One metric of both versions.

    `difference` is second minus first, measured row by row; None without a comparison.
    """

    name: str
    first: Measured
    second: Measured
    difference: Difference | None = None

    @property
    def better(self) -> Literal["first", "second"] | None:
        """The version that is better beyond chance at 95 %; None if that is not shown, or cannot be."""
        if self.difference is None or self.name in NEITHER_IS_BETTER:
            return None
        low, high = self.difference.bounds
        if low > 0 or high < 0:
            return "second" if (low > 0) != (self.name in LOWER_IS_BETTER) else "first"
        return None


@dataclass(frozen=True)
class SliceOfBoth:
    """The main metric on the rows of a slice, and the numbers of these rows."""

    where: Mapping[str, str]
    n: tuple[int, int]
    pair: Pair


@dataclass(frozen=True)
class Compared:
    """Two versions side by side. `n` are the validation rows behind the numbers.

        `shared_with` says as what one was compared with the other: champion or anchor; None without such a
    comparison. `excluded` rows are left out of it, as the other one was trained on them. `rows` are those of
    each split, `gaps` the features whose share of missing values differs, by split. `changes` is what the
    newer one's evaluation says of its data beside the older one's; None without a comparison as champion.
    `predict` is the task of each with its classes.
    """

    first: Version
    second: Version
    basis: Basis
    n: tuple[int, int]
    metrics: tuple[Pair, ...]
    slices: tuple[SliceOfBoth, ...]
    rows: Mapping[str, tuple[int, int]]
    gaps: Mapping[str, Mapping[str, tuple[float | None, float | None]]]
    same_batch: bool
    shared_with: Literal["champion", "anchor"] | None = None
    excluded: int = 0
    predict: tuple[str, str] = ("", "")
    changes: Mapping[str, Any] | None = None


def compare(first: Version, second: Version, metric: str) -> Compared:
    """Both versions side by side; `metric` is the one that slices show. Both have an evaluation."""
    one, two = _evaluation(first), _evaluation(second)
    for newer, older in ((second, first), (first, second)):
        found = _shared(_evaluation(newer), older.package.arn)
        if found:
            role, comparison = found
            return _paired(first, second, comparison, role, turned=newer is first, metric=metric)
    basis: Basis = "not_known"
    if one.validation and two.validation:
        basis = "same_rows" if one.validation == two.validation else "other_rows"
    return Compared(
        first,
        second,
        basis,
        n=(one.candidate.n, two.candidate.n),
        metrics=_pairs(one.candidate.metrics, two.candidate.metrics),
        slices=_slices(one, two, metric),
        **_of_data(one, two),
    )


def _evaluation(of: Version) -> Evaluation:
    if of.evaluation is None:
        raise ValueError(f"{of.package.arn} has no evaluation")
    return of.evaluation


def _shared(newer: Evaluation, older: str) -> tuple[Literal["champion", "anchor"], Comparison] | None:
    """The comparison of a version with the package `older` on the same rows, if it was compared with it."""
    if newer.champion == older and newer.comparison:
        return "champion", newer.comparison
    if newer.anchor and newer.anchor.package == older and newer.anchor.comparison:
        return "anchor", newer.anchor.comparison
    return None


def _paired(
    first: Version,
    second: Version,
    found: Comparison,
    role: Literal["champion", "anchor"],
    *,
    turned: bool,
    metric: str,
) -> Compared:
    """From a comparison of `second` with `first`; `turned`: of `first` with `second`."""
    one, two = _evaluation(first), _evaluation(second)
    changes = (one if turned else two).data_changes if role == "champion" else None
    slices = []
    for item in found.slices:
        pairs = _of_comparison(item.candidate, item.champion, item.differences, turned)
        slices += [SliceOfBoth(item.where, (item.n, item.n), pair) for pair in pairs if pair.name == metric]
    return Compared(
        first,
        second,
        "paired",
        n=(found.n, found.n),
        metrics=_of_comparison(found.candidate, found.champion, found.differences, turned),
        slices=tuple(slices),
        shared_with=role,
        excluded=found.excluded + found.excluded_groups,
        changes=camel_case(dict(changes)) if changes else None,
        **_of_data(one, two),
    )


def _of_comparison(
    candidate: Mapping[str, Measured],
    champion: Mapping[str, Measured],
    differences: Mapping[str, Difference],
    turned: bool,
) -> tuple[Pair, ...]:
    first, second = (candidate, champion) if turned else (champion, candidate)
    found = {name: turn(item) if turned else item for name, item in differences.items()}
    return tuple(Pair(name, first[name], second[name], found.get(name)) for name in first if name in second)


def turn(item: Difference) -> Difference:
    """The difference the other way round."""
    low, high = item.bounds
    return item.model_copy(update={"value": -item.value, "bounds": (-high, -low)})


def _pairs(first: Mapping[str, Measured], second: Mapping[str, Measured]) -> tuple[Pair, ...]:
    return tuple(Pair(name, first[name], second[name]) for name in first if name in second)


def _slices(one: Evaluation, two: Evaluation, metric: str) -> tuple[SliceOfBoth, ...]:
    """The slices that both were measured on."""
    others = {tuple(sorted(item.where.items())): item for item in two.slices}
    found = []
    for item in one.slices:
        other = others.get(tuple(sorted(item.where.items())))
        if other and metric in item.metrics and metric in other.metrics:
            pair = Pair(metric, item.metrics[metric], other.metrics[metric])
            found.append(SliceOfBoth(item.where, (item.n, other.n), pair))
    return tuple(found)


def _of_data(one: Evaluation, two: Evaluation) -> dict[str, Any]:
    """What the evaluations say of both versions' data."""
    return {
        "same_batch": one.batch == two.batch,
        "predict": (one.predicts, two.predicts),
        "rows": {split: (getattr(one.data, split).rows, getattr(two.data, split).rows) for split in SPLITS},
        "gaps": {
            split: _gaps(getattr(one.data, split).missing_share, getattr(two.data, split).missing_share)
            for split in SPLITS
        },
    }


def _gaps(one: Mapping[str, float], two: Mapping[str, float]) -> dict[str, tuple[float | None, float | None]]:
    """The features whose share of missing values differs, or that only one version has."""
    names = dict.fromkeys([*one, *two])
    found = {name: (one.get(name), two.get(name)) for name in names if one.get(name) != two.get(name)}
    order = sorted(found, key=lambda name: -abs((found[name][1] or 0.0) - (found[name][0] or 0.0)))
    return {name: found[name] for name in order[:MAX_GAPS]}


def as_json(found: Compared) -> dict[str, Any]:
    """The comparison as `handsoff compare --json` prints it."""
    return {
        "versions": [found.first.number, found.second.number],
        "modelPackageArns": [found.first.package.arn, found.second.package.arn],
        "basis": found.basis,
        "comparedAs": found.shared_with,
        "predict": list(found.predict),
        "rows": list(found.n),
        "leftOut": found.excluded,
        "metrics": {pair.name: _pair_as_json(pair) for pair in found.metrics},
        "slices": [
            {"where": dict(item.where), "rows": list(item.n), item.pair.name: _pair_as_json(item.pair)}
            for item in found.slices
        ],
        "data": {
            "sameBatch": found.same_batch,
            "rows": {split: list(pair) for split, pair in found.rows.items()},
            "missingShare": {
                split: {name: list(pair) for name, pair in gaps.items()} for split, gaps in found.gaps.items()
            },
            "changes": found.changes,
        },
    }


def _pair_as_json(pair: Pair) -> dict[str, Any]:
    difference = pair.difference
    return {
        "first": measured_as_json(pair.first),
        "second": measured_as_json(pair.second),
        "difference": {
            "value": known(difference.value),
            "bounds": [known(end) for end in difference.bounds],
        }
        if difference
        else None,
        "better": pair.better,
    }
