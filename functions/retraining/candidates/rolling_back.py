"""A rejected champion, or one set back to pending, is champion no more: approvers and the bus are told."""

from __future__ import annotations

from retraining.aws import registry
from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.candidates import announcing
from retraining.candidates.telling import review_link
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact
from retraining.facts.package import Package
from retraining.notifications.messages import Notification, Rollback
from retraining.notifications.publish import announce, notify


def roll_back(gone: Package, decision: DecisionFact, using: Collaborators) -> None:
    """If the package was the champion, say that it is no more, and which package is champion now.

    In a roll-back that one is approved later than the package that is gone.
    """
    if gone.noted_approval is None:
        return
    champion = registry.champion(using.sagemaker, gone.group)
    if decision.rollback:
        champion = registry.find(using.sagemaker, decision.rollback.to) or champion
    elif champion and champion.approved_at > gone.noted_approval:
        return
    rollback = Rollback(
        model=using.settings.model_of(gone.group),
        group=gone.group,
        rejected=gone.arn,
        rejected_approved_at=gone.noted_approval,
        champion=champion.arn if champion else None,
        champion_approved_at=champion.approved_at if champion else None,
        at=decision.at,
        why="" if gone.pending else decision.why,
        how="set back to pending" if gone.pending else "rejected",
    )
    url, no_link = review_link(gone.arn, using)
    message = Notification.about(
        gone.arn,
        "rolled_back",
        model=rollback.model,
        reasons=(*rollback.reasons, *no_link),
        execution_arn=gone.execution,
        package_arn=gone.arn,
        occurrence=rollback.rejected_approved_at.isoformat(),
        by=decision.by,
        who=decision.who,
        review_url=url,
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
    key = keys.rollback(rollback.identity)
    if announce(using.events, using.ledger, rollback.event, key, now=using.clock()):
        logger.warning("champion rolled back", rejected=rollback.rejected, champion=rollback.champion)
        measure("ChampionsRolledBack", model=rollback.model)
    announcing.champion_taken_back(rollback, decision, using)
