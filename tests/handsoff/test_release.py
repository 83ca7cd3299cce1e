"""`handsoff release` puts a file back, however it went to quarantine, and the next start trains on it."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from handsoff.errors import NotFound
from handsoff.operating.deliveries import deliveries
from handsoff.operating.quarantine import quarantined_files, release_all, release_file
from retraining.starts.quarantine import place
from tests.functions.memory import refused
from tests.functions.models import HEADER, ROWS
from tests.functions.starts.one_model import BAD, MODEL, OneModel
from tests.functions.starts.test_quarantine import A, B, bodies, report, state_of, world_of

LONG = "curated/titanic/train/" + "n" * 995 + ".csv"
EXCEL = "curated/titanic/train/book.csv"


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


def test_release_all_puts_every_file_back_and_lands_one_marker() -> None:
    world, s3 = world_of(A, B)
    world.come("landing")
    world.now += timedelta(minutes=3)
    assert release_all(deployment(world), MODEL) == ([A, B], [])
    assert len(bodies(s3, "curated/titanic/_SUCCESS")) == 2
    world.come("landing")
    assert {A, B} <= set(trained_on(world))
    assert quarantined_files(deployment(world), MODEL) == []


def test_release_without_marker_starts_nothing_until_one_lands() -> None:
    world, s3 = world_of(A, B)
    world.come("landing")
    world.now += timedelta(minutes=3)
    assert release_all(deployment(world), MODEL, marker=False) == ([A, B], [])
    assert len(bodies(s3, "curated/titanic/_SUCCESS")) == 1
    world.mark()
    assert {A, B} <= set(trained_on(world))


def test_release_all_leaves_what_was_replaced_and_what_no_job_can_read() -> None:
    world, s3 = world_of(A, B)
    s3.put_object(Key=EXCEL, Body=b"PK\x03\x04" + b"\x00" * 26 + b"xl/workbook.xml")
    world.mark()
    world.now += timedelta(minutes=3)
    world.land("train/b.csv", HEADER + ROWS)
    back, stay = release_all(deployment(world), MODEL)
    assert back == [A]
    assert [(file.key, file.replaced) for file in stay] == [(B, True), (EXCEL, False)]
    assert "an Excel workbook (xlsx)" in stay[1].text


def test_release_all_lands_no_marker_if_nothing_is_released() -> None:
    world, s3 = world_of()
    assert release_all(deployment(world), MODEL) == ([], [])
    assert len(bodies(s3, "curated/titanic/_SUCCESS")) == 1


def test_report_offers_a_release_only_of_a_file_that_a_job_may_read() -> None:
    world, s3 = world_of(A)
    s3.put_object(Key=EXCEL, Body=b"PK\x03\x04" + b"\x00" * 26 + b"xl/workbook.xml")
    world.mark()
    assert report(s3, A)["wayOut"] == (
        "land a corrected file, or: handsoff release titanic quarantine/titanic/train/a.csv"
    )
    assert report(s3, EXCEL)["wayOut"] == "land a corrected file"


def test_files_that_went_to_quarantine_are_no_delivery_under_way() -> None:
    world, s3 = world_of(A, B)
    world.now += timedelta(minutes=1)
    world.come("landing")
    assert bodies(s3, A) == [BAD, None]
    found = deliveries(deployment(world), MODEL, state_of(world))
    assert [item.answer for item in found] == ["answered"]
    world.land("train/c.csv", HEADER + ROWS)
    newest = deliveries(deployment(world), MODEL, state_of(world))[0]
    assert (newest.answer, newest.reason) == ("under way", "1 file has landed without a marker after them")
