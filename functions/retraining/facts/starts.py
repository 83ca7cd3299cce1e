"""What the ledger knows of starts and executions: requests, what runs, and what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import Field

from retraining.facts.fact import Fact, Moment

Trigger = Literal["landing", "schedule", "request"]
"""What asked for a start: data that landed, the model's schedule, or a person."""

DAY: Final = timedelta(days=1)
"""The time in which `daily_limit` counts starts."""

MAX_PENDING: Final = 100
"""Start requests that are kept while they wait: all become one start, however many they are."""


class StartRequest(Fact):
    """Asks for a start. The same `cause` is the same request; all landings are one, named `landing`."""

    cause: str
    trigger: Trigger
    requested_by: str
    at: Moment


class Start(Fact):
    """A start that was taken: `key` is its identity, `execution_arn` what came of it, once it is made."""

    key: str
    batch: str
    champion: str
    requests: tuple[StartRequest, ...]
    taken_at: Moment
    execution_arn: str | None = None

    @property
    def request(self) -> StartRequest:
        """The request after which the start is named: a person's before a schedule's before a landing's."""
        return leading(self.requests)


def leading(requests: Sequence[StartRequest]) -> StartRequest:
    """The one of several requests after which their start is named."""
    order: tuple[Trigger, ...] = ("request", "schedule", "landing")
    return min(requests, key=lambda request: (order.index(request.trigger), request.at, request.cause))


class BadFile(Fact):
    """A file that is to go to quarantine, and what is wrong with it (inspection.Problem)."""

    key: str
    version_id: str
    etag: str
    size: int
    kind: str
    text: str
    row: int | None = None
    column: str | None = None


class ModelState(Fact):
    """What the ledger knows of one model between events.

    `starts` are the times of those within the last day, `due_at` is when to look again, `reason` the last
    answer's, first given at `answered_at`. `batch` is the one that was started last. `landings` counts
    landings, so that one that comes while another is answered is not overlooked. `bad` files are on their
    way to quarantine; `remainder` is the batch that is left without them, which does not start by itself
    while the marker is still the version `remainder_marker`.
    """

    pending: tuple[StartRequest, ...] = ()
    running: Start | None = None
    batch: str | None = None
    ended_at: Moment | None = None
    starts: tuple[Moment, ...] = ()
    due_at: Moment | None = None
    answer: Literal["start", "wait", "refuse"] | None = None
    reason: str | None = None
    answered_at: Moment | None = None
    landings: int = 0
    bad: tuple[BadFile, ...] = ()
    remainder: str | None = None
    remainder_marker: str | None = None

    def requested(self, request: StartRequest) -> ModelState:
        """With one more request, unless the same one waits or runs already.

        All landings are one request, the newest; of a schedule's firings the newest counts, too. A landing is
        always news, for it may have come after a listing. More than MAX_PENDING become one start as well.
        """
        if request.trigger == "landing":
            others = tuple(other for other in self.pending if other.trigger != "landing")
            noted = {"pending": (*others, request), "due_at": request.at, "landings": self.landings + 1}
            return self.model_copy(update=noted)
        known = [*self.pending, *(self.running.requests if self.running else ())]
        if any(request.cause == other.cause for other in known) or len(self.pending) >= MAX_PENDING:
            return self
        others = tuple(
            other
            for other in self.pending
            if not (
                request.trigger == other.trigger == "schedule" and request.requested_by == other.requested_by
            )
        )
        return self.model_copy(update={"pending": (*others, request), "due_at": request.at})

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
                "pending": (),
                "due_at": None,
                "answer": "refuse",
                "reason": reason,
                "answered_at": at,
            }
        )

    def spoiled(
        self, bad: Sequence[BadFile], reason: str, remainder: str, marker: str | None, at: Moment
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
        """`start` is taken and fulfils all requests that waited; it is made next."""
        recent = tuple(at for at in self.starts if start.taken_at - at < DAY)
        return self.model_copy(
            update={
                "pending": (),
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
        due = at if state.pending else (None if state.running is None else state.due_at)
        return state.model_copy(update={"ended_at": latest, "due_at": due})


class ModelFact(Fact):
    """The state of a model, swapped by `version`."""

    state: ModelState
    version: int


class StartFact(Fact):
    """A start that became an execution: what it was made of, and the execution's ARN."""

    model: str
    batch: str
    cause: str
    trigger: Trigger
    requested_by: str
    requests: tuple[StartRequest, ...]
    champion: str
    execution_arn: str


class ExecutionFact(Fact):
    """The newest known state of an execution and its steps, and what the start knows of it.

    Both are written on their own, and either may be first: what is not known yet is None or empty. `version`
    is sortable text that grows with each change; `final` says that the execution has ended. `steps` are
    statuses, `log_lines` the last lines of failed steps, both by the step's name.
    """

    model: str | None = None
    status: str | None = None
    failure_reason: str | None = None
    steps: dict[str, str] = Field(default_factory=dict)
    log_lines: dict[str, list[str]] = Field(default_factory=dict)
    version: str | None = None
    final: bool = False
    batch: str | None = None
    cause: str | None = None
    trigger: Trigger | None = None
    requested_by: str | None = None
    requests: tuple[StartRequest, ...] = ()
    start_key: str | None = None


class BatchStarted(Fact):
    """This batch has been started, by the start of this key."""

    start_key: str


class RequestAnswered(Fact):
    """A request, or a time of a schedule, has been started, or was `refused` for this reason."""

    start_key: str | None = None
    refused: str | None = None


class Released(Fact):
    """A person put this file back from quarantine: it is not looked at again."""

    by: str
    at: Moment


class Stray(Fact):
    """An object landed for a model that does not exist: the first one."""

    key: str
    at: Moment
