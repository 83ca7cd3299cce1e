"""Says from the records of a chain which model package was the champion at a time, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from retraining.proof.statement import Record

DECISIONS: Final = ("decided", "superseded", "setBack")
"""The kinds of facts that are decisions on a package."""


@dataclass(frozen=True)
class Decided:
    """One decision on a package, or that one was set back to pending, as a record tells it.

    `record` is the number of the record, `by` one of rules, link, slack, …, `who` the person where known.
    """

    package: str
    status: str
    at: datetime
    by: str | None
    who: str | None
    why: str | None
    record: int


@dataclass(frozen=True)
class Reign:
    """The champion at a time: the approval that made it so, and what ended it; None if nothing has yet."""

    approval: Decided
    ended: Decided | None
    evidence: Mapping[str, Any]


def champion_at(records: Iterable[Record], at: datetime) -> Reign | None:
    """The champion at this time: of the packages that stood approved then, the one approved last.

    `records` are all of a chain. None if no record tells of a package approved then.
    """
    of_packages: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda item: item.number):
        if package := record.evidence.get("modelPackageArn"):
            of_packages.setdefault(package, []).append(record)
    told = [(found[-1], _decisions(package, found)) for package, found in of_packages.items()]
    approved = []
    for record, decisions in told:
        until_then = [item for item in decisions if item.at <= at]
        if until_then and until_then[-1].status == "Approved":
            approved.append((until_then[-1], record))
    if not approved:
        return None
    approval, record = max(approved, key=lambda item: item[0].at)
    later = [
        item
        for _, decisions in told
        for item in decisions
        if item.at > at and (item.package == approval.package or item.status == "Approved")
    ]
    return Reign(approval, min(later, key=lambda item: item.at, default=None), record.evidence)


def _decisions(package: str, records: Sequence[Record]) -> list[Decided]:
    """All decisions on a package that its records tell of, in the order of their times.

    Evidence keeps some earlier decisions only, and all of its facts. What stands in the last record counts;
    in an earlier one it may have been a decision that was taken back before the package showed it.
    """
    last = records[-1]
    found = {
        _identity(fact): _decided(package, fact, record)
        for record in records
        for fact in record.evidence.get("facts") or ()
        if fact["kind"] in DECISIONS and fact.get("status") and fact.get("subject") in (None, package)
    }
    stands = [*(last.evidence.get("earlierDecisions") or ())]
    evidence = last.evidence
    status = evidence.get("decidedStatus") or evidence.get("modelApprovalStatus")
    if evidence.get("decidedAt") and status:
        names = {"at": "decidedAt", "by": "decidedBy", "who": "decidedWho", "why": "decidedWhy"}
        stands.append({"status": status} | {name: evidence.get(key) for name, key in names.items()})
    found |= {_identity(item): _decided(package, item, last) for item in stands}
    return sorted(found.values(), key=lambda item: item.at)


def _identity(said: Mapping[str, Any]) -> tuple[Any, ...]:
    return datetime.fromisoformat(said["at"]), said["status"], said.get("by"), said.get("who")


def _decided(package: str, said: Mapping[str, Any], record: Record) -> Decided:
    return Decided(
        package=package,
        status=said["status"],
        at=datetime.fromisoformat(said["at"]),
        by=said.get("by"),
        who=said.get("who"),
        why=said.get("why"),
        record=record.number,
    )
