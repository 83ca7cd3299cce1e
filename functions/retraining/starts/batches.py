"""Pure: which model an object belongs to, what a batch is, and the key of a start.

A batch is what the bucket's versions show; arrivals are stored nowhere. A model with a marker trains on the
data as of its newest marker: the data that was there when the marker landed. What lands or is deleted later
belongs to the next marker. Other models train on the newest version of each object.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

from retraining.facts.starts import SPLITS, Marker
from retraining.starts.markers import waits_for
from retraining.starts.names import (
    ELSEWHERE,
    MAX_IGNORED,
    QUARANTINED,
    is_data,
    left_out,
    misplaced,
    split_of,
)

ROOT: Final = "curated/"
"""The keys of all models' landed objects begin so."""

_KEY: Final = re.compile(r"curated/(?P<model>[a-z0-9]+(?:-[a-z0-9]+)*)/(?P<rest>.+)", re.DOTALL)
MAX_OBJECTS: Final = 200_000
"""Data objects of a batch. Listing, manifest and the objects of the batch before take 430 MB then."""

MAX_ENTRIES: Final = 500_000
"""Versions and delete markers below a model's prefix that are listed: 500 calls."""


class Arrival(NamedTuple):
    """An object below a model's prefix: `rest` is its key after `curated/<model>/`."""

    model: str
    rest: str


def arrival(key: str) -> Arrival | None:
    """The model that the object with this key belongs to, whether or not this deployment has that model.

    None if the key is below no model's prefix.
    """
    found = _KEY.fullmatch(key)
    return Arrival(found["model"], found["rest"]) if found else None


@dataclass(frozen=True, order=True)
class DataObject:
    """One version of one object. `etag` is without quotes, `size` in bytes.

    `checksum` is S3's checksum of the whole object with its algorithm, as `CRC64NVME:…`; "" if S3 has none,
    None if S3 was not asked.
    """

    key: str
    version_id: str
    etag: str
    size: int
    landed_at: datetime | None = field(default=None, compare=False)
    checksum: str | None = field(default=None, compare=False)

    @property
    def split(self) -> str | None:
        """`train` or `validation`; None if its name is none of data."""
        found = arrival(self.key)
        return split_of(found.rest) if found else None

    @property
    def content(self) -> str:
        """What tells the bytes: the checksum with the size, else the ETag.

        ETags of the same bytes differ under SSE-KMS, or if they were uploaded in other parts. Checksums
        differ if another algorithm was used.
        """
        return f"{self.checksum}:{self.size}" if self.checksum else self.etag


class Ignored(NamedTuple):
    """An object that holds bytes and is neither data nor marker. `reason` is a key of names.WORDS."""

    key: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """The data objects that one execution trains on, sorted by key."""

    model: str
    objects: tuple[DataObject, ...]
    marker: Marker | None = None
    """The newest version of the marker; None if the model uses no marker, or none has landed.

    A delete marker on it changes nothing: Spark deletes the marker before it writes the next delivery."""

    earlier_markers: tuple[Marker, ...] = ()
    """The versions of the marker before the newest one, newest first."""

    covered: tuple[DataObject, ...] = ()
    """Those of `objects` that are no longer the newest version of their key."""

    later: int = 0
    """Keys of data objects that have landed after the marker. A deletion, such as a quarantine's, is none."""

    cut: bool = False
    """Whether the listing ended at MAX_ENTRIES, so that objects may be missing."""

    ignored: tuple[Ignored, ...] = ()
    """The first MAX_IGNORED objects that are left out: first those that may have been meant as data."""

    ignored_count: int = 0
    """How many objects are left out."""

    table: str | None = None
    """Why the data is not read because it is a table with snapshots, such as Delta's; None if it is none."""

    waiting: Marker | None = None
    """The marker of one split that has landed and waits for the other split's; None if there is none."""

    first_arrival: datetime | None = None
    """When the oldest object that holds bytes landed, to the second; None if it is not known."""

    whole: bool = False
    """Whether the files hold the rows of both splits (`data.split`)."""

    checksums_read: bool = True
    """Whether S3 has been asked for the objects' checksums, which its listing does not tell."""

    @property
    def too_large(self) -> str | None:
        """Why this batch is not trained on, and what to do; None if it is not too large."""
        prefix = f"{ROOT}{self.model}/"
        if self.cut:
            entries = f"more than {MAX_ENTRIES:,} versions and delete markers lie below {prefix}"
            return f"{entries}: let old versions expire, or land fewer and larger files"
        if len(self.objects) > MAX_OBJECTS:
            files = (
                f"the batch below {prefix} has {len(self.objects):,} files, at most {MAX_OBJECTS:,} are read"
            )
            return f"{files}: land fewer and larger files"
        return None

    @cached_property
    def listing(self) -> str:
        """SHA-256 over the sorted (key, ETag) pairs, as 64 hexadecimal digits: the batch as it is listed.

        The state compares batches by it, because a listing tells no checksum. It is the identity, too, if no
        object has a checksum, and where an earlier version named the batch.
        """
        return _digest([item.key, item.etag] for item in self.objects)

    @cached_property
    def identity(self) -> str:
        """SHA-256 over the sorted (key, content) pairs, as 64 hexadecimal digits: the batch's name.

        Known once the checksums are read.
        """
        return _digest([item.key, item.content] for item in self.objects)

    @property
    def completed_at(self) -> datetime | None:
        """When the batch was complete: when its marker landed, or without a marker its last object."""
        return self.marker.landed_at if self.marker else self.last_arrival

    @cached_property
    def missing(self) -> list[str]:
        """The splits that have no object: both or none where the files hold the rows of both."""
        if self.whole:
            return [] if self.objects else [*SPLITS]
        there = {item.split for item in self.objects}
        return [split for split in SPLITS if split not in there]

    @property
    def left_out(self) -> str:
        """How many objects are left out, and the first of them by name with the reason; "" if none is."""
        prefix = f"{ROOT}{self.model}/"
        named = [(one.key.removeprefix(prefix), one.reason) for one in self.ignored]
        return left_out(named, self.ignored_count)

    @property
    def may_be_meant(self) -> bool:
        """Whether an object is left out that may have been meant as data."""
        return any(one.reason == ELSEWHERE for one in self.ignored)

    @property
    def left_out_occurrence(self) -> str | None:
        """What tells a refusal of this delivery apart if people are to be told of what is left out."""
        return f"left out: {self.marker.version_id}" if self.marker and self.may_be_meant else None

    @property
    def without_splits(self) -> str:
        """That splits have no data, and what is left out."""
        return self._with_left_out(self.no_data)

    @property
    def no_data(self) -> str:
        """That splits have no data."""
        return "there is no data" if self.whole else f"there is no {' and no '.join(self.missing)} data"

    @property
    def misplaced(self) -> str | None:
        """Why the data is not read because files are of one split, though `data.split` divides all rows."""
        prefix = f"{ROOT}{self.model}/"
        return misplaced((it.key.removeprefix(prefix) for it in self.objects), prefix) if self.whole else None

    def without_marker(self, name: str) -> str:
        """That no delivery is complete, for want of a marker of this name, and what is left out."""
        if self.waiting is not None:
            return self._with_left_out(waits_for(name, self.waiting))
        return self._with_left_out(f"no marker {name} has landed: land it when the batch is complete")

    def _with_left_out(self, reason: str) -> str:
        return f"{reason}; {self.left_out}" if self.left_out else reason

    @property
    def last_arrival(self) -> datetime | None:
        """When the newest object landed, to the second; None for an empty batch."""
        return max((item.landed_at for item in self.objects if item.landed_at), default=None)

    @property
    def manifest_key(self) -> str:
        """The key of this batch's manifest in the data bucket."""
        return manifest_key(self.model, self.identity)

    def manifest(self) -> str:
        """The manifest as JSON. `DataPreProcessing` reads exactly these versions."""
        content: dict[str, Any] = {
            "model": self.model,
            "batch": self.identity,
            "objects": [
                {
                    "key": item.key,
                    "versionId": item.version_id,
                    "etag": item.etag,
                    "size": item.size,
                    **({} if item.checksum is None else {"checksum": item.checksum}),
                }
                for item in self.objects
            ],
        }
        if self.ignored_count:
            content["ignored"] = [{"key": one.key, "reason": one.reason} for one in self.ignored]
            content["ignoredCount"] = self.ignored_count
        return json.dumps(content, ensure_ascii=False, indent=1)

    def new_since(self, previous: Iterable[DataObject]) -> tuple[DataObject, ...]:
        """The objects that are not among `previous` with the same key and the same bytes."""
        known = {(item.key, name) for item in previous for name in (item.etag, item.content)}
        return tuple(
            item for item in self.objects if not {(item.key, item.etag), (item.key, item.content)} & known
        )

    def same_as(self, previous: Sequence[DataObject]) -> bool:
        """Whether `previous` are the same keys with the same bytes, told for each by ETag or by checksum."""
        return {item.key for item in previous} == {item.key for item in self.objects} and not self.new_since(
            previous
        )

    def covered_since(self, previous: Iterable[DataObject]) -> tuple[DataObject, ...]:
        """The covered versions that are not among `previous`."""
        known = {(item.key, item.version_id) for item in previous}
        return tuple(item for item in self.covered if (item.key, item.version_id) not in known)

    def lost_since(self, previous: Iterable[DataObject]) -> bool:
        """Whether one of `previous` is in this batch no more, as of the same marker.

        A version of the marker's own second that took the place of another one is no loss.
        """
        there = {(item.key, item.version_id) for item in self.objects}
        at = self.marker.landed_at if self.marker else None
        newer = {item.key for item in self.objects if item.landed_at == at}
        return any((item.key, item.version_id) not in there and item.key not in newer for item in previous)

    def with_checksums(self, known: Mapping[tuple[str, str], str | None]) -> Batch:
        """The batch with these checksums, by key and version."""

        def told(item: DataObject) -> DataObject:
            return replace(item, checksum=known.get((item.key, item.version_id)))

        return replace(self, objects=tuple(map(told, self.objects)), checksums_read=True)

    def without_quarantined(self, keys: Sequence[str]) -> Batch:
        """The batch, which says that these files are left out because they are in quarantine."""
        named = (*(Ignored(key, QUARANTINED) for key in keys), *self.ignored)
        return replace(self, ignored=named[:MAX_IGNORED], ignored_count=self.ignored_count + len(keys))

    def without(self, gone: Set[DataObject]) -> Batch:
        """The batch without these versions. None of its versions counts as covered any more."""
        left = tuple(item for item in self.objects if item not in gone)
        return replace(self, objects=left, covered=())


def batch_of(model: str, objects: Iterable[DataObject], *, whole: bool = False) -> Batch:
    """The batch that these objects below the model's prefix make. Objects that are not data are left out."""
    prefix = f"{ROOT}{model}/"
    data = (item for item in objects if is_data(item.key.removeprefix(prefix), whole=whole))
    return Batch(model, tuple(sorted(data)), whole=whole)


def _digest(pairs: Iterable[Sequence[str]]) -> str:
    text = json.dumps(list(pairs), ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def manifest_key(model: str, batch: str) -> str:
    """The key of a batch's manifest in the data bucket."""
    return f"batches/{model}/{batch}/manifest.json"


def start_key(model: str, batch: str, cause: str) -> str:
    """The identity of a start: its key in the ledger and its ClientRequestToken, 64 hexadecimal digits."""
    # The 0 once counted attempts. It stays, so that a start keeps its key in every version.
    text = json.dumps([model, batch, cause, 0], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
