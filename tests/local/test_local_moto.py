"""Why the registry is ours and not moto's: each fault, as moto comes."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.local.support import register

ENOUGH = "moto no longer has this fault: see whether local/sagemaker/registry.py can go"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A SageMaker client against moto alone, with a group."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        client = boto3.Session("test", "test", region_name="us-east-1").client("sagemaker")
        client.create_model_package_group(ModelPackageGroupName="group")
        yield client


def package(moto: Any, **more: Any) -> str:
    arn: str = moto.create_model_package(**register()["Arguments"], **more)["ModelPackageArn"]
    return arn


def test_an_update_wipes_what_it_leaves_out(moto: Any) -> None:
    arn = package(moto, CustomerMetadataProperties={"a": "b"})
    moto.update_model_package(ModelPackageArn=arn, ApprovalDescription="why")
    described = moto.describe_model_package(ModelPackageName=arn)
    assert "CustomerMetadataProperties" not in described, ENOUGH
    assert "ModelApprovalStatus" not in described, ENOUGH


def test_a_client_token_is_forgotten(moto: Any) -> None:
    assert package(moto, ClientToken="t") != package(moto, ClientToken="t"), ENOUGH


def test_cards_life_cycles_and_sources_are_lost(moto: Any) -> None:
    arn = package(moto, ModelLifeCycle={"Stage": "a", "StageStatus": "b"}, SourceUri="s3://bucket/x")
    assert not {"ModelLifeCycle", "SourceUri"} & moto.describe_model_package(ModelPackageName=arn).keys(), (
        ENOUGH
    )


def test_a_group_cannot_be_deleted(moto: Any) -> None:
    with pytest.raises((NotImplementedError, ClientError)):
        moto.delete_model_package_group(ModelPackageGroupName="group")
