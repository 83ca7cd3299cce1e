"""What the ledger knows of starts and executions: requests, what runs, and what was answered.

Fields that had another name in version 0.1 are read under both names and written under the new one.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Final, Literal

from pydantic import AliasChoices, Field

from retraining.facts.fact import Fact, Moment

Trigger = Literal["landing", "schedule", "request"]
"""What asked for a start: data that landed, the model's schedule, or a person."""


class StartRequest(Fact):
    """Asks for a start of one model.

    Two requests with the same `cause` are the same request. All landings have the cause `landing`.
    `version_id` is the version of the object that landed, if it is known.
    """

    cause: str
    trigger: Trigger
    requested_by: str
    at: Moment
    version_id: str | None = None


class Start(Fact):
    """A start that was taken in the ledger, with all that its execution is made of.

    `key` is its identity and SageMaker's ClientRequestToken. `champion` is a package ARN or `none`, and so is
    `anchor`, which is None where no rule asks for it. `champion_image` and `anchor_image` are the images that
    score them, for a model of own code; None where there is none, and for a built-in estimator.
    `batch` is the batch's identity, `listing` its name by ETags (`Batch.listing`). Where an earlier version
    took the start, they are the other way round; 0.1 noted no second name (None).
    `config_sha256` and `rules_sha256` name the configuration that admitted it; None of an earlier version.
    `execution_arn` is None until SageMaker has returned it. `landed_at` is when the batch was complete, of a
    start that a landing caused; None for others, and where an earlier version took the start.
    """

    key: str
    batch: str
    listing: str | None = Field(None, validation_alias=AliasChoices("listing", "contents"))
    champion: str
    anchor: str | None = None
    champion_image: str | None = None
    anchor_image: str | None = None
    requests: tuple[StartRequest, ...] = Field(validation_alias=AliasChoices("requests", "wishes"))
    taken_at: Moment
    config_sha256: str | None = None
    rules_sha256: str | None = None
    execution_arn: str | None = None
    landed_at: Moment | None = None

    @property
    def request(self) -> StartRequest:
        """The request that gives the start its cause and trigger."""
        return leading(self.requests)


def leading(requests: Sequence[StartRequest]) -> StartRequest:
    """The request that gives the start of all of them its cause and trigger: the earliest request of a
    person; without one, of a schedule; without one, the landing."""
    order: tuple[Trigger, ...] = ("request", "schedule", "landing")
    return min(requests, key=lambda request: (order.index(request.trigger), request.at, request.cause))


class BadFile(Fact):
    """One version of a file that goes to quarantine, and its problem (`inspection.Problem`).

    `etag` is without quotes, `size` in bytes, `row` counts from 1 below the header.
    """

    key: str
    version_id: str
    etag: str
    size: int
    kind: str
    text: str
    row: int | None = None
    column: str | None = None


MAX_BAD_FILES: Final = 50
"""Files that one decision moves to quarantine. The decision after the next landing finds the others."""

MAX_BAD_BYTES: Final = 70_000
"""Bytes of these files in a model's state. With many requests the state stays below DynamoDB's 400 KB: a key
may have 1,024 characters, each of six bytes in JSON."""


def are_many(files: Sequence[BadFile]) -> bool:
    """Whether one decision moves no further file than these."""
    size = sum(len(json.dumps(one.model_dump(by_alias=True), ensure_ascii=False).encode()) for one in files)
    return len(files) >= MAX_BAD_FILES or size >= MAX_BAD_BYTES


def within_limits(files: Iterable[BadFile]) -> tuple[BadFile, ...]:
    """The first of these files that one decision moves; at least one."""
    kept: list[BadFile] = []
    for one in files:
        if are_many(kept):
            break
        kept.append(one)
    return tuple(kept)


Split = Literal["train", "validation"]
"""The two sets of rows of a batch."""

SPLITS: Final[tuple[Split, Split]] = ("train", "validation")
"""Both splits, in the order in which they are listed and told."""


class Marker(Fact):
    """What completed a batch: a version of the marker at the root, or of the markers in both splits' folders.

    `landed_at` is S3's time in whole seconds, `split` the folder that the version lies in, None for the root.
    Of two markers this is the one that landed last, and `other` the other split's. A marker of one split
    without `other` completes nothing.
    """

    version_id: str
    landed_at: Moment
    split: Split | None = None
    other: "Marker | None" = None

    @property
    def versions(self) -> tuple[str, ...]:
        """The ids of its one or two versions."""
        return (self.version_id, *((self.other.version_id,) if self.other else ()))

    def of(self, split: Split) -> "Marker | None":
        """Which of its two markers lies in this split's folder; None if it is one marker alone."""
        if self.other is None:
            return None
        return self if self.split == split else self.other


class Blocked(Fact):
    """Why the start requests of a model cannot be answered now, or its start cannot be made.

    `since` is when that failed first, `tries` how often it has failed since, `until` when it is tried again.
    `refused`: SageMaker has said no to the start, as opposed to an answer that may be another one later.
    """

    reason: str
    since: Moment
    until: Moment
    tries: int = 1
    refused: bool = False


class Untold(Fact):
    """A refusal or a pause that only people can end, of which they have not been told yet. Each `occurrence`
    is told once."""

    reason: str
    occurrence: str


class InspectedSoFar(Fact):
    """How far the new files of a batch have been inspected, in the order of their keys.

    `digest` is the SHA-256 of the inspected versions and of the configuration, `done` the number of files,
    `bad` those of them that are bad. `split_rows` are the rows of the others by split (None if one of them
    does not tell); a split of which no such file was inspected is not in it.
    """

    digest: str
    done: int = 0
    split_rows: dict[str, int | None] = Field(default_factory=dict)
    bad: tuple[BadFile, ...] = ()


class StartFact(Fact):
    """A start that became an execution: what it was made of, when it was taken, and the execution's ARN.

    Earlier versions noted neither `taken_at` nor the configuration's hashes.
    """

    model: str
    batch: str
    cause: str
    trigger: Trigger
    requested_by: str
    requests: tuple[StartRequest, ...] = Field(validation_alias=AliasChoices("requests", "wishes"))
    champion: str
    anchor: str | None = None
    taken_at: Moment | None = None
    config_sha256: str | None = None
    rules_sha256: str | None = None
    execution_arn: str


class ExecutionFact(Fact):
    """The newest known state of an execution and its steps, and the start that made it.

    Two writers write it, in any order: fields that are not known yet are None or empty. `version` is sortable
    text that grows with each change; `final` says that the execution has ended, `settled` that all that
    follows from its end is done (None while the execution runs, and where 0.1 wrote the end). `steps` are
    statuses, `log_lines` the last lines of failed steps, both by the step's name. `landed_at` is the start's.
    """

    model: str | None = None
    status: str | None = None
    failure_reason: str | None = None
    steps: dict[str, str] = Field(default_factory=dict)
    log_lines: dict[str, list[str]] = Field(default_factory=dict)
    version: str | None = None
    final: bool = False
    settled: bool | None = None
    batch: str | None = None
    cause: str | None = None
    trigger: Trigger | None = None
    requested_by: str | None = None
    requests: tuple[StartRequest, ...] = Field((), validation_alias=AliasChoices("requests", "wishes"))
    start_key: str | None = None
    landed_at: Moment | None = None
    taken_at: Moment | None = None
    config_sha256: str | None = None
    rules_sha256: str | None = None


class StopAsked(Fact):
    """A person asked to stop an execution: who (an IAM ARN), when, and why ("" where no reason was given).

    The first one counts. SageMaker keeps neither.
    """

    by: str
    at: Moment
    why: str = ""


class Run(Fact):
    """A successful execution: its id, when it ended, and how many seconds it took."""

    id: str
    ended_at: Moment
    seconds: int


class KnownExecutions(Fact):
    """The newest executions of a model at which the sweep need not look, until their status changes.

    `statuses` are by the execution's id, as the listing showed them. `since` is when the sweep first looked
    at the model's executions with this ledger; None where that was not noted. `runs` are the
    newest successful executions, the one that ended last at the end.
    """

    since: Moment | None = None
    statuses: dict[str, str] = Field(default_factory=dict)
    runs: tuple[Run, ...] = ()


class BatchStarted(Fact):
    """A batch with this identity, or this listing, has been started, by the start with this key."""

    start_key: str


class RequestAnswered(Fact):
    """A request of a person or a schedule was served by a start, or was `refused` for this reason.

    The same request, delivered again, asks for nothing more.
    """

    start_key: str | None = None
    refused: str | None = None


class Released(Fact):
    """A person put this file back from quarantine. It is not inspected again."""

    by: str
    at: Moment


class Quarantined(Fact):
    """This version of a file is bad, `kind` says how (`inspection.Problem`). It is in no batch any more.

    Written before the file is moved. `at` is when the move began.
    """

    at: Moment
    kind: str


class Stray(Fact):
    """The first object that landed for a model that does not exist."""

    key: str
    at: Moment
