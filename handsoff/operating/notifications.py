"""The newest notifications of a deployment's models, and where each was delivered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from handsoff.deployment import Deployment
from retraining.facts import keys
from retraining.facts.claims import Claim
from retraining.facts.notifications import ToldFact

Slack = Literal["delivered", "waits", "no channel", "not connected"]
"""Whether Slack took a notification: it did, it has not yet, the model has no channel, there is no Slack."""


@dataclass(frozen=True)
class Told:
    """One notification about `model`. `published` says whether the topic took it: False while it is tried."""

    model: str
    fact: ToldFact
    published: bool
    slack: Slack


def recent_notifications(deployment: Deployment, models: Iterable[str], limit: int) -> list[Told]:
    """The newest notifications about these models, newest first: at most `limit` of all together."""
    found = [
        (fact, model)
        for model in models
        if (known := deployment.ledger.get(keys.recent_notifications(model)))
        for fact in known.told
    ]
    newest = sorted(found, key=lambda item: item[0].at, reverse=True)[:limit]
    return [_told(deployment, model, fact) for fact, model in newest]


def _told(deployment: Deployment, model: str, fact: ToldFact) -> Told:
    claim: Claim | None = deployment.ledger.get(keys.notification(fact.id))
    published = claim is not None and claim.state == "done"
    return Told(model, fact, published, _slack(deployment, model, fact))


def _slack(deployment: Deployment, model: str, fact: ToldFact) -> Slack:
    if fact.slack_at is not None:
        return "delivered"
    if "SlackFailuresQueue" not in deployment.outputs:
        return "not connected"
    return "waits" if deployment.config.models[model].approvers.slack_channel else "no channel"


def as_json(told: Told, topic: str) -> dict[str, Any]:
    """A notification as `handsoff notifications --json` prints it."""
    fact = told.fact
    return {
        "notificationId": fact.id,
        "model": told.model,
        "kind": fact.kind,
        "decision": fact.decision,
        "reason": fact.why or None,
        "executionArn": fact.execution_arn,
        "modelPackageArn": fact.model_package_arn,
        "at": fact.at.isoformat(),
        "published": told.published,
        "topic": topic,
        "slack": told.slack,
        "slackAt": fact.slack_at.isoformat() if fact.slack_at else None,
    }
