"""Pure: which model an object belongs to, what a batch is, and the key of a start.

A batch is what the listing of a model's data objects shows; arrivals are stored nowhere.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

ROOT: Final = "curated/"
"""The keys of all models' landed objects begin so."""

_KEY: Final = re.compile(r"curated/(?P<model>[a-z0-9]+(?:-[a-z0-9]+)*)/(?P<rest>.+)", re.DOTALL)
_DATA: Final = re.compile(
    r"(?P<split>train|validation)(?:\.(?:csv|parquet)|/.+\.(?:csv|csv\.gz|parquet))", re.DOTALL
)


@dataclass(frozen=True)
class Arrival:
    """An object below a model's prefix: `rest` is its key after `curated/<model>/`."""

    model: str
    rest: str


def arrival(key: str) -> Arrival | None:
    """The model that the object with this key belongs to, whether or not this deployment has that model.

    None if the key is below no model's prefix.
    """
    found = _KEY.fullmatch(key)
    return Arrival(found["model"], found["rest"]) if found else None


def split_of(rest: str) -> str | None:
    """`train` or `validation` for a data object, None for a marker or anything else."""
    found = _DATA.fullmatch(rest)
    return found["split"] if found else None


@dataclass(frozen=True, order=True)
class DataObject:
    """One version of one object. `etag` is without quotes, `size` in bytes."""

    key: str
    version_id: str
    etag: str
    size: int
    landed_at: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Batch:
    """The data objects that one execution trains on, sorted by key."""

    model: str
    objects: tuple[DataObject, ...]
    marker: DataObject | None = None
    """The newest version of the marker; None if the model uses no marker, or none has landed."""

    @property
    def identity(self) -> str:
        """SHA-256 over the sorted (key, etag) pairs, as 64 hexadecimal digits.

        The same bytes landed again are the same batch.
        """
        pairs = [[item.key, item.etag] for item in self.objects]
        text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def missing(self) -> list[str]:
        """The splits that have no object."""
        there = {split_of(item.key.removeprefix(f"{ROOT}{self.model}/")) for item in self.objects}
        return [split for split in ("train", "validation") if split not in there]

    @property
    def last_arrival(self) -> datetime | None:
        """When the newest object landed, to the second; None for an empty batch."""
        return max((item.landed_at for item in self.objects if item.landed_at), default=None)

    @property
    def after_marker(self) -> DataObject | None:
        """The first object, by key, that landed after the marker; None if there is none or no marker."""
        if self.marker is None or self.marker.landed_at is None:
            return None
        marked_at = self.marker.landed_at
        return next((item for item in self.objects if item.landed_at and item.landed_at > marked_at), None)

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
                {"key": item.key, "versionId": item.version_id, "etag": item.etag, "size": item.size}
                for item in self.objects
            ],
        }
        return json.dumps(content, ensure_ascii=False, indent=1)

    def new_since(self, previous: Iterable[DataObject]) -> tuple[DataObject, ...]:
        """The objects that are not among `previous` with the same key and the same bytes."""
        known = {(item.key, item.etag) for item in previous}
        return tuple(item for item in self.objects if (item.key, item.etag) not in known)


def batch_of(model: str, objects: Iterable[DataObject], marker: str | None = None) -> Batch:
    """The batch that these objects below the model's prefix make. Objects that are not data are left out.

    `marker` is the marker's key after `curated/<model>/`, None if the model uses no marker.
    """
    prefix = f"{ROOT}{model}/"
    names = {item.key.removeprefix(prefix): item for item in objects}
    data = (item for name, item in names.items() if split_of(name))
    return Batch(model, tuple(sorted(data)), names.get(marker) if marker else None)


def manifest_key(model: str, batch: str) -> str:
    """The key of a batch's manifest in the data bucket."""
    return f"batches/{model}/{batch}/manifest.json"


def start_key(model: str, batch: str, cause: str) -> str:
    """The identity of a start: its key in the ledger and its ClientRequestToken, 64 hexadecimal digits."""
    # The 0 once counted attempts. It stays, so that a start keeps its key in every version.
    text = json.dumps([model, batch, cause, 0], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
