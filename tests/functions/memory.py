"""Ledger, S3, SNS and DynamoDB in memory: tests ask thousands of times, and moto answers in milliseconds.

tests/functions/aws/test_ledger.py runs the same tests on MemoryItems, on MemoryTable and on moto's DynamoDB.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from types import SimpleNamespace
from typing import Any

import botocore.session
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError
from botocore.handlers import validate_bucket_name
from botocore.model import ServiceModel
from botocore.validate import validate_parameters

from retraining.errors import NotReady


class MemoryItems:
    """What Items of aws/items.py does, in a dict. Values go through JSON, as they do through DynamoDB."""

    def __init__(self) -> None:
        self.facts: dict[str, dict[str, Any]] = {}

    def get(self, fact: str) -> dict[str, Any] | None:
        found = self.facts.get(fact)
        return None if found is None else json.loads(json.dumps(found))

    def get_all(self, facts: Sequence[str]) -> dict[str, dict[str, Any]]:
        return {fact: item for fact in facts if (item := self.get(fact)) is not None}

    def take(self, fact: str, values: Mapping[str, Any]) -> dict[str, Any] | None:
        if fact in self.facts:
            return self.get(fact)
        self.mark(fact, values)
        return None

    def mark(self, fact: str, values: Mapping[str, Any], *, where: Mapping[str, str] | None = None) -> bool:
        if not self._stands(fact, where):
            return False
        new = {**self.facts.get(fact, {"fact": fact}), **json.loads(json.dumps(dict(values)))}
        self.facts[fact] = {name: value for name, value in new.items() if value is not None}
        return True

    def _stands(self, fact: str, where: Mapping[str, str] | None) -> bool:
        return not where or where.items() <= self.facts.get(fact, {}).items()

    def advance(self, fact: str, values: Mapping[str, Any], *, version: str, final: bool) -> bool:
        old = self.facts.get(fact)
        if old and "version" in old:
            newer = old["version"] < version or (old["version"] == version and not old["final"])
            if not newer:
                return False
        self.mark(fact, {**values, "version": version, "final": final})
        return True

    def swap(self, fact: str, values: Mapping[str, Any], *, version: int) -> bool:
        if self.facts.get(fact, {}).get("version", 0) != version:
            return False
        return self.mark(fact, {**values, "version": version + 1})

    def replace(self, fact: str, values: Mapping[str, Any], *, where: Mapping[str, str]) -> bool:
        if not self._stands(fact, where):
            return False
        self.facts.pop(fact, None)
        return self.mark(fact, values)

    def claim(self, fact: str, *, now: datetime, lease: timedelta) -> bool:
        old = self.facts.get(fact)
        if old and old["state"] == "done":
            return False
        if old and old["until"] >= now.isoformat():
            raise NotReady(f"{fact} is being done by another invocation; try again after {old['until']}")
        self.mark(fact, {"state": "claimed", "until": (now + lease).isoformat()})
        return True

    def release(self, fact: str, *, where: Mapping[str, str] | None = None) -> bool:
        if fact in self.facts and not self._stands(fact, where):
            return False
        self.facts.pop(fact, None)
        return True

    def done(self, fact: str, *, now: datetime) -> None:
        self.mark(fact, {"state": "done", "doneAt": now.isoformat()})


def refused(code: str, operation: str, status: int = 400) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, operation)


def etag(body: bytes) -> str:
    """The ETag of an object that was put in one part, with its quotes."""
    return f'"{hashlib.md5(body).hexdigest()}"'


class MemoryS3:
    """One versioned bucket, "data": versions of each key, oldest first; a body of None is a delete marker."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.versions: dict[str, list[tuple[str, bytes | None, datetime]]] = {}
        self.count = 0

    def _find(self, key: str, version: str | None, bucket: str = "data") -> bytes:
        if bucket != "data":
            raise refused("NoSuchBucket", "GetObject")
        for identity, body, _ in reversed(self.versions.get(key, [])):
            if version in (None, identity):
                if body is None:
                    break
                return body
        raise refused("NoSuchKey", "GetObject")

    def put_object(self, *, Key: str, Body: bytes, **more: Any) -> dict[str, str]:
        there = self.versions.get(Key)
        if more.get("IfNoneMatch") and there and there[-1][1] is not None:
            raise refused("PreconditionFailed", "PutObject")
        if "IfMatch" in more and more["IfMatch"] != etag(self._find(Key, None)):
            raise refused("PreconditionFailed", "PutObject")
        self.count += 1
        self.versions.setdefault(Key, []).append((f"v{self.count}", Body, self.clock()))
        return {"VersionId": f"v{self.count}"}

    def get_object(
        self,
        *,
        Key: str,
        Bucket: str = "data",
        VersionId: str | None = None,
        Range: str = "bytes=0-",
        **_: Any,
    ) -> dict[str, Any]:
        body = self._find(Key, VersionId, Bucket)
        version = VersionId or self.versions[Key][-1][0]
        start, end = Range.removeprefix("bytes=").split("-")
        part = body[int(start) : int(end) + 1 if end else None] if start else body[-int(end) :]
        return {"Body": io.BytesIO(part), "VersionId": version}

    def head_object(
        self, *, Key: str, VersionId: str | None = None, ChecksumMode: str = "", **_: Any
    ) -> dict[str, Any]:
        there = reversed(self.versions.get(Key, []))
        nothing = ("", None, self.clock())
        version, body, at = next((item for item in there if VersionId in (None, item[0])), nothing)
        if body is None:
            raise refused("404", "HeadObject")
        head = {"VersionId": version, "ETag": etag(body), "ContentLength": len(body), "LastModified": at}
        if ChecksumMode == "ENABLED":
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            head |= {"ChecksumSHA256": digest, "ChecksumType": "FULL_OBJECT"}
        return head

    def copy_object(self, *, Key: str, CopySource: Mapping[str, str], **_: Any) -> None:
        self.put_object(Key=Key, Body=self._find(CopySource["Key"], CopySource.get("VersionId")))

    def copy(self, source: Mapping[str, str], _bucket: str, key: str, **_: Any) -> None:
        self.copy_object(Key=key, CopySource=source)

    def delete_object(
        self, *, Key: str, VersionId: str | None = None, IfMatch: str | None = None, **_: Any
    ) -> dict[str, str]:
        if IfMatch is not None and IfMatch != etag(self._find(Key, None)):
            raise refused("PreconditionFailed", "DeleteObject")
        if VersionId:
            self.versions[Key] = [item for item in self.versions[Key] if item[0] != VersionId]
            return {}
        self.count += 1
        self.versions.setdefault(Key, []).append((f"v{self.count}", None, self.clock()))
        return {"VersionId": f"v{self.count}"}

    def list_object_versions(self, *, Prefix: str, **_: Any) -> dict[str, Any]:
        found: dict[str, list[dict[str, Any]]] = {"Versions": [], "DeleteMarkers": []}
        for key, versions in sorted(self.versions.items()):
            if not key.startswith(Prefix):
                continue
            for identity, body, at in reversed(versions):
                item = {"Key": key, "VersionId": identity, "LastModified": at}
                item["IsLatest"] = identity == versions[-1][0]
                if body is None:
                    found["DeleteMarkers"].append(item)
                else:
                    found["Versions"].append({**item, "ETag": etag(body), "Size": len(body)})
        return found

    def list_objects_v2(self, *, Prefix: str, **_: Any) -> dict[str, Any]:
        found = self.list_object_versions(Prefix=Prefix)["Versions"]
        return {"Contents": [{"Key": item["Key"]} for item in found if item["IsLatest"]]}

    def get_paginator(self, operation: str) -> Any:
        one_page = getattr(self, operation)

        class Pages:
            def paginate(self, **call: Any) -> Iterator[dict[str, Any]]:
                yield one_page(**call)

        return Pages()


class MemoryTable:
    """The ledger's DynamoDB table: the five calls of aws/items.py, with the expressions that they use.

    A condition is `attribute_not_exists(x)`, `x = y` or `x < y`, joined by AND and OR, with one level of
    brackets. An update is `SET x = y, …`, `REMOVE x, …` or both. A failed condition returns the item, in
    DynamoDB's types, if ReturnValuesOnConditionCheckFailure asks for it.
    """

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.name = "ledger"
        self.together = 100  # items that one call answers; the others come back as not read

    @property
    def meta(self) -> SimpleNamespace:
        """What has the client, as boto3's table has it."""
        return SimpleNamespace(client=self)

    def get_item(self, *, Key: Mapping[str, str], ConsistentRead: bool) -> dict[str, Any]:
        assert ConsistentRead
        found = self.items.get(Key["fact"])
        return {} if found is None else {"Item": dict(found)}

    def batch_get_item(self, *, RequestItems: Mapping[str, Any]) -> dict[str, Any]:
        ((name, asked),) = RequestItems.items()
        assert (name, asked["ConsistentRead"]) == (self.name, True)
        wanted = [key["fact"] for key in asked["Keys"]]
        if not 0 < len(wanted) == len(set(wanted)) <= 100:
            raise refused("ValidationException", "BatchGetItem")
        found = [dict(self.items[fact]) for fact in wanted[: self.together] if fact in self.items]
        rest = {"Keys": [{"fact": fact} for fact in wanted[self.together :]], "ConsistentRead": True}
        return {"Responses": {name: found}, "UnprocessedKeys": {name: rest} if rest["Keys"] else {}}

    def put_item(self, *, Item: Mapping[str, Any], **condition: Any) -> None:
        self._check(Item["fact"], "PutItem", **condition)
        self.items[Item["fact"]] = {name: _stored(value) for name, value in Item.items()}

    def delete_item(self, *, Key: Mapping[str, str], **condition: Any) -> None:
        self._check(Key["fact"], "DeleteItem", **condition)
        self.items.pop(Key["fact"], None)

    def update_item(self, *, Key: Mapping[str, str], UpdateExpression: str, **condition: Any) -> None:
        self._check(Key["fact"], "UpdateItem", **condition)
        names = condition["ExpressionAttributeNames"]
        values = condition.get("ExpressionAttributeValues", {})
        sets, _, removes = UpdateExpression.partition("REMOVE ")
        item = self.items.setdefault(Key["fact"], dict(Key))
        for name, value in re.findall(r"(#\w+) = (:\w+)", sets):
            item[names[name]] = _stored(values[value])
        for name in re.findall(r"#\w+", removes):
            item.pop(names[name], None)

    def _check(self, fact: str, operation: str, ConditionExpression: str = "", **expression: Any) -> None:
        names = expression.get("ExpressionAttributeNames", {})
        values = expression.get("ExpressionAttributeValues", {})
        item = self.items.get(fact, {})

        def holds(part: str) -> bool:
            if absent := re.fullmatch(r"attribute_not_exists\((\S+)\)", part):
                return names.get(absent[1], absent[1]) not in item
            name, operator, value = part.split()
            if names[name] not in item:
                return False
            left, right = item[names[name]], values[value]
            return bool(left == right if operator == "=" else left < right)

        anys = ConditionExpression.split(" OR ") if ConditionExpression else []
        alls = [re.sub(r"^\((.*)\)$", r"\1", part).split(" AND ") for part in anys]
        if alls and not any(all(holds(part) for part in parts) for parts in alls):
            error = refused("ConditionalCheckFailedException", operation)
            if item and expression.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD":
                typed = {name: TypeSerializer().serialize(value) for name, value in item.items()}
                error.response["Item"] = typed  # type: ignore[typeddict-unknown-key]
            raise error


def _stored(value: Any) -> Any:
    """A value as boto3 gives it back: whole numbers are Decimals."""
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


class MemoryTopic:
    """An SNS topic with one subscriber, which receives what is meant for every protocol but e-mail."""

    def __init__(self) -> None:
        self._inbox: list[dict[str, Any]] = []

    def publish(self, *, Message: str, **_: Any) -> None:
        self._inbox.append(json.loads(json.loads(Message)["default"]))

    def receive(self) -> list[dict[str, Any]]:
        """What has arrived since the last call."""
        found, self._inbox = self._inbox, []
        return found


class NoLogs:
    """A CloudWatch Logs in which no job has written a line."""

    class exceptions:
        class ResourceNotFoundException(Exception): ...

    def describe_log_streams(self, **_: Any) -> None:
        raise self.exceptions.ResourceNotFoundException


class Checked:
    """Wraps a fake; each call must have the parameters that AWS's model of the service asks for."""

    def __init__(self, inner: Any, service: str) -> None:
        self._inner, self._service = inner, service

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        operation = name.title().replace("_", "")
        if operation not in model(self._service).operation_names:
            return found

        def call(**given: Any) -> Any:
            shape = model(self._service).operation_model(operation).input_shape
            assert shape is not None, f"{operation} takes no parameters"
            validate_parameters(given, shape)
            validate_bucket_name(given)
            return found(**given)

        return call


@cache
def model(service: str) -> ServiceModel:
    """botocore's description of a service, read once: it takes longer than most tests."""
    return botocore.session.get_session().get_service_model(service)
