"""What a record of ours does not vouch for is never taken into the next one."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from retraining import evidence, proof, records
from retraining.candidates.decisions import decide
from retraining.evidence import copy
from retraining.facts import keys
from retraining.proof.chain import Head
from retraining.proof.statement import parse_record
from tests.functions.candidates.sweeping import using
from tests.functions.fakes import arn_of, register, was_held
from tests.functions.proof.test_records import E0, chain, sources
from tests.functions.signers import MemoryKms
from tests.functions.world import World

COPY = "evidence/titanic/e0/evidence.json"
URI = f"s3://data/{COPY}"
FORGED = {
    "at": "2026-11-23T06:30:00+00:00",
    "kind": "decided",
    "subject": arn_of(1),
    "status": "Approved",
    "by": "link",
    "who": "Eve",
    "why": "forged",
}


def recorded(world: World) -> MemoryKms:
    """A candidate that was held, with one signed record that names its evaluation."""
    kms = MemoryKms()
    register(world)
    was_held(world, arn_of(1))
    records.write(sources(world, kms), "titanic", E0)
    return kms


def said(world: World, number: int) -> Any:
    return parse_record(number, chain(world)[number]).evidence


def forge(copy: dict[str, Any]) -> None:
    copy["facts"].append(FORGED)
    copy["artifact"] = {"uri": "s3://data/evil.tar.gz", "versionId": "9", "sha256": "ee" * 32, "bytes": 4}


@pytest.mark.parametrize("alter", ["forged", "no JSON", "gone"])
def test_next_record_takes_nothing_from_a_copy_that_was_not_recorded(world: World, alter: str) -> None:
    kms = recorded(world)
    copy = json.loads(world.s3.get_object(Bucket="data", Key=COPY)["Body"].read())
    if alter == "gone":
        world.s3.delete_object(Bucket="data", Key=COPY)
    else:
        forge(copy)
        body = json.dumps(copy).encode() if alter == "forged" else b"{"
        world.s3.put_object(Bucket="data", Key=COPY, Body=body)
    decide(arn_of(1), "Rejected", by="link", who="Bo", why="seen", using=using(world, 31))
    records.write(sources(world, kms), "titanic", E0)
    first, second = said(world, 1), said(world, 2)
    assert second["artifact"] == first["artifact"]
    assert [fact["who"] for fact in second["facts"] if fact["kind"] == "decided"] == ["Bo"]
    assert second["facts"][: len(first["facts"])] == first["facts"]
    what = (
        "the copy that was recorded is gone"
        if alter == "gone"
        else "this copy is not the one that was recorded last"
    )
    assert f"{URI}: {what}; what the record says is kept in its place" in second["missing"]


def test_copy_that_was_recorded_is_taken_over_without_a_note(world: World) -> None:
    kms = recorded(world)
    decide(arn_of(1), "Rejected", by="link", who="Bo", why="seen", using=using(world, 31))
    records.write(sources(world, kms), "titanic", E0)
    assert [text for text in said(world, 2)["missing"] if "evidence.json" in text] == []
    assert said(world, 2)["facts"][: len(said(world, 1)["facts"])] == said(world, 1)["facts"]


def test_without_a_record_the_copy_is_taken_over(world: World) -> None:
    """As after a ledger was lost, and of executions from before there were records."""
    kms = recorded(world)
    world.lose_the_ledger()
    records.write(sources(world, kms), "titanic", E0)
    assert [text for text in said(world, 1)["missing"] if "evidence.json" in text] == []


def written(world: World, kms: MemoryKms) -> None:
    """A copy that its writer did not record: it died, or has not come to it yet."""
    evidence.write(
        sources(world, kms),
        "titanic",
        E0,
        recorded=partial(proof.recorded, sources(world, kms), "titanic", E0),
    )


def copies(world: World) -> list[bytes]:
    """All versions of the copy, the oldest first."""
    found = world.s3.list_object_versions(Bucket="data", Prefix=COPY)["Versions"]
    return [
        world.s3.get_object(Bucket="data", Key=COPY, VersionId=item["VersionId"])["Body"].read()
        for item in reversed(found)
    ]


@pytest.mark.parametrize("decisions", [1, 3])
def test_copy_of_ours_that_is_not_recorded_yet_is_taken_over_without_a_note(
    world: World, decisions: int
) -> None:
    kms = recorded(world)
    for number in range(decisions):
        decide(
            arn_of(1),
            "Approved" if number % 2 else "Rejected",
            by="link",
            who=f"Bo {number}",
            why="seen",
            using=using(world, 31 + number),
        )
        written(world, kms)
    assert len(copies(world)) == 1 + decisions
    records.write(sources(world, kms), "titanic", E0)
    assert [text for text in said(world, 2)["missing"] if "evidence.json" in text] == []


def test_copies_of_ours_that_alternate_are_taken_over_without_a_note(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when an object can be read only each other time; no writer comes to its record."""
    kms = recorded(world)
    decide(arn_of(1), "Rejected", by="link", who="Bo", why="seen", using=using(world, 31))
    real = copy._collected
    for number in range(4):
        note = f"x: cannot be read, {number % 2}"

        def collected(*given: Any, note: str = note) -> tuple[dict[str, Any], str | None]:
            found, replaces = real(*given)
            return {**found, "missing": [note]}, replaces

        monkeypatch.setattr(copy, "_collected", collected)
        written(world, kms)
    monkeypatch.setattr(copy, "_collected", real)
    assert copies(world)[1] == copies(world)[3] != copies(world)[2]
    records.write(sources(world, kms), "titanic", E0)
    assert [text for text in said(world, 2)["missing"] if "evidence.json" in text] == []


def test_earlier_copy_of_ours_that_was_put_back_is_not_taken_over(world: World) -> None:
    kms = recorded(world)
    decide(arn_of(1), "Rejected", by="link", who="Bo", why="seen", using=using(world, 31))
    records.write(sources(world, kms), "titanic", E0)
    world.s3.put_object(Bucket="data", Key=COPY, Body=copies(world)[0])
    records.write(sources(world, kms), "titanic", E0)
    assert f"{URI}: this copy is not the one that was recorded last" in "\n".join(said(world, 3)["missing"])
    assert said(world, 3)["facts"][: len(said(world, 2)["facts"])] == said(world, 2)["facts"]


def test_a_late_note_does_not_hide_a_later_record(world: World) -> None:
    kms = recorded(world)
    ledger, first = sources(world, kms).ledger, sources(world, kms).ledger.get(keys.recorded(E0))
    assert first is not None
    decide(arn_of(1), "Rejected", by="link", who="Bo", why="seen", using=using(world, 31))
    records.write(sources(world, kms), "titanic", E0)
    proof.recording._note(sources(world, kms), "titanic", E0, first.evidence, Head(1, "0" * 64))
    found = ledger.get(keys.recorded(E0))
    assert found is not None
    assert found.sequence == 2
