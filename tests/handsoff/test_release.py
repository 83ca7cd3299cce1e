"""`handsoff release` puts a file back, however it went to quarantine, and the next start trains on it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from handsoff.errors import NotFound
from handsoff.operating.quarantine import quarantined_files, release_file
from retraining.starts.quarantine import place
from tests.functions.memory import refused
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, MODEL, OneModel
from tests.functions.starts.test_quarantine import A, bodies, world_of

LONG = "curated/titanic/train/" + "n" * 995 + ".csv"


def deployment(world: OneModel) -> Any:
    """What release needs of a deployment, over the world's bucket and ledger."""
    return SimpleNamespace(
        s3=world.s3,
        bucket="data",
        ledger=world.using().ledger,
        caller="arn:p",
        config=SimpleNamespace(models={MODEL: world.config}),
    )


def release(world: OneModel, key: str) -> None:
    """A person releases the file, and the marker's event arrives."""
    world.now += timedelta(minutes=3)
    assert release_file(deployment(world), MODEL, place(MODEL, key)) == key
    world.come("landing")


def trained_on(world: OneModel) -> list[str]:
    """The keys in the manifest of the one execution."""
    assert len(world.started()) == 1
    (manifest,) = [key for key in world.s3.versions if key.startswith("batches/")]
    body = bodies(world.s3, manifest)[-1] or b""
    return [line.split('"')[3] for line in body.decode().splitlines() if '"key"' in line]


@pytest.mark.parametrize("key", [A, LONG])
def test_release_puts_a_copied_file_back(key: str) -> None:
    world, s3 = world_of(key)
    world.come("landing")
    assert [file.key for file in quarantined_files(deployment(world), MODEL)] == [key]
    release(world, key)
    assert bodies(s3, key) == [BAD, None, BAD]
    assert key in trained_on(world)
    assert quarantined_files(deployment(world), MODEL) == []


def test_release_of_a_file_that_was_not_copied_takes_the_version_that_landed() -> None:
    world, s3 = world_of(A)
    s3.errors["CopyObject", A] = refused("AccessDenied", "CopyObject")
    world.come("landing")
    del s3.errors["CopyObject", A]
    (file,) = quarantined_files(deployment(world), MODEL)
    assert (file.not_copied or "").startswith("access is denied")
    release(world, A)
    assert bodies(s3, A) == [BAD, None, BAD]
    assert A in trained_on(world)
    assert quarantined_files(deployment(world), MODEL) == []


def test_release_of_a_file_that_could_not_be_hidden_leaves_it_where_it_is() -> None:
    world, s3 = world_of(A)
    s3.errors["DeleteObject", A] = refused("AccessDenied", "DeleteObject")
    world.come("landing")
    release(world, A)
    assert bodies(s3, A) == [BAD]
    assert A in trained_on(world)


def test_release_of_a_file_that_has_landed_again_is_refused() -> None:
    world, _ = world_of(A)
    world.come("landing")
    world.land("train/a.csv", HEADER + ROWS)
    with pytest.raises(NotFound, match="has landed again since"):
        release_file(deployment(world), MODEL, place(MODEL, A))


def test_quarantined_files_lists_landed_files_only_if_a_file_is_in_quarantine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, s3 = world_of(A)
    listed: list[str] = []
    list_versions = s3.list_object_versions

    def recorded(*, Prefix: str, **call: Any) -> dict[str, Any]:
        listed.extend([Prefix] if Prefix.startswith("curated/") else [])
        return list_versions(Prefix=Prefix, **call)

    monkeypatch.setattr(s3, "list_object_versions", recorded)
    assert quarantined_files(deployment(world), MODEL) == []
    assert listed == []
    world.come("landing")
    listed.clear()
    assert [file.key for file in quarantined_files(deployment(world), MODEL)] == [A]
    assert listed == [f"curated/{MODEL}/"]


def test_report_of_an_earlier_version_is_read() -> None:
    """It says nothing of a copy: there was one."""
    world, s3 = world_of(A)
    world.come("landing")
    name = place(MODEL, A) + ".report.json"
    body = bodies(s3, name)[-1] or b""
    s3.put_object(Key=name, Body=body.replace(b'"notCopied": null,', b""))
    (file,) = quarantined_files(deployment(world), MODEL)
    assert file.not_copied is None
