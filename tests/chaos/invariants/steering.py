"""Invariants of what people do by `handsoff rollback` and `pause`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from retraining.facts import keys
from retraining.facts.candidates import DecisionFact
from retraining.facts.package import PENDING

if TYPE_CHECKING:
    from tests.chaos.runner import Run

LATENCY = timedelta(seconds=61)
"""The longest time between a command's look at the clock and its write, as a command has a minute."""


def every_roll_back_is_whole(run: Run) -> Iterator[str]:
    """A roll-back that stands on the earlier version stands on the former champion, or was overtaken there.

    No roll-back is left half done.
    """
    packages = run.account.sagemaker.packages
    for arn, it in packages.items():
        fact = run.account.ledger.get(keys.decision(arn))
        if fact is None or fact.rollback is None or it["ModelApprovalStatus"] == PENDING:
            continue
        if fact.done_at is None:
            yield f"{arn[-20:]}: its roll-back was taken at {fact.at:%H:%M:%S} and never written"
        gone = fact.rollback.gone
        if arn != fact.rollback.to or gone is None or gone not in packages:
            continue
        other = run.account.ledger.get(keys.decision(gone))
        if not _is_over(other, fact):
            yield f"{gone[-20:]} was rolled back to {arn[-20:]}, and the ledger does not know"


def _is_over(other: DecisionFact | None, back: DecisionFact) -> bool:
    """Whether the former champion was rejected by this roll-back, or decided otherwise since."""
    if other is None:
        return False
    facts = [other, *other.earlier]
    return any(fact.rollback == back.rollback or fact.at > back.at for fact in facts)


def nothing_is_taken_while_paused(run: Run) -> Iterator[str]:
    """No start is taken between the write of a pause and its end."""
    for model, taken in run.account.table.starts.items():
        fact = run.account.ledger.get(keys.paused(model))
        for pause in (fact, *fact.earlier) if fact else ():
            end = pause.resumed.at if pause.resumed else None
            for at in taken:
                if at > pause.since + LATENCY and (end is None or at < end):
                    yield f"{model}: a start was taken at {at:%H:%M:%S}, paused since {pause.since:%H:%M:%S}"
