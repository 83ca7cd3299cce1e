"""Wishes become executions: one at a time, each wish once, over all the data that is there.

The state of each model (admission.py) is one item in the ledger that is swapped by version, so two
invocations never both act on what they read. A start is taken there first, with all that it will be made
of; then it is made under a token derived from it; then that is recorded. Whoever finds it half done goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.metrics import MetricUnit

from retraining import landing, pipelines, quarantine, registry
from retraining.admission import LOOK_AGAIN, ModelState, Start, Wait, Wish, admit, leading
from retraining.collaborators import Collaborators
from retraining.config import ModelConfig
from retraining.inspection import Fine, Problem
from retraining.landing import Batch, DataObject
from retraining.messages import Notification
from retraining.model_states import SWAPS, contended
from retraining.notify import notify
from retraining.observability import logger, metrics
from retraining.quarantine import Bad

if TYPE_CHECKING:
    pass

READERS: Final = 16
"""Heads of files that are read at once."""

METRICS: Final = {"start": "StartsAdmitted", "wait": "StartsWaiting", "refuse": "StartsRefused"}


def half_landed(batch: Batch) -> str | None:
    """Why the marker does not say that this batch is complete, if it does not: it is gone, or data is newer.

    A marker's event may come again when half of the next batch has landed.
    """
    if batch.marker_at is None:
        return "the marker is no longer there"
    newer = [item.key for item in batch.objects if item.landed_at and item.landed_at > batch.marker_at]
    return f"{newer[0]} landed after the marker: the next marker is waited for" if newer else None


def new_rows(found: Sequence[Problem | Fine]) -> int | None:
    """Rows of files together; None where one of them does not tell (Parquet)."""
    rows = [one.rows for one in found if isinstance(one, Fine)]
    return None if None in rows else sum(filter(None, rows))


class Starting(Collaborators):
    """What is done about the starts of models."""

    # ---- wishes ------------------------------------------------------------------------------------

    def wish(self, model: str, wish: Wish) -> None:
        """Note a wish, unless it is noted or fulfilled. `advance` decides what comes of it."""

        def wished(state: ModelState) -> ModelState:
            if wish.trigger != "landing" and self.ledger.get(f"asked#{model}#{wish.cause}"):
                logger.info("request was started before", model=model, cause=wish.cause)
                return state
            return state.wished(wish)

        self.states.change(model, wished)

    def due(self, model: str) -> bool:
        """Whether to look at the model again: always while somebody waits, since the config may change."""
        state, _ = self.states.load(model)
        return bool(state.waiting) or (state.due_at is not None and state.due_at <= self.clock())

    # ---- from wish to execution ----------------------------------------------------------------------

    def advance(self, model: str) -> ModelState:
        """Do for the model what can be done now; the state in which that leaves it."""
        config = self.configs.get(model)
        if config is None:
            raise ValueError(f"no model {model} in this deployment")
        for _ in range(SWAPS):
            state, version = self.states.load(model)
            now = self.clock()
            if state.running is not None:
                if state.running.execution_arn is None:
                    self._make(model, state.running)
                    continue
                execution = pipelines.describe(self.sagemaker, state.running.execution_arn)
                if execution.terminal:
                    self.states.swap(model, state.ended(execution.arn, execution.last_modified), version)
                    continue
                if not state.waiting:
                    watched = state.model_copy(update={"due_at": now + LOOK_AGAIN})
                    if self.states.swap(model, watched, version):
                        return watched
                    continue
            if not state.waiting:
                if state.due_at is None or self.states.swap(
                    model, state.model_copy(update={"due_at": None}), version
                ):
                    return state
                continue
            answered = self._answer(model, config, state, now)
            if not self.states.swap(model, answered, version):
                continue
            self._tell(model, state, answered)
            if answered.running is None or answered.running is state.running:
                return answered
            self._make(model, answered.running)
        raise contended(model)

    def _answer(self, model: str, config: ModelConfig, state: ModelState, now: datetime) -> ModelState:
        """Start, wait or refuse: admission first, then the data."""
        ready = config.retrain.ready
        marker = ready.marker if ready.when == "marker" else None
        batch = landing.list_batch(self.s3, self.settings.bucket, model, marker)
        running = state.running.execution_arn if state.running else self._running(model)
        answer = admit(config.retrain, state, now=now, running=running, last_arrival=batch.last_arrival)
        if isinstance(answer, Wait):
            return state.waits(answer.until, answer.reason, now)
        if batch.missing:
            return state.refused(f"there is no {' and no '.join(batch.missing)} data", now)
        landed_only = all(wish.trigger == "landing" for wish in state.waiting)
        if landed_only and marker and (half := half_landed(batch)):
            return state.refused(half, now)
        if landed_only and (before := self.ledger.get(f"batch#{model}#{batch.identity}")):
            return state.refused(self._same_again(model, before), now)
        new = self._new_files(model, batch, state.batch)
        seen = self._look_at(model, new, config)
        bad = [Bad(item, found) for item, found in seen if isinstance(found, Problem)]
        if bad:
            for one in bad:
                self._quarantine(model, one, now)
            return state.refused(f"quarantined: {', '.join(one.item.key for one in bad)}", now)
        rows = new_rows([found for _, found in seen])
        needed = config.retrain.min_new_rows
        if landed_only and rows is not None and rows < needed:
            return state.refused(f"about {rows} rows in new files, min_new_rows is {needed}", now)

        landing.write_manifest(self.s3, self.settings.bucket, batch)
        champion = registry.champion(self.sagemaker, self.settings.resource_name(model))
        start = Start(
            key=landing.start_key(model, batch.identity, leading(state.waiting).cause),
            batch=batch.identity,
            champion=champion.arn if champion else "none",
            wishes=state.waiting,
            taken_at=now,
        )
        return state.taken(start)

    def _make(self, model: str, start: Start) -> None:
        """Make a start that was taken. Every call may be repeated: the token starts nothing twice."""
        wish = start.wish
        for fulfilled in start.wishes:
            if fulfilled.trigger != "landing":
                self.ledger.take(f"asked#{model}#{fulfilled.cause}", {"startKey": start.key})
        self.ledger.take(f"batch#{model}#{start.batch}", {"startKey": start.key})
        arn = pipelines.start(
            self.sagemaker,
            self.settings.resource_name(model),
            token=start.key,
            display_name=f"{wish.trigger}-{start.batch[:12]}-{start.key[:8]}",
            Batch=start.batch,
            Champion=start.champion,
            Trigger=wish.trigger,
        )
        facts = {
            "model": model,
            "batch": start.batch,
            "cause": wish.cause,
            "trigger": wish.trigger,
            "requestedBy": wish.requested_by,
            "wishes": [other.model_dump(mode="json") for other in start.wishes],
        }
        self.ledger.mark(f"execution#{arn}", {**facts, "startKey": start.key})
        self.ledger.mark(f"start#{start.key}", {**facts, "champion": start.champion, "executionArn": arn})
        look_again = self.clock() + LOOK_AGAIN
        self.states.change(model, lambda state: state.made(start.key, arn, look_again))
        logger.info("execution started", model=model, batch=start.batch, trigger=wish.trigger, execution=arn)
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

    def _same_again(self, model: str, before: Mapping[str, str]) -> str:
        """Why a batch that was started before is not started by landing again, and the way out."""
        made = self.ledger.get(f"start#{before['startKey']}") or {}
        execution = made.get("executionArn", "").rsplit("/", 1)[-1]
        again = f"`handsoff start {model}` trains on them again"
        return f"the same bytes were started before, as {execution}; {again}"

    def _new_files(self, model: str, batch: Batch, previous: str | None) -> list[DataObject]:
        """The objects that the batch started last did not have, byte for byte."""
        old = landing.read_manifest(self.s3, self.settings.bucket, model, previous) if previous else []
        known = {(item.key, item.etag) for item in old}
        return [item for item in batch.objects if (item.key, item.etag) not in known]

    def _look_at(
        self, model: str, items: Sequence[DataObject], config: ModelConfig
    ) -> list[tuple[DataObject, Problem | Fine]]:
        def look(item: DataObject) -> Problem | Fine:
            return quarantine.look_at(self.s3, self.settings.bucket, item, config)

        with ThreadPoolExecutor(READERS) as readers:
            seen = list(zip(items, readers.map(look, items), strict=True))
        return [
            (item, Fine(None) if isinstance(found, Problem) and self._released(model, item) else found)
            for item, found in seen
        ]

    def _released(self, model: str, item: DataObject) -> bool:
        return self.ledger.get(f"released#{model}#{item.etag}#{item.key}") is not None

    def _quarantine(self, model: str, bad: Bad, now: datetime) -> None:
        report = quarantine.place(model, bad.item.key) + quarantine.REPORT_SUFFIX
        message = Notification(
            kind="quarantined",
            model=model,
            subject=f"s3://{self.settings.bucket}/{bad.item.key}",
            occurrence=bad.item.etag,
            reasons=[f"{bad.item.key}: {bad.problem.text}"],
            execution_arn=None,
            evidence_uri=f"s3://{self.settings.bucket}/{report}",
        )
        notify(self.sns, self.ledger, self.settings.topic, message, now=now)
        quarantine.move(self.s3, self.settings.bucket, model, bad, now=now)
        logger.warning("file quarantined", model=model, key=bad.item.key, problem=bad.problem.kind)
        metrics.add_metric("FilesQuarantined", MetricUnit.Count, 1)

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
            wishes=[wish.cause for wish in before.waiting],
        )
        metrics.add_metric(METRICS[after.answer], MetricUnit.Count, 1)
