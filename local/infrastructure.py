"""Makes with boto3 what Terraform makes on AWS, because this machine may not have Terraform.

Both read the values of `handsoff render` and the policies of terraform/policies. tests/terraform compares the
results through the API. Resources are made, or updated if they exist. A bucket or a role that an AWS account
already has does not exist on this machine, so it is made too.
"""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from typing import Any, Final

from local.server import Cloud

PACKAGED: Final = Path(__file__).resolve().parent / "policies"
"""The folder of the policy documents in an installed wheel; a checkout has no such folder."""

POLICIES: Final = PACKAGED if PACKAGED.is_dir() else PACKAGED.parents[1] / "terraform" / "policies"
"""The folder with the policy documents that Terraform uses too."""


def provision(cloud: Cloud, values: Mapping[str, Any]) -> None:
    """Make what a deployment needs before `sam deploy`. `values` is the output of `handsoff render`."""
    prefix = values["prefix"]
    bucket = values["bucket"] or f"{prefix}-data-{cloud.account}-{cloud.region}"
    own_role = f"arn:aws:iam::{cloud.account}:role/{prefix}-pipeline"
    names = {
        "partition": "aws",
        "region": cloud.region,
        "account": cloud.account,
        "prefix": prefix,
        "bucket": bucket,
        "role": values["pipeline_role"] or own_role,
        "images": '", "'.join(values["images"]),
        "kms_key": values["kms_key"] or "",
        "link_secret": values["link_secret"] or "",
    }
    key = _signing_key(cloud, prefix) if values["create_signing_key"] else values["signing_key"]
    documents = ["pipeline"]
    documents += ["pipeline-kms"] if values["kms_key"] else []
    documents += ["pipeline-vpc"] if values["subnets"] else []
    _role(cloud, names["role"].rsplit("/", 1)[-1], "trust-sagemaker", documents, names)
    _bucket(cloud, names, values["version_days"], values["upload_days"])
    _parameter(cloud, f"/{prefix}/data-bucket", bucket)
    schedules = _role(cloud, f"{prefix}-schedules", "trust-scheduler", ["schedules"], names)
    names |= {
        "signing_key": key or "",
        "signing_keys": '", "'.join([*([key] if key else []), *values["earlier_keys"]]),
    }
    if values["object_lock"]:
        _lock(cloud, bucket)
    for document in (
        "operator",
        "operator-evidence",
        "operator-publish",
        *(["operator-signing"] if key else []),
        *(["operator-links"] if values["link_secret"] else []),
    ):
        _managed_policy(cloud, f"{prefix}-{document}", policy(document, names))
    for model, value in values["models"].items():
        _parameter(cloud, f"/{prefix}/models/{model}", value["config"])
        _package_group(cloud, prefix, model)
        _pipeline(cloud, prefix, model, value["definition"], names["role"])
        _schedule(cloud, prefix, model, value, schedules)


@functools.cache
def _client(cloud: Cloud, name: str) -> Any:
    """A client, made once: making one takes longer than all of its calls."""
    return cloud.client(name)


def policy(name: str, names: Mapping[str, str]) -> str:
    """A document of terraform/policies with `names` in place of its placeholders, as in Terraform."""
    return Template((POLICIES / f"{name}.json").read_text(encoding="utf-8")).substitute(names)


def _bucket(cloud: Cloud, names: Mapping[str, str], version_days: int, upload_days: int) -> None:
    s3, bucket = _client(cloud, "s3"), names["bucket"]
    if bucket not in {item["Name"] for item in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(
            Bucket=bucket,
            **(
                {}
                if cloud.region == "us-east-1"
                else {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}}
            ),
        )
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    s3.put_public_access_block(
        Bucket=bucket,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    s3.put_bucket_ownership_controls(
        Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    s3.put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [_encryption(names["kms_key"])]}
    )
    rules = [_expiry("runs", 30), _expiry("quarantine", 90), *_tidying(version_days, upload_days)]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy("bucket", names))


def _lock(cloud: Cloud, bucket: str) -> None:
    """Turn S3 Object Lock on, without a default retention."""
    _client(cloud, "s3").put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    )


def _signing_key(cloud: Cloud, prefix: str) -> str:
    """The ARN of the key that signs evidence records, which is made unless it exists."""
    kms, alias = _client(cloud, "kms"), f"alias/{prefix}-evidence"
    with contextlib.suppress(kms.exceptions.NotFoundException):
        return str(kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"])
    made = kms.create_key(
        Description=f"Signs the evidence records of {prefix}",
        KeySpec="ECC_NIST_P256",
        KeyUsage="SIGN_VERIFY",
    )["KeyMetadata"]
    kms.create_alias(AliasName=alias, TargetKeyId=made["KeyId"])
    return str(made["Arn"])


def _encryption(kms_key: str) -> dict[str, Any]:
    if not kms_key:
        return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": kms_key}
    return {"ApplyServerSideEncryptionByDefault": by_key, "BucketKeyEnabled": True}


def _expiry(folder: str, days: int) -> dict[str, Any]:
    return {
        "ID": folder,
        "Status": "Enabled",
        "Filter": {"Prefix": f"{folder}/"},
        "Expiration": {"Days": days},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
    }


def _tidying(version_days: int, upload_days: int) -> list[dict[str, Any]]:
    """The rules for overwritten and deleted data, and for unfinished uploads anywhere."""
    return [
        {
            "ID": "curated",
            "Status": "Enabled",
            "Filter": {"Prefix": "curated/"},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
            "NoncurrentVersionExpiration": {"NoncurrentDays": version_days},
        },
        {
            "ID": "uploads",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": upload_days},
        },
    ]


def _role(cloud: Cloud, name: str, trust: str, documents: list[str], names: Mapping[str, str]) -> str:
    """Make a role with the trust policy `trust` and the policies `documents`. Returns its ARN."""
    iam, trusted = _client(cloud, "iam"), policy(trust, names)
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trusted)
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trusted)
    for document in documents:
        iam.put_role_policy(RoleName=name, PolicyName=document, PolicyDocument=policy(document, names))
    return f"arn:aws:iam::{cloud.account}:role/{name}"


def _managed_policy(cloud: Cloud, name: str, document: str) -> None:
    iam, arn = _client(cloud, "iam"), f"arn:aws:iam::{cloud.account}:policy/{name}"
    try:
        iam.create_policy(PolicyName=name, PolicyDocument=document)
    except iam.exceptions.EntityAlreadyExistsException:
        for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)


def _parameter(cloud: Cloud, name: str, value: str) -> None:
    _client(cloud, "ssm").put_parameter(
        Name=name, Value=value, Type="String", Tier="Intelligent-Tiering", Overwrite=True
    )


def _package_group(cloud: Cloud, prefix: str, model: str) -> None:
    sagemaker, name = _client(cloud, "sagemaker"), f"{prefix}-{model}"
    groups = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=name)
    names = [g["ModelPackageGroupName"] for page in groups for g in page["ModelPackageGroupSummaryList"]]
    if name not in names:
        sagemaker.create_model_package_group(
            ModelPackageGroupName=name, ModelPackageGroupDescription=f"Candidates of the model {model}"
        )


def _pipeline(cloud: Cloud, prefix: str, model: str, definition: str, role: str) -> None:
    sagemaker, name = _client(cloud, "sagemaker"), f"{prefix}-{model}"
    wanted = {"PipelineName": name, "PipelineDefinition": definition, "RoleArn": role}
    pages = sagemaker.get_paginator("list_pipelines").paginate(PipelineNamePrefix=name)
    if name in {entry["PipelineName"] for page in pages for entry in page["PipelineSummaries"]}:
        sagemaker.update_pipeline(**wanted)
    else:
        sagemaker.create_pipeline(
            **wanted, PipelineDescription=f"Retrains {model}: preprocess, train, evaluate, register"
        )


def _schedule(cloud: Cloud, prefix: str, model: str, value: Mapping[str, Any], role: str) -> None:
    """Make the schedule of a model's start requests, or delete it if the model has none any more.

    A changed schedule is made anew, as Terraform does: an update would lose the start date.
    """
    scheduler, name = _client(cloud, "scheduler"), f"{prefix}-{model}"
    if value["schedule"] is None:
        with contextlib.suppress(scheduler.exceptions.ResourceNotFoundException):
            scheduler.delete_schedule(Name=name)
        return
    request = {"model": model, "trigger": "schedule"}
    request |= {"cause": "<aws.scheduler.scheduled-time>", "requestedBy": "<aws.scheduler.schedule-arn>"}
    queue = f"arn:aws:sqs:{cloud.region}:{cloud.account}:{prefix}-landings"  # `sam deploy` makes it
    wanted = {
        "Name": name,
        "Description": f"Asks for a retraining of {model} on the data that is there",
        "ScheduleExpression": value["schedule"],
        "ScheduleExpressionTimezone": value["timezone"],
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": queue,
            "RoleArn": role,
            "Input": json.dumps({"source": "handsoff", "detail": request}),
            "DeadLetterConfig": {"Arn": f"{queue}-failures"},
        },
    }
    with contextlib.suppress(scheduler.exceptions.ResourceNotFoundException):
        found = scheduler.get_schedule(Name=name)
        if {key: found.get(key) for key in wanted} == wanted:
            return
        scheduler.delete_schedule(Name=name)
    minutes = value["starts_after_minutes"]
    start = {} if minutes is None else {"StartDate": datetime.now(UTC) + timedelta(minutes=minutes)}
    scheduler.create_schedule(**wanted, **start)
