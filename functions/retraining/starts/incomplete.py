"""Tells people once of data that waits for a marker, or that is left out, so that nothing starts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from retraining.facts import keys
from retraining.notifications.messages import Notification
from retraining.notifications.publish import try_to_notify
from retraining.starts import bucket
from retraining.starts.batches import ROOT
from retraining.starts.markers import TELL_AFTER, waits_for

if TYPE_CHECKING:
    from retraining.collaborators import Collaborators
    from retraining.starts.batches import Batch
    from retraining.starts.markers import Markers

TELL_AFTER_ROOT: Final = timedelta(days=1)
"""The same time where the newest delivery was completed by the root's marker: there Spark's markers of the
splits may mean nothing, and the next root's marker ends the waiting."""


def tell(model: str, name: str, markers: Markers, using: Collaborators, *, whole: bool) -> None:
    """Tell people of a delivery that lacks a marker of this name for TELL_AFTER, or TELL_AFTER_ROOT.

    That is one of which a split's marker has landed alone, or data in a model in which no marker ever landed.
    """
    now, waiting = using.clock(), markers.waiting
    by_root = bool(markers.complete) and markers.complete[0].other is None
    if waiting is not None and now - waiting.landed_at >= (TELL_AFTER_ROOT if by_root else TELL_AFTER):
        said = f"{waits_for(name, waiting)} since {waiting.landed_at:%Y-%m-%d %H:%M:%S} UTC"
        ways = f"land it, or {name} at the root of {ROOT}{model}/"
        _tell(_message(model, f"{said}: {ways}", f"{waiting.version_id} waits"), using)
    if waiting is not None or markers.complete:
        return
    known = _message(model, "", f"no {name}")
    if using.ledger.get(keys.notification(known.notification_id)):
        return  # nothing is listed for it again
    using.check_time()
    batch = bucket.list_as_of(using.s3, using.settings.bucket, model, name, markers, whole=whole)
    if batch.first_arrival is not None and now - batch.first_arrival >= TELL_AFTER:
        _tell(_message(model, f"data has landed, and {batch.without_marker(name)}", f"no {name}"), using)


def tell_left_out(batch: Batch, using: Collaborators) -> None:
    """Tell people that a split has no data while objects are left out that may have been meant as data."""
    first = batch.first_arrival
    lasts = first is not None and using.clock() - first >= TELL_AFTER
    if lasts and batch.missing and batch.may_be_meant:
        _tell(_message(batch.model, batch.without_splits, batch.ignored[0].key), using)


def _message(model: str, reason: str, occurrence: str) -> Notification:
    return Notification.about(
        f"deliveries of {model}", "start_blocked", model=model, reasons=[reason], occurrence=occurrence
    )


def _tell(message: Notification, using: Collaborators) -> None:
    try_to_notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
