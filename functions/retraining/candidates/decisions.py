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
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from retraining.aws import registry
from retraining.aws.ledger import LEASE, alone
from retraining.aws.registry import PENDING, Package
from retraining.collaborators import Collaborators
from retraining.errors import HandsoffError, NotReady
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, EarlierDecision, Status

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType

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


class Standing(EarlierDecision):
    """The decision that stands on a package. `ours` says whether it is the one that was asked for."""

    ours: bool

    @classmethod
    def of(cls, decision: DecisionFact, *, ours: bool) -> Standing:
        return cls(**decision.as_earlier().model_dump(), ours=ours)


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

    `by` is one of facts.candidates.By. `metadata` goes on the package together with the decision. With
    `compared`, an approval is only written while that is the champion. Raises ChampionChanged if it is not,
    and NotReady while another candidate of the group is being approved. A person approves nothing that a
    newer champion is about to supersede.
    """
    group = arn.split(":model-package/")[-1].rsplit("/", 1)[0]
    approving = status == "Approved"
    began = using.clock()
    lease = alone(using.ledger, keys.group_lease(group), now=began) if approving else nullcontext()
    with lease:
        ask = approving and (compared is not None or by in PEOPLE)
        champion = registry.champion(using.sagemaker, group) if ask else None
        champion_arn = champion.arn if champion else None
        wanted = DecisionFact(
            status=status,
            by=by,
            who=registry.shorten(who, MOST_WHO) if who else None,
            why=registry.shorten(why),
            at=using.clock(),
        )
        if by in PEOPLE:  # first, so that the sweep finds it whatever happens next
            version = arn.rsplit("/", 1)[-1]
            note: dict[str, Any] = {f"v{version}": f"{wanted.at.isoformat()} {arn}"}
            using.ledger.mark(keys.in_view(group), **note)
        taken = _taken(arn, wanted, using)
        try:
            package = registry.package(using.sagemaker, arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":  # it has been deleted
                _give_back(arn, taken, using)
            raise
        same = _asks(taken) == _asks(wanted)
        if not package.pending and not shows(package, taken):
            if same and taken.done_at is None:
                _give_back(arn, taken, using)
            return Standing.of(outside(package, taken), ours=False)
        if not same:
            return Standing.of(taken, ours=False)
        if taken.done_at is not None:
            return Standing.of(taken, ours=True)
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
        using.ledger.mark(keys.decision(arn), where={"at": taken.at}, done_at=using.clock())
        return Standing.of(taken, ours=True)


def shows(package: Package, decision: DecisionFact | None) -> bool:
    """Whether what the registry shows is this decision of the ledger."""
    if decision is None or package.approval_status != decision.status:
        return False
    return decision.by == OUTSIDE or package.decided_at == decision.at


def set_back(package: Package, decision: DecisionFact | None, now: datetime) -> bool:
    """Whether the package waits again, though this decision of the ledger had been written on it.

    Decisions that were written leave their time on the package. Where somebody has wiped that, too, the
    mark in the ledger says so; a package that was read too early may lack both for a moment.
    """
    if not package.pending or decision is None:
        return False
    written = decision.by == OUTSIDE or package.decided_at == decision.at
    return written or (decision.done_at is not None and decision.done_at < now - LEASE)


def outside(package: Package, known: DecisionFact | None) -> DecisionFact:
    """What was done in AWS and not through `decide`, as a fact for the ledger; `known` stood there so far."""
    why, who, at = package.approval_description or "", package.changed_by, package.changed_at
    if package.decided_at and given_back(package, known):  # by us, and it is not ours
        who, at = package.metadata.get("decidedWho"), package.decided_at
        who = None if who == "none" else who
    elif package.pending:
        before = f"; before, it was {known.status.lower()} {said_by(known.by, known.who)}" if known else ""
        why = registry.shorten(f"{SET_BACK}{before}")
    elif known and why == known.why:  # SageMaker keeps the words of the decision before
        why = ""
    return DecisionFact(status=package.approval_status, by=OUTSIDE, who=who, why=why, at=at)


def given_back(package: Package, known: DecisionFact | None) -> bool:
    """Whether the package shows a person's decision that we gave back and the ledger does not know yet."""
    at = package.decided_at
    if package.pending or package.metadata.get("decidedBy") != OUTSIDE or at is None:
        return False
    facts = (known, *known.earlier) if known else ()
    given = (package.approval_description or "").startswith(given_back_text(at))
    return given and (OUTSIDE, at) not in [(fact.by, fact.at) for fact in facts]


def given_back_text(at: datetime) -> str:
    """How the description of a decision begins that was given back."""
    return f"{GIVEN_BACK}: decided in AWS at {at.isoformat()}"


def witness(arn: str, status: Status, at: datetime, who: str | None, using: Collaborators) -> DecisionFact:
    """Note a decision in AWS of which only the event is left, and which nothing else is known about.

    Raises NotReady if somebody has decided meanwhile.
    """
    fact = DecisionFact(status=status, by=OUTSIDE, who=who, at=at, done_at=using.clock())
    if using.ledger.take(keys.decision(arn), fact) is not None:
        raise NotReady(f"{arn} is being decided; try again")
    return fact


def adopt(package: Package, known: DecisionFact | None, using: Collaborators) -> DecisionFact:
    """Put what was done in AWS in the place of `known` in the ledger. Raises NotReady if that has changed."""
    fact = outside(package, known).model_copy(update={"done_at": using.clock()})
    if known is None:
        taken = using.ledger.take(keys.decision(package.arn), fact) is None
    else:
        written = known.done_at is not None or package.decided_at == known.at
        fact = fact.model_copy(update={"earlier": _earlier(known) if written else known.earlier})
        taken = using.ledger.replace(keys.decision(package.arn), fact, where={"at": known.at})
    if not taken:
        raise NotReady(f"{package.name} is being decided; try again")
    return fact


def said_by(by: str, who: str | None) -> str:
    """Who decided, for people: `by rules`, `by Ana (link)`, `by arn:aws:iam::… (operator)`."""
    if by in PEOPLE:
        via = "in AWS" if by == OUTSIDE else by
        return f"by {who} ({via})" if who else f"by a person ({via})"
    return {SUPERSEDED: "as a newer one was approved", EXPIRED: "as nobody decided"}.get(by, f"by {by}")


def _taken(arn: str, wanted: DecisionFact, using: Collaborators) -> DecisionFact:
    """Take the fact for `wanted`, also from a decision that has been set back; the fact that stands then."""
    known = using.ledger.take(keys.decision(arn), wanted)
    if known is None:
        return wanted
    package = registry.package(using.sagemaker, arn)
    if not set_back(package, known, using.clock()):
        return known
    said = [(fact.by, fact.why) for fact in (known, *known.earlier)]
    if wanted.by in (RULES, SUPERSEDED) and (wanted.by, wanted.why) in said:
        return known if known.status == PENDING else outside(package, known)
    fact = wanted.model_copy(update={"earlier": _earlier(known)})
    if not using.ledger.replace(keys.decision(arn), fact, where={"at": known.at}):
        raise NotReady(f"somebody has just decided on {arn}; look again")
    return fact


def _earlier(known: DecisionFact) -> tuple[EarlierDecision, ...]:
    """The earlier decisions once `known` is one of them."""
    return (*known.earlier, known.as_earlier())[-EARLIER:]


def _asks(decision: EarlierDecision) -> tuple[str, str, str | None]:
    """What makes two requests the same decision, whenever each was made."""
    return decision.status, decision.by, decision.who


def _write(
    package: Package, status: Status, taken: DecisionFact, more: Mapping[str, str], using: Collaborators
) -> None:
    """Update the package. The time in its metadata tells this decision from one of the console."""
    mine = {**more, "decidedBy": taken.by, "decidedAt": taken.at.isoformat()}
    if taken.who or "decidedWho" in package.metadata:  # of an earlier decision
        mine["decidedWho"] = taken.who or "none"
    if status == "Approved":
        mine["approvedAt"] = using.clock().isoformat()
    written: ModelApprovalStatusType = status
    registry.annotate(using.sagemaker, package, mine, status=written, description=taken.why)


def _give_back(arn: str, taken: DecisionFact, using: Collaborators) -> None:
    """Take our decision out of the ledger, unless another one has been recorded there meanwhile.

    What it had replaced, which had been written, comes back.
    """
    where = {"at": taken.at}
    if not taken.earlier:
        using.ledger.release(keys.decision(arn), where=where)
        return
    *earlier, before = taken.earlier
    fact = DecisionFact(**before.model_dump(), done_at=before.at, earlier=tuple(earlier))
    using.ledger.replace(keys.decision(arn), fact, where=where)


def _superseded(package: Package, champion: Package, taken: DecisionFact, using: Collaborators) -> bool:
    """Whether the champion is newer, and became it after all that people know of this package.

    They know where it was judged beside that champion, or somebody set it back to pending since.
    """
    if champion.created_at <= package.created_at:
        return False
    judged = using.ledger.get(keys.verdict(package.arn))
    beside = judged.verdict.champion if judged else None
    return beside != champion.arn and all(fact.at < champion.approved_at for fact in taken.earlier[-1:])


def _too_old(champion: Package) -> Standing:
    at = champion.approved_at
    why = f"a newer version, {champion.name}, was approved {at.isoformat()}"
    return Standing(status="Rejected", by=SUPERSEDED, why=why, at=at, ours=False)
