"""Conditional writes on the ledger's table: how facts become items of DynamoDB. Used by aws/ledger.py alone.

Texts, booleans and whole numbers are stored as they are. Everything else is stored as JSON in an attribute
whose name ends in `_json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from retraining.errors import NotReady

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

Item = Mapping[str, Any]

JSON: Final = "_json"
"""Ends the names of attributes whose text is JSON; so no text of a person is ever taken for it."""


class Items:
    """Items by the text of their key. Values are strings, booleans, integers, or anything that JSON holds."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, fact: str) -> dict[str, Any] | None:
        """The fact as it is now (read consistently), or None."""
        found = self._table.get_item(Key={"fact": fact}, ConsistentRead=True).get("Item")
        return _loaded(found) if found else None

    def take(self, fact: str, values: Item) -> dict[str, Any] | None:
        """Write the fact if nobody has: None if it is now ours, otherwise what stands there."""
        try:
            self._table.put_item(
                Item={"fact": fact, **_dumped(values)}, ConditionExpression="attribute_not_exists(fact)"
            )
        except ClientError as error:
            if not _refused(error):
                raise
            return self.get(fact) or {}
        return None

    def mark(self, fact: str, values: Item, *, where: Mapping[str, str] | None = None) -> bool:
        """Set these attributes (None removes one) and leave the others; the fact need not exist yet.

        With `where`, only if these texts still stand in it. Says whether it wrote.
        """
        return _wrote(self._table.update_item, Key={"fact": fact}, **_conditioned(_setting(values), where))

    def advance(self, fact: str, values: Item, *, version: str, final: bool) -> bool:
        """`mark`, unless what stands there is as new or newer. Says whether it wrote.

        `version` is a time in sortable text. A state that is not `final` may be written again at the same
        version, since not every change moves a clock; a final one only gives way to a newer version.
        """
        arguments = _setting({**values, "version": version, "final": final})
        arguments["ExpressionAttributeValues"][":no"] = False
        return _wrote(
            self._table.update_item,
            Key={"fact": fact},
            **arguments,
            ConditionExpression="attribute_not_exists(#version) OR #version < :version "
            "OR (#version = :version AND #final = :no)",
        )

    def swap(self, fact: str, values: Item, *, version: int) -> bool:
        """Replace the fact, which must still be at `version` (0: must not exist yet). Says whether it did.

        A caller that reads a fact and swaps it knows that no other call has changed it in between.
        """
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(fact)"}
        if version:
            condition = {
                "ConditionExpression": "#version = :version",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":version": version},
            }
        return _wrote(
            self._table.put_item, Item={"fact": fact, "version": version + 1, **_dumped(values)}, **condition
        )

    def replace(self, fact: str, values: Item, *, where: Mapping[str, str]) -> bool:
        """Replace the whole fact if these texts still stand in it. Says whether it did."""
        return _wrote(
            self._table.put_item, **_conditioned({"Item": {"fact": fact, **_dumped(values)}}, where)
        )

    def claim(self, fact: str, *, now: datetime, lease: timedelta) -> bool:
        """Claim something that must be done once, such as sending. False: it has been done.

        Raises NotReady while another holds the claim; after `lease` it passes on, as that one has died.
        """
        until = (now + lease).isoformat()
        try:
            self._table.put_item(
                Item={"fact": fact, "state": "claimed", "until": until},
                ConditionExpression="attribute_not_exists(fact) OR (#state = :claimed AND #until < :now)",
                ExpressionAttributeNames={"#state": "state", "#until": "until"},
                ExpressionAttributeValues={":claimed": "claimed", ":now": now.isoformat()},
            )
        except ClientError as error:
            if not _refused(error):
                raise
            state: Literal["claimed", "done"] = (self.get(fact) or {}).get("state", "claimed")
            if state == "done":
                return False
            raise NotReady(f"{fact} is being done by another invocation; try again after {until}") from None
        return True

    def release(self, fact: str, *, where: Mapping[str, str] | None = None) -> bool:
        """Give back what was claimed or taken, because what it was for failed or is over.

        With `where`, only if these texts still stand in it. Says whether it did.
        """
        return _wrote(self._table.delete_item, Key={"fact": fact}, **_conditioned({}, where))

    def done(self, fact: str, *, now: datetime) -> None:
        """Say that what was claimed is done."""
        self.mark(fact, {"state": "done", "doneAt": now.isoformat()})


def _wrote(write: Callable[..., Any], **call: Any) -> bool:
    """Make a conditional write; False if its condition did not hold."""
    try:
        write(**call)
    except ClientError as error:
        if not _refused(error):
            raise
        return False
    return True


def _refused(error: ClientError) -> bool:
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


def _setting(values: Item) -> dict[str, Any]:
    """An update that sets what has a value and removes what is None, in both of its forms."""
    dumped = _dumped(values)
    gone = {form for name in values for form in (name, name + JSON)} - dumped.keys()
    parts = []
    if dumped:
        parts.append("SET " + ", ".join(f"#{name} = :{name}" for name in dumped))
    if gone:
        parts.append("REMOVE " + ", ".join(f"#{name}" for name in sorted(gone)))
    return {
        "UpdateExpression": " ".join(parts),
        "ExpressionAttributeNames": {f"#{name}": name for name in (*dumped, *gone)},
        **({"ExpressionAttributeValues": {f":{n}": value for n, value in dumped.items()}} if dumped else {}),
    }


def _conditioned(call: dict[str, Any], where: Mapping[str, str] | None) -> dict[str, Any]:
    """The call with the condition that these texts stand in the item."""
    if not where:
        return call
    names = {f"#where_{name}": name for name in where}
    values = {f":where_{name}": value for name, value in where.items()}
    return {
        **call,
        "ConditionExpression": " AND ".join(f"#where_{name} = :where_{name}" for name in where),
        "ExpressionAttributeNames": {**call.get("ExpressionAttributeNames", {}), **names},
        "ExpressionAttributeValues": {**call.get("ExpressionAttributeValues", {}), **values},
    }


def _dumped(values: Item) -> dict[str, Any]:
    """Texts, booleans and whole numbers as they are; all else (DynamoDB has no floats) as JSON, named so."""
    return {
        name if isinstance(value, str | bool | int) else name + JSON: value
        if isinstance(value, str | bool | int)
        else json.dumps(value, ensure_ascii=False)
        for name, value in values.items()
        if value is not None
    }


def _loaded(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removesuffix(JSON): json.loads(value)
        if name.endswith(JSON)
        else int(value)
        if isinstance(value, Decimal)
        else value
        for name, value in item.items()
    }
