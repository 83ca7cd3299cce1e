"""Records are appended one after the other, whoever writes at the same time, and whenever a writer dies."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from retraining import evidence, proof, records
from retraining.aws.signing import Lock
from retraining.collaborators import Collaborators
from retraining.errors import Busy
from retraining.evidence import Sources, Written
from retraining.proof.chain import Head, check_chain
from retraining.proof.envelope import Envelope, NotARecord
from retraining.proof.recording import ATTEMPTS
from retraining.proof.statement import parse_record, sha256, statement
from tests.functions.fakes import START, arn_of, register, was_held
from tests.functions.memory import refused
from tests.functions.signers import KEY, OTHER, MemoryKms, altered
from tests.functions.world import World

E0 = "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e0"
E1 = "arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e1"


def sources(world: World, kms: Any = None, **wrapped: Any) -> Sources:
    """Sources of evidence, whose records are signed if there is a `kms`."""
    settings = world.settings._replace(signing_key=KEY if kms else None)
    return world.using(Collaborators, settings=settings, kms=kms, **wrapped).sources


def chain(world: World) -> dict[int, bytes]:
    """The records of the model titanic as S3 has them, by number."""
    found = {
        key: versions[-1][1]
        for key, versions in world.s3.versions.items()  # type: ignore[attr-defined]
        if "/chain/" in key
    }
    assert sorted(found) == [f"evidence/titanic/chain/{n:08}.json" for n in range(1, len(found) + 1)]
    return {number: body for number, (_, body) in enumerate(sorted(found.items()), 1) if body}


def holds(world: World) -> bool:
    """Whether the chain has no gap and no fork, and ends where the ledger says."""
    fact = world.stored("chain#titanic")
    head = Head(fact["sequence"], fact["digest"])
    return check_chain("titanic", chain(world), head=head, check=None).findings == ()


def test_record_is_an_in_toto_statement_about_evidence_and_artifact_in_a_dsse_envelope(world: World) -> None:
    register(world)
    written = evidence.write(sources(world), "titanic", E0)
    written.evidence["artifact"] = {"uri": "s3://data/models/m.tar.gz", "sha256": "ab" * 32, "bytes": 3}
    proof.record(sources(world), "titanic", written)
    stored = json.loads(chain(world)[1])
    assert stored.keys() == {"payloadType", "payload", "signatures"}
    assert (stored["payloadType"], stored["signatures"]) == ("application/vnd.in-toto+json", [])
    record = parse_record(1, chain(world)[1])
    said = json.loads(record.envelope.payload)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://handsoff.dev/evidence/v3"
    assert said["subject"] == [
        {"name": "s3://data/models/m.tar.gz", "digest": {"sha256": "ab" * 32}},
        {
            "name": "evidence/titanic/e0/evidence.json",
            "digest": {"sha256": hashlib.sha256(written.body).hexdigest()},
        },
    ]
    assert (record.model, record.sequence, record.previous) == ("titanic", 1, None)
    assert record.evidence["pipelineExecutionArn"] == E0


def test_record_is_signed_over_what_dsse_says(world: World) -> None:
    kms = MemoryKms()
    register(world)
    records.write(sources(world, kms), "titanic", E0)
    (signature,) = parse_record(1, chain(world)[1]).envelope.signatures
    assert signature.key_id == KEY
    payload = parse_record(1, chain(world)[1]).envelope.payload
    message = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(payload), payload)
    assert parse_record(1, chain(world)[1]).envelope.signed_bytes == message


def test_record_follows_the_record_before_it(world: World) -> None:
    register(world)
    register(world, 2)
    for execution in (E0, E1, E0):
        records.write(sources(world), "titanic", execution)
        was_held(world, arn_of(1))  # a verdict, so that the last evidence differs from the first
    bodies = chain(world)
    digests = [hashlib.sha256(body).hexdigest() for body in bodies.values()]
    assert [parse_record(n, body).previous for n, body in bodies.items()] == [None, *digests[:2]]
    assert [parse_record(n, body).execution for n, body in bodies.items()] == [E0, E1, E0]


@pytest.mark.parametrize("lost", [False, True], ids=["ledger", "lost ledger"])
def test_the_same_evidence_is_recorded_once(world: World, lost: bool) -> None:
    register(world)
    records.write(sources(world), "titanic", E0)
    if lost:
        world.lose_the_ledger()
    records.write(sources(world), "titanic", E0)
    assert list(chain(world)) == [1]
    assert holds(world)


def test_record_after_a_lost_ledger_goes_on_behind_the_last_record(world: World) -> None:
    register(world)
    register(world, 2)
    register(world, 3)
    for execution in (E0, E1):
        records.write(sources(world), "titanic", execution)
    world.lose_the_ledger()
    records.write(sources(world), "titanic", E0.replace("e0", "e2"))
    assert list(chain(world)) == [1, 2, 3]
    assert holds(world)


class Dies:
    """Wraps a client: the call with this number, of the methods that change something, is the last one.

    With `after` the call is made before the writer dies.
    """

    def __init__(self, inner: Any, calls: list[str], at: int, after: bool) -> None:
        self._inner, self._calls, self._at, self._after = inner, calls, at, after

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name not in ("put_object", "get_object", "get_item", "put_item", "update_item", "sign"):
            return method

        def call(**given: Any) -> Any:
            self._calls.append(name)
            dies = len(self._calls) == self._at
            if dies and not self._after:
                raise Died
            try:
                return method(**given)
            finally:
                if dies:
                    raise Died

        return call


class Died(Exception):
    """The writer was ended here."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 12))
def test_death_at_any_call_loses_no_record_and_doubles_none(at: int, after: bool) -> None:
    world, kms, calls = World.empty(), MemoryKms(), list[str]()
    register(world)
    register(world, 2)
    records.write(sources(world, kms), "titanic", E1)
    written = evidence.write(sources(world, kms), "titanic", E0)
    dying = sources(
        world,
        Dies(kms, calls, at, after),
        s3=Dies(world.s3, calls, at, after),
        table=Dies(world.table, calls, at, after),
    )
    try:
        proof.record(dying, "titanic", written)
    except Died:
        assert len(calls) == at
    else:
        assert len(calls) < at
    records.write(sources(world, kms), "titanic", E0)  # the sweep repeats
    assert [parse_record(n, body).execution for n, body in chain(world).items()] == [E1, E0]
    assert holds(world)


class Before:
    """Wraps S3: `act` is called once before the next record is put."""

    def __init__(self, inner: Any, act: Callable[[], object]) -> None:
        self._inner, self._act = inner, [act]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def put_object(self, *, Key: str, **call: Any) -> Any:
        if "/chain/" in Key and self._act:
            self._act.pop()()
        return self._inner.put_object(Key=Key, **call)


def test_two_writers_at_once_take_two_numbers(world: World) -> None:
    register(world)
    register(world, 2)
    other = Before(world.s3, lambda: records.write(sources(world), "titanic", E1))
    records.write(sources(world, s3=other), "titanic", E0)
    assert [parse_record(n, body).execution for n, body in chain(world).items()] == [E1, E0]
    assert holds(world)


def test_a_writer_that_comes_late_records_no_older_evidence_behind_a_newer_one(world: World) -> None:
    register(world)
    late = evidence.write(sources(world), "titanic", E0)
    was_held(world, arn_of(1))
    records.write(sources(world), "titanic", E0)
    with pytest.raises(proof.Replaced):
        proof.record(sources(world), "titanic", late)
    (record,) = (parse_record(n, body) for n, body in chain(world).items())
    assert record.evidence["verdict"]["decision"] == "HOLD"


def test_evidence_that_somebody_replaced_is_not_signed(world: World) -> None:
    kms = MemoryKms()
    register(world)
    written = evidence.write(sources(world, kms), "titanic", E0)
    world.s3.put_object(Bucket="data", Key="evidence/titanic/e0/evidence.json", Body=b'{"by": "Mallory"}')
    with pytest.raises(proof.Replaced, match="was replaced before it was recorded"):
        proof.record(sources(world, kms), "titanic", written)
    assert (chain(world), kms.asked) == ({}, 0)


class Restoring:
    """S3 beside somebody who puts other bytes in the place of evidence.json, so many times."""

    def __init__(self, world: World, times: int) -> None:
        self.world, self.left = world, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world.s3, name)

    def put_object(self, **call: Any) -> Any:
        answer = self.world.s3.put_object(**call)
        if call["Key"].endswith("/evidence.json") and self.left > 0:
            self.left -= 1
            self.world.s3.put_object(Bucket=call["Bucket"], Key=call["Key"], Body=b"{}")
        return answer


@pytest.mark.parametrize(("times", "recorded"), [(1, 1), (2, 1), (100, 0)])
def test_nobody_keeps_a_decision_from_being_recorded_without_a_trace(
    world: World, times: int, recorded: int
) -> None:
    register(world)
    raises = contextlib.nullcontext() if recorded else pytest.raises(proof.Replaced)
    with raises:
        records.write(sources(world, s3=Restoring(world, times)), "titanic", E0)
    assert len(chain(world)) == recorded
    if recorded:
        body = world.s3.get_object(Bucket="data", Key="evidence/titanic/e0/evidence.json")["Body"].read()
        assert parse_record(1, chain(world)[1]).evidence_digest == sha256(body)


def test_record_gives_up_while_others_take_every_number(world: World) -> None:
    register(world)

    class Taken(Before):
        def put_object(self, *, Key: str, **call: Any) -> Any:
            if "/chain/" in Key:
                raise refused("PreconditionFailed", "PutObject", 412)
            return self._inner.put_object(Key=Key, **call)

    with pytest.raises(Busy, match=f"{ATTEMPTS} other records of titanic were made meanwhile"):
        records.write(sources(world, s3=Taken(world.s3, lambda: None)), "titanic", E0)


@pytest.mark.parametrize("code", ["ThrottlingException", "KMSInternalException", "DisabledException"])
def test_nothing_is_recorded_unsigned_while_kms_fails_and_the_repetition_signs(
    world: World, code: str
) -> None:
    kms = MemoryKms()
    kms.failing = [refused(code, "Sign")]
    register(world)
    with pytest.raises(ClientError, match=code):
        records.write(sources(world, kms), "titanic", E0)
    assert chain(world) == {}
    records.write(sources(world, kms), "titanic", E0)
    assert parse_record(1, chain(world)[1]).envelope.signatures[0].key_id == KEY


def test_records_and_what_they_are_about_are_locked(world: World) -> None:
    calls: list[dict[str, Any]] = []

    class Locks:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.s3, name)

        def put_object_retention(self, **call: Any) -> None:
            calls.append(call)

        def put_object(self, **call: Any) -> Any:
            if "ObjectLockMode" in call:
                calls.append(call)
            return world.s3.put_object(**call)

    register(world)
    settings = world.settings._replace(lock=Lock("COMPLIANCE", 30))
    locked = world.using(Collaborators, settings=settings, s3=Locks()).sources
    written = evidence.write(locked, "titanic", E0)
    artifact = {"uri": "s3://data/models/titanic/e0/model.tar.gz", "versionId": "v9", "sha256": "a" * 64}
    found = {**written.evidence, "artifact": artifact, "evaluation": None}
    proof.record(locked, "titanic", Written(found, written.body, written.version_id))
    assert [call["Key"] for call in calls] == [
        "evidence/titanic/e0/evidence.json",
        "models/titanic/e0/model.tar.gz",
        "evidence/titanic/chain/00000001.json",
    ]
    assert [call.get("VersionId") for call in calls] == [written.version_id, "v9", None]
    assert {call["ObjectLockMode"] for call in calls if "ObjectLockMode" in call} == {"COMPLIANCE"}


@pytest.mark.parametrize(
    ("code", "made"),
    [("AccessDenied", 1), ("InvalidRequest", 1), ("NoSuchVersion", 1), ("NoSuchKey", 1), ("SlowDown", 0)],
)
def test_version_that_keeps_another_lock_or_is_gone_is_recorded(world: World, code: str, made: int) -> None:
    class Locked:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.s3, name)

        def put_object_retention(self, **_: Any) -> None:
            raise refused(code, "PutObjectRetention")

        def put_object(self, **call: Any) -> Any:
            return world.s3.put_object(
                **{name: value for name, value in call.items() if not name.startswith("ObjectLock")}
            )

    register(world)
    settings = world.settings._replace(lock=Lock("GOVERNANCE", 30))
    locked = world.using(Collaborators, settings=settings, s3=Locked()).sources
    with contextlib.nullcontext() if made else pytest.raises(ClientError, match=code):
        records.write(locked, "titanic", E0)
    assert len(chain(world)) == made


@pytest.mark.parametrize(
    ("text", "lock"),
    [
        ("", None),
        ("governance:365", Lock("GOVERNANCE", 365)),
        ("compliance:1", Lock("COMPLIANCE", 1)),
    ],
)
def test_lock_is_read_from_the_environment(text: str, lock: Lock | None) -> None:
    assert Lock.parse(text) == lock


def test_lock_ends_after_its_days() -> None:
    assert Lock("GOVERNANCE", 2).until(START) == START + timedelta(days=2)


# ---- what others put into the chain ------------------------------------------------------------------------


def put(world: World, number: int, body: bytes) -> None:
    world.s3.put_object(Bucket="data", Key=f"evidence/titanic/chain/{number:08}.json", Body=body)


def test_a_record_that_names_no_key_of_ours_does_not_count_as_ours(world: World) -> None:
    """Somebody records our evidence first, unsigned or by another key: ours follows, signed."""
    kms = MemoryKms()
    register(world)
    written = evidence.write(sources(world), "titanic", E0)
    payload = statement("titanic", 1, None, written.evidence, written.body)
    put(world, 1, Envelope(payload).dumped())
    put(world, 2, kms.signed(payload, OTHER))
    proof.record(sources(world, kms), "titanic", written)
    proof.record(sources(world, kms), "titanic", written)
    assert (len(chain(world)), kms.asked) == (3, 1)
    assert parse_record(3, chain(world)[3]).envelope.signatures[0].key_id == KEY


MALFORMED: dict[str, Callable[[dict[str, Any]], object]] = {
    "infinite number": lambda said: said["predicate"].update(sequence=float("inf")),
    "no number": lambda said: said["predicate"].update(sequence=True),
    "a fraction": lambda said: said["predicate"].update(sequence=1.0),
    "number of 9 digits": lambda said: said["predicate"].update(sequence=100_000_000),
    "artifact is text": lambda said: said["predicate"]["evidence"].update(artifact="x"),
    "artifact without an address": lambda said: said["predicate"]["evidence"].update(artifact={}),
    "artifact with an odd address": lambda said: said["predicate"]["evidence"].update(
        artifact={"uri": "s3://[x/y", "sha256": "ab" * 32}
    ),
    "files are texts": lambda said: said["predicate"]["evidence"]["data"].update(files=["x"]),
    "a time is none": lambda said: said["predicate"]["evidence"].update(decidedAt="x"),
    "a time without a zone": lambda said: said["predicate"]["evidence"].update(decidedAt="2026-11-01T00:00"),
    "digest is a number": lambda said: said["subject"][0]["digest"].update(sha256=1),
    "evidence is a list": lambda said: said["predicate"].update(evidence=[]),
    "model is a number": lambda said: said["predicate"].update(model=1),
    "previous is a number": lambda said: said["predicate"].update(previous=1),
}
"""What somebody makes of a statement, by its name."""


def deep() -> bytes:
    return Envelope(b"[" * 100_000).dumped()


@pytest.mark.parametrize("name", [*MALFORMED, "deep payload", "deep envelope", "empty"])
def test_a_malformed_record_is_found_and_stops_no_writer(world: World, name: str) -> None:
    register(world)
    records.write(sources(world), "titanic", E0)
    if name in MALFORMED:
        bad = Envelope(altered(chain(world)[1], MALFORMED[name])).dumped()
    else:
        bad = {"deep payload": deep(), "deep envelope": b"[" * 100_000, "empty": b""}[name]
    with pytest.raises(NotARecord):
        parse_record(2, bad)
    put(world, 2, bad)
    was_held(world, arn_of(1))
    records.write(sources(world), "titanic", E0)
    found = world.stored("chain#titanic")
    assert found["sequence"] == 3
    every = {
        n: world.s3.get_object(Bucket="data", Key=key)["Body"].read()
        for n, key in enumerate((f"evidence/titanic/chain/{n:08}.json" for n in (1, 2, 3)), 1)
    }
    checked = check_chain("titanic", every, head=None, check=None)
    assert [(item.kind, item.where[-13:]) for item in checked.findings] == [("form", "00000002.json")]


def test_a_number_far_behind_the_others_is_one_gap_and_no_place_to_go_on(world: World) -> None:
    register(world)
    records.write(sources(world), "titanic", E0)
    last = "evidence/titanic/chain/99999999.json"
    world.s3.put_object(Bucket="data", Key=last, Body=b"{}")
    world.lose_the_ledger()
    was_held(world, arn_of(1))
    records.write(sources(world), "titanic", E0)
    assert world.stored("chain#titanic")["sequence"] == 2
    bodies = {
        n: world.s3.get_object(Bucket="data", Key=f"evidence/titanic/chain/{n:08}.json")["Body"].read()
        for n in (1, 2, 99_999_999)
    }
    findings = check_chain("titanic", bodies, head=None, check=None).findings
    assert [(item.kind, item.where) for item in findings] == [
        ("form", last),
        ("gap", "evidence/titanic/chain/00000003.json to 99999998"),
    ]
    ahead = check_chain("titanic", {1: bodies[1]}, head=Head(4, "x"), check=None).findings
    assert [(item.where, item.expected) for item in ahead] == [
        ("evidence/titanic/chain/00000002.json to 4", "3 records, as the ledger knows record 4")
    ]
