"""Inspects the new files of a batch in parts, and keeps in the model's state how far it has come.

An invocation whose time ends raises OutOfTime; the next one goes on behind the last part. Files that land
meanwhile change nothing as long as those that are inspected already are still the first by key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from retraining.errors import OutOfTime
from retraining.facts.starts import InspectedSoFar, are_many, within_limits
from retraining.starts.batches import DataObject
from retraining.starts.inspection import Fine, Problem, head_bytes, text_bytes
from retraining.starts.snapshot import Inspected

if TYPE_CHECKING:
    from hashlib import _Hash as Digest

    from retraining.collaborators import Collaborators
    from retraining.config.schema import ModelConfig
    from retraining.starts.snapshot import Snapshot

PART: Final = 1000
"""Files that are inspected before the time is asked for and the state is written: two seconds at 30 ms for
each GET by 16 readers."""

PART_BYTES: Final = 16 * 1024 * 1024
"""Bytes of text of such files at most: three to nine seconds of one processor."""

VERSION: Final = "3"
"""Begins what the digest is made of. An inspection that another version has begun is begun anew."""

Look = Callable[[Sequence[DataObject]], Sequence[Inspected]]
"""Inspects files; the results in their order."""


def inspect(snapshot: Snapshot, files: Sequence[DataObject], look: Look, using: Collaborators) -> Snapshot:
    """The snapshot with what these files hold, which are in the order of their keys.

    Of more than one part the results are summed up: each bad file, and the rows of all others. At least one
    part is inspected, however little time is left. Raises OutOfTime after a part.
    """
    size = _part(len(files))
    if len(files) <= size:
        return snapshot._replace(inspected=tuple(look(files)))
    so_far, digest = _begun(snapshot.state.inspected_so_far, files, snapshot.config)
    while so_far.done < len(files) and not are_many(so_far.bad):
        part = files[so_far.done : so_far.done + size]
        _add(digest, part)
        so_far = _plus(so_far, look(part), so_far.done + len(part), digest.hexdigest())
        snapshot = _keep(snapshot, so_far, using)
        if so_far.done < len(files) and using.time_left() <= timedelta(0):
            raise OutOfTime(
                f"{so_far.done:,} of {len(files):,} new files are inspected; the next sweep goes on"
            )
    return snapshot._replace(inspected=tuple(_summed_up(so_far, files)))


def _part(files: int) -> int:
    """How many of these files are inspected before the time is asked for."""
    return min(PART, PART_BYTES // text_bytes(head_bytes(files)))


def _begun(
    known: InspectedSoFar | None, files: Sequence[DataObject], config: ModelConfig
) -> tuple[InspectedSoFar, Digest]:
    """What is known of the first of these files, if they were inspected by this configuration, and the
    SHA-256 of the configuration and those files."""
    nothing = hashlib.sha256(f"{VERSION}\n{config.model_dump_json()}".encode())
    if known is not None:
        digest = nothing.copy()
        _add(digest, files[: known.done])
        if known.digest == digest.hexdigest():
            return known, digest
    return InspectedSoFar(digest=nothing.hexdigest()), nothing


def _add(digest: Digest, files: Sequence[DataObject]) -> None:
    digest.update("".join(f"\n{item.key}\n{item.version_id}" for item in files).encode())


def _plus(so_far: InspectedSoFar, results: Sequence[Inspected], done: int, digest: str) -> InspectedSoFar:
    split_rows = dict(so_far.split_rows)
    for one in results:
        if isinstance(one.result, Fine):
            split, rows = one.file.split or "", one.result.rows
            known = split_rows.get(split, 0)
            split_rows[split] = None if known is None or rows is None else known + rows
    return InspectedSoFar(
        digest=digest,
        done=done,
        split_rows=split_rows,
        bad=within_limits((*so_far.bad, *filter(None, (one.bad_file for one in results)))),
    )


def _summed_up(so_far: InspectedSoFar, files: Sequence[DataObject]) -> Iterator[Inspected]:
    """The bad files, and the rows of all others of a split as those of its first good file."""
    bad = {(one.key, one.version_id): one for one in so_far.bad}
    split_rows = dict(so_far.split_rows)
    for item in files[: so_far.done]:
        if found := bad.get((item.key, item.version_id)):
            yield Inspected(item, Problem(found.kind, found.text, found.row, found.column))
        elif (split := item.split or "") in split_rows:
            yield Inspected(item, Fine(split_rows.pop(split)))


def _keep(snapshot: Snapshot, so_far: InspectedSoFar, using: Collaborators) -> Snapshot:
    """Write how far the inspection has come into the state as it is now.

    If another invocation has changed the state, the snapshot stays as it is: what is decided on it is decided
    again on the new state.
    """
    state, version = using.states.load(snapshot.model)
    kept = state.inspecting(so_far)
    if not using.states.swap(snapshot.model, kept, version) or version != snapshot.version:
        return snapshot
    return snapshot._replace(state=kept, version=version + 1)
