"""The one way by which approvals and rejections are written, by rules and by people.

1. The fact `decision#<package ARN>` is taken in the ledger.
2. The package is read again.
3. The package is updated if, and only if, it is still pending.
4. The fact is marked as done.

Each step may be repeated: a caller that dies between two of them and comes again ends in the same state. A
decision that was taken once, here or in AWS, is never overwritten; a later caller is told which one stands.

Approvals of one group are written one at a time, so that no two candidates that were compared with the same
champion are both approved. A decision in AWS's console cannot be locked: recording.py finds it.

The rules tell of their verdict themselves. They are silent where something else was done in AWS meanwhile,
but note that in the ledger first. If AWS then shows the same decision again, it is a person's, and people are
told of it.

A package that somebody in AWS makes pending again after a decision waits for a person again. The old decision
moves to `earlier` in the fact and hinders no new one, which gets a time of its own. The rules do not decide
again for the reason that was set back. A newer candidate's approval, or the end of the waiting time, may.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, assert_never

from botocore.exceptions import ClientError

from retraining.aws import registry
from retraining.aws.ledger import alone
from retraining.candidates.decision_actions import (
    Adopt,
    Compared,
    MarkDone,
    RefuseAnchor,
    RefuseChampion,
    Snapshot,
    Stand,
    Standing,
    TryAgain,
    Write,
    next_action,
)
from retraining.candidates.state import PEOPLE, RULES, SUPERSEDED, outside, set_back
from retraining.collaborators import Collaborators
from retraining.errors import HandsoffError, NotReady
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, EarlierDecision, Status
from retraining.facts.package import PENDING, Package
from retraining.text import one_line, shorten

MAX_WHY: Final = 300
"""Characters of a person's reason."""

MAX_WHO: Final = 200
"""Characters of what is recorded as the person."""

MAX_EARLIER: Final = 50
"""Earlier decisions that are kept beside the one that stands. Each takes about 1 KB of an item of at most
400 KB. From them follows when a version was champion."""

LATER: Final = timedelta(milliseconds=1)
"""How much later than the champion's an approval is at least, whatever the clocks of both writers say."""


class NoReason(HandsoffError):
    """A person gave no reason, or one that is too long."""


class ChampionChanged(HandsoffError):
    """The champion is not the one that the candidate was compared with. Nothing was written."""

    def __init__(self, champion: str | None) -> None:
        super().__init__(f"the champion is now {champion or 'none'}")
        self.champion = champion


class AnchorChanged(HandsoffError):
    """The anchor is not the one that the candidate was compared with. Nothing was written."""

    def __init__(self, anchor: str | None) -> None:
        super().__init__(f"the anchor is now {anchor or 'none'}")
        self.anchor = anchor


class Result(NamedTuple):
    """The decision that stands on a package, and the package with the status that it has then."""

    standing: Standing
    package: Package


def reason(text: str) -> str:
    """A person's reason as it is recorded: one line, no control characters. Raises NoReason."""
    line = one_line(text)
    if not 1 <= len(line) <= MAX_WHY:
        raise NoReason(f"say why in 1 to {MAX_WHY} characters, not {len(line)}: the reason is recorded")
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
    """Approve or reject a package that is pending; the decision that stands afterwards. See `decided`."""
    return decided(
        arn, status, by=by, why=why, using=using, who=who, compared=compared, metadata=metadata
    ).standing


def decided(
    arn: str,
    status: Status,
    *,
    by: str,
    why: str,
    using: Collaborators,
    who: str | None = None,
    compared: Compared | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Result:
    """Approve or reject a package that is pending; the decision that stands, and the package, afterwards.

    `by` is one of facts.candidates.By. `metadata` goes on the package together with the decision. With
    `compared`, an approval is only written while these are champion and anchor. Raises ChampionChanged or
    AnchorChanged if they are not, and NotReady while another candidate of the group is being approved. A
    person approves nothing that a newer champion is about to supersede.
    """
    group = arn.split(":model-package/")[-1].rsplit("/", 1)[0]
    approving = status == "Approved"
    began = using.clock()
    with alone(using.ledger, keys.group_lease(group), now=began) if approving else nullcontext():
        depends = approving and (compared is not None or by in PEOPLE)
        champion = registry.champion(using.sagemaker, group) if depends else None
        who, at = shorten(who, MAX_WHO) if who else None, using.clock()
        wanted = DecisionFact(status=status, by=by, who=who, why=shorten(why), at=at)
        if by in PEOPLE:  # first, so that the sweep finds the decision whatever happens next
            keep_in_view(arn, group, at, using)
        taken = _taken(arn, wanted, using)
        package = _package(arn, taken, using)
        snapshot = Snapshot(
            wanted=wanted,
            taken=taken,
            package=package,
            compared=compared,
            champion=champion,
            beside=_beside(package, champion, by, using),
            anchor=_anchor(group, compared, champion, using),
            elapsed=using.clock() - began,
        )
        return _act(snapshot, metadata or {}, using)


def keep_in_view(arn: str, group: str, at: datetime, using: Collaborators) -> None:
    """Let the sweep look at the package however old it is, until the decision is recorded."""
    note: dict[str, Any] = {f"v{arn.rsplit('/', 1)[-1]}": f"{at.isoformat()} {arn}"}
    using.ledger.mark(keys.in_view(group), **note)


def _taken(arn: str, wanted: DecisionFact, using: Collaborators) -> DecisionFact:
    """Take the fact for `wanted`, also from a decision that has been set back; the fact that stands then."""
    known = using.ledger.take(keys.decision(arn), wanted)
    if known is None:
        return wanted
    package = registry.package(using.sagemaker, arn)
    if not set_back(package, known, using.clock()):
        return known
    said = [(fact.by, fact.why) for fact in (known, *known.earlier)]
    fact: DecisionFact | None
    if wanted.by in (RULES, SUPERSEDED) and (wanted.by, wanted.why) in said:
        fact = known if known.status == PENDING else adopt(package, known, using)
    else:
        fact = _put(arn, wanted.model_copy(update={"earlier": with_earlier(known)}), known, using)
    if fact is None:
        raise NotReady(f"somebody has just decided on {arn}; look again")
    return fact


def with_earlier(known: DecisionFact) -> tuple[EarlierDecision, ...]:
    """The earlier decisions once `known` is one of them."""
    return (*known.earlier, known.as_earlier())[-MAX_EARLIER:]


def adopt(package: Package, known: DecisionFact | None, using: Collaborators) -> DecisionFact | None:
    """Put what was done in AWS in the place of `known` in the ledger; None if that has changed."""
    fact = outside(package, known).model_copy(update={"done_at": using.clock()})
    if known is None:
        return fact if using.ledger.take(keys.decision(package.arn), fact) is None else None
    written = known.done_at is not None or package.decided_at == known.at
    fact = fact.model_copy(update={"earlier": with_earlier(known) if written else known.earlier})
    return _put(package.arn, fact, known, using)


def _put(arn: str, fact: DecisionFact, known: DecisionFact, using: Collaborators) -> DecisionFact | None:
    """Put the fact in the place of `known`; None if that has changed."""
    return fact if using.ledger.replace(keys.decision(arn), fact, where={"at": known.at}) else None


def _package(arn: str, taken: DecisionFact, using: Collaborators) -> Package:
    """The package as it is now. If it has been deleted, what was taken is released, and the error raised."""
    try:
        return registry.package(using.sagemaker, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] in registry.MISSING:
            release(arn, taken, using)
        raise


def _beside(package: Package, champion: Package | None, by: str, using: Collaborators) -> str | None:
    """The champion that the verdict knew, read only where a person approves beside a newer champion."""
    if champion is None or by not in PEOPLE or champion.created_at <= package.created_at:
        return None
    judged = using.ledger.get(keys.verdict(package.arn))
    return judged.verdict.champion if judged else None


def _anchor(
    group: str, compared: Compared | None, champion: Package | None, using: Collaborators
) -> str | None:
    """The model's anchor, read only where the candidate was compared with one.

    None if it is the one that the candidate was compared with, and is not approved any more.
    """
    if compared is None or compared.anchor is None:
        return None
    known = using.ledger.get(keys.anchor(group))
    if known is None or known.package != compared.anchor or (champion and known.package == champion.arn):
        return known.package if known else None
    found = registry.find(using.sagemaker, known.package)
    return known.package if found and found.approval_status == "Approved" else None


def _act(seen: Snapshot, metadata: Mapping[str, str], using: Collaborators) -> Result:
    """Do what follows from the snapshot; the decision that stands, and the package, afterwards."""
    arn, taken, package = seen.package.arn, seen.taken, seen.package
    action = next_action(seen)
    match action:
        case Stand(standing, give_back):
            if give_back:
                release(arn, taken, using)
            return Result(standing, package)
        case Adopt():
            adopt(package, taken, using)  # unless somebody else has
            return Result(Standing.of(outside(package, taken), ours=False), package)
        case RefuseChampion(champion):
            release(arn, taken, using)
            raise ChampionChanged(champion)
        case RefuseAnchor(anchor):
            release(arn, taken, using)
            raise AnchorChanged(anchor)
        case TryAgain():
            raise NotReady(f"deciding on {seen.package.name} took too long; try again")
        case Write():
            write(package, taken, metadata, using, champion=seen.champion)
            package = replace(package, approval_status=taken.status)
        case MarkDone():
            pass
        case _:
            assert_never(action)
    using.ledger.mark(keys.decision(arn), where={"at": taken.at}, done_at=using.clock())
    return Result(Standing.of(taken, ours=True), package)


def write(
    package: Package,
    taken: DecisionFact,
    more: Mapping[str, str],
    using: Collaborators,
    *,
    champion: Package | None = None,
) -> None:
    """Update the package. The time in its metadata tells this decision from one that is taken in AWS.

    An approval is later than that of `champion`, which it replaces: the one approved last is the champion.
    """
    mine = {**more, "decidedBy": taken.by, "decidedAt": taken.at.isoformat()}
    if taken.who or "decidedWho" in package.metadata:  # of an earlier decision
        mine["decidedWho"] = taken.who or "none"
    if taken.status == "Approved":
        mine["approvedAt"] = later(using.clock(), champion).isoformat()
    registry.annotate(using.sagemaker, package, mine, status=taken.status, description=taken.why)


def later(now: datetime, champion: Package | None) -> datetime:
    """Pure: `now`, but after the champion's approval: the clock that wrote it may be ahead."""
    return max(now, champion.approved_at + LATER) if champion else now


def release(arn: str, taken: DecisionFact, using: Collaborators) -> None:
    """Release our decision in the ledger, unless another one has been recorded there meanwhile.

    The decision that it had replaced, which had been written, comes back.
    """
    where = {"at": taken.at}
    if not taken.earlier:
        using.ledger.release(keys.decision(arn), where=where)
        return
    *earlier, before = taken.earlier
    fact = DecisionFact(**before.model_dump(), done_at=before.at, earlier=tuple(earlier))
    using.ledger.replace(keys.decision(arn), fact, where=where)
