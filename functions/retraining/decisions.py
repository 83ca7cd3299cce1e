"""The one way by which approvals and rejections are written, whoever decides.

First the fact `decision#<package ARN>` is taken in the ledger, then the package is read again, then it is
updated if, and only if, it is still pending, then the fact is marked done. Every step may be repeated: who
dies between two of them and comes again ends in the same state. What was decided once, here or in AWS's
console, is never overwritten; who comes second learns whose decision stands.

Approvals of one group are written one at a time, so that no two candidates that were compared with the
same champion are both approved. What is decided in AWS's console cannot be locked: record_decision finds it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from retraining import registry
from retraining.collaborators import Collaborators
from retraining.errors import HandsoffError, NotReady
from retraining.ledger import alone
from retraining.registry import Package

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType

Status = Literal["Approved", "Rejected"]

RULES: Final = "rules"
SUPERSEDED: Final = "superseded"
OUTSIDE: Final = "person"
"""Who decides: the rules, an approval of a newer candidate, or somebody in AWS, whom we cannot name."""

AUTOMATIC: Final = frozenset({RULES, SUPERSEDED})


class ChampionChanged(HandsoffError):
    """The champion is another one than the candidate was compared with. Nothing was written."""

    def __init__(self, champion: str | None) -> None:
        super().__init__(f"the champion is now {champion or 'none'}")
        self.champion = champion


@dataclass(frozen=True)
class Compared:
    """The ARN of the champion that a candidate was compared with, None where there was none."""

    champion: str | None


@dataclass(frozen=True)
class Standing:
    """The decision that stands on a package. `ours` says whether it is the one that was asked for."""

    status: str
    by: str
    why: str
    at: str
    ours: bool


def key(arn: str) -> str:
    """The decision's key in the ledger."""
    return f"decision#{arn}"


def decide(
    arn: str,
    status: Status,
    *,
    by: str,
    why: str,
    using: Collaborators,
    compared: Compared | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Standing:
    """Approve or reject a package that is pending; the decision that stands afterwards.

    `metadata` goes on the package together with it. With `compared`, an approval is only written while that
    is the champion. Raises ChampionChanged if it is not, and NotReady while another candidate of the group
    is being approved.
    """
    group = arn.split(":model-package/")[-1].rsplit("/", 1)[0]
    approving = status == "Approved"
    lease = alone(using.ledger, f"lease#{group}", now=using.clock()) if approving else nullcontext()
    with lease:
        champion = registry.champion(using.sagemaker, group) if approving and compared else None
        champion_arn = champion.arn if champion else None
        wanted = {"status": status, "by": by, "why": why, "at": using.clock().isoformat()}
        known = using.ledger.take(key(arn), wanted)
        taken = wanted if known is None else known
        if not taken:
            raise NotReady(f"somebody has just given back a decision on {arn}; try again")
        if (taken.get("status"), taken.get("by")) != (status, by):
            return _standing(taken, ours=False)
        if "doneAt" in taken:
            return _standing(taken, ours=True)
        package = registry.package(using.sagemaker, arn)
        if package.pending:
            if compared and approving and champion_arn != compared.champion:
                _give_back(arn, taken, using)
                raise ChampionChanged(champion_arn)
            _write(package, status, taken, metadata or {}, using)
        elif not shows(package, taken):
            _give_back(arn, taken, using)
            return _standing(outside(package), ours=False)
        using.ledger.mark(key(arn), {"doneAt": using.clock().isoformat()}, where={"at": taken["at"]})
        return _standing(taken, ours=True)


def shows(package: Package, decision: Mapping[str, Any]) -> bool:
    """Whether what the registry shows is this decision of the ledger."""
    if package.approval_status != decision.get("status"):
        return False
    return bool(decision["by"] == OUTSIDE or package.metadata.get("decidedAt") == decision["at"])


def outside(package: Package) -> dict[str, str]:
    """A decision that was taken in AWS and not through `decide`, as a fact for the ledger."""
    return {
        "status": package.approval_status,
        "by": OUTSIDE,
        # whoever gives no description leaves the one that the rules wrote
        "why": "no reason was given" if _by_us(package) else package.approval_description or "",
        "at": package.changed_at.isoformat(),
    }


def _by_us(package: Package) -> bool:
    return bool(re.match(r"(APPROVE|REJECT) by rules|superseded by ", package.approval_description or ""))


def _write(
    package: Package, status: Status, taken: Mapping[str, Any], more: Mapping[str, str], using: Collaborators
) -> None:
    """Update the package. The time in its metadata tells this decision from one of the console."""
    mine = {**more, "decidedBy": taken["by"], "decidedAt": taken["at"]}
    if status == "Approved":
        mine["approvedAt"] = using.clock().isoformat()
    written: ModelApprovalStatusType = status
    registry.annotate(using.sagemaker, package, mine, status=written, description=taken["why"])


def _give_back(arn: str, taken: Mapping[str, Any], using: Collaborators) -> None:
    """Take our decision out of the ledger, unless another one has been recorded there meanwhile."""
    using.ledger.release(key(arn), where={"at": taken["at"]})


def _standing(decision: Mapping[str, Any], *, ours: bool) -> Standing:
    status, by, why, at = (str(decision.get(name, "")) for name in ("status", "by", "why", "at"))
    return Standing(status, by, why, at, ours)
