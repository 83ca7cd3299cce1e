"""The state of one model between events, and what becomes of it: pure.

Fields that had another name in version 0.1 are read under both names and written under the new one.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final, Literal

from pydantic import AliasChoices, Field

from retraining.facts.fact import Fact, Moment
from retraining.facts.starts import BadFile, Blocked, InspectedSoFar, Marker, Start, StartRequest, Untold
from retraining.facts.usual import with_landing

DAY: Final = timedelta(days=1)
"""The time in which `daily_limit` counts starts."""

MAX_PENDING: Final = 50
"""Start requests of people and schedules that a model keeps pending. One start serves all of them, so a
further request is answered by that start, too."""

NAME_RULE: Final = 2
"""Version of the rule by which a name counts as data (starts/names.py). A batch that another version of it
listed may have other files without a change in the bucket."""

MAX_SUPERSEDED: Final = 10
"""Superseded markers that a model's state names."""

FIRST_RETRY: Final = timedelta(minutes=1)
"""The wait after the first failure. It doubles with each further failure."""

LAST_RETRY: Final = timedelta(hours=1)
"""The longest wait after a failure."""


class BeforeStart(Fact):
    """What a start that was taken has changed in the state, and what comes back if it is given up."""

    last_batch: str | None = None
    answered_batch: str | None = None
    answered_rule: int | None = None
    answered_marker: Marker | None = None
    answered_pair: Marker | None = None


class ModelState(Fact):
    """What the ledger knows of one model between events. Its methods return the next state.

    - `pending` are the requests that wait for a start, `running` is the start that was taken last and whose
      execution has not ended.
    - `last_batch` is the identity of the batch that was started last, `ended_at` when the last execution
      ended, `starts` the times of the starts within the last day.
    - `answer` and `reason` are what the last decision said to the pending requests, `answered_at` is when it
      said so first, `due_at` when to decide again.
    - `landings` counts landings. A landing that arrives during a decision thereby changes the state, and
      the decision is made anew.
    - `bad_files` are on their way to quarantine, `moves` counts the invocations that began to move them.
      `remaining_batch` is the batch without them, by its listing. No landing or schedule starts it until the
      marker lands anew; `remaining_marker` is the marker's version at that time, None if there was none.
    - `answered_batch` is the listing of the batch that was started or refused last, `answered_marker` is the
      newest marker at that time. `answered_batch` is None where 0.1 stored the state. `answered_rule` is the
      NAME_RULE that listed it, None where it was not kept yet. `superseded_markers` are the latest markers
      that started nothing because a newer one had landed, newest first.
      `answered_pair` is the newest answered marker of both splits' folders; None if there was none.
    - `landed` are the times of the newest landings, oldest first (usual.py).
    - `listed_at` is when the sweep last listed objects to find a landing whose event was lost.
    - `blocked` says why nothing can be decided or started now; None if the last try succeeded.
      `inspected_so_far` is how far the inspection of many files has come; None if none is under way.
      `before_start` is what the state was before `running` was taken; None once its execution is made.
    - `untold` is the last refusal, or the pause that requests wait for, if people are still to be told of it.
    """

    pending: tuple[StartRequest, ...] = Field((), validation_alias=AliasChoices("pending", "waiting"))
    running: Start | None = None
    last_batch: str | None = Field(None, validation_alias=AliasChoices("lastBatch", "batch"))
    ended_at: Moment | None = None
    starts: tuple[Moment, ...] = ()
    due_at: Moment | None = None
    answer: Literal["start", "wait", "refuse"] | None = None
    reason: str | None = None
    answered_at: Moment | None = None
    landings: int = 0
    blocked: Blocked | None = None
    untold: Untold | None = None
    inspected_so_far: InspectedSoFar | None = None
    before_start: BeforeStart | None = None
    bad_files: tuple[BadFile, ...] = Field((), validation_alias=AliasChoices("badFiles", "bad"))
    moves: int = 0
    remaining_batch: str | None = Field(None, validation_alias=AliasChoices("remainingBatch", "remainder"))
    remaining_marker: str | None = Field(
        None, validation_alias=AliasChoices("remainingMarker", "remainder_marker", "remainderMarker")
    )
    answered_batch: str | None = None
    answered_rule: int | None = None
    answered_marker: Marker | None = None
    answered_pair: Marker | None = None
    superseded_markers: tuple[Marker, ...] = ()
    listed_at: Moment | None = None
    landed: tuple[Moment, ...] = ()

    def requested(self, request: StartRequest) -> "ModelState":
        """With one more pending request, unless the same one is pending or served by the running start.

        A landing replaces the landing that is pending, and changes the state: it may have happened after a
        listing. If it is a marker that was answered, its event has come again and changes nothing. A
        schedule's request replaces the pending one of the same schedule. Beyond MAX_PENDING further requests
        are not kept. A new request is tried at once, and gives up a start that SageMaker has refused: the
        decision is made anew, over the data that is there then.
        """
        if request.trigger == "landing":
            answered = (self.answered_marker, self.answered_pair, *self.superseded_markers)
            if any(marker and request.version_id in marker.versions for marker in answered):
                return self
            state = self._tried_again(request.at)
            others = tuple(other for other in state.pending if other.trigger != "landing")
            noted = {
                "pending": (*others, request),
                "due_at": request.at,
                "landings": self.landings + 1,
                "landed": with_landing(self.landed, request.at),
            }
            return state.model_copy(update=noted)
        known = [*self.pending, *(self.running.requests if self.running else ())]
        if any(request.cause == other.cause for other in known) or len(self.pending) >= MAX_PENDING:
            return self
        state = self._tried_again(request.at)
        others = tuple(
            other
            for other in state.pending
            if not (
                request.trigger == other.trigger == "schedule" and request.requested_by == other.requested_by
            )
        )
        return state.model_copy(update={"pending": (*others, request), "due_at": request.at})

    @property
    def idle(self) -> bool:
        """Whether nothing waits, runs, is blocked or is to be told: the state changes by an event only."""
        unfinished = self.pending or self.running or self.bad_files or self.untold or self.blocked
        return not unfinished and self.due_at is None

    @property
    def unmade(self) -> Start | None:
        """The start that was taken and has no execution yet."""
        return self.running if self.running and self.running.execution_arn is None else None

    def _tried_again(self, at: datetime) -> "ModelState":
        """What is blocked is tried again now. The requests of a start that was refused are pending again."""
        if self.blocked is None:
            return self
        state = self.model_copy(update={"blocked": self.blocked.model_copy(update={"until": at})})
        return state._without_start() if self.unmade and self.blocked.refused else state

    def _without_start(self) -> "ModelState":
        """The start that SageMaker has refused is given up. Its requests are pending again.

        Where 0.1 took the start, what was before is not known: its batch is then decided as a new one.
        """
        given_up, before = self.unmade, self.before_start or BeforeStart()
        if given_up is None:
            return self
        waiting = {request.cause: request for request in (*given_up.requests, *self.pending)}
        return self.model_copy(
            update={
                "pending": tuple(waiting.values()),
                "running": None,
                "before_start": None,
                "starts": tuple(start for start in self.starts if start != given_up.taken_at),
                **{name: getattr(before, name) for name in BeforeStart.model_fields},
            }
        )

    def waits(
        self, until: datetime, reason: str, at: datetime, occurrence: str | None = None
    ) -> "ModelState":
        """The pending requests wait; the next decision is at `until`.

        With an `occurrence` people are to be told, unless the requests wait for this reason already.
        """
        untold = self.untold
        if (self.answer, self.reason) == ("wait", reason):
            at = self.answered_at or at
        elif occurrence:
            untold = Untold(reason=reason, occurrence=occurrence)
        return self.model_copy(
            update={
                "due_at": until,
                "answer": "wait",
                "reason": reason,
                "answered_at": at,
                "untold": untold,
            }
        )

    def refused(self, reason: str, at: datetime, occurrence: str | None = None) -> "ModelState":
        """The pending requests are refused, and none is pending any more. With an `occurrence` people are to
        be told."""
        return self.model_copy(
            update={
                "pending": (),
                "untold": Untold(reason=reason, occurrence=occurrence) if occurrence else self.untold,
                "inspected_so_far": None,
                "due_at": None,
                "answer": "refuse",
                "reason": reason,
                "answered_at": at,
            }
        )

    def told(self, refusal: Untold) -> "ModelState":
        """People know of this refusal; unchanged if there is another one by now."""
        return self.model_copy(update={"untold": None}) if self.untold == refusal else self

    def quarantining(
        self, files: Sequence[BadFile], reason: str, remaining_batch: str, marker: str | None, at: datetime
    ) -> "ModelState":
        """The pending requests are refused because of these files, which are moved to quarantine next."""
        return self.refused(reason, at).model_copy(
            update={
                "bad_files": tuple(files),
                "moves": 0,
                "remaining_batch": remaining_batch,
                "remaining_marker": marker,
                "due_at": at,
            }
        )

    def moving(self, look_again: datetime) -> "ModelState":
        """An invocation begins to move the bad files. If it does not end, the next one is at `look_again`."""
        return self.model_copy(update={"moves": self.moves + 1, "due_at": look_again})

    def quarantined(self, files: Sequence[BadFile]) -> "ModelState":
        """These bad files are dealt with; unchanged if others are noted by now."""
        if self.bad_files != tuple(files):
            return self
        return self.model_copy(update={"bad_files": (), "moves": 0, "due_at": None})

    def looked_at_again(self, at: datetime | None) -> "ModelState":
        """Nothing is pending. The sweep looks again at this time, if there is one."""
        return self.model_copy(update={"due_at": at})

    def has_answered(self, marker: Marker, batch: str | None = None) -> bool:
        """Whether this marker, or one that landed after it, was answered. `batch` is the listing of the
        batch as of it.

        A state that 0.1 stored names no marker. There the batch tells, if it is the one started last.
        """
        if self.answered_batch is None:
            return batch is not None and batch == self.last_batch
        known = self.answered_marker
        return known is not None and (known == marker or marker.landed_at < known.landed_at)

    def answering(self, batch: str, marker: Marker | None, earlier: Sequence[Marker] = ()) -> "ModelState":
        """This batch, as of this marker, is answered, and with it all earlier markers (newest first).

        Those of them that were not answered are superseded.
        """
        noted: dict[str, object] = {"answered_batch": batch, "answered_rule": NAME_RULE}
        if marker is not None:
            begun = self.answered_batch is None and self.last_batch is not None  # 0.1 noted no markers
            passed = () if begun else tuple(takewhile(lambda one: not self.has_answered(one), earlier))
            # A start that was given up has left markers here which are passed again.
            kept = tuple(dict.fromkeys((*passed, *self.superseded_markers)))[:MAX_SUPERSEDED]
            pair = next((one for one in (marker, *earlier) if one.other), self.answered_pair)
            noted |= {"answered_marker": marker, "superseded_markers": kept, "answered_pair": pair}
        return self.model_copy(update=noted)

    def without_landing(self) -> "ModelState":
        """The pending landing is forgotten, as if it had not come."""
        others = tuple(request for request in self.pending if request.trigger != "landing")
        return self.model_copy(update={"pending": others, "due_at": None})

    def listed(self, at: datetime) -> "ModelState":
        """The sweep has looked at `at` for a landing whose event was lost."""
        return self.model_copy(update={"listed_at": at})

    def failed(
        self, reason: str, at: datetime, *, refused: str | None = None, at_once: bool = False
    ) -> "ModelState":
        """The last try failed for this reason; unchanged if nothing is left to be tried.

        The wait before the next try doubles with each failure; `at_once` makes it none. `refused` is the key
        of a start that SageMaker has refused. If requests came during that call, the start is given up: they
        would wait behind it. Unchanged if another start was taken meanwhile.
        """
        if not self.pending and self.unmade is None and not self.bad_files:
            return self
        if refused is not None and (self.unmade is None or self.unmade.key != refused):
            return self
        known = self.blocked
        tries = (known.tries if known else 0) + (0 if at_once else 1)
        wait = min(FIRST_RETRY * 2 ** min(max(tries - 1, 0), 10), LAST_RETRY)
        gives_way = refused is not None and bool(self.pending)
        blocked = Blocked(
            reason=reason,
            since=known.since if known else at,
            until=at if at_once or gives_way else at + wait,
            tries=tries,
            refused=refused is not None,
        )
        state = self.model_copy(update={"blocked": blocked, "due_at": blocked.until})
        return state._without_start() if gives_way else state

    def calling(self) -> "ModelState":
        """SageMaker is asked again for the start that it has refused: from now on it may have been made."""
        if self.blocked is None or not self.blocked.refused:
            return self
        return self.model_copy(update={"blocked": self.blocked.model_copy(update={"refused": False})})

    def inspecting(self, so_far: InspectedSoFar) -> "ModelState":
        """The inspection has come this far. That it goes on says that nothing blocks it."""
        return self.model_copy(update={"inspected_so_far": so_far, "blocked": None})

    def unblocked(self) -> "ModelState":
        """A decision could be made."""
        return self.model_copy(update={"blocked": None})

    def taken(self, start: Start, before: "ModelState | None" = None) -> "ModelState":
        """`start` is taken and serves all pending requests. Its execution is made next.

        `before` is the state that comes back if the start is given up; without it, this one.
        """
        before = before or self
        recent = tuple(at for at in self.starts if start.taken_at - at < DAY)
        return self.model_copy(
            update={
                "pending": (),
                "untold": None,
                "inspected_so_far": None,
                "running": start,
                "before_start": BeforeStart(
                    last_batch=before.last_batch,
                    answered_batch=before.answered_batch,
                    answered_rule=before.answered_rule,
                    answered_marker=before.answered_marker,
                    answered_pair=before.answered_pair,
                ),
                "remaining_batch": None,
                "last_batch": start.batch,
                "starts": (*recent, start.taken_at),
                "due_at": start.taken_at,
                "answer": "start",
                "reason": "started",
                "answered_at": start.taken_at,
            }
        )

    def made(self, key: str, execution_arn: str, look_again: datetime) -> "ModelState":
        """The start with this key has an execution; unchanged if another start was taken meanwhile."""
        if self.running is None or self.running.key != key:
            return self
        running = self.running.model_copy(update={"execution_arn": execution_arn})
        noted = {"running": running, "due_at": look_again, "before_start": None, "blocked": None}
        return self.model_copy(update=noted)

    def ended(self, execution_arn: str, at: datetime) -> "ModelState":
        """An execution has ended, ours or one started in SageMaker directly. Pending requests are due, and so
        are bad files on their way to quarantine."""
        if self.running is not None and self.running.execution_arn == execution_arn:
            state = self.model_copy(update={"running": None})
        else:
            state = self
        latest = at if state.ended_at is None else max(at, state.ended_at)
        due = at if state.pending or state.bad_files else (None if state.running is None else state.due_at)
        return state.model_copy(update={"ended_at": latest, "due_at": due})


class ModelFact(Fact):
    """The state of a model. A writer replaces it only at the `version` that it read."""

    state: ModelState
    version: int
