"""Parameters and secrets that are kept for a while."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from retraining.aws.parameters import Kept, Parameters, secrets


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty account in moto."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield


def test_kept_reads_again_once_the_age_is_reached_or_when_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [1000.0], list[str]()

    def read(name: str) -> str:
        asked.append(name)
        return f"{name} {len(asked)}"

    monkeypatch.setattr("retraining.aws.parameters.time.monotonic", lambda: now[0])
    kept = Kept(read)
    assert [kept.get("a", max_age=60), kept.get("a", max_age=60)] == ["a 1", "a 1"]
    assert kept.get("a", max_age=60, force_fetch=True) == "a 2"
    now[0] += 59.9
    assert kept.get("a", max_age=60) == "a 2"
    now[0] += 0.1
    assert kept.get("a", max_age=60) == "a 3"
    assert kept.get("b", max_age=60) == "b 4"


def test_kept_keeps_nothing_of_a_failure() -> None:
    failures = [OSError("not now")]

    def read(name: str) -> str:
        if failures:
            raise failures.pop()
        return name

    kept = Kept(read)
    with pytest.raises(OSError, match="not now"):
        kept.get("a", max_age=60)
    assert kept.get("a", max_age=60) == "a"


@pytest.mark.slow
def test_parameters_below_a_path_are_all_read_and_no_others() -> None:
    ssm = boto3.client("ssm")
    for name in (*(f"/p/models/m{number:02}" for number in range(25)), "/p/models/x/y", "/p/data-bucket"):
        ssm.put_parameter(Name=name, Value=f"of {name}", Type="String")
    found = Parameters(ssm).get_multiple("/p/models")
    assert sorted(found) == [f"m{number:02}" for number in range(25)]
    assert found["m24"] == "of /p/models/m24"
    assert Parameters(ssm).get("/p/data-bucket", max_age=60) == "of /p/data-bucket"


def test_secrets_are_read_by_arn() -> None:
    manager = boto3.client("secretsmanager")
    arn = manager.create_secret(Name="links", SecretString="a secret")["ARN"]
    assert secrets(manager).get(arn, max_age=60) == "a secret"
