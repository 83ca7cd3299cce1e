"""The one way by which approvals and rejections are written, whoever decides.

First the fact `decision#<package ARN>` is taken in the ledger, then the package is read again, then it is
updated if, and only if, it is still pending, then the fact is marked done. Every step may be repeated: who
dies between two of them and comes again ends in the same state. What was decided once, here or in AWS's
console, is never overwritten; who comes second learns whose decision stands.

Approvals of one group are written one at a time, so that no two candidates that were compared with the
same champion are both approved. What is decided in AWS's console cannot be locked: recording.py finds it.

A package that somebody in AWS makes pending again after a decision waits for a person again. The old
decision moves to `earlier` in the fact and hinders no new one, which gets an `at` of its own. The machine
does not decide it again for the reason that was set aside; a newer candidate's approval, or time, may.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from retraining import registry
from retraining.collaborators import Collaborators
from retraining.errors import HandsoffError, NotReady
from retraining.ledger import LEASE, alone
from retraining.registry import PENDING, Package

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType

Status = Literal["Approved", "Rejected"]

By = Literal["rules", "superseded", "expired", "link", "slack", "operator", "person"]
"""Who decides: the rules, an approval of a newer candidate, the time that it may wait; a person by a signed
link, by Slack, by the command line, or in AWS without us.
"""

RULES: Final = "rules"
SUPERSEDED: Final = "superseded"
EXPIRED: Final = "expired"
OUTSIDE: Final = "person"
PEOPLE: Final = frozenset({"link", "slack", "operator", OUTSIDE})

MOST_WHY: Final = 300
MOST_WHO: Final = 200
"""Characters of a person's reason, and of what is recorded as the person."""

MOST_TIME: Final = timedelta(seconds=45)
"""From taking the lease on a group to writing an approval: half of LEASE, so that the call ends within it."""

EARLIER: Final = 5
"""Decisions that are kept beside the one that stands."""

SET_BACK: Final = "set back to pending in AWS"

_FIELDS: Final = ("status", "by", "who", "why", "at")
_STATE: Final = ("doneAt", "recordedAt", "supersedes")


class NoReason(HandsoffError):
    """A person gave no reason, or one that is too long."""


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
    """The decision that stands on a package. `ours` says whether it is the one that was asked for.

    `who` is a name that somebody typed (by link), a user's id and name (by Slack), or an IAM ARN.
    """

    status: str
    by: str
    why: str
    at: str
    ours: bool
    who: str | None = None


def key(arn: str) -> str:
    """The decision's key in the ledger."""
    return f"decision#{arn}"


def reason(text: str) -> str:
    """A person's reason as it is recorded: one line, no control characters. Raises NoReason."""
    line = registry.one_line(text)
    if not 1 <= len(line) <= MOST_WHY:
        raise NoReason(f"say why in 1 to {MOST_WHY} characters, not {len(line)}: the reason is recorded")
    return line


def decide(
    arn: str,
    status: Status,
    *,
    by: str,
    why: str,
    using: Collaborators,
    who: str | None = None,
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
    began = using.clock()
    lease = alone(using.ledger, f"lease#{group}", now=began) if approving else nullcontext()
    with lease:
        champion = registry.champion(using.sagemaker, group) if approving and compared else None
        champion_arn = champion.arn if champion else None
        wanted = {
            "status": status,
            "by": by,
            "who": registry.shorten(who, MOST_WHO) if who else None,
            "why": registry.shorten(why),
            "at": using.clock().isoformat(),
        }
        taken = _taken(arn, wanted, using)
        package = registry.package(using.sagemaker, arn)
        same = _asks(taken) == _asks(wanted)
        if not package.pending and not shows(package, taken):
            if same and "doneAt" not in taken:
                _give_back(arn, taken, using)
            return _standing(outside(package, taken), ours=False)
        if not same:
            return _standing(taken, ours=False)
        if "doneAt" in taken:
            return _standing(taken, ours=True)
        if package.pending:
            if compared and approving and champion_arn != compared.champion:
                _give_back(arn, taken, using)
                raise ChampionChanged(champion_arn)
            if approving and using.clock() - began > MOST_TIME:
                raise NotReady(f"deciding on {package.name} took too long; try again")
            _write(package, status, taken, metadata or {}, using)
        using.ledger.mark(key(arn), {"doneAt": using.clock().isoformat()}, where={"at": taken["at"]})
        return _standing(taken, ours=True)


def shows(package: Package, decision: Mapping[str, Any]) -> bool:
    """Whether what the registry shows is this decision of the ledger."""
    if package.approval_status != decision.get("status"):
        return False
    return bool(decision["by"] == OUTSIDE or package.metadata.get("decidedAt") == decision["at"])


def set_back(package: Package, decision: Mapping[str, Any], now: datetime) -> bool:
    """Whether the package waits again, though this decision of the ledger had been written on it.

    Decisions that were written leave their time on the package. Where somebody has wiped that, too, the
    mark in the ledger says so; a package that was read too early may lack both for a moment.
    """
    if not package.pending or not decision:
        return False
    written = decision["by"] == OUTSIDE or package.metadata.get("decidedAt") == decision["at"]
    return written or bool(decision.get("doneAt", "9999") < (now - LEASE).isoformat())


def outside(package: Package, known: Mapping[str, Any]) -> dict[str, Any]:
    """What was done in AWS and not through `decide`, as a fact for the ledger; `known` stood there so far."""
    why = package.approval_description or ""
    if package.pending:
        before = f"; before, it was {known['status'].lower()} {said_by(known)}" if known else ""
        why = registry.shorten(f"{SET_BACK}{before}")
    elif why == known.get("why"):  # SageMaker keeps the words of the decision before
        why = ""
    return {
        "status": package.approval_status,
        "by": OUTSIDE,
        "who": package.changed_by,
        "why": why,
        "at": package.changed_at.isoformat(),
    }


def adopt(package: Package, known: Mapping[str, Any], using: Collaborators) -> dict[str, Any]:
    """Put what was done in AWS in the place of `known` in the ledger. Raises NotReady if that has changed."""
    fact = {**outside(package, known), "doneAt": using.clock().isoformat()}
    if not known:
        taken = using.ledger.take(key(package.arn), fact) is None
    else:
        written = "doneAt" in known or package.metadata.get("decidedAt") == known["at"]
        taken = _replace(package.arn, known, fact, using, keep=written)
    if not taken:
        raise NotReady(f"{package.name} is being decided; try again")
    return fact


def said_by(decision: Mapping[str, Any]) -> str:
    """Who decided, for people: `by rules`, `by Ana (link)`, `by arn:aws:iam::… (operator)`."""
    by, who = str(decision["by"]), decision.get("who")
    if by in PEOPLE:
        via = "in AWS" if by == OUTSIDE else by
        return f"by {who} ({via})" if who else f"by a person ({via})"
    return {SUPERSEDED: "as a newer one was approved", EXPIRED: "as nobody decided"}.get(by, f"by {by}")


def _taken(arn: str, wanted: dict[str, Any], using: Collaborators) -> Mapping[str, Any]:
    """Take the fact for `wanted`, also from a decision that has been set back; the fact that stands then."""
    known = using.ledger.take(key(arn), wanted)
    if known is None:
        return wanted
    if not known:
        raise NotReady(f"somebody has just given back a decision on {arn}; try again")
    package = registry.package(using.sagemaker, arn)
    if not set_back(package, known, using.clock()):
        return known
    said = [(fact["by"], fact["why"]) for fact in (known, *known.get("earlier", []))]
    if wanted["by"] in (RULES, SUPERSEDED) and (wanted["by"], wanted["why"]) in said:
        return known if known["status"] == PENDING else outside(package, known)
    if not _replace(arn, known, wanted, using, keep=True):
        raise NotReady(f"somebody has just decided on {arn}; look again")
    return wanted


def _replace(
    arn: str, known: Mapping[str, Any], fact: Mapping[str, Any], using: Collaborators, *, keep: bool
) -> bool:
    """Replace `known` in the ledger, if it still stands there, and `keep` it among the earlier ones."""
    before = [{name: known[name] for name in _FIELDS if name in known}] if keep else []
    earlier = [*known.get("earlier", []), *before][-EARLIER:]
    empty = dict.fromkeys((*_FIELDS, *_STATE))
    return using.ledger.mark(
        key(arn), {**empty, **fact, "earlier": earlier or None}, where={"at": str(known["at"])}
    )


def _asks(decision: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two requests the same decision, whenever each was made."""
    return decision["status"], decision["by"], decision.get("who")


def _write(
    package: Package, status: Status, taken: Mapping[str, Any], more: Mapping[str, str], using: Collaborators
) -> None:
    """Update the package. The time in its metadata tells this decision from one of the console."""
    mine = {**more, "decidedBy": taken["by"], "decidedAt": taken["at"]}
    if taken.get("who") or "decidedWho" in package.metadata:  # of an earlier decision
        mine["decidedWho"] = taken.get("who") or "none"
    if status == "Approved":
        mine["approvedAt"] = using.clock().isoformat()
    written: ModelApprovalStatusType = status
    registry.annotate(using.sagemaker, package, mine, status=written, description=taken["why"])


def _give_back(arn: str, taken: Mapping[str, Any], using: Collaborators) -> None:
    """Take our decision out of the ledger, unless another one has been recorded there meanwhile."""
    using.ledger.release(key(arn), where={"at": taken["at"]})


def _standing(decision: Mapping[str, Any], *, ours: bool) -> Standing:
    status, by, why, at = (str(decision.get(name, "")) for name in ("status", "by", "why", "at"))
    return Standing(status, by, why, at, ours, decision.get("who"))
