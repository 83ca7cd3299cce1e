"""What the tests of local/ share: short definitions, an engine without a server, bounded waiting, a job."""

import contextlib
import json
import socket
import threading
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from local import folder as folders
from local.sagemaker.errors import JobFault
from local.sagemaker.front import Front
from local.sagemaker.jobs.api import Job, Jobs, Outcome
from local.sagemaker.pipelines.api import Pipelines
from local.sagemaker.protocol.moto import Moto
from local.sagemaker.registry import Registry
from local.server import Cloud
from local.types import Json

ROLE = "arn:aws:iam::123456789012:role/execution"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
DATA = Path(__file__).parent / "data"
TOKEN = "t" * 32


def wait_until(condition: Callable[[], Any], timeout: float = 20) -> Any:
    """The first true value of `condition`; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {timeout} s")


def ask_raw(cloud: Cloud, request: bytes) -> bytes:
    """What the server answers to a request of exactly these bytes, which asks to close the connection."""
    port = int(cloud.endpoint.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while got := connection.recv(65536):
            answer += got
    return answer


def event_sample(name: str) -> Json:
    """An event of tests/local/data as AWS documents it."""
    event: Json = json.loads((DATA / "events" / f"{name}.json").read_text())["event"]
    return event


def shape(value: object) -> object:
    """Keys and JSON types of a value. Of a list, the shape of its first element."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value[:1]] if isinstance(value, list) else type(value).__name__


def wheel(folder: Path, name: str, *more: str) -> Path:
    """A wheel of a package `name` that holds one module of that name, and the empty files `more`."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "VALUE = 7")
        for other in more:
            archive.writestr(other, "")
        info = f"{name}-1.0.dist-info/"
        archive.writestr(info + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(info + "RECORD", "")
    return path


def processing(name: str = "Prepare", **changes: Any) -> Json:
    """A Processing step. `inputs` and `outputs` map names to S3 URIs; `program` is its entry point."""
    inputs = changes.pop("inputs", {})
    outputs = changes.pop("outputs", {})
    arguments: Json = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "AppSpecification": {
            "ImageUri": IMAGE,
            "ContainerEntrypoint": changes.pop("program", ["python3", "-c", "0"]),
        },
        "RoleArn": ROLE,
        "ProcessingInputs": [
            {
                "InputName": key,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"/opt/ml/processing/{key}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                },
            }
            for key, uri in inputs.items()
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": key,
                    "S3Output": {
                        "S3Uri": uri,
                        "LocalPath": f"/opt/ml/processing/{key}",
                        "S3UploadMode": "EndOfJob",
                    },
                }
                for key, uri in outputs.items()
            ]
        },
        **changes.pop("arguments", {}),
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **changes}


def training(name: str = "Train", **changes: Any) -> Json:
    """A Training step in script mode. `channels` maps names to S3 URIs."""
    arguments: Json = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "HyperParameters": {"sagemaker_program": '"train.py"', **changes.pop("hyperparameters", {})},
        **changes.pop("arguments", {}),
    }
    channels = changes.pop("channels", {})
    if channels:
        arguments["InputDataConfig"] = [
            {"ChannelName": key, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
            for key, uri in channels.items()
        ]
    return {"Name": name, "Type": "Training", "Arguments": arguments, **changes}


def register(name: str = "Register", model: Any = "s3://bucket/model.tar.gz", **changes: Any) -> Json:
    """A RegisterModel step."""
    arguments: Json = {
        "ModelPackageGroupName": "group",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": model}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        **changes.pop("arguments", {}),
    }
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments, **changes}


def definition(*steps: Json, parameters: list[Json] | None = None) -> str:
    """The text of a definition of these steps."""
    return json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": list(steps)})


@dataclass
class Engine:
    """SageMaker in this process, without S3, ministack or real jobs: `program` stands in for every job.

    It exists so that order, retries and stopping can be tested in milliseconds, and so can faults that this
    machine does not have, such as no capacity.
    """

    program: Callable[[Job], Outcome] = lambda _job: Outcome()
    events: list[tuple[str, list[str], Json]] = field(default_factory=list)
    slots: int = 4
    quotas: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        scope: Json = {"account": "123456789012", "region": "us-east-1", "emit": self._emit}
        self.jobs = Jobs(run=lambda job: self.program(job), slots=self.slots, quotas=self.quotas, **scope)
        self.registry = Registry(**scope)
        self.pipelines = Pipelines(
            jobs=self.jobs, registry=self.registry, read_object=lambda *_: definition(processing()), **scope
        )
        self.front = Front(self.pipelines, self.jobs, self.registry, Moto("us-east-1"))

    def _emit(self, detail_type: str, resources: list[str], detail: Json) -> None:
        self.events.append((detail_type, resources, json.loads(json.dumps(detail))))

    def call(self, operation: str, **request: Any) -> Json:
        """The response of an operation, {"__type": …, "message": …} if it is refused."""
        headers = {"x-amz-target": f"SageMaker.{operation}", "host": "localhost"}
        answer: Json = json.loads(self.front.answer(headers, json.dumps(request).encode())[1] or b"{}")
        return answer

    def create(self, *steps: Json, parameters: list[Json] | None = None, **more: Any) -> Json:
        """CreatePipeline of a pipeline named p."""
        return self.call(
            "CreatePipeline",
            PipelineName="p",
            RoleArn=ROLE,
            ClientRequestToken=more.pop("token", TOKEN),
            PipelineDefinition=definition(*steps, parameters=parameters),
            **more,
        )

    def start(self, token: str = TOKEN, **more: Any) -> Json:
        """StartPipelineExecution of p."""
        return self.call("StartPipelineExecution", PipelineName="p", ClientRequestToken=token, **more)

    def ended(self, arn: str) -> Json:
        """The Describe response of an execution once it has ended."""

        def over() -> Json | None:
            answer = self.call("DescribePipelineExecution", PipelineExecutionArn=arn)
            return answer if answer["PipelineExecutionStatus"] not in ("Executing", "Stopping") else None

        found: Json = wait_until(over, 10)
        return found

    def run(self, *steps: Json, parameters: list[Json] | None = None, **more: Any) -> Json:
        """Create p, start it and wait for its end: the Describe response."""
        answer = self.create(*steps, parameters=parameters)
        assert "PipelineArn" in answer, answer
        return self.ended(self.start(**more)["PipelineExecutionArn"])

    def steps(self, arn: str) -> dict[str, Json]:
        """The steps of an execution by name, in order of start."""
        answer = self.call(
            "ListPipelineExecutionSteps", PipelineExecutionArn=arn, SortOrder="Ascending", MaxResults=100
        )
        return {step["StepName"]: step for step in answer["PipelineExecutionSteps"]}


class Gate:
    """A program that waits until `open` is set or it is stopped. `seen` has the jobs that ran."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.seen: list[str] = []

    def __call__(self, job: Job) -> Outcome:
        self.seen.append(job.name)
        deadline = time.monotonic() + 10
        while not self.open.is_set() and time.monotonic() < deadline:
            if job.stop_requested.wait(0.01):
                return Outcome(stopped=True)
        return Outcome()


def failing(*faults: JobFault | None) -> Callable[[Job], Outcome]:
    """A program that ends with each fault in turn; None completes. After the last fault it completes."""
    left = list(faults)

    def program(_job: Job) -> Outcome:
        fault = left.pop(0) if left else None
        return Outcome(fault=fault)

    return program


SLEEP = [
    "python3",
    "-c",
    "import subprocess, time; subprocess.Popen(['sleep', '60'], start_new_session=True); time.sleep(60)",
]
"""A program that sleeps and has a child in a session of its own."""


def with_a_job(cloud: Cloud) -> None:
    """Run SLEEP as a job and wait until its child runs."""
    cloud.client("sagemaker").create_processing_job(
        ProcessingJobName="sleeps", **processing(program=SLEEP)["Arguments"]
    )
    wait_until(lambda: any(_named(process) == "sleep" for process in folders.strays(cloud.folder)))


def _named(process: psutil.Process) -> str | None:
    """The name of a process; None if it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.name()
    return None


def retry(*exceptions: str, **changes: float) -> list[Json]:
    """A step's retry policy for these kinds of failures: twice, and nearly at once."""
    fast = {"IntervalSeconds": 0.01, "BackoffRate": 1.0, "MaxAttempts": 2}
    return [{**fast, "ExceptionType": list(exceptions), **changes}]
