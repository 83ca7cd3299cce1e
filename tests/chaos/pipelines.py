"""SageMaker over time: executions whose steps are fast stand-ins, and the registry that they fill.

The stand-in of DataPreProcessing reads exactly the versions that the manifest names and fails if one is gone;
what an execution was trained on is kept for the invariants.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from random import Random
from typing import Any, Final, cast

from botocore.exceptions import ClientError

from retraining.aws import registry
from tests.chaos.account import Bucket
from tests.chaos.clock import Clock
from tests.chaos.faults import client_error
from tests.functions.fakes import FakeSageMaker, Pages, evaluation, event, package

REGION: Final = "arn:aws:sagemaker:us-east-1:123456789012"
ROLE: Final = "arn:aws:sts::123456789012:assumed-role/handsoff-reconcile/handsoff-reconcile"
TERMINAL: Final = ("Succeeded", "Failed", "Stopped")

STEPS: Final = (
    ("DataPreProcessing", "ProcessingJob", 45.0),
    ("TrainModel", "TrainingJob", 70.0),
    ("ModelEvaluation", "ProcessingJob", 35.0),
    ("RegisterModel", "RegisterModel", 2.0),
)
"""Each step's name, what its metadata names, and its seconds."""


@dataclass
class Trained:
    """What became of an execution: when it was made, and the versions by key that its manifest named."""

    arn: str
    model: str
    token: str
    at: float
    versions: dict[str, str] = field(default_factory=dict)
    batch: str = ""
    trigger: str = "manual"
    ends: list[tuple[float, str]] = field(default_factory=list)


class LiveSageMaker(FakeSageMaker):
    """Pipelines `handsoff-<model>`. `tell` is called with each event, as EventBridge would get it.

    `token_known` are the seconds for which a start's token is known; None for ever. AWS does not say.
    `history` has each decision on a package: the second, the package's ARN, and the status.
    """

    def __init__(self, clock: Clock, bucket: Bucket, rng: Random, models: list[str]) -> None:
        super().__init__()
        self.virtual, self.bucket, self._rng = clock, bucket, rng
        self.clock = clock.now
        self.pipelines = {f"handsoff-{model}" for model in models}
        self.trained: dict[str, Trained] = {}
        self.deleted: set[str] = set()
        self.tell: Callable[[dict[str, Any]], None] = lambda _: None
        self.unreadable = 0.0
        self.token_known: float | None = None
        self._versions: dict[str, int] = {}
        self.statuses: Counter[tuple[str, str]] = Counter()
        self.history: list[tuple[float, str, str]] = []

    # ---- executions ---------------------------------------------------------------------------------------

    def start_pipeline_execution(self, **call: Any) -> dict[str, str]:
        pipeline, token = call["PipelineName"], call["ClientRequestToken"]
        if pipeline not in self.pipelines:
            raise client_error("ResourceNotFound", "start_pipeline_execution")
        if (known := self.executions.get(token)) and not self._is_forgotten(known):
            return {"PipelineExecutionArn": known["PipelineExecutionArn"]}
        if known:
            self.forget_tokens()
        arn = f"{REGION}:pipeline/{pipeline}/execution/e{len(self.trained):011}"
        now = self.clock()
        self.executions[token] = {
            **call,
            "PipelineArn": f"{REGION}:pipeline/{pipeline}",
            "PipelineExecutionArn": arn,
            "PipelineExecutionStatus": "Executing",
            "CreationTime": now,
            "StartTime": now,
            "LastModifiedTime": now,
        }
        given = {item["Name"]: item["Value"] for item in call.get("PipelineParameters", [])}
        model = pipeline.removeprefix("handsoff-")
        trained = Trained(arn, model, token, self.virtual.seconds, trigger=given.get("Trigger", "manual"))
        self.trained[arn] = trained
        self._note_batch(trained, given.get("Batch", "latest"))
        self.go_on(arn)
        return {"PipelineExecutionArn": arn}

    def _is_forgotten(self, made: dict[str, Any]) -> bool:
        age = (self.clock() - made["CreationTime"]).total_seconds()
        return self.token_known is not None and age > self.token_known

    def forget_tokens(self) -> None:
        """Let SageMaker no longer know the tokens of executions that were made."""
        self.executions = {
            f"{made['PipelineExecutionArn']}~{token}": made for token, made in self.executions.items()
        }

    def found(self, arn: str) -> dict[str, Any] | None:
        """The execution of this ARN, if SageMaker has it."""
        return next((it for it in self.executions.values() if it["PipelineExecutionArn"] == arn), None)

    def describe_pipeline_execution(self, PipelineExecutionArn: str) -> dict[str, Any]:
        made = self.found(PipelineExecutionArn)
        if made is None:
            raise client_error("ResourceNotFound", "describe_pipeline_execution")
        return dict(made)

    def list_pipeline_executions(
        self, PipelineName: str, MaxResults: int = 100, **more: Any
    ) -> dict[str, Any]:
        if PipelineName not in self.pipelines:
            raise client_error("ResourceNotFound", "list_pipeline_executions")
        found = [made for made in self.executions.values() if made["PipelineName"] == PipelineName]
        found.sort(key=lambda made: made["CreationTime"], reverse=more.get("SortOrder") != "Ascending")
        return {"PipelineExecutionSummaries": [dict(made) for made in found[:MaxResults]]}

    def describe_pipeline_definition_for_execution(self, **_: Any) -> dict[str, str]:
        kinds = [{"Name": name, "Type": kind.removesuffix("Job")} for name, kind, _ in STEPS]
        return {"PipelineDefinition": json.dumps({"Steps": kinds})}

    def get_paginator(self, operation: str) -> Pages:
        if operation == "list_pipeline_execution_steps":
            return Pages(lambda PipelineExecutionArn, **_: self._steps(PipelineExecutionArn))
        if operation == "list_pipeline_parameters_for_execution":
            return Pages(lambda PipelineExecutionArn, **_: self._parameters(PipelineExecutionArn))
        if operation == "list_pipeline_executions":
            return Pages(lambda **call: [self.list_pipeline_executions(**call)])
        return super().get_paginator(operation)

    def _steps(self, arn: str) -> list[dict[str, Any]]:
        self.describe_pipeline_execution(arn)
        return [{"PipelineExecutionSteps": [dict(step) for step in self.steps_of.get(arn, [])]}]

    def _parameters(self, arn: str) -> list[dict[str, Any]]:
        return [{"PipelineParameters": self.describe_pipeline_execution(arn).get("PipelineParameters", [])}]

    def go_on(self, arn: str, first: int = 0) -> None:
        """Let the execution go on from this step. Which one fails is drawn now."""
        made = self.found(arn)
        assert made is not None
        made.pop("FailureReason", None)
        made |= {"PipelineExecutionStatus": "Executing", "LastModifiedTime": self.clock()}
        generation = made["generation"] = made.get("generation", 0) + 1
        self.steps_of[arn] = self.steps_of.get(arn, [])[:first]
        self._tell_execution(arn)
        fails = self._rng.choices([None, 0, 1, 2, 3], [80, 5, 9, 4, 2])[0]
        at = self.virtual.seconds + 5.0
        for number, (_, _, seconds) in enumerate(STEPS[first:], first):
            begins, ends = at, at + seconds * self._rng.uniform(0.6, 1.6)
            self._step_at(begins, arn, generation, number, "Executing")
            if number == fails:
                self._step_at(ends, arn, generation, number, "Failed")
                break
            self._step_at(ends, arn, generation, number, "Succeeded")
            at = ends + 3.0

    def _step_at(self, at: float, arn: str, generation: int, number: int, status: str) -> None:
        def step() -> None:
            made = self.found(arn)
            if made and made["generation"] == generation and made["PipelineExecutionStatus"] == "Executing":
                self._step(arn, number, status)

        self.virtual.at(at, step)

    def _step(self, arn: str, number: int, status: str) -> None:
        name, kind, _ = STEPS[number]
        steps = self.steps_of[arn]
        if status == "Executing":
            steps.append({"StepName": name, "StepStatus": status, "StartTime": self.clock()})
            self._tell_step(arn, steps[-1])
            return
        failure = self._do(arn, name) if status == "Succeeded" else "ClientError: the job failed"
        job = f"{REGION}:job/{name}-{arn[-11:]}"
        made = self._package_of.get(arn, "") if kind == "RegisterModel" else job
        steps[-1] |= {
            "StepStatus": "Failed" if failure else "Succeeded",
            "EndTime": self.clock(),
            "Metadata": {kind: {"Arn": made}},
        }
        if failure:
            steps[-1]["FailureReason"] = failure
        self._tell_step(arn, steps[-1])
        if failure:
            self.finish(arn, "Failed")
        elif number == len(STEPS) - 1:
            self.finish(arn, "Succeeded")

    def _do(self, arn: str, name: str) -> str | None:
        """What the stand-in of a step does; why it fails, None if it succeeds."""
        if name == "DataPreProcessing":
            return self._read(arn)
        if name == "ModelEvaluation":
            self._evaluate(arn)
        if name == "RegisterModel":
            self._register(arn)
        return None

    def _given(self, arn: str) -> dict[str, str]:
        made = self.found(arn) or {}
        return {item["Name"]: item["Value"] for item in made.get("PipelineParameters", [])}

    def _note_batch(self, trained: Trained, batch: str) -> None:
        """Note what the execution is to read. The manifest of a start does not change once it is started."""
        trained.batch = f"latest-{trained.arn[-4:]}" if batch == "latest" else batch
        text = self.bucket.text(f"batches/{trained.model}/{batch}/manifest.json")
        if text is not None:
            trained.versions = {item["key"]: item["versionId"] for item in json.loads(text)["objects"]}

    def _read(self, arn: str) -> str | None:
        trained = self.trained[arn]
        if not trained.versions and not trained.batch.startswith("latest"):
            return "ClientError: there is no manifest"
        for key, version in trained.versions.items():
            try:
                self.bucket.get_object(Key=key, VersionId=version)
            except ClientError as error:
                return f"ClientError: {key} {version}: {error}"
        return None

    def _evaluate(self, arn: str) -> None:
        trained = self.trained[arn]
        champion = self._given(arn).get("Champion", "none")
        accuracy = self._rng.choice([0.80, 0.82, 0.84, 0.70])
        gain = self._rng.choice([0.0, 0.01, -0.2])  # the last one is held beside a champion
        found = evaluation(accuracy, champion=None if champion == "none" else champion, gain=gain)
        found["handsoff"] |= {"model": trained.model, "execution": arn, "batch": trained.batch}
        found["handsoff"]["anchor"] = self._anchor(trained.model, self._given(arn).get("Anchor", "first"))
        if self._rng.random() < self.unreadable:
            found = {"broken": True}
        key = f"models/{trained.model}/{arn.rsplit('/', 1)[-1]}/evaluation.json"
        self.bucket.put_object(Key=key, Body=json.dumps(found).encode())

    def _anchor(self, model: str, named: str) -> dict[str, Any] | None:
        """What evaluation.json says about the anchor: the candidate is as good."""
        first = registry.first_approved(cast("Any", self), f"handsoff-{model}")
        package = (first.arn if first else "none") if named == "first" else named
        if package == "none":
            return None
        comparison = evaluation(champion=package)["handsoff"]["comparison"]
        return {"package": package, "problem": None, "comparison": comparison}

    @property
    def _package_of(self) -> dict[str, str]:
        """The package that each execution registered."""
        return {it["CustomerMetadataProperties"]["execution"]: made for made, it in self.packages.items()}

    def _register(self, arn: str) -> None:
        trained = self.trained[arn]
        group, identity = f"handsoff-{trained.model}", arn.rsplit("/", 1)[-1]
        version = self._versions[group] = self._versions.get(group, 0) + 1
        made = f"{REGION}:model-package/{group}/{version}"
        folder = f"s3://data/models/{trained.model}/{identity}"
        self.bucket.put_object(Key=f"models/{trained.model}/{identity}/model.tar.gz", Body=b"model")
        now = self.clock()
        self.packages[made] = package(
            made,
            f"{folder}/evaluation.json",
            ModelPackageGroupName=group,
            CreationTime=now,
            LastModifiedTime=now,
            InferenceSpecification={"Containers": [{"ModelDataUrl": f"{folder}/model.tar.gz"}]},
            CustomerMetadataProperties={"execution": arn, "batch": trained.batch},
        )
        self.tell_package(made)

    def finish(self, arn: str, status: str, *, reason: str = "Step failure: one failed") -> None:
        """Let an execution end."""
        made = self.found(arn)
        if made is None or made["PipelineExecutionStatus"] in TERMINAL:
            return
        made |= {"PipelineExecutionStatus": status, "LastModifiedTime": self.clock()}
        if status == "Failed":
            made["FailureReason"] = reason
        self.trained[arn].ends.append((self.virtual.seconds, status))
        self._tell_execution(arn)

    # ---- what people do in SageMaker ----------------------------------------------------------------------

    def stop(self, arn: str) -> None:
        """Stop an execution."""
        self.finish(arn, "Stopped")

    def retry(self, arn: str) -> None:
        """Let an execution that failed go on from the step that failed."""
        made = self.found(arn)
        if made and made["PipelineExecutionStatus"] == "Failed" and made["PipelineName"] in self.pipelines:
            self.go_on(arn, max(len(self.steps_of[arn]) - 1, 0))

    def rename(self, arn: str) -> None:
        """Give an execution another display name: only its LastModifiedTime and its event tell."""
        if made := self.found(arn):
            made |= {"PipelineExecutionDisplayName": "renamed", "LastModifiedTime": self.clock()}
            self._tell_execution(arn)

    def delete_pipeline(self, pipeline: str) -> None:
        """Delete a pipeline, and with it its executions."""
        self.pipelines.discard(pipeline)
        for token, made in list(self.executions.items()):
            if made["PipelineName"] == pipeline:
                self.deleted.add(made["PipelineExecutionArn"])
                self.trained[made["PipelineExecutionArn"]].ends.append((self.virtual.seconds, "Deleted"))
                del self.executions[token]

    def decide_in_console(self, arn: str, status: str, who: str) -> None:
        """Set the status of a package, as a person does in AWS's console."""
        if arn in self.packages:
            call = {
                "ModelPackageArn": arn,
                "ModelApprovalStatus": status,
                "ApprovalDescription": "in console",
            }
            self.update_model_package(**call, by=who)

    # ---- the registry -------------------------------------------------------------------------------------

    def update_model_package(self, *, by: str = ROLE, **call: Any) -> dict[str, str]:
        arn = call["ModelPackageArn"]
        self.describe_model_package(arn)
        fields = [name for name in call if name != "ModelPackageArn"]
        if status := call.get("ModelApprovalStatus"):
            self.statuses[arn, status] += 1
            self.history.append((self.virtual.seconds, arn, status))
        answer = super().update_model_package(**call)
        self.packages[arn] |= {
            "LastModifiedTime": self.clock(),
            "LastModifiedBy": {"IamIdentity": {"Arn": by}},
        }
        self.tell_package(arn, fields)
        return answer

    def tell_package(self, arn: str, fields: list[str] | None = None) -> None:
        """Send the event that a package has changed."""
        now = self.packages[arn]
        pending = now["ModelApprovalStatus"] == "PendingManualApproval"
        found = _like("candidate_registered.pending" if pending else "package_decided.approved")
        found["detail"] |= {
            "ModelPackageArn": arn,
            "ModelPackageGroupName": now["ModelPackageGroupName"],
            "ModelApprovalStatus": now["ModelApprovalStatus"],
            "LastModifiedTime": _text(now["LastModifiedTime"]),
            "LastModifiedBy": now.get("LastModifiedBy", {}),
            "UpdatedModelPackageFields": fields or [],
        }
        self.tell(found)

    # ---- events -------------------------------------------------------------------------------------------

    def _tell_execution(self, arn: str) -> None:
        made = self.found(arn)
        found = _like("execution_changed.succeeded")
        found["detail"] |= {
            "pipelineExecutionArn": arn,
            "currentPipelineExecutionStatus": made["PipelineExecutionStatus"] if made else "Failed",
        }
        self.tell(found)

    def _tell_step(self, arn: str, step: dict[str, Any]) -> None:
        found = _like("execution_changed.step_succeeded")
        found["detail"] |= {
            "pipelineExecutionArn": arn,
            "stepName": step["StepName"],
            "currentStepStatus": step["StepStatus"],
        }
        self.tell(found)


def _like(name: str) -> dict[str, Any]:
    """An event of events/, to be changed."""
    return copy.deepcopy(_sample(name))


@cache
def _sample(name: str) -> dict[str, Any]:
    return event(name)


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
