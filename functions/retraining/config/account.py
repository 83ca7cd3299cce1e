"""What handsoff.yaml says about the AWS account: which of its resources are used, and their tags."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from retraining.config.fields import Section, text

_TAG = re.compile(r"[\w .:/=+@-]*")


class Aws(Section):
    """What of an AWS account is used as it is, and what everything that Terraform makes there must have.

    `bucket` is an existing bucket's name and `pipeline_role` an existing role's ARN; what is left out,
    Terraform makes. `subnets` and `security_groups` are where the jobs' network interfaces are; without them
    the jobs are in a network of SageMaker's. `kms_key` is the ARN of the key that encrypts the bucket, the
    jobs' volumes and what they write; with it the same bytes landed twice have two ETags, so they are two
    batches. `permissions_boundary` is the ARN of a policy that every role gets. `operator` names a user that
    is made with the operator's policy; its keys are nobody's but its own to make.
    """

    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = None
    pipeline_role: (
        Annotated[
            str,
            StringConstraints(pattern=r"^arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+$", max_length=256),
        ]
        | None
    ) = None
    subnets: tuple[Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]{8,17}$")], ...] = Field(
        (), max_length=16
    )
    security_groups: tuple[Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-f]{8,17}$")], ...] = Field(
        (), max_length=5
    )
    kms_key: (
        Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+$")] | None
    ) = None
    permissions_boundary: (
        Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]+$")]
        | None
    ) = None
    operator: Annotated[str, StringConstraints(pattern=r"^[\w+=,.@-]{1,64}$")] | None = None
    tags: dict[
        Annotated[str, StringConstraints(min_length=1, max_length=128)],
        Annotated[str, BeforeValidator(text), StringConstraints(max_length=256)],
    ] = Field({}, max_length=40)

    @field_validator("tags")
    @classmethod
    def _tags_as_aws_takes_them(cls, value: dict[str, str]) -> dict[str, str]:
        for name, said in value.items():
            if name.lower().startswith(("aws:", "handsoff:")):
                raise ValueError(f"the tag {name}: names that begin with aws: or handsoff: are reserved")
            if not _TAG.fullmatch(name) or not _TAG.fullmatch(said):
                raise ValueError(f"the tag {name}: letters, digits, spaces and _ . : / = + - @")
        return value

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.subnets) != bool(self.security_groups):
            raise ValueError("subnets and security_groups: both or none")
        return self
