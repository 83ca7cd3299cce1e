"""Pure: what the page says of the data: rows, features with missing values and drift, and notes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from retraining.html.wording import Said, number, share, version_of
from retraining.verdicts.evaluation import Evaluation

SOME_DRIFT: Final = 0.1
"""Population stability index from which drift is commonly called some."""

MUCH_DRIFT: Final = 0.25
"""Population stability index from which drift is commonly called much."""

MAX_FEATURES: Final = 60
"""Features that the page shows; it says how many more there are."""


class Feature(NamedTuple):
    """One feature: the shares of rows in which it is missing, and its drift."""

    name: str
    train: str
    validation: str
    drift: str
    reading: Said


class Data(NamedTuple):
    """What is known of the data. `drift_against` names the version whose training rows drift is against."""

    train_rows: str = ""
    validation_rows: str = ""
    notes: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    features_left: int = 0
    drift_against: str = ""


def data(evaluation: Evaluation | None, evidence: Mapping[str, Any] | None) -> Data:
    """What the evaluation says of the data, and the evidence of the execution."""
    if evaluation is None:
        return Data(notes=_ignored(evidence))
    features = _features(evaluation)
    return Data(
        train_rows=f"{evaluation.data.train.rows:,}",
        validation_rows=f"{evaluation.data.validation.rows:,}",
        notes=(*_notes(evaluation), *_ignored(evidence)),
        features=tuple(features[:MAX_FEATURES]),
        features_left=max(0, len(features) - MAX_FEATURES),
        drift_against=f"version {version_of(evaluation.drift.reference)}" if evaluation.drift else "",
    )


def _features(evaluation: Evaluation) -> list[Feature]:
    """All features, those that drifted most first, then by name. Chance is taken off the drift."""
    train, validation = evaluation.data.train.missing_share, evaluation.data.validation.missing_share
    moved = evaluation.drift.columns if evaluation.drift else {}
    drift = {name: item.psi - item.by_chance for name, item in moved.items()}

    def order(name: str) -> tuple[float, str]:
        value = drift.get(name, math.nan)
        return (-value if math.isfinite(value) else 0.0, name)

    return [
        Feature(
            name=name,
            train=share(train.get(name, math.nan)),
            validation=share(validation.get(name, math.nan)),
            drift=number(drift[name]) if name in drift else "",
            reading=_drift(drift[name]) if name in drift else Said(""),
        )
        for name in sorted({*train, *validation, *drift}, key=order)
    ]


def _drift(value: float) -> Said:
    if not math.isfinite(value):
        return Said("not known", "open")
    if value >= MUCH_DRIFT:
        return Said("much", "bad")
    return Said("some", "open") if value >= SOME_DRIFT else Said("little")


def _notes(evaluation: Evaluation) -> list[str]:
    notes = []
    if evaluation.leaked:
        notes.append(
            f"{evaluation.leaked:,} validation rows are among the training rows, too: they are left out of "
            "every number on this page."
        )
    if evaluation.candidate.unusable:
        notes.append(
            f"{evaluation.candidate.unusable:,} predictions are no finite numbers, or no probabilities."
        )
    if evaluation.champion_problem:
        notes.append(f"The champion could not be compared: {evaluation.champion_problem}")
    return notes


def _ignored(evidence: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Which columns landed and are not in the model's config."""
    said = evidence.get("data") if evidence else None
    ignored = said.get("ignoredColumns") if isinstance(said, Mapping) else None
    if not isinstance(ignored, list) or not ignored:
        return ()
    return (f"Columns that landed and are not used: {', '.join(map(str, ignored))}.",)
