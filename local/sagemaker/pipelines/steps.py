"""One step of an execution: its attempts, its job or its model package, and its permissions."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from local.sagemaker.errors import ServiceError, StepFailure, StepStopped
from local.sagemaker.jobs.api import Job, Jobs, Kind
from local.sagemaker.permissions import Authority, Call, needed
from local.sagemaker.pipelines.arguments import Arguments
from local.sagemaker.pipelines.definition import STEP_TYPES, RetryPolicy, Step
from local.sagemaker.protocol import validation
from local.sagemaker.registry import Registry
from local.types import Json

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Run:
    """A step that an execution has started. Changed under the execution's lock.

    `result` is the Describe response of its job or package, to which other steps refer.
    """

    step: Step
    status: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    reason: str | None = None
    attempt: int = 0
    metadata: Json = field(default_factory=dict)
    result: Json = field(default_factory=dict)
    job: Job | None = None


@dataclass(frozen=True)
class Role:
    """The pipeline's role. SageMaker makes all calls of a step as this role."""

    arn: str
    authority: Authority
    account: str
    region: str

    def check_create(self, operation: str, request: Json) -> None:
        """Raise AccessDeniedException unless the role may make this Create call and those that follow it."""
        calls = list(needed(operation, request, account=self.account, region=self.region))
        if operation.endswith("Job"):  # SageMaker tags the job with its pipeline and describes it
            others = ("AddTags", operation.replace("Create", "Describe"))
            calls += [Call(f"sagemaker:{other}", calls[0].resource) for other in others]
        self.authority.act(self.arn, calls)

    def act(self, operation: str, resource: str) -> None:
        """Raise AccessDeniedException unless the role may make this call."""
        self.authority.act(self.arn, [Call(f"sagemaker:{operation}", resource)])


@dataclass(frozen=True)
class StepRunner:
    """Runs the steps of one execution, each in the thread that calls.

    `changed` is the execution's lock. `step_to` moves a run to another status and is called under that lock.
    `result` returns the result of another step by its name.
    """

    jobs: Jobs
    registry: Registry
    role: Role
    arguments: Arguments
    changed: threading.Condition
    step_to: Callable[[Run, str], None]
    result: Callable[[str], Json]

    def run(self, run: Run, stop: threading.Event) -> None:
        """Run a step, and again as its retry policies say. Raises StepFailure, StepStopped."""
        began = time.monotonic()
        used: dict[RetryPolicy, int] = {}
        while True:
            run.attempt += 1
            try:
                return self._attempt(run, stop)
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
                log.info(
                    "step %s of %s failed: %s; next attempt in %g s",
                    run.step.name,
                    self.arguments.arn,
                    failure,
                    delay,
                )
            if stop.wait(delay):
                raise StepStopped

    def stop_job(self, job: Job) -> None:
        """Ask a step's job to stop. If the role may not stop it, or it has ended, it runs to its end."""
        try:
            self.role.act(f"Stop{job.kind}Job", job.arn)
            self.jobs.stop(job)
        except ServiceError as error:
            log.info("%s is not stopped: %s", job.arn, error)

    def _attempt(self, run: Run, stop: threading.Event) -> None:
        """Run the step once. Raises StepFailure, StepStopped."""
        kind = STEP_TYPES[run.step.type]
        job_name = self.arguments.job_name(run.step)
        arguments = self.arguments.of(run.step, job_name, self.result)
        if kind.name_member:
            arguments[kind.name_member] = job_name
        try:
            validation.validate(validation.input_shape(kind.create), arguments)
            if stop.is_set():
                raise StepStopped
            self.role.check_create(kind.create, arguments)
            if run.step.type == "RegisterModel":
                self._register(run, arguments)
            else:
                self._run_job(run, cast(Kind, run.step.type), arguments, stop)
        except ServiceError as error:
            raise StepFailure(
                f"ClientError: Failed to invoke sagemaker:{kind.create}. Error Details: {error}",
                error.retry_as,
            ) from error

    def _run_job(self, run: Run, kind: Kind, arguments: Json, stop: threading.Event) -> None:
        """Create the step's job and wait for its end. Raises StepFailure, StepStopped, ServiceError."""
        job = self.jobs.create(kind, arguments)
        with self.changed:
            run.job, run.metadata = job, {f"{kind}Job": {"Arn": job.arn}}
            self.step_to(run, "Executing")
            if stop.is_set():
                self.stop_job(job)
        job.ended.wait()
        run.result = self.jobs.describe(job)
        if job.outcome.fault:
            raise StepFailure(job.outcome.fault.reason, job.outcome.fault.retry_as)
        if job.status == "Stopped":
            if stop.is_set():
                raise StepStopped
            raise StepFailure(f"ClientError: The job {job.name} was stopped: {job.secondary}")

    def _register(self, run: Run, arguments: Json) -> None:
        """Create the step's model package, and its group if there is none. Raises ServiceError."""
        with self.changed:
            self.step_to(run, "Executing")
        generated = {"GeneratedBy": self.arguments.arn, **arguments.get("MetadataProperties", {})}
        if group := arguments.get("ModelPackageGroupName"):
            if not self.registry.has_group(group):
                self.role.check_create("CreateModelPackageGroup", {"ModelPackageGroupName": group})
            self.registry.ensure_group(group)
        created = self.registry.create_model_package({**arguments, "MetadataProperties": generated})
        arn = created["ModelPackageArn"]
        self.role.act("DescribeModelPackage", arn)
        with self.changed:
            run.metadata = {"RegisterModel": {"Arn": arn}}
        run.result = self.registry.describe_model_package({"ModelPackageName": arn})
