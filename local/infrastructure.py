"""What Terraform makes on AWS, made with boto3 where Terraform may not be installed: on this machine.

The data bucket, the pipelines' role, and for each model its package group and schedule; the pipelines
themselves come with `handsoff publish`. All is made or brought up to date.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local.server import Cloud


@dataclass(frozen=True)
class Schedule:
    """When a model is retrained on the data that is there; `expression` as EventBridge Scheduler takes it."""

    expression: str
    timezone: str = "UTC"


def provision(cloud: Cloud, *, prefix: str, models: Mapping[str, Schedule | None]) -> None:
    """Make what one deployment of these models needs before `sam deploy`; None is no schedule."""
    bucket = f"{prefix}-data-{cloud.account}-{cloud.region}"
    _bucket(cloud, bucket)
    _pipeline_role(cloud, prefix, bucket)
    cloud.client("ssm").put_parameter(
        Name=f"/{prefix}/data-bucket", Value=bucket, Type="String", Overwrite=True
    )
    role = _role(
        cloud,
        f"{prefix}-schedules",
        "scheduler.amazonaws.com",
        [{"Action": "sqs:SendMessage", "Resource": _landings(cloud, prefix)}],
    )
    for model, schedule in models.items():
        _package_group(cloud, f"{prefix}-{model}")
        _schedule(cloud, prefix, model, schedule, role)


def _bucket(cloud: Cloud, bucket: str) -> None:
    s3 = cloud.client("s3")
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


def _pipeline_role(cloud: Cloud, prefix: str, bucket: str) -> None:
    name = f"{prefix}-pipeline"
    sagemaker = f"arn:aws:sagemaker:{cloud.region}:{cloud.account}"
    data = f"arn:aws:s3:::{bucket}"
    _role(
        cloud,
        name,
        "sagemaker.amazonaws.com",
        [
            {"Action": ["s3:ListBucket", "s3:ListBucketVersions"], "Resource": data},
            {"Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": f"{data}/*"},
            {
                "Action": "s3:PutObject",
                "Resource": [f"{data}/{folder}/*" for folder in ("batches", "runs", "models")],
            },
            {
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": f"arn:aws:logs:{cloud.region}:{cloud.account}:log-group:/aws/sagemaker/*",
            },
            {
                "Action": [
                    f"sagemaker:{verb}{job}Job"
                    for verb in ("Create", "Describe", "Stop")
                    for job in ("Processing", "Training")
                ],
                "Resource": [f"{sagemaker}:processing-job/*", f"{sagemaker}:training-job/*"],
            },
            {
                "Action": ["sagemaker:CreateModelPackage", "sagemaker:DescribeModelPackage"],
                "Resource": [
                    f"{sagemaker}:model-package/{prefix}-*",
                    f"{sagemaker}:model-package-group/{prefix}-*",
                ],
            },
            {"Action": "sagemaker:ListModelPackages", "Resource": "*"},
            {
                "Action": "iam:PassRole",
                "Resource": f"arn:aws:iam::{cloud.account}:role/{name}",
                "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
            },
        ],
    )


def _role(cloud: Cloud, name: str, service: str, statements: Sequence[Mapping[str, object]]) -> str:
    """A role that `service` assumes and that may do this; its ARN."""
    iam = cloud.client("iam")
    trust = _policy([{"Principal": {"Service": service}, "Action": "sts:AssumeRole"}])
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=_policy(statements))
    return f"arn:aws:iam::{cloud.account}:role/{name}"


def _landings(cloud: Cloud, prefix: str) -> str:
    """The landings queue's ARN, by its name: the queue itself comes with `sam deploy`."""
    return f"arn:aws:sqs:{cloud.region}:{cloud.account}:{prefix}-landings"


def _schedule(cloud: Cloud, prefix: str, model: str, schedule: Schedule | None, role: str) -> None:
    """The schedule that asks for a retraining; a model that has none any more loses it."""
    scheduler = cloud.client("scheduler")
    name = f"{prefix}-{model}"
    if schedule is None:
        with contextlib.suppress(scheduler.exceptions.ResourceNotFoundException):
            scheduler.delete_schedule(Name=name)
        return
    request = {"model": model, "trigger": "schedule"}
    request |= {"cause": "<aws.scheduler.scheduled-time>", "requestedBy": "<aws.scheduler.schedule-arn>"}
    wanted = {
        "Name": name,
        "ScheduleExpression": schedule.expression,
        "ScheduleExpressionTimezone": schedule.timezone,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": _landings(cloud, prefix),
            "RoleArn": role,
            "Input": json.dumps({"source": "handsoff", "detail": request}),
        },
    }
    try:
        scheduler.create_schedule(**wanted)
    except scheduler.exceptions.ConflictException:
        scheduler.update_schedule(**wanted)


def _policy(statements: Sequence[Mapping[str, object]]) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **item} for item in statements]}
    )


def _package_group(cloud: Cloud, name: str) -> None:
    sagemaker = cloud.client("sagemaker")
    groups = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=name)
    names = [g["ModelPackageGroupName"] for page in groups for g in page["ModelPackageGroupSummaryList"]]
    if name not in names:
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
