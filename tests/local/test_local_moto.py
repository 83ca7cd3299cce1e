"""Why the registry is not moto's: each of moto's defects."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.local.support import register

ENOUGH = "moto no longer has this defect: see whether local/sagemaker/registry.py can go"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A SageMaker client for moto alone, with one group."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        client = boto3.Session("test", "test", region_name="us-east-1").client("sagemaker")
        client.create_model_package_group(ModelPackageGroupName="group")
        yield client


def package(moto: Any, **more: Any) -> str:
    arn: str = moto.create_model_package(**register()["Arguments"], **more)["ModelPackageArn"]
    return arn


def test_moto_update_deletes_fields_that_it_does_not_name(moto: Any) -> None:
    arn = package(moto, CustomerMetadataProperties={"a": "b"})
    moto.update_model_package(ModelPackageArn=arn, ApprovalDescription="why")
    described = moto.describe_model_package(ModelPackageName=arn)
    assert "CustomerMetadataProperties" not in described, ENOUGH
    assert "ModelApprovalStatus" not in described, ENOUGH


def test_moto_ignores_client_token(moto: Any) -> None:
    assert package(moto, ClientToken="t") != package(moto, ClientToken="t"), ENOUGH


def test_moto_loses_life_cycle_and_source(moto: Any) -> None:
    arn = package(moto, ModelLifeCycle={"Stage": "a", "StageStatus": "b"}, SourceUri="s3://bucket/x")
    assert not {"ModelLifeCycle", "SourceUri"} & moto.describe_model_package(ModelPackageName=arn).keys(), (
        ENOUGH
    )


def test_moto_cannot_delete_a_group(moto: Any) -> None:
    with pytest.raises((NotImplementedError, ClientError)):
        moto.delete_model_package_group(ModelPackageGroupName="group")
