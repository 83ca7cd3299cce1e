"""The AWS events that handsoff consumes. AWS's names stop here; landings.py has those of the landings queue.

Only the fields that are used are modelled; everything else in an event may change or be absent. An event is
a hint that something happened to a business fact. Handlers look the fact up.
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class AwsEvent(BaseModel):
    """An event, or a part of one, of which some fields are read."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore", populate_by_name=True)


class _ExecutionDetail(AwsEvent):
    execution_arn: str = Field(alias="pipelineExecutionArn")
    """The execution, or the one that the step belongs to."""


class ExecutionChanged(AwsEvent):
    """An execution, or one of its steps, changed its status. The API knows what the event leaves out."""

    detail: _ExecutionDetail


def _in_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class _IamIdentity(AwsEvent):
    arn: str | None = Field(None, alias="Arn")
    """Who made the change, if AWS says so."""


class _UserContext(AwsEvent):
    iam: _IamIdentity | None = Field(None, alias="IamIdentity")


class _ModelPackageDetail(AwsEvent):
    package_arn: str = Field(alias="ModelPackageArn")
    """The model package."""

    approval_status: str | None = Field(None, alias="ModelApprovalStatus")
    """Its status after the change."""

    changed_at: Annotated[datetime, AfterValidator(_in_utc)] | None = Field(None, alias="LastModifiedTime")
    """When it was changed; in UTC where it names no zone."""

    last_modified_by: _UserContext | None = Field(None, alias="LastModifiedBy")
    updated_fields: tuple[str, ...] = Field((), alias="UpdatedModelPackageFields")
    """What was changed. An event without this list is looked into."""

    @property
    def changed_by(self) -> str | None:
        """The IAM ARN of the principal that made the change, if the event names it."""
        context = self.last_modified_by
        return context.iam.arn if context and context.iam else None

    @property
    def annotated_only(self) -> bool:
        """True if the update certainly left the approval status alone.

        The rule's pattern does not filter by this, because AWS may leave the field out. An event without
        the field is examined.
        """
        return bool(self.updated_fields) and "ModelApprovalStatus" not in self.updated_fields


class ModelPackageChanged(AwsEvent):
    """A model package was registered, decided or merely annotated."""

    detail: _ModelPackageDetail
