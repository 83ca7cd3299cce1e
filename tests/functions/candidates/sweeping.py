"""Sweeps and events of candidates at a minute after START, and an evaluation that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import judge_candidate
import record_decision
from retraining.candidates import sweep as sweeping
from retraining.collaborators import Collaborators
from tests.functions.fakes import (
    START,
    Context,
    about,
    arn_of,
    register,
)
from tests.functions.world import World

DAY = 24 * 60
"""Minutes."""

ANOTHER = "arn:of-another-champion"
PENDING = "PendingManualApproval"
EVALUATION = "models/titanic/e0/evaluation.json"
"""The key of the evaluation of version 1."""


class Unreadable:
    """Wraps S3: reading this object raises an error."""

    def __init__(self, inner: Any, error: Callable[[], BaseException], key: str = EVALUATION) -> None:
        self._inner, self._error, self._key = inner, error, key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get_object(self, *, Key: str, **call: Any) -> Any:
        if Key == self._key:
            raise self._error()
        return self._inner.get_object(Key=Key, **call)


def using(world: World, minutes: float, **wrapped: Any) -> Collaborators:
    """Collaborators whose clock shows this many minutes after START."""
    now = START + timedelta(minutes=minutes)
    return world.using(Collaborators, clock=lambda: now, **wrapped)


def sweep(world: World, *minutes: float, **wrapped: Any) -> None:
    """Sweep at each of these minutes; every failure is raised."""
    for minute in minutes:
        sweeping.sweep("titanic", using(world, minute, **wrapped))


def judge(world: World, version: int, minutes: float, **wrapped: Any) -> None:
    event = about("candidate_registered.pending", arn_of(version))
    judge_candidate.handler(event, Context(), using=using(world, minutes, **wrapped))


def decided(world: World, version: int, minutes: float, **wrapped: Any) -> None:
    event = about("package_decided.approved", arn_of(version))
    record_decision.handler(event, Context(), using=using(world, minutes, **wrapped))


def status(world: World, version: int = 1) -> str:
    return str(world.sagemaker.packages[arn_of(version)]["ModelApprovalStatus"])


def kinds(world: World) -> list[str]:
    return [message["kind"] for message in world.messages()]


def held(world: World, version: int = 1, minutes: float = 2) -> None:
    """Register a candidate that is held. Approvers have been notified."""
    register(world, version, champion=ANOTHER)
    judge(world, version, minutes)
    world.messages()


def told(world: World) -> list[tuple[str, str | None]]:
    """What people were told since the last call: the kind, and by whom a decision was taken."""
    return [(message["kind"], message["decidedBy"]) for message in world.messages()]
