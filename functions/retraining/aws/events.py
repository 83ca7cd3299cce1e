"""The AWS events that handsoff consumes, and its own message that asks for a start. AWS's names stop here.

Only the fields that are used are modelled; everything else in an event may change or be absent. An event is
a hint that something happened to a business fact. Handlers look the fact up.
"""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter


class _Event(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore", populate_by_name=True)


class _Bucket(_Event):
    name: str
    """The data bucket."""


class _Object(_Event):
    key: str
    """The object's key, not URL-encoded."""

    version_id: str | None = Field(None, alias="version-id")
    """The version of the object that landed."""


class _ObjectCreatedDetail(_Event):
    bucket: _Bucket
    object: _Object


class ObjectCreated(_Event):
    """An object landed in S3. The key is not URL-encoded in EventBridge's form of this event."""

    source: Literal["aws.s3"]
    """S3."""

    detail: _ObjectCreatedDetail


class RetrainingRequest(_Event):
    """A person or a schedule asks to retrain `model` on the data in S3, even if that was trained before.

    `cause` identifies the request: a schedule's time, or a request's id. The same cause starts nothing twice.
    """

    model: str
    """The model's name in handsoff.yaml."""

    cause: str = Field(min_length=1, max_length=128)
    """Names this one request: a schedule's time, or an id. The same cause starts nothing twice."""

    trigger: Literal["schedule", "request"]
    """Who asks: the model's schedule or a person."""

    requested_by: str = Field(alias="requestedBy", max_length=512)
    """The ARN of the schedule or of the person's AWS identity."""


class RetrainingRequested(_Event):
    """The message of handsoff that asks for a start.

    It arrives through the landings queue, as object events do.
    """

    source: Literal["handsoff"]
    """This project's own messages."""

    detail: RetrainingRequest


LANDING_MESSAGE: TypeAdapter[ObjectCreated | RetrainingRequested] = TypeAdapter(
    Annotated[ObjectCreated | RetrainingRequested, Field(discriminator="source")],
    config=ConfigDict(defer_build=True),
)
"""What the landings queue carries."""


class _ExecutionDetail(_Event):
    execution_arn: str = Field(alias="pipelineExecutionArn")
    """The execution, or the one that the step belongs to."""


class ExecutionChanged(_Event):
    """An execution, or one of its steps, changed its status. The API knows what the event leaves out."""

    detail: _ExecutionDetail


def _in_utc(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class _IamIdentity(_Event):
    arn: str | None = Field(None, alias="Arn")
    """Who made the change, if AWS says so."""


class _UserContext(_Event):
    iam: _IamIdentity | None = Field(None, alias="IamIdentity")


class _ModelPackageDetail(_Event):
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


class ModelPackageChanged(_Event):
    """A model package was registered, decided or merely annotated."""

    detail: _ModelPackageDetail
