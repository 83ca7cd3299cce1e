"""Invariants of size, cost, writes and secrecy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tests.chaos.functions import BASE, SECRET

if TYPE_CHECKING:
    from tests.chaos.runner import Run

MAX_ITEM: Final = 300 * 1024
"""Bytes of the largest item of the ledger."""

MAX_CALLS: Final = 20
"""Calls to AWS that an idle sweep makes for each model, its own calls included."""

MAX_FAILURES: Final = 1
"""Failure messages of all idle sweeps together: what cannot succeed is tried once an hour."""

MAX_OBJECTS: Final = 2
"""Object versions that all idle sweeps together write."""

LINK: Final = f"{BASE}review?t="


def an_idle_minute_is_cheap(run: Run) -> Iterator[str]:
    """Sweeps in which nothing is left to do stay within MAX_CALLS, MAX_FAILURES and MAX_OBJECTS."""
    sweeps, calls = run.idle["sweeps"], run.idle["calls"]
    if calls.total() > sweeps * MAX_CALLS * len(run.models):
        each = f"{calls.total() / sweeps:.0f} calls a sweep"
        yield f"{each} for {len(run.models)} models: {calls.most_common(4)}"
    if run.idle["failures"] > MAX_FAILURES:
        last = run.functions.failures[-1].error[:300]
        yield f"{run.idle['failures']} failure messages in {sweeps} idle sweeps: {last}"
    if run.idle["objects"] > MAX_OBJECTS:
        yield f"{run.idle['objects']} objects in {sweeps} idle sweeps"


def no_item_is_large(run: Run) -> Iterator[str]:
    """No item of the ledger is above 300 KB: DynamoDB holds 400."""
    size, fact = run.account.table.largest
    if size > MAX_ITEM:
        yield f"{fact[:60]} had {size // 1024} KB"


def every_write_is_recognised(run: Run) -> Iterator[str]:
    """A conditional write that the ledger took counts as written, also if its answer was lost and botocore
    repeated it."""
    for fact in run.functions.unrecognised[:1]:
        yield f"{fact[:60]} was written, and the function was told that it was not"


def secrets_stay_where_they_belong(run: Run) -> Iterator[str]:
    """The secret of the links is written nowhere; a link stands in notifications and in Slack only."""
    account = run.account
    items = [(f"item {fact}", str(item)) for fact, item in account.table.items.items()]
    objects = [
        (f"object {key[:60]}", body.decode(errors="replace"))
        for key, versions in account.bucket.versions.items()
        if not key.startswith("curated/")
        for _, body, _ in versions[-1:]
        if body
    ]
    told = [("notification", f"{it.body}{it.email}") for it in account.topic.taken]
    shown = [("Slack", text) for text in account.channel.texts]
    for where, text in [*items, *objects, ("log", run.printed)]:
        if LINK in text:
            yield f"{where} holds a link"
            break
    for where, text in [*items, *objects, *told, *shown, ("log", run.printed)]:
        if SECRET in text:
            yield f"{where} holds the secret of the links"


def every_failure_can_be_redriven(run: Run) -> Iterator[str]:
    """A message of a failure queue, sent again once the faults are over, is handled."""
    for failed, error in run.redriven:
        if error:
            yield f"{failed.function}, failed at {failed.at:.0f} s ({failed.error[:80]}): {error[:200]}"
