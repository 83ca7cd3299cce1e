"""Start requests become executions: one at a time, each request once, over all the data that is there.

The state of each model (admission.py) is one item in the ledger that is swapped by version, so two
invocations never both act on what they read. A start is taken there first, with all that it will be made
of; then it is made under a token derived from it; then that is recorded. Whoever finds it half done goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import ClientError

from retraining.aws import pipelines, registry
from retraining.aws.model_states import SWAPS, contended
from retraining.aws.observability import logger, metrics
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig
from retraining.facts import keys
from retraining.facts.starts import (
    BadFile,
    BatchStarted,
    ModelState,
    RequestAnswered,
    Start,
    StartFact,
    StartRequest,
    leading,
)
from retraining.notifications.messages import Notification
from retraining.notifications.publish import notify
from retraining.starts import batches, quarantine
from retraining.starts.admission import LOOK_AGAIN, Wait, admit
from retraining.starts.batches import Batch, DataObject
from retraining.starts.inspection import Fine, Problem, head_bytes

READERS: Final = 16
"""Heads of files that are read at once."""

MOST_BAD: Final = 200
TOLD: Final = 10
MOST_TEXT: Final = 300
"""Bad files that one round moves (the next landing finds more), that are told by name; characters of each."""

METRICS: Final = {"start": "StartsAdmitted", "wait": "StartsWaiting", "refuse": "StartsRefused"}


def bad_file(item: DataObject, problem: Problem) -> BadFile:
    """What the state keeps of a bad file until it is moved."""
    return BadFile(
        key=item.key,
        version_id=item.version_id,
        etag=item.etag,
        size=item.size,
        kind=problem.kind,
        text=problem.text[:MOST_TEXT],
        row=problem.row,
        column=problem.column,
    )


def listed(keys: Sequence[str]) -> str:
    """The first keys, and how many more there are."""
    more = f" and {len(keys) - TOLD} more" if len(keys) > TOLD else ""
    return ", ".join(keys[:TOLD]) + more


def half_landed(batch: Batch, marker: DataObject) -> str | None:
    """Why the marker does not say that this batch is complete, if it does not: something landed after it.

    A marker's event may come again when half of the next batch has landed.
    """
    landed = [(item.landed_at, item.key) for item in batch.objects if item.landed_at]
    late = [key for at, key in landed if marker.landed_at and at > marker.landed_at]
    return f"{late[0]} landed after the marker: the next marker is waited for" if late else None


def new_rows(found: Sequence[Problem | Fine]) -> int | None:
    """Rows of files together; None where one of them does not tell (Parquet)."""
    rows = [one.rows for one in found if isinstance(one, Fine)]
    return None if None in rows else sum(filter(None, rows))


class Starting(Collaborators):
    """What is done about the starts of models."""

    # ---- requests ------------------------------------------------------------------------------------

    def note(self, model: str, request: StartRequest) -> None:
        """Note a request, unless it is noted or fulfilled. `advance` decides what comes of it."""

        def requested(state: ModelState) -> ModelState:
            if request.trigger != "landing" and self.ledger.get(keys.asked(model, request.cause)):
                logger.info("request was started before", model=model, cause=request.cause)
                return state
            return state.requested(request)

        self.states.change(model, requested)

    def due(self, model: str) -> bool:
        """Whether to look at the model again: always while somebody waits, since the config may change."""
        state, _ = self.states.load(model)
        return bool(state.pending) or (state.due_at is not None and state.due_at <= self.clock())

    # ---- from request to execution ----------------------------------------------------------------------

    def advance(self, model: str) -> ModelState:
        """Do for the model what can be done now; the state in which that leaves it."""
        config = self.configs.get(model)
        if config is None:
            raise ValueError(f"no model {model} in this deployment")
        for _ in range(SWAPS):
            state, version = self.states.load(model)
            now = self.clock()
            if state.bad:
                self._quarantine(model, state.bad)
                self.states.swap(model, state.model_copy(update={"bad": (), "due_at": None}), version)
                continue
            if state.running is not None:
                if state.running.execution_arn is None:
                    self._make(model, state.running)
                    continue
                if ended_at := self._ended(state.running.execution_arn):
                    ended = state.ended(state.running.execution_arn, ended_at)
                    self.states.swap(model, ended, version)
                    continue
                if not state.pending:
                    watched = state.model_copy(update={"due_at": now + LOOK_AGAIN})
                    if self.states.swap(model, watched, version):
                        return watched
                    continue
            if not state.pending:
                if state.due_at is None or self.states.swap(
                    model, state.model_copy(update={"due_at": None}), version
                ):
                    return state
                continue
            answered = self._answer(model, config, state, now)
            if not self.states.swap(model, answered, version):
                continue
            self._tell(model, state, answered)
            if answered.bad:
                continue
            if answered.running is None or answered.running is state.running:
                return answered
            self._make(model, answered.running)
        raise contended(model)

    def _answer(self, model: str, config: ModelConfig, state: ModelState, now: datetime) -> ModelState:
        """Start, wait or refuse: admission first, then the data."""
        ready = config.retrain.ready
        marker = ready.marker if ready.when == "marker" else None
        batch = batches.list_batch(self.s3, self.settings.bucket, model, marker)
        running = state.running.execution_arn if state.running else self._running(model)
        # S3 dates what is uploaded in parts from the upload's beginning; its event comes at the end.
        landings = (request.at for request in state.pending if request.trigger == "landing")
        arrivals = [batch.last_arrival, *landings]
        last_arrival = max((at for at in arrivals if at), default=None)
        answer = admit(config.retrain, state, now=now, running=running, last_arrival=last_arrival)
        if isinstance(answer, Wait):
            return state.waits(answer.until, answer.reason, now)
        triggers = {request.trigger for request in state.pending}
        landed_only = triggers == {"landing"}
        mark = batch.marker.version_id if batch.marker else None
        if "request" not in triggers and state.remainder == batch.identity and state.remainder_marker == mark:
            return state.refused("bad files were taken out of what landed: land what is missing", now)
        if batch.missing:
            return state.refused(f"there is no {' and no '.join(batch.missing)} data", now)
        if landed_only and marker and batch.marker is None:
            return state.refused("the marker is no longer there", now)
        if landed_only and batch.marker and (half := half_landed(batch, batch.marker)):
            return state.waits(now + LOOK_AGAIN, half, now)
        if landed_only and (before := self.ledger.get(keys.batch(model, batch.identity))):
            return state.refused(self._same_again(model, before), now)
        new = self._new_files(model, batch, state.batch)
        seen = self._look_at(model, new, config)
        bad = [bad_file(item, found) for item, found in seen if isinstance(found, Problem)][:MOST_BAD]
        if bad:
            gone = {one.key for one in bad}
            left = batches.batch_of(model, [item for item in batch.objects if item.key not in gone])
            reason = f"quarantined: {listed([one.key for one in bad])}"
            return state.spoiled(bad, reason, left.identity, mark, now)
        rows = new_rows([found for _, found in seen])
        needed = config.retrain.min_new_rows
        if landed_only and rows is not None and rows < needed:
            return state.refused(f"about {rows} rows in new files, min_new_rows is {needed}", now)

        batches.write_manifest(self.s3, self.settings.bucket, batch)
        champion = registry.champion(self.sagemaker, self.settings.resource_name(model))
        start = Start(
            key=batches.start_key(model, batch.identity, leading(state.pending).cause),
            batch=batch.identity,
            champion=champion.arn if champion else "none",
            requests=state.pending,
            taken_at=now,
        )
        return state.taken(start)

    def _make(self, model: str, start: Start) -> None:
        """Make a start that was taken. Every call may be repeated: the token starts nothing twice."""
        request = start.request
        for fulfilled in start.requests:
            if fulfilled.trigger != "landing":
                self.ledger.take(keys.asked(model, fulfilled.cause), RequestAnswered(start_key=start.key))
        self.ledger.take(keys.batch(model, start.batch), BatchStarted(start_key=start.key))
        try:
            arn = pipelines.start(
                self.sagemaker,
                self.settings.resource_name(model),
                token=start.key,
                display_name=f"{request.trigger}-{start.batch[:12]}-{start.key[:8]}",
                Batch=start.batch,
                Champion=start.champion,
                Trigger=request.trigger,
            )
        except ClientError as error:
            reason, at = f"SageMaker refuses the start: {error}", self.clock()
            self.states.change(model, lambda state: state.troubled(reason, at))
            raise
        made = StartFact(
            model=model,
            batch=start.batch,
            cause=request.cause,
            trigger=request.trigger,
            requested_by=request.requested_by,
            requests=start.requests,
            champion=start.champion,
            execution_arn=arn,
        )
        of_execution = {name: value for name, value in made if name not in ("champion", "execution_arn")}
        self.ledger.mark(keys.execution(arn), **of_execution, start_key=start.key)
        self.ledger.mark(keys.start(start.key), **dict(made))
        look_again = self.clock() + LOOK_AGAIN
        self.states.change(model, lambda state: state.made(start.key, arn, look_again))
        logger.info(
            "execution started", model=model, batch=start.batch, trigger=request.trigger, execution=arn
        )
        metrics.add_metric("ExecutionsStarted", MetricUnit.Count, 1)

    # ---- what it looks at ------------------------------------------------------------------------------

    def _running(self, model: str) -> str | None:
        """The ARN of an execution that runs, started by whomever."""
        answer = self.sagemaker.list_pipeline_executions(
            PipelineName=self.settings.resource_name(model),
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=20,
        )
        for item in answer["PipelineExecutionSummaries"]:
            if item["PipelineExecutionStatus"] not in pipelines.TERMINAL:
                return item["PipelineExecutionArn"]
        return None

    def _same_again(self, model: str, before: BatchStarted) -> str:
        """Why a batch that was started before is not started by landing again, and the way out."""
        made = self.ledger.get(keys.start(before.start_key))
        execution = made.execution_arn.rsplit("/", 1)[-1] if made else ""
        again = f"`handsoff start {model}` trains on them again"
        return f"the same bytes were started before, as {execution}; {again}"

    def _new_files(self, model: str, batch: Batch, previous: str | None) -> list[DataObject]:
        """The objects that the batch started last did not have, byte for byte."""
        old = batches.read_manifest(self.s3, self.settings.bucket, model, previous) if previous else []
        known = {(item.key, item.etag) for item in old}
        return [item for item in batch.objects if (item.key, item.etag) not in known]

    def _look_at(
        self, model: str, items: Sequence[DataObject], config: ModelConfig
    ) -> list[tuple[DataObject, Problem | Fine]]:
        head = head_bytes(len(items))

        def look(item: DataObject) -> Problem | Fine:
            return quarantine.look_at(self.s3, self.settings.bucket, item, config, head)

        with ThreadPoolExecutor(READERS) as readers:
            seen = list(zip(items, readers.map(look, items), strict=True))
        return [
            (item, Fine(None) if isinstance(found, Problem) and self._released(model, item) else found)
            for item, found in seen
        ]

    def _released(self, model: str, item: DataObject) -> bool:
        return self.ledger.get(keys.released(model, item.etag, item.key)) is not None

    def _quarantine(self, model: str, bad: Sequence[BadFile]) -> None:
        """Tell approvers of all of them at once, then move each. Safe to repeat."""
        reports = f"s3://{self.settings.bucket}/quarantine/{model}/"
        message = Notification.about(
            reports,
            "quarantined",
            model=model,
            occurrence=" ".join(f"{one.version_id}:{one.etag}" for one in bad),
            reasons=[f"{one.key}: {one.text}" for one in bad[:TOLD]]
            + ([f"and {len(bad) - TOLD} more files"] if len(bad) > TOLD else []),
            evidence_uri=reports,
        )
        notify(self.sns, self.ledger, self.settings.topic, message, now=self.clock())
        for one in bad:
            quarantine.move(self.s3, self.settings.bucket, model, one, now=self.clock())
            logger.warning("file quarantined", model=model, key=one.key, problem=one.kind)
        metrics.add_metric("FilesQuarantined", MetricUnit.Count, len(bad))

    def _ended(self, execution_arn: str) -> datetime | None:
        """When an execution ended; now, if SageMaker knows it no more; None while it runs."""
        try:
            execution = pipelines.describe(self.sagemaker, execution_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise
            return self.clock()
        return execution.last_modified if execution.terminal else None

    def _tell(self, model: str, before: ModelState, after: ModelState) -> None:
        """Log and count an answer that is not the one given before."""
        if (before.answer, before.reason) == (after.answer, after.reason) or after.answer is None:
            return
        logger.info(
            "start answered",
            model=model,
            answer=after.answer,
            reason=after.reason,
            until=after.due_at.isoformat() if after.due_at else None,
            requests=[request.cause for request in before.pending],
        )
        metrics.add_metric(METRICS[after.answer], MetricUnit.Count, 1)
        if after.answer == "refuse":
            for request in before.pending:
                if request.trigger != "landing":  # it has its answer: coming again, it asks nothing new
                    self.ledger.take(keys.asked(model, request.cause), RequestAnswered(refused=after.reason))
