"""What Terraform makes on AWS, made with boto3 where Terraform may not be installed: on this machine.

The data bucket, the pipelines' role and a model package group for each model; the pipelines themselves come
with `handsoff publish`. Everything here is made or brought up to date; nothing is ever deleted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from local.server import Cloud


def provision(cloud: Cloud, *, prefix: str, models: Iterable[str]) -> None:
    """Make what one deployment of these models needs before `sam deploy`."""
    bucket = f"{prefix}-data-{cloud.account}-{cloud.region}"
    _bucket(cloud, bucket)
    _pipeline_role(cloud, prefix, bucket)
    cloud.client("ssm").put_parameter(
        Name=f"/{prefix}/data-bucket", Value=bucket, Type="String", Overwrite=True
    )
    for model in models:
        _package_group(cloud, f"{prefix}-{model}")


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
    iam = cloud.client("iam")
    name = f"{prefix}-pipeline"
    sagemaker = f"arn:aws:sagemaker:{cloud.region}:{cloud.account}"
    trust = _policy([{"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}])
    try:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    except iam.exceptions.EntityAlreadyExistsException:
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    data = f"arn:aws:s3:::{bucket}"
    iam.put_role_policy(
        RoleName=name,
        PolicyName="pipeline",
        PolicyDocument=_policy(
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
            ]
        ),
    )


def _policy(statements: list[dict[str, object]]) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **item} for item in statements]}
    )


def _package_group(cloud: Cloud, name: str) -> None:
    sagemaker = cloud.client("sagemaker")
    groups = sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=name)
    names = [g["ModelPackageGroupName"] for page in groups for g in page["ModelPackageGroupSummaryList"]]
    if name not in names:
        sagemaker.create_model_package_group(ModelPackageGroupName=name)
