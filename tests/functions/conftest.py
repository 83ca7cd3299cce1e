"""S3, DynamoDB, SNS, SQS and CloudWatch Logs in memory, with the names that the functions are given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from functions_fakes import FakeSageMaker
from retraining.config import ModelConfig, parse_config
from retraining.ledger import Ledger
from retraining.settings import Settings

ROOT = Path(__file__).parents[2]
EVENTS = ROOT / "events"


class Configs:
    """The models' configs without SSM."""

    def __init__(self) -> None:
        values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
        self.known = dict(parse_config(values, source="handsoff.yaml").models)

    def get(self, model: str) -> ModelConfig | None:
        return self.known.get(model)


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
    inbox: str

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.table)

    def messages(self) -> list[dict[str, Any]]:
        """What approvers got since the last call: the JSON form of each notification."""
        found: list[dict[str, Any]] = []
        while got := self.sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in got]
            for message in got:
                self.sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="data")
        s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        table = boto3.resource("dynamodb").create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "fact", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "fact", "KeyType": "HASH"}],
        )
        sns, sqs = boto3.client("sns"), boto3.client("sqs")
        topic = sns.create_topic(Name="notifications")["TopicArn"]
        inbox = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint="arn:aws:sqs:us-east-1:123456789012:inbox",
            Attributes={"RawMessageDelivery": "true"},
        )
        yield World(
            settings=Settings(prefix="handsoff", bucket="data", table="ledger", topic=topic),
            configs=Configs(),
            s3=s3,
            sns=sns,
            sqs=sqs,
            logs=boto3.client("logs"),
            table=table,
            sagemaker=FakeSageMaker(),
            inbox=inbox,
        )


@dataclass
class Context:
    """What Lambda tells a function about itself."""

    function_name: str = "test"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id: str = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@pytest.fixture
def context() -> Context:
    return Context()


def event(name: str) -> dict[str, Any]:
    """One of the files in events/."""
    loaded: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return loaded
