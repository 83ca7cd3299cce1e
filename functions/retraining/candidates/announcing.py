"""Tells the bus what whatever serves models must know: another champion, and a candidate that waits.

Each fact is told once. A failure is raised: the fact in the ledger is then not marked done, and the event or
the sweep repeats the call.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from retraining.aws import registry
from retraining.aws.measures import measure
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact
from retraining.facts.package import Package
from retraining.notifications.bus import CandidateWaiting, ChampionChanged
from retraining.notifications.messages import Rollback
from retraining.notifications.publish import announce


def champion_approved(approved: Package, decision: DecisionFact, using: Collaborators) -> None:
    """Tell of the package that was approved, if it is the champion now.

    One that was approved before another one is champion no more: the record of the other one tells.
    """
    found = registry.approved(using.sagemaker, approved.group)
    by_approval = sorted(found, key=lambda one: one.approved_at, reverse=True)
    if not by_approval or by_approval[0].arn != approved.arn:
        return
    champion, *before = by_approval
    back, others = decision.rollback, [one.arn for one in before]
    event = ChampionChanged(
        model=using.settings.model_of(approved.group),
        model_package_group_name=approved.group,
        at=decision.at,
        champion=approved.arn,
        previous=back.gone if back else next(iter(others), None),
        cause="rolled back" if back else "approved",
        approved_at=champion.approved_at,
        by=decision.by,
    )
    _put(event, f"{approved.arn}#{champion.approved_at.isoformat()}", using)


def champion_taken_back(rollback: Rollback, decision: DecisionFact, using: Collaborators) -> None:
    """Tell which package is champion after this roll-back, unless a person chose it: its approval tells."""
    if decision.rollback and decision.rollback.to == rollback.champion:
        return
    event = ChampionChanged(
        model=rollback.model,
        model_package_group_name=rollback.group,
        at=rollback.at,
        champion=rollback.champion,
        previous=rollback.rejected,
        cause="rolled back",
        approved_at=rollback.champion_approved_at,
        by=decision.by,
    )
    _put(event, f"back#{rollback.identity}", using)


def candidate_waits(
    candidate: Package, since: datetime, reasons: Sequence[str], using: Collaborators
) -> None:
    """Tell that a candidate waits for a person since then."""
    event = CandidateWaiting(
        model=using.settings.model_of(candidate.group),
        model_package_group_name=candidate.group,
        at=since,
        model_package_arn=candidate.arn,
        execution_arn=candidate.execution,
        reasons=tuple(reasons),
    )
    key = keys.bus_event(event.detail_type, f"{candidate.arn}#{since.isoformat()}")
    announce(using.events, using.ledger, event, key, now=using.clock())


def _put(event: ChampionChanged, identity: str, using: Collaborators) -> None:
    key = keys.bus_event(event.detail_type, identity)
    if announce(using.events, using.ledger, event, key, now=using.clock()):
        measure("ChampionsChanged", model=event.model)
