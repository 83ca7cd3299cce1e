"""The candidates that are not decided: what each waits for, and since when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from handsoff.deployment import Deployment
from retraining.aws import registry
from retraining.aws.registry import Listed
from retraining.facts import keys
from retraining.facts.package import PENDING


@dataclass(frozen=True)
class WaitingCandidate:
    """A candidate that is not decided.

    `waits_for` is `person`, `verdict` (it is being judged), `writing` (its decision is being written) or
    `repair` (it is blocked; `why` says by what). It waits since `since`, and is rejected at `rejected_at` if
    nobody decides until then; None if that is not set.
    """

    name: str
    waits_for: Literal["person", "verdict", "writing", "repair"]
    why: tuple[str, ...]
    since: datetime
    rejected_at: datetime | None = None


def waiting_candidates(deployment: Deployment, model: str) -> tuple[WaitingCandidate, ...]:
    """The model's candidates that are not decided, oldest first; at most 200."""
    listed = registry.newest(deployment.sagemaker, deployment.resource_name(model))
    return tuple(_candidate(deployment, model, item) for item in listed if item.status == PENDING)


def _candidate(deployment: Deployment, model: str, item: Listed) -> WaitingCandidate:
    ledger, name = deployment.ledger, "/".join(item.arn.rsplit("/", 2)[-2:])
    name = name.removeprefix(f"{deployment.prefix}-")
    decision = ledger.get(keys.decision(item.arn))
    if decision is not None and decision.status != PENDING:
        return WaitingCandidate(name, "writing", (f"{decision.status} by {decision.by}",), decision.at)
    verdict = ledger.get(keys.verdict(item.arn))
    if verdict is None or verdict.done_at is None:
        trouble = ledger.get(keys.trouble(item.arn))
        if trouble is None:
            return WaitingCandidate(name, "verdict", (), item.created_at)
        return WaitingCandidate(name, "repair", (trouble.why,), trouble.first, trouble.expires_at)
    since = max(verdict.taken_at, decision.at) if decision else verdict.taken_at
    limit = deployment.config.models[model].approval.expire_after
    told = verdict.expires_at if verdict.reminded == since else None
    rejected_at = told or (since + limit if limit else None)
    return WaitingCandidate(name, "person", tuple(verdict.verdict.texts), since, rejected_at)


def candidate_as_json(item: WaitingCandidate) -> dict[str, Any]:
    """A waiting candidate as `handsoff status --json` prints it."""
    return {
        "modelPackage": item.name,
        "waitsFor": item.waits_for,
        "since": item.since.isoformat(),
        "reasons": list(item.why),
        "rejectedAt": item.rejected_at.isoformat() if item.rejected_at else None,
    }
