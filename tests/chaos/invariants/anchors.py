"""Invariants of anchors."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from retraining.facts import keys
from tests.chaos.clock import BEGIN

if TYPE_CHECKING:
    from tests.chaos.runner import Run

ANCHOR = keys.anchor("handsoff-").text
LEEWAY = timedelta(seconds=1)
"""Times are noted in whole seconds here and there."""


def an_anchor_never_moves_without_a_person(run: Run) -> Iterator[str]:
    """The ledger never held another anchor than the first one and those to which a person moved it."""
    for fact, written in run.account.table.anchors.items():
        model = fact.removeprefix(ANCHOR)
        packages = [package for package, _ in groupby(package for package, _ in written)]
        asked = [arn for name, arn in run.people.anchors if name == model]
        for package in packages[1:]:
            if package not in asked:
                yield f"{model}: {package[-20:]} became the anchor, and nobody had asked for it"
        if len(packages) > 1 + len(asked):
            yield f"{model}: the anchor moved {len(packages) - 1} times, people asked {len(asked)} times"


def the_anchor_is_the_first_approved_package(run: Run) -> Iterator[str]:
    """The anchor that was noted first is the package that was approved first, of those approved then.

    A model with an approved package has an anchor.
    """
    for model in run.models:
        written = run.account.table.anchors.get(f"{ANCHOR}{model}")
        approved = [
            arn
            for arn, it in run.account.sagemaker.packages.items()
            if it["ModelPackageGroupName"] == f"handsoff-{model}" and it["ModelApprovalStatus"] == "Approved"
        ]
        if written is None:
            if approved:
                yield f"{model} has {len(approved)} approved packages and no anchor"
            continue
        first, at = written[0]
        for other in _approved_before(run, first, at):
            yield f"{first[-20:]} is the anchor since {at:%H:%M:%S}, {other[-20:]} was approved before"


def _approved_before(run: Run, first: str, at: datetime) -> Iterator[str]:
    """Packages of the group that were approved before the anchor was, and still were when it was noted."""
    group = first.rsplit("/", 1)[0]
    since: dict[str, datetime] = {}
    begun = None
    for seconds, arn, status in run.account.sagemaker.history:
        when = BEGIN + timedelta(seconds=seconds)
        if when > at or arn.rsplit("/", 1)[0] != group:
            continue
        if status != "Approved":
            since.pop(arn, None)
        elif arn == first:
            begun = begun or when
        else:
            since[arn] = when
    for arn, when in since.items():
        if begun is None or when < begun - LEEWAY:
            yield arn
