"""Parameters of SSM and secrets, each kept for a while. Powertools' providers import boto3, these do not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_ssm import SSMClient


class Kept:
    """Values by name. Errors of botocore are raised as they are, and nothing is kept of them."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read
        self._kept: dict[str, tuple[float, str]] = {}

    def get(self, name: str, *, max_age: float, force_fetch: bool = False) -> str:
        """The value, read at most `max_age` seconds ago, or now with `force_fetch`."""
        until, value = self._kept.get(name, (0.0, ""))
        if force_fetch or until <= time.monotonic():
            value = self._read(name)
            self._kept[name] = (time.monotonic() + max_age, value)
        return value


class Parameters(Kept):
    """Parameters of SSM."""

    def __init__(self, ssm: SSMClient) -> None:
        super().__init__(lambda name: ssm.get_parameter(Name=name)["Parameter"]["Value"])
        self._ssm = ssm

    def get_multiple(self, path: str) -> dict[str, str]:
        """The parameters right below a path, by the last part of their names; read now."""
        pages = self._ssm.get_paginator("get_parameters_by_path").paginate(Path=path)
        return {one["Name"].rsplit("/", 1)[-1]: one["Value"] for page in pages for one in page["Parameters"]}


def secrets(manager: SecretsManagerClient) -> Kept:
    """The texts of secrets, by ARN."""
    return Kept(lambda arn: manager.get_secret_value(SecretId=arn)["SecretString"])
