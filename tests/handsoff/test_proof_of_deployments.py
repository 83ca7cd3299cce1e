"""What doctor says of keys and locks, and what destroy refuses because S3 keeps records."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from handsoff.deploying import proof
from handsoff.deploying.account import Problem
from handsoff.deploying.refusals import holds_data
from handsoff.deployment import Deployment
from handsoff.errors import Refused, StepFailed
from retraining.aws.signing import Lock
from retraining.config.schema import Config, parse_config
from retraining.errors import ConfigError
from tests.functions.memory import refused

ARN = "arn:aws:kms:eu-west-1:123456789012:key/k"
GOOD = {"Arn": ARN, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "KeyState": "Enabled"}
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def config(**evidence: Any) -> Config:
    model = {"task": "regression", "target": "price", "features": {"numeric": ["rooms"]}}
    return parse_config({"evidence": evidence, "models": {"prices": model}}, source="handsoff.yaml")


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"signing-key": "create"}, "evidence.signing-key: no such key: did you mean signing_key?"),
        ({"signing_key": "alias/k"}, "expected create, or a KMS key's ARN"),
        ({"signing_key": True}, "evidence.signing_key"),
        ({"earlier_keys": ["k"]}, "expected a KMS key's ARN"),
        (
            {"signing_key": ARN, "earlier_keys": [ARN]},
            f"{ARN} is signing_key, too: name keys that sign no more",
        ),
        (
            {"object_lock": {"mode": "compliant", "days": 1}},
            "expected 'governance' or 'compliance', not 'compliant'",
        ),
        ({"object_lock": {"mode": "compliance"}}, "evidence.object_lock.days"),
        ({"object_lock": {"mode": "compliance", "days": 0}}, "evidence.object_lock.days"),
        ({"object_lock": True}, "evidence.object_lock"),
    ],
)
def test_wrong_keys_and_values_are_refused_with_what_was_expected(evidence: Any, words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        config(**evidence)
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("found", "made", "outcome", "why"),
    [
        (None, True, "ok", "Terraform makes it"),
        (None, False, "error", f"KMS has no key {ARN}"),
        (GOOD, False, "ok", f"{ARN} can sign"),
        (GOOD | {"KeySpec": "RSA_2048"}, False, "error", f"{ARN} is RSA_2048 for SIGN_VERIFY: expected"),
        (
            GOOD | {"KeyUsage": "ENCRYPT_DECRYPT"},
            False,
            "error",
            f"{ARN} is ECC_NIST_P256 for ENCRYPT_DECRYPT",
        ),
        (GOOD | {"KeyState": "PendingDeletion"}, True, "error", f"{ARN} is PendingDeletion"),
        (Problem("AccessDenied", "no"), False, "not checked", "AccessDenied: no"),
    ],
)
def test_doctor_says_whether_the_key_can_sign(found: Any, made: bool, outcome: str, why: str) -> None:
    said = proof.signing_key(ARN, found, made=made)
    assert (said.outcome, said.why.startswith(why)) == (outcome, True)
    assert (said.way_out is None) == (outcome == "ok")


@pytest.mark.parametrize(
    ("found", "outcome"), [(True, "ok"), (False, "error"), (Problem("AccessDenied", "no"), "not checked")]
)
def test_doctor_says_whether_a_bucket_of_the_users_can_lock(found: Any, outcome: str) -> None:
    assert proof.object_lock("acme", found).outcome == outcome


class Locked:
    """A bucket with one record, which S3 keeps until `until`; None where Object Lock is off."""

    def __init__(self, until: datetime | None, mode: str = "COMPLIANCE") -> None:
        self.until, self.mode = until, mode

    def get_object_lock_configuration(self, **_: Any) -> dict[str, Any]:
        if self.until is None:
            raise refused("ObjectLockConfigurationNotFoundError", "GetObjectLockConfiguration", 404)
        return {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}

    def get_paginator(self, _: str) -> Any:
        class Pages:
            def paginate(self, **_: Any) -> list[dict[str, Any]]:
                key = "evidence/titanic/chain/00000001.json"
                return [{"Versions": [{"Key": key, "VersionId": "v", "LastModified": NOW}]}]

        return Pages()

    def head_object(self, **_: Any) -> dict[str, Any]:
        return {"ObjectLockMode": self.mode, "ObjectLockRetainUntilDate": self.until}


@pytest.mark.parametrize("until", [None, NOW, NOW - timedelta(days=1)])
def test_destroy_goes_on_where_s3_keeps_nothing(until: datetime | None) -> None:
    proof.refuse_locked(cast("Any", Locked(until)), "data", NOW)


@pytest.mark.parametrize(
    ("mode", "way_out"),
    [
        ("COMPLIANCE", "Nobody can delete them before"),
        (
            "GOVERNANCE",
            "Delete them first by an identity with s3:BypassGovernanceRetention, or wait until then",
        ),
    ],
)
def test_destroy_refuses_while_s3_keeps_records_and_says_until_when(mode: str, way_out: str) -> None:
    with pytest.raises(Refused) as raised:
        proof.refuse_locked(cast("Any", Locked(NOW + timedelta(days=30), mode)), "data", NOW)
    said = str(raised.value)
    assert said.startswith("S3 keeps evidence records of data, such as evidence/titanic/chain/00000001.json,")
    assert f"until 2026-12-31 ({mode.lower()})" in said
    assert way_out in said


@pytest.mark.parametrize("address", ["aws_kms_key.evidence[0]", "aws_kms_alias.evidence[0]"])
def test_the_signing_key_stays_with_the_data(address: str) -> None:
    assert holds_data(address)


class Kms:
    def __init__(self, arn: str | None) -> None:
        self.arn = arn

    def describe_key(self, *, KeyId: str) -> dict[str, Any]:
        assert KeyId == "alias/handsoff-evidence"
        if self.arn is None:
            raise refused("NotFoundException", "DescribeKey")
        return {"KeyMetadata": {"Arn": self.arn}}


@pytest.mark.parametrize(
    ("evidence", "made", "expected"),
    [
        ({}, None, {"SigningKey": "", "EvidenceLock": ""}),
        ({"signing_key": ARN}, None, {"SigningKey": ARN, "EvidenceLock": ""}),
        ({"signing_key": "create"}, None, {"SigningKey": "", "EvidenceLock": ""}),
        ({"signing_key": "create"}, ARN, {"SigningKey": ARN, "EvidenceLock": ""}),
        (
            {"object_lock": {"mode": "governance", "days": 365}},
            None,
            {"SigningKey": "", "EvidenceLock": "governance:365"},
        ),
    ],
)
def test_the_stack_gets_key_and_lock(evidence: Any, made: str | None, expected: dict[str, str]) -> None:
    deployment = Deployment(config(**evidence))
    deployment.__dict__["kms"] = Kms(made)
    assert proof.proof_parameters(deployment) == expected


@pytest.mark.parametrize(
    "evidence", [{}, {"signing_key": f"{ARN}2", "object_lock": {"mode": "compliance", "days": 1}}]
)
def test_commands_sign_and_lock_as_the_functions_do_whatever_their_file_says(
    evidence: dict[str, Any],
) -> None:
    """An older checkout's handsoff.yaml may name no key, or another one."""
    deployment = Deployment(config(**evidence))
    given = {"SigningKey": ARN, "EvidenceLock": "governance:30"}
    parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()]
    deployment.__dict__["stack"] = {"Parameters": parameters}
    assert (deployment.signing_key, deployment.lock) == (ARN, Lock("GOVERNANCE", 30))
    deployment.__dict__["stack"] = {}
    assert (deployment.signing_key, deployment.lock) == (None, None)


@pytest.mark.parametrize(("after", "slept"), [(0, 0), (3, 3)])
def test_deploy_waits_for_the_key_that_terraform_has_made(after: int, slept: int) -> None:
    deployment, kms, pauses = Deployment(config(signing_key="create")), Kms(None), list[float]()
    deployment.__dict__["kms"] = kms

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        kms.arn = ARN if len(pauses) >= after else None

    kms.arn = None if after else ARN
    proof.wait_for_key(deployment, sleep=sleep)
    assert pauses == [5.0] * slept


def test_deploy_fails_where_the_key_is_gone_and_asks_for_none_without_one() -> None:
    deployment, pauses = Deployment(config(signing_key="create")), list[float]()
    deployment.__dict__["kms"] = Kms(None)
    with pytest.raises(StepFailed, match="KMS knows no key alias/handsoff-evidence"):
        proof.wait_for_key(deployment, sleep=pauses.append)
    assert 60 <= sum(pauses) <= 90
    proof.wait_for_key(Deployment(config()))
    proof.wait_for_key(Deployment(config(signing_key=ARN)))
