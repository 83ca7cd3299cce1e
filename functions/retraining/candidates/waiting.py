"""Whether a package waits for a person, and since when: what a person did before that decides no more.

A link or a press that has decided could otherwise decide again after somebody in AWS set the package back.
"""

from __future__ import annotations

from datetime import datetime

from retraining.aws.registry import PENDING, Package
from retraining.candidates import decisions
from retraining.facts.candidates import DecisionFact


def waits(package: Package, fact: DecisionFact | None, now: datetime) -> bool:
    """Whether a person may decide: no decision (`fact`, of the ledger) stands or is being written."""
    if not package.pending:
        return False
    return not fact or fact.status == PENDING or decisions.set_back(package, fact, now)


def set_back_at(package: Package, fact: DecisionFact | None) -> datetime | None:
    """When a package that waits was set back to pending; None if it was never decided.

    Until that is recorded, only the package's own time says so.
    """
    if not fact:
        return None
    return fact.at if fact.status == PENDING else package.changed_at


def before(at: datetime, moment: datetime | None) -> bool:
    """Whether `at` was in an earlier second than `moment`: links and presses know whole seconds only.

    The link that tells of a set-back may be made in the very second of it, and must decide.
    """
    return moment is not None and at < moment.replace(microsecond=0)
