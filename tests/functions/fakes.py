"""Collaborators in memory, for tests that kill a handler between any two of its calls.

moto answers S3, DynamoDB and SNS. SageMaker is faked here because moto ignores ClientRequestToken, on which
starting once rests, and wipes the fields that UpdateModelPackage leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from jsonschema_rs import Draft202012Validator

from retraining.config.schema import ModelConfig, parse_config
from retraining.errors import ConfigError
from retraining.facts import keys
from retraining.facts.candidates import VerdictFact
from retraining.verdicts.verdict import Reason, Verdict

if TYPE_CHECKING:
    from tests.functions.world import World

ROOT = Path(__file__).parents[2]
START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
CONSOLE = "arn:aws:iam::123456789012:user/in-console"


class Died(Exception):
    """The process died here."""


@cache
def titanic_config() -> ModelConfig:
    """The Titanic's config, as handsoff.yaml has it."""
    values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
    return parse_config(values, source="handsoff.yaml").models["titanic"]


class Configs:
    """The models' configs without SSM.

    `known` is what is kept in memory; a model that is not in it has no config. `fresh` holds what a fresh
    read finds where that differs. While `broken` is true, the parameter does not validate.
    """

    def __init__(self) -> None:
        self.known: dict[str, ModelConfig] = {"titanic": titanic_config()}
        self.fresh: dict[str, ModelConfig] = {}
        self.broken = False

    def names(self) -> list[str]:
        return sorted(self.known)

    def get(self, model: str, *, fresh: bool = False) -> ModelConfig | None:
        if self.broken:
            raise ConfigError("SSM parameter is not valid")
        known = {**self.known, **self.fresh} if fresh else self.known
        return known.get(model)


class FakeSageMaker:
    """Executions by token and packages by ARN, as the API tells them."""

    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.steps: list[dict[str, Any]] = []
        self.steps_of: dict[str, list[dict[str, Any]]] = {}  # by execution, where they are not `steps`
        self.deleted: set[str] = set()  # executions that were deleted together with their pipeline
        self.packages: dict[str, dict[str, Any]] = {}
        self.definition: list[dict[str, Any]] = []
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
            "StartTime": self.clock(),
        }
        return {"PipelineExecutionArn": self.executions.setdefault(token, made)["PipelineExecutionArn"]}

    def describe_pipeline_execution(self, PipelineExecutionArn: str) -> dict[str, Any]:
        if PipelineExecutionArn in self.deleted:
            text = f"Pipeline execution {PipelineExecutionArn} does not exist."
            raise ClientError(
                {"Error": {"Code": "ResourceNotFound", "Message": text}}, "DescribePipelineExecution"
            )
        for made in self.executions.values():
            if made["PipelineExecutionArn"] == PipelineExecutionArn:
                return made
        return self.execution | {"PipelineExecutionArn": PipelineExecutionArn}

    def list_pipeline_executions(self, PipelineName: str, MaxResults: int, **_: Any) -> dict[str, Any]:
        found = [made for made in self.executions.values() if made["PipelineName"] == PipelineName]
        return {"PipelineExecutionSummaries": found[::-1][:MaxResults]}

    def start_bare(self, name: str = "bare") -> str:
        """Let a person have started an execution in SageMaker directly; its ARN."""
        return self.start_pipeline_execution(ClientRequestToken=name, PipelineName="handsoff-titanic")[
            "PipelineExecutionArn"
        ]

    def stop_pipeline_execution(self, PipelineExecutionArn: str, ClientRequestToken: str) -> None:
        assert 32 <= len(ClientRequestToken) <= 128
        made = self.describe_pipeline_execution(PipelineExecutionArn)
        if made["PipelineExecutionStatus"] != "Executing":
            text = f"{PipelineExecutionArn} is {made['PipelineExecutionStatus']}"
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": text}}, "StopPipelineExecution"
            )
        made["PipelineExecutionStatus"] = "Stopping"

    def end(self, arn: str, status: str = "Succeeded") -> None:
        """Let an execution end."""
        made = next(made for made in self.executions.values() if made["PipelineExecutionArn"] == arn)
        made |= {"PipelineExecutionStatus": status, "LastModifiedTime": self.clock()}

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:
        if ModelPackageName not in self.packages:
            text = f"ModelPackage {ModelPackageName} does not exist."
            raise ClientError(
                {"Error": {"Code": "ValidationException", "Message": text}}, "DescribeModelPackage"
            )
        return dict(self.packages[ModelPackageName])

    def update_model_package(self, **call: Any) -> dict[str, str]:
        self.updates.append(call)
        arn = call.pop("ModelPackageArn")
        self.packages[arn] = {**self.packages[arn], **call}
        return {"ModelPackageArn": arn}

    def list_model_packages(
        self,
        ModelPackageGroupName: str,
        SortOrder: str,
        ModelApprovalStatus: str | None = None,
        MaxResults: int = 10,
        **_: Any,
    ) -> dict[str, Any]:
        found = [
            {
                "ModelPackageArn": arn,
                "CreationTime": package["CreationTime"],
                "ModelApprovalStatus": package["ModelApprovalStatus"],
            }
            for arn, package in self.packages.items()
            if ModelApprovalStatus in (None, package["ModelApprovalStatus"])
            and package["ModelPackageGroupName"] == ModelPackageGroupName
        ]
        found.sort(key=lambda item: item["CreationTime"], reverse=SortOrder == "Descending")
        return {"ModelPackageSummaryList": found[:MaxResults]}

    def pages_of_packages(self, **call: Any) -> Iterator[dict[str, Any]]:
        """The same, two on a page."""
        found = self.list_model_packages(**call, MaxResults=1000)["ModelPackageSummaryList"]
        for start in range(0, len(found), 2):
            yield {"ModelPackageSummaryList": found[start : start + 2]}

    def pages_of_executions(self, PipelineName: str, **_: Any) -> Iterator[dict[str, Any]]:
        """A pipeline's executions, newest first, two on a page."""
        found = self.list_pipeline_executions(PipelineName, MaxResults=1000)["PipelineExecutionSummaries"]
        for start in range(0, len(found), 2):
            yield {"PipelineExecutionSummaries": found[start : start + 2]}

    def describe_pipeline_definition_for_execution(self, **_: Any) -> dict[str, str]:
        return {"PipelineDefinition": json.dumps({"Steps": self.definition})}

    def get_paginator(self, operation: str) -> Pages:
        pages: dict[str, Callable[..., Iterable[dict[str, Any]]]] = {
            "list_pipeline_execution_steps": lambda PipelineExecutionArn, **_: [
                {"PipelineExecutionSteps": self.steps_of.get(PipelineExecutionArn, self.steps)}
            ],
            "list_pipeline_parameters_for_execution": lambda PipelineExecutionArn, **_: [
                {
                    "PipelineParameters": self.describe_pipeline_execution(PipelineExecutionArn).get(
                        "PipelineParameters", []
                    )
                }
            ],
            "list_model_packages": self.pages_of_packages,
            "list_pipeline_executions": self.pages_of_executions,
        }
        return Pages(pages[operation])


class Pages:
    """A paginator."""

    def __init__(self, pages: Callable[..., Iterable[dict[str, Any]]]) -> None:
        self._pages = pages

    def paginate(self, **call: Any) -> Iterable[dict[str, Any]]:
        return self._pages(**call)


@cache
def event_schema(detail_type: str) -> Draft202012Validator:
    """What checks the detail of an event of ours, by its published schema."""
    name = f"{detail_type.lower().replace(' ', '-')}.schema.json"
    schema = json.loads((ROOT / "docs" / "reference" / "events" / name).read_text())
    return Draft202012Validator(schema, validate_formats=True)


class FakeEvents:
    """The default bus: what was put on it, by detail type. `refuses` is how many entries it will not take.

    An event must be valid by the published schema of its detail type.
    """

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, dict[str, Any]]] = []
        self.refuses = 0

    def details(self, detail_type: str) -> list[dict[str, Any]]:
        """The details of the events of this type, in the order in which they were put."""
        return [detail for _, kind, detail in self.taken if kind == detail_type]

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        if self.refuses:
            self.refuses -= 1
            failed = {"ErrorCode": "InternalFailure", "ErrorMessage": "try again"}
            return {"FailedEntryCount": 1, "Entries": [failed for _ in Entries]}
        for entry in Entries:
            detail = json.loads(entry["Detail"])
            event_schema(entry["DetailType"]).validate(detail)
            self.taken.append((entry["Source"], entry["DetailType"], detail))
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in Entries]}


class Down:
    """SNS that takes nothing."""

    def publish(self, **_: Any) -> None:
        raise ConnectionError


class Mortal:
    """Wraps a client; all wrapped ones share `lives`, and the call that uses up the last one dies.

    With `after`, it dies after the call has taken effect, otherwise before. The dead do nothing more, not
    even tidy up. With `only`, calls of other names cost nothing.
    """

    def __init__(self, inner: Any, lives: list[int], *, after: bool, only: str = "") -> None:
        self._inner, self._lives, self._after, self._only = inner, lives, after, only

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name in ("get_paginator", "exceptions"):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if self._lives[0] > 0 and self._only not in ("", name):
                return found(*args, **kwargs)
            self._lives[0] -= 1
            if self._lives[0] < 0:
                raise Died(name)
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


class Before:
    """Wraps a client; something happens right before the first call of this name."""

    def __init__(self, inner: Any, name: str, happens: Callable[[], object]) -> None:
        self._inner, self._name, self._left = inner, name, [happens]

    def __getattr__(self, name: str) -> Any:
        if name == self._name and self._left:
            self._left.pop()()
        return getattr(self._inner, name)


def arn_of(version: int) -> str:
    """The ARN of a candidate of the Titanic's group."""
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/{version}"


def evaluation(
    accuracy: float = 0.80, *, champion: str | None = None, gain: float = 0.0, problem: str | None = None
) -> dict[str, Any]:
    """An evaluation.json of the Titanic that fulfils every rule, but for what is asked for.

    `gain` is in roc_auc, of the candidate over the champion; `problem` is why there is no comparison.
    """
    roc_auc = {"value": 0.86, "standard_deviation": 0.02}
    metrics = {"accuracy": {"value": accuracy}, "roc_auc": roc_auc, "recall": {"value": 0.8}}
    missing = {name: 0.0 for name in ("age", "sibsp", "parch", "fare", "pclass", "sex", "embarked")}
    still = {name: {"psi": 0.01, "by_chance": 0.01} for name in missing}
    difference = {"roc_auc": {"value": gain, "standard_error": 0.005}}
    comparison = {
        "n": 262,
        "excluded": 0,
        "candidate": {"roc_auc": roc_auc},
        "champion": {"roc_auc": {"value": 0.86 - gain, "standard_deviation": 0.02}},
        "differences": difference,
    }
    compared = champion is not None and problem is None
    return {
        "handsoff": {
            "schema_version": 2,
            "model": "titanic",
            "task": "binary_classification",
            "classes": ["0", "1"],
            "execution": "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0",
            "batch": "b",
            "candidate": {"n": 262, "metrics": metrics},
            "slices": [{"where": {"sex": "female"}, "n": 93, "metrics": metrics}],
            "baseline": {
                "predicts": "the share of each class",
                "metrics": {"roc_auc": {"value": 0.5}},
                "differences": {"roc_auc": {"value": 0.36, "standard_error": 0.02}},
            },
            "data": {
                "train": {"rows": 1047, "missing_share": missing},
                "validation": {"rows": 262, "missing_share": missing},
            },
            "champion": champion,
            "champion_problem": problem,
            "comparison": comparison if compared else None,
            "drift": {"reference": champion, "columns": still} if compared else None,
        }
    }


def register(world: World, version: int = 1, *, status: str = "PendingManualApproval", **what: Any) -> str:
    """Let a candidate have been registered, `version` minutes after the beginning; its ARN."""
    arn, identity = arn_of(version), f"e{version - 1}"
    execution = f"arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/{identity}"
    key = f"models/titanic/{identity}/evaluation.json"
    body = evaluation(**what)
    body["handsoff"]["execution"] = execution
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())
    world.s3.put_object(Bucket="data", Key=f"models/titanic/{identity}/m.tar.gz", Body=b"model")
    created = START + timedelta(minutes=version)
    made = package(arn, f"s3://data/{key}", status, CreationTime=created, LastModifiedTime=created)
    made["CustomerMetadataProperties"]["execution"] = execution
    made["InferenceSpecification"] = {
        "Containers": [{"ModelDataUrl": f"s3://data/models/titanic/{identity}/m.tar.gz"}]
    }
    world.sagemaker.packages[arn] = made
    step = {
        "StepName": "RegisterModel",
        "StepStatus": "Succeeded",
        "Metadata": {"RegisterModel": {"Arn": arn}},
    }
    world.sagemaker.steps_of[execution] = [step]
    return arn


def was_held(
    world: World, arn: str, *, reasons: tuple[str, ...] = ("held",), champion: str | None = None
) -> None:
    """Let a candidate have been held for these reasons, and approvers been told."""
    verdict = Verdict(
        decision="HOLD",
        reasons=tuple(Reason(code="no_rule_met", text=text) for text in reasons),
        rules=(),
        champion=champion,
        rules_sha256="a" * 64,
        n=262,
    )
    fact = VerdictFact(verdict=verdict, batch="b", taken_at=START, done_at=START)
    world.ledger.take(keys.verdict(arn), fact)


def in_console(world: World, arn: str, status: str, minutes: int = 60, why: str = "because") -> None:
    """Let a person have set the status in AWS's console."""
    world.sagemaker.packages[arn] = {
        **world.sagemaker.packages[arn],
        "LastModifiedBy": {"IamIdentity": {"Arn": CONSOLE}},
        "ModelApprovalStatus": status,
        "ApprovalDescription": why,
        "LastModifiedTime": START + timedelta(minutes=minutes),
    }


def about(name: str, arn: str) -> dict[str, Any]:
    """An event of events/ as it would be about this package."""
    found = event(name)
    found["detail"]["ModelPackageArn"] = arn
    return found


class Context(LambdaContext):
    """What Lambda tells a function about itself, and that so many milliseconds are left."""

    _function_name = "test"
    _memory_limit_in_mb = 128
    _invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:test"
    _aws_request_id = "00000000-0000-0000-0000-000000000000"

    def __init__(self, left: Callable[[], int] = lambda: 60_000) -> None:
        self._left = left

    def get_remaining_time_in_millis(self) -> int:  # type: ignore[override] # Powertools has a static one
        return self._left()


def event(name: str) -> dict[str, Any]:
    """One of the files in events/."""
    loaded: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return loaded
