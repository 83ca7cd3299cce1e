"""What a picture is for its readers: an image, what to see in it, the same in words, and the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from artifact import Model
from comparison import Shared
from job import Array, Json, StepConfig
from predicted import Predicted
from scales import cut, plain

MAX_TITLE: Final = 300
"""Signs of a title."""

MAX_ALT: Final = 1_500
"""Signs of a picture in words. A screen reader cannot stop within it, and the table has all."""


class NotDrawn(Exception):
    """There is nothing to draw. The message is why, in one sentence for an approver."""


def bounded(alt: str, most: int) -> str:
    """The words, or as many of their whole parts as have so many signs, and where the others are."""
    if len(alt) <= most:
        return alt
    beside = "; … the table has all."
    kept = alt[: most - len(beside)]
    return (kept.rpartition("; ")[0] or kept) + beside


@dataclass(frozen=True)
class Picture:
    """A picture. `title` says what to see in it, `alt` has its numbers in words, `columns` and `rows` are the
    table behind it, and `note` says how it was made."""

    id: str
    title: str
    alt: str
    svg: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""

    def as_json(self) -> Json:
        """The picture as pictures.json has it. Texts are on one line, without invisible signs."""
        return {
            "id": plain(self.id),
            "title": cut(plain(self.title), MAX_TITLE),
            "alt": bounded(plain(self.alt), MAX_ALT),
            "svg": self.svg,
            "table": {
                "columns": [plain(name) for name in self.columns],
                "rows": [[plain(cell) for cell in row] for row in self.rows],
            },
            "note": plain(self.note),
        }


@dataclass(frozen=True)
class Shown:
    """What pictures show: the evaluation, and the validation rows with the predictions of both models.

    `evaluation` is our part of evaluation.json, with NaN for what is undefined. `rows` are those that the
    candidate was not trained on, `prediction` has its prediction of each. `shared` are the rows on which the
    champion was measured; None where there was no comparison. `report` and `profile` describe the candidate's
    data.
    """

    config: StepConfig
    evaluation: Json
    model: Model | Predicted
    rows: pd.DataFrame
    prediction: Array
    shared: Shared | None
    report: Mapping[str, Any]
    profile: Mapping[str, Any]

    @property
    def compared(self) -> Json | None:
        """The comparison with the champion, or None."""
        found: Json | None = self.evaluation["comparison"]
        return found

    @property
    def both(self) -> tuple[Array, Array, Array | None]:
        """Targets, the candidate's predictions and the champion's, of the rows on which both were measured.

        Without a champion they are of all rows, and the last is None.
        """
        target = self.rows[self.config.target].to_numpy()
        if self.shared is None:
            return target, self.prediction, None
        rows = self.shared.rows
        return target[rows], self.prediction[rows], self.shared.champion

    @property
    def on_rows(self) -> str:
        """On how many rows the pictures are, in words."""
        if self.compared:
            excluded = self.compared["excluded"] + self.compared["excluded_groups"]
            left = f", without {excluded:,} that the champion was trained on" if excluded else ""
            return f"on {self.compared['n']:,} validation rows{left}"
        return f"on {self.evaluation['candidate']['n']:,} validation rows"
