"""What waits in a deployment, and for what: candidates for a person, deliveries for their start."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from handsoff.deployment import Deployment
from retraining.aws import registry
from retraining.aws.registry import Listed
from retraining.facts import keys
from retraining.facts.model_state import ModelState
from retraining.facts.package import PENDING
from retraining.facts.starts import Marker
from retraining.starts import bucket


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


@dataclass(frozen=True)
class Delivery:
    """A delivery of a model that uses a marker, by the marker's version.

    `answer` is `waits`, `answered` (it was started or refused, as `reason` says), `superseded` (a newer
    marker landed before it was started) or `under way` (files have landed, and no marker after them;
    `marker` is None).
    """

    marker: Marker | None
    answer: Literal["waits", "answered", "superseded", "under way"]
    reason: str


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


def deliveries(deployment: Deployment, model: str, state: ModelState) -> tuple[Delivery, ...]:
    """The newest deliveries of a model that uses a marker, newest first. Empty for other models."""
    ready = deployment.config.models[model].retrain.ready
    if ready.when != "marker":
        return ()
    batch = bucket.list_batch(deployment.s3, deployment.bucket, model, ready.marker)
    newest, found = batch.marker, []
    if number := batch.later if newest else len(batch.objects):
        landed = "1 file has landed" if number == 1 else f"{number} files have landed"
        found.append(Delivery(None, "under way", f"{landed} without a marker after them"))
    if newest is not None and not state.has_answered(newest):
        found.append(Delivery(newest, "waits", state.reason if state.pending and state.reason else ""))
    if state.answered_marker is not None:
        if state.unmade:  # its start was taken, and its execution could not be made yet
            why = state.blocked.reason if state.blocked else "its execution is made next"
            found.append(Delivery(state.answered_marker, "waits", why))
        else:
            said = state.reason if not state.pending and state.reason else "answered"
            found.append(Delivery(state.answered_marker, "answered", said))
    newer = "a newer marker landed before it was started"
    return (*found, *(Delivery(marker, "superseded", newer) for marker in state.superseded_markers))


def candidate_as_json(item: WaitingCandidate) -> dict[str, Any]:
    """A waiting candidate as `handsoff status --json` prints it."""
    return {
        "modelPackage": item.name,
        "waitsFor": item.waits_for,
        "since": item.since.isoformat(),
        "reasons": list(item.why),
        "rejectedAt": item.rejected_at.isoformat() if item.rejected_at else None,
    }


def delivery_as_json(item: Delivery) -> dict[str, Any]:
    """A delivery as `handsoff status --json` prints it."""
    return {
        "markerVersion": item.marker.version_id if item.marker else None,
        "landedAt": item.marker.landed_at.isoformat() if item.marker else None,
        "answer": item.answer,
        "reason": item.reason or None,
    }
