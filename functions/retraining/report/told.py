"""What a report uses of evidence.json. Each field has a default: older evidence lacks some of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from retraining.verdicts import version_1
from retraining.verdicts.verdict import RuleResult


def _text(value: object) -> object:
    """A number as text; anything else as it is."""
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_text)]


class _Told(BaseModel):
    model_config = ConfigDict(defer_build=True, frozen=True, alias_generator=to_camel, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_not_known(cls, value: object) -> object:
        """What is null is not known: the default stands for it."""
        if not isinstance(value, Mapping):
            return value
        return {key: item for key, item in value.items() if item is not None}


class Trigger(_Told):
    """What started the execution."""

    kind: str | None = None
    cause: str | None = None
    requested_by: str | None = None


class File(_Told):
    """One object of the batch."""

    key: str
    version_id: str | None = None
    checksum: Text | None = None
    etag: str | None = None
    size: int | None = None
    sha256: str | None = None
    rows: int | None = None


class Split(_Told):
    """Rows of one split."""

    rows: int | None = None


class Data(_Told):
    """The batch, its files, and the rows of each split."""

    batch: str | None = None
    manifest: str | None = None
    files: tuple[File, ...] = ()
    file_count: int | None = None
    splits: dict[str, Split] = {}
    ignored_columns: tuple[str, ...] = ()


class Step(_Told):
    """One step of the execution."""

    name: str
    status: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    failure_reason: str | None = None
    job_arn: str | None = None


class Verdict(_Told):
    """The verdict that counts. A rule's result is as verdicts.verdict has it."""

    decision: str
    reasons: tuple[str, ...] = ()
    reason_codes: tuple[str, ...] = ()
    rules: tuple[RuleResult, ...] = ()
    champion: str | None = None

    @field_validator("rules", mode="before")
    @classmethod
    def _stored_by_version_1(cls, value: object) -> object:
        """Results of handsoff 0.1 have no kinds."""
        return version_1.upgraded({"rules": value}).get("rules") if isinstance(value, list) else value


class Decision(_Told):
    """A decision that was set back."""

    status: str
    by: str
    why: str = ""
    who: str | None = None
    at: datetime | None = None


class Artifact(_Told):
    """The model artifact or the evaluation: where it lies, and its digest."""

    uri: str | None = None
    version_id: str | None = None
    sha256: str | None = None


class Happened(_Told):
    """One fact of the evidence: what happened, when, about what, and by whom."""

    at: datetime | None = None
    kind: str
    subject: str | None = None
    status: str | None = None
    by: str | None = None
    who: str | None = None
    why: str | None = None


class Hashed(_Told):
    """What is identified by a hash: the code, or the configuration."""

    sha256: str | None = None


class Training(_Told):
    """The code and the image that trained, as versions 1 and 2 of the evidence say it."""

    code_sha256: str | None = Field(None, alias="codeSha256")
    image: str | None = None


class Told(_Told):
    """The evidence of one execution, as far as a report shows it."""

    pipeline_execution_arn: str
    pipeline_execution_status: str | None = None
    failure_reason: str | None = None
    start_time: datetime | None = None
    trigger: Trigger = Trigger()
    data: Data = Data()
    code: Hashed = Hashed()
    config: Hashed = Hashed()
    training: Training = Training()
    steps: tuple[Step, ...] = ()
    model_package_arn: str | None = None
    model_approval_status: str | None = None
    model_data_url: str | None = None
    metrics: dict[str, float | None] = {}
    artifact: Artifact = Artifact()
    evaluation: Artifact = Artifact()
    verdict: Verdict | None = None
    decided_by: str | None = None
    decided_who: str | None = None
    decided_at: datetime | None = None
    decided_why: str | None = None
    earlier_decisions: tuple[Decision, ...] = ()
    facts: tuple[Happened, ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def execution_id(self) -> str:
        """The last part of the execution's ARN, which names its folders in the bucket."""
        return self.pipeline_execution_arn.rsplit("/", 1)[-1]

    @property
    def ended_at(self) -> datetime | None:
        """When the last step ended; None while one runs."""
        ends = [step.end_time for step in self.steps if step.start_time]
        return max((end for end in ends if end), default=None) if all(ends) else None
