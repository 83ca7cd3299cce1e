"""Checks the records of one model against each other: pure functions of their bytes.

A record carries the digest of the record before it. So a record that is changed, left out or slipped in does
not fit its neighbours, and a signed record vouches for all that lie before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from retraining.proof.envelope import Envelope, NotARecord
from retraining.proof.statement import Record, parse_record, record_key

Kind = Literal[
    "form", "model", "sequence", "gap", "fork", "signature", "key", "unsigned", "head", "evidence", "replay",
    "unrecorded", "artifact", "evaluation", "data", "missing", "registry", "contradiction",
]  # fmt: skip
"""The kinds of findings; docs/reference/proof.md says what each means."""

Signed = Literal["good", "bad", "foreign"]
"""What a check of an envelope's signatures finds: made by a trusted key over these bytes; named as a trusted
key's, but over other bytes; or made by another key."""

Check = Callable[[Envelope], Signed]
"""Checks the signatures of an envelope that has some."""


class Finding(NamedTuple):
    """Something that does not hold: where, what was expected there, and what was found."""

    kind: Kind
    where: str
    expected: str
    found: str

    def as_json(self) -> dict[str, str]:
        """The finding as `handsoff verify --json` prints it."""
        return {"kind": self.kind, "where": self.where, "expected": self.expected, "found": self.found}


class Head(NamedTuple):
    """The last record of a chain: its number and the SHA-256 of its bytes."""

    sequence: int
    digest: str


class Checked(NamedTuple):
    """The records of a chain that can be read, by number, and what does not hold.

    `signed` are the numbers of those that a trusted key signed, `vouched` of those and of all before them
    that they vouch for. Where no key is trusted, nobody says which ones are ours: then they are all of them.
    """

    records: Mapping[int, Record]
    findings: tuple[Finding, ...]
    signed: frozenset[int] = frozenset()
    vouched: frozenset[int] = frozenset()

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
    signed, wrong = _signatures(model, records, check)
    vouched = _vouched(records, signed) if check else frozenset(records)
    findings += [*wrong, *_links(model, records, signed), *_head(model, records, bodies, head)]
    return Checked(records, tuple(findings), signed, vouched)


def _own(model: str, record: Record) -> Iterator[Finding]:
    """What a record says of its own place."""
    where = record_key(model, record.number)
    if record.model != model:
        yield Finding("model", where, f"a record of {model}", f"a record of {record.model}")
    if record.sequence != record.number:
        yield Finding("sequence", where, f"the number {record.number}", f"the number {record.sequence}")


def _gaps(model: str, bodies: Mapping[int, Any], head: Head | None) -> Iterator[Finding]:
    """Numbers without a record, before the last one that is known to have been: one finding for each run."""
    before = 0
    for number in sorted(bodies):
        if number > before + 1:
            yield _gap(model, before + 1, number - 1, "later ones follow")
        before = number
    if head and head.sequence > before:
        yield _gap(model, before + 1, head.sequence, f"the ledger knows record {head.sequence}")


def _gap(model: str, first: int, last: int, why: str) -> Finding:
    where = record_key(model, first)
    if first == last:
        return Finding("gap", where, f"a record, as {why}", "no object")
    return Finding("gap", f"{where} to {last}", f"{last - first + 1} records, as {why}", "no objects")


def _links(model: str, records: Mapping[int, Record], signed: frozenset[int]) -> Iterator[Finding]:
    """Records that name another record before them than the one that lies there.

    Where only one of the two is signed by a trusted key, the other one is wrong.
    """
    for number, record in records.items():
        before = records.get(number - 1)
        where = record_key(model, number)
        if number == 1 and record.previous is not None:
            yield Finding("fork", where, "no record before the first", f"previous {record.previous}")
        elif before is None or record.previous == before.digest:
            continue
        elif number in signed and number - 1 not in signed:
            said = f"the SHA-256 {record.previous}, as the signed record {number} says"
            yield Finding("fork", record_key(model, number - 1), said, before.digest)
        else:
            yield Finding("fork", where, f"previous {before.digest}", f"previous {record.previous}")


def _vouched(records: Mapping[int, Record], signed: frozenset[int]) -> frozenset[int]:
    """The signed records, and those from which an unbroken run of `previous` leads to a signed one."""
    found: set[int] = set()
    for number in sorted(records, reverse=True):
        after = records.get(number + 1)
        follows = after is not None and number + 1 in found and after.previous == records[number].digest
        if number in signed or follows:
            found.add(number)
    return frozenset(found)


def _signatures(
    model: str, records: Mapping[int, Record], check: Check | None
) -> tuple[frozenset[int], list[Finding]]:
    """The numbers of the signed records, and the records whose signatures do not hold.

    Records before the first signed one may be unsigned, as there was no key yet, if the signed one vouches
    for them. Records after it must be signed, and so must one be if a key is named.
    """
    said = {n: check(record.envelope) if check else None for n, record in records.items() if _any(record)}
    signed = frozenset(number for number, value in said.items() if value == "good")
    vouched = _vouched(records, signed)
    findings = []
    for number, record in records.items():
        where = record_key(model, number)
        if number not in said:
            if any(other < number for other in said):
                expected = "a signature, as earlier records have one"
                findings.append(Finding("unsigned", where, expected, "none"))
            elif said and check and number not in vouched:
                expected = "a signature, or each record from this one to a signed one"
                findings.append(Finding("unsigned", where, expected, "no signed record vouches for it"))
        elif said[number] == "bad":
            expected = "a signature over these bytes"
            findings.append(Finding("signature", where, expected, "a signature over other bytes"))
        elif said[number] == "foreign":
            ids = ", ".join(item.key_id or "(no id)" for item in record.envelope.signatures)
            findings.append(Finding("key", where, "a signature by a trusted key", f"one by {ids}"))
    if check and records and not said:
        last = record_key(model, max(records))
        findings.append(Finding("unsigned", last, "a signature, as a key is named", "no record is signed"))
    return signed, findings


def _any(record: Record) -> bool:
    """Whether somebody signed the record."""
    return bool(record.envelope.signatures)


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


def contradictions(model: str, chain: Checked) -> Iterator[Finding]:
    """Records that say otherwise than an earlier record of the same execution that is vouched for.

    Evidence only gains facts, and a package's artifact and evaluation stay as they were first recorded.
    """
    before: dict[str, Record] = {}
    for number, record in sorted(chain.records.items()):
        where = record_key(model, number)
        if earlier := before.get(record.execution):
            lost = _facts(earlier) - _facts(record)
            if lost:
                at, kind, *_ = min(lost, key=str)
                expected = f"all facts of record {earlier.number}, such as {kind} at {at}"
                yield Finding("contradiction", where, expected, f"{len(lost)} of them are missing")
            for name in ("artifact", "evaluation"):
                said, says = (_digest(item, name) for item in (earlier, record))
                if said and says != said and _package(earlier) == _package(record) is not None:
                    expected = f"the {name} {said}, as record {earlier.number} says"
                    yield Finding("contradiction", where, expected, says or "none")
        if number in chain.vouched:
            before[record.execution] = record


def _facts(record: Record) -> set[tuple[Any, ...]]:
    """What tells the facts of a record from each other."""
    names = ("at", "kind", "subject", "status", "by", "who")
    return {tuple(fact.get(name) for name in names) for fact in record.evidence.get("facts") or ()}


def _package(record: Record) -> Any:
    return record.evidence.get("modelPackageArn")


def _digest(record: Record, name: str) -> Any:
    return (record.evidence.get(name) or {}).get("sha256")
