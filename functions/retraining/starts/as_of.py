"""Pure: the batch that the versions below a model's prefix make, as of a marker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from retraining.facts.starts import Marker
from retraining.starts.batches import ROOT, Batch, DataObject, Ignored
from retraining.starts.names import MAX_IGNORED, ignored_among, is_data, markers_of, table_among


class Version(NamedTuple):
    """An entry of S3's listing of versions: a version of an object, or a delete marker, whose `etag` is None.

    `landed_at` is S3's LastModified in whole seconds: the time of a PUT or DELETE, or the beginning of an
    upload in parts. `newest` says that no later entry has the same key.
    """

    key: str
    version_id: str
    landed_at: datetime
    newest: bool
    etag: str | None = None
    size: int = 0


def batch_as_of(
    model: str,
    versions: Iterable[Version],
    markers: Sequence[Marker] = (),
    name: str | None = None,
    *,
    whole: bool = False,
) -> Batch:
    """The batch as of the newest marker, from the versions and delete markers below the model's prefix.

    `markers` are those that complete a delivery, newest first, `name` is the marker's. If there is none, the
    batch is the newest version of each object. For each key the entry counts that was the newest one when the
    marker landed; a delete marker says that the object was gone then.

    S3's times have steps of one second, so entries of the marker's own second count as landed before it: a
    delivery that takes less than a second would otherwise miss its own files. Of entries of one key in one
    second the newest one counts, then the first version in the listing, then a delete marker.
    """
    at = markers[0].landed_at if markers else None
    prefix = f"{ROOT}{model}/"
    standing, later = _standing(versions, at, prefix, markers_of(name) if name else (), whole=whole)
    holding = {one.key.removeprefix(prefix) for one in standing.values() if one.size}
    ignored = ignored_among(holding, whole=whole)
    objects = _objects(standing, prefix, whole=whole)
    batch = Batch(
        model,
        tuple(sorted(objects)),
        markers[0] if markers else None,
        tuple(markers[1:]),
        covered=tuple(sorted(item for item, newest in objects.items() if not newest)),
        later=len(later),
        ignored=tuple(Ignored(f"{prefix}{rest}", reason) for rest, reason in ignored[:MAX_IGNORED]),
        ignored_count=len(ignored),
        first_arrival=min((one.landed_at for one in standing.values() if one.size), default=None),
        whole=whole,
        checksums_read=False,
    )
    table = table_among(holding, prefix, anywhere=bool(batch.missing), whole=whole)
    return replace(batch, table=table)


def _objects(standing: Mapping[str, Version], prefix: str, *, whole: bool) -> dict[DataObject, bool]:
    """The data objects among these entries, and whether each is still the newest version of its key."""
    return {
        DataObject(one.key, one.version_id, one.etag, one.size, one.landed_at): one.newest
        for one in standing.values()
        if one.etag is not None and is_data(one.key.removeprefix(prefix), whole=whole)
    }


def _standing(
    versions: Iterable[Version], at: datetime | None, prefix: str, no_data: Sequence[str], *, whole: bool
) -> tuple[dict[str, Version], set[str]]:
    """The entry of each key that counts as of `at`, and the keys of data objects with later versions.

    Names below `prefix` in `no_data` are passed over.
    """
    standing: dict[str, Version] = {}
    later: set[str] = set()
    for entry in versions:
        rest = entry.key.removeprefix(prefix)
        if rest in no_data:
            continue
        if at is not None and entry.landed_at > at:
            if entry.etag is not None and is_data(rest, whole=whole):
                later.add(entry.key)
        elif at is not None or entry.newest:
            other = standing.get(entry.key)
            if other is None or _order(entry) > _order(other):
                standing[entry.key] = entry
    return standing, later


def _order(entry: Version) -> tuple[datetime, bool, bool]:
    """Of two entries of a key the one with the larger order is the newer one."""
    return entry.landed_at, entry.newest, entry.etag is not None
