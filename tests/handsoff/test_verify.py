"""`handsoff verify` finds whatever was changed afterwards, and says what, with AWS in memory."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from handsoff import cli
from handsoff.commands import terminal
from handsoff.commands import verify as verifying
from handsoff.deployment import Deployment
from retraining import evidence, proof
from retraining.candidates.decisions import decide
from retraining.collaborators import Collaborators
from retraining.config.schema import Config
from retraining.evidence import Written
from retraining.proof.envelope import Envelope, parse_envelope
from tests.evidence_form import misfits
from tests.functions.fakes import arn_of, register, was_held
from tests.functions.memory import refused
from tests.functions.signers import KEY, OTHER, MemoryKms, altered
from tests.functions.world import World

MODEL = """
evidence: {signing_key: create}
models:
  titanic:
    task: binary_classification
    target: survived
    features: {numeric: [age, sibsp, parch, fare], categorical: [pclass, sex, embarked]}
    approval: {rules: [{metric: accuracy, min: 0.78}]}
"""
EXECUTION = "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e{}"


def put(world: World, key: str, body: bytes) -> str:
    """Put an object; its version."""
    return str(world.s3.put_object(Bucket="data", Key=key, Body=body)["VersionId"])


def read(world: World, key: str) -> bytes:
    return world.s3.get_object(Bucket="data", Key=key)["Body"].read()


def record_key(number: int) -> str:
    return f"evidence/titanic/chain/{number:08}.json"


def recorded(world: World, number: int, kms: MemoryKms | None, **more: Any) -> None:
    """Write evidence of the execution with this number as it is now, and record it.

    It tells of a model artifact, an evaluation and a version of a file of data.
    """
    settings = world.settings._replace(signing_key=KEY if kms else None)
    sources = world.using(Collaborators, settings=settings, kms=kms).sources
    written = evidence.write(
        sources, "titanic", f"arn:aws:sagemaker:us-east-1:1:pipeline/p/execution/e{number}"
    )
    folder = f"models/titanic/e{number}"
    found = dict(written.evidence)
    for name, file in (("artifact", "model.tar.gz"), ("evaluation", "evaluation.json")):
        body = read(world, f"{folder}/{file}")
        digest = hashlib.sha256(body).hexdigest()
        found[name] = {"uri": f"s3://data/{folder}/{file}", "versionId": "v", "sha256": digest}
    found["artifact"] |= {"bytes": 7}
    data = world.s3.head_object(Bucket="data", Key="curated/titanic/train.csv")
    trained = {
        "key": "curated/titanic/train.csv",
        "versionId": data["VersionId"],
        "etag": data["ETag"],
        "size": 5,
    }
    found["data"] = {**found["data"], "files": [{**trained, "checksum": None, "sha256": None, "rows": None}]}
    found |= {"pipelineExecutionArn": EXECUTION.format(number), **more}
    assert misfits(found) == []
    body = json.dumps(found).encode()
    put_as = put(world, f"evidence/titanic/e{number}/evidence.json", body)
    proof.record(sources, "titanic", Written(found, body, put_as))


@pytest.fixture
def world() -> World:
    """An account in memory, in which evidence need not keep its form: the tests change it."""
    return World.empty()


@pytest.fixture
def kms() -> MemoryKms:
    return MemoryKms()


@pytest.fixture
def deployed(world: World, kms: MemoryKms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A model with the versions 1 (approved by Ana), 2 (waits) and 3 (held, then rejected), and 5 records."""
    (tmp_path / "handsoff.yaml").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def deployment(config: Config, folder: Path) -> Deployment:
        made = Deployment(config, folder)
        made.__dict__.update(
            sagemaker=world.sagemaker,
            s3=world.s3,
            kms=kms,
            account="123456789012",
            partition="aws",
            bucket="data",
            ledger=world.ledger,
            stack={"Parameters": [{"ParameterKey": "SigningKey", "ParameterValue": KEY}]},
        )
        return made

    monkeypatch.setattr(terminal, "Deployment", deployment)
    put(world, "curated/titanic/train.csv", b"a,b\n1")
    for version in (1, 2, 3):
        register(world, version)
        uri = f"s3://data/models/titanic/e{version - 1}/model.tar.gz"
        served(world, version)["ModelDataUrl"] = uri
        put(world, f"models/titanic/e{version - 1}/model.tar.gz", b"model %d" % version)
        recorded(world, version - 1, kms)
    using = world.using(Collaborators)
    for version, status, who in ((1, "Approved", "Ana"), (3, "Rejected", "Bo")):
        was_held(world, arn_of(version))
        decide(arn_of(version), status, by="link", who=who, why="seen", using=using)  # type: ignore[arg-type]
        recorded(world, version - 1, kms)
    return world


def served(world: World, version: int) -> dict[str, Any]:
    """The container that serves a package."""
    return world.sagemaker.packages[arn_of(version)]["InferenceSpecification"]["Containers"][0]  # type: ignore[no-any-return]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["verify", *arguments])


def found(*arguments: str, code: int = 1) -> list[tuple[str, str]]:
    """The kinds of the findings, and where they are."""
    done = run(*arguments, "--json")
    assert done.exit_code == code, done.output
    said = json.loads(done.stdout)
    findings = said["findings"] if "findings" in said else said["models"][0]["findings"]
    assert said["holds"] is (not findings)
    return [(item["kind"], item["where"]) for item in findings]


@pytest.mark.parametrize("target", ["titanic", "titanic/1", arn_of(1), "e0", EXECUTION.format(0)])
def test_verify_of_what_is_as_recorded_finds_nothing(deployed: World, target: str) -> None:
    assert found(target, code=0) == []
    done = run(target)
    assert (done.exit_code, "5 records, 5 signed by a trusted key" in done.stdout) == (0, True)
    assert "everything holds" in done.stdout
    assert len(deployed.s3.versions[record_key(1)]) == 1  # type: ignore[attr-defined]


Change = Callable[[World, MemoryKms], None]
EVIDENCE = "evidence/titanic/e0/evidence.json"


def object_changed(key: str) -> Change:
    return lambda world, _: void(put(world, key, read(world, key) + b" "))


def void(_: object) -> None:
    """Nothing: for the body of a lambda."""


def gone(key: str) -> Change:
    return lambda world, _: void(world.s3.delete_object(Bucket="data", Key=key))


def resealed(change: Callable[[dict[str, Any]], None]) -> Change:
    """Record 4 with another payload and the signature that it had."""

    def changed(world: World, _: MemoryKms) -> None:
        envelope = parse_envelope(read(world, record_key(4)))
        payload = altered(read(world, record_key(4)), change)
        put(world, record_key(4), envelope._replace(payload=payload).dumped())

    return changed


def resigned(number: int, key: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> Change:
    return lambda world, kms: void(
        put(world, record_key(number), kms.signed(altered(read(world, record_key(number)), change), key))
    )


def unsigned(number: int) -> Change:
    def changed(world: World, _: MemoryKms) -> None:
        envelope = parse_envelope(read(world, record_key(number)))
        put(world, record_key(number), envelope._replace(signatures=()).dumped())

    return changed


def signature_altered(world: World, _: MemoryKms) -> None:
    envelope = parse_envelope(read(world, record_key(5)))
    (signature,) = envelope.signatures
    other = signature._replace(value=signature.value[:-1] + bytes([signature.value[-1] ^ 1]))
    put(world, record_key(5), envelope._replace(signatures=(other,)).dumped())


def replayed(world: World, _: MemoryKms) -> None:
    """evidence.json as it was before the decision."""
    versions = world.s3.versions[EVIDENCE]  # type: ignore[attr-defined]
    before = next(
        body
        for _, body, _ in versions
        if b'"decidedWho": null' in body and b"pipeline/handsoff-titanic/execution" in body
    )
    put(world, EVIDENCE, before)


def chain_replaced(world: World, kms: MemoryKms) -> None:
    """Each record signed anew by another key, and all links as they should be."""
    before: list[str | None] = [None]
    for number in range(1, 6):
        payload = altered(
            read(world, record_key(number)), lambda said: said["predicate"].update(previous=before[-1])
        )
        body = kms.signed(payload, OTHER)
        put(world, record_key(number), body)
        before.append(hashlib.sha256(body).hexdigest())


def of_another_model(said: dict[str, Any]) -> None:
    said["predicate"]["model"] = "prices"


def another_version(world: World, _: MemoryKms) -> None:
    versions = world.s3.versions["curated/titanic/train.csv"]  # type: ignore[attr-defined]
    identity, _body, at = versions[0]
    versions[0] = (identity, b"a,b\n2", at)


R4, R5 = record_key(4), record_key(5)
CHANGES: dict[str, tuple[Change, list[tuple[str, str]]]] = {
    "tampered artifact": (
        object_changed("models/titanic/e0/model.tar.gz"),
        [("artifact", "s3://data/models/titanic/e0/model.tar.gz")],
    ),
    "removed artifact": (
        gone("models/titanic/e0/model.tar.gz"),
        [("missing", "s3://data/models/titanic/e0/model.tar.gz")],
    ),
    "tampered evaluation": (
        object_changed("models/titanic/e0/evaluation.json"),
        [("evaluation", "s3://data/models/titanic/e0/evaluation.json")],
    ),
    "tampered evidence": (object_changed(EVIDENCE), [("evidence", EVIDENCE)]),
    "removed evidence": (gone(EVIDENCE), [("missing", EVIDENCE)]),
    "replay of old evidence": (replayed, [("replay", EVIDENCE)]),
    "evidence slipped in": (
        lambda world, _: void(put(world, "evidence/titanic/e9/evidence.json", b'{"schemaVersion": 3}')),
        [("unrecorded", "evidence/titanic/e9/evidence.json")],
    ),
    "unreadable evidence slipped in": (
        lambda world, _: void(put(world, "evidence/titanic/e9/evidence.json", b"{")),
        [("unrecorded", "evidence/titanic/e9/evidence.json")],
    ),
    "tampered payload": (
        resealed(lambda said: said["predicate"]["evidence"].update(decidedWho="Mallory")),
        [("signature", R4), ("fork", R4)],
    ),
    "tampered signature": (signature_altered, [("signature", R5), ("head", R5)]),
    "record signed by another key": (resigned(5, OTHER), [("key", R5), ("head", R5)]),
    "record forged and signed by the right key": (
        resigned(4, KEY, lambda said: said["predicate"]["evidence"].update(decidedWho="Mallory")),
        [("fork", R5)],
    ),
    "record without its signature": (unsigned(5), [("unsigned", R5), ("head", R5)]),
    "record removed in the middle": (gone(R4), [("gap", R4), ("evidence", EVIDENCE)]),
    "tail removed": (gone(R5), [("gap", R5), ("evidence", "evidence/titanic/e2/evidence.json")]),
    "record of another model": (
        resigned(5, KEY, of_another_model),
        [("model", R5), ("head", R5), ("missing", "evidence/prices/e2/evidence.json")],
    ),
    "record of another place": (
        lambda world, _: void(put(world, R5, read(world, record_key(3)))),
        [("sequence", R5), ("fork", R5), ("head", R5), ("evidence", "evidence/titanic/e2/evidence.json")],
    ),
    "no record": (
        lambda world, _: void(put(world, R4, b"{}")),
        [("form", R4), ("evidence", EVIDENCE)],
    ),
    "the whole chain made anew with another key": (
        chain_replaced,
        [*(("key", record_key(number)) for number in range(1, 6)), ("head", R5)],
    ),
    "data version with other bytes": (
        another_version,
        [("data", "s3://data/curated/titanic/train.csv?versionId=v1")] * 3,
    ),
}
"""What somebody changes, by its name, and the findings: their kinds and places."""


@pytest.mark.parametrize("name", CHANGES)
def test_verify_finds_what_was_changed(deployed: World, kms: MemoryKms, name: str) -> None:
    change, expected = CHANGES[name]
    change(deployed, kms)
    findings = found("titanic")
    assert findings == expected


def test_verify_finds_a_package_that_serves_another_model(deployed: World) -> None:
    served(deployed, 1)["ModelDataUrl"] = "s3://data/evil.tar.gz"
    assert found("titanic") == [("registry", arn_of(1))]


def test_verify_notes_another_approval_than_the_last_record_says(deployed: World) -> None:
    deployed.sagemaker.packages[arn_of(2)]["ModelApprovalStatus"] = "Approved"
    done = run("titanic")
    assert (
        done.exit_code,
        "handsoff-titanic/2 is Approved in the registry, record 2 says" in done.stdout,
    ) == (
        0,
        True,
    )


def test_verify_finds_that_chain_evidence_and_ledger_are_gone(deployed: World) -> None:
    deployed.lose_the_ledger()
    for key in list(deployed.s3.versions):  # type: ignore[attr-defined]
        if key.startswith("evidence/"):
            deployed.s3.delete_object(Bucket="data", Key=key)
    kinds = found("titanic")
    assert ("unrecorded", arn_of(1)) in kinds
    assert {kind for kind, _ in kinds} == {"unrecorded"}


@pytest.mark.parametrize("name", ["manifest", "report"])
def test_verify_finds_another_manifest_and_data_report(deployed: World, kms: MemoryKms, name: str) -> None:
    put(deployed, "batches/x.json", b"{}")
    data = {name: "s3://data/batches/x.json", f"{name}Sha256": hashlib.sha256(b"{}").hexdigest()}
    before = parse_envelope(read(deployed, record_key(2)))
    said = json.loads(before.payload)["predicate"]["evidence"]["data"]
    recorded(deployed, 1, kms, data={**said, **data, "fileCount": 3000})
    assert found("titanic/2", code=0) == []
    assert "e1: 1 of 3000 data files are looked at" in run("titanic/2").stdout
    put(deployed, "batches/x.json", b"{ }")
    assert found("titanic/2") == [("data", "s3://data/batches/x.json")]


def test_verify_finds_a_record_that_contradicts_an_earlier_one(deployed: World, kms: MemoryKms) -> None:
    """A function signed what somebody had put into evidence.json in between."""
    put(deployed, "models/titanic/e0/model.tar.gz", b"evil")
    recorded(deployed, 0, kms)
    assert found("titanic") == [("contradiction", record_key(6))]
    recorded(deployed, 0, kms, facts=[])
    assert found("titanic") == [("contradiction", record_key(6)), ("contradiction", record_key(7))]


def test_verify_finds_a_removed_tail_after_the_ledger_was_lost(deployed: World) -> None:
    deployed.lose_the_ledger()
    for number in (2, 4, 5):
        gone(record_key(number))(deployed, MemoryKms())
    assert found("titanic") == [
        ("gap", record_key(2)),
        ("evidence", EVIDENCE),
        ("evidence", "evidence/titanic/e2/evidence.json"),
        ("unrecorded", "evidence/titanic/e1/evidence.json"),
    ]


def test_verify_with_a_lost_ledger_finds_nothing(deployed: World) -> None:
    deployed.lose_the_ledger()
    assert found("titanic", code=0) == []


def test_verify_says_expected_and_found_of_each_finding(deployed: World) -> None:
    key = "models/titanic/e0/model.tar.gz"
    put(deployed, key, b"bad")
    done = run("titanic/1")
    assert done.exit_code == 1
    assert f"  artifact s3://data/{key}\n" in done.stdout
    assert f"    expected {hashlib.sha256(b'model 1').hexdigest()}\n" in done.stdout
    assert f"    found    {hashlib.sha256(b'bad').hexdigest()}\n" in done.stdout
    assert "everything holds" not in done.stdout
    assert run("titanic/2").exit_code == 0  # of that package everything holds


def test_expired_data_is_gone_and_no_finding(deployed: World) -> None:
    deployed.s3.versions["curated/titanic/train.csv"].clear()  # type: ignore[attr-defined]
    done = run("titanic/1")
    assert done.exit_code == 0
    assert "1 of 1 versions of data are gone: overwritten data expires (aws.version_days)" in done.stdout


def test_evidence_of_an_earlier_version_is_not_recorded_and_no_finding(deployed: World) -> None:
    put(deployed, "evidence/titanic/e8/evidence.json", b'{"schemaVersion": 2}')
    for target in ("titanic", "e8"):
        done = run(target)
        assert (done.exit_code, "e8: not recorded (before this version)" in done.stdout) == (0, True)


def test_packages_and_executions_that_sagemaker_forgot_are_verified(deployed: World) -> None:
    deployed.sagemaker.packages.clear()
    assert found("titanic/1", code=0) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["titanic/9"], "neither SageMaker nor the records of titanic know titanic/9"),
        (["e7"], "no model has evidence of an execution e7"),
        (["titanic", "--at", "yesterday"], "--at yesterday is no time: expected a date such as 2026-11-14"),
        (["titanic", "--at", "20261130"], "--at 20261130 is no time"),
        (["titanic", "--at", "2026-W49-1"], "--at 2026-W49-1 is no time"),
        (["titanic", "--at", "9999-12-31"], "--at 9999-12-31 is no time"),
        (["titanic", "--at", "0001-01-01T00:00+14:00"], "+14:00 is no time"),
        (["titanic/1", "--at", "2026-11-14"], "--at goes with a model of handsoff.yaml, not with titanic/1"),
        (["--at", "2026-11-14"], "--at goes with one MODEL"),
        (["no.json"], "no.json cannot be read: No such file or directory"),
        (["titanic", "--key", "handsoff.yaml"], "handsoff.yaml is no public key in PEM"),
        (["handsoff.yaml"], "no evidence record among handsoff.yaml"),
    ],
)
def test_what_cannot_be_verified_ends_with_2(deployed: World, arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert (done.exit_code, words in done.output) == (2, True), done.output
    assert deployed.messages() is not None


def test_refusals_of_aws_end_with_2(deployed: World, kms: MemoryKms, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**_: Any) -> None:
        raise refused("AccessDeniedException", "GetPublicKey")

    monkeypatch.setattr(kms, "get_public_key", denied)
    done = run("titanic")
    assert (done.exit_code, "AWS refused GetPublicKey" in done.output) == (2, True)
    assert deployed.messages() is not None


def test_deleted_key_says_how_its_public_key_helps(deployed: World, kms: MemoryKms) -> None:
    kms.keys.clear()
    done = run("titanic")
    assert (done.exit_code, "give its public key, which you have kept, by --key FILE" in done.output) == (
        2,
        True,
    )
    assert deployed.messages() is not None


# ---- keys that were changed --------------------------------------------------------------------------------


def configured(text: str) -> None:
    Path("handsoff.yaml").write_text(MODEL.replace("evidence: {signing_key: create}", text))


def test_records_of_an_earlier_key_hold_while_the_configuration_names_it(
    deployed: World, kms: MemoryKms
) -> None:
    configured(f"evidence: {{signing_key: '{OTHER}'}}")
    assert {kind for kind, _ in found("titanic")} == {"key"}
    configured(f"evidence: {{signing_key: '{OTHER}', earlier_keys: ['{KEY}']}}")
    assert found("titanic", code=0) == []
    assert kms.asked == 5
    assert deployed.messages() is not None


def test_records_from_before_the_key_hold_and_a_signed_one_vouches_for_them(
    deployed: World, kms: MemoryKms
) -> None:
    for number in (1, 2, 3, 4, 5):
        gone(record_key(number))(deployed, kms)
    deployed.lose_the_ledger()
    recorded(deployed, 0, None)
    recorded(deployed, 1, None)
    assert [kind for kind, _ in found("titanic") if kind != "unrecorded"] == [
        "unsigned"
    ]  # no record is signed
    recorded(deployed, 2, kms)
    assert found("titanic", code=0) == []
    assert "2 records were made before a key was named; record 3 vouches for them" in run("titanic").stdout


def test_without_a_key_verify_says_that_nothing_is_signed(
    deployed: World, kms: MemoryKms, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured("")
    assert found("titanic", code=0) == []  # by the key that the functions sign with
    monkeypatch.setattr(Deployment, "signing_key", None)
    done = run("titanic")
    assert (done.exit_code, "everything holds" in done.stdout) == (2, False)
    assert "unreadable the signatures of 5 records: no key is named in evidence.signing_key" in done.stdout
    for number in (1, 2, 3, 4, 5):
        gone(record_key(number))(deployed, kms)
    deployed.lose_the_ledger()
    for number in (0, 1, 2):
        recorded(deployed, number, None)
    done = run("titanic")
    assert (done.exit_code, "no record is signed, as no key is named" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("key", "call"),
    [
        ("models/titanic/e2/model.tar.gz", "get_object"),
        ("models/titanic/e2/evaluation.json", "get_object"),
        ("evidence/titanic/e2/evidence.json", "get_object"),
        ("curated/titanic/train.csv", "head_object"),
        ("evidence/titanic/e9/evidence.json", "get_object"),
    ],
)
def test_an_unreadable_object_hides_no_finding(
    deployed: World, monkeypatch: pytest.MonkeyPatch, key: str, call: str
) -> None:
    """S3 gives no object that is archived, or that nobody may read."""
    real = getattr(deployed.s3, call)

    def read_it(**asked: Any) -> Any:
        if asked["Key"] == key:
            raise refused("AccessDenied", "GetObject")
        return real(**asked)

    put(deployed, "evidence/titanic/e9/evidence.json", b'{"schemaVersion": 2}')
    monkeypatch.setattr(deployed.s3, call, read_it)
    done = run("titanic", "--json")
    (said,) = json.loads(done.stdout)["models"]
    assert (done.exit_code, said["findings"], said["holds"]) == (2, [], False)
    assert {key in item["where"] for item in said["unreadable"]} == {True}
    assert "everything holds" not in run("titanic").stdout
    bad = "models/titanic/e0/model.tar.gz"
    put(deployed, bad, b"bad")
    done = run("titanic", "--json")
    (said,) = json.loads(done.stdout)["models"]
    assert (done.exit_code, [item["where"] for item in said["findings"]]) == (1, [f"s3://data/{bad}"])


# ---- which model was champion ------------------------------------------------------------------------------


def at(time: str, code: int = 0) -> dict[str, Any]:
    done = run("titanic", "--at", time, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)["models"][0]  # type: ignore[no-any-return]


def with_decisions(world: World, kms: MemoryKms) -> None:
    """Version 1 approved on November 1, version 2 on the 10th, version 2 rejected on the 20th."""
    early = {
        "status": "Approved",
        "by": "rules",
        "at": "2026-11-10T12:00:00+00:00",
        "why": "all rules passed",
    }
    decided = {"decidedBy": "link", "decidedWho": "Bo", "decidedWhy": "worse in the field"}
    recorded(
        world, 0, kms, modelPackageArn=arn_of(1), modelApprovalStatus="Approved", decidedBy="rules",
        decidedAt="2026-11-01T12:00:00+00:00", decidedWhy="better", earlierDecisions=[],
    )  # fmt: skip
    recorded(
        world, 1, kms, modelPackageArn=arn_of(2), modelApprovalStatus="Rejected", earlierDecisions=[early],
        decidedAt="2026-11-20T12:00:00+00:00", **decided,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("time", "package", "by", "until"),
    [
        ("2026-10-31", None, None, None),
        ("2026-11-01T11:59:59Z", None, None, None),
        ("2026-11-01T12:00:00Z", 1, "rules", "2026-11-10T12:00:00+00:00"),
        ("2026-11-01", 1, "rules", "2026-11-10T12:00:00+00:00"),
        ("2026-11-14", 2, "rules", "2026-11-20T12:00:00+00:00"),
        ("2026-11-20T13:00+02:00", 2, "rules", "2026-11-20T12:00:00+00:00"),
        ("2026-11-21", 1, "rules", None),
    ],
)
def test_champion_at_a_time_is_the_package_approved_last_until_then(
    deployed: World, kms: MemoryKms, time: str, package: int | None, by: str | None, until: str | None
) -> None:
    with_decisions(deployed, kms)
    said = at(time)["champion"]
    if package is None:
        assert said is None
        return
    assert (said["modelPackageArn"], said["by"]) == (arn_of(package), by)
    if until is None:  # until Ana approved it anew today, which record 4 tells: its facts count, too
        assert (said["until"]["modelPackageArn"], said["until"]["who"]) == (arn_of(1), "Ana")
    else:
        assert said["until"]["at"] == until


@pytest.mark.slow
def test_champion_at_a_time_is_known_from_the_facts_of_all_records(deployed: World, kms: MemoryKms) -> None:
    """The evidence keeps few earlier decisions; each day's champion is known for good."""

    def fact(day: int, version: int, status: str) -> dict[str, Any]:
        at = f"2026-10-{day:02}T12:00:00+00:00"
        said = {"by": "link", "who": "Bo", "why": "rollback", "subject": arn_of(version)}
        return {"at": at, "kind": "decided", "status": status, **said}

    told: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    for day in range(1, 21):
        version = 1 + day % 2
        told[version].append(fact(day, version, "Approved"))
        told[3 - version].append(fact(day, 3 - version, "Rejected"))
        for number, facts in told.items():
            recorded(
                deployed, number - 1, kms, modelPackageArn=arn_of(number), facts=facts[-2:],
                earlierDecisions=[], decidedAt=None, decidedBy=None, decidedStatus=None, decidedWho=None,
            )  # fmt: skip
    for day in range(1, 20):  # that each record lacks facts of earlier ones is a contradiction
        assert at(f"2026-10-{day:02}", code=1)["champion"]["modelPackageArn"] == arn_of(1 + day % 2)


def test_champion_at_a_time_says_who_approved_it_and_why(deployed: World, kms: MemoryKms) -> None:
    with_decisions(deployed, kms)
    text = run("titanic", "--at", "2026-11-14").stdout
    assert f"was {arn_of(2)}" in text
    assert "all rules passed" in text
    assert "Bo (link), record 7: worse in the field" in text or "worse in the field" in text
    assert "titanic had no champion" in run("titanic", "--at", "2026-10-01").stdout


def test_champion_at_a_time_to_come_is_the_one_of_now(deployed: World) -> None:
    note = "is yet to come: this is what stands now"
    assert note in run("titanic", "--at", "2999-01-01").stdout
    assert note not in run("titanic", "--at", "2026-11-14").stdout
    assert deployed.messages() is not None


def test_champion_at_a_time_says_each_reason_once(deployed: World, kms: MemoryKms) -> None:
    with_decisions(deployed, kms)
    text = run("titanic", "--at", "2026-11-14").stdout
    assert text.count("all rules passed") == 1
    assert f"until {arn_of(2)} was Rejected" in text


def test_champion_at_a_time_of_a_chain_that_does_not_hold_ends_with_1(
    deployed: World, kms: MemoryKms
) -> None:
    with_decisions(deployed, kms)
    resigned(6, OTHER)(deployed, kms)
    assert at("2026-11-14", code=1)["champion"]["modelPackageArn"] == arn_of(2)


# ---- files, without AWS ------------------------------------------------------------------------------------


@pytest.fixture
def files(deployed: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What somebody gets who has no AWS: the chain, evidence, the artifact, the evaluation and the key."""
    for number in range(1, 6):
        (tmp_path / f"{number:08}.json").write_bytes(read(deployed, record_key(number)))
    (tmp_path / "evidence.json").write_bytes(read(deployed, EVIDENCE))
    for name in ("model.tar.gz", "evaluation.json"):
        (tmp_path / name).write_bytes(read(deployed, f"models/titanic/e0/{name}"))
    (tmp_path / "key.pem").write_text(run("--print-key").stdout)
    (tmp_path / "handsoff.yaml").unlink()
    monkeypatch.delattr(terminal, "Deployment")
    return tmp_path


ALL = ["00000001.json", "00000004.json", "00000005.json", "evidence.json", "model.tar.gz", "evaluation.json"]


def test_files_are_verified_without_aws(files: Path) -> None:
    assert files.is_dir()
    done = run(*ALL, "--key", "key.pem", "--json")
    said = json.loads(done.stdout)
    assert (done.exit_code, said["signed"], said["findings"]) == (0, 3, [])
    assert said["files"] == {"evidence.json": 4, "model.tar.gz": 4, "evaluation.json": 4}
    assert "everything holds" in run(*ALL, "--key", "key.pem").stdout


@pytest.mark.parametrize(
    ("name", "kind"),
    [("model.tar.gz", "artifact"), ("evaluation.json", "evaluation"), ("evidence.json", "evidence")],
)
def test_a_changed_file_is_found_without_aws(files: Path, name: str, kind: str) -> None:
    (files / name).write_bytes(b'{"a": 1}')
    assert found(*ALL, "--key", "key.pem") == [(kind, name)]


def test_a_changed_record_is_found_without_aws(files: Path) -> None:
    body = (files / "00000004.json").read_bytes()
    envelope = parse_envelope(body)
    payload = altered(body, lambda said: said["predicate"]["evidence"].update(decidedWho="Mallory"))
    (files / "00000004.json").write_bytes(envelope._replace(payload=payload).dumped())
    # Nobody vouches for record 4, the only one that tells of this evidence.json.
    assert found(*ALL, "--key", "key.pem") == [("signature", R4), ("fork", R4), ("evidence", "evidence.json")]


def test_two_records_of_one_place_are_a_fork_without_aws(files: Path) -> None:
    body = (files / "00000004.json").read_bytes()
    (files / "other.json").write_bytes(parse_envelope(body)._replace(signatures=()).dumped())
    assert ("fork", "other.json") in found(*ALL, "other.json", "--key", "key.pem")


def test_old_evidence_is_found_without_aws(files: Path, deployed: World) -> None:
    replayed(deployed, MemoryKms())
    (files / "evidence.json").write_bytes(read(deployed, EVIDENCE))
    assert found(*ALL, "--key", "key.pem") == [("replay", "evidence.json")]


def test_another_key_is_found_without_aws(files: Path, kms: MemoryKms) -> None:
    kms.keys[KEY] = kms.keys[OTHER]
    body = kms.signed(parse_envelope((files / "00000005.json").read_bytes()).payload)
    (files / "00000005.json").write_bytes(body)
    assert found("00000005.json", "--key", "key.pem") == [("signature", R5)]


def test_without_a_key_files_ask_for_one(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("00000004.json", "evidence.json")
    assert (done.exit_code, "name the public key by --key FILE" in done.output) == (2, True)
    monkeypatch.setattr(verifying, "_configured", lambda: None)
    done = run("00000004.json", "evidence.json")
    assert (done.exit_code, "everything holds" in done.stdout) == (2, False)
    assert "unreadable the signatures of 1 records: no key is named" in done.stdout
    assert files.is_dir()


@pytest.mark.parametrize("others", [[], ["00000001.json"], ["00000001.json", "00000005.json"]])
def test_an_unsigned_record_vouches_for_no_file(files: Path, others: list[str]) -> None:
    """Somebody's record 3, beside genuine records, tells of somebody's artifact."""
    evil = b"evil"
    (files / "model.tar.gz").write_bytes(evil)

    def forge(said: dict[str, Any]) -> None:
        said["predicate"]["sequence"] = 3
        said["predicate"]["evidence"]["artifact"]["sha256"] = hashlib.sha256(evil).hexdigest()

    payload = altered((files / "00000004.json").read_bytes(), forge)
    (files / "forged.json").write_bytes(Envelope(payload).dumped())
    assert found(*others, "forged.json", "model.tar.gz", "--key", "key.pem") == [
        ("unsigned", record_key(3)),
        ("artifact", "model.tar.gz"),
    ]


def test_records_before_a_key_are_vouched_for_through_an_unbroken_run(files: Path, kms: MemoryKms) -> None:
    """Records 1 and 2 are unsigned, and 3 is signed: without 2, nothing links 1 to 3."""
    before: str | None = None
    for number in (1, 2, 3):
        name = f"{number:08}.json"
        said = json.loads(parse_envelope((files / name).read_bytes()).payload)
        said["predicate"]["previous"] = before
        payload = json.dumps(said).encode()
        body = kms.signed(payload) if number == 3 else Envelope(payload).dumped()
        (files / name).write_bytes(body)
        before = hashlib.sha256(body).hexdigest()
    names = ["00000001.json", "00000002.json", "00000003.json", "model.tar.gz", "--key", "key.pem"]
    assert found(*names, code=0) == []
    del names[1]
    assert found(*names) == [("unsigned", record_key(1)), ("artifact", "model.tar.gz")]


@pytest.mark.parametrize(
    ("source", "name", "kind", "role"),
    [
        ("evaluation.json", "swap/model.tar.gz", "artifact", "the evaluation"),
        ("evidence.json", "swap/evaluation.json", "evaluation", "the evidence"),
        ("model.tar.gz", "swap/evidence.json", "evidence", "the artifact"),
    ],
)
def test_each_file_is_checked_as_what_its_name_says(
    files: Path, source: str, name: str, kind: str, role: str
) -> None:
    (files / "swap").mkdir()
    shutil.copy(files / source, files / name)
    done = run("00000004.json", name, "--key", "key.pem")
    assert f"  {kind} {name}\n" in done.stdout
    assert f", which is {role}" in done.stdout
    assert found("00000004.json", name, "--key", "key.pem") == [(kind, name)]
    shutil.copy(files / source, files / "renamed")
    assert found("00000004.json", "renamed", "--key", "key.pem", code=0) == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_a_record_as_the_documentation_says(files: Path) -> None:
    """The commands of docs/how-to/prove-what-happened.md, run as they stand there."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "prove-what-happened.md"
    (script,) = [block for block in page.read_text().split("```") if block.startswith("\npython3 - 000")]
    done = subprocess.run(["bash", "-e", "-c", script], cwd=files, capture_output=True, text=True)
    assert (done.returncode, "Verified OK" in done.stdout) == (0, True), done.stderr
    (files / "00000004.json").write_bytes(
        (files / "00000005.json").read_bytes().replace(b'"sig": "M', b'"sig": "N')
    )
    done = subprocess.run(["bash", "-e", "-c", script], cwd=files, capture_output=True, text=True)
    assert done.returncode != 0
