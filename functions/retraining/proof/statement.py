"""The statement of an evidence record: which files it is about, and what the evidence says of them.

It is an in-toto Statement v1 (https://github.com/in-toto/attestation, spec/v1/statement.md). The subjects are
the model artifact, where there is one, and evidence.json. The predicate holds the evidence itself, its place
in the model's chain, and the digest of the record before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from retraining.proof.envelope import Envelope, NotARecord, parse_envelope

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
"""The type of every in-toto statement of version 1."""

PREDICATE_TYPE: Final = "https://handsoff.dev/evidence/v3"
"""The name of our predicate. It is a name only: nothing is fetched from there."""

DIGITS: Final = 8
"""Digits of a record's number in its key, so that a listing is in the order of the chain."""

_KEY: Final = re.compile(r"evidence/([^/]+)/chain/([0-9]{8})\.json")
"""The form of a record's key."""


def chain_prefix(model: str) -> str:
    """Where the records of a model lie in the data bucket. No execution's id is `chain`: ids have digits."""
    return f"evidence/{model}/chain/"


def record_key(model: str, sequence: int) -> str:
    """The key of a model's record in the data bucket; the first has the number 1."""
    return f"{chain_prefix(model)}{sequence:0{DIGITS}}.json"


def number_of(key: str) -> int | None:
    """The number of the record at this key; None if no record lies there."""
    found = _KEY.fullmatch(key)
    return int(found[2]) if found else None


def sha256(body: bytes) -> str:
    """The SHA-256 of these bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(body).hexdigest()


class Record(NamedTuple):
    """One record of a chain, as it was read.

    `number` is that of its key, `digest` the SHA-256 of its bytes. What follows is what its statement says:
    `model`, `sequence`, `previous` (the digest of the record before it; None for the first), `subjects`
    (SHA-256 by name) and `evidence`.
    """

    number: int
    digest: str
    envelope: Envelope
    model: str
    sequence: int
    previous: str | None
    subjects: Mapping[str, str]
    evidence: Mapping[str, Any]

    @property
    def execution(self) -> str:
        """The ARN of the execution that the evidence is about."""
        return str(self.evidence.get("pipelineExecutionArn"))

    @property
    def execution_id(self) -> str:
        """The last part of the execution's ARN."""
        return self.execution.rsplit("/", 1)[-1]

    @property
    def evidence_name(self) -> str:
        """The key of the execution's evidence.json, which is a subject."""
        return f"evidence/{self.model}/{self.execution_id}/evidence.json"

    @property
    def evidence_digest(self) -> str | None:
        """The SHA-256 of evidence.json when the record was made."""
        return self.subjects.get(self.evidence_name)


def statement(
    model: str, sequence: int, previous: str | None, evidence: Mapping[str, Any], body: bytes
) -> bytes:
    """The payload of a record. `body` are the bytes of evidence.json, `evidence` what they say."""
    execution = str(evidence["pipelineExecutionArn"]).rsplit("/", 1)[-1]
    artifact = evidence.get("artifact") or {}
    subjects = [(f"evidence/{model}/{execution}/evidence.json", sha256(body))]
    if artifact.get("sha256"):
        subjects.insert(0, (str(artifact["uri"]), str(artifact["sha256"])))
    said = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"model": model, "sequence": sequence, "previous": previous, "evidence": evidence},
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def parse_record(number: int, body: bytes) -> Record:
    """Read the record with this number. Raises NotARecord, which says what is wrong."""
    from retraining.proof.form import Statement  # few events read a record

    envelope = parse_envelope(body)
    try:
        said = json.loads(envelope.payload)
        for name, expected in (("_type", STATEMENT_TYPE), ("predicateType", PREDICATE_TYPE)):
            if said[name] != expected:
                raise NotARecord(f"{name} is {said[name]}: expected {expected}")
        Statement.model_validate(said)
        predicate = said["predicate"]
        return Record(
            number=number,
            digest=sha256(body),
            envelope=envelope,
            model=predicate["model"],
            sequence=predicate["sequence"],
            previous=predicate["previous"],
            subjects={item["name"]: item["digest"]["sha256"] for item in said["subject"]},
            evidence=dict(predicate["evidence"]),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
    raise NotARecord(
        f"its payload is no statement of handsoff ({why}): expected an in-toto statement with the predicate "
        "model, sequence, previous and evidence"
    )
