"""Finds landings whose event was lost: compares what lies in S3 with what was answered last.

The kind of marker that was answered last, the root's or the splits', is asked for each minute by one HEAD
request. Listings cost more, so they are made less often: of the data of a model without a marker, and of all
markers, of which some may be hidden by delete markers. An event that comes late finds its landing answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.facts.model_state import ModelState
from retraining.facts.starts import SPLITS, Marker, Split, StartRequest
from retraining.facts.sweep import EVENT_DELAY
from retraining.starts import bucket, incomplete
from retraining.starts.batches import ROOT
from retraining.starts.markers import completed
from retraining.starts.requests import LANDED

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators
    from retraining.config.schema import ModelConfig
    from retraining.starts.batches import DataObject

LISTED_EVERY: Final = timedelta(minutes=15)
"""Time between two listings of a model. At S3's price of a listing they cost a cent a month for each 1,000
versions that the model has."""


Loaded = tuple[ModelState, int]
"""A model's state, and the version at which it was read."""


def find(model: str, using: Collaborators, loaded: Loaded | None = None) -> bool:
    """Make a landing pending if one was not answered and no event told of it. Says whether it did.

    `loaded` is the state if it has just been read.
    """
    config = using.configs.get(model)
    loaded = loaded or using.states.load(model)
    state, _ = loaded
    if config is None or any(request.trigger == "landing" for request in state.pending):
        return False
    now, ready = using.clock(), config.retrain.ready
    if ready.when == "marker":
        lost = _marker_lost(model, ready.marker, config, loaded, now, using)
    else:
        lost = _objects_lost(model, config, loaded, now, using)
    if not lost:
        return False
    request = StartRequest(cause=LANDED, trigger="landing", requested_by="reconcile", at=now)
    using.states.change(model, lambda state: state.requested(request))
    logger.warning("landing found without its event", model=model)
    measure("LandingsFound")
    return True


def may_be_lost(model: str, config: ModelConfig, state: ModelState, using: Collaborators) -> bool:
    """Whether `find` may find a landing now, by a state that may be old, and one HEAD of the marker."""
    now, ready = using.clock(), config.retrain.ready
    if _listing_due(state, now):
        return True
    return ready.when == "marker" and _is_lost(_visible(model, ready.marker, state, using), state, now)


def _marker_lost(
    model: str, name: str, config: ModelConfig, loaded: Loaded, now: datetime, using: Collaborators
) -> bool:
    """Whether the newest delivery that the markers of this name complete was not answered."""
    state, _ = loaded
    if _may_list(model, loaded, now, using):
        pair = state.answered_pair
        markers = bucket.list_markers(
            using.s3, using.settings.bucket, model, name, pair, check_time=using.check_time
        )
        incomplete.tell(model, name, markers, using, whole=config.data.whole)
        newest = next(iter(markers.complete), None)
    else:
        newest = _visible(model, name, state, using)
    return _is_lost(newest, state, now)


def _is_lost(newest: Marker | None, state: ModelState, now: datetime) -> bool:
    """Whether this marker was not answered, and is so old that its event would have come."""
    return newest is not None and newest.landed_at <= now - EVENT_DELAY and not state.has_answered(newest)


def _visible(model: str, name: str, state: ModelState, using: Collaborators) -> Marker | None:
    """The newest marker, of the kind that was answered last, that no delete marker hides."""
    if state.answered_marker is not None and state.answered_marker.other is not None:
        return _newer_pair(model, name, state.answered_marker, using)
    return bucket.visible_marker(using.s3, using.settings.bucket, f"{ROOT}{model}/{name}")


def _newer_pair(model: str, name: str, answered: Marker, using: Collaborators) -> Marker | None:
    """The pair that the splits' visible markers complete after the answered one; None if there is none."""
    found: dict[Split, Marker] = {}
    for split in SPLITS:
        key = f"{ROOT}{model}/{split}/{name}"
        newest = bucket.visible_marker(using.s3, using.settings.bucket, key, split)
        if newest is None or newest.version_id in answered.versions:
            return None
        found[split] = newest
    pairs = completed((), [found["train"]], [found["validation"]], answered).complete
    return next((pair for pair in pairs if pair != answered), None)


def _objects_lost(
    model: str, config: ModelConfig, loaded: Loaded, now: datetime, using: Collaborators
) -> bool:
    """Whether objects have landed since the last answer. Objects that are gone are no landing."""
    state, _ = loaded
    if not _may_list(model, loaded, now, using):
        return False
    batch = bucket.list_batch(using.s3, using.settings.bucket, model, whole=config.data.whole)
    incomplete.tell_left_out(batch, using)
    last = batch.last_arrival
    if batch.listing == state.answered_batch or last is None or last > now - EVENT_DELAY:
        return False
    previous: Sequence[DataObject] = ()
    if state.last_batch is not None:
        previous = bucket.read_manifest(using.s3, using.settings.bucket, model, state.last_batch)
    return bool(batch.new_since(previous))


def _may_list(model: str, loaded: Loaded, now: datetime, using: Collaborators) -> bool:
    """Whether a listing is due. It is noted first: one that ends its function rests as long as any other."""
    state, version = loaded
    if not _listing_due(state, now):
        return False
    if not using.states.swap(model, state.listed(now), version):
        using.states.change(model, lambda state: state.listed(now))
    return True


def _listing_due(state: ModelState, now: datetime) -> bool:
    return state.listed_at is None or now - state.listed_at >= LISTED_EVERY
