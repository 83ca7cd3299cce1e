"""What an AWS account keeps besides pipelines: a bucket, the ledger's table, a topic and parameters.

Each extends a fake of tests/functions by what only shows over time: dates in whole seconds, what people
purged, limits of sizes, and who is told of a change.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from retraining.aws.items import Item, Items
from retraining.config.schema import ModelConfig, dump_model
from tests.chaos.clock import Clock
from tests.chaos.faults import Client, client_error
from tests.functions.memory import MemoryS3, MemoryTable

MAX_ITEM: Final = 400 * 1024
"""Bytes of an item that DynamoDB holds."""

UNCOPIED: Final = "/uncopied.csv"
"""Ends the keys of objects that can be read, and whose copy fails each time."""

MAX_KEY: Final = 1024
"""Bytes of a key that S3 takes."""

Conditioned = Callable[[dict[str, Any]], dict[str, Any]]
"""Adds a condition to the parameters of an update."""

Version = tuple[str, bytes | None, datetime]
"""An object's version: its id, its bytes (None for a delete marker), and its LastModified."""


class Bucket(MemoryS3):
    """The data bucket. `landed` is called with key and version of each object that lands.

    `purged` are versions that were deleted for good, with the time of that; `archived` are keys whose objects
    cannot be read. `left` is the version that people left on top of each key, None where they deleted it;
    `thinned` are the models of whose data something was deleted.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(lambda: clock.now().replace(microsecond=0))
        self._clock = clock
        self.landed: Callable[[str, str], None] = lambda *_: None
        self.purged: list[tuple[float, str, Version]] = []
        self.archived: set[str] = set()
        self.left: dict[str, str | None] = {}
        self.thinned: set[str] = set()

    def leave(self, key: str) -> None:
        """Note what lies on top of a key after a producer or a person has changed it."""
        top = self.newest(key)
        self.left[key] = top[0] if top and top[1] is not None else None
        if self.left[key] is None:
            self.thinned.add(key.split("/")[1])

    def put_object(self, *, Key: str, Body: bytes, **more: Any) -> dict[str, str]:
        if len(Key.encode()) > MAX_KEY:
            raise client_error("KeyTooLongError", "put_object")
        answer = super().put_object(Key=Key, Body=Body, **more)
        if Key.startswith("curated/"):
            self.landed(Key, answer["VersionId"])
        return answer

    def get_object(self, *, Key: str, **more: Any) -> dict[str, Any]:
        if Key in self.archived:
            raise client_error("InvalidObjectState", "get_object", 403)
        return super().get_object(Key=Key, **more)

    def copy_object(self, *, CopySource: Mapping[str, str], **more: Any) -> Any:
        if CopySource["Key"] in self.archived:
            raise client_error("InvalidObjectState", "copy_object", 403)
        if CopySource["Key"].endswith(UNCOPIED):
            raise client_error("InternalError", "copy_object", 500)
        return super().copy_object(CopySource=CopySource, **more)

    def delete_object(self, *, Key: str, **more: Any) -> dict[str, str]:
        if version := more.get("VersionId"):
            gone = [item for item in self.versions.get(Key, []) if item[0] == version]
            self.purged += [(self._clock.seconds, Key, item) for item in gone]
            if not gone:
                return {}
        answer = super().delete_object(Key=Key, **more)
        if not self.versions[Key]:
            del self.versions[Key]
        return answer

    def newest(self, key: str) -> Version | None:
        """The version on top of a key, if there is one."""
        return self.versions[key][-1] if self.versions.get(key) else None

    def text(self, key: str) -> str | None:
        """What an object holds now; None if it is not there."""
        found = self.newest(key)
        return found[1].decode() if found and found[1] is not None else None


class Table(MemoryTable):
    """The ledger's table, with DynamoDB's limit of an item. `largest` is the largest item so far.

    `written` counts the writes of each thread, and so of each invocation, that the table has taken. `anchors`
    are the anchors that stood in each such fact, with the times that they name, in the order of the writes.
    `starts` are the times of the starts that each model's state has held.
    """

    def __init__(self) -> None:
        super().__init__()
        self.largest: tuple[int, str] = (0, "")
        self.written: Counter[int] = Counter()
        self.anchors: dict[str, list[tuple[str, datetime]]] = {}
        self.starts: dict[str, set[datetime]] = {}

    def put_item(self, *, Item: Mapping[str, Any], **condition: Any) -> Any:
        self._fits(Item)
        answer = super().put_item(Item=Item, **condition)
        if (fact := Item["fact"]).startswith("anchor#"):
            noted = (Item["package"], datetime.fromisoformat(Item["at"]))
            self.anchors.setdefault(fact, []).append(noted)
        self.written[threading.get_ident()] += 1
        return answer

    def update_item(self, *, Key: Mapping[str, str], **update: Any) -> Any:
        before = dict(self.items.get(Key["fact"], {}))
        answer = super().update_item(Key=Key, **update)
        try:
            self._fits(self.items[Key["fact"]])
        except Exception:
            self.items[Key["fact"]] = before
            raise
        if (fact := Key["fact"]).startswith("model#"):
            state = json.loads(str(self.items[fact].get("state_json", "{}")))
            if running := state.get("running"):
                taken = datetime.fromisoformat(running["takenAt"])
                self.starts.setdefault(fact.removeprefix("model#"), set()).add(taken)
        self.written[threading.get_ident()] += 1
        return answer

    def _fits(self, item: Mapping[str, Any]) -> None:
        size = sum(len(name) + len(str(value).encode()) for name, value in item.items())
        self.largest = max(self.largest, (size, str(item["fact"])))
        if size > MAX_ITEM:
            raise client_error("ValidationException", "put_item")


class WatchedItems(Items):
    """The ledger's items. `unrecognised` gets each fact that was written while the caller was told no."""

    def __init__(self, client: Any, table: Table, unrecognised: list[str]) -> None:
        super().__init__(client)
        self._written, self._unrecognised = table.written, unrecognised

    def _put(self, fact: str, values: Item, **condition: Any) -> bool:
        return self._watch(fact, lambda: super(WatchedItems, self)._put(fact, values, **condition))

    def _update(self, fact: str, values: Item, conditioned: Conditioned) -> bool:
        return self._watch(fact, lambda: super(WatchedItems, self)._update(fact, values, conditioned))

    def _watch(self, fact: str, write: Callable[[], bool]) -> bool:
        thread = threading.get_ident()
        before = self._written[thread]
        said = write()
        if not said and self._written[thread] > before:
            self._unrecognised.append(fact)
        return said


@dataclass(frozen=True)
class Published:
    """A notification as the topic took it: seconds since the beginning, its JSON form, its e-mail."""

    at: float
    body: dict[str, Any]
    email: str


@dataclass
class Topic:
    """The notifications topic; `deliver` is called with the text of each notification."""

    clock: Clock
    deliver: Callable[[str], None] = lambda _: None
    taken: list[Published] = field(default_factory=list)

    def publish(self, *, Message: str, **_: Any) -> dict[str, str]:
        forms = json.loads(Message)
        self.taken.append(Published(self.clock.seconds, json.loads(forms["default"]), forms["email"]))
        self.deliver(forms["default"])
        return {"MessageId": f"m{len(self.taken)}"}


class Parameters:
    """SSM's parameters: the text of each model's config."""

    def __init__(self, configs: Mapping[str, ModelConfig]) -> None:
        self.texts = {name: dump_model(config) for name, config in configs.items()}

    def get_parameter(self, *, Name: str) -> str:
        model = Name.rsplit("/", 1)[-1]
        if model not in self.texts:
            raise client_error("ParameterNotFound", "get_parameter")
        return self.texts[model]

    def get_parameters_by_path(self, *, Path: str) -> dict[str, str]:
        del Path
        return dict(self.texts)


class Provider:
    """What ModelConfigs needs of aws/parameters.py, on virtual time, for one container."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[float, str]] = {}
        self.client: Client | None = None

    def get(self, name: str, *, max_age: float = 5, force_fetch: bool = False, **_: Any) -> str:
        found = self._kept.get(name)
        if found and not force_fetch and self._clock.seconds < found[0]:
            return found[1]
        text = str(self._ask("get_parameter", Name=name))
        self._kept[name] = (self._clock.seconds + max_age, text)
        return text

    def get_multiple(self, path: str, **_: Any) -> dict[str, str]:
        found: dict[str, str] = self._ask("get_parameters_by_path", Path=path)
        return found

    def _ask(self, operation: str, **given: Any) -> Any:
        assert self.client is not None
        return getattr(self.client, operation)(**given)
