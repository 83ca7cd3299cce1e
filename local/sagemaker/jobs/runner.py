"""Runs one job as a process: role, Python, inputs, program, logs, outputs."""

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import botocore.exceptions
from botocore.config import Config

from local import folder as folders
from local.account import administrator
from local.errors import NoEnvironment
from local.images import table
from local.images.docker import Docker
from local.images.pythons import Pythons
from local.images.table import Image
from local.sagemaker.errors import (
    AccessDeniedException,
    AlgorithmError,
    ClientError,
    FaultOfThisMachine,
    JobFault,
)
from local.sagemaker.jobs import container, processes, storage, toolkit
from local.sagemaker.jobs.api import Job, Outcome
from local.sagemaker.jobs.contained import Contained, unknown
from local.sagemaker.jobs.container import Place
from local.sagemaker.jobs.logs import JobLog
from local.sagemaker.jobs.processes import Running, Started
from local.sagemaker.jobs.toolkit import Failure
from local.sagemaker.permissions import Authority, Everybody
from local.types import Json

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, s3={"addressing_style": "path"}
)
"""botocore's settings for the clients of a job's set-up."""


@dataclass(frozen=True)
class Runner:
    """Runs jobs in subfolders of `folder`/jobs. Jobs call AWS at `endpoint`.

    `authority` returns the credentials of a job's role, or leaves that to STS. `session` makes the clients of
    all jobs, one at a time: a session takes four times as long to make as a client. `pythons` are those of
    the jobs' images; images that `docker` has are run themselves. `kept` are clients that jobs share.
    """

    folder: Path
    endpoint: str
    region: str
    pythons: Pythons = field(repr=False)
    docker: Docker = field(repr=False)
    authority: Authority = field(default_factory=Everybody)
    session: boto3.Session = field(default_factory=boto3.Session, repr=False)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, job: Job) -> Outcome:
        """Run `job` to its end and delete its folder."""
        place = Place(self.folder / "jobs" / job.name)
        try:
            uri = image_of(job)
            image = table.find(uri)
            in_docker = self.docker.has(uri, once=image is not None)
            if image is None and not in_docker:
                raise unknown(uri, [one.name for one in table.IMAGES])
            container.make(place)
            credentials = self._assume(job)
            s3, logs = self._client("s3", credentials), self._client("logs", credentials)
            with JobLog(logs, f"/aws/sagemaker/{job.kind}Jobs", job.name) as output:
                variables = container.variables(place, self.endpoint, self.region, credentials)
                limit = job.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
                started = Started(job, place, s3, output, variables, time.monotonic() + limit)
                running = (
                    self._here(started, image)
                    if image and not in_docker
                    else Contained(**vars(started), uri=uri, docker=self.docker)
                )
                return self._process(running) if job.kind == "Processing" else self._train(running)
        except JobFault as fault:
            return Outcome(fault=fault)
        finally:
            folders.delete(place.root)

    def _here(self, started: Started, image: Image) -> Running:
        """The job with a Python of its image. Raises FaultOfThisMachine if that cannot be made."""
        try:
            python = self.pythons.make(image, started.place.layer, started.output.say)
        except NoEnvironment as error:
            raise FaultOfThisMachine(str(error)) from error
        variables = {**started.variables, "PATH": processes.search_path(python)}
        return Running(**{**vars(started), "variables": variables}, image=image, python=python)

    def _process(self, running: Running | Contained) -> Outcome:
        """Run a Processing job. Raises JobFault."""
        job, place, s3, request = running.job, running.place, running.s3, running.job.request
        for item in request.get("ProcessingInputs", []):
            source = item["S3Input"]
            folder = place.inside(source["LocalPath"])
            storage.download(
                s3, source["S3Uri"], folder, request["RoleArn"], self.region, kept=self._downloaded
            )
        outputs = [item["S3Output"] for item in request.get("ProcessingOutputConfig", {}).get("Outputs", [])]
        for target in outputs:
            place.inside(target["LocalPath"]).mkdir(parents=True, exist_ok=True)
        job.phase("Training")
        if isinstance(running, Contained):
            ended, code = running.processing()
        else:
            ended, code = running.run(container.processing(place, job.arn, request))
        message = container.first(place.ml / "output/message", 1024)
        completed = ended == "exited" and code == 0
        for target in outputs:
            if completed or target["S3UploadMode"] == "Continuous":
                storage.upload(s3, place.inside(target["LocalPath"]), target["S3Uri"])
        if ended != "exited":
            return Outcome(stopped=True, too_long=ended == "too long", exit_message=message)
        if completed:
            return Outcome(exit_message=message)
        reason = message or "See job logs for more information"
        fault = AlgorithmError(f"{reason[:980]}, exit code: {container.exit_code(code)}")
        return Outcome(fault=fault, exit_message=message)

    def _train(self, running: Running | Contained) -> Outcome:
        """Run a Training job. Raises JobFault."""
        job, place, s3, request = running.job, running.place, running.s3, running.job.request
        job.phase("Downloading")
        for channel in request.get("InputDataConfig", []):
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            storage.download(
                s3, uri, place.ml / "input/data" / channel["ChannelName"], request["RoleArn"], self.region
            )
        self._fetch_code(job, place, s3)
        checkpoints = self._fetch_checkpoints(running)
        job.phase("Training")
        ended, code = self._run_training(running)
        target = f"{request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}/output"
        job.phase("Uploading")
        if checkpoints:
            storage.upload(s3, checkpoints, request["CheckpointConfig"]["S3Uri"])
        if any((place.ml / "output/data").iterdir()):
            storage.pack(place.ml / "output/data", place.root / "output.tar.gz")
            storage.upload(s3, place.root / "output.tar.gz", f"{target}/output.tar.gz")
        if ended == "exited" and code != 0:
            reason = container.first(place.ml / "output/failure", 1024) or ""
            return Outcome(fault=AlgorithmError(f"{reason[:980]}, exit code: {container.exit_code(code)}"))
        storage.pack(place.ml / "model", place.root / "model.tar.gz")
        artifacts = f"{target}/model.tar.gz"
        storage.upload(s3, place.root / "model.tar.gz", artifacts)
        return Outcome(stopped=ended != "exited", too_long=ended == "too long", artifacts=artifacts)

    def _fetch_checkpoints(self, running: Started) -> Path | None:
        """Copy a job's checkpoints from S3, if there are any; their folder, None if the job keeps none."""
        request = running.job.request
        config = request.get("CheckpointConfig")
        if config is None:
            return None
        folder = running.place.inside(config.get("LocalPath", container.CHECKPOINTS))
        storage.download(running.s3, config["S3Uri"], folder, request["RoleArn"], self.region, optional=True)
        return folder

    def _run_training(self, running: Running | Contained) -> tuple[processes.End, int]:
        """Run the program of a Training job; why it ended, and its exit code. Raises ClientError."""
        if isinstance(running, Contained):
            return running.training()
        request, place, image = running.job.request, running.place, running.image
        if not container.is_script_mode(request):
            return running.run(container.training(place, request))
        command = toolkit.script_mode(place, request, image)
        if named := toolkit.paths_in_code(place):
            running.output.say(
                f"{', '.join(named)}: {container.ML} does not exist on this machine, only in the image. Take "
                "the path of a variable, such as SM_MODEL_DIR, or of a hyperparameter"
            )
        ready = toolkit.install(running, container.script_of(request), self.pythons)
        if isinstance(ready, Failure):
            failure = ready
        else:
            failure = Failure("ExecuteUserScriptError", command.arguments, *ready.run(command))
        if failure.ended == "exited" and failure.code != 0:
            return "exited", toolkit.failed(place, image, failure)
        return failure.ended, failure.code

    def _fetch_code(self, job: Job, place: Place, s3: "S3Client") -> None:
        """Copy the source directory of a job in script mode from S3 to /opt/ml/code. Raises ClientError."""
        uri = job.request.get("HyperParameters", {}).get("sagemaker_submit_directory", "").strip('"')
        if not uri:
            return
        storage.download(s3, uri, place.root / "source", job.request["RoleArn"], self.region)
        for archive in (place.root / "source").iterdir():
            storage.unpack(archive, place.ml / "code")

    def _assume(self, job: Job) -> Json:
        """Temporary credentials of the job's role. Raises ClientError."""
        try:
            if given := self.authority.assume(job.request["RoleArn"]):
                return given
        except AccessDeniedException as error:
            raise ClientError(str(error)) from error
        role = job.request["RoleArn"]
        try:
            answer = self._sts().assume_role(RoleArn=role, RoleSessionName="SageMaker")
        except botocore.exceptions.ClientError as error:
            raise ClientError(
                f"Could not assume role {role}. Please ensure that the role exists and allows principal "
                f"'sagemaker.amazonaws.com' to assume the role. {error}"
            ) from error
        credentials: Json = answer["Credentials"]
        return credentials

    @property
    def _downloaded(self) -> Path | None:
        """Where objects are kept for later jobs; None where IAM decides at each request who may read."""
        return self.folder / "tmp" / "downloaded" if isinstance(self.authority, Everybody) else None

    def _sts(self) -> Any:
        """The client that assumes the roles of all jobs, made for the first."""
        if "sts" not in self.kept:
            key, secret = administrator()
            root = {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": None}
            self.kept["sts"] = self._client("sts", root)
        return self.kept["sts"]

    def _client(self, name: str, credentials: Json) -> Any:
        """A boto3 client of service `name` with these credentials."""
        with self.one_at_a_time:
            return self.session.client(  # type: ignore[call-overload]
                name,
                region_name=self.region,
                endpoint_url=self.endpoint,
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
                config=_CONFIG,
            )


def image_of(job: Job) -> str:
    """The address of a job's image. Empty if the job names none."""
    if job.kind == "Processing":
        return str(job.request["AppSpecification"]["ImageUri"])
    return str(job.request["AlgorithmSpecification"].get("TrainingImage", ""))
