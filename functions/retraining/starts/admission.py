"""Pure: may this model start now? And what is known of a model between two starts.

One execution runs at a time. Whoever wants a start leaves a wish; all wishes that wait become one start over
all the data that is there. Each answer has a reason, which `handsoff status`, the log and a metric show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from retraining.config.schema import Retrain

Trigger = Literal["landing", "schedule", "request"]

DAY: Final = timedelta(days=1)
MOST_WISHES: Final = 100
"""Wishes that are kept while they wait: all become one start, however many they are."""

LOOK_AGAIN: Final = timedelta(minutes=2)
"""When something is waited for whose end nothing announces (paused) or whose event may be lost (running)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Wish(_Frozen):
    """Somebody wants a start. The same `cause` is the same wish; all landings are one, named `landing`."""

    cause: str
    trigger: Trigger
    requested_by: str
    at: datetime


class Start(_Frozen):
    """A start that was taken: `key` is its identity, `execution_arn` what came of it, once it is made."""

    key: str
    batch: str
    champion: str
    wishes: tuple[Wish, ...]
    taken_at: datetime
    execution_arn: str | None = None

    @property
    def wish(self) -> Wish:
        """The wish after which the start is named: a person's before a schedule's before a landing's."""
        return leading(self.wishes)


def leading(wishes: Sequence[Wish]) -> Wish:
    """The one of several wishes after which their start is named."""
    order: tuple[Trigger, ...] = ("request", "schedule", "landing")
    return min(wishes, key=lambda wish: (order.index(wish.trigger), wish.at, wish.cause))


class BadFile(_Frozen):
    """A file that is to go to quarantine, and what is wrong with it (inspection.Problem)."""

    key: str
    version_id: str
    etag: str
    size: int
    kind: str
    text: str
    row: int | None = None
    column: str | None = None


class ModelState(_Frozen):
    """What the ledger knows of one model between events.

    `starts` are the times of those within the last day, `due_at` is when to look again, `reason` the last
    answer's, first given at `answered_at`. `batch` is the one that was started last. `landings` counts
    landings, so that one that comes while another is answered is not overlooked. `bad` files are on their
    way to quarantine; `remainder` is the batch that is left without them, which does not start by itself
    while the marker is still the version `remainder_marker`.
    """

    waiting: tuple[Wish, ...] = ()
    running: Start | None = None
    batch: str | None = None
    ended_at: datetime | None = None
    starts: tuple[datetime, ...] = ()
    due_at: datetime | None = None
    answer: Literal["start", "wait", "refuse"] | None = None
    reason: str | None = None
    answered_at: datetime | None = None
    landings: int = 0
    bad: tuple[BadFile, ...] = ()
    remainder: str | None = None
    remainder_marker: str | None = None

    def wished(self, wish: Wish) -> ModelState:
        """With one more wish, unless the same one waits or runs already.

        All landings are one wish, the newest; of a schedule's firings the newest counts, too. A landing is
        always news, for it may have come after a listing. More than MOST_WISHES become one start as well.
        """
        if wish.trigger == "landing":
            others = tuple(other for other in self.waiting if other.trigger != "landing")
            noted = {"waiting": (*others, wish), "due_at": wish.at, "landings": self.landings + 1}
            return self.model_copy(update=noted)
        known = [*self.waiting, *(self.running.wishes if self.running else ())]
        if any(wish.cause == other.cause for other in known) or len(self.waiting) >= MOST_WISHES:
            return self
        others = tuple(
            other
            for other in self.waiting
            if not (wish.trigger == other.trigger == "schedule" and wish.requested_by == other.requested_by)
        )
        return self.model_copy(update={"waiting": (*others, wish), "due_at": wish.at})

    def waits(self, until: datetime, reason: str, at: datetime) -> ModelState:
        """Nothing starts now; look again at `until`."""
        if (self.answer, self.reason) == ("wait", reason):
            at = self.answered_at or at
        return self.model_copy(
            update={"due_at": until, "answer": "wait", "reason": reason, "answered_at": at}
        )

    def refused(self, reason: str, at: datetime) -> ModelState:
        """Nothing starts, and what waited waits no more."""
        return self.model_copy(
            update={
                "waiting": (),
                "due_at": None,
                "answer": "refuse",
                "reason": reason,
                "answered_at": at,
            }
        )

    def spoiled(
        self, bad: Sequence[BadFile], reason: str, remainder: str, marker: str | None, at: datetime
    ) -> ModelState:
        """Refused, because of files that are to go to quarantine now."""
        return self.refused(reason, at).model_copy(
            update={
                "bad": tuple(bad),
                "remainder": remainder,
                "remainder_marker": marker,
                "due_at": at,
            }
        )

    def troubled(self, reason: str, at: datetime) -> ModelState:
        """A start that was taken cannot be made; it is tried again."""
        return self.model_copy(update={"reason": reason, "answered_at": at})

    def taken(self, start: Start) -> ModelState:
        """`start` is taken and fulfils all wishes that waited; it is made next."""
        recent = tuple(at for at in self.starts if start.taken_at - at < DAY)
        return self.model_copy(
            update={
                "waiting": (),
                "running": start,
                "remainder": None,
                "batch": start.batch,
                "starts": (*recent, start.taken_at),
                "due_at": start.taken_at,
                "answer": "start",
                "reason": "started",
                "answered_at": start.taken_at,
            }
        )

    def made(self, key: str, execution_arn: str, look_again: datetime) -> ModelState:
        """The start of this key, if it is still the one that was taken, has become an execution."""
        if self.running is None or self.running.key != key:
            return self
        running = self.running.model_copy(update={"execution_arn": execution_arn})
        return self.model_copy(update={"running": running, "due_at": look_again})

    def ended(self, execution_arn: str, at: datetime) -> ModelState:
        """An execution has ended, ours or one that somebody started by hand; what waits is due."""
        if self.running is not None and self.running.execution_arn == execution_arn:
            state = self.model_copy(update={"running": None})
        else:
            state = self
        latest = at if state.ended_at is None else max(at, state.ended_at)
        due = at if state.waiting else (None if state.running is None else state.due_at)
        return state.model_copy(update={"ended_at": latest, "due_at": due})


@dataclass(frozen=True)
class Wait:
    """Not now: look again at `until`."""

    until: datetime
    reason: str


@dataclass(frozen=True)
class Admitted:
    """Now, as far as time is concerned; the data has its say next."""


def admit(
    policy: Retrain,
    state: ModelState,
    *,
    now: datetime,
    running: str | None,
    last_arrival: datetime | None,
) -> Admitted | Wait:
    """Whether the wishes that wait may start now. `running` is the ARN of an execution that runs, however it
    was started; `last_arrival` is when the newest data object landed, where readiness asks for it."""
    if policy.paused:
        return Wait(now + LOOK_AGAIN, "paused")
    if running is not None:
        return Wait(now + LOOK_AGAIN, f"execution {running.rsplit('/', 1)[-1]} is running")
    triggers = {wish.trigger for wish in state.waiting}
    if triggers == {"landing"} and policy.ready.when == "quiet" and last_arrival is not None:
        quiet = last_arrival + policy.ready.quiet_period
        if now < quiet:
            return Wait(quiet, f"data landed at {last_arrival:%H:%M:%S}: waiting for quiet")
    if "request" not in triggers and state.ended_at is not None:
        cool = state.ended_at + policy.cooldown
        if now < cool:
            return Wait(cool, f"cooldown until {cool:%Y-%m-%d %H:%M:%S} UTC")
    recent = sorted(at for at in state.starts if now - at < DAY)
    if len(recent) >= policy.daily_limit:
        free = recent[-policy.daily_limit] + DAY
        return Wait(free, f"daily limit of {policy.daily_limit} starts until {free:%Y-%m-%d %H:%M:%S} UTC")
    return Admitted()
