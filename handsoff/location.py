"""The account and region of a deployment, and the names that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from retraining.config.schema import Config


@dataclass(frozen=True)
class Location:
    """An account (12 digits), a region (`eu-west-1`) and their partition (`aws`, `aws-cn`, …)."""

    account: str
    region: str
    partition: str


def bucket_name(config: Config, location: Location) -> str:
    """The data bucket: the existing one that the config names, or the one that Terraform makes."""
    return config.aws.bucket or f"{config.prefix}-data-{location.account}-{location.region}"


def pipeline_role_arn(config: Config, location: Location) -> str:
    """The role that pipelines and their jobs run as: the config's, or the one that Terraform makes."""
    own = f"arn:{location.partition}:iam::{location.account}:role/{config.prefix}-pipeline"
    return config.aws.pipeline_role or own


def signing_alias(config: Config) -> str:
    """The alias of the key that Terraform makes to sign evidence records."""
    return f"alias/{config.prefix}-evidence"
