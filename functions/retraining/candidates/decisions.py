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

from botocore.exceptions import ClientError

from retraining.aws import registry
from retraining.aws.ledger import LEASE, alone
from retraining.aws.registry import PENDING, Package
from retraining.collaborators import Collaborators
from retraining.errors import HandsoffError, NotReady

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

GIVEN_BACK: Final = "given back"
"""Begins what is said of a decision that we had written over."""

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


def open_key(group: str) -> str:
    """The key in the ledger of what the sweep looks at however old it is."""
    return f"open#{group}"


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
    is being approved. A person approves nothing that a newer champion is about to supersede.
    """
    group = arn.split(":model-package/")[-1].rsplit("/", 1)[0]
    approving = status == "Approved"
    began = using.clock()
    lease = alone(using.ledger, f"lease#{group}", now=began) if approving else nullcontext()
    with lease:
        ask = approving and (compared is not None or by in PEOPLE)
        champion = registry.champion(using.sagemaker, group) if ask else None
        champion_arn = champion.arn if champion else None
        wanted = {
            "status": status,
            "by": by,
            "who": registry.shorten(who, MOST_WHO) if who else None,
            "why": registry.shorten(why),
            "at": using.clock().isoformat(),
        }
        if by in PEOPLE:  # first, so that the sweep finds it whatever happens next
            version = arn.rsplit("/", 1)[-1]
            using.ledger.mark(open_key(group), {f"v{version}": f"{wanted['at']} {arn}"})
        taken = _taken(arn, wanted, using)
        try:
            package = registry.package(using.sagemaker, arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":  # it has been deleted
                _give_back(arn, taken, using)
            raise
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
            if approving and by in PEOPLE and champion and _superseded(package, champion, taken, using):
                _give_back(arn, taken, using)
                return _too_old(champion)
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
    why, who, at = package.approval_description or "", package.changed_by, package.changed_at.isoformat()
    if given_back(package, known):  # by us, and it is not ours
        who, at = package.metadata.get("decidedWho"), package.metadata["decidedAt"]
        who = None if who == "none" else who
    elif package.pending:
        before = f"; before, it was {known['status'].lower()} {said_by(known)}" if known else ""
        why = registry.shorten(f"{SET_BACK}{before}")
    elif why == known.get("why"):  # SageMaker keeps the words of the decision before
        why = ""
    return {
        "status": package.approval_status,
        "by": OUTSIDE,
        "who": who,
        "why": why,
        "at": at,
    }


def given_back(package: Package, known: Mapping[str, Any]) -> bool:
    """Whether the package shows a person's decision that we gave back and the ledger does not know yet."""
    at = package.metadata.get("decidedAt")
    if package.pending or package.metadata.get("decidedBy") != OUTSIDE or not at:
        return False
    said = (package.approval_description or "").startswith(f"{GIVEN_BACK}: decided in AWS at {at}")
    facts = (known, *known.get("earlier", [])) if known else ()
    return said and (OUTSIDE, at) not in [(fact["by"], fact["at"]) for fact in facts]


def witness(arn: str, status: str, at: str, who: str | None, using: Collaborators) -> dict[str, Any]:
    """Note a decision in AWS of which only the event is left, and which nothing else is known about.

    Raises NotReady if somebody has decided meanwhile.
    """
    fact = {"status": status, "by": OUTSIDE, "who": who, "why": "", "at": at}
    fact["doneAt"] = using.clock().isoformat()
    if using.ledger.take(key(arn), fact) is not None:
        raise NotReady(f"{arn} is being decided; try again")
    return fact


def adopt(package: Package, known: Mapping[str, Any], using: Collaborators) -> dict[str, Any]:
    """Put what was done in AWS in the place of `known` in the ledger. Raises NotReady if that has changed."""
    fact = {**outside(package, known), "doneAt": using.clock().isoformat()}
    if not known:
        taken = using.ledger.take(key(package.arn), fact) is None
    else:
        written = "doneAt" in known or package.metadata.get("decidedAt") == known["at"]
        taken = _replace(package.arn, known, fact, using, keep=written)
        fact["earlier"] = _earlier(known) if written else known.get("earlier", [])
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
    return {**wanted, "earlier": _earlier(known)}


def _replace(
    arn: str, known: Mapping[str, Any], fact: Mapping[str, Any], using: Collaborators, *, keep: bool
) -> bool:
    """Replace `known` in the ledger, if it still stands there, and `keep` it among the earlier ones."""
    earlier = _earlier(known) if keep else known.get("earlier")
    empty = dict.fromkeys((*_FIELDS, *_STATE))
    return using.ledger.mark(
        key(arn), {**empty, **fact, "earlier": earlier or None}, where={"at": str(known["at"])}
    )


def _earlier(known: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The earlier decisions once `known` is one of them."""
    return [*known.get("earlier", []), {name: known[name] for name in _FIELDS if name in known}][-EARLIER:]


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
    """Take our decision out of the ledger, unless another one has been recorded there meanwhile.

    What it had replaced, which had been written, comes back.
    """
    where = {"at": str(taken["at"])}
    if not taken.get("earlier"):
        using.ledger.release(key(arn), where=where)
        return
    *earlier, before = taken["earlier"]
    empty = dict.fromkeys((*_FIELDS, *_STATE))
    using.ledger.mark(
        key(arn), {**empty, **before, "doneAt": before["at"], "earlier": earlier or None}, where=where
    )


def _superseded(package: Package, champion: Package, taken: Mapping[str, Any], using: Collaborators) -> bool:
    """Whether the champion is newer, and became it after all that people know of this package.

    They know where it was judged beside that champion, or somebody set it back to pending since.
    """
    if champion.created_at <= package.created_at:
        return False
    verdict = (using.ledger.get(f"verdict#{package.arn}") or {}).get("verdict", {})
    set_aside = [datetime.fromisoformat(fact["at"]) for fact in taken.get("earlier", [])[-1:]]
    return verdict.get("champion") != champion.arn and all(at < champion.approved_at for at in set_aside)


def _too_old(champion: Package) -> Standing:
    at = champion.approved_at.isoformat()
    why = f"a newer version, {champion.name}, was approved {at}"
    return Standing("Rejected", SUPERSEDED, why, at, ours=False)


def _standing(decision: Mapping[str, Any], *, ours: bool) -> Standing:
    status, by, why, at = (str(decision.get(name, "")) for name in ("status", "by", "why", "at"))
    return Standing(status, by, why, at, ours, decision.get("who"))
