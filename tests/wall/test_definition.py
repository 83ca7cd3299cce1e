"""What the functions read of an execution is what the pipeline's definition gives it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pipeline_def.definition import pipeline_definition
from retraining.aws import pipelines, registry
from tests.pipeline_def.helpers import EXECUTION, MODEL, ROLE

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
DEFINITION: Final = pipeline_definition(
    MODEL,
    name="titanic",
    prefix="handsoff",
    bucket="handsoff-data",
    role_arn=ROLE,
    region="us-east-1",
    code_sha256="0" * 64,
)
RESOLVED: Final = {
    "Execution.PipelineExecutionArn": EXECUTION.format("p1q2r3s4t5u6"),
    "Parameters.Batch": "b" * 64,
    "Parameters.Trigger": "landing",
}
"""What SageMaker puts in the place of each reference."""


class Registry:
    """SageMaker with the package that RegisterModel made."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        self.arguments = arguments

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        metadata = {
            key: RESOLVED[value["Get"]] if isinstance(value, dict) else value
            for key, value in self.arguments["CustomerMetadataProperties"].items()
        }
        return {
            **self.arguments,
            "ModelPackageArn": ModelPackageName,
            "CreationTime": NOW,
            "CustomerMetadataProperties": metadata,
        }


def test_parameters_are_those_that_a_start_gives() -> None:
    """starting.py gives the first four; a person may give the instance types."""
    assert [parameter["Name"] for parameter in DEFINITION["Parameters"]] == [
        "Batch",
        "Champion",
        "Anchor",
        "Trigger",
        "ProcessingInstanceType",
        "TrainingInstanceType",
    ]


def test_package_says_which_execution_and_batch_made_it() -> None:
    client: Any = Registry(DEFINITION["Steps"][-1]["Arguments"])
    found = registry.package(
        client, "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/1"
    )
    assert found.execution == EXECUTION.format("p1q2r3s4t5u6")
    assert found.metadata["batch"] == "b" * 64
    assert (found.group, found.pending) == ("handsoff-titanic", True)


def test_package_of_an_execution_is_what_its_last_step_made() -> None:
    steps = tuple(
        pipelines.Step(
            name=step["Name"],
            type=step["Type"],
            status="Succeeded",
            start_time=NOW,
            end_time=NOW,
            failure_reason=None,
            arn=f"arn of {step['Name']}",
            logs=None,
        )
        for step in DEFINITION["Steps"]
    )
    execution = pipelines.Execution(
        arn=EXECUTION.format("p1q2r3s4t5u6"),
        pipeline="handsoff-titanic",
        status="Succeeded",
        failure_reason=None,
        start_time=NOW,
        last_modified=NOW,
        parameters={},
        steps=steps,
    )
    assert execution.package_arn == "arn of RegisterModel"
    assert execution.identity == "p1q2r3s4t5u6"
