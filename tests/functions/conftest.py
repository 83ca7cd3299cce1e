"""S3, DynamoDB, SNS, SQS and CloudWatch Logs in memory, with the names that the functions are given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import boto3
import pytest
import requests
import yaml
from moto import mock_aws

from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.aws.settings import Settings
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig, parse_config
from tests.functions.fakes import ROOT, Context, FakeEvents, FakeSageMaker


class Configs:
    """The models' configs without SSM."""

    def __init__(self) -> None:
        values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
        self.known = dict(parse_config(values, source="handsoff.yaml").models)

    def names(self) -> list[str]:
        return sorted(self.known)

    def get(self, model: str, *, fresh: bool = False) -> ModelConfig | None:  # noqa: ARG002
        return self.known.get(model)


T = TypeVar("T", bound=Collaborators)


@dataclass
class World:
    """Everything that the handlers touch."""

    settings: Settings
    configs: Configs
    s3: Any
    sns: Any
    sqs: Any
    logs: Any
    table: Any
    sagemaker: FakeSageMaker
    events: FakeEvents
    inbox: str

    @property
    def items(self) -> Items:
        """The ledger's items as they are stored."""
        return Items(self.table)

    @property
    def ledger(self) -> Ledger:
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
        """What approvers got since the last call: the JSON form of each notification."""
        found: list[dict[str, Any]] = []
        while got := self.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in got]
            for message in got:
                self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture(scope="module")
def clients() -> Iterator[dict[str, Any]]:
    """moto's clients, made once: making them takes longer than most tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "test")
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        with mock_aws():
            session = boto3.Session(region_name="us-east-1")
            made: dict[str, Any] = {name: session.client(name) for name in ("s3", "sns", "sqs", "logs")}
            yield {**made, "dynamodb": session.resource("dynamodb")}


@pytest.fixture
def world(clients: dict[str, Any]) -> World:
    """An empty account with the bucket, the ledger, and a topic whose messages end in an inbox."""
    requests.post("http://motoapi.amazonaws.com/moto-api/reset", timeout=10)
    s3, sns, sqs = clients["s3"], clients["sns"], clients["sqs"]
    s3.create_bucket(Bucket="data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    table = clients["dynamodb"].create_table(
        TableName="ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "fact", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "fact", "KeyType": "HASH"}],
    )
    topic = sns.create_topic(Name="notifications")["TopicArn"]
    inbox = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint="arn:aws:sqs:us-east-1:123456789012:inbox",
        Attributes={"RawMessageDelivery": "true"},
    )
    return World(
        settings=Settings(prefix="handsoff", bucket="data", table="ledger", topic=topic),
        configs=Configs(),
        s3=s3,
        sns=sns,
        sqs=sqs,
        logs=clients["logs"],
        table=table,
        sagemaker=FakeSageMaker(),
        events=FakeEvents(),
        inbox=inbox,
    )


@pytest.fixture
def context() -> Context:
    return Context()
