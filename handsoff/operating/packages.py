"""Finds the model package that an operator names."""

from __future__ import annotations

import re

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.errors import NotFound
from retraining.aws import registry
from retraining.facts.package import Package


def find_package(deployment: Deployment, name: str) -> Package:
    """The package with this ARN, or this model (or group) and version, such as titanic/3. Raises NotFound."""
    arn = package_arn(deployment, name)
    try:
        return registry.package(deployment.sagemaker, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in registry.MISSING:
            raise
        model = arn.split("/")[-2].removeprefix(deployment.resource_name(""))
        said = error.response["Error"].get("Message", "").rstrip(".")
        raise NotFound(
            f"no model package {name} here: {said}. `handsoff status {model}` shows what there is"
        ) from None


def package_arn(deployment: Deployment, name: str) -> str:
    """The ARN of the package with this name, whether it exists or not. Raises NotFound for another form."""
    arn = re.fullmatch(r"arn:[\w-]+:sagemaker:[\w-]+:\d+:model-package/([\w-]+)/\d+", name)
    short = re.fullmatch(r"([\w-]+)/(\d+)", name)
    if arn:
        group, version = arn[1], ""
    elif short:
        group, version = short[1], short[2]
        if group in deployment.config.models:
            group = deployment.resource_name(group)
    else:
        raise NotFound(f"{name} is not the ARN of a model package, or model/version, such as titanic/3")
    groups = sorted(deployment.resource_name(model) for model in deployment.config.models)
    if group not in groups:
        raise NotFound(f"{name} is of no model of this deployment; its groups are: {', '.join(groups)}")
    if arn:
        return name
    where = f"{deployment.session.region_name}:{deployment.account}"
    return f"arn:{deployment.partition}:sagemaker:{where}:model-package/{group}/{version}"
