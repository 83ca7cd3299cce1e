"""One execution of a pipeline: which step runs when, what is tried again, how it stops and how it ends."""

import logging
import secrets
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from local.sagemaker import events
from local.sagemaker.errors import ConflictException, ServiceError
from local.sagemaker.jobs.api import Job, Jobs, Kind
from local.sagemaker.permissions import Authority, Call, needed
from local.sagemaker.pipelines import definition as definitions
from local.sagemaker.pipelines.definition import STEP_TYPES, Definition, RetryPolicy, Step
from local.sagemaker.protocol import validation
from local.sagemaker.protocol.listing import now
from local.sagemaker.registry import Registry
from local.types import Json

log = logging.getLogger(__name__)

STEP_FAILURE = "Step failure: One or multiple steps failed."
_NEXT = {
    "Executing": {"Stopping", "Succeeded", "Failed"},
    "Stopping": {"Stopped", "Failed"},
    "Failed": {"Executing"},  # RetryPipelineExecution alone goes back
    "Stopped": {"Executing"},
}
_NEXT_STEP = {
    None: {"Starting"},
    "Starting": {"Executing", "Failed", "Stopped"},
    "Executing": {"Stopping", "Succeeded", "Failed", "Stopped"},
    "Stopping": {"Stopped", "Succeeded", "Failed"},
}


class StepFailure(Exception):
    """An attempt failed. Its text is the FailureReason; `retry_as`: the ExceptionType that covers it."""

    def __init__(self, reason: str, retry_as: str | None = None) -> None:
        super().__init__(reason)
        self.retry_as = retry_as


class StepStopped(Exception):
    """The execution was stopped before the step was done."""


@dataclass(eq=False)
class Run:
    """A step of this execution that has been started. Changed under the execution's lock."""

    step: Step
    status: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    reason: str | None = None
    attempt: int = 0
    metadata: Json = field(default_factory=dict)
    result: Json = field(default_factory=dict)  # the Describe response that other steps refer to
    job: Job | None = None


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
        """Steps are run as `role`, the pipeline's.

        Raises ValidationException if `parameters` do not fit `definition`.
        """
        self.values = definition.values(parameters)
        self.arn, self.pipeline_arn, self.definition = arn, pipeline_arn, definition
        self.created = self.modified = now()
        self.display_name = display_name or f"execution-{int(self.created.timestamp() * 1000)}"
        self.description, self.parallelism = description, parallelism
        self.status, self.reason = "Executing", cast(str | None, None)
        self._ended: datetime | None = None
        self._jobs, self._registry, self._emit = jobs, registry, emit
        self._role, self._authority = role, authority
        self._changed = threading.Condition(threading.RLock())
        self._runs: dict[str, Run] = {}
        self._active: set[str] = set()
        self._stop = threading.Event()

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    # What callers ask for

    def start(self) -> None:
        """Begin; called once."""
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
                    self._stop_job(run.job)
            self._changed.notify_all()

    def retry(self, parallelism: Json | None) -> None:
        """Run again what failed or was stopped, and what waited for it.

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
        """Name, description and parallelism anew."""
        with self._changed:
            self.display_name = request.get("PipelineExecutionDisplayName", self.display_name)
            self.description = request.get("PipelineExecutionDescription", self.description)
            self.parallelism = request.get("ParallelismConfiguration", self.parallelism)
            self.modified = now()
            self._changed.notify_all()

    def describe(self) -> Json:
        """The Describe response."""
        with self._changed:
            answer = {
                "PipelineArn": self.pipeline_arn,
                "PipelineExecutionArn": self.arn,
                "PipelineExecutionDisplayName": self.display_name,
                "PipelineExecutionStatus": self.status,
                "PipelineExecutionDescription": self.description,
                "FailureReason": self.reason,
                "CreationTime": self.created,
                "LastModifiedTime": self.modified,
                "CreatedBy": {},
                "LastModifiedBy": {},
                "ParallelismConfiguration": self.parallelism,
            }
            return {key: value for key, value in answer.items() if value is not None}

    def steps(self) -> list[Json]:
        """Each step that has been started, as ListPipelineExecutionSteps shows it, in order of start."""
        with self._changed:
            shown = [
                {
                    "StepName": run.step.name,
                    "StepDisplayName": run.step.display_name,
                    "StepDescription": run.step.description,
                    "StartTime": run.started,
                    "EndTime": run.ended,
                    "StepStatus": run.status,
                    "FailureReason": run.reason,
                    "Metadata": dict(run.metadata),
                    "AttemptCount": run.attempt,
                }
                for run in self._runs.values()
                if run.status  # its thread has begun
            ]
            return [{key: value for key, value in item.items() if value is not None} for item in shown]

    @property
    def over(self) -> bool:
        """Whether nothing runs any more."""
        with self._changed:
            return self.status not in ("Executing", "Stopping")

    # Order

    def _schedule_in_thread(self) -> None:
        threading.Thread(target=self._schedule, name=f"execution-{self.id}", daemon=True).start()

    def _schedule(self) -> None:
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
        """Steps that may start now: none after a failure or a stop, else as many as there is room for."""
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

    # One step

    def _live(self, run: Run) -> None:
        status, reason = "Failed", cast(str | None, None)
        try:
            with self._changed:
                run.started = now()
                self._step_to(run, "Starting")
            self._with_retries(run)
            status = "Succeeded"
        except StepStopped:
            status = "Stopped"
        except StepFailure as failure:
            reason = str(failure)[:1024]
        except Exception:
            log.exception("step %s of %s failed through a fault of ours", run.step.name, self.arn)
            reason = "InternalServerError: We encountered an internal error.  Please try again."
        finally:
            with self._changed:
                run.ended, run.reason = now(), reason
                self._step_to(run, status)
                self._active.discard(run.step.name)
                self._changed.notify_all()

    def _with_retries(self, run: Run) -> None:
        began = time.monotonic()
        used: dict[RetryPolicy, int] = {}
        while True:
            run.attempt += 1
            try:
                return self._attempt(run)
            except StepFailure as failure:
                policy = next((p for p in run.step.retry_policies if failure.retry_as in p.exceptions), None)
                if policy is None:
                    raise
                used[policy] = used.get(policy, 0) + 1
                delay = policy.interval * policy.backoff ** (used[policy] - 1)
                if policy.max_attempts is not None and used[policy] > policy.max_attempts:
                    raise
                if policy.expire_after is not None and time.monotonic() - began + delay > policy.expire_after:
                    raise
                log.info("step %s of %s: %s; again in %g s", run.step.name, self.arn, failure, delay)
            if self._stop.wait(delay):
                raise StepStopped

    def _attempt(self, run: Run) -> None:
        """Run the step once. Raises StepFailure, StepStopped."""
        kind = STEP_TYPES[run.step.type]
        job_name = self._job_name(run.step)
        arguments = self._arguments(run.step, job_name)
        if kind.name_member:
            arguments[kind.name_member] = job_name
        try:
            validation.validate(validation.input_shape(kind.create), arguments)
            if self._stop.is_set():
                raise StepStopped
            self._may(kind.create, arguments)
            if run.step.type == "RegisterModel":
                self._register(run, arguments)
            else:
                self._run_job(run, cast(Kind, run.step.type), arguments)
        except ServiceError as error:
            raise StepFailure(
                f"ClientError: Failed to invoke sagemaker:{kind.create}. Error Details: {error}",
                error.retry_as,
            ) from error

    def _run_job(self, run: Run, kind: Kind, arguments: Json) -> None:
        job = self._jobs.create(kind, arguments)
        with self._changed:
            run.job, run.metadata = job, {f"{kind}Job": {"Arn": job.arn}}
            self._step_to(run, "Executing")
            if self._stop.is_set():
                self._stop_job(job)
        job.ended.wait()
        run.result = self._jobs.describe(job)
        if job.outcome.fault:
            raise StepFailure(job.outcome.fault.reason, job.outcome.fault.retry_as)
        if job.status == "Stopped":
            if self._stop.is_set():
                raise StepStopped
            raise StepFailure(f"ClientError: The job {job.name} was stopped: {job.secondary}")

    def _register(self, run: Run, arguments: Json) -> None:
        with self._changed:
            self._step_to(run, "Executing")
        generated = {"GeneratedBy": self.arn, **arguments.get("MetadataProperties", {})}
        if group := arguments.get("ModelPackageGroupName"):
            if not self._registry.has_group(group):
                self._may("CreateModelPackageGroup", {"ModelPackageGroupName": group})
            self._registry.ensure_group(group)
        arn = self._registry.create_model_package({**arguments, "MetadataProperties": generated})[
            "ModelPackageArn"
        ]
        self._act("DescribeModelPackage", arn)
        with self._changed:
            run.metadata = {"RegisterModel": {"Arn": arn}}
        run.result = self._registry.describe_model_package({"ModelPackageName": arn})

    def _stop_job(self, job: Job) -> None:
        try:
            self._act(f"Stop{job.kind}Job", job.arn)
            self._jobs.stop(job)
        except ServiceError as error:
            log.info("%s goes on to its end: %s", job.arn, error)

    def _may(self, operation: str, request: Json) -> None:
        """Raise AccessDeniedException unless the pipeline's role may do this, and all that goes with it."""
        region, account = self.arn.split(":")[3:5]
        calls = list(needed(operation, request, account=account, region=region))
        if operation.endswith("Job"):  # it is tagged with the pipeline that ran it, and watched
            others = ("AddTags", operation.replace("Create", "Describe"))
            calls += [Call(f"sagemaker:{other}", calls[0].resource) for other in others]
        self._authority.act(self._role, calls)

    def _act(self, operation: str, resource: str) -> None:
        self._authority.act(self._role, [Call(f"sagemaker:{operation}", resource)])

    def _job_name(self, step: Step) -> str:
        """As SageMaker forms it: at most 63 characters, the step's name cut to fit."""
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
        room = 63 - len(f"pipelines-{self.id}--{suffix}")
        return f"pipelines-{self.id}-{step.name.replace('_', '-')[:room].strip('-')}-{suffix}"

    def _arguments(self, step: Step, job_name: str) -> Json:
        def get(name: str) -> Any:
            root, _, rest = name.partition(".")
            if root == "Parameters":
                return self.values[rest]
            if root == "Execution":
                return self._variable(rest, job_name)
            other, _, path = rest.partition(".")
            try:
                return definitions.property_at(self._runs[other].result, path)
            except KeyError:
                raise StepFailure(f"ClientError: Step {other} has no property {path}") from None

        return cast(Json, definitions.resolve(step.arguments, get))

    def _variable(self, name: str, job_name: str) -> str:
        known: dict[str, Callable[[], str]] = {
            "StartDateTime": lambda: self.created.isoformat().replace("+00:00", "Z"),
            "CurrentDateTime": lambda: now().isoformat().replace("+00:00", "Z"),
            "PipelineName": lambda: self.pipeline_arn.rpartition("/")[2],
            "PipelineArn": lambda: self.pipeline_arn,
            "PipelineExecutionId": lambda: self.id,
            "PipelineExecutionArn": lambda: self.arn,
            "TrainingJobName": lambda: job_name,
            "ProcessingJobName": lambda: job_name,
        }
        return known[name]()

    # States

    def _to(self, status: str) -> None:
        """The one place where the execution changes its state."""
        if status not in _NEXT.get(self.status, ()):
            raise AssertionError(f"{self.arn}: {self.status} -> {status}")
        previous, self.status, self.modified = self.status, status, now()
        self._announce(previous)

    def _announce(self, previous: str | None) -> None:
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
        """The one place where a step changes its state. A second attempt leaves it where it is."""
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
