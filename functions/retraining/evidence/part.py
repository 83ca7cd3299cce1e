"""What all parts of the evidence have in common: frozen models whose JSON keys are in camelCase."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""A SHA-256 as 64 hexadecimal digits."""

Uri = Annotated[str, Field(pattern="^s3://[^/]+/.+")]
"""The address of an object in S3, or of a folder if it ends with a slash."""

Arn = Annotated[str, Field(pattern="^arn:")]
"""The name of something in AWS."""

Count = Annotated[int, Field(ge=0)]
"""A number of things."""

Number = Annotated[float, Field(allow_inf_nan=False)]
"""A number that JSON can hold."""

Time = AwareDatetime
"""A time with its zone, as ISO 8601."""


class Part(BaseModel):
    """A part of the evidence. All of its keys are known."""

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True
    )


class OpenPart(Part):
    """A part that a job or an earlier version of handsoff wrote; it may have more keys than these."""

    model_config = ConfigDict(extra="allow")
