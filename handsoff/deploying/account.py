"""What an AWS account has: stack, bucket, quotas, concurrency. Reads only.

A question that AWS refuses, or cannot be asked, is answered by a Problem where it goes through `asked`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader

from handsoff.errors import UsageError
from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.facts import keys
from retraining.facts.pauses import PauseFact

T = TypeVar("T")

PLACED: Final = ("sts", "cloudformation", "s3", "sagemaker", "lambda")
"""Services whose endpoints say where a deployment is: its account, stack, data, pipelines and functions."""

UNBORN: Final = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS")
"""Statuses of a stack that was never created completely: it can only be deleted."""


@dataclass(frozen=True)
class Problem:
    """What AWS, or its client, answered in place of a fact: an error's code and its text."""

    code: str
    text: str


@dataclass(frozen=True)
class Quota:
    """A quota of SageMaker: how many instances of one type may run at once."""

    code: str
    value: float


@dataclass(frozen=True)
class Bucket:
    """What exists under the data bucket's name. `region` is None where S3 does not say it."""

    state: Literal["free", "ours", "not ours"]
    region: str | None = None
    versioned: bool = True
    tells_eventbridge: bool = True


@dataclass(frozen=True)
class Stack:
    """What exists under the stack's name."""

    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    version: str = ""
    """The same as long as nobody changes the stack: its id and the time of its last change."""


@dataclass(frozen=True)
class Concurrency:
    """The account's concurrent executions that are unreserved, and those the review page has reserved."""

    unreserved: int
    ours: int


def endpoint(session: boto3.Session) -> str | None:
    """The URL of the stand-in for AWS that clients use; None for AWS itself.

    A stand-in is what AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE> or `endpoint_url` of a profile names,
    outside of AWS's domains.
    Raises UsageError where some services are AWS's and others are not, or are at another stand-in.
    """
    found = {service: _stand_in(session, service) for service in PLACED}
    if len(set(found.values())) > 1:
        places = ", ".join(f"{service} at {url or 'AWS'}" for service, url in found.items())
        raise UsageError(
            f"AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_<SERVICE>, endpoint_url lead to several places: {places}. "
            "A deployment is wholly on AWS or wholly on one stand-in"
        )
    return found["sts"]


def _stand_in(session: boto3.Session, service: str) -> str | None:
    """The URL of a service's endpoint if it is outside of AWS's domains; None otherwise."""
    url = str(session.client(service).meta.endpoint_url)  # type: ignore[call-overload]
    return None if (urlsplit(url).hostname or "").endswith(_aws_domains()) else url


@functools.cache
def _aws_domains() -> tuple[str, ...]:
    """The domains of AWS's endpoints in all partitions, each with a dot before it.

    Source: botocore, which makes each endpoint that it resolves by itself from one of them.
    """
    outputs = [item["outputs"] for item in create_loader().load_data("partitions")["partitions"]]
    return tuple(f".{item[name]}" for item in outputs for name in ("dnsSuffix", "dualStackDnsSuffix"))


def asked(call: Callable[[], T]) -> T | Problem:
    """The answer to `call`, or the problem that AWS or its client reports in its place."""
    try:
        return call()
    except ClientError as error:
        return Problem(error.response["Error"]["Code"], error.response["Error"].get("Message", str(error)))
    except BotoCoreError as error:
        return Problem(type(error).__name__.removesuffix("Error"), str(error))


def find_stack(session: boto3.Session, name: str) -> Stack | None:
    """The stack of this name; None where there is none."""
    try:
        (found,) = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        return None
    return Stack(
        found["StackStatus"],
        {item["ParameterKey"]: item["ParameterValue"] for item in found.get("Parameters", [])},
        {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])},
        f"{found['StackId']} {found.get('LastUpdatedTime', found['CreationTime'])}",
    )


def find_pauses(session: boto3.Session, table: str, models: Iterable[str]) -> dict[str, PauseFact]:
    """The pauses that stand, by model; `table` is the ledger's."""
    ledger = Ledger(Items(session.resource("dynamodb").Table(table)))
    found = {model: ledger.get(keys.paused(model)) for model in models}
    return {model: pause for model, pause in found.items() if pause and pause.stands}


def find_bucket(session: boto3.Session, name: str, account: str) -> Bucket:
    """What exists under this name, as `account` sees it."""
    s3 = session.client("s3")
    try:
        head = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            return Bucket("free")
        if error.response["Error"]["Code"] in ("403", "301"):
            return Bucket("not ours")
        raise
    return Bucket(
        "ours",
        head.get("BucketRegion"),
        s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled",
        "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=name),
    )


def find_quotas(session: boto3.Session) -> dict[str, Quota]:
    """SageMaker's quotas by name: the account's own value, or AWS's default where it has none."""
    client = session.client("service-quotas")
    found: dict[str, Quota] = {}
    for operation in ("list_aws_default_service_quotas", "list_service_quotas"):
        for page in client.get_paginator(operation).paginate(ServiceCode="sagemaker"):
            found |= {item["QuotaName"]: Quota(item["QuotaCode"], item["Value"]) for item in page["Quotas"]}
    return found


def find_image(session: boto3.Session, address: str) -> bool:
    """Whether the image of this address in the session's region of ECR exists, by its tag or digest."""
    name = address.split("/", 1)[1]
    client = session.client("ecr")
    repository, digest = name.partition("@")[::2] if "@" in name else (name.rpartition(":")[0], "")
    wanted = {"imageDigest": digest} if digest else {"imageTag": name.rpartition(":")[2]}
    try:
        client.describe_images(repositoryName=repository, imageIds=[wanted])
    except (client.exceptions.ImageNotFoundException, client.exceptions.RepositoryNotFoundException):
        return False
    return True


def find_concurrency(session: boto3.Session, prefix: str) -> Concurrency:
    """The account's concurrent executions."""
    client = session.client("lambda")
    unreserved = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    try:
        ours = client.get_function_concurrency(FunctionName=f"{prefix}-review-candidate")
    except client.exceptions.ResourceNotFoundException:
        return Concurrency(unreserved, 0)
    return Concurrency(unreserved, ours.get("ReservedConcurrentExecutions", 0))
