"""The form of a record's statement, as far as anything here reads it: what does not fit is no record.

More keys are left alone: another version of handsoff may have written them.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from retraining.evidence.part import Sha256

Uri = Annotated[str, StringConstraints(pattern=r"^s3://[^/\[\]]+/.+$")]
"""The address of an object in S3."""


class Form(BaseModel):
    """A part of a statement."""

    model_config = ConfigDict(defer_build=True, alias_generator=to_camel, populate_by_name=True, frozen=True)


class Digest(Form):
    """The digests of a subject, of which one is read."""

    sha256: Sha256


class Subject(Form):
    """A file that the statement is about."""

    name: str
    digest: Digest


class Object(Form):
    """The model artifact, or the evaluation."""

    uri: Uri
    sha256: Sha256 | None = None
    version_id: str | None = None


class File(Form):
    """A file of data."""

    key: str
    version_id: str | None = None
    etag: str | None = None
    size: Annotated[int, Field(strict=True)] | None = None


class Data(Form):
    """The batch."""

    files: tuple[File, ...] = ()
    file_count: int | None = None
    manifest: Uri | None = None
    manifest_sha256: Sha256 | None = None
    report: Uri | None = None
    report_sha256: Sha256 | None = None


class Decision(Form):
    """An earlier decision."""

    status: str
    at: AwareDatetime
    by: str | None = None
    who: str | None = None
    why: str | None = None


class Fact(Form):
    """A fact: something that happened."""

    at: AwareDatetime
    kind: str
    subject: str | None = None
    status: str | None = None
    by: str | None = None
    who: str | None = None
    why: str | None = None


class Evidence(Form):
    """The evidence."""

    pipeline_execution_arn: str
    model_package_arn: str | None = None
    artifact: Object | None = None
    evaluation: Object | None = None
    data: Data | None = None
    facts: tuple[Fact, ...] = ()
    earlier_decisions: tuple[Decision, ...] | None = None
    decided_at: AwareDatetime | None = None
    decided_status: str | None = None
    decided_by: str | None = None
    decided_who: str | None = None
    decided_why: str | None = None
    model_approval_status: str | None = None
    verdict: dict[str, Any] | None = None


class Predicate(Form):
    """The evidence, and its place in the chain."""

    model: str
    sequence: Annotated[int, Field(strict=True, ge=1, le=99_999_999)]
    previous: Sha256 | None
    evidence: Evidence


class Statement(Form):
    """An in-toto statement with our predicate."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[Subject, ...]
    predicate_type: Literal["https://handsoff.dev/evidence/v3"]
    predicate: Predicate
