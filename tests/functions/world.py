"""The account that handlers work in during tests: moto's clients, the fakes beside them, and an inbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

import boto3
import pytest
import requests
from moto import mock_aws

from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.aws.settings import Settings
from retraining.collaborators import Collaborators
from tests.functions.fakes import Configs, FakeEvents, FakeSageMaker

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

T = TypeVar("T", bound=Collaborators)


@dataclass(frozen=True)
class Clients:
    """boto3's clients of moto's account."""

    s3: S3Client
    sns: SNSClient
    sqs: SQSClient
    logs: CloudWatchLogsClient
    dynamodb: DynamoDBServiceResource

    @classmethod
    @contextmanager
    def mocked(cls) -> Iterator[Self]:
        """Clients that moto answers until the block ends."""
        with pytest.MonkeyPatch.context() as patch:
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                patch.setenv(name, "test")
            patch.delenv("AWS_ENDPOINT_URL", raising=False)
            with mock_aws():
                session = boto3.Session(region_name="us-east-1")
                yield cls(
                    s3=session.client("s3"),
                    sns=session.client("sns"),
                    sqs=session.client("sqs"),
                    logs=session.client("logs"),
                    dynamodb=session.resource("dynamodb"),
                )


@dataclass
class World:
    """Everything that a handler reads or writes. SageMaker and EventBridge are fakes; moto answers the rest.

    `inbox` is the URL of a queue that receives every notification.
    """

    settings: Settings
    configs: Configs
    s3: S3Client
    sns: SNSClient
    sqs: SQSClient
    logs: CloudWatchLogsClient
    table: Table
    sagemaker: FakeSageMaker
    events: FakeEvents
    inbox: str

    @classmethod
    def empty(cls, clients: Clients) -> Self:
        """A new account with the bucket "data", the ledger's table, the topic and its inbox."""
        requests.post("http://motoapi.amazonaws.com/moto-api/reset", timeout=10)
        clients.s3.create_bucket(Bucket="data")
        clients.s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        table = clients.dynamodb.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "fact", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "fact", "KeyType": "HASH"}],
        )
        topic = clients.sns.create_topic(Name="notifications")["TopicArn"]
        inbox = clients.sqs.create_queue(QueueName="inbox")["QueueUrl"]
        clients.sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:inbox",
            Attributes={"RawMessageDelivery": "true"},
        )
        return cls(
            settings=Settings(prefix="handsoff", bucket="data", table="ledger", topic=topic),
            configs=Configs(),
            s3=clients.s3,
            sns=clients.sns,
            sqs=clients.sqs,
            logs=clients.logs,
            table=table,
            sagemaker=FakeSageMaker(),
            events=FakeEvents(),
            inbox=inbox,
        )

    @property
    def items(self) -> Items:
        """The ledger's items as they are stored."""
        return Items(self.table)

    @property
    def ledger(self) -> Ledger:
        """The ledger over `table`."""
        return Ledger(self.items)

    def using(self, kind: type[T], **wrapped: Any) -> T:
        """Collaborators of this kind, some of them wrapped; `table` is the ledger's."""
        names = ("s3", "sns", "logs", "sagemaker", "events")
        return kind(
            settings=self.settings,
            configs=self.configs,  # type: ignore[arg-type]
            ledger=Ledger(Items(wrapped.get("table", self.table))),
            clock=wrapped.get("clock", lambda: datetime.now(UTC)),
            links=wrapped.get("links"),
            **{name: wrapped.get(name, getattr(self, name)) for name in names},
        )

    def messages(self) -> list[dict[str, Any]]:
        """The notifications since the last call, in their JSON form."""
        found: list[dict[str, Any]] = []
        while got := self.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in got]
            for message in got:
                self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return found
