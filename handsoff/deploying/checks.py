"""Checks of `handsoff doctor`: each is a pure function of facts and gives a Finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from packaging.specifiers import SpecifierSet

from handsoff.deploying import function_urls
from handsoff.deploying.account import UNBORN, Bucket, Concurrency, Problem, Quota, Stack
from handsoff.deploying.tools import INSTALLING
from handsoff.errors import UsageError
from handsoff.location import Location
from handsoff.pages import page
from pipeline_def import images
from pipeline_def.instances import has_local_disks
from pipeline_def.jobs import processing_type
from pipeline_def.source import read_source
from retraining.config.schema import Config, ModelConfig
from retraining.errors import ConfigError
from retraining.facts.pauses import PauseFact

Outcome = Literal["ok", "warning", "error", "not checked"]

MIN_UNRESERVED: Final = 100
"""Concurrent executions that Lambda keeps unreserved; it refuses a reservation that leaves fewer."""

EXPIRED: Final = (
    "ExpiredToken",
    "ExpiredTokenException",
    "UnauthorizedSSOToken",
    "TokenRetrieval",
    "SSOToken",
)
"""Codes of an expired session: STS's, and the names of botocore's errors without `Error`."""


@dataclass(frozen=True)
class Finding:
    """What was checked, the outcome, why, and what to do; `way_out` is None where nothing is to do."""

    what: str
    outcome: Outcome
    why: str
    way_out: str | None = None


def _ok(what: str, why: str) -> Finding:
    return Finding(what, "ok", why)


def _error(what: str, why: str, way_out: str) -> Finding:
    return Finding(what, "error", why, way_out)


def _unchecked(what: str, problem: Problem, permission: str) -> Finding:
    """A check that these credentials may not make; the deployment may still be possible."""
    return Finding(what, "not checked", f"{problem.code}: {problem.text}", f"{permission} lets doctor look")


def config_is_valid(found: Config | ConfigError) -> Finding:
    what = "configuration"
    if isinstance(found, ConfigError):
        return _error(
            what, str(found), f"correct the file: {page('docs/reference/configuration.md')} explains each key"
        )
    return _ok(what, f"valid: prefix {found.prefix}, models {', '.join(found.models)}")


def terraform(version: str | None, wanted: str) -> Finding:
    """`version` is the program's, None where it is missing; `wanted` a constraint such as `>= 1.9, < 2.0`."""
    what = "Terraform"
    if version is None:
        return _error(what, "it is not on the PATH", f"install Terraform {wanted}. {INSTALLING['terraform']}")
    if not SpecifierSet(wanted.replace("~>", "~=")).contains(version, prereleases=True):
        return _error(what, f"it is {version}; needed is {wanted}", f"install Terraform {wanted}")
    return _ok(what, version)


def program(name: str, version: str | None, way_out: str) -> Finding:
    return _ok(name, version) if version else _error(name, "it is missing or does not work", way_out)


def credentials(identity: Mapping[str, str] | Problem, profile: str | None) -> Finding:
    """The identity that AWS names, or what is wrong with the credentials and how to correct it."""
    what = "credentials"
    if not isinstance(identity, Problem):
        who = f"{identity['Arn']}, account {identity['Account']}"
        if identity["Arn"].endswith(":root"):
            why = f"{who}: the root user, which no policy limits"
            return Finding(what, "warning", why, f"use a user or a role: {page('docs/how-to/operator.md')}")
        return _ok(what, who)
    code, text = identity.code, identity.text
    if code == "ProfileNotFound":
        way_out = (
            f"aws configure --profile {profile}, or `unset AWS_PROFILE`: {page('docs/how-to/operator.md')}"
        )
        return _error(what, f"AWS_PROFILE is {profile}, and there is no such profile", way_out)
    if code in ("NoCredentials", "PartialCredentials", "CredentialRetrieval"):
        way_out = "aws configure --profile data-science-user, export AWS_PROFILE: "
        way_out += page("docs/how-to/operator.md")
        return _error(what, f"there are none: {text}", way_out)
    if code in EXPIRED:
        login = f"aws sso login{f' --profile {profile}' if profile else ''}"
        return _error(what, f"the session has expired: {text}", f"{login}, or a new session another way")
    if code in ("InvalidClientTokenId", "UnrecognizedClientException"):
        says = page("docs/how-to/operator.md")
        way_out = f"check whether it is deleted or inactive; {says} says how to replace keys"
        return _error(what, f"AWS does not know this access key: {text}", way_out)
    if code == "SignatureDoesNotMatch":
        return _error(what, text, "correct the secret key, or this machine's clock")
    return _error(what, f"{code}: {text}", "check whether AWS can be reached from here")


def region(name: str | None, variables: Mapping[str, str]) -> Finding:
    """`name` is the region that boto3 uses. boto3 reads AWS_DEFAULT_REGION, Terraform AWS_REGION first."""
    what = "region"
    if not name:
        return _error(what, "none is set", "export AWS_DEFAULT_REGION=…, or set it in the profile")
    if (other := variables.get("AWS_REGION", name)) != name:
        why = f"AWS_REGION is {other}, and AWS_DEFAULT_REGION or the profile says {name}"
        return _error(what, why, "set both to the same region: not every client reads both")
    try:
        return _ok(what, f"{name} hosts {images.image_uri(name)}")
    except ValueError as error:
        return _error(what, str(error), "export AWS_DEFAULT_REGION=…, with one of these")


def endpoints(problem: UsageError) -> Finding:
    """Settings of endpoints that lead to several places."""
    return _error("endpoints", str(problem), "name one stand-in in AWS_ENDPOINT_URL, or remove the settings")


def review_page(location: Location) -> Finding:
    """Whether the review page can be deployed: it needs a function URL."""
    what, source = "review page", function_urls.missing(location)
    if source is None:
        return _ok(what, f"Lambda has function URLs in {location.region}")
    return Finding(
        what,
        "warning",
        f"Lambda has no function URLs in {location.region} ({source}). Page and links are left out; Slack "
        "shows candidates without buttons",
        "decide by `handsoff approve` and `handsoff reject`, or deploy in another region",
    )


def volumes(config: Config) -> list[Finding]:
    """The models whose jobs store data on disks that `aws.kms_key` cannot encrypt; none without a key."""
    types = {name: model.training.instance_type for name, model in config.models.items()}
    return [
        Finding(
            f"volumes of {name}",
            "warning",
            f"{instance_type} has local disks. The hardware encrypts them by keys of its own, and SageMaker "
            "refuses aws.kms_key for them. What jobs write to S3 is encrypted by aws.kms_key",
            "name an instance_type without local disks, such as ml.m5.large, if a key of yours is required",
        )
        for name, instance_type in types.items()
        if config.aws.kms_key and has_local_disks(instance_type)
    ]


def own_code(config: Config, folder: Path, region: str) -> list[Finding]:
    """For each model with own code, whether it can be published: its files, and its image in the region.

    `folder` is that of handsoff.yaml.
    """
    models = {name: model for name, model in config.models.items() if model.training.own_code}
    return [_own_code(name, model, folder, region) for name, model in models.items()]


def _own_code(name: str, model: ModelConfig, folder: Path, region: str) -> Finding:
    what, training = f"own code of {name}", model.training
    try:
        files = read_source(model.model_dump(mode="json", exclude_none=True), folder)
    except ValueError as error:
        return _error(what, str(error), f"correct models.{name}.training of handsoff.yaml, or the folder")
    try:
        image = images.training_uri(str(training.image), region, training.instance_type)
    except ValueError as error:
        return _error(what, str(error), "name another image, or deploy to one of these regions")
    if images.region_of(image) != region:
        said = f"{image} is in {images.region_of(image)}, and SageMaker pulls images of its own region only"
        return _error(what, said, f"push it to {region} and name it there, or replicate its repository")
    size = sum(len(content) for content in files.values())
    return _ok(what, f"{len(files)} files, {size:,} bytes in {training.source_dir}; {image}")


def image(name: str, found: bool | Problem) -> Finding:
    """Whether there is an image of this account's that models name, `name`."""
    what = f"image {name}"
    if isinstance(found, Problem):
        return _unchecked(what, found, "ecr:DescribeImages")
    if not found:
        way_out = "push it, or correct training.image in handsoff.yaml"
        return _error(what, "its repository or its tag does not exist, so no job could start", way_out)
    return _ok(what, "it exists")


def quotas(config: Config, known: Mapping[str, Quota] | Problem, region: str) -> list[Finding]:
    """For each instance type and kind of job: how many may run at once, and how many the models may need."""
    if isinstance(known, Problem):
        permission = "servicequotas:ListServiceQuotas with ListAWSDefaultServiceQuotas"
        return [_unchecked("instance quotas", known, permission)]
    needed: dict[str, list[int]] = {}
    for model in config.models.values():
        for name, instances in _needed(model).items():
            needed.setdefault(name, []).append(instances)
    return [_quota(name, needed[name], known, region) for name in sorted(needed, key=_by_type)]


def _needed(model: ModelConfig) -> dict[str, int]:
    """The instances that a model may need at once, by the quota. Its models to compare are scored at once."""
    training = model.training
    scored = (2 + model.approval.asks_anchor) if training.own_code else 1
    others = processing_type(training.instance_type, own_code=training.own_code)
    return {
        f"{training.instance_type} for {'spot ' * training.spot}training job usage": training.instance_count,
        f"{others} for processing job usage": scored,
    }


def _by_type(name: str) -> tuple[str, bool]:
    """Quotas of one instance type beside each other, those of training first."""
    return name.split(" ", 1)[0], name.endswith("processing job usage")


def _quota(name: str, needed: Sequence[int], known: Mapping[str, Quota], region: str) -> Finding:
    what = f"quota {name}"
    if name not in known:
        why = f"SageMaker has no such quota in {region}: it may not offer this type there"
        return _error(what, why, "name another instance_type in handsoff.yaml")
    quota, all_at_once = known[name], sum(needed)
    more = (
        "aws service-quotas request-service-quota-increase --service-code sagemaker "
        f"--quota-code {quota.code} --desired-value {all_at_once} --region {region}"
    )
    if quota.value < 1:
        return _error(what, "it is 0, so no such job can start", more)
    if "training" in name and quota.value < max(needed):
        return _error(
            what, f"it is {quota.value:g}, and one training job needs {max(needed)} instances", more
        )
    if quota.value < all_at_once:
        why = f"it is {quota.value:g}, and {all_at_once} may be needed at once: jobs wait for each other"
        return Finding(what, "warning", why, more)
    return _ok(what, f"{quota.value:g}")


def concurrency(wanted: int, found: Concurrency | Problem) -> Finding:
    """Whether the account has enough concurrency for what the review page reserves, `wanted`."""
    what = "Lambda concurrency"
    if wanted == 0:
        return _ok(what, "ReviewConcurrency is 0, so nothing is reserved")
    if isinstance(found, Problem):
        return _unchecked(what, found, "lambda:GetAccountSettings with GetFunctionConcurrency")
    free = found.unreserved + found.ours
    if free - wanted < MIN_UNRESERVED:
        return _error(
            what,
            f"{free} are free, the review page reserves {wanted}, "
            f"and Lambda keeps {MIN_UNRESERVED} unreserved",
            "handsoff deploy --parameter ReviewConcurrency=0, or ask for more: aws service-quotas "
            "request-service-quota-increase --service-code lambda --quota-code L-B99A9384 "
            "--desired-value 1000",
        )
    return _ok(what, f"{free - wanted} stay unreserved")


def bucket(name: str, region: str, found: Bucket | Problem, *, existing: bool) -> Finding:
    """`existing` says that the configuration names the bucket; otherwise Terraform makes it."""
    what = f"bucket {name}"
    if isinstance(found, Problem):
        return _unchecked(what, found, "s3:ListBucket with s3:GetBucketVersioning and GetBucketNotification")
    if found.state == "not ours":
        why = "it belongs to another account, or these credentials may not see it"
        return _error(what, why, "choose another prefix, or name a bucket in aws.bucket of handsoff.yaml")
    if not existing:
        return _ok(what, "it exists" if found.state == "ours" else "Terraform makes it")
    if found.state == "free":
        return _error(what, "aws.bucket names it, and it does not exist", "make it, or leave aws.bucket out")
    if found.region not in (None, region):
        why = f"it is in {found.region}, and everything else would be in {region}"
        return _error(what, why, "use a bucket in the same region: SageMaker requires it")
    if not found.versioned:
        way_out = f"aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
        return _error(what, "it keeps no versions, and an execution reads the versions of its batch", way_out)
    if not found.tells_eventbridge:
        way_out = "in the console: Properties, Amazon EventBridge, on (the AWS CLI replaces other settings)"
        return _error(what, "it sends no events to EventBridge, so nothing would start", way_out)
    return _ok(what, "it exists, keeps versions, sends events to EventBridge")


def pauses(config: Config, found: Mapping[str, PauseFact] | Problem) -> list[Finding]:
    """The models that start nothing, as a person or handsoff.yaml pauses them."""
    findings = [
        Finding(
            f"pause of {name}",
            "warning",
            "handsoff.yaml pauses it: retrain.paused is true, so nothing starts",
            "set it to false, then `handsoff publish`, once it shall start again",
        )
        for name, model in config.models.items()
        if model.retrain.paused
    ]
    if isinstance(found, Problem):
        return [*findings, _unchecked("pauses", found, "dynamodb:GetItem on the ledger")]
    return findings + [
        Finding(f"pause of {name}", "warning", pause.text, f"`handsoff resume {name}` once it is over")
        for name, pause in found.items()
    ]


def stack(name: str, found: Stack | Problem | None) -> Finding:
    what = f"stack {name}"
    if isinstance(found, Problem):
        return _unchecked(what, found, "cloudformation:DescribeStacks")
    if found is None:
        return _ok(what, "it does not exist yet")
    if found.status in UNBORN:
        return Finding(what, "warning", f"it is {found.status}: deploy removes its remains first")
    if found.parameters.get("Prefix") != name:
        return _error(what, "another stack has this name", "choose another prefix")
    if found.status == "UPDATE_ROLLBACK_FAILED":
        way_out = f"aws cloudformation continue-update-rollback --stack-name {name}"
        return _error(what, f"it is {found.status}", way_out)
    if found.status.endswith("_IN_PROGRESS"):
        return _error(what, f"it is {found.status}: another deployment runs", "wait until it has ended")
    return _ok(what, f"it is this deployment's, {found.status}")
