"""Processing and Training jobs: their API, and the statuses of a job."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from local.sagemaker import events
from local.sagemaker.errors import (
    FaultOfThisMachine,
    JobFault,
    ResourceInUse,
    ResourceLimitExceeded,
    ValidationException,
)
from local.sagemaker.jobs.checks import check_processing, check_training
from local.sagemaker.protocol import validation
from local.sagemaker.protocol.listing import now, page, within
from local.sagemaker.protocol.responses import present
from local.types import Json

Kind = Literal["Processing", "Training"]
"""The two kinds of jobs."""

log = logging.getLogger(__name__)

DEFAULT_RUNTIME_SECONDS: Final = 86400
"""Seconds after which a job is stopped whose StoppingCondition does not say it."""

_NEXT: Final = {
    "InProgress": {"InProgress", "Stopping", "Completed", "Failed", "Stopped"},
    "Stopping": {"Completed", "Failed", "Stopped"},
}
"""The statuses that may follow each status of a job."""

_MESSAGES: Final = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
}
"""StatusMessage of each secondary status, as AWS words it."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a fault, stopped, or else completed.

    `too_long`: it was stopped because it reached its time limit. `exit_message`: what a Processing job wrote
    into /opt/ml/output/message. `artifacts`: the S3 URI of a Training job's model.tar.gz.
    """

    fault: JobFault | None = None
    stopped: bool = False
    too_long: bool = False
    exit_message: str | None = None
    artifacts: str | None = None


@dataclass(eq=False)
class Job:
    """One job. Its status changes under the lock of its Jobs. `ended` is set with its last status."""

    kind: Kind
    name: str
    arn: str
    request: Json
    created: datetime
    change: Callable[["Job", str, str], None] = field(repr=False)
    status: str = "InProgress"
    secondary: str = "Starting"
    transitions: list[Json] = field(default_factory=list)
    started: datetime | None = None
    finished: datetime | None = None
    modified: datetime | None = None
    outcome: Outcome = Outcome()
    stop_requested: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    def phase(self, secondary: str) -> None:
        """Set SecondaryStatus. Processing jobs use the values of training jobs, too."""
        self.change(self, self.status, secondary)


class Jobs:
    """All jobs of an account and region. `run` runs one job to its end. At most `slots` run at a time.

    `quotas` has the instances that jobs may have at once, by the names of Service Quotas, such as
    `ml.m5.large for training job usage`. A job beyond one is refused at once; other types are unlimited.
    """

    def __init__(
        self,
        *,
        account: str,
        region: str,
        run: Callable[[Job], Outcome],
        emit: events.Emit,
        slots: int = 4,
        quotas: Mapping[str, int] | None = None,
    ) -> None:
        self._prefix = f"arn:aws:sagemaker:{region}:{account}"
        self._run, self._emit = run, emit
        self._lock = threading.RLock()
        self._slots = threading.Semaphore(slots)
        self._quotas = quotas or {}
        self._jobs: dict[tuple[Kind, str], Job] = {}

    # The API

    def create_processing_job(self, request: Json) -> Json:
        return {"ProcessingJobArn": self.create("Processing", request).arn}

    def create_training_job(self, request: Json) -> Json:
        return {"TrainingJobArn": self.create("Training", request).arn}

    def describe_processing_job(self, request: Json) -> Json:
        return self.describe(self._named("Processing", request["ProcessingJobName"]))

    def describe_training_job(self, request: Json) -> Json:
        return self.describe(self._named("Training", request["TrainingJobName"]))

    def stop_processing_job(self, request: Json) -> Json:
        self.stop(self._named("Processing", request["ProcessingJobName"]))
        return {}

    def stop_training_job(self, request: Json) -> Json:
        self.stop(self._named("Training", request["TrainingJobName"]))
        return {}

    def list_processing_jobs(self, request: Json) -> Json:
        return self._list("Processing", request)

    def list_training_jobs(self, request: Json) -> Json:
        return self._list("Training", request)

    # Used by pipelines too

    def create(self, kind: Kind, request: Json) -> Job:
        """Start a job from a valid Create request.

        Raises ValidationException, ResourceInUse, ResourceLimitExceeded.
        """
        (check_processing if kind == "Processing" else check_training)(request)
        name = request[f"{kind}JobName"]
        request = {"StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_RUNTIME_SECONDS}, **request}
        with self._lock:
            arn = f"{self._prefix}:{kind.lower()}-job/{name}"
            if (kind, name) in self._jobs:
                raise ResourceInUse(
                    "Job name must be unique within an AWS account and region, and a job with this name "
                    f"already exists ({arn})"
                )
            self._check_quota(kind, request)
            job = Job(kind, name, arn, request, now(), self._change)
            self._jobs[kind, name] = job
            self._change(job, "InProgress", "Starting")
        threading.Thread(target=self._live, args=(job,), name=f"job-{name}", daemon=True).start()
        return job

    def stop(self, job: Job) -> None:
        """Ask a job to stop. It is Stopped once its processes have ended.

        Raises ValidationException if it has ended.
        """
        with self._lock:
            if job.ended.is_set():
                raise ValidationException(
                    f"The request was rejected because the {job.kind.lower()} job is in status {job.status}"
                )
            if job.status == "InProgress":
                self._change(job, "Stopping", "Stopping")
            job.stop_requested.set()

    def close(self, timeout: float) -> None:
        """Stop all jobs and wait until they have stopped, at most `timeout` seconds for each."""
        with self._lock:
            left = [job for job in self._jobs.values() if not job.ended.is_set()]
            for job in left:
                job.stop_requested.set()
        for job in left:
            job.ended.wait(timeout)

    def describe(self, job: Job) -> Json:
        """The Describe response."""
        with self._lock:
            echoed = validation.output_members(f"Describe{job.kind}Job")
            answer = {key: value for key, value in job.request.items() if key in echoed}
            answer |= {
                f"{job.kind}JobArn": job.arn,
                f"{job.kind}JobStatus": job.status,
                "CreationTime": job.created,
                "LastModifiedTime": job.modified,
                f"{job.kind}StartTime": job.started,
                f"{job.kind}EndTime": job.finished,
                "FailureReason": job.outcome.fault.reason if job.outcome.fault else None,
            }
            if job.kind == "Processing":
                answer["ExitMessage"] = job.outcome.exit_message
            else:
                answer |= self._training_only(job)
            return present(**answer)

    # From start to end

    def _live(self, job: Job) -> None:
        """Wait for a slot, run the job and set its last status, in a thread of its own."""
        acquired = False
        try:
            while not (acquired := self._slots.acquire(timeout=0.05)):
                if job.stop_requested.is_set():
                    break
            outcome = Outcome(stopped=True) if job.stop_requested.is_set() else self._run(job)
        except JobFault as fault:
            outcome = Outcome(fault=fault)
        except Exception as error:
            log.exception("internal error in job %s", job.name)
            outcome = Outcome(fault=FaultOfThisMachine(f"{type(error).__name__}: {error}; see server.log"))
        finally:
            if acquired:
                self._slots.release()
        with self._lock:
            job.outcome = outcome
            if outcome.fault:
                self._change(job, "Failed", "Failed")
            elif outcome.stopped:
                self._change(job, "Stopped", "MaxRuntimeExceeded" if outcome.too_long else "Stopped")
            else:
                self._change(job, "Completed", "Completed")
            job.ended.set()

    def _change(self, job: Job, status: str, secondary: str) -> None:
        """Set a job's status and emit the event of the change. Nothing else sets it."""
        with self._lock:
            if status not in _NEXT.get(job.status, ()):
                return  # it has been stopped in the meantime
            moment = now()
            changed = job.status != status
            job.status, job.secondary, job.modified = status, secondary, moment
            if secondary == "Training":
                job.started = moment
            if status in ("Completed", "Failed", "Stopped"):
                job.finished = moment
            if job.transitions:
                job.transitions[-1].setdefault("EndTime", moment)
            transition = {"Status": secondary, "StartTime": moment, "StatusMessage": _MESSAGES[secondary]}
            job.transitions.append(transition | ({"EndTime": moment} if job.finished else {}))
            if job.kind == "Training":
                self._emit(events.TRAINING_JOB, [job.arn], events.training_detail(self.describe(job)))
            elif changed or len(job.transitions) == 1:
                self._emit(events.PROCESSING_JOB, [job.arn], events.processing_detail(self.describe(job)))

    def _training_only(self, job: Job) -> Json:
        """What only the Describe response of a Training job holds."""
        seconds = (
            max(1, int((job.finished - job.started).total_seconds()))
            if job.finished and job.started
            else None
        )
        output = job.request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return {
            "SecondaryStatus": job.secondary,
            "SecondaryStatusTransitions": [dict(item) for item in job.transitions],
            "ModelArtifacts": {
                "S3ModelArtifacts": job.outcome.artifacts or f"{output}/{job.name}/output/model.tar.gz"
            }
            if job.status != "Failed"
            else {"S3ModelArtifacts": ""},
            "TrainingTimeInSeconds": seconds,
            "BillableTimeInSeconds": seconds,
            "EnableNetworkIsolation": job.request.get("EnableNetworkIsolation", False),
            "EnableInterContainerTrafficEncryption": job.request.get(
                "EnableInterContainerTrafficEncryption", False
            ),
            "EnableManagedSpotTraining": job.request.get("EnableManagedSpotTraining", False),
        }

    def _check_quota(self, kind: Kind, request: Json) -> None:
        """Raise ResourceLimitExceeded, as AWS words it, if the job's instances exceed their quota."""
        instance, wanted = _instances(kind, request)
        quota = f"{instance} for {kind.lower()} job usage"
        if quota not in self._quotas:
            return
        running = (job for job in self._jobs.values() if job.kind == kind and not job.ended.is_set())
        used = sum(
            count for name, count in (_instances(kind, job.request) for job in running) if name == instance
        )
        limit = self._quotas[quota]
        if used + wanted > limit:
            raise ResourceLimitExceeded(
                f"The account-level service limit '{quota}' is {limit} Instances, with current utilization "
                f"of {used} Instances and a request delta of {wanted} Instances. Please use AWS Service "
                "Quotas to request an increase for this quota."
            )

    def _named(self, kind: Kind, name: str) -> Job:
        with self._lock:
            job = self._jobs.get((kind, name))
        if job is None:
            raise ValidationException(f"Could not find requested job with name: {name}")
        return job

    def _list(self, kind: Kind, request: Json) -> Json:
        with self._lock:
            found = [
                job
                for job in self._jobs.values()
                if job.kind == kind
                and request.get("NameContains", "") in job.name
                and request.get("StatusEquals") in (None, job.status)
                and within(request, ("CreationTime", job.created), ("LastModifiedTime", job.modified))
            ]
            keys: dict[str, Callable[[Job], Any]] = {
                "CreationTime": lambda job: job.created,
                "Name": lambda job: job.name,
                "Status": lambda job: job.status,
            }
            shown, more = page(found, request, identity=lambda job: job.name, keys=keys, descending=False)
            shape = validation.service_model().shape_for(f"{kind}JobSummary")
            summaries = [
                {key: value for key, value in self.describe(job).items() if key in shape.members}  # type: ignore[attr-defined]
                for job in shown
            ]
            return {f"{kind}JobSummaries": summaries, **more}


def _instances(kind: Kind, request: Json) -> tuple[str, int]:
    """The type and the number of a job's instances."""
    cluster = (
        request["ProcessingResources"]["ClusterConfig"] if kind == "Processing" else request["ResourceConfig"]
    )
    return cluster["InstanceType"], cluster["InstanceCount"]
