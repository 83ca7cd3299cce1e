"""Says from the records of a chain which model package was the champion at a time, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retraining.proof.statement import Record


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

    `records` are the last ones of each execution. None if no record tells of a package approved then.
    """
    told = [(record, found) for record in records if (found := _decisions(record))]
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


def _decisions(record: Record) -> list[Decided]:
    """All decisions on the record's package that it tells of, in the order of their times."""
    evidence, package = record.evidence, record.evidence.get("modelPackageArn")
    if not package:
        return []
    found = [
        Decided(
            package=package,
            status=item["status"],
            at=datetime.fromisoformat(item["at"]),
            by=item.get("by"),
            who=item.get("who"),
            why=item.get("why"),
            record=record.number,
        )
        for item in evidence.get("earlierDecisions") or ()
    ]
    status = evidence.get("decidedStatus") or evidence.get("modelApprovalStatus")
    if evidence.get("decidedAt") and status:
        found.append(
            Decided(
                package=package,
                status=status,
                at=datetime.fromisoformat(evidence["decidedAt"]),
                by=evidence.get("decidedBy"),
                who=evidence.get("decidedWho"),
                why=evidence.get("decidedWhy"),
                record=record.number,
            )
        )
    return sorted(found, key=lambda item: item.at)
