"""Processing and Training jobs: the API, and the states that a job goes through."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from local.sagemaker import events
from local.sagemaker.errors import FaultOfThisMachine, JobFault, ResourceInUse, ValidationException
from local.sagemaker.protocol import validation
from local.sagemaker.protocol.listing import now, page, within
from local.types import Json

Kind = Literal["Processing", "Training"]
log = logging.getLogger(__name__)

DEFAULT_RUNTIME = 86400  # seconds
_NEXT = {
    "InProgress": {"InProgress", "Stopping", "Completed", "Failed", "Stopped"},
    "Stopping": {"Completed", "Failed", "Stopped"},
}
_SAYS = {
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


@dataclass(frozen=True)
class Outcome:
    """How a job ended: by a fault, stopped, or else completed."""

    fault: JobFault | None = None
    stopped: bool = False
    too_long: bool = False
    exit_message: str | None = None
    artifacts: str | None = None


@dataclass(eq=False)
class Job:
    """One job. Its states change under the lock of its Jobs; `ended` is set once it has its last one."""

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
        """Say what the job does now, in the words of a training job's SecondaryStatus."""
        self.change(self, self.status, secondary)


class Jobs:
    """All jobs of an account and region. `run` runs one to its end; at most `slots` run at a time."""

    def __init__(
        self, *, account: str, region: str, run: Callable[[Job], Outcome], emit: events.Emit, slots: int = 4
    ) -> None:
        self._prefix = f"arn:aws:sagemaker:{region}:{account}"
        self._run, self._emit = run, emit
        self._lock = threading.RLock()
        self._slots = threading.Semaphore(slots)
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

    # What pipelines use as well

    def create(self, kind: Kind, request: Json) -> Job:
        """Check a valid Create request further, start the job. Raises ValidationException, ResourceInUse."""
        check(kind, request)
        name = request[f"{kind}JobName"]
        request = {"StoppingCondition": {"MaxRuntimeInSeconds": DEFAULT_RUNTIME}, **request}
        with self._lock:
            arn = f"{self._prefix}:{kind.lower()}-job/{name}"
            if (kind, name) in self._jobs:
                raise ResourceInUse(
                    "Job name must be unique within an AWS account and region, and a job with this name "
                    f"already exists ({arn})"
                )
            job = Job(kind, name, arn, request, now(), self._change)
            self._jobs[kind, name] = job
            self._change(job, "InProgress", "Starting")
        threading.Thread(target=self._live, args=(job,), name=f"job-{name}", daemon=True).start()
        return job

    def stop(self, job: Job) -> None:
        """Ask a job to stop; it stops when its processes are gone. ValidationException if it has ended."""
        with self._lock:
            if job.ended.is_set():
                raise ValidationException(
                    f"The request was rejected because the {job.kind.lower()} job is in status {job.status}"
                )
            if job.status == "InProgress":
                self._change(job, "Stopping", "Stopping")
            job.stop_requested.set()

    def close(self, timeout: float) -> None:
        """Stop all jobs and wait until they have stopped, `timeout` seconds at most for each."""
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
            return {key: value for key, value in answer.items() if value is not None}

    # The life of a job

    def _live(self, job: Job) -> None:
        acquired = False
        try:
            while not (acquired := self._slots.acquire(timeout=0.05)):
                if job.stop_requested.is_set():
                    break
            outcome = Outcome(stopped=True) if job.stop_requested.is_set() else self._run(job)
        except JobFault as fault:
            outcome = Outcome(fault=fault)
        except Exception as error:
            log.exception("job %s failed through a fault of ours", job.name)
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
        """The one place where a job changes its state; emits the event of the change."""
        with self._lock:
            if status not in _NEXT.get(job.status, ()):
                return  # it was stopped meanwhile
            moment = now()
            changed = job.status != status
            job.status, job.secondary, job.modified = status, secondary, moment
            if secondary == "Training":
                job.started = moment
            if status in ("Completed", "Failed", "Stopped"):
                job.finished = moment
            if job.transitions:
                job.transitions[-1].setdefault("EndTime", moment)
            transition = {"Status": secondary, "StartTime": moment, "StatusMessage": _SAYS[secondary]}
            job.transitions.append(transition | ({"EndTime": moment} if job.finished else {}))
            if job.kind == "Training":
                self._emit(events.TRAINING_JOB, [job.arn], events.training_detail(self.describe(job)))
            elif changed or len(job.transitions) == 1:
                self._emit(events.PROCESSING_JOB, [job.arn], events.processing_detail(self.describe(job)))

    def _training_only(self, job: Job) -> Json:
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


def check(kind: Kind, request: Json) -> None:
    """Refuse what AWS refuses beyond the service model, and what this machine cannot run, saying so."""
    if kind == "Processing":
        _check_processing(request)
    else:
        _check_training(request)


def _check_processing(request: Json) -> None:
    cluster = request["ProcessingResources"]["ClusterConfig"]
    _check_cluster(cluster)
    if "ContainerEntrypoint" not in request["AppSpecification"]:
        raise ValidationException(
            "AppSpecification.ContainerEntrypoint is missing: images are not run on this machine, so a job "
            "must say what to run"
        )
    names: list[str] = []
    for item in request.get("ProcessingInputs", []):
        names.append(item["InputName"])
        source = item.get("S3Input")
        if source is None:
            raise ValidationException(f"Input {item['InputName']}: only S3Input is supported on this machine")
        for member, only in (
            ("S3DataType", "S3Prefix"),
            ("S3InputMode", "File"),
            ("S3CompressionType", "None"),
        ):
            if source.get(member, only) != only:
                raise ValidationException(
                    f"Input {item['InputName']}: only {member} {only} is supported on this machine"
                )
        _check_local_path(f"Input {item['InputName']}", source.get("LocalPath"))
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValidationException(f"Input names must be unique, {sorted(twice)[0]} is not")
    names = []
    for item in request.get("ProcessingOutputConfig", {}).get("Outputs", []):
        names.append(item["OutputName"])
        if "S3Output" not in item:
            raise ValidationException(
                f"Output {item['OutputName']}: only S3Output is supported on this machine"
            )
        _check_local_path(f"Output {item['OutputName']}", item["S3Output"].get("LocalPath"))
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValidationException(f"Output names must be unique, {sorted(twice)[0]} is not")


def _check_training(request: Json) -> None:
    if "AlgorithmSpecification" not in request or "ResourceConfig" not in request:
        raise ValidationException("AlgorithmSpecification and ResourceConfig are needed on this machine")
    _check_cluster(request["ResourceConfig"])
    script = request.get("HyperParameters", {}).get("sagemaker_program")
    if not script and "ContainerEntrypoint" not in request["AlgorithmSpecification"]:
        raise ValidationException(
            "Neither hyperparameter sagemaker_program nor AlgorithmSpecification.ContainerEntrypoint is set: "
            "images are not run on this machine, so a job must say what to run"
        )
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource")
        if source is None or source["S3DataType"] != "S3Prefix":
            raise ValidationException(
                f"Channel {channel['ChannelName']}: only S3Prefix is supported on this machine"
            )


def _check_cluster(cluster: Json) -> None:
    if "InstanceType" not in cluster:
        raise ValidationException("InstanceType is missing")
    if cluster.get("InstanceCount", 1) != 1:
        raise ValidationException(
            f"InstanceCount {cluster['InstanceCount']} is not supported on this machine, which runs a job as "
            "one process: use 1"
        )


def _check_local_path(what: str, path: str | None) -> None:
    root = "/opt/ml/processing"
    if path is None or not (path == root or path.startswith(root + "/")) or ".." in path.split("/"):
        raise ValidationException(f"{what}: LocalPath {path} must be a path under {root}")
