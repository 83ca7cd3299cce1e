"""One deployment in AWS: its configuration, its location, its names, and the clients that reach it.

handsoff.operating and handsoff.deploying hold the functions that act on a deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from handsoff.aws_clock import AwsClock
from handsoff.errors import USE_LOCAL, NotDeployed
from handsoff.location import Location
from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.aws.parameters import Parameters
from retraining.aws.settings import ModelConfigs, Settings
from retraining.aws.signing import Lock
from retraining.collaborators import Collaborators
from retraining.config.evidence import CREATE
from retraining.config.schema import Config

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True)
class Deployment:
    """The deployment that `config` names, in the AWS that the environment variables name.

    Clients, the account, the bucket and the outputs are looked up when they are first used, and kept.
    """

    config: Config
    folder: Path = Path()
    """The folder of handsoff.yaml, in which own training code lies."""

    @property
    def prefix(self) -> str:
        """Begins the name of everything that belongs to the deployment."""
        return self.config.prefix

    def resource_name(self, model: str) -> str:
        """The name of a model's pipeline, package group and schedule."""
        return f"{self.prefix}-{model}"

    @cached_property
    def session(self) -> boto3.Session:
        """Makes every client of the deployment. Its answers set the clock."""
        session = boto3.Session()
        session.events.register("after-call", self.clock.answered)
        return session

    @cached_property
    def clock(self) -> AwsClock:
        """The time that is recorded: AWS's."""
        return AwsClock()

    @cached_property
    def s3(self) -> S3Client:
        """Client of the data bucket."""
        return self.session.client("s3")

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        """Client of pipelines and model packages."""
        return self.session.client("sagemaker")

    @cached_property
    def sqs(self) -> SQSClient:
        """Client of the landings queue and the failure queues."""
        return self.session.client("sqs")

    @cached_property
    def functions(self) -> LambdaClient:
        """Client of the functions."""
        return self.session.client("lambda")

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """Client of the jobs' logs."""
        return self.session.client("logs")

    @cached_property
    def ssm(self) -> SSMClient:
        """Client of the models' configs and of the data bucket's name."""
        return self.session.client("ssm")

    @cached_property
    def kms(self) -> KMSClient:
        """Client of the key that signs evidence records."""
        return self.session.client("kms")

    @property
    def signing_key(self) -> str | None:
        """The ARN of the key that signs evidence records; None where none does.

        It is the one that the functions sign with, whatever the handsoff.yaml at hand says: a command with an
        older file must not record anything unsigned. Raises NotDeployed.
        """
        return self._stack_parameters.get("SigningKey") or None

    @property
    def trusted_key(self) -> str | None:
        """The ARN of the key that records are verified by: that of handsoff.yaml, else the functions' one.

        None where no key signs. Raises NotDeployed.
        """
        named = self.config.evidence.signing_key
        return named if named and named != CREATE else self.signing_key

    @property
    def lock(self) -> Lock | None:
        """How long S3 keeps what is recorded; that of the functions, too."""
        return Lock.parse(self._stack_parameters.get("EvidenceLock") or "")

    @property
    def _stack_parameters(self) -> dict[str, str]:
        return {item["ParameterKey"]: item["ParameterValue"] for item in self.stack.get("Parameters", [])}

    @cached_property
    def account(self) -> str:
        """The account of the credentials, 12 digits."""
        return str(self.session.client("sts").get_caller_identity()["Account"])

    @cached_property
    def caller(self) -> str:
        """The ARN of the AWS identity that runs the command; decisions are recorded under it."""
        return str(self.session.client("sts").get_caller_identity()["Arn"])

    @cached_property
    def partition(self) -> str:
        """The partition of the region: `aws`, `aws-cn`, …"""
        return self.session.get_partition_for_region(self.session.region_name)

    @cached_property
    def location(self) -> Location:
        """The account and the region that the environment names."""
        return Location(self.account, self.session.region_name, self.partition)

    @cached_property
    def bucket(self) -> str:
        """The data bucket's name, from SSM. Raises NotDeployed."""
        name = f"/{self.prefix}/data-bucket"
        try:
            return str(self.ssm.get_parameter(Name=name)["Parameter"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "ParameterNotFound":
                raise
            raise NotDeployed(
                f"SSM has no parameter {name}: nothing is deployed here. On this machine: {USE_LOCAL}"
            ) from None

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs by name. Raises NotDeployed."""
        return {item["OutputKey"]: item["OutputValue"] for item in self.stack.get("Outputs", [])}

    @cached_property
    def stack(self) -> StackTypeDef:
        """The stack as CloudFormation has it. Raises NotDeployed."""
        try:
            return self.session.client("cloudformation").describe_stacks(StackName=self.prefix)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationError":
                raise
            raise NotDeployed(f"there is no stack {self.prefix} here: `handsoff deploy` makes it") from None

    @cached_property
    def ledger(self) -> Ledger:
        """The deployment's ledger, a DynamoDB table."""
        return Ledger(Items(self.session.resource("dynamodb").Table(self.outputs["LedgerTable"])))

    @cached_property
    def collaborators(self) -> Collaborators:
        """What the functions work with, under the operator's own credentials."""
        return Collaborators(
            settings=Settings(
                prefix=self.prefix,
                bucket=self.bucket,
                table=self.outputs["LedgerTable"],
                topic=self.outputs["NotificationsTopic"],
                signing_key=self.signing_key,
                lock=self.lock,
            ),
            configs=ModelConfigs(self.prefix, self.bucket, self.s3, Parameters(self.ssm)),
            s3=self.s3,
            sagemaker=self.sagemaker,
            sns=self.session.client("sns"),
            events=self.session.client("events"),
            logs=self.logs,
            ledger=self.ledger,
            clock=self.clock.now,
            kms=self.kms if self.signing_key else None,
        )


def no_pipeline(deployment: Deployment, model: str) -> NotDeployed:
    """The error for a model whose pipeline does not exist."""
    return NotDeployed(
        f"there is no pipeline {deployment.resource_name(model)} here: `handsoff deploy` makes it, and on "
        "AWS on this machine `handsoff local update`"
    )
