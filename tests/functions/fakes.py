"""Collaborators in memory, for tests that kill a handler between any two of its calls.

moto answers S3, DynamoDB and SNS. SageMaker is faked here because moto ignores ClientRequestToken, on which
starting once rests, and wipes the fields that UpdateModelPackage leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


class Died(Exception):
    """The process died here."""


class FakeSageMaker:
    """Executions by token and packages by ARN, as the API tells them."""

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.steps: list[dict[str, Any]] = []
        self.packages: dict[str, dict[str, Any]] = {}
        self.definition: list[dict[str, str]] = []
        self.updates: list[dict[str, Any]] = []
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.execution: dict[str, Any] = {
            "PipelineArn": "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic",
            "PipelineExecutionStatus": "Succeeded",
            "CreationTime": START,
            "LastModifiedTime": START + timedelta(minutes=9),
        }

    def start_pipeline_execution(self, **call: Any) -> dict[str, str]:
        token = call["ClientRequestToken"]
        pipeline = f"arn:aws:sagemaker:us-east-1:1:pipeline/{call['PipelineName']}"
        made = {
            **self.execution,
            **call,
            "PipelineArn": pipeline,
            "PipelineExecutionArn": f"{pipeline}/execution/e{len(self.executions)}",
            "PipelineExecutionStatus": "Executing",
        }
        return {"PipelineExecutionArn": self.executions.setdefault(token, made)["PipelineExecutionArn"]}

    def describe_pipeline_execution(self, PipelineExecutionArn: str) -> dict[str, Any]:
        for made in self.executions.values():
            if made["PipelineExecutionArn"] == PipelineExecutionArn:
                return made
        return self.execution | {"PipelineExecutionArn": PipelineExecutionArn}

    def list_pipeline_executions(self, PipelineName: str, **_: Any) -> dict[str, Any]:
        found = [made for made in self.executions.values() if made["PipelineName"] == PipelineName]
        return {"PipelineExecutionSummaries": found[::-1]}

    def end(self, arn: str, status: str = "Succeeded") -> None:
        """Let an execution end."""
        made = next(made for made in self.executions.values() if made["PipelineExecutionArn"] == arn)
        made |= {"PipelineExecutionStatus": status, "LastModifiedTime": self.clock()}

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        return dict(self.packages[ModelPackageName])

    def update_model_package(self, **call: Any) -> dict[str, str]:
        self.updates.append(call)
        arn = call.pop("ModelPackageArn")
        self.packages[arn] = {**self.packages[arn], **call}
        return {"ModelPackageArn": arn}

    def list_model_packages(self, ModelApprovalStatus: str, MaxResults: int, **_: Any) -> dict[str, Any]:
        found = [
            {"ModelPackageArn": arn}
            for arn, package in self.packages.items()
            if package["ModelApprovalStatus"] == ModelApprovalStatus
        ]
        return {"ModelPackageSummaryList": found[::-1][:MaxResults]}

    def describe_pipeline_definition_for_execution(self, **_: Any) -> dict[str, str]:
        return {"PipelineDefinition": json.dumps({"Steps": self.definition})}

    def get_paginator(self, operation: str) -> Pages:
        pages: dict[str, Callable[..., dict[str, Any]]] = {
            "list_pipeline_execution_steps": lambda **_: {"PipelineExecutionSteps": self.steps},
            "list_pipeline_parameters_for_execution": lambda **_: {"PipelineParameters": []},
        }
        return Pages(pages[operation])


class Pages:
    """A paginator of one page."""

    def __init__(self, page: Callable[..., dict[str, Any]]) -> None:
        self._page = page

    def paginate(self, **call: Any) -> Iterator[dict[str, Any]]:
        yield self._page(**call)


class Mortal:
    """Wraps a client; all wrapped ones share `lives`, and the call that uses up the last one dies.

    With `after`, it dies after the call has taken effect, otherwise before.
    """

    def __init__(self, inner: Any, lives: list[int], *, after: bool) -> None:
        self._inner, self._lives, self._after = inner, lives, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name in ("get_paginator", "exceptions"):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._lives[0] -= 1
            last = self._lives[0] == 0  # asked once: heads of files are read in several threads
            if last and not self._after:
                raise Died(name)
            try:
                answer = found(*args, **kwargs)
            except Exception as error:
                if last:
                    raise Died(name) from error
                raise
            if last:
                raise Died(name)
            return answer

        return call


def package(
    arn: str, evaluation_uri: str, status: str = "PendingManualApproval", **more: Any
) -> dict[str, Any]:
    """A DescribeModelPackage answer."""
    return {
        "ModelPackageArn": arn,
        "ModelPackageGroupName": "handsoff-titanic",
        "ModelApprovalStatus": status,
        "CreationTime": START,
        "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": evaluation_uri}}},
        "InferenceSpecification": {"Containers": [{"ModelDataUrl": "s3://b/m.tar.gz"}]},
        "CustomerMetadataProperties": {"execution": "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"},
        **more,
    }


@dataclass
class Context:
    """What Lambda tells a function about itself."""

    function_name: str = "test"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def event(name: str) -> dict[str, Any]:
    """One of the files in events/."""
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded
