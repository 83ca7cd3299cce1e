"""Whether validation rows look like rows that a model was trained on, more often than by chance.

Honest data repeats rows, too. The step compares the share of the validation rows whose features and target
are equal to those of a training row with the share of such rows within train (docs/reference/rules.md).
"""

from __future__ import annotations

import math
from typing import Final

from retraining.verdicts.evaluation import Evaluation, Lookalikes
from retraining.verdicts.verdict import Code, Reason
from retraining.verdicts.wording import number

MAX_Z: Final = 4.0
"""The largest z that holds no candidate. If no row leaked, a larger one comes once in 1,000 evaluations.

Of data in which one to five of a hundred rows repeat, it comes once in a hundred (simulated).
"""


def reasons(evaluation: Evaluation, *, with_champion: bool) -> list[Reason]:
    """The reasons to hold if validation rows seem to be among the rows that a model was trained on.

    If they are among the champion's, the comparison favours the champion. A rule on lookalikes replaces this.
    """
    found: list[tuple[Code, str]] = [
        ("lookalike_rows", _suspicion(evaluation.lookalikes, "the candidate")),
        ("lookalike_rows", _copies(evaluation.copies)),
    ]
    if with_champion and evaluation.comparison:
        of_champion = _suspicion(evaluation.comparison.lookalikes, "the champion")
        found.append(("champion_lookalike_rows", of_champion))
    return [Reason(code=code, text=text) for code, text in found if text]


def _suspicion(found: Lookalikes | None, model: str) -> str:
    """That too many rows are equal to training rows; empty if not."""
    if found is None or not too_many(found):
        return ""
    return (
        f"look-alike rows: {found.equal} of {found.n} validation rows ({found.share:.1%}) have the features "
        f"and the target of a row that {model} was trained on; of its training rows {found.train_share:.1%} "
        f"have those of another: z {_z(found)}, needs ≤ {MAX_Z:g}: validation rows seem to stand in its "
        "training data"
    )


def _copies(found: Lookalikes | None) -> str:
    """That too many validation rows are equal to each other; empty if not."""
    if found is None or not too_many(found):
        return ""
    return (
        f"look-alike rows: {found.equal} of {found.n} validation rows ({found.share:.1%}) have the features "
        f"and the target of another validation row, where {found.train_share:.1%} are expected from train: "
        f"z {_z(found)}, needs ≤ {MAX_Z:g}: rows seem to stand in validation several times, and to count as "
        "independent ones. Take the copies out, or name what they share in data.identity or data.group"
    )


def too_many(found: Lookalikes) -> bool:
    """Whether z is too large. Without a z, a share above that of the training rows counts."""
    known = math.isfinite(found.share) and math.isfinite(found.train_share)
    if not found.equal or (not math.isfinite(found.z) and known and found.share <= found.train_share):
        return False
    return not found.z <= MAX_Z


def _z(found: Lookalikes) -> str:
    return number(found.z, MAX_Z) if math.isfinite(found.z) else "not finite"
