"""Checks the records of one model against each other: pure functions of their bytes.

A record carries the digest of the record before it. So a record that is changed, left out or slipped in does
not fit its neighbours, and a signed record vouches for all that lie before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from retraining.proof.envelope import Envelope, NotARecord
from retraining.proof.statement import Record, parse_record, record_key

Kind = Literal[
    "form", "model", "sequence", "gap", "fork", "signature", "key", "unsigned", "head", "evidence", "replay",
    "unrecorded", "artifact", "evaluation", "data", "missing",
]  # fmt: skip
"""The kinds of findings; docs/reference/proof.md says what each means."""

Signed = Literal["good", "bad", "foreign"]
"""What a check of an envelope's signatures finds: made by a trusted key over these bytes; named as a trusted
key's, but over other bytes; or made by another key."""

Check = Callable[[Envelope], Signed]
"""Checks the signatures of an envelope that has some."""


@dataclass(frozen=True)
class Finding:
    """Something that does not hold: where, what was expected there, and what was found."""

    kind: Kind
    where: str
    expected: str
    found: str

    def as_json(self) -> dict[str, str]:
        """The finding as `handsoff verify --json` prints it."""
        return {"kind": self.kind, "where": self.where, "expected": self.expected, "found": self.found}


@dataclass(frozen=True)
class Head:
    """The last record of a chain: its number and the SHA-256 of its bytes."""

    sequence: int
    digest: str


@dataclass(frozen=True)
class Checked:
    """The records of a chain that can be read, by number, and what does not hold.

    `signed` are the numbers of those that a trusted key signed.
    """

    records: Mapping[int, Record]
    findings: tuple[Finding, ...]
    signed: frozenset[int] = frozenset()

    @property
    def newest(self) -> Mapping[str, Record]:
        """The last record of each execution, by the execution's ARN."""
        return {record.execution: record for _, record in sorted(self.records.items())}


def check_chain(
    model: str, bodies: Mapping[int, bytes], *, head: Head | None, check: Check | None, complete: bool = True
) -> Checked:
    """Check the records of a model, which `bodies` has by number.

    `head` is what the ledger knows of the last one, None if it knows nothing. Without `check` no key is
    trusted, and signatures are not looked at. Without `complete` the bodies are a part of the chain, so that
    gaps say nothing.
    """
    records: dict[int, Record] = {}
    findings: list[Finding] = []
    for number, body in sorted(bodies.items()):
        try:
            records[number] = parse_record(number, body)
        except NotARecord as error:
            findings.append(Finding("form", record_key(model, number), "an evidence record", str(error)))
    for record in records.values():
        findings += _own(model, record)
    findings += _gaps(model, bodies, head) if complete else ()
    findings += _links(model, records)
    signed, wrong = _signatures(model, records, check)
    findings += [*wrong, *_head(model, records, bodies, head)]
    return Checked(records, tuple(findings), signed)


def _own(model: str, record: Record) -> Iterator[Finding]:
    """What a record says of its own place."""
    where = record_key(model, record.number)
    if record.model != model:
        yield Finding("model", where, f"a record of {model}", f"a record of {record.model}")
    if record.sequence != record.number:
        yield Finding("sequence", where, f"the number {record.number}", f"the number {record.sequence}")


def _gaps(model: str, bodies: Mapping[int, Any], head: Head | None) -> Iterator[Finding]:
    """Numbers without a record, before the last one that is known to have been."""
    last = max([*bodies, head.sequence if head else 0])
    for number in range(1, last + 1):
        if number in bodies:
            continue
        known = "the ledger's head" if number > max(bodies, default=0) else "later records"
        yield Finding("gap", record_key(model, number), f"a record, as {known} follow it", "no object")


def _links(model: str, records: Mapping[int, Record]) -> Iterator[Finding]:
    """Records that name another record before them than the one that lies there."""
    for number, record in records.items():
        before = records.get(number - 1)
        where = record_key(model, number)
        if number == 1 and record.previous is not None:
            yield Finding("fork", where, "no record before the first", f"previous {record.previous}")
        elif before is not None and record.previous != before.digest:
            yield Finding("fork", where, f"previous {before.digest}", f"previous {record.previous}")


def _signatures(
    model: str, records: Mapping[int, Record], check: Check | None
) -> tuple[frozenset[int], list[Finding]]:
    """The numbers of the signed records, and the records whose signatures do not hold.

    Records before the first signed one may be unsigned: there was no key yet, and the signed one vouches for
    them. Records after it must be signed, and so must one be if a key is named.
    """
    good: set[int] = set()
    findings = []
    any_signed = False
    for number, record in records.items():
        where = record_key(model, number)
        if not record.envelope.signatures:
            if any_signed:
                found = Finding("unsigned", where, "a signature, as earlier records have one", "none")
                findings.append(found)
            continue
        any_signed = True
        said = check(record.envelope) if check else None
        if said == "good":
            good.add(number)
        elif said == "bad":
            findings.append(
                Finding("signature", where, "a signature over these bytes", "a signature over other bytes")
            )
        elif said == "foreign":
            ids = ", ".join(item.key_id or "(no id)" for item in record.envelope.signatures)
            findings.append(Finding("key", where, "a signature by a trusted key", f"one by {ids}"))
    if check and records and not any_signed:
        last = record_key(model, max(records))
        findings.append(Finding("unsigned", last, "a signature, as a key is named", "no record is signed"))
    return frozenset(good), findings


def _head(
    model: str, records: Mapping[int, Record], bodies: Mapping[int, bytes], head: Head | None
) -> Iterator[Finding]:
    """The record that the ledger knows as the last one, if another one lies there."""
    if head is None or head.sequence not in bodies:
        return  # nothing is known, or it is a gap
    record = records.get(head.sequence)
    if record is not None and record.digest != head.digest:
        where = record_key(model, head.sequence)
        yield Finding("head", where, f"{head.digest}, as the ledger says", record.digest)
