"""Which execution `handsoff status --watch` follows: reads one snapshot, then decides without AWS.

`take_snapshot` reads states and executions; `next_step` and `notices` are pure functions of snapshots.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from handsoff.deployment import Deployment
from handsoff.operating.executions import is_settled, newest_executions, package_of
from handsoff.operating.states import model_state
from retraining.aws.pipelines import Execution
from retraining.facts.model_state import ModelState

MAX_WAIT: Final = timedelta(seconds=12)
"""How long watching waits for a start request to appear after it began; an event takes seconds to arrive."""

RECENT: Final = timedelta(minutes=1)
"""A refusal of at most this age is shown: it answers what the user has just landed or requested."""


@dataclass(frozen=True)
class Watched:
    """One model in a snapshot: its newest execution, whether that one is settled, and its state."""

    state: ModelState
    newest: Execution | None = None
    settled: bool = True


@dataclass(frozen=True)
class Snapshot:
    """The watched models at one moment, by name."""

    at: datetime
    models: dict[str, Watched]

    @property
    def executions(self) -> frozenset[str]:
        """The ARNs of the newest executions."""
        return frozenset(item.newest.arn for item in self.models.values() if item.newest)


@dataclass(frozen=True)
class Follow:
    """An execution runs, has just started, or waits for its verdict: follow it."""

    execution: Execution


@dataclass(frozen=True)
class KeepWaiting:
    """A start is pending, or may become pending within MAX_WAIT: look again."""


@dataclass(frozen=True)
class StopRefused:
    """The start request was refused; the refusal has been shown. Nothing follows."""


@dataclass(frozen=True)
class ShowNewest:
    """No execution runs and no start is pending: show the newest execution, if there is one."""

    execution: Execution | None


NextStep = Follow | KeepWaiting | StopRefused | ShowNewest


@dataclass(frozen=True)
class Notice:
    """A model's answer to a start request is worth showing; `earlier` if it was given before watching."""

    model: str
    earlier: bool


def take_snapshot(deployment: Deployment, models: list[str], at: datetime) -> Snapshot:
    """Read the newest execution and the state of each model."""
    return Snapshot(at, {name: _look_at(deployment, name) for name in models})


def _look_at(deployment: Deployment, model: str) -> Watched:
    newest = next(iter(newest_executions(deployment, model, 1)), None)
    settled = newest is None or is_settled(deployment, newest, package_of(deployment, newest))
    return Watched(model_state(deployment, model), newest, settled)


def next_step(first: Snapshot, now: Snapshot) -> NextStep:
    """What to do after the snapshot `now`; `first` is the one with which watching began.

    An execution that is new or unsettled is followed, the latest of several. Pending start requests are
    waited for. Otherwise a refusal ends the watch, at once if it was given while watching.
    """
    followed = [
        item.newest
        for item in now.models.values()
        if item.newest and (not item.settled or item.newest.arn not in first.executions)
    ]
    if followed:
        return Follow(max(followed, key=lambda execution: execution.start_time))
    if any(item.state.pending or item.state.unmade for item in now.models.values()):
        return KeepWaiting()
    refused = [
        item.state.answered_at
        for item in now.models.values()
        if item.state.answer == "refuse" and item.state.answered_at
    ]
    if any(at >= first.at for at in refused):
        return StopRefused()
    if now.at - first.at <= MAX_WAIT:
        return KeepWaiting()
    if any(first.at - at < RECENT for at in refused):
        return StopRefused()
    newest = [item.newest for item in now.models.values() if item.newest]
    return ShowNewest(max(newest, key=lambda execution: execution.start_time, default=None))


def notices(first: Snapshot, now: Snapshot) -> list[Notice]:
    """The models whose answer is worth showing: a start is pending, or was refused recently."""
    found = []
    for name, item in now.models.items():
        state = item.state
        if state.pending or state.unmade:
            found.append(Notice(name, earlier=False))
        elif state.answer == "refuse" and state.answered_at and now.at - state.answered_at < RECENT:
            found.append(Notice(name, earlier=state.answered_at < first.at))
    return found
