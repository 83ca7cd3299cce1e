"""Whether this machine, these credentials and this account can carry the deployment: what, why, way out.

`examine` gathers facts and changes nothing; each check is a pure function of what was gathered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from packaging.specifiers import SpecifierSet

from handsoff import project
from handsoff.deploying import sam, tools
from handsoff.deploying.terraform import program_version
from pipeline_def import images
from retraining.config.schema import Config
from retraining.errors import ConfigError, HandsoffError

T = TypeVar("T")

Outcome = Literal["ok", "warning", "error", "not checked"]

JOBS: Final = ("training", "processing")
UNRESERVED: Final = 100
"""Executions at once that Lambda leaves to functions that reserve nothing; it refuses to go below."""

AWS_DOMAINS: Final = (".amazonaws.com", ".amazonaws.com.cn", ".ic.gov", ".sgov.gov")
"""Where AWS answers. An endpoint anywhere else belongs to no account that somebody pays for."""

EXPIRED: Final = (
    "ExpiredToken",
    "ExpiredTokenException",
    "UnauthorizedSSOToken",
    "TokenRetrieval",
    "SSOToken",
)
"""How a session's end is called: by STS, and by botocore's errors without their last word."""

UNBORN: Final = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS")
"""States of a stack that was never there: it can only be removed."""


class Unfit(HandsoffError):
    """Something that a deployment needs is missing."""


@dataclass(frozen=True)
class Finding:
    """What was looked at, what came of it, why, and the way out where there is something to do."""

    what: str
    outcome: Outcome
    why: str
    way_out: str | None = None


@dataclass(frozen=True)
class Problem:
    """What AWS, or its client, said in place of an answer."""

    code: str
    text: str


@dataclass(frozen=True)
class Quota:
    """A quota of SageMaker's: how many instances of a type may work at once."""

    code: str
    value: float


@dataclass(frozen=True)
class Bucket:
    """What there is under the data bucket's name."""

    state: Literal["free", "ours", "not ours"]
    region: str | None = None
    versioned: bool = True
    tells_eventbridge: bool = True


@dataclass(frozen=True)
class Stack:
    """What there is under the stack's name."""

    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Concurrency:
    """Of the account's concurrent executions: how many are free, and how many the review page has already."""

    unreserved: int
    ours: int


# ---- checks ------------------------------------------------------------------------------------------


def _ok(what: str, why: str) -> Finding:
    return Finding(what, "ok", why)


def _error(what: str, why: str, way_out: str) -> Finding:
    return Finding(what, "error", why, way_out)


def _unchecked(what: str, problem: Problem, permission: str) -> Finding:
    """A finding that these credentials may not make; the deployment may still be possible."""
    return Finding(what, "not checked", f"{problem.code}: {problem.text}", f"{permission} lets doctor look")


def config_is_valid(found: Config | ConfigError) -> Finding:
    what = "configuration"
    if isinstance(found, ConfigError):
        return _error(what, str(found), "mend the file: docs/reference/configuration.md explains each key")
    return _ok(what, f"valid: prefix {found.prefix}, models {', '.join(found.models)}")


def terraform(version: str | None, wanted: str) -> Finding:
    """`wanted` is a constraint as Terraform writes it, such as >= 1.9, < 2.0."""
    what = "Terraform"
    if version is None:
        return _error(what, "it is not on the PATH", f"install Terraform {wanted}")
    if not SpecifierSet(wanted.replace("~>", "~=")).contains(version, prereleases=True):
        return _error(what, f"it is {version}; wanted is {wanted}", f"install Terraform {wanted}")
    return _ok(what, version)


def program(name: str, version: str | None, way_out: str) -> Finding:
    return _ok(name, version) if version else _error(name, "it is missing or does not work", way_out)


def credentials(identity: Mapping[str, str] | Problem, profile: str | None) -> Finding:
    """Who AWS says we are, or what is wrong with the keys: AWS's own words seldom say what to do."""
    what = "credentials"
    if not isinstance(identity, Problem):
        who = f"{identity['Arn']}, account {identity['Account']}"
        if identity["Arn"].endswith(":root"):
            why = f"{who}: the root user, whom no policy binds"
            return Finding(what, "warning", why, "use a user or a role: docs/how-to/operator.md")
        return _ok(what, who)
    code, text = identity.code, identity.text
    if code == "ProfileNotFound":
        way_out = f"aws configure --profile {profile}, or `unset AWS_PROFILE`: docs/how-to/operator.md"
        return _error(what, f"AWS_PROFILE is {profile}, and there is no such profile", way_out)
    if code in ("NoCredentials", "PartialCredentials", "CredentialRetrieval"):
        way_out = "aws configure --profile data-science-user, export AWS_PROFILE: docs/how-to/operator.md"
        return _error(what, f"there are none: {text}", way_out)
    if code in EXPIRED:
        login = f"aws sso login{f' --profile {profile}' if profile else ''}"
        return _error(what, f"the session has expired: {text}", f"{login}, or a new session another way")
    if code in ("InvalidClientTokenId", "UnrecognizedClientException"):
        way_out = "is it deleted or inactive? docs/how-to/operator.md says how keys are changed"
        return _error(what, f"AWS does not know this access key: {text}", way_out)
    if code == "SignatureDoesNotMatch":
        return _error(what, text, "the secret key is wrong, or this machine's clock")
    return _error(what, f"{code}: {text}", "can AWS be reached from here?")


def region(name: str | None, variables: Mapping[str, str]) -> Finding:
    """`name` is what boto3 takes. It looks at AWS_DEFAULT_REGION, Terraform at AWS_REGION first."""
    what = "region"
    if not name:
        return _error(what, "none is set", "export AWS_DEFAULT_REGION=…, or set it in the profile")
    if (other := variables.get("AWS_REGION", name)) != name:
        why = f"AWS_REGION is {other}, and AWS_DEFAULT_REGION or the profile says {name}"
        return _error(what, why, "set both to the same: not every client looks at both")
    try:
        return _ok(what, f"{name} hosts {images.image_uri(name)}")
    except ValueError as error:
        return _error(what, str(error), "export AWS_DEFAULT_REGION=…, one of these")


def quotas(config: Config, known: Mapping[str, Quota] | Problem, region: str) -> list[Finding]:
    """For each instance type and kind of job: how many may work at once, and how many may want to."""
    if isinstance(known, Problem):
        permission = "servicequotas:ListServiceQuotas with ListAWSDefaultServiceQuotas"
        return [_unchecked("instance quotas", known, permission)]
    types = [model.training.instance_type for model in config.models.values()]
    return [
        _quota(f"{name} for {job} job usage", types.count(name), known, region)
        for name in sorted(set(types))
        for job in JOBS
    ]


def _quota(name: str, models: int, known: Mapping[str, Quota], region: str) -> Finding:
    what = f"quota {name}"
    if name not in known:
        why = f"SageMaker has no such quota in {region}: does it offer this type there?"
        return _error(what, why, "name another instance_type in handsoff.yaml")
    quota = known[name]
    more = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker "
        f"--quota-code {quota.code} --desired-value {models} --region {region}"
    )
    if quota.value < 1:
        return _error(what, "it is 0, so no such job can start", more)
    if quota.value < models:
        why = f"it is {quota.value:g}, and {models} models may want one at once: they wait for each other"
        return Finding(what, "warning", why, more)
    return _ok(what, f"{quota.value:g}")


def concurrency(wanted: int, found: Concurrency | Problem) -> Finding:
    """Whether the account has enough for what the review page reserves."""
    what = "Lambda concurrency"
    if wanted == 0:
        return _ok(what, "ReviewConcurrency is 0, so nothing is reserved")
    if isinstance(found, Problem):
        return _unchecked(what, found, "lambda:GetAccountSettings with GetFunctionConcurrency")
    free = found.unreserved + found.ours
    if free - wanted < UNRESERVED:
        return _error(
            what,
            f"{free} are free, the review page reserves {wanted}, and Lambda keeps {UNRESERVED} unreserved",
            "handsoff deploy --parameter ReviewConcurrency=0, or ask for more: aws service-quotas "
            "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
            "--desired-value 1000",
        )
    return _ok(what, f"{free - wanted} stay unreserved")


def bucket(name: str, region: str, found: Bucket | Problem, *, existing: bool) -> Finding:
    """`existing` is a bucket that the configuration names; any other one is Terraform's to make."""
    what = f"bucket {name}"
    if isinstance(found, Problem):
        return _unchecked(what, found, "s3:ListBucket with s3:GetBucketVersioning and GetBucketNotification")
    if found.state == "not ours":
        why = "it is another account's, or these credentials may not see it"
        return _error(what, why, "another prefix, or aws.bucket in handsoff.yaml")
    if not existing:
        return _ok(what, "it is there" if found.state == "ours" else "Terraform makes it")
    if found.state == "free":
        return _error(what, "aws.bucket names it, and there is none", "make it, or leave aws.bucket out")
    if found.region not in (None, region):
        why = f"it is in {found.region}, and the rest would be in {region}"
        return _error(what, why, "a bucket in the same region: SageMaker wants that")
    if not found.versioned:
        way_out = f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
        return _error(what, "it keeps no versions, and a run reads those that had landed", way_out)
    if not found.tells_eventbridge:
        way_out = "in the console: Properties, Amazon EventBridge, on (the command line replaces what is set)"
        return _error(what, "it tells EventBridge nothing, so nothing would start", way_out)
    return _ok(what, "it is there, keeps versions, tells EventBridge")


def stack(name: str, found: Stack | Problem | None) -> Finding:
    what = f"stack {name}"
    if isinstance(found, Problem):
        return _unchecked(what, found, "cloudformation:DescribeStacks")
    if found is None:
        return _ok(what, "there is none yet")
    if found.status in UNBORN:
        return Finding(what, "warning", f"it is {found.status}: deploy removes what is left of it first")
    if found.parameters.get("Prefix") != name:
        return _error(what, "there is one of this name that is not handsoff's", "choose another prefix")
    if found.status == "UPDATE_ROLLBACK_FAILED":
        way_out = f"aws cloudformation continue-update-rollback --stack-name {name}"
        return _error(what, f"it is {found.status}", way_out)
    if found.status.endswith("_IN_PROGRESS"):
        return _error(what, f"it is {found.status}: somebody else deploys", "wait until that has ended")
    return _ok(what, f"it is ours, {found.status}")


# ---- facts -------------------------------------------------------------------------------------------


def examine(config: Path, parameters: Mapping[str, str] | None = None) -> list[Finding]:
    """Everything that is to be known before a deployment with this configuration. Changes nothing.

    `parameters` are those of the template that the deployment will be given.
    """
    read = _read(config)
    folder = config.resolve().parent
    findings = [config_is_valid(read if isinstance(read, ConfigError) else read.config)]
    wanted = terraform_wanted(folder)
    findings += [terraform(program_version(), wanted)]
    findings += [
        program("SAM CLI", _sam_version(folder), "run `make setup`"),
        program("uv", _version(["uv", "--version"]), "run `make setup`"),
        program("make", _version(["make", "--version"]), "install make"),
    ]
    session = asked(boto3.Session)
    if isinstance(session, Problem):
        return [*findings, credentials(session, os.environ.get("AWS_PROFILE"))]
    name = session.region_name
    findings.append(region(name, os.environ))
    if not name:
        return findings
    identity = asked(lambda: session.client("sts").get_caller_identity())
    if isinstance(identity, Problem):
        return [*findings, credentials(identity, os.environ.get("AWS_PROFILE"))]
    who = {"Arn": identity["Arn"], "Account": identity["Account"]}
    findings.append(credentials(who, None))
    if isinstance(read, ConfigError):
        return findings
    return findings + _account(session, read, who["Account"], parameters or {})


def _account(
    session: boto3.Session, read: project.Project, account: str, parameters: Mapping[str, str]
) -> list[Finding]:
    config, where = read.config, session.region_name
    there = asked(lambda: find_stack(session, config.prefix))
    before = there.parameters if isinstance(there, Stack) else {}
    reserved = int({**sam.defaults(read.template), **before, **parameters}["ReviewConcurrency"])
    name = config.aws.bucket or f"{config.prefix}-data-{account}-{where}"
    found = asked(lambda: find_bucket(session, name, account))
    findings = [
        stack(config.prefix, there),
        bucket(name, where, found, existing=config.aws.bucket is not None),
    ]
    if elsewhere := endpoint(session):
        why = f"{elsewhere} is not AWS: it limits nothing"
        return [
            *findings,
            Finding("instance quotas", "not checked", why),
            Finding("Lambda concurrency", "not checked", why),
        ]
    limits = asked(lambda: find_quotas(session))
    free = asked(lambda: find_concurrency(session, config.prefix))
    return [*findings, *quotas(config, limits, where), concurrency(reserved, free)]


def endpoint(session: boto3.Session) -> str | None:
    """The endpoint that clients talk to if it is not AWS's own."""
    url = str(session.client("sts").meta.endpoint_url)
    host = urlsplit(url).hostname or ""
    return None if host.endswith(AWS_DOMAINS) else url


def asked(call: Callable[[], T]) -> T | Problem:
    """The answer, or what was said in its place."""
    try:
        return call()
    except ClientError as error:
        return Problem(error.response["Error"]["Code"], error.response["Error"].get("Message", str(error)))
    except BotoCoreError as error:
        return Problem(type(error).__name__.removesuffix("Error"), str(error))


def find_stack(session: boto3.Session, name: str) -> Stack | None:
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
    )


def find_bucket(session: boto3.Session, name: str, account: str) -> Bucket:
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
    """SageMaker's quotas by name: what the account has, and AWS's default where it has nothing of its own."""
    client = session.client("service-quotas")
    found: dict[str, Quota] = {}
    for operation in ("list_aws_default_service_quotas", "list_service_quotas"):
        for page in client.get_paginator(operation).paginate(ServiceCode="sagemaker"):
            found |= {item["QuotaName"]: Quota(item["QuotaCode"], item["Value"]) for item in page["Quotas"]}
    return found


def find_concurrency(session: boto3.Session, prefix: str) -> Concurrency:
    client = session.client("lambda")
    unreserved = client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"]
    try:
        ours = client.get_function_concurrency(FunctionName=f"{prefix}-review-candidate")
    except client.exceptions.ResourceNotFoundException:
        return Concurrency(unreserved, 0)
    return Concurrency(unreserved, ours.get("ReservedConcurrentExecutions", 0))


def terraform_wanted(folder: Path) -> str:
    """The versions of Terraform that the project takes."""
    text = (folder / "terraform" / "versions.tf").read_text(encoding="utf-8")
    found = re.search(r'required_version\s*=\s*"([^"]+)"', text)
    return found[1] if found else ""


def _read(config: Path) -> project.Project | ConfigError:
    try:
        return project.load(config)
    except ConfigError as error:
        return error


def _sam_version(folder: Path) -> str | None:
    try:
        return _version([str(project.sam_program(folder)), "--version"])
    except project.ToolMissing:
        return None


def _version(command: list[str]) -> str | None:
    """The first line that a program says of its version; None if it is not there or does not work."""
    try:
        said = tools.run(" ".join(command), command, folder=Path.cwd(), environment={})
    except (tools.ToolFailed, FileNotFoundError):
        return None
    return said.strip().partition("\n")[0]
