"""The addresses of images by alias and region, and the repositories that a role must be able to read."""

from __future__ import annotations

import pytest

from pipeline_def.images import ALIASES, framework, has_gpu, inference_uri, repository_arns, training_uri

OWN = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/churn:1.2"


@pytest.mark.parametrize(
    ("image", "region", "training", "inference"),
    [
        (
            "scikit-learn:1.9-0",
            "eu-west-1",
            "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
            "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
        ),
        (
            "xgboost:3.0-5",
            "cn-north-1",
            "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.0-5",
            "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:3.0-5",
        ),
        (
            "pytorch:2.6.0",
            "eu-central-2",
            "380420809688.dkr.ecr.eu-central-2.amazonaws.com/pytorch-training:2.6.0-cpu-py312",
            "380420809688.dkr.ecr.eu-central-2.amazonaws.com/pytorch-inference:2.6.0-cpu-py312",
        ),
        (OWN, "us-east-1", OWN, OWN),
    ],
)
def test_addresses_of_an_image(image: str, region: str, training: str, inference: str) -> None:
    assert training_uri(image, region, "ml.m5.large") == training
    assert inference_uri(image, region) == inference


def test_pytorch_is_trained_on_gpus_in_its_own_image_and_served_without() -> None:
    host = "763104351884.dkr.ecr.us-east-1.amazonaws.com"
    assert training_uri("pytorch:2.6.0", "us-east-1", "ml.g5.xlarge") == (
        f"{host}/pytorch-training:2.6.0-gpu-py312"
    )
    assert inference_uri("pytorch:2.6.0", "us-east-1") == f"{host}/pytorch-inference:2.6.0-cpu-py312"
    assert training_uri("xgboost:3.0-5", "us-east-1", "ml.g5.xlarge").endswith("/sagemaker-xgboost:3.0-5")


@pytest.mark.parametrize(
    ("instance_type", "gpu"),
    [("ml.g5.xlarge", True), ("ml.p4d.24xlarge", True), ("ml.m5.large", False), ("ml.c6g.large", False)],
)
def test_which_instances_have_gpus(instance_type: str, gpu: bool) -> None:
    assert has_gpu(instance_type) is gpu


def test_a_region_without_the_image_is_an_error_that_names_the_regions() -> None:
    with pytest.raises(
        ValueError, match=r"SageMaker hosts pytorch:2\.6\.0 in no region 'us-iso-east-1'; it is in af-"
    ):
        inference_uri("pytorch:2.6.0", "us-iso-east-1")
    assert len(ALIASES["xgboost:3.0-5"].accounts) == 37
    assert len(ALIASES["pytorch:2.6.0"].accounts) == 38


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("scikit-learn:1.9-0", "sklearn"),
        ("xgboost:3.0-5", "xgboost"),
        ("pytorch:2.6.0", "pytorch"),
        ("763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.5.1-cpu-py311", "pytorch"),
        ("141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1", "xgboost"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1", None),
        (OWN, None),
    ],
)
def test_framework_of_an_image(image: str, name: str | None) -> None:
    assert framework(image) == name


def test_repositories_of_an_alias_are_those_of_training_and_inference() -> None:
    assert repository_arns("pytorch:2.6.0", "us-gov-west-1", "aws-us-gov") == (
        "arn:aws-us-gov:ecr:us-gov-west-1:442386744353:repository/pytorch-training",
        "arn:aws-us-gov:ecr:us-gov-west-1:442386744353:repository/pytorch-inference",
    )


def test_repository_of_an_address_is_where_it_says() -> None:
    arn = "arn:aws:ecr:eu-west-1:123456789012:repository/team/churn"
    assert repository_arns(OWN, "us-east-1", "aws") == (arn,)
    digest = OWN.replace(":1.2", f"@sha256:{'ab' * 32}")
    assert repository_arns(digest, "us-east-1", "aws") == (arn,)
    with pytest.raises(ValueError, match=r"docker\.io/a/b:1 is in no repository of ECR"):
        repository_arns("docker.io/a/b:1", "us-east-1", "aws")
