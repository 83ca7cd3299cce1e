"""Model packages: reading them, finding the champion, and writing a decision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from retraining.aws.refusals import is_refusal
from retraining.errors import EvaluationError
from retraining.facts.package import PENDING, Package
from retraining.text import shorten

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType

    from retraining.verdicts.evaluation import Evaluation

METADATA_LIMIT: Final = 256
"""Characters of one value of the metadata."""

MISSING: Final = frozenset({"ValidationException", "ResourceNotFound"})
"""Error codes with which SageMaker answers that a model package does not exist."""

NEWEST: Final = 30
"""The number of newest approved packages among which the champion is found. The step script champion.py uses
the same number."""

LISTED: Final = 100
"""Packages on one page of a listing, SageMaker's maximum."""

OLDEST: Final = 30
"""The number of oldest approved packages among which the first approved one is found. The step script
champion.py uses the same number."""

REJECTED: Final = 10
"""The number of newest rejected packages among which one of the same batch is looked for."""

_NOT_METADATA = re.compile(r"[^A-Za-z0-9_ .:/=+\-@]")


def package(sagemaker: SageMakerClient, arn: str) -> Package:
    """The package as the registry has it now."""
    answer = sagemaker.describe_model_package(ModelPackageName=arn)
    metadata = answer.get("CustomerMetadataProperties", {})
    quality: Mapping[str, Any] = answer.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics", {})
    containers = answer.get("InferenceSpecification", {}).get("Containers") or [{}]
    return Package(
        arn=answer["ModelPackageArn"],
        group=answer["ModelPackageGroupName"],
        approval_status=answer.get("ModelApprovalStatus", PENDING),
        approval_description=answer.get("ApprovalDescription"),
        evaluation_uri=quality.get("S3Uri"),
        model_uri=containers[0].get("ModelDataUrl"),
        created_at=answer["CreationTime"],
        changed_at=answer.get("LastModifiedTime") or answer["CreationTime"],
        metadata=metadata,
        changed_by=answer.get("LastModifiedBy", {}).get("IamIdentity", {}).get("Arn"),
        image=containers[0].get("Image"),
    )


def find(sagemaker: SageMakerClient, arn: str) -> Package | None:
    """The package as the registry has it now; None if it does not exist, or was deleted."""
    try:
        return package(sagemaker, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None


def champion(sagemaker: SageMakerClient, group: str) -> Package | None:
    """The package of the group that was approved most recently, by decision; None where none is approved.

    The registry knows when a package was created or last changed, but not when it was approved. The time of
    the approval is `approvedAt` in its metadata, which decisions.decide and recording.record write. Only the
    NEWEST newest approved packages are read: an older one must be registered anew to become champion again.
    """
    return max(approved(sagemaker, group), key=lambda found: found.approved_at, default=None)


def approved(sagemaker: SageMakerClient, group: str) -> list[Package]:
    """The group's newest approved packages, newest first: the NEWEST among which the champion is found."""
    return _listed(sagemaker, group, "Approved", NEWEST)


def first_approved(sagemaker: SageMakerClient, group: str) -> Package | None:
    """The package of the group that was approved first, of those that are approved; None if none is.

    Only the OLDEST oldest approved packages are read.
    """
    oldest = _listed(sagemaker, group, "Approved", OLDEST, order="Ascending")
    return min(oldest, key=lambda found: found.approved_at, default=None)


def rejected(sagemaker: SageMakerClient, group: str) -> list[Package]:
    """The group's newest rejected packages, newest first; at most REJECTED."""
    return _listed(sagemaker, group, "Rejected", REJECTED)


def _listed(
    sagemaker: SageMakerClient,
    group: str,
    status: ModelApprovalStatusType,
    most: int,
    *,
    order: Literal["Descending", "Ascending"] = "Descending",
) -> list[Package]:
    """The group's `most` newest packages of this status, newest first; the oldest if `order` is Ascending."""
    answer = sagemaker.list_model_packages(
        ModelPackageGroupName=group,
        ModelApprovalStatus=status,
        SortBy="CreationTime",
        SortOrder=order,
        MaxResults=most,
    )
    return [package(sagemaker, item["ModelPackageArn"]) for item in answer["ModelPackageSummaryList"]]


def waiting(sagemaker: SageMakerClient, group: str, *, before: datetime) -> list[str]:
    """The ARNs of the group's packages that wait for approval and were created before this, oldest first."""
    pages = sagemaker.get_paginator("list_model_packages").paginate(
        ModelPackageGroupName=group,
        ModelApprovalStatus="PendingManualApproval",
        SortBy="CreationTime",
        SortOrder="Ascending",
    )
    return [
        item["ModelPackageArn"]
        for page in pages
        for item in page["ModelPackageSummaryList"]
        if item["CreationTime"] < before
    ]


class Listed(NamedTuple):
    """A package as a listing shows it."""

    arn: str
    status: str
    created_at: datetime


def newest(sagemaker: SageMakerClient, group: str) -> list[Listed]:
    """The group's newest packages and those that wait longest, oldest first: at most 200.

    One call, or two where the first one does not list the whole group.
    """
    found: dict[str, Listed] = {}
    asked: list[dict[str, Any]] = [
        {"SortOrder": "Descending"},
        {"SortOrder": "Ascending", "ModelApprovalStatus": PENDING},
    ]
    for which in asked:
        answer = sagemaker.list_model_packages(
            ModelPackageGroupName=group, SortBy="CreationTime", MaxResults=LISTED, **which
        )
        for item in answer["ModelPackageSummaryList"]:
            arn = item["ModelPackageArn"]
            found[arn] = Listed(arn, item.get("ModelApprovalStatus", PENDING), item["CreationTime"])
        if len(found) < LISTED and "NextToken" not in answer:
            break
    return sorted(found.values(), key=lambda item: item.created_at)


def evaluation(s3: S3Client, candidate: Package) -> Evaluation:
    """The evaluation that the package names. Raises EvaluationError if it cannot be read or is not valid."""
    if candidate.evaluation_uri is None:
        raise EvaluationError(f"{candidate.arn} names no model quality statistics")
    uri = urlsplit(candidate.evaluation_uri)
    try:
        body = s3.get_object(Bucket=uri.netloc, Key=uri.path.lstrip("/"))["Body"].read()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchKey":
            raise EvaluationError(f"{candidate.evaluation_uri} does not exist") from None
        if not is_refusal(error):
            raise
        raise EvaluationError(f"{candidate.evaluation_uri} cannot be read: {code}") from None
    from retraining.verdicts.evaluation import parse_evaluation  # only a verdict needs it

    return parse_evaluation(body, source=candidate.evaluation_uri)


def annotate(
    sagemaker: SageMakerClient,
    candidate: Package,
    metadata: Mapping[str, str],
    *,
    status: ModelApprovalStatusType | None = None,
    description: str = "",
) -> None:
    """Write `metadata` on the package, and `status` with its `description` if there is one to write.

    Fields that are not named stay as they are. Old and new metadata is sent together, so that nothing is lost
    whether the call merges or replaces it.
    """
    decision: dict[str, Any] = {}
    if status is not None:
        decision = {"ModelApprovalStatus": status, "ApprovalDescription": shorten(description)}
    sagemaker.update_model_package(
        ModelPackageArn=candidate.arn,
        CustomerMetadataProperties={
            **candidate.metadata,
            **{key: metadata_text(value) for key, value in metadata.items()},
        },
        **decision,
    )


def metadata_text(text: str) -> str:
    """`text` as SageMaker accepts it for metadata: other characters become _, and a long text is cut."""
    return _NOT_METADATA.sub("_", text)[:METADATA_LIMIT]
