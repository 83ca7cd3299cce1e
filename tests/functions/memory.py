"""Ledger and S3 in memory: hypothesis asks thousands of times, and moto answers in milliseconds.

tests/functions/test_ledger.py holds MemoryItems to what the real one does on moto's DynamoDB.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from retraining.errors import NotReady


class MemoryItems:
    """What Items of aws/items.py does, in a dict. Values go through JSON, as they do through DynamoDB."""

    def __init__(self) -> None:
        self.facts: dict[str, dict[str, Any]] = {}

    def get(self, fact: str) -> dict[str, Any] | None:
        found = self.facts.get(fact)
        return None if found is None else json.loads(json.dumps(found))

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
        self.facts.pop(fact, None)
        self.mark(fact, {**values, "version": version + 1})
        return True

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
        if not self._stands(fact, where):
            return False
        self.facts.pop(fact, None)
        return True

    def done(self, fact: str, *, now: datetime) -> None:
        self.mark(fact, {"state": "done", "doneAt": now.isoformat()})


def refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)


class MemoryS3:
    """One versioned bucket: versions of each key, oldest first; a body of None is a delete marker."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.versions: dict[str, list[tuple[str, bytes | None, datetime]]] = {}
        self.count = 0

    def _find(self, key: str, version: str | None) -> bytes:
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
        self.count += 1
        self.versions.setdefault(Key, []).append((f"v{self.count}", Body, self.clock()))
        return {"VersionId": f"v{self.count}"}

    def get_object(
        self,
        *,
        Key: str,
        VersionId: str | None = None,
        Range: str = "bytes=0-",
        **_: Any,
    ) -> dict[str, Any]:
        body = self._find(Key, VersionId)
        start, end = Range.removeprefix("bytes=").split("-")
        if start:
            return {"Body": io.BytesIO(body[int(start) : int(end) + 1 if end else None])}
        return {"Body": io.BytesIO(body[-int(end) :])}

    def copy_object(self, *, Key: str, CopySource: Mapping[str, str], **_: Any) -> None:
        self.put_object(Key=Key, Body=self._find(CopySource["Key"], CopySource.get("VersionId")))

    def delete_object(self, *, Key: str, VersionId: str | None = None, **_: Any) -> dict[str, str]:
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
                    etag = f'"{hashlib.md5(body).hexdigest()}"'
                    found["Versions"].append({**item, "ETag": etag, "Size": len(body)})
        return found

    def get_paginator(self, operation: str) -> Any:
        one_page = getattr(self, operation)

        class Pages:
            def paginate(self, **call: Any) -> Iterator[dict[str, Any]]:
                yield one_page(**call)

        return Pages()
