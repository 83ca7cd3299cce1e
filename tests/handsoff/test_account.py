"""Reading what an AWS account has, with stubbed answers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from handsoff.deploying import account, sam
from handsoff.deploying.account import Bucket, Concurrency, Problem, Quota
from handsoff.errors import UsageError

ROOT = Path(__file__).parents[2]
ME = {"Arn": "arn:aws:iam::123456789012:user/data-science-user", "Account": "123456789012"}
BUCKET = "handsoff-data-123456789012-eu-west-1"


def stubbed(service: str, *answers: tuple[str, Mapping[str, Any]]) -> boto3.Session:
    """A session whose clients of `service` give these answers, in this order; `code` makes an error."""
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


def test_find_quotas_prefers_the_account_value_on_every_page() -> None:
    session = stubbed(
        "service-quotas",
        ("list_aws_default_service_quotas", {"Quotas": [quota("a", "L-1", 0.0)], "NextToken": "x"}),
        ("list_aws_default_service_quotas", {"Quotas": [quota("b", "L-2", 0.0)]}),
        ("list_service_quotas", {"Quotas": [], "NextToken": "y"}),
        ("list_service_quotas", {"Quotas": [quota("b", "L-2", 4.0)]}),
    )
    assert account.find_quotas(session) == {"a": Quota("L-1", 0.0), "b": Quota("L-2", 4.0)}


SETTINGS = {"AccountLimit": {"UnreservedConcurrentExecutions": 95}}


@pytest.mark.parametrize(
    ("answer", "ours"),
    [
        ({"ReservedConcurrentExecutions": 5}, 5),
        ({}, 0),
        ({"code": "ResourceNotFoundException"}, 0),
    ],
)
def test_find_concurrency_counts_the_review_page(answer: Mapping[str, Any], ours: int) -> None:
    session = stubbed("lambda", ("get_account_settings", SETTINGS), ("get_function_concurrency", answer))
    assert account.find_concurrency(session, "handsoff") == Concurrency(95, ours)


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
def test_find_bucket_says_whose_it_is(answers: list[tuple[str, Mapping[str, Any]]], expected: Bucket) -> None:
    assert account.find_bucket(stubbed("s3", *answers), BUCKET, "123456789012") == expected


def test_find_stack_without_access_is_a_problem() -> None:
    nothing = stubbed("cloudformation", ("describe_stacks", {"code": "ValidationError"}))
    assert account.find_stack(nothing, "handsoff") is None
    refused = stubbed("cloudformation", ("describe_stacks", {"code": "AccessDenied", "text": "not you"}))
    assert account.asked(lambda: account.find_stack(refused, "handsoff")) == Problem(
        "AccessDenied", "not you"
    )


STAND_IN = "http://127.0.0.1:4566"
VPC = "https://vpce-1-a.sts.eu-west-1.vpce.amazonaws.com"


@pytest.mark.parametrize(
    ("region", "settings", "profile", "expected"),
    [
        ("eu-west-1", {}, "", None),
        ("cn-north-1", {}, "", None),
        ("us-gov-west-1", {}, "", None),
        ("us-iso-east-1", {}, "", None),
        ("us-isob-east-1", {}, "", None),
        ("us-isof-south-1", {}, "", None),
        ("eusc-de-east-1", {}, "", None),
        ("us-east-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", None),
        ("cn-north-1", {"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", None),
        ("us-gov-west-1", {"AWS_USE_FIPS_ENDPOINT": "true"}, "", None),
        ("us-east-2", {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}, "", None),
        ("us-east-1", {}, "use_dualstack_endpoint = true", None),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "https://sts.eu-west-1.amazonaws.com"}, "", None),
        ("eu-west-1", {"AWS_ENDPOINT_URL": "https://sts.us-east-1.api.aws"}, "", None),
        ("cn-north-1", {"AWS_ENDPOINT_URL": "https://sts.api.amazonwebservices.com.cn"}, "", None),
        ("eu-west-1", {"AWS_ENDPOINT_URL_STS": VPC}, "", None),
        ("eu-west-1", {"AWS_ENDPOINT_URL": STAND_IN}, "", STAND_IN),
        ("eu-west-1", {"AWS_ENDPOINT_URL_STS": STAND_IN}, "", STAND_IN),
        ("eu-west-1", {}, f"endpoint_url = {STAND_IN}", STAND_IN),
        ("eu-west-1", {}, f"services = here\n[services here]\nsts =\n  endpoint_url = {STAND_IN}", STAND_IN),
        (
            "eu-west-1",
            {"AWS_ENDPOINT_URL": STAND_IN, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "",
            None,
        ),
        (
            "eu-west-1",
            {"AWS_ENDPOINT_URL": "https://amazonaws.com.example.org"},
            "",
            "https://amazonaws.com.example.org",
        ),
    ],
)
def test_endpoint_is_a_stand_in_only_where_a_setting_names_one(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    region: str,
    settings: Mapping[str, str],
    profile: str,
    expected: str | None,
) -> None:
    monkeypatch.setattr(account, "PLACED", ("sts",))
    assert account.endpoint(configured(monkeypatch, tmp_path, region, settings, profile)) == expected


def test_endpoint_refuses_settings_that_lead_to_several_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    session = configured(monkeypatch, tmp_path, "eu-west-1", {"AWS_ENDPOINT_URL_S3": STAND_IN}, "")
    with pytest.raises(
        UsageError, match=f"several places: sts at AWS, .* s3 at {STAND_IN}, sagemaker at AWS"
    ):
        account.endpoint(session)


def configured(
    monkeypatch: pytest.MonkeyPatch, folder: Path, region: str, settings: Mapping[str, str], profile: str
) -> boto3.Session:
    """A session in an environment with these variables and this default profile."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    (folder / "config").write_text(f"[default]\n{profile}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return boto3.Session("test", "test", region_name=region)


def test_sam_defaults_reads_the_template() -> None:
    found = sam.defaults(ROOT / "template.yaml")
    assert (found["Prefix"], found["ReviewConcurrency"], found["SlackSecret"]) == ("handsoff", "5", "")


ADDRESS = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/churn"


@pytest.mark.parametrize(
    ("address", "answer", "found"),
    [
        (f"{ADDRESS}:1.2", {"imageDetails": []}, True),
        (f"{ADDRESS}@sha256:{'ab' * 32}", {"imageDetails": []}, True),
        (f"{ADDRESS}:1.2", {"code": "ImageNotFoundException"}, False),
        (f"{ADDRESS}:1.2", {"code": "RepositoryNotFoundException"}, False),
    ],
)
def test_find_image_asks_for_the_tag_or_the_digest(
    address: str, answer: Mapping[str, Any], found: bool
) -> None:
    session = stubbed("ecr", ("describe_images", answer))
    assert account.find_image(session, address) is found
