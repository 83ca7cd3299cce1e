"""Which package is champion or anchor: the rules ask, and ModelEvaluation asks for `latest` and `first`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

import champion as steps
from retraining.aws import registry

if TYPE_CHECKING:
    from mypy_boto3_sagemaker import SageMakerClient

GROUP: Final = "handsoff-small"


def register(sagemaker: SageMakerClient, status: Any, metadata: dict[str, str]) -> str:
    """A package of this status; its ARN."""
    return sagemaker.create_model_package(
        ModelPackageGroupName=GROUP,
        ModelApprovalStatus=status,
        InferenceSpecification={
            "Containers": [{"Image": "image", "ModelDataUrl": "s3://b/models/small/e/j/output/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
        CustomerMetadataProperties=metadata,
    )["ModelPackageArn"]


def registered(sagemaker: SageMakerClient, packages: list[tuple[str, str | None]]) -> list[str]:
    """A group of packages, each with a status and the noted time of its approval; their ARNs."""
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    return [
        register(sagemaker, status, {"approvedAt": at} if at else {"execution": "e"})
        for status, at in packages
    ]


@pytest.mark.parametrize(
    ("packages", "chosen"),
    [
        ([], None),
        ([("PendingManualApproval", None), ("Rejected", "2099-01-01T00:00:00Z")], None),
        ([("Approved", "2099-01-02T00:00:00Z"), ("Approved", "2099-01-01T23:59:59+00:00")], 0),
        ([("Approved", "2099-01-01T00:00:00Z"), ("Approved", "2099-01-01T00:00:01Z")], 1),
        ([("Approved", "2099-01-01T00:00:00Z"), ("Approved", None)], 0),  # changed now, long before 2099
        ([("Approved", "2001-01-01T00:00:00Z"), ("Approved", None)], 1),
        ([("Approved", "2099-01-01T02:00:00+02:00"), ("Approved", "2099-01-01T00:30:00")], 1),
        ([("Approved", "2099-01-01T00:00:00Z"), ("Approved", "no time")], 0),
        ([("Approved", "2099-01-01T00:00:00Z"), ("Rejected", "2099-06-01T00:00:00Z")], 0),
    ],
)
def test_champion_is_the_same_package_on_both_sides(
    sagemaker: SageMakerClient, packages: list[tuple[str, str | None]], chosen: int | None
) -> None:
    arns = registered(sagemaker, packages)
    expected = None if chosen is None else arns[chosen]
    assert steps.newest_approved(sagemaker, GROUP) == expected
    found = registry.champion(sagemaker, GROUP)
    assert (found.arn if found else None) == expected


@pytest.mark.parametrize(
    ("packages", "chosen"),
    [
        ([], None),
        ([("PendingManualApproval", None), ("Rejected", "2001-01-01T00:00:00Z")], None),
        ([("Approved", "2001-01-02T00:00:00Z"), ("Approved", "2001-01-01T23:59:59+00:00")], 1),
        ([("Approved", "2001-01-01T00:00:00Z"), ("Approved", None)], 0),
        ([("Approved", None), ("Approved", "2001-01-01T00:00:00Z")], 1),
        ([("Rejected", "2001-01-01T00:00:00Z"), ("Approved", "2002-01-01T00:00:00Z")], 1),
    ],
)
def test_first_approved_is_the_same_package_on_both_sides(
    sagemaker: SageMakerClient, packages: list[tuple[str, str | None]], chosen: int | None
) -> None:
    arns = registered(sagemaker, packages)
    expected = None if chosen is None else arns[chosen]
    assert steps.first_approved(sagemaker, GROUP) == expected
    found = registry.first_approved(sagemaker, GROUP)
    assert (found.arn if found else None) == expected


def test_both_sides_look_among_the_30_oldest_approved_packages() -> None:
    client: Any = Answers({})
    assert (steps.first_approved(client, GROUP), registry.first_approved(client, GROUP)) == (None, None)
    assert [(item["SortOrder"], item["MaxResults"]) for item in client.asked] == [("Ascending", 30)] * 2


@pytest.mark.parametrize(
    ("fields", "at"),
    [
        ({}, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"LastModifiedTime": datetime(2026, 2, 1, tzinfo=UTC)}, datetime(2026, 2, 1, tzinfo=UTC)),
        (
            {"CustomerMetadataProperties": {"approvedAt": "2026-01-15T12:00:00"}},
            datetime(2026, 1, 15, 12, tzinfo=UTC),
        ),
        (
            {"CustomerMetadataProperties": {"approvedAt": "2026-01-15T12:00:00Z"}},
            datetime(2026, 1, 15, 12, tzinfo=UTC),
        ),
        ({"CustomerMetadataProperties": {"approvedAt": "no time"}}, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"CustomerMetadataProperties": {"approvedAt": ""}}, datetime(2026, 1, 1, tzinfo=UTC)),
        ({"CustomerMetadataProperties": {"execution": "e"}}, datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_approved_at_is_the_same_time_on_both_sides(fields: dict[str, Any], at: datetime) -> None:
    answer = {
        "ModelPackageArn": f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{GROUP}/1",
        "ModelPackageGroupName": GROUP,
        "CreationTime": datetime(2026, 1, 1, tzinfo=UTC),
        **fields,
    }
    client: Any = Answers(answer)
    assert steps.approved_at(answer) == at
    assert registry.package(client, "arn").approved_at == at


class Answers:
    """SageMaker with one package, which records what was asked of its list."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def describe_model_package(self, ModelPackageName: str) -> dict[str, Any]:  # noqa: ARG002
        return self.answer

    def list_model_packages(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        return {"ModelPackageSummaryList": []}


def test_both_sides_look_among_the_30_newest_approved_packages() -> None:
    client: Any = Answers({})
    assert steps.newest_approved(client, GROUP) is None
    assert registry.champion(client, GROUP) is None
    assert (
        client.asked
        == [
            {
                "ModelPackageGroupName": GROUP,
                "ModelApprovalStatus": "Approved",
                "SortBy": "CreationTime",
                "SortOrder": "Descending",
                "MaxResults": 30,
            }
        ]
        * 2
    )
