"""One deployment in AWS as its operator sees it: names, outputs, executions, evidence, landing, starting."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools.utilities.parameters import SSMProvider
from botocore.exceptions import ClientError

from handsoff.deploying import render
from pipeline_def.publish import Published, publish, upload
from retraining import evidence
from retraining.aws import pipelines, registry
from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.aws.model_states import ModelStates
from retraining.aws.observability import logger
from retraining.aws.pipelines import Execution
from retraining.aws.registry import Package
from retraining.aws.settings import ModelConfigs, Settings
from retraining.candidates import decisions, judging_again
from retraining.candidates.decision_actions import Standing
from retraining.collaborators import Collaborators
from retraining.config.schema import Config, dump_model
from retraining.errors import HandsoffError
from retraining.facts import keys
from retraining.facts.candidates import Status
from retraining.facts.starts import ModelState, Released
from retraining.starts import batches, quarantine
from retraining.starts.batches import ROOT, split_of
from retraining.starts.quarantine import REPORT_SUFFIX
from retraining.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.type_defs import PipelineExecutionSummaryTypeDef
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


class NotDeployed(HandsoffError):
    """What was asked for needs a deployment, and there is none where AWS's variables point."""


class NothingThere(HandsoffError):
    """There is no such execution, model package or file."""


@dataclass(frozen=True)
class Deployment:
    """The deployment that `config` names, wherever AWS's environment variables point."""

    config: Config

    @property
    def prefix(self) -> str:
        return self.config.prefix

    @cached_property
    def session(self) -> boto3.Session:
        return boto3.Session()

    @cached_property
    def s3(self) -> S3Client:
        return self.session.client("s3")

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        return self.session.client("sagemaker")

    @cached_property
    def sqs(self) -> SQSClient:
        return self.session.client("sqs")

    @cached_property
    def ssm(self) -> SSMClient:
        return self.session.client("ssm")

    @cached_property
    def account(self) -> str:
        return str(self.session.client("sts").get_caller_identity()["Account"])

    @cached_property
    def who(self) -> str:
        """The ARN of whoever uses the command line."""
        return str(self.session.client("sts").get_caller_identity()["Arn"])

    @cached_property
    def partition(self) -> str:
        return self.session.get_partition_for_region(self.session.region_name)

    @cached_property
    def where(self) -> render.Where:
        """The account and the region that the environment names."""
        return render.Where(self.account, self.session.region_name, self.partition)

    @cached_property
    def bucket(self) -> str:
        """The data bucket's name, from SSM."""
        name = f"/{self.prefix}/data-bucket"
        try:
            return str(self.ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            raise NotDeployed(
                f"SSM has no parameter {name}: nothing is deployed here. On this machine: "
                '`handsoff local up --detach`, then `eval "$(handsoff local env)"`'
            ) from None

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name."""
        try:
            stacks = self.session.client("cloudformation").describe_stacks(StackName=self.prefix)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise NotDeployed(f"there is no stack {self.prefix} here: `handsoff deploy` makes it") from None
        return {item["OutputKey"]: item["OutputValue"] for item in stacks[0].get("Outputs", [])}

    @cached_property
    def sources(self) -> evidence.Sources:
        table = self.session.resource("dynamodb").Table(self.outputs["LedgerTable"])
        return evidence.Sources(self.sagemaker, self.s3, Ledger(Items(table)), self.bucket)

    @cached_property
    def collaborators(self) -> Collaborators:
        """What the functions work with, by the operator's own credentials."""
        return Collaborators(
            settings=Settings(
                prefix=self.prefix,
                bucket=self.bucket,
                table=self.outputs["LedgerTable"],
                topic=self.outputs["NotificationsTopic"],
            ),
            configs=ModelConfigs(self.prefix, SSMProvider(boto3_client=self.ssm)),
            s3=self.s3,
            sagemaker=self.sagemaker,
            sns=self.session.client("sns"),
            events=self.session.client("events"),
            logs=self.session.client("logs"),
            ledger=self.sources.ledger,
            clock=lambda: datetime.now(UTC),
        )

    def resource_name(self, model: str) -> str:
        """The name of a model's pipeline and of its model package group."""
        return f"{self.prefix}-{model}"

    def upload(self, model: str) -> str:
        """Upload what is missing of a model's step code, so that a definition may name it; its hash."""
        bucket = render.bucket_name(self.config, self.where)
        return upload(model, self._dumped(model), bucket=bucket, s3=self.s3)

    def publish(self, model: str) -> tuple[Published, bool]:
        """Upload a model's step code, bring its pipeline up to date, and its config in SSM.

        Says what became of the pipeline, and whether the config changed. What is published is what Terraform
        reads, so that a plan after it is empty.
        """
        if self.bucket != (named := render.bucket_name(self.config, self.where)):
            raise NotDeployed(
                f"the data is in {self.bucket} here, handsoff.yaml names {named}: `handsoff deploy` first"
            )
        try:
            published = publish(
                model,
                self._dumped(model),
                render.definition(self.config, model, self.where),
                prefix=self.prefix,
                bucket=self.bucket,
                role_arn=render.role_arn(self.config, self.where),
                session=self.session,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise
            raise self._no_pipeline(model) from None
        text, name = dump_model(self.config.models[model]), f"/{self.prefix}/models/{model}"
        known = self.ssm.get_parameters(Names=[name])["Parameters"]
        if changed := [item["Value"] for item in known] != [text]:
            self.ssm.put_parameter(
                Name=name, Value=text, Type="String", Tier="Intelligent-Tiering", Overwrite=True
            )
        return published, changed

    def scheduled(self, model: str) -> bool:
        """Whether a model's schedule is the one that its config asks for; Terraform alone changes it."""
        try:
            found = self.session.client("scheduler").get_schedule(Name=self.resource_name(model))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return self.config.models[model].retrain.schedule is None
        wanted = self.config.models[model].retrain
        known = (found["ScheduleExpression"], found["ScheduleExpressionTimezone"])
        return known == (wanted.schedule, wanted.schedule_timezone)

    def _dumped(self, model: str) -> dict[str, Any]:
        return self.config.models[model].model_dump(mode="json", exclude_none=True)

    def _no_pipeline(self, model: str) -> NotDeployed:
        return NotDeployed(
            f"there is no pipeline {self.resource_name(model)} here: `handsoff deploy` makes it, and on AWS "
            "on this machine `handsoff local update`"
        )

    def land(
        self,
        model: str,
        files: list[tuple[Path, str]],
        *,
        progress: Callable[[Path, int], None],
        marker: bool,
    ) -> None:
        """Upload each file to its key below the model's prefix, and last the marker, if it is wanted.

        `progress` is called with a file and the number of bytes that have gone up since the last call.
        """
        self._newest(model, 1)  # refuses a model that nothing would be started for
        for path, name in files:

            def tell(sent: int, path: Path = path) -> None:
                progress(path, sent)

            self.s3.upload_file(str(path), self.bucket, f"{ROOT}{model}/{name}", Callback=tell)
        if marker:
            ready = self.config.models[model].retrain.ready
            if ready.when == "marker":
                self.s3.put_object(Bucket=self.bucket, Key=f"{ROOT}{model}/{ready.marker}", Body=b"")

    def request(self, model: str) -> str:
        """Ask for a retraining on the data that is there. Returns the request's identity."""
        self._newest(model, 1)
        cause = f"request-{uuid.uuid4()}"
        detail = {"model": model, "cause": cause, "trigger": "request", "requestedBy": self.who}
        self.sqs.send_message(
            QueueUrl=self.outputs["LandingsQueue"],
            MessageBody=json.dumps({"source": "handsoff", "detail": detail}),
        )
        return cause

    def executions(self, model: str, limit: int) -> list[Execution]:
        """The newest executions of a model's pipeline, newest first."""
        found = [item["PipelineExecutionArn"] for item in self._newest(model, limit)]
        return [pipelines.describe(self.sagemaker, arn) for arn in found]

    def execution(self, wanted: str | None) -> Execution:
        """The execution of this ARN, or whose ARN ends in this id; without either the newest of any model."""
        if wanted and wanted.startswith("arn:"):
            return pipelines.describe(self.sagemaker, wanted)
        found = [item for model in self.config.models for item in self._newest(model, 100)]
        for item in sorted(found, key=lambda item: item["StartTime"], reverse=True):
            arn = item["PipelineExecutionArn"]
            if wanted in (None, arn.rsplit("/", 1)[-1]):
                return pipelines.describe(self.sagemaker, arn)
        if wanted:
            raise NothingThere(f"no execution {wanted} among the newest of each model")
        raise NothingThere("nothing has been executed yet")

    def _newest(self, model: str, limit: int) -> list[PipelineExecutionSummaryTypeDef]:
        """Summaries of a model's newest executions, newest first. Refuses a model without pipeline."""
        try:
            answer = self.sagemaker.list_pipeline_executions(
                PipelineName=self.resource_name(model),
                SortBy="CreationTime",
                SortOrder="Descending",
                MaxResults=limit,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise
            raise self._no_pipeline(model) from None
        return answer["PipelineExecutionSummaries"]

    def package(self, execution: Execution) -> Package | None:
        """The model package that an execution registered, if it did."""
        return registry.package(self.sagemaker, execution.package_arn) if execution.package_arn else None

    def find_package(self, wanted: str) -> Package:
        """The model package of this ARN, or of this model (or group) and version, such as titanic/3."""
        try:
            return registry.package(self.sagemaker, self._package_arn(wanted))
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
                raise
            raise NothingThere(
                f"no model package {wanted} here: {error.response['Error'].get('Message')}"
            ) from None

    def _package_arn(self, wanted: str) -> str:
        form = "the ARN of a model package, or model/version, such as titanic/3"
        arn = re.fullmatch(r"arn:[\w-]+:sagemaker:[\w-]+:\d+:model-package/([\w-]+)/\d+", wanted)
        short = re.fullmatch(r"([\w-]+)/(\d+)", wanted)
        if not arn and not short:
            raise NothingThere(f"{wanted} is not {form}")
        groups = {self.resource_name(model): model for model in self.config.models}
        group = arn[1] if arn else short[1] if short else ""
        if short and group in self.config.models:
            group = self.resource_name(group)
        if group not in groups:
            known = ", ".join(sorted(groups))
            raise NothingThere(f"{wanted} is of no model of this deployment; its groups are: {known}")
        if arn:
            return wanted
        where = f"{self.session.region_name}:{self.account}"
        return f"arn:{self.partition}:sagemaker:{where}:model-package/{group}/{short[2] if short else ''}"

    def judgement(self, package: Package) -> dict[str, Any]:
        """What the ledger knows of a package's verdict and of the decision on it; null what is not known."""
        judged = self.sources.ledger.get(keys.verdict(package.arn))
        decided = self.sources.ledger.get(keys.decision(package.arn))
        return {
            "modelPackageArn": package.arn,
            "modelApprovalStatus": package.approval_status,
            "judgedAt": judged.taken_at.isoformat() if judged else None,
            **evidence.verdict(judged),
            **evidence.decision(decided),
        }

    def judge_without_champion(self, package: Package, why: str) -> Verdict:
        """Judge a held candidate again with its champion put aside, and carry that out."""
        level = logger.log_level
        logger.setLevel("CRITICAL")  # what functions log is not for people
        try:
            return judging_again.judge_without_champion(
                package, by=self.who, why=why, using=self.collaborators
            )
        finally:
            logger.setLevel(level)

    def decide(self, package: Package, status: Status, why: str) -> Standing:
        """Approve or reject a package as the operator, unless it is decided; the decision that stands."""
        level = logger.log_level
        logger.setLevel("CRITICAL")
        try:
            return decisions.decide(
                package.arn, status, by="operator", who=self.who, why=why, using=self.collaborators
            )
        finally:
            logger.setLevel(level)

    def state(self, model: str) -> ModelState:
        """Who waits for a start of the model, what runs, and what was answered last."""
        return ModelStates(self.sources.ledger).load(model)[0]

    def quarantined(self, model: str) -> list[dict[str, Any]]:
        """The reports of a model's files in quarantine, by key.

        `quarantineKey` is where each lies; `replaced` says that a file of its old name has landed since.
        """
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=f"quarantine/{model}/"
        )
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        there = {item.key for item in batches.list_batch(self.s3, self.bucket, model).objects}
        reports = []
        for key in keys:
            if key.endswith(REPORT_SUFFIX):
                report = json.loads(self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())
                where = {"quarantineKey": key.removesuffix(REPORT_SUFFIX), "replaced": report["key"] in there}
                reports.append({**report, **where})
        return reports

    def release(self, model: str, key: str) -> str:
        """Put a file back from quarantine, never to be looked at again; returns its key.

        In marker mode the marker lands again, too: it had said that the batch was complete.
        """
        reports = {report["quarantineKey"]: report for report in self.quarantined(model)}
        if not key.startswith("quarantine/"):
            key = f"quarantine/{model}/{key}"
        if key in reports and reports[key]["replaced"]:
            raise NothingThere(
                f"{reports[key]['key']} has landed again since: releasing the old one would hide it. "
                f"Land it under another name: it is at s3://{self.bucket}/{key}"
            )
        if key not in reports:
            known = "\n  ".join(reports) or "(nothing)"
            raise NothingThere(f"{key} is not in quarantine. What is, of {model}:\n  {known}")
        report = reports[key]
        word = Released(by=self.who, at=datetime.now(UTC))
        self.sources.ledger.take(keys.released(model, report["etag"], report["key"]), word)
        item = quarantine.release(self.s3, self.bucket, model, key)
        # What was uploaded in parts has another ETag once it is copied.
        self.sources.ledger.take(keys.released(model, item.etag, item.key), word)
        ready = self.config.models[model].retrain.ready
        if ready.when == "marker":
            self.land(model, [], progress=lambda _path, _sent: None, marker=True)
        return item.key

    def settled(self, execution: Execution, package: Package | None) -> bool:
        """Whether nothing more is to come: it has ended, and what it registered, if anything, was judged."""
        if not execution.terminal or package is None:
            return execution.terminal
        judged = self.sources.ledger.get(keys.verdict(package.arn))
        return judged is not None and judged.done_at is not None

    def evidence(self, execution: Execution) -> dict[str, Any]:
        """The evidence of an execution, gathered now."""
        return evidence.gather(self.sources, execution.pipeline.removeprefix(f"{self.prefix}-"), execution)


def landing_name(path: Path, split: str | None) -> str:
    """Where a file lands below its model's prefix. Raises NothingThere if name and `split` do not tell."""
    name = f"{split}/{path.name}" if split else path.name
    if split_of(name) is None:
        raise NothingThere(
            f"{path}: neither train nor validation data by its name (train.csv, validation.parquet, …); "
            "say which by --as, and give it the ending .csv, .csv.gz or .parquet"
        )
    return name
