"""What the landings queue carries: objects that landed, and our own message that asks for a start."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from retraining.aws.events import AwsEvent


class _Bucket(AwsEvent):
    name: str
    """The data bucket."""


class _Object(AwsEvent):
    key: str
    """The object's key, not URL-encoded."""

    version_id: str | None = Field(None, alias="version-id")
    """The version of the object that landed."""


class _ObjectCreatedDetail(AwsEvent):
    bucket: _Bucket
    object: _Object


class ObjectCreated(AwsEvent):
    """An object landed in S3. The key is not URL-encoded in EventBridge's form of this event."""

    source: Literal["aws.s3"]
    """S3."""

    detail: _ObjectCreatedDetail


class RetrainingRequest(AwsEvent):
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


class RetrainingRequested(AwsEvent):
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
