"""The model registry: versions, updates, lists, limits, tags, events."""

import threading

import pytest

from local.sagemaker.protocol.listing import now
from local.types import Json
from tests.local.support import Engine, event_sample, register, shape

GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package-group/group"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/group/1"


@pytest.fixture
def engine() -> Engine:
    """An engine with an empty group."""
    made = Engine()
    answer = made.call(
        "CreateModelPackageGroup", ModelPackageGroupName="group", Tags=[{"Key": "k", "Value": "v"}]
    )
    assert answer == {"ModelPackageGroupArn": GROUP}
    return made


def package(engine: Engine, **more: object) -> Json:
    return engine.call("CreateModelPackage", **register()["Arguments"], **more)


def test_update_keeps_other_fields_and_merges_metadata(engine: Engine) -> None:
    package(engine, CustomerMetadataProperties={"a": "1", "b": "2", "c": "3"}, SourceUri="s3://bucket/code")
    engine.call(
        "UpdateModelPackage",
        ModelPackageArn=PACKAGE,
        ApprovalDescription="why",
        ModelApprovalStatus="Approved",
    )
    engine.call(
        "UpdateModelPackage",
        ModelPackageArn=PACKAGE,
        CustomerMetadataProperties={"b": "9", "d": "4"},
        CustomerMetadataPropertiesToRemove=["c"],
    )
    described = engine.call("DescribeModelPackage", ModelPackageName=PACKAGE)
    assert described["ModelApprovalStatus"] == "Approved"
    assert described["ApprovalDescription"] == "why"
    assert described["SourceUri"] == "s3://bucket/code"
    assert described["CustomerMetadataProperties"] == {"a": "1", "b": "9", "d": "4"}
    assert described["LastModifiedTime"] >= described["CreationTime"]


def test_describe_returns_all_fields_of_create(engine: Engine) -> None:
    said = {
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "Approved", "StageDescription": "x"},
        "ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
        "SourceUri": "s3://bucket/code",
        "SkipModelValidation": "None",
        "ModelPackageDescription": "what",
    }
    package(engine, **said)
    described = engine.call("DescribeModelPackage", ModelPackageName=PACKAGE)
    assert {key: described[key] for key in said} == said
    assert (described["ModelPackageVersion"], described["ModelPackageStatus"]) == (1, "Completed")


def test_create_with_the_same_token_makes_one_package(engine: Engine) -> None:
    first = package(engine, ClientToken="t")
    assert package(engine, ClientToken="t") == first
    assert package(engine, ClientToken="t", SourceUri="x")["__type"] == "ConflictException"
    assert package(engine)["ModelPackageArn"].endswith("/2")


def test_versions_are_unique_even_after_a_delete(engine: Engine) -> None:
    threads = [threading.Thread(target=package, args=(engine,)) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    listed = engine.call("ListModelPackages", ModelPackageGroupName=GROUP, MaxResults=100)
    versions = sorted(p["ModelPackageVersion"] for p in listed["ModelPackageSummaryList"])
    assert versions == list(range(1, 33))
    engine.call("DeleteModelPackage", ModelPackageName=PACKAGE.replace("/1", "/32"))
    assert package(engine)["ModelPackageArn"].endswith("/33")


def test_list_packages_sorts_filters_and_pages(engine: Engine) -> None:
    for status in ("Approved", "Rejected", "Approved"):
        engine.call("CreateModelPackage", **{**register()["Arguments"], "ModelApprovalStatus": status})
    moment = now().timestamp()

    def versions(**request: object) -> list[int]:
        answer = engine.call("ListModelPackages", ModelPackageGroupName="group", **request)
        return [item["ModelPackageVersion"] for item in answer["ModelPackageSummaryList"]]

    assert versions() == [1, 2, 3]
    assert versions(SortBy="CreationTime", SortOrder="Descending") == [3, 2, 1]
    assert versions(ModelApprovalStatus="Approved") == [1, 3]
    assert versions(CreationTimeAfter=moment + 1) == []
    assert versions(CreationTimeBefore=moment + 1) == [1, 2, 3]
    assert versions(MaxResults=2) == [1, 2]
    token = engine.call("ListModelPackages", ModelPackageGroupName="group", MaxResults=2)["NextToken"]
    assert versions(NextToken=token) == [3]
    assert engine.call("ListModelPackages") == {"ModelPackageSummaryList": []}


def test_delete_group_refuses_a_group_with_packages(engine: Engine) -> None:
    package(engine)
    assert (
        engine.call("DeleteModelPackageGroup", ModelPackageGroupName="group")["__type"] == "ConflictException"
    )
    engine.call("DeleteModelPackage", ModelPackageName=PACKAGE)
    assert engine.call("DeleteModelPackageGroup", ModelPackageGroupName="group") == {}
    gone = engine.call("DescribeModelPackageGroup", ModelPackageGroupName="group")
    assert gone == {"__type": "ValidationException", "message": f"ModelPackageGroup {GROUP} does not exist."}


def test_create_group_refuses_an_existing_name(engine: Engine) -> None:
    again = engine.call("CreateModelPackageGroup", ModelPackageGroupName="group")
    assert again["__type"] == "ValidationException"
    assert (
        engine.call("DescribeModelPackageGroup", ModelPackageGroupName=GROUP)["ModelPackageGroupStatus"]
        == "Completed"
    )
    listed = engine.call("ListModelPackageGroups", NameContains="rou")["ModelPackageGroupSummaryList"]
    assert [group["ModelPackageGroupName"] for group in listed] == ["group"]


def test_tags_are_added_and_deleted(engine: Engine) -> None:
    engine.call("AddTags", ResourceArn=GROUP, Tags=[{"Key": "l", "Value": "w"}])
    engine.call("DeleteTags", ResourceArn=GROUP, TagKeys=["k"])
    assert engine.call("ListTags", ResourceArn=GROUP) == {"Tags": [{"Key": "l", "Value": "w"}]}


@pytest.mark.parametrize(
    ("member", "value", "message"),
    [
        (
            "ApprovalDescription",
            "x" * 1025,
            "at 'approvalDescription' failed to satisfy constraint: Member must have length less than",
        ),
        ("ApprovalDescription", "two\nlines", "Member must satisfy regular expression pattern: .*"),
        (
            "CustomerMetadataProperties",
            {"k": '{"a": 1}'},
            "Map value must satisfy constraint: [Member must satisfy regular",
        ),
        (
            "CustomerMetadataProperties",
            {"k": "x" * 257},
            "satisfy constraint: [Member must have length less than or equal to 256",
        ),
        ("CustomerMetadataProperties", {"a,b": "x"}, "Map keys must satisfy constraint"),
        (
            "ModelApprovalStatus",
            "Maybe",
            "Member must satisfy enum value set: [Approved, Rejected, PendingManualApproval]",
        ),
    ],
)
def test_update_refuses_values_beyond_the_limits_of_aws(
    engine: Engine, member: str, value: object, message: str
) -> None:
    package(engine)
    answer = engine.call("UpdateModelPackage", ModelPackageArn=PACKAGE, **{member: value})
    assert answer["__type"] == "ValidationException"
    assert message in answer["message"]
    assert answer["message"].startswith("1 validation error detected: Value '")


def test_package_events_have_the_documented_shape(engine: Engine) -> None:
    arguments = register()["Arguments"]
    statistics = {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://bucket/evaluation.json"}}
    arguments["InferenceSpecification"]["Containers"][0]["ImageDigest"] = "sha256:" + "0" * 64
    arguments |= {
        "ModelMetrics": {"ModelQuality": statistics},
        "MetadataProperties": {"GeneratedBy": "x"},
        "ModelLifeCycle": {"Stage": "a", "StageStatus": "b", "StageDescription": "c"},
    }
    engine.call("CreateModelPackage", **arguments)
    engine.call(
        "UpdateModelPackage",
        ModelPackageArn=PACKAGE,
        ModelApprovalStatus="Rejected",
        ApprovalDescription="why",
    )
    sample = event_sample("model_package")
    (kind, resources, created), (_, _, updated) = engine.events
    assert (kind, resources) == (sample["detail-type"], [PACKAGE])
    assert "UpdatedModelPackageFields" not in created
    assert shape(updated) == shape(sample["detail"])
    assert updated["UpdatedModelPackageFields"] == ["ModelApprovalStatus", "ApprovalDescription"]
    assert updated["ModelApprovalStatus"] == "Rejected"
