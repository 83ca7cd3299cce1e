"""The API of pipelines and of their executions."""

import secrets
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.sagemaker import events
from local.sagemaker.errors import ConflictException, ResourceNotFound, ValidationException
from local.sagemaker.jobs.api import Jobs
from local.sagemaker.permissions import Authority, Everybody
from local.sagemaker.pipelines.definition import Definition, to_text
from local.sagemaker.pipelines.execution import Execution
from local.sagemaker.pipelines.parsing import parse
from local.sagemaker.protocol.listing import now, page, within
from local.sagemaker.protocol.responses import present
from local.sagemaker.protocol.tokens import Tokens
from local.sagemaker.registry import Registry
from local.types import Json

ReadObject = Callable[[str, str, str | None], str]
"""Reads an S3 object as text: bucket, key, version id or None. Raises ValidationException."""


@dataclass(eq=False)
class Pipeline:
    """One pipeline. Changed under the lock of its Pipelines."""

    name: str
    arn: str
    role: str
    definition: Definition
    display_name: str | None
    description: str | None
    parallelism: Json | None
    created: datetime
    modified: datetime
    last_run: datetime | None = None
    executions: list[Execution] = field(default_factory=list)


class Pipelines:
    """All pipelines of an account and region."""

    def __init__(
        self,
        *,
        account: str,
        region: str,
        jobs: Jobs,
        registry: Registry,
        emit: events.Emit,
        read_object: ReadObject,
        authority: Authority | None = None,
    ) -> None:
        """`authority` decides what the pipelines' roles may do. Without one everything is allowed."""
        self._authority = authority or Everybody()
        self._prefix = f"arn:aws:sagemaker:{region}:{account}"
        self._jobs, self._registry, self._emit, self._read_object = jobs, registry, emit, read_object
        self._lock = threading.RLock()
        self._tokens = Tokens()
        self._pipelines: dict[str, Pipeline] = {}
        self._executions: dict[str, Execution] = {}

    # Pipelines

    def create_pipeline(self, request: Json) -> Json:
        with self._lock:
            return self._tokens.once("CreatePipeline", request, lambda: self._create(request))

    def _create(self, request: Json) -> Json:
        name = request["PipelineName"]
        if name in self._pipelines:
            raise ValidationException(
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists."
            )
        definition = self._definition(request)
        if definition is None:
            raise ValidationException(
                "One of PipelineDefinition and PipelineDefinitionS3Location must be provided"
            )
        moment = now()
        self._pipelines[name] = Pipeline(
            name=name,
            arn=f"{self._prefix}:pipeline/{name}",
            role=request["RoleArn"],
            definition=definition,
            display_name=request.get("PipelineDisplayName", name),
            description=request.get("PipelineDescription"),
            parallelism=request.get("ParallelismConfiguration"),
            created=moment,
            modified=moment,
        )
        return {"PipelineArn": self._pipelines[name].arn}

    def update_pipeline(self, request: Json) -> Json:
        with self._lock:
            pipeline = self._pipeline(request["PipelineName"])
            pipeline.definition = self._definition(request) or pipeline.definition
            pipeline.role = request.get("RoleArn", pipeline.role)
            pipeline.display_name = request.get("PipelineDisplayName", pipeline.display_name)
            pipeline.description = request.get("PipelineDescription", pipeline.description)
            pipeline.parallelism = request.get("ParallelismConfiguration", pipeline.parallelism)
            pipeline.modified = now()
            return {"PipelineArn": pipeline.arn}

    def delete_pipeline(self, request: Json) -> Json:
        with self._lock:
            pipeline = self._pipeline(request["PipelineName"])
            if any(not execution.over for execution in pipeline.executions):
                raise ConflictException(
                    f"Pipeline {pipeline.arn} cannot be deleted: an execution is still running"
                )
            del self._pipelines[pipeline.name]
            for execution in pipeline.executions:
                del self._executions[execution.arn]
            return {"PipelineArn": pipeline.arn}

    def describe_pipeline(self, request: Json) -> Json:
        with self._lock:
            pipeline = self._pipeline(request["PipelineName"])
            _refuse(request, "PipelineVersionId")
            return present(
                PipelineArn=pipeline.arn,
                PipelineName=pipeline.name,
                PipelineDisplayName=pipeline.display_name,
                PipelineDefinition=pipeline.definition.text,
                PipelineDescription=pipeline.description,
                RoleArn=pipeline.role,
                PipelineStatus="Active",
                CreationTime=pipeline.created,
                LastModifiedTime=pipeline.modified,
                LastRunTime=pipeline.last_run,
                CreatedBy={},
                LastModifiedBy={},
                ParallelismConfiguration=pipeline.parallelism,
            )

    def list_pipelines(self, request: Json) -> Json:
        with self._lock:
            found = [
                pipeline
                for pipeline in self._pipelines.values()
                if pipeline.name.startswith(request.get("PipelineNamePrefix", ""))
                and within(request, ("Created", pipeline.created))
            ]
            keys: dict[str, Callable[[Pipeline], Any]] = {
                "CreationTime": lambda p: p.created,
                "Name": lambda p: p.name,
            }
            shown, more = page(found, request, identity=lambda p: p.name, keys=keys, descending=True)
            summaries = [
                present(
                    PipelineArn=pipeline.arn,
                    PipelineName=pipeline.name,
                    PipelineDisplayName=pipeline.display_name,
                    PipelineDescription=pipeline.description,
                    RoleArn=pipeline.role,
                    CreationTime=pipeline.created,
                    LastModifiedTime=pipeline.modified,
                    LastExecutionTime=pipeline.last_run,
                )
                for pipeline in shown
            ]
            return {"PipelineSummaries": summaries, **more}

    # Executions

    def start_pipeline_execution(self, request: Json) -> Json:
        with self._lock:
            return self._tokens.once("StartPipelineExecution", request, lambda: self._start(request))

    def _start(self, request: Json) -> Json:
        _refuse(request, "SelectiveExecutionConfig", "PipelineVersionId", "MlflowExperimentName")
        pipeline = self._pipeline(request["PipelineName"])
        identifier = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
        execution = Execution(
            arn=f"{pipeline.arn}/execution/{identifier}",
            pipeline_arn=pipeline.arn,
            definition=pipeline.definition,
            parameters=request.get("PipelineParameters", []),
            display_name=request.get("PipelineExecutionDisplayName"),
            description=request.get("PipelineExecutionDescription"),
            parallelism=request.get("ParallelismConfiguration", pipeline.parallelism),
            jobs=self._jobs,
            registry=self._registry,
            emit=self._emit,
            role=pipeline.role,
            authority=self._authority,
        )
        pipeline.executions.append(execution)
        pipeline.last_run = execution.created
        self._executions[execution.arn] = execution
        execution.start()
        return {"PipelineExecutionArn": execution.arn}

    def stop_pipeline_execution(self, request: Json) -> Json:
        def stop() -> Json:
            self._execution(request).stop()
            return {"PipelineExecutionArn": request["PipelineExecutionArn"]}

        with self._lock:
            return self._tokens.once("StopPipelineExecution", request, stop)

    def retry_pipeline_execution(self, request: Json) -> Json:
        def retry() -> Json:
            self._execution(request).retry(request.get("ParallelismConfiguration"))
            return {"PipelineExecutionArn": request["PipelineExecutionArn"]}

        with self._lock:
            return self._tokens.once("RetryPipelineExecution", request, retry)

    def update_pipeline_execution(self, request: Json) -> Json:
        self._execution(request).update(request)
        return {"PipelineExecutionArn": request["PipelineExecutionArn"]}

    def describe_pipeline_execution(self, request: Json) -> Json:
        return self._execution(request).describe()

    def list_pipeline_executions(self, request: Json) -> Json:
        with self._lock:
            found = [
                execution
                for execution in self._pipeline(request["PipelineName"]).executions
                if within(request, ("Created", execution.created))
            ]
        keys: dict[str, Callable[[Execution], Any]] = {
            "CreationTime": lambda execution: execution.created,
            "PipelineExecutionArn": lambda execution: execution.arn,
        }
        shown, more = page(
            found, request, identity=lambda execution: execution.arn, keys=keys, descending=True
        )
        return {"PipelineExecutionSummaries": [_summary(execution.describe()) for execution in shown], **more}

    def list_pipeline_execution_steps(self, request: Json) -> Json:
        if "PipelineExecutionArn" not in request:
            raise ValidationException("PipelineExecutionArn must be provided")
        keys: dict[str, Callable[[Json], Any]] = {"CreatedTime": lambda step: step.get("StartTime") or now()}
        steps = self._execution(request).steps()
        shown, more = page(
            steps, request, identity=lambda step: str(step["StepName"]), keys=keys, descending=True
        )
        return {"PipelineExecutionSteps": shown, **more}

    def describe_pipeline_definition_for_execution(self, request: Json) -> Json:
        execution = self._execution(request)
        return {"PipelineDefinition": execution.definition.text, "CreationTime": execution.created}

    def list_pipeline_parameters_for_execution(self, request: Json) -> Json:
        """All parameters with their values in this execution, defaults included."""
        values = [
            {"Name": name, "Value": to_text(value)} for name, value in self._execution(request).values.items()
        ]
        keys: dict[str, Callable[[Json], Any]] = {"Given": lambda _pair: 0}
        shown, more = page(
            values, request, identity=lambda pair: str(pair["Name"]), keys=keys, descending=False
        )
        return {"PipelineParameters": shown, **more}

    def close(self) -> None:
        """Stop all executions. Jobs.close then stops their jobs."""
        with self._lock:
            running = [execution for execution in self._executions.values() if not execution.over]
        for execution in running:
            try:
                execution.stop()
            except ConflictException:
                continue  # it ended in the meantime

    def has(self, arn: str) -> bool:
        """Whether `arn` is the ARN of a pipeline."""
        with self._lock:
            return any(pipeline.arn == arn for pipeline in self._pipelines.values())

    def _definition(self, request: Json) -> Definition | None:
        text, place = request.get("PipelineDefinition"), request.get("PipelineDefinitionS3Location")
        if text and place:
            raise ValidationException(
                "Only one of PipelineDefinition and PipelineDefinitionS3Location can be provided"
            )
        if place:
            text = self._read_object(place["Bucket"], place["ObjectKey"], place.get("VersionId"))
        return parse(text) if text else None

    def _pipeline(self, name_or_arn: str) -> Pipeline:
        name = name_or_arn.rpartition("/")[2]
        if name not in self._pipelines:
            raise ResourceNotFound(f"Pipeline '{self._prefix}:pipeline/{name}' does not exist.")
        return self._pipelines[name]

    def _execution(self, request: Json) -> Execution:
        arn = request["PipelineExecutionArn"]
        with self._lock:
            if arn not in self._executions:
                raise ResourceNotFound(f"Pipeline execution with ARN '{arn}' does not exist.")
            return self._executions[arn]


def _summary(description: Json) -> Json:
    return present(
        PipelineExecutionArn=description["PipelineExecutionArn"],
        StartTime=description["CreationTime"],
        PipelineExecutionStatus=description["PipelineExecutionStatus"],
        PipelineExecutionDescription=description.get("PipelineExecutionDescription"),
        PipelineExecutionDisplayName=description["PipelineExecutionDisplayName"],
        PipelineExecutionFailureReason=description.get("FailureReason"),
    )


def _refuse(request: Json, *members: str) -> None:
    for member in members:
        if member in request:
            raise ValidationException(f"{member} is not supported on this machine")
