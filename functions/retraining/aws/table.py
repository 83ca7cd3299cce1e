"""A table of DynamoDB by the client of botocore, with those calls of boto3's Table that aws/items.py makes.

boto3's own Table needs a third of the time that all imports of a function take. The ledger's items hold
texts, booleans and whole numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

VALUES: Final = ("Key", "Item", "ExpressionAttributeValues")
"""The arguments of a call that hold values of attributes."""


class PlainTable:
    """The table of this name. Calls take and return plain values; errors are botocore's, as they are."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client: Any = client
        self.name = name
        self.meta = SimpleNamespace(client=self)

    def get_item(self, **call: Any) -> dict[str, Any]:
        """GetItem."""
        answer: dict[str, Any] = self._client.get_item(**self._typed(call))
        return {**answer, "Item": plain(answer["Item"])} if "Item" in answer else answer

    def put_item(self, **call: Any) -> None:
        """PutItem. What it returns is left out."""
        self._client.put_item(**self._typed(call))

    def update_item(self, **call: Any) -> None:
        """UpdateItem. What it returns is left out."""
        self._client.update_item(**self._typed(call))

    def delete_item(self, **call: Any) -> None:
        """DeleteItem. What it returns is left out."""
        self._client.delete_item(**self._typed(call))

    def batch_get_item(self, *, RequestItems: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """BatchGetItem."""
        wanted = {
            name: {**asked, "Keys": [typed(key) for key in asked["Keys"]]}
            for name, asked in RequestItems.items()
        }
        answer = self._client.batch_get_item(RequestItems=wanted)
        found = {name: [plain(item) for item in items] for name, items in answer["Responses"].items()}
        left = {
            name: {**asked, "Keys": [plain(key) for key in asked["Keys"]]}
            for name, asked in answer.get("UnprocessedKeys", {}).items()
        }
        return {**answer, "Responses": found, "UnprocessedKeys": left}

    def _typed(self, call: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: typed(call[name]) for name in VALUES if name in call}
        return {"TableName": self.name, **call, **values}


def typed(item: Mapping[str, object]) -> dict[str, dict[str, object]]:
    """An item with DynamoDB's types, such as `{"S": "a text"}`. Raises TypeError for what no item holds."""
    return {name: _typed_value(name, value) for name, value in item.items()}


def _typed_value(name: str, value: object) -> dict[str, object]:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    raise TypeError(f"{name} is a {type(value).__name__}: an item holds texts, booleans and whole numbers")


def plain(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """An item without DynamoDB's types. Numbers are Decimal, as boto3 returns them."""
    return {name: _plain_value(name, value) for name, value in item.items()}


def _plain_value(name: str, value: Mapping[str, Any]) -> Any:
    kind, held = next(iter(value.items()))
    match kind:
        case "S" | "BOOL":
            return held
        case "N":
            return Decimal(held)
        case "NULL":
            return None
        case "L":
            return [_plain_value(name, one) for one in held]
        case "M":
            return plain(held)
    raise TypeError(f"{name} has DynamoDB's type {kind}: an item holds texts, booleans and whole numbers")
