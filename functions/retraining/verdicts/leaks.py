"""Whether validation rows look like rows that a model was trained on, more often than by chance.

Honest data repeats rows, too. The step compares the share of the validation rows whose features and target
are equal to those of a training row with the share of such rows within train (docs/reference/rules.md).
"""

from __future__ import annotations

import math
from typing import Final

from retraining.verdicts.evaluation import Evaluation, Lookalikes
from retraining.verdicts.verdict import Reason
from retraining.verdicts.wording import number

MAX_Z: Final = 4.0
"""The largest z that holds no candidate. If no row leaked, a larger one comes once in 1,000 evaluations.

Of data in which one to five of a hundred rows repeat, it comes once in a hundred (simulated).
"""


def reasons(evaluation: Evaluation, *, with_champion: bool) -> list[Reason]:
    """The reasons to hold if validation rows seem to be among the rows that a model was trained on.

    If they are among the champion's, the comparison favours the champion. A rule on lookalikes replaces this.
    """
    found = [("lookalike_rows", _suspicion(evaluation.lookalikes, "the candidate"))]
    if with_champion and evaluation.comparison:
        of_champion = _suspicion(evaluation.comparison.lookalikes, "the champion")
        found.append(("champion_lookalike_rows", of_champion))
    return [Reason(code=code, text=text) for code, text in found if text]


def _suspicion(found: Lookalikes | None, model: str) -> str:
    """That too many rows are equal; empty if not, or if an earlier version did not count them.

    Without a z, as where no training row is repeated, a share above that of the training rows counts.
    """
    if found is None:
        return ""
    known = math.isfinite(found.share) and math.isfinite(found.train_share)
    if not found.equal or (not math.isfinite(found.z) and known and found.share <= found.train_share):
        return ""
    if found.z <= MAX_Z:
        return ""
    z = number(found.z, MAX_Z) if math.isfinite(found.z) else "not finite"
    return (
        f"look-alike rows: {found.equal} of {found.n} validation rows ({found.share:.1%}) have the features "
        f"and the target of a row that {model} was trained on; of its training rows {found.train_share:.1%} "
        f"have those of another: z {z}, needs ≤ {MAX_Z:g}: validation rows seem to stand in its training data"
    )
