"""Verifies files of evidence without AWS: records, and what they are about."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handsoff.errors import UsageError
from handsoff.operating.public_keys import PublicKeys
from retraining.proof.chain import Finding, Kind, check_chain
from retraining.proof.envelope import NotARecord
from retraining.proof.statement import Record, parse_record

MAX_RECORD: Final = 32 * 1024 * 1024
"""Bytes above which a file is taken for no record, but for an artifact."""

KINDS: Final[dict[str, Kind]] = {
    "the evidence": "evidence",
    "the artifact": "artifact",
    "the evaluation": "evaluation",
    "the manifest": "data",
    "the data report": "data",
}
"""The kind of a finding about a file, by the file's role."""

ROLES: Final = {
    "evidence.json": "the evidence",
    "evaluation.json": "the evaluation",
    "manifest.json": "the manifest",
    "data_report.json": "the data report",
    ".tar.gz": "the artifact",
}
"""What a file must be, by the end of its name. Any other file may be any of them."""


@dataclass(frozen=True)
class Files:
    """What files were found to be. `told` are the files that a record tells of, with the record's number.

    `unchecked` counts records whose signatures were not looked at, as no key is trusted.
    """

    records: tuple[Record, ...]
    signed: int
    findings: tuple[Finding, ...]
    told: tuple[tuple[Path, int], ...]
    unchecked: int = 0

    @property
    def holds(self) -> bool:
        """Whether everything could be looked at, and is as it was recorded."""
        return not self.findings and not self.unchecked


def verify_files(paths: list[Path], trusted: PublicKeys | None) -> Files:
    """Verify records in files, and other files that these tell of. Raises UsageError."""
    bodies: dict[str, dict[int, bytes]] = {}
    names: dict[tuple[str, int], Path] = {}
    others, findings = [], list[Finding]()
    for path in paths:
        body = _read(path)
        if not _is_envelope(body):
            others.append(path)
            continue
        try:
            record = parse_record(0, body)
        except NotARecord as error:
            findings.append(Finding("form", str(path), "an evidence record", str(error)))
            continue
        there = bodies.setdefault(record.model, {})
        if there.setdefault(record.sequence, body) != body:
            other = names[record.model, record.sequence]
            findings.append(
                Finding("fork", str(path), f"record {record.sequence} as in {other}", "another one")
            )
        names.setdefault((record.model, record.sequence), path)
    if not bodies and not findings:
        raise UsageError(
            f"no evidence record among {', '.join(map(str, paths))}: name one, of evidence/<model>/chain/"
        )
    records: list[Record] = []
    vouched: list[Record] = []
    signed = 0
    for model, of_model in bodies.items():
        checked = check_chain(
            model, of_model, head=None, check=trusted.check if trusted else None, complete=False
        )
        findings += checked.findings
        records += checked.records.values()
        vouched += [record for number, record in checked.records.items() if number in checked.vouched]
        signed += len(checked.signed)
    told: list[tuple[Path, int]] = []
    for path in others:
        found = _told_of(path, vouched)
        if isinstance(found, Finding):
            findings.append(found)
        else:
            told.append((path, found))
    unchecked = 0 if trusted else sum(1 for record in records if record.envelope.signatures)
    return Files(tuple(records), signed, tuple(findings), tuple(told), unchecked)


def _told_of(path: Path, records: list[Record]) -> int | Finding:
    """The number of the last record that tells of this file; a finding if there is none, or it is older.

    `records` are those that are vouched for. A file counts as what its name says.
    """
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    role = next((role for ending, role in ROLES.items() if path.name.endswith(ending)), None)
    about = [record for record in records if digest in _digests(record, role)]
    if not about:
        expected = sorted({item for record in records for item in _digests(record, role)})
        what = f"{role} with the SHA-256 " if role else "one of "
        said = what + ", ".join(expected) if expected else f"a vouched record of {role or 'this file'}"
        other = next((item for item in KINDS for record in records if digest in _digests(record, item)), None)
        found = digest + (f", which is {other}" if other else "")
        return Finding(KINDS[role or "the artifact"], str(path), said, found)
    newest = {record.execution: record for record in sorted(records, key=lambda item: item.sequence)}
    record = about[-1]
    if record.evidence_digest == digest and (last := newest[record.execution]) is not record:
        return Finding(
            "replay", str(path), f"{last.evidence_digest}, as record {last.sequence} says",
            f"{digest}, of the earlier record {record.sequence}",
        )  # fmt: skip
    return record.sequence


def _digests(record: Record, role: str | None) -> set[str]:
    """The digests of the files in this role that a record tells of; of all files without a role."""
    data = record.evidence.get("data") or {}
    said = {
        "the evidence": record.evidence_digest,
        "the artifact": (record.evidence.get("artifact") or {}).get("sha256"),
        "the evaluation": (record.evidence.get("evaluation") or {}).get("sha256"),
        "the manifest": data.get("manifestSha256"),
        "the data report": data.get("reportSha256"),
    }
    return {digest for name, digest in said.items() if digest and role in (None, name)}


def _is_envelope(body: bytes) -> bool:
    try:
        return "payloadType" in json.loads(body)
    except (ValueError, TypeError):
        return False


def _read(path: Path) -> bytes:
    """The file, or nothing of one that is too large for a record. Raises UsageError."""
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_RECORD else b""
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
