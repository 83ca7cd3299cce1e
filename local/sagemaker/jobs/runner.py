"""Runs one job as a process: role, inputs, program, logs, outputs, time limit, stop."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import boto3
import botocore.exceptions
from botocore.config import Config

from local import folder as folders
from local.account import administrator
from local.forked.warm import WarmProcess, WarmPython
from local.sagemaker.errors import AccessDeniedException, AlgorithmError, ClientError, JobFault
from local.sagemaker.jobs import container, storage
from local.sagemaker.jobs.api import Job, Outcome
from local.sagemaker.jobs.container import Command, Place
from local.sagemaker.jobs.logs import JobLog
from local.sagemaker.permissions import Authority, Everybody
from local.types import Json

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


End = Literal["exited", "stopped", "too long"]
"""Why a program ended: by itself, by a stop, or at the time limit."""

GRACE_SECONDS: Final = 5.0
"""Seconds between TERM and KILL for a job that is stopped. AWS gives 120."""

_CONFIG: Final = Config(
    retries={"mode": "standard", "total_max_attempts": 3}, s3={"addressing_style": "path"}
)
"""botocore's settings for the clients of a job's set-up."""


@dataclass(frozen=True)
class Runner:
    """Runs jobs in subfolders of `folder`/jobs. Jobs call AWS at `endpoint`.

    `authority` returns the credentials of a job's role, or leaves that to STS. `session` makes the clients of
    all jobs, one at a time: a session takes four times as long to make as a client. `python` starts jobs that
    are Python scripts.
    """

    folder: Path
    endpoint: str
    region: str
    python: WarmPython = field(repr=False)
    authority: Authority = field(default_factory=Everybody)
    session: boto3.Session = field(default_factory=boto3.Session, repr=False)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, job: Job) -> Outcome:
        """Run `job` to its end and delete its folder."""
        place = Place(self.folder / "jobs" / job.name)
        try:
            container.make(place)
            credentials = self._assume(job)
            s3, logs = self._client("s3", credentials), self._client("logs", credentials)
            with JobLog(logs, f"/aws/sagemaker/{job.kind}Jobs", job.name) as output:
                variables = container.variables(
                    place, os.environ.get("PATH", os.defpath), self.endpoint, self.region, credentials
                )
                if job.kind == "Processing":
                    return self._process(job, place, s3, output, variables)
                return self._train(job, place, s3, output, variables)
        except JobFault as fault:
            return Outcome(fault=fault)
        finally:
            folders.delete(place.root)

    def _process(
        self, job: Job, place: Place, s3: "S3Client", output: JobLog, variables: dict[str, str]
    ) -> Outcome:
        """Run a Processing job. Raises JobFault."""
        request = job.request
        for item in request.get("ProcessingInputs", []):
            source = item["S3Input"]
            storage.download(
                s3, source["S3Uri"], place.inside(source["LocalPath"]), request["RoleArn"], self.region
            )
        outputs = [item["S3Output"] for item in request.get("ProcessingOutputConfig", {}).get("Outputs", [])]
        for target in outputs:
            place.inside(target["LocalPath"]).mkdir(parents=True, exist_ok=True)
        job.phase("Training")
        command = container.processing(place, job.arn, request)
        ended, code = run(job, place, command, variables, output, self.python)
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

    def _train(
        self, job: Job, place: Place, s3: "S3Client", output: JobLog, variables: dict[str, str]
    ) -> Outcome:
        """Run a Training job. Raises JobFault."""
        request = job.request
        job.phase("Downloading")
        for channel in request.get("InputDataConfig", []):
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            storage.download(
                s3, uri, place.ml / "input/data" / channel["ChannelName"], request["RoleArn"], self.region
            )
        self._fetch_code(job, place, s3, output)
        job.phase("Training")
        command = container.training(place, request)
        ended, code = run(job, place, command, variables, output, self.python)
        target = f"{request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{job.name}/output"
        job.phase("Uploading")
        if any((place.ml / "output/data").iterdir()):
            storage.pack(place.ml / "output/data", place.root / "output.tar.gz")
            storage.upload(s3, place.root / "output.tar.gz", f"{target}/output.tar.gz")
        if ended == "exited" and code != 0:
            if container.is_script_mode(request):
                code = container.script_failed(place, command, code)
            reason = container.first(place.ml / "output/failure", 1024) or ""
            return Outcome(fault=AlgorithmError(f"{reason[:980]}, exit code: {container.exit_code(code)}"))
        storage.pack(place.ml / "model", place.root / "model.tar.gz")
        artifacts = f"{target}/model.tar.gz"
        storage.upload(s3, place.root / "model.tar.gz", artifacts)
        return Outcome(stopped=ended != "exited", too_long=ended == "too long", artifacts=artifacts)

    def _fetch_code(self, job: Job, place: Place, s3: "S3Client", output: JobLog) -> None:
        """Copy the source directory of a job in script mode from S3 to /opt/ml/code. Raises ClientError."""
        uri = job.request.get("HyperParameters", {}).get("sagemaker_submit_directory", "").strip('"')
        if not uri:
            return
        storage.download(s3, uri, place.root / "source", job.request["RoleArn"], self.region)
        for archive in (place.root / "source").iterdir():
            storage.unpack(archive, place.ml / "code")
        if (place.ml / "code/requirements.txt").exists():
            output.say(
                "requirements.txt is not installed on this machine: the job has the packages of its endpoint"
            )

    def _assume(self, job: Job) -> Json:
        """Temporary credentials of the job's role. Raises ClientError."""
        try:
            if given := self.authority.assume(job.request["RoleArn"]):
                return given
        except AccessDeniedException as error:
            raise ClientError(str(error)) from error
        role = job.request["RoleArn"]
        try:
            key, secret = administrator()
            root = {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": None}
            answer = self._client("sts", root).assume_role(RoleArn=role, RoleSessionName="SageMaker")
        except botocore.exceptions.ClientError as error:
            raise ClientError(
                f"Could not assume role {role}. Please ensure that the role exists and allows principal "
                f"'sagemaker.amazonaws.com' to assume the role. {error}"
            ) from error
        credentials: Json = answer["Credentials"]
        return credentials

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


def run(
    job: Job, place: Place, command: Command, variables: dict[str, str], output: JobLog, python: WarmPython
) -> tuple[End, int]:
    """Run the program in a process group of its own until it exits, is stopped or reaches its time limit.

    All processes that it started end with it, as in a container. Returns why it ended and its exit code.
    Raises ClientError if it cannot be started.
    """
    environment = variables | command.variables
    process = python.start(command.arguments, environment, command.folder) or _started(command, environment)
    assert process.stdout is not None  # nosec B101 # noqa: S101 - a pipe was asked for
    output.follow(process.stdout)
    limit = job.request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
    deadline = time.monotonic() + limit
    ended: End = "exited"
    try:
        while process.poll() is None:
            if job.stop_requested.wait(0.02):
                ended = "stopped"
                break
            if time.monotonic() > deadline:
                ended = "too long"
                break
    finally:
        _end_group(process)
        folders.end_strays(place.root)
    return ended, process.wait()


def _started(command: Command, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    """A new process. Raises ClientError if the program cannot be run."""
    try:
        return subprocess.Popen(
            command.arguments,
            cwd=command.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ClientError(f"Cannot run {command.arguments[0]}: {error.strerror}") from error


def _end_group(process: "subprocess.Popen[bytes] | WarmProcess") -> None:
    """End the program if it runs: TERM to its group, KILL after GRACE_SECONDS. KILL what it leaves there."""
    if process.poll() is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        return
    for number, patience in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
