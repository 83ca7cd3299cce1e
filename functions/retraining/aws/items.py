"""Conditional writes on the ledger's table: how facts become items of DynamoDB. Used by aws/ledger.py alone.

Texts, booleans and whole numbers are stored as they are. Everything else is stored as JSON in an attribute
whose name ends in `_json`.

botocore repeats a call whose answer was lost. A conditional write that had succeeded then finds its own item
and is refused. So each one carries a nonce: an item that stands there with our nonce was written by us.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from retraining.errors import Busy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

Item = Mapping[str, Any]

JSON: Final = "_json"
"""Ends the names of attributes whose text is JSON; so no text of a person is ever taken for it."""

NONCE: Final = "nonce"
"""The attribute that names an item's last conditional write: 32 hexadecimal digits. No fact has it."""

TOGETHER: Final = 100
"""Items that one call reads, DynamoDB's maximum."""


class Items:
    """Items by the text of their key. Values are strings, booleans, integers, or anything that JSON holds."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, fact: str) -> dict[str, Any] | None:
        """The fact as it is now (read consistently), or None."""
        found = self._table.get_item(Key={"fact": fact}, ConsistentRead=True).get("Item")
        return _loaded(found) if found else None

    def get_all(self, facts: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those of these facts that are there, each read consistently, by one call for each TOGETHER of them.

        DynamoDB may leave some out of a large answer. They are asked for again, the last ones one by one.
        """
        found: dict[str, dict[str, Any]] = {}
        for first in range(0, len(facts), TOGETHER):
            asked = list(dict.fromkeys(facts[first : first + TOGETHER]))
            for _ in range(2):
                asked = self._read_together(asked, found) if asked else []
            for fact in asked:
                if (item := self.get(fact)) is not None:
                    found[fact] = item
        return found

    def _read_together(self, facts: Sequence[str], found: dict[str, dict[str, Any]]) -> list[str]:
        """Put those of these facts that are there into `found`, by one call; the facts that it left out."""
        name = self._table.name
        wanted: Any = {name: {"Keys": [{"fact": fact} for fact in facts], "ConsistentRead": True}}
        answer = self._table.meta.client.batch_get_item(RequestItems=wanted)
        for item in answer["Responses"].get(name, []):
            found[str(item["fact"])] = _loaded(item)
        left = answer.get("UnprocessedKeys", {})
        return [str(key["fact"]) for key in left[name]["Keys"]] if name in left else []

    def take(self, fact: str, values: Item) -> dict[str, Any] | None:
        """Write the fact if nobody has: None if it is now ours, otherwise what stands there."""
        if self._put(fact, values, ConditionExpression="attribute_not_exists(fact)"):
            return None
        return self.get(fact) or {}

    def mark(self, fact: str, values: Item, *, where: Mapping[str, str] | None = None) -> bool:
        """Set these attributes (None removes one) and leave the others; the fact need not exist yet.

        With `where`, only if these texts still stand in it. Says whether it wrote.
        """
        if not where:
            self._table.update_item(Key={"fact": fact}, **_setting(values))
            return True
        return self._update(fact, values, lambda call: _conditioned(call, where))

    def advance(self, fact: str, values: Item, *, version: str, final: bool) -> bool:
        """`mark`, unless what stands there is as new or newer. Says whether it wrote.

        `version` is a time in sortable text. A state that is not `final` may be written again at the same
        version, since not every change moves a clock; a final one only gives way to a newer version.
        """

        def conditioned(call: dict[str, Any]) -> dict[str, Any]:
            call["ExpressionAttributeValues"][":no"] = False
            older = "attribute_not_exists(#version) OR #version < :version"
            return {**call, "ConditionExpression": f"{older} OR (#version = :version AND #final = :no)"}

        return self._update(fact, {**values, "version": version, "final": final}, conditioned)

    def swap(self, fact: str, values: Item, *, version: int) -> bool:
        """`mark`, if the fact is still at `version` (0: must not exist yet). Says whether it wrote.

        A caller that reads a fact and swaps it knows that no other call has changed it in between.
        """

        def conditioned(call: dict[str, Any]) -> dict[str, Any]:
            if not version:
                return {**call, "ConditionExpression": "attribute_not_exists(fact)"}
            call["ExpressionAttributeValues"][":read"] = version
            return {**call, "ConditionExpression": "#version = :read"}

        return self._update(fact, {**values, "version": version + 1}, conditioned)

    def replace(self, fact: str, values: Item, *, where: Mapping[str, str]) -> bool:
        """Replace the whole fact if these texts still stand in it. Says whether it did."""
        return self._put(fact, values, **_conditioned({}, where))

    def claim(self, fact: str, *, now: datetime, lease: timedelta) -> bool:
        """Claim something that must be done once, such as sending. False: it has been done.

        Raises NotReady while another holds the claim; after `lease` it passes on, as that one has died.
        """
        until = (now + lease).isoformat()
        if self._put(
            fact,
            {"state": "claimed", "until": until},
            ConditionExpression="attribute_not_exists(fact) OR (#state = :claimed AND #until < :now)",
            ExpressionAttributeNames={"#state": "state", "#until": "until"},
            ExpressionAttributeValues={":claimed": "claimed", ":now": now.isoformat()},
        ):
            return True
        state: Literal["claimed", "done"] = (self.get(fact) or {}).get("state", "claimed")
        if state == "done":
            return False
        raise Busy(f"{fact} is being done by another invocation; try again after {until}")

    def release(self, fact: str, *, where: Mapping[str, str] | None = None) -> bool:
        """Give back what was claimed or taken, because what it was for failed or is over.

        With `where`, only if these texts still stand in it. Says whether nothing stands there now.
        """
        if not where:
            self._table.delete_item(Key={"fact": fact})
            return True
        return _wrote(
            self._table.delete_item,
            lambda standing: not standing,  # deleted before, by us or by another
            Key={"fact": fact},
            **_conditioned({}, where),
        )

    def done(self, fact: str, *, now: datetime) -> None:
        """Say that what was claimed is done."""
        self.mark(fact, {"state": "done", "doneAt": now.isoformat()})

    def _put(self, fact: str, values: Item, **condition: Any) -> bool:
        """Write the whole item under a condition. Says whether it did."""
        nonce = uuid4().hex
        item = {"fact": fact, **_dumped(values), NONCE: nonce}
        return _wrote(self._table.put_item, _carries(nonce), Item=item, **condition)

    def _update(
        self, fact: str, values: Item, conditioned: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> bool:
        """Change these attributes under a condition. Says whether it did."""
        nonce = uuid4().hex
        call = conditioned(_setting({**values, NONCE: nonce}))
        return _wrote(self._table.update_item, _carries(nonce), Key={"fact": fact}, **call)


Standing = Mapping[str, Mapping[str, Any]]
"""An item that made a condition fail, with DynamoDB's types (`{"S": …}`); empty if there is none."""


def _carries(nonce: str) -> Callable[[Standing], bool]:
    """Whether an item was written under this nonce."""
    return lambda standing: standing.get(NONCE, {}).get("S") == nonce


def _wrote(write: Callable[..., Any], ours: Callable[[Standing], bool], **call: Any) -> bool:
    """Make a conditional write. If its condition fails, `ours` says whether an earlier try had written."""
    try:
        write(**call, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return ours(cast("Mapping[str, Any]", error.response).get("Item", {}))
    return True


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
        if name != NONCE
    }
