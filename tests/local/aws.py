"""Clients of a running server, and what the tests of its jobs do with them."""

import contextlib
import io
import json
import tarfile
import uuid
from dataclasses import dataclass

from local.server import Cloud
from local.types import Json
from tests.local.support import ROLE, definition, wait_until


@dataclass
class Aws:
    """Clients of the server under test, and helpers."""

    cloud: Cloud
    bucket: str

    def __post_init__(self) -> None:
        self.s3 = self.cloud.client("s3")
        self.sagemaker = self.cloud.client("sagemaker")
        self.logs = self.cloud.client("logs")

    def put(self, key: str, text: str | bytes) -> str:
        """Put an object. Returns its URI."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=text)
        return f"s3://{self.bucket}/{key}"

    def get(self, key: str) -> bytes:
        """An object's bytes."""
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def source(self, key: str, **files: str) -> str:
        """Put a source directory as tar.gz on S3. Returns the hyperparameter that names it."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, text in files.items():
                info = tarfile.TarInfo(name + ".py")
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
        return json.dumps(self.put(key, packed.getvalue()))

    def start(self, *steps: Json) -> str:
        """Make a pipeline of these steps and start it. Returns the execution's ARN."""
        name = f"p-{uuid.uuid4().hex[:8]}"
        self.sagemaker.create_pipeline(PipelineName=name, RoleArn=ROLE, PipelineDefinition=definition(*steps))
        arn: str = self.sagemaker.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
        return arn

    def ended(self, arn: str) -> Json:
        """The Describe response of an execution once it has ended."""

        def over() -> Json | None:
            answer: Json = self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
            return answer if answer["PipelineExecutionStatus"] not in ("Executing", "Stopping") else None

        found: Json = wait_until(over, 30)
        return found

    def steps(self, arn: str) -> dict[str, Json]:
        """The steps of an execution by name."""
        answer = self.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)
        return {step["StepName"]: step for step in answer["PipelineExecutionSteps"]}

    def run(self, *steps: Json) -> tuple[Json, dict[str, Json]]:
        """Run these steps to their end. Returns (execution, steps)."""
        arn = self.start(*steps)
        return self.ended(arn), self.steps(arn)

    def job(self, step: Json) -> Json:
        """The Describe response of a step's job."""
        ((kind, metadata),) = step["Metadata"].items()
        name = metadata["Arn"].rpartition("/")[2]
        if kind == "ProcessingJob":
            answer: Json = self.sagemaker.describe_processing_job(ProcessingJobName=name)
        else:
            answer = self.sagemaker.describe_training_job(TrainingJobName=name)
        return answer

    def lines(self, kind: str, job: str) -> list[str]:
        """The lines that a job has printed so far."""
        group = f"/aws/sagemaker/{kind}Jobs"
        with contextlib.suppress(self.logs.exceptions.ResourceNotFoundException):
            streams = self.logs.describe_log_streams(
                logGroupName=group, logStreamNamePrefix=job + "/algo-1-"
            )["logStreams"]
            return [
                event["message"]
                for stream in streams
                for event in self.logs.get_log_events(
                    logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
                )["events"]
            ]
        return []
