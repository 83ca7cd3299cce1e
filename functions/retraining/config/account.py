"""What handsoff.yaml says about the AWS account: which of its resources are used, and their tags."""

import re
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema, field_validator

from retraining.config.fields import ALSO_NUMBERS, NUMBER, Form, Problem, Section, text

Bucket = Annotated[
    str,
    Form(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "an S3 bucket's name, such as acme-data"),
]
Role = Annotated[
    str,
    StringConstraints(max_length=256),
    Form(
        r"arn:[a-z-]+:iam::\d{12}:role/[\w+=,.@/-]+",
        "an IAM role's ARN, such as arn:aws:iam::123456789012:role/pipelines",
    ),
]
Policy = Annotated[
    str,
    Form(
        r"arn:[a-z-]+:iam::(\d{12}|aws):policy/[\w+=,.@/-]+",
        "an IAM policy's ARN, such as arn:aws:iam::123456789012:policy/boundary",
    ),
]
Key = Annotated[
    str,
    Form(
        r"arn:[a-z-]+:kms:[a-z0-9-]+:\d{12}:key/[\w-]+",
        "a KMS key's ARN, such as arn:aws:kms:eu-west-1:123456789012:key/01234567-89ab",
    ),
]
Secret = Annotated[
    str,
    Form(
        r"arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+",
        "a secret's ARN, such as arn:aws:secretsmanager:eu-west-1:123456789012:secret:LinkSecret-0a1b2c",
    ),
]
Subnet = Annotated[str, Form(r"subnet-[0-9a-f]{8,17}", "a subnet's id, such as subnet-0123456789abcdef0")]
SecurityGroup = Annotated[
    str, Form(r"sg-[0-9a-f]{8,17}", "a security group's id, such as sg-0123456789abcdef0")
]
ECR_REPOSITORY: Final = r"\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.[a-z0-9.-]+/[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
"""The form of the address of a repository in ECR, without a tag."""

Repository = Annotated[
    str,
    StringConstraints(max_length=255),
    Form(
        ECR_REPOSITORY,
        "the address of a repository in ECR without a tag, such as "
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn",
    ),
]
User = Annotated[
    str, Form(r"[\w+=,.@-]{1,64}", "an IAM user's name: at most 64 letters, digits and _ + = , . @ -")
]
TagName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
TagValue = Annotated[
    str,
    StringConstraints(max_length=256),
    BeforeValidator(text),
    WithJsonSchema({"type": "string", "maxLength": 256, **ALSO_NUMBERS}),
]

_TAG: Final = re.compile(r"[\w .:/=+@-]*")
"""The characters that every AWS service accepts in a tag."""


MIN_VERSION_DAYS: Final = 14
"""The least days that overwritten data is kept: an execution reads the versions of its batch. It may wait a
day for capacity before each of three jobs, run for 8 hours, and be retried by a person a week later."""


class Aws(Section):
    """Resources of the AWS account that are used as they are, and settings of those that Terraform makes."""

    bucket: Bucket | None = None
    """Name of an existing bucket (versioned, EventBridge on), which is left as it is. Without it, Terraform
    makes one."""

    pipeline_role: Role | None = None
    """ARN of an existing role for the pipelines, which is left as it is. Without it, Terraform makes one."""

    subnets: tuple[Subnet, ...] = Field((), max_length=16)
    """Subnets of the jobs' network interfaces. Without them the jobs are in a network of SageMaker's."""

    security_groups: tuple[SecurityGroup, ...] = Field((), max_length=5)
    """Security groups of those interfaces: named if and only if subnets are."""

    kms_key: Key | None = None
    """ARN of the key for the bucket, the jobs' volumes and what jobs write. Without it, S3 encrypts the
    bucket by its own key. Instance types with local disks (m5d, c5d, g4dn, g5 and others) encrypt those by a
    hardware key: SageMaker refuses another one there."""

    image_repositories: tuple[Repository, ...] = Field((), max_length=20)
    """Further repositories in ECR that the jobs may pull images from, beside those of the models' images.
    A champion or anchor is scored in the image that it was registered with: after a model of own code has
    changed its image, name the earlier repository here until neither is of that one."""

    permissions_boundary: Policy | None = None
    """ARN of a policy that bounds every role, those of the functions included."""

    operator: User | None = None
    """Name of a user to make with the operator's permissions. The user makes its own access keys."""

    link_secret: Secret | None = None
    """ARN of the stack's own secret that signs links to the review page (its output `LinkSecret`). If it is
    named, operators may read it, and so mint links by `handsoff review`. A person who mints a link can decide
    by it under any name. Without it operators may not."""

    version_days: Annotated[int, Field(le=3650), NUMBER] = 90
    """Days that the bucket keeps data under `curated/` after it was overwritten or deleted, at least 14:
    executions read the versions of their batch. Terraform sets this, and the next key, on a bucket that it
    makes."""

    upload_days: Annotated[int, Field(ge=1, le=365), NUMBER] = 7
    """Days after which the bucket deletes the parts of an upload that was not finished."""

    tags: dict[TagName, TagValue] = Field({}, max_length=40)
    """Tags of every resource."""

    @field_validator("version_days")
    @classmethod
    def _outlives_executions(cls, value: int) -> int:
        if value < MIN_VERSION_DAYS:
            raise ValueError(
                f"{value} days are too few: expected at least {MIN_VERSION_DAYS}. An execution reads the "
                "versions of its batch, may wait days for capacity, and may be retried"
            )
        return value

    @field_validator("tags")
    @classmethod
    def _tags_as_aws_takes_them(cls, value: dict[str, str]) -> dict[str, str]:
        for name, said in value.items():
            if name.lower().startswith(("aws:", "handsoff:")):
                raise ValueError(f"the tag {name}: names that begin with aws: or handsoff: are reserved")
            if not _TAG.fullmatch(name) or not _TAG.fullmatch(said):
                raise ValueError(
                    f"the tag {name}: only letters, digits, spaces and _ . : / = + - @ are allowed"
                )
        return value

    def problems(self) -> Iterator[Problem]:
        """Subnets without security groups, or the other way round."""
        if bool(self.subnets) != bool(self.security_groups):
            yield (), "subnets and security_groups: name both or none"
