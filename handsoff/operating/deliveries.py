"""The newest deliveries of a model that uses a marker: what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from handsoff.deployment import Deployment
from retraining.facts.model_state import ModelState
from retraining.facts.starts import Marker
from retraining.starts import bucket
from retraining.starts.batches import Batch
from retraining.starts.markers import waits_for


@dataclass(frozen=True)
class Delivery:
    """A delivery of a model that uses a marker, by the marker's version.

    `answer` is `waits`, `answered` (it was started or refused, as `reason` says), `superseded` (a newer
    marker landed before it was started) or `under way` (files have landed, and no marker after them;
    `marker` is None; `reason` says which split's marker has landed alone, if one has).
    """

    marker: Marker | None
    answer: Literal["waits", "answered", "superseded", "under way"]
    reason: str


def deliveries(deployment: Deployment, model: str, state: ModelState) -> tuple[Delivery, ...]:
    """The newest deliveries of a model that uses a marker, newest first. Empty for other models."""
    return deliveries_of(list_now(deployment, model, state), marker_of(deployment, model), state)


def list_now(deployment: Deployment, model: str, state: ModelState) -> Batch:
    """The model's batch as S3 shows it now."""
    marker, whole = marker_of(deployment, model), deployment.config.models[model].data.whole
    pair = state.answered_pair
    return bucket.list_batch(deployment.s3, deployment.bucket, model, marker, pair, whole=whole)


def marker_of(deployment: Deployment, model: str) -> str | None:
    """The name of the model's marker; None if it uses none."""
    ready = deployment.config.models[model].retrain.ready
    return ready.marker if ready.when == "marker" else None


def deliveries_of(batch: Batch, marker: str | None, state: ModelState) -> tuple[Delivery, ...]:
    """The newest deliveries, newest first, of a model that uses a marker of this name; none without one."""
    if marker is None:
        return ()
    newest, found = batch.marker, []
    number = batch.later if newest else len(batch.objects)
    landed = "1 file has landed" if number == 1 else f"{number} files have landed"
    if batch.waiting is not None:
        found.append(Delivery(None, "under way", f"{landed}; {waits_for(marker, batch.waiting)}"))
    elif number:
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


def delivery_as_json(item: Delivery) -> dict[str, Any]:
    """A delivery as `handsoff status --json` prints it."""
    return {
        "markerVersion": item.marker.version_id if item.marker else None,
        "landedAt": item.marker.landed_at.isoformat() if item.marker else None,
        "answer": item.answer,
        "reason": item.reason or None,
    }
