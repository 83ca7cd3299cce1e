"""What the arguments of a step become in one execution. Pure, but for the random end of a job's name."""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from local.sagemaker.errors import StepFailure
from local.sagemaker.pipelines import definition as definitions
from local.sagemaker.pipelines.definition import Step
from local.sagemaker.protocol.listing import now
from local.types import Json

MAX_JOB_NAME: Final = 63
"""Characters of a job's name."""


@dataclass(frozen=True)
class Arguments:
    """Resolves the references of one execution. `values` are its parameters by name."""

    arn: str
    pipeline_arn: str
    created: datetime
    values: Json

    @property
    def id(self) -> str:
        """The last part of the execution's ARN."""
        return self.arn.rpartition("/")[2]

    def job_name(self, step: Step) -> str:
        """A new name as SageMaker forms it: at most 63 characters, the step's name cut to fit."""
        suffix = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(10))
        room = MAX_JOB_NAME - len(f"pipelines-{self.id}--{suffix}")
        return f"pipelines-{self.id}-{step.name.replace('_', '-')[:room].strip('-')}-{suffix}"

    def of(self, step: Step, job_name: str, result: Callable[[str], Json]) -> Json:
        """The step's arguments with all references resolved.

        `result` returns the Describe response of another step by its name. Raises StepFailure if that
        response has no such property.
        """

        def get(name: str) -> Any:
            root, _, rest = name.partition(".")
            if root == "Parameters":
                return self.values[rest]
            if root == "Execution":
                return self._variable(rest, job_name)
            other, _, path = rest.partition(".")
            try:
                return definitions.property_at(result(other), path)
            except KeyError:
                raise StepFailure(f"ClientError: Step {other} has no property {path}") from None

        return cast(Json, definitions.resolve(step.arguments, get))

    def _variable(self, name: str, job_name: str) -> str:
        """The value of `Execution.<name>`."""
        known: dict[str, Callable[[], str]] = {
            "StartDateTime": lambda: self.created.isoformat().replace("+00:00", "Z"),
            "CurrentDateTime": lambda: now().isoformat().replace("+00:00", "Z"),
            "PipelineName": lambda: self.pipeline_arn.rpartition("/")[2],
            "PipelineArn": lambda: self.pipeline_arn,
            "PipelineExecutionId": lambda: self.id,
            "PipelineExecutionArn": lambda: self.arn,
            "TrainingJobName": lambda: job_name,
            "ProcessingJobName": lambda: job_name,
        }
        return known[name]()
