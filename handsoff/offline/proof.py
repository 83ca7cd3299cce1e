"""Verifies files of evidence without AWS: records, and what they are about."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Files:
    """What files were found to be. `told` are the files that a record tells of, with the record's number."""

    records: tuple[Record, ...]
    signed: int
    findings: tuple[Finding, ...]
    told: tuple[tuple[Path, int], ...]


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
    signed = 0
    for model, of_model in bodies.items():
        checked = check_chain(
            model, of_model, head=None, check=trusted.check if trusted else None, complete=False
        )
        findings += checked.findings
        records += checked.records.values()
        signed += len(checked.signed)
    told: list[tuple[Path, int]] = []
    for path in others:
        found = _told_of(path, records)
        if isinstance(found, Finding):
            findings.append(found)
        else:
            told.append((path, found))
    return Files(tuple(records), signed, tuple(findings), tuple(told))


def _told_of(path: Path, records: list[Record]) -> int | Finding:
    """The number of the last record that tells of this file; a finding if there is none, or it is older."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    about = [record for record in records if digest in _digests(record)]
    if not about:
        expected = ", ".join(sorted({item for record in records for item in _digests(record)}))
        kind: Kind = "evidence" if path.suffix == ".json" else "artifact"
        return Finding(kind, str(path), f"one of {expected}", digest)
    newest = {record.execution: record for record in sorted(records, key=lambda item: item.sequence)}
    record = about[-1]
    if record.evidence_digest == digest and (last := newest[record.execution]) is not record:
        return Finding(
            "replay", str(path), f"{last.evidence_digest}, as record {last.sequence} says",
            f"{digest}, of the earlier record {record.sequence}",
        )  # fmt: skip
    return record.sequence


def _digests(record: Record) -> Iterator[str]:
    """The digests of all files that a record tells of."""
    yield from record.subjects.values()
    if evaluation := record.evidence.get("evaluation"):
        yield str(evaluation.get("sha256"))


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
