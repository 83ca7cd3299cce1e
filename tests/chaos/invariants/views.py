"""What the bucket showed at a time, from its versions: the invariants' own idea of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

from tests.chaos.account import Version

if TYPE_CHECKING:
    from tests.chaos.runner import Run

ENDINGS: Final = (".csv", ".csv.gz", ".parquet")
"""Ends of a split's single file, as far as producers land such."""


@dataclass(frozen=True)
class View:
    """The data objects of a model as they were: version id and bytes by key."""

    objects: dict[str, tuple[str, bytes]]
    quality: dict[str, str]

    @property
    def versions(self) -> dict[str, str]:
        """Version id by key."""
        return {key: version for key, (version, _) in self.objects.items()}

    @property
    def content(self) -> dict[str, bytes]:
        """Bytes by key."""
        return {key: body for key, (_, body) in self.objects.items()}

    def of(self, *qualities: str) -> set[str]:
        """Keys of objects of these qualities."""
        return {key for key, (version, _) in self.objects.items() if self.quality.get(version) in qualities}

    @property
    def complete(self) -> bool:
        """Whether both splits have data."""
        rests = {key.split("/", 2)[2] for key in self.objects}
        return all(any(rest.startswith(split) for rest in rests) for split in ("train", "validation"))

    def without(self, gone: set[str]) -> dict[str, str]:
        """Version id by key, without these keys."""
        return {key: version for key, version in self.versions.items() if key not in gone}


def is_data(key: str, model: str) -> bool:
    """Whether an object below the model's folder is data: all below a split's folder but hidden names."""
    rest = key.removeprefix(f"curated/{model}/")
    split = next((name for name in ("train", "validation") if rest.startswith(name)), None)
    if split is None or any(part.startswith(("_", ".")) for part in rest.split("/")):
        return False
    after = rest.removeprefix(split)
    return after in ENDINGS or after.startswith("/")


def stacks(run: Run, model: str, purged_after: float) -> dict[str, list[Version]]:
    """All versions by key, oldest first, with those that were purged later than this time."""
    prefix = f"curated/{model}/"
    found = {key: list(it) for key, it in run.account.bucket.versions.items() if key.startswith(prefix)}
    for at, key, version in run.account.bucket.purged:
        if at > purged_after and key.startswith(prefix):
            found.setdefault(key, []).append(version)
    for versions in found.values():
        versions.sort(key=_number)
    return found


def marker_keys(model: str) -> tuple[str, str, str]:
    """The keys of the marker: at the root, and in the folder of each split."""
    return tuple(f"curated/{model}/{folder}_SUCCESS" for folder in ("", "train/", "validation/"))  # type: ignore[return-value]


def markers(run: Run, model: str) -> list[Version]:
    """The versions that completed a delivery, oldest first, also those that were purged.

    Those are the root's, and the second marker of each delivery that its producer knows as a pair.
    """
    root, *splits = marker_keys(model)
    found = stacks(run, model, -1.0)
    second = {pair[1] for pair in run.producers[model].pairs}
    complete = [it for it in found.get(root, []) if it[1] is not None]
    complete += [it for key in splits for it in found.get(key, []) if it[0] in second]
    return sorted(complete, key=_number)


def as_of(
    run: Run,
    model: str,
    marker: Version | None,
    purged_after: float,
    *,
    undeleted: bool = False,
    at_once: bool = False,
) -> View:
    """The model's data as of a marker: of each key the newest version that is no younger.

    None: what is listed. S3's listing does not order a version and its deletion in the same second once
    another version has landed: `undeleted` takes such a version as the later one. `at_once`: it was listed
    before what landed behind the marker in the marker's own second.
    """
    found = {}
    for key, versions in stacks(run, model, purged_after).items():
        known = [it for it in versions if marker is None or it[2] <= marker[2]]
        if marker is not None and at_once:
            known = [it for it in known if it[2] < marker[2] or _number(it) <= _number(marker)]
        if undeleted and len(known) > 1 and known[-1][1] is None and known[-2][2] == known[-1][2]:
            known = known[:-1]
        if is_data(key, model) and known and known[-1][1] is not None:
            found[key] = (known[-1][0], known[-1][1])
    return View(found, run.producers[model].quality)


def views(run: Run, model: str, marker: Version | None) -> Iterator[View]:
    """The views of this marker at all times: people may have purged versions in between."""
    prefix = f"curated/{model}/"
    for at in [-1.0, *(at for at, key, _ in run.account.bucket.purged if key.startswith(prefix))]:
        for undeleted, at_once in product((False, True), repeat=2):
            yield as_of(run, model, marker, at, undeleted=undeleted, at_once=at_once)


def _number(version: Version) -> int:
    """The place of a version among all that landed."""
    return int(version[0].removeprefix("v"))


def marks(run: Run, model: str) -> bool:
    """Whether the model uses a marker."""
    return run.configs[model].retrain.ready.when == "marker"
