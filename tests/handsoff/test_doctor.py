"""What doctor makes of facts, each at its edge; how it gathers them; what people and scripts are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from handsoff.deploying import doctor, sam
from handsoff.deploying.doctor import Bucket, Concurrency, Finding, Problem, Quota, Stack
from retraining.config.schema import Config, parse_config
from retraining.errors import ConfigError

ROOT = Path(__file__).parents[2]
ME = {"Arn": "arn:aws:iam::123456789012:user/data-science-user", "Account": "123456789012"}
BUCKET = "handsoff-data-123456789012-eu-west-1"


def config(*instances: str) -> Config:
    """A configuration with a model for each instance type."""
    model: dict[str, Any] = {
        "task": "binary_classification",
        "target": "y",
        "features": {"numeric": ["x"]},
        "approval": {"rules": [{"metric": "accuracy", "min": 0.5}]},
    }
    models = {
        f"m{number}": {**model, "training": {"estimator": "hist_gradient_boosting", "instance_type": name}}
        for number, name in enumerate(instances)
    }
    return parse_config({"models": models}, source="handsoff.yaml")


# ---- checks ------------------------------------------------------------------------------------------


def test_a_configuration() -> None:
    good = doctor.config_is_valid(config("ml.m5.large", "ml.m5.large"))
    assert good == Finding("configuration", "ok", "valid: prefix handsoff, models m0, m1")
    assert doctor.config_is_valid(ConfigError("models: Field required")) == Finding(
        "configuration",
        "error",
        "models: Field required",
        "mend the file: docs/reference/configuration.md explains each key",
    )


@pytest.mark.parametrize(
    ("version", "wanted", "outcome", "why"),
    [
        (None, ">= 1.9", "error", "it is not on the PATH"),
        ("1.8.9", ">= 1.9", "error", "it is 1.8.9; wanted is >= 1.9"),
        ("1.9.0", ">= 1.9", "ok", "1.9.0"),
        ("1.10.0", ">= 1.9, < 2.0", "ok", "1.10.0"),
        ("2.0.0", ">= 1.9, < 2.0", "error", "it is 2.0.0; wanted is >= 1.9, < 2.0"),
        ("1.12.0", "~> 1.9", "ok", "1.12.0"),
        ("2.0.0", "~> 1.9", "error", "it is 2.0.0; wanted is ~> 1.9"),
        ("1.13.0-rc1", ">= 1.9", "ok", "1.13.0-rc1"),
    ],
)
def test_terraform_versions(version: str | None, wanted: str, outcome: str, why: str) -> None:
    found = doctor.terraform(version, wanted)
    assert (found.outcome, found.why) == (outcome, why)
    assert (found.way_out is not None) == (outcome == "error")


def test_the_version_that_terraform_itself_checks() -> None:
    assert doctor.terraform_wanted(ROOT) == ">= 1.9"


@pytest.mark.parametrize(
    ("code", "why", "way_out"),
    [
        (
            "ProfileNotFound",
            "AWS_PROFILE is dev, and there is no such profile",
            "aws configure --profile dev",
        ),
        ("NoCredentials", "there are none: AWS said so", "aws configure --profile data-science-user"),
        ("ExpiredToken", "the session has expired: AWS said so", "aws sso login --profile dev"),
        ("TokenRetrieval", "the session has expired: AWS said so", "aws sso login --profile dev"),
        ("InvalidClientTokenId", "AWS does not know this access key: AWS said so", "docs/how-to/operator.md"),
        ("SignatureDoesNotMatch", "AWS said so", "this machine's clock"),
        ("EndpointConnection", "EndpointConnection: AWS said so", "can AWS be reached from here?"),
    ],
)
def test_credentials_that_are_no_good(code: str, why: str, way_out: str) -> None:
    found = doctor.credentials(Problem(code, "AWS said so"), "dev")
    assert (found.outcome, found.why) == ("error", why)
    assert way_out in (found.way_out or "")


def test_credentials_that_are_good_or_too_good() -> None:
    mine = doctor.credentials(ME, None)
    assert (mine.outcome, mine.why) == ("ok", f"{ME['Arn']}, account 123456789012")
    root = doctor.credentials({**ME, "Arn": "arn:aws:iam::123456789012:root"}, None)
    assert root.outcome == "warning"
    assert "the root user, whom no policy binds" in root.why


@pytest.mark.parametrize(
    ("name", "outcome", "why"),
    [
        (None, "error", "none is set"),
        ("eu-west-1", "ok", "eu-west-1 hosts 141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit"),
        ("mx-central-1", "error", "in no region 'mx-central-1'; it is in af-south-1"),
    ],
)
def test_a_region_needs_the_image(name: str | None, outcome: str, why: str) -> None:
    found = doctor.region(name, {})
    assert found.outcome == outcome
    assert why in found.why


def test_two_regions_are_one_too_many() -> None:
    assert doctor.region("eu-west-1", {"AWS_REGION": "eu-west-1"}).outcome == "ok"
    found = doctor.region("eu-west-1", {"AWS_REGION": "us-east-1"})
    assert (found.outcome, found.why) == (
        "error",
        "AWS_REGION is us-east-1, and AWS_DEFAULT_REGION or the profile says eu-west-1",
    )


LARGE = "ml.m5.large for {} job usage"


@pytest.mark.parametrize(
    ("value", "models", "outcome", "why"),
    [
        (0, 1, "error", "it is 0, so no such job can start"),
        (1, 1, "ok", "1"),
        (1, 2, "warning", "it is 1, and 2 models may want one at once: they wait for each other"),
        (2, 2, "ok", "2"),
    ],
)
def test_a_quota_of_an_instance_type(value: float, models: int, outcome: str, why: str) -> None:
    known = {LARGE.format("training"): Quota("L-1", 20.0), LARGE.format("processing"): Quota("L-2", value)}
    training, processing = doctor.quotas(config(*["ml.m5.large"] * models), known, "eu-west-1")
    assert training == Finding("quota ml.m5.large for training job usage", "ok", "20")
    assert (processing.what, processing.outcome, processing.why) == (
        "quota ml.m5.large for processing job usage",
        outcome,
        why,
    )
    more = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker --quota-code L-2 "
        f"--desired-value {models} --region eu-west-1"
    )
    assert processing.way_out == (None if outcome == "ok" else more)


def test_an_instance_type_that_is_not_offered() -> None:
    found = doctor.quotas(config("ml.m99.large"), {}, "eu-west-1")
    assert [item.outcome for item in found] == ["error", "error"]
    assert found[0].why == "SageMaker has no such quota in eu-west-1: does it offer this type there?"


def test_quotas_that_may_not_be_read() -> None:
    (found,) = doctor.quotas(config("ml.m5.large"), Problem("AccessDeniedException", "no"), "eu-west-1")
    assert (found.outcome, found.why) == ("not checked", "AccessDeniedException: no")
    assert "servicequotas:ListServiceQuotas" in (found.way_out or "")


@pytest.mark.parametrize(
    ("wanted", "unreserved", "ours", "outcome"),
    [
        (5, 105, 0, "ok"),
        (5, 104, 0, "error"),
        (5, 100, 5, "ok"),  # deployed already: what it has, it need not be given again
        (6, 100, 5, "error"),
        (5, 10, 0, "error"),  # a new account
        (0, 10, 0, "ok"),
    ],
)
def test_what_the_review_page_reserves(wanted: int, unreserved: int, ours: int, outcome: str) -> None:
    found = doctor.concurrency(wanted, Concurrency(unreserved, ours))
    assert found.outcome == outcome
    if outcome == "error":
        assert "handsoff deploy --parameter ReviewConcurrency=0" in (found.way_out or "")


@pytest.mark.parametrize(
    ("found", "existing", "outcome", "why"),
    [
        (Bucket("free"), False, "ok", "Terraform makes it"),
        (Bucket("ours", "eu-west-1"), False, "ok", "it is there"),
        (Bucket("not ours"), False, "error", "it is another account's, or"),
        (Bucket("free"), True, "error", "aws.bucket names it, and there is none"),
        (
            Bucket("ours", "us-east-1"),
            True,
            "error",
            "it is in us-east-1, and the rest",
        ),
        (
            Bucket("ours", "eu-west-1", versioned=False),
            True,
            "error",
            "it keeps no versions, and a run reads those that had landed",
        ),
        (
            Bucket("ours", "eu-west-1", tells_eventbridge=False),
            True,
            "error",
            "it tells EventBridge nothing, so nothing would start",
        ),
        (Bucket("ours", "eu-west-1"), True, "ok", "it is there, keeps versions, tells EventBridge"),
    ],
)
def test_the_data_bucket(found: Bucket, existing: bool, outcome: str, why: str) -> None:
    said = doctor.bucket(BUCKET, "eu-west-1", found, existing=existing)
    assert (said.what, said.outcome) == (f"bucket {BUCKET}", outcome)
    assert said.why.startswith(why)
    assert (said.way_out is None) == (outcome == "ok")


@pytest.mark.parametrize(
    ("status", "prefix", "outcome", "why"),
    [
        ("UPDATE_COMPLETE", "handsoff", "ok", "it is ours, UPDATE_COMPLETE"),
        ("UPDATE_ROLLBACK_COMPLETE", "handsoff", "ok", "it is ours, UPDATE_ROLLBACK_COMPLETE"),
        ("UPDATE_COMPLETE", "other", "error", "there is one of this name that is not handsoff's"),
        ("ROLLBACK_COMPLETE", "handsoff", "warning", "it is ROLLBACK_COMPLETE: deploy removes what is left"),
        (
            "REVIEW_IN_PROGRESS",
            "handsoff",
            "warning",
            "it is REVIEW_IN_PROGRESS: deploy removes",
        ),
        ("UPDATE_IN_PROGRESS", "handsoff", "error", "it is UPDATE_IN_PROGRESS: somebody else deploys"),
        ("UPDATE_ROLLBACK_FAILED", "handsoff", "error", "it is UPDATE_ROLLBACK_FAILED"),
    ],
)
def test_the_stack(status: str, prefix: str, outcome: str, why: str) -> None:
    said = doctor.stack("handsoff", Stack(status, {"Prefix": prefix}, {}))
    assert said.outcome == outcome
    assert said.why.startswith(why)


def test_no_stack() -> None:
    assert doctor.stack("handsoff", None) == Finding("stack handsoff", "ok", "there is none yet")


# ---- facts -------------------------------------------------------------------------------------------


def stubbed(service: str, *answers: tuple[str, Mapping[str, Any]]) -> boto3.Session:
    """A session whose clients of `service` give these answers, in this order."""
    session = boto3.Session("test", "test", region_name="eu-west-1")
    client = session.client(service)  # type: ignore[call-overload]
    stub = Stubber(client)
    for operation, answer in answers:
        if "code" in answer:
            stub.add_client_error(operation, answer["code"], answer.get("text", ""))
        else:
            stub.add_response(operation, dict(answer))
    stub.activate()
    session.client = lambda _name: client  # type: ignore[assignment, method-assign]
    return session


def quota(name: str, code: str, value: float) -> dict[str, Any]:
    return {"QuotaName": name, "QuotaCode": code, "Value": value}


def test_an_account_s_own_quota_goes_before_the_default_on_whatever_page() -> None:
    session = stubbed(
        "service-quotas",
        ("list_aws_default_service_quotas", {"Quotas": [quota("a", "L-1", 0.0)], "NextToken": "x"}),
        ("list_aws_default_service_quotas", {"Quotas": [quota("b", "L-2", 0.0)]}),
        ("list_service_quotas", {"Quotas": [], "NextToken": "y"}),
        ("list_service_quotas", {"Quotas": [quota("b", "L-2", 4.0)]}),
    )
    assert doctor.find_quotas(session) == {"a": Quota("L-1", 0.0), "b": Quota("L-2", 4.0)}


SETTINGS = {"AccountLimit": {"UnreservedConcurrentExecutions": 95}}


@pytest.mark.parametrize(
    ("answer", "ours"),
    [
        ({"ReservedConcurrentExecutions": 5}, 5),
        ({}, 0),
        ({"code": "ResourceNotFoundException"}, 0),
    ],
)
def test_concurrency_of_the_account(answer: Mapping[str, Any], ours: int) -> None:
    session = stubbed("lambda", ("get_account_settings", SETTINGS), ("get_function_concurrency", answer))
    assert doctor.find_concurrency(session, "handsoff") == Concurrency(95, ours)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([("head_bucket", {"code": "404"})], Bucket("free")),
        ([("head_bucket", {"code": "403"})], Bucket("not ours")),
        (
            [
                ("head_bucket", {"BucketRegion": "eu-west-1"}),
                ("get_bucket_versioning", {"Status": "Suspended"}),
                ("get_bucket_notification_configuration", {"EventBridgeConfiguration": {}}),
            ],
            Bucket("ours", "eu-west-1", versioned=False, tells_eventbridge=True),
        ),
        (
            [
                ("head_bucket", {}),
                ("get_bucket_versioning", {"Status": "Enabled"}),
                ("get_bucket_notification_configuration", {}),
            ],
            Bucket("ours", None, versioned=True, tells_eventbridge=False),
        ),
    ],
)
def test_whose_bucket_it_is(answers: list[tuple[str, Mapping[str, Any]]], expected: Bucket) -> None:
    assert doctor.find_bucket(stubbed("s3", *answers), BUCKET, "123456789012") == expected


def test_no_stack_is_an_answer_and_no_access_is_none() -> None:
    nothing = stubbed("cloudformation", ("describe_stacks", {"code": "ValidationError"}))
    assert doctor.find_stack(nothing, "handsoff") is None
    refused = stubbed("cloudformation", ("describe_stacks", {"code": "AccessDenied", "text": "not you"}))
    assert doctor.asked(lambda: doctor.find_stack(refused, "handsoff")) == Problem("AccessDenied", "not you")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, None),
        ("https://sts.eu-west-1.amazonaws.com", None),
        ("https://vpce-1-a.sts.eu-west-1.vpce.amazonaws.com", None),
        ("https://sts.cn-north-1.amazonaws.com.cn", None),
        ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
        ("https://amazonaws.com.example.org", "https://amazonaws.com.example.org"),
    ],
)
def test_which_endpoint_is_aws(
    monkeypatch: pytest.MonkeyPatch, url: str | None, expected: str | None
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    if url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    session = boto3.Session("test", "test", region_name="eu-west-1")
    assert doctor.endpoint(session) == expected


def test_the_template_s_defaults() -> None:
    found = sam.defaults(ROOT / "template.yaml")
    assert (found["Prefix"], found["ReviewConcurrency"], found["SlackSecret"]) == ("handsoff", "5", "")


# ---- what is said ------------------------------------------------------------------------------------


def handsoff(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line where no AWS and no profile is in reach."""
    return subprocess.run(
        [sys.executable, "-c", "from handsoff.cli import main; main()", *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "AWS_EC2_METADATA_DISABLED": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("handsoff.yaml", "template.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "versions.tf").symlink_to(ROOT / "terraform" / "versions.tf")
    return tmp_path


def test_without_credentials_it_says_what_to_do(project: Path) -> None:
    done = handsoff(project, "doctor", AWS_REGION="eu-west-1")
    assert done.returncode == 1
    assert "✓ region: eu-west-1 hosts 141502667606." in done.stdout
    assert "✗ credentials: there are none: Unable to locate credentials" in done.stdout
    assert "    → aws configure --profile data-science-user" in done.stdout


def test_a_profile_that_is_not_there(project: Path) -> None:
    done = handsoff(project, "doctor", AWS_PROFILE="nobody", AWS_REGION="eu-west-1")
    assert done.returncode == 1
    assert "✗ credentials: AWS_PROFILE is nobody, and there is no such profile" in done.stdout


def test_a_script_gets_the_same_as_json(project: Path) -> None:
    (project / "handsoff.yaml").unlink()
    (project / "handsoff.yaml").write_text("models: {}")
    done = handsoff(project, "doctor", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["fit"] is False
    by_what = {item["what"]: item for item in found["findings"]}
    assert by_what["configuration"]["outcome"] == "error"
    assert "models" in by_what["configuration"]["why"]
    assert by_what["region"] == {
        "what": "region",
        "outcome": "error",
        "why": "none is set",
        "way_out": "export AWS_DEFAULT_REGION=…, or set it in the profile",
    }


def test_a_deployment_that_is_not_fit_changes_nothing(project: Path) -> None:
    done = handsoff(project, "deploy", AWS_REGION="eu-west-1")
    assert done.returncode == 1
    assert "✗ credentials: there are none" in done.stdout
    assert "handsoff: nothing was changed: see above" in done.stderr
    assert not (project / ".handsoff").exists()


@pytest.mark.parametrize("wrong", ["SlackSecret", "Slacksecret=x", "Prefix=other"])
def test_a_parameter_that_the_template_does_not_have(project: Path, wrong: str) -> None:
    done = handsoff(project, "deploy", "--parameter", wrong)
    assert done.returncode == 1
    assert f"--parameter takes NAME=VALUE, not {wrong}; names are Runtime, " in done.stderr
