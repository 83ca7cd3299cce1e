"""The table by botocore's client against moto, and against boto3's own table."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from retraining.aws.items import Items
from retraining.aws.table import PlainTable, plain, typed

ITEM: dict[str, Any] = {
    "fact": "a",
    "text": "ä\n",
    "yes": True,
    "no": False,
    "many": 10**20,
    "few": -3,
    "list_json": "[1]",
}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlainTable]:
    """An empty table in moto."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="ledger",
            AttributeDefinitions=[{"AttributeName": "fact", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "fact", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield PlainTable(client, "ledger")


def test_plain_table_and_boto3_read_what_the_other_wrote(table: PlainTable) -> None:
    whole = boto3.resource("dynamodb").Table("ledger")
    table.put_item(Item=ITEM)
    whole.put_item(Item={**ITEM, "fact": "b"})
    assert whole.get_item(Key={"fact": "a"})["Item"] == ITEM
    assert table.get_item(Key={"fact": "b"}, ConsistentRead=True)["Item"] == {**ITEM, "fact": "b"}
    assert "Item" not in table.get_item(Key={"fact": "c"})


def test_plain_table_updates_and_deletes_by_condition(table: PlainTable) -> None:
    call: dict[str, Any] = {
        "Key": {"fact": "a"},
        "UpdateExpression": "SET #n = :n",
        "ConditionExpression": "attribute_not_exists(fact)",
        "ExpressionAttributeNames": {"#n": "number"},
        "ExpressionAttributeValues": {":n": 7},
    }
    table.update_item(**call)
    assert table.get_item(Key={"fact": "a"})["Item"] == {"fact": "a", "number": Decimal(7)}
    with pytest.raises(ClientError) as refused:
        table.update_item(**call, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    table.delete_item(Key={"fact": "a"})
    assert "Item" not in table.get_item(Key={"fact": "a"})


@pytest.mark.slow
def test_items_read_facts_together_from_a_plain_table(table: PlainTable) -> None:
    items = Items(cast("Any", table))
    names = [f"fact-{number}" for number in range(130)]
    for name in names:
        items.mark(name, {"number": 1, "list": [1.5], "yes": True})
    found = items.get_all([*names, "unknown"])
    assert found.keys() == set(names)
    assert found["fact-129"] == {"fact": "fact-129", "number": 1, "list": [1.5], "yes": True}


def test_batch_get_item_returns_the_keys_that_dynamodb_left_out() -> None:
    asked: list[Any] = []

    def batch_get_item(**call: Any) -> dict[str, Any]:
        asked.append(call)
        left = {"t": {"Keys": [{"fact": {"S": "b"}}], "ConsistentRead": True}}
        return {"Responses": {"t": [{"fact": {"S": "a"}, "n": {"N": "1"}}]}, "UnprocessedKeys": left}

    table = PlainTable(cast("Any", SimpleNamespace(batch_get_item=batch_get_item)), "t")
    answer = table.batch_get_item(
        RequestItems={"t": {"Keys": [{"fact": "a"}, {"fact": "b"}], "ConsistentRead": True}}
    )
    keys = [{"fact": {"S": "a"}}, {"fact": {"S": "b"}}]
    assert asked == [{"RequestItems": {"t": {"Keys": keys, "ConsistentRead": True}}}]
    assert answer["Responses"] == {"t": [{"fact": "a", "n": Decimal(1)}]}
    assert answer["UnprocessedKeys"] == {"t": {"Keys": [{"fact": "b"}], "ConsistentRead": True}}


@pytest.mark.parametrize(
    ("value", "stored"),
    [("", {"S": ""}), ("1", {"S": "1"}), (True, {"BOOL": True}), (0, {"N": "0"}), (Decimal(9), {"N": "9"})],
)
def test_typed_names_the_type_of_a_value(value: object, stored: dict[str, object]) -> None:
    assert typed({"x": value}) == {"x": stored}
    assert plain({"x": stored}) == {"x": value}


@pytest.mark.parametrize("value", [1.5, None, ["a"], {"a": 1}, b"a"])
def test_typed_refuses_what_no_item_holds(value: object) -> None:
    with pytest.raises(TypeError, match=r"x is a .*: an item holds texts, booleans and whole numbers"):
        typed({"x": value})


def test_plain_reads_lists_and_maps_and_refuses_bytes() -> None:
    assert plain({"x": {"L": [{"M": {"y": {"NULL": True}}}, {"S": "a"}]}}) == {"x": [{"y": None}, "a"]}
    with pytest.raises(TypeError, match="x has DynamoDB's type B"):
        plain({"x": {"B": b"a"}})
