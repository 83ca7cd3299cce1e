"""The form of evidence.json as frozen models. docs/reference/evidence.schema.json is made from them.

`problems` compares evidence with them. Keys of every version are in JSON, names of fields in Python.
"""

from typing import Any, Final, Literal

from pydantic import JsonValue, ValidationError

from retraining.evidence.model_data import Data
from retraining.evidence.model_verdict import EarlierVerdict, JudgedAgain, Verdict
from retraining.evidence.part import Arn, Count, Number, OpenPart, Part, Sha256, Time, Uri
from retraining.facts.candidates import ApprovalStatus

SCHEMA_VERSION: Final = 3
"""The version of evidence.json's form. In version 1 some keys were written with underscores; version 2 knew
neither versions and hashes of objects nor `facts`."""

FactKind = Literal[
    "landed",
    "requested",
    "admitted",
    "started",
    "stepEnded",
    "ended",
    "registered",
    "judged",
    "decided",
    "superseded",
    "setBack",
    "rolledBack",
    "anchored",
    "notified",
]
"""What happened: docs/reference/evidence.md says what each of them means."""


class Request(OpenPart):
    """A start request: by whom, when, and for a landing which version of an object landed."""

    cause: str
    trigger: Literal["landing", "schedule", "request"]
    requested_by: str
    at: Time
    version_id: str | None = None


class Trigger(Part):
    """What started the execution. The ledger knows only the kind of one that was started by hand."""

    kind: Literal["landing", "schedule", "request", "manual"]
    cause: str | None
    requested_by: str | None
    requests: tuple[Request, ...]
    start_key: str | None
    landed_at: Time | None
    admitted_at: Time | None


class Code(Part):
    """The step code and own code: its hash, and the folder that has this name."""

    sha256: Sha256
    uri: Uri


class Config(Part):
    """The model's configuration when the start was admitted: SHA-256 of its JSON, and that of its rules."""

    sha256: Sha256
    rules_sha256: Sha256


class Image(Part):
    """The image of the training job, and its digest where the address names one."""

    uri: str
    digest: str | None


class Training(Part):
    """How the model is trained, as the execution's definition says it."""

    code_sha256: Sha256 | None
    source_dir: str | None
    entry_point: str | None
    image: str | None
    hyperparameters: dict[str, JsonValue]
    instance_type: str | None
    instance_count: Count | None
    spot: bool


class Logs(Part):
    """A job's output in CloudWatch: the streams of `group` whose names begin with `stream_prefix`."""

    group: str
    stream_prefix: str
    last_lines: tuple[str, ...] = ()


class Step(Part):
    """One step of the execution."""

    name: str
    type: str
    status: str
    start_time: Time | None
    end_time: Time | None
    failure_reason: str | None
    job_arn: Arn | None
    logs: Logs | None


class Artifact(Part):
    """model.tar.gz: the version that was registered, its size, and the digest that ModelEvaluation took."""

    uri: Uri
    version_id: str | None
    sha256: Sha256 | None
    bytes: Count | None


class Object(Part):
    """An object that was read: its version and the digest of its bytes."""

    uri: Uri
    version_id: str | None
    sha256: Sha256


class EarlierDecision(OpenPart):
    """A decision that was replaced or set back."""

    status: ApprovalStatus
    by: str
    why: str = ""
    at: Time
    who: str | None = None


class EarlierAnchor(Part):
    """An anchor: which package it is, and who set it when and why."""

    model_package_arn: Arn
    set_by: str
    set_who: str | None
    set_at: Time
    set_why: str | None


class Anchor(EarlierAnchor):
    """The model's anchor, and those before it, the newest last."""

    earlier: tuple[EarlierAnchor, ...]


class Notified(Part):
    """A notification that was published."""

    id: Sha256
    kind: str
    at: Time


class Happened(Part):
    """One fact: what happened when, by what or whom, with which status, about what, and why."""

    at: Time
    kind: FactKind
    subject: str | None
    status: str | None
    by: str | None
    who: str | None
    why: str | None


class Evidence(Part):
    """The whole evidence of one execution, in the order of evidence.json."""

    schema_version: Literal[3]
    model: str
    pipeline_execution_arn: Arn
    pipeline_execution_status: str | None
    failure_reason: str | None
    start_time: Time | None
    trigger: Trigger
    parameters: dict[str, str]
    data: Data
    code: Code | None
    config: Config | None
    image: Image | None
    training: Training | None
    packages: dict[str, str] | None
    steps: tuple[Step, ...]
    model_package_arn: Arn | None
    registered_at: Time | None
    model_approval_status: ApprovalStatus | None
    model_data_url: str | None
    evaluation_url: str | None
    artifact: Artifact | None
    evaluation: Object | None
    metrics: dict[str, Number | None]
    data_changes: dict[str, JsonValue] | None
    search: dict[str, JsonValue] | None
    champion: Arn | None
    verdict: Verdict | None
    judged_at: Time | None
    judged_again: JudgedAgain | None
    earlier_verdicts: tuple[EarlierVerdict, ...]
    decided_status: ApprovalStatus | None
    decided_by: str | None
    decided_who: str | None
    decided_at: Time | None
    decided_why: str | None
    earlier_decisions: tuple[EarlierDecision, ...]
    anchor: Anchor | None
    notifications: tuple[Notified, ...]
    facts: tuple[Happened, ...]
    missing: tuple[str, ...]


def problems(body: bytes) -> list[str]:
    """What in this JSON is not as the models say: the place and the reason, without values."""
    try:
        Evidence.model_validate_json(body, strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in found]
    return []


def json_schema() -> dict[str, Any]:
    """The JSON Schema of evidence.json."""
    schema = Evidence.model_json_schema(by_alias=True)
    title = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "handsoff's evidence.json"}
    return {**title, **{key: value for key, value in schema.items() if key != "title"}}
