"""One execution of a pipeline: the order of its steps, how it stops, how it ends, and its events."""

import logging
import threading
from datetime import datetime
from typing import Final

from local.sagemaker import events
from local.sagemaker.errors import MAX_REASON, ConflictException, StepFailure, StepStopped
from local.sagemaker.jobs.api import Jobs
from local.sagemaker.permissions import Authority
from local.sagemaker.pipelines.arguments import Arguments
from local.sagemaker.pipelines.definition import Definition, Step
from local.sagemaker.pipelines.steps import Role, Run, StepRunner
from local.sagemaker.protocol.listing import now
from local.sagemaker.protocol.responses import present
from local.sagemaker.registry import Registry
from local.types import Json

log = logging.getLogger(__name__)

STEP_FAILURE: Final = "Step failure: One or multiple steps failed."
"""FailureReason of every execution that failed, as AWS words it."""

_NEXT: Final = {
    "Executing": {"Stopping", "Succeeded", "Failed"},
    "Stopping": {"Stopped", "Failed"},
    "Failed": {"Executing"},  # only RetryPipelineExecution goes back
    "Stopped": {"Executing"},
}
"""The statuses that may follow each status of an execution."""

_NEXT_STEP: Final[dict[str | None, set[str]]] = {
    None: {"Starting"},
    "Starting": {"Executing", "Failed", "Stopped"},
    "Executing": {"Stopping", "Succeeded", "Failed", "Stopped"},
    "Stopping": {"Stopped", "Succeeded", "Failed"},
}
"""The statuses that may follow each status of a step. A step that has not begun has the status None."""

_INTERNAL_ERROR: Final = "InternalServerError: We encountered an internal error.  Please try again."
"""FailureReason of a step that failed because of an error in this program, as AWS words its own."""


class Execution:
    """One execution. Thread-safe; its steps run in threads of their own."""

    def __init__(
        self,
        *,
        arn: str,
        pipeline_arn: str,
        definition: Definition,
        parameters: list[Json],
        display_name: str | None,
        description: str | None,
        parallelism: Json | None,
        jobs: Jobs,
        registry: Registry,
        emit: events.Emit,
        role: str,
        authority: Authority,
    ) -> None:
        """Does not begin yet: `start` does. Steps run as `role`, the pipeline's.

        Raises ValidationException if `parameters` do not fit `definition`.
        """
        self.values = definition.values(parameters)
        self.arn, self.pipeline_arn, self.definition = arn, pipeline_arn, definition
        self.created = self.modified = now()
        self.display_name = display_name or f"execution-{int(self.created.timestamp() * 1000)}"
        self.description, self.parallelism = description, parallelism
        self.status = "Executing"
        self.reason: str | None = None
        self._ended: datetime | None = None
        self._emit = emit
        self._changed = threading.Condition(threading.RLock())
        region, account = arn.split(":")[3:5]
        self._runner = self._step_runner(jobs, registry, Role(role, authority, account, region))
        self._runs: dict[str, Run] = {}
        self._active: set[str] = set()
        self._stop = threading.Event()

    def _step_runner(self, jobs: Jobs, registry: Registry, role: Role) -> StepRunner:
        return StepRunner(
            jobs,
            registry,
            role,
            Arguments(self.arn, self.pipeline_arn, self.created, self.values),
            self._changed,
            self._step_to,
            result=lambda name: self._runs[name].result,
        )

    @property
    def id(self) -> str:
        """The last part of the ARN."""
        return self.arn.rpartition("/")[2]

    # The API

    def start(self) -> None:
        """Begin. Call it once."""
        self._announce(previous=None)
        self._schedule_in_thread()

    def stop(self) -> None:
        """Begin to stop. Raises ConflictException if the execution has ended."""
        with self._changed:
            if self.status not in ("Executing", "Stopping"):
                raise ConflictException(
                    f"Pipeline execution with ARN {self.arn} cannot be stopped: it is {self.status}"
                )
            if self.status == "Executing":
                self._to("Stopping")
            self._stop.set()
            for run in self._runs.values():
                if run.status == "Executing":
                    self._step_to(run, "Stopping")
                if run.job and not run.job.ended.is_set():
                    self._runner.stop_job(run.job)
            self._changed.notify_all()

    def retry(self, parallelism: Json | None) -> None:
        """Run the steps again that did not succeed.

        Raises ConflictException unless the execution has failed or was stopped.
        """
        with self._changed:
            if self.status not in ("Failed", "Stopped"):
                raise ConflictException(
                    f"Pipeline execution with ARN {self.arn} cannot be retried: it is {self.status}"
                )
            self._runs = {name: run for name, run in self._runs.items() if run.status == "Succeeded"}
            self._stop = threading.Event()
            self._ended, self.reason = None, None
            self.parallelism = parallelism or self.parallelism
            self._to("Executing")
            self._schedule_in_thread()

    def update(self, request: Json) -> None:
        """Set the display name, description and parallelism that `request` holds."""
        with self._changed:
            self.display_name = request.get("PipelineExecutionDisplayName", self.display_name)
            self.description = request.get("PipelineExecutionDescription", self.description)
            self.parallelism = request.get("ParallelismConfiguration", self.parallelism)
            self.modified = now()
            self._changed.notify_all()

    def describe(self) -> Json:
        """The Describe response."""
        with self._changed:
            return present(
                PipelineArn=self.pipeline_arn,
                PipelineExecutionArn=self.arn,
                PipelineExecutionDisplayName=self.display_name,
                PipelineExecutionStatus=self.status,
                PipelineExecutionDescription=self.description,
                FailureReason=self.reason,
                CreationTime=self.created,
                LastModifiedTime=self.modified,
                CreatedBy={},
                LastModifiedBy={},
                ParallelismConfiguration=self.parallelism,
            )

    def steps(self) -> list[Json]:
        """The started steps in order of start, as ListPipelineExecutionSteps shows them."""
        with self._changed:
            return [
                present(
                    StepName=run.step.name,
                    StepDisplayName=run.step.display_name,
                    StepDescription=run.step.description,
                    StartTime=run.started,
                    EndTime=run.ended,
                    StepStatus=run.status,
                    FailureReason=run.reason,
                    Metadata=dict(run.metadata),
                    AttemptCount=run.attempt,
                )
                for run in self._runs.values()
                if run.status  # its thread has begun
            ]

    @property
    def over(self) -> bool:
        """Whether the execution has ended."""
        with self._changed:
            return self.status not in ("Executing", "Stopping")

    # The order of steps

    def _schedule_in_thread(self) -> None:
        threading.Thread(target=self._schedule, name=f"execution-{self.id}", daemon=True).start()

    def _schedule(self) -> None:
        """Start each step once it is ready. When no step runs any more, end the execution."""
        with self._changed:
            while True:
                for step in self._ready():
                    self._runs[step.name] = Run(step)
                    self._active.add(step.name)
                    thread = threading.Thread(
                        target=self._live,
                        args=(self._runs[step.name],),
                        name=f"step-{self.id}-{step.name}",
                        daemon=True,
                    )
                    thread.start()
                if not self._active:
                    break
                self._changed.wait()
            self._ended = now()
            failed = any(run.status == "Failed" for run in self._runs.values())
            if failed:
                self.reason = STEP_FAILURE
            self._to("Stopped" if self._stop.is_set() else "Failed" if failed else "Succeeded")

    def _ready(self) -> list[Step]:
        """Steps that may start now: none after a failure or a stop, else at most what parallelism allows."""
        if self._stop.is_set() or any(run.status in ("Failed", "Stopped") for run in self._runs.values()):
            return []
        done = {name for name, run in self._runs.items() if run.status == "Succeeded"}
        room = (self.parallelism or {}).get("MaxParallelExecutionSteps", len(self.definition.steps)) - len(
            self._active
        )
        waiting = [
            step
            for step in self.definition.steps.values()
            if step.name not in self._runs and step.needs <= done
        ]
        return waiting[: max(0, room)]

    def _live(self, run: Run) -> None:
        """Run one step from Starting to its last status, in a thread of its own."""
        status = "Failed"
        reason: str | None = None
        try:
            with self._changed:
                run.started = now()
                self._step_to(run, "Starting")
            self._runner.run(run, self._stop)
            status = "Succeeded"
        except StepStopped:
            status = "Stopped"
        except StepFailure as failure:
            reason = str(failure)[:MAX_REASON]
        except Exception:
            log.exception("internal error in step %s of %s", run.step.name, self.arn)
            reason = _INTERNAL_ERROR
        finally:
            with self._changed:
                run.ended, run.reason = now(), reason
                self._step_to(run, status)
                self._active.discard(run.step.name)
                self._changed.notify_all()

    # Statuses

    def _to(self, status: str) -> None:
        """Set the execution's status. Nothing else sets it."""
        if status not in _NEXT.get(self.status, ()):
            raise AssertionError(f"{self.arn}: {self.status} -> {status}")
        previous, self.status, self.modified = self.status, status, now()
        self._announce(previous)

    def _announce(self, previous: str | None) -> None:
        """Emit the event of a change of status."""
        detail = events.execution_detail(
            arn=self.arn,
            pipeline_arn=self.pipeline_arn,
            display_name=self.display_name,
            description=self.description,
            previous=previous,
            status=self.status,
            started=self.created,
            ended=self._ended,
        )
        self._emit(events.EXECUTION, [self.pipeline_arn, self.arn], detail)

    def _step_to(self, run: Run, status: str) -> None:
        """Set a step's status. Nothing else sets it. A second attempt keeps the status Executing."""
        if status == run.status:
            return
        if status not in _NEXT_STEP.get(run.status, ()):
            raise AssertionError(f"{self.arn}, {run.step.name}: {run.status} -> {status}")
        previous, run.status, self.modified = run.status, status, now()
        detail = events.step_detail(
            arn=self.arn,
            pipeline_arn=self.pipeline_arn,
            name=run.step.name,
            kind=run.step.type,
            metadata=run.metadata,
            previous=previous,
            status=status,
            started=run.started,
            ended=run.ended,
            reason=run.reason,
        )
        self._emit(events.STEP, [self.pipeline_arn, self.arn], detail)
