"""The account that handlers work in during tests: fakes in memory, or moto where AWS's own words matter."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import boto3
import pytest
import requests

from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.aws.settings import Settings
from retraining.collaborators import Collaborators
from tests.functions.fakes import Configs, FakeEvents, FakeSageMaker
from tests.functions.memory import Checked, MemoryS3, MemoryTable, MemoryTopic, NoLogs

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import DynamoDBServiceResource, Table
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

Messages = list[dict[str, Any]]
T = TypeVar("T", bound=Collaborators)
TOPIC = "arn:aws:sns:us-east-1:123456789012:notifications"


@dataclass
class World:
    """Everything that a handler reads or writes. `receive` gives the notifications since its last call."""

    settings: Settings
    configs: Configs
    s3: S3Client
    sns: SNSClient
    logs: CloudWatchLogsClient
    table: Table
    sagemaker: FakeSageMaker
    events: FakeEvents
    receive: Callable[[], Messages]

    @classmethod
    def empty(cls) -> Self:
        """A new account in memory: the bucket "data", the ledger's table, the topic and its inbox."""
        topic = MemoryTopic()
        return cls(
            settings=Settings(prefix="handsoff", bucket="data", table="ledger", topic=TOPIC),
            configs=Configs(),
            s3=cast("S3Client", Checked(MemoryS3(lambda: datetime.now(UTC)), "s3")),
            sns=cast("SNSClient", Checked(topic, "sns")),
            logs=cast("CloudWatchLogsClient", NoLogs()),
            table=cast("Table", MemoryTable()),
            sagemaker=FakeSageMaker(),
            events=FakeEvents(),
            receive=topic.receive,
        )

    @property
    def items(self) -> Items:
        """The ledger's items as they are stored."""
        return Items(self.table)

    @property
    def ledger(self) -> Ledger:
        """The ledger over `table`."""
        return Ledger(self.items)

    def stored(self, key: str) -> dict[str, Any]:
        """The item that the ledger stores under this key. The test fails if there is none."""
        found = self.items.get(key)
        assert found is not None
        return found

    def using(self, kind: type[T], **wrapped: Any) -> T:
        """Collaborators of this kind, some of them wrapped; `table` is the ledger's."""
        names = ("s3", "sns", "logs", "sagemaker", "events")
        return kind(
            settings=wrapped.get("settings", self.settings),
            configs=self.configs,  # type: ignore[arg-type]
            ledger=Ledger(Items(wrapped.get("table", self.table))),
            clock=wrapped.get("clock", lambda: datetime.now(UTC)),
            read_links=lambda: wrapped.get("links"),
            kms=wrapped.get("kms"),
            **{name: wrapped.get(name, getattr(self, name)) for name in names},
        )

    def evidence_written(self) -> list[bytes]:
        """Every evidence of the newest schema version that was written, the oldest of each copy first."""
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket="data", Prefix="evidence/")
        found = []
        for page in pages:
            for item in reversed(page.get("Versions", [])):
                if not item["Key"].endswith("/evidence.json"):
                    continue
                answer = self.s3.get_object(Bucket="data", Key=item["Key"], VersionId=item["VersionId"])
                body = answer["Body"].read()
                if b'"schemaVersion": 3' in body:
                    found.append(body)
        return found

    def lose_the_ledger(self) -> None:
        """Let the ledger in memory be empty, as one made anew; notifications until then count as read."""
        table: Any = self.table
        table.items.clear()
        self.messages()

    def messages(self) -> Messages:
        """The notifications since the last call, in their JSON form."""
        return self.receive()


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
            from moto import mock_aws  # the import takes a second, and most tests need none of it

            with mock_aws():
                session = boto3.Session(region_name="us-east-1")
                yield cls(
                    s3=session.client("s3"),
                    sns=session.client("sns"),
                    sqs=session.client("sqs"),
                    logs=session.client("logs"),
                    dynamodb=session.resource("dynamodb"),
                )


def emptied(clients: Clients) -> Clients:
    """The same clients after moto's account was emptied, but for an empty bucket "data" with versions."""
    requests.post("http://motoapi.amazonaws.com/moto-api/reset", timeout=10)
    clients.s3.create_bucket(Bucket="data")
    clients.s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    return clients


def on_moto(clients: Clients) -> World:
    """The same account in moto, which checks and answers as AWS does and takes fifty times as long."""
    emptied(clients)
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

    def receive() -> Messages:
        found: Messages = []
        while got := clients.sqs.receive_message(QueueUrl=inbox, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in got]
            for message in got:
                clients.sqs.delete_message(QueueUrl=inbox, ReceiptHandle=message["ReceiptHandle"])
        return found

    return World(
        settings=Settings(prefix="handsoff", bucket="data", table="ledger", topic=topic),
        configs=Configs(),
        s3=clients.s3,
        sns=clients.sns,
        logs=clients.logs,
        table=table,
        sagemaker=FakeSageMaker(),
        events=FakeEvents(),
        receive=receive,
    )
