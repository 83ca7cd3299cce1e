"""A person makes an earlier version champion again: it is approved anew, and the champion is rejected.

1. The decision on the earlier version is taken in the ledger. It names both packages, and so is the whole
   roll-back: whoever finds it half done, in the sweep or at the command line, goes on with it.
2. The earlier version is approved. It is the version approved last now, and so the champion.
3. The decision on the former champion is taken, and it is rejected.

Each step may be repeated. Both decisions are then recorded as all others are: approvers and the bus are told
that the champion was rolled back (rolling_back.py), older candidates are superseded, evidence is written. All
is done under the lease for approvals of the group, so no candidate that was compared with the former champion
is approved meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from retraining.aws import registry
from retraining.aws.ledger import alone
from retraining.aws.observability import logger
from retraining.candidates import decisions
from retraining.candidates.decision_actions import MAX_TIME
from retraining.candidates.decisions import ChampionChanged
from retraining.candidates.state import from_metadata, said_by, shows, unwritten
from retraining.collaborators import Collaborators
from retraining.errors import HandsoffError, NotReady
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, GoneBack
from retraining.facts.package import Package
from retraining.history import changes
from retraining.text import shorten


class CannotGoBack(HandsoffError):
    """The version may not be made champion again; nothing was changed."""


def go_back(
    to: Package, champion: Package | None, *, who: str, why: str, using: Collaborators
) -> DecisionFact:
    """Make `to` champion again in place of `champion`, which the person has seen; the decision on `to`.

    The same roll-back asked for again is finished, or changes nothing. Raises CannotGoBack for what `why_not`
    says, ChampionChanged if another package is champion by now, and NotReady while a candidate of the model
    is being approved.
    """
    began = using.clock()
    with alone(using.ledger, keys.group_lease(to.group), now=began):
        to = registry.package(using.sagemaker, to.arn)
        known = using.ledger.get(keys.decision(to.arn))
        if known is None or not is_same(known, to, who=who, why=why):
            champion = _need_champion(champion.arn if champion else None, to.group, using)
            known = _take(to, known, champion, who, why, using)
        _go_on(known, began, using)
    return known


def is_same(known: DecisionFact, to: Package, *, who: str, why: str) -> bool:
    """Pure: whether the decision on `to` is this person's roll-back for this reason, done or half done."""
    back = known.rollback
    if back is None or back.to != to.arn or not (shows(to, known) or unwritten(to, known)):
        return False
    return (known.who, known.why) == (shorten(who, decisions.MAX_WHO), _why_again(back, why))


def why_not(
    to: Package,
    champion: Package | None,
    approved: Sequence[Package],
    known: DecisionFact | None,
    of_champion: DecisionFact | None,
) -> str | None:
    """Pure: why `to` may not be made champion again, and the way out; None if it may.

    `approved` are the approved packages among which the champion is found, `known` and `of_champion` the
    decisions on both packages in the ledger.
    """
    short = to.name
    if champion is not None and champion.arn == to.arn:
        how = f" {said_by(known.by, known.who)}: {known.why}" if known and known.why else ""
        return f"{short} is the champion already, since {to.approved_at.isoformat()}{how}"
    if to.pending:
        return f"{short} waits for a decision: approve or reject it as any other candidate"
    if not any(status == "Approved" for _, status in changes(to, known)):
        return f"{short} was never approved, and only an approved version may be made champion again"
    for package, decision in ((to, known), (champion, of_champion)):
        if package and decision and not shows(package, decision):
            said = "was decided in AWS just now, which is not recorded yet"
            if decision.done_at is None:
                said = f"is being {decision.status.lower()} {said_by(decision.by, decision.who)}"
            return f"{package.name} {said}: try again in two minutes"
    if len(approved) >= registry.NEWEST and to.created_at < min(one.created_at for one in approved):
        return (
            f"{short} is older than the {registry.NEWEST} newest approved versions, among which the champion "
            "is found: reject newer ones, or register its model anew"
        )
    return None


def finish(decision: DecisionFact, using: Collaborators) -> None:
    """Go on with a roll-back that was left half done, from either of its decisions. Safe to repeat."""
    back = decision.rollback
    if back is None:
        return
    began = using.clock()
    with alone(using.ledger, keys.group_lease(_group(back.to)), now=began):
        leading = using.ledger.get(keys.decision(back.to))
        if leading and leading.rollback == back:
            _go_on(leading, began, using)
        else:  # the earlier version was decided anew since
            reject_gone(decision, using)


def reject_gone(decision: DecisionFact, using: Collaborators) -> None:
    """Reject the former champion of a roll-back, unless somebody has decided on it since. Safe to repeat."""
    back = decision.rollback
    gone = registry.find(using.sagemaker, back.gone) if back and back.gone else None
    if back is None or gone is None:
        return
    key = keys.decision(gone.arn)
    known = using.ledger.get(key)
    if known is None or known.rollback != back:
        if gone.approval_status != "Approved" or (
            known and (known.at > decision.at or not shows(gone, known))
        ):
            logger.info("former champion was decided anew", package=gone.arn)
            return
        before = known or from_metadata(gone)
        wanted = DecisionFact(
            status="Rejected",
            by=decision.by,
            who=decision.who,
            why=f"rolled back to {_version(back.to)}: {decision.why.partition(': ')[2]}",
            at=decision.at,
            earlier=decisions.with_earlier(before),
            rollback=back,
        )
        _put(gone, known, wanted, using)
        known = wanted
    if unwritten(gone, known):
        noted = {} if gone.noted_approval else {"approvedAt": gone.approved_at.isoformat()}
        decisions.write(gone, known, noted, using)
    elif not shows(gone, known):
        return
    if known.done_at is None:
        using.ledger.mark(key, where={"at": known.at}, done_at=using.clock())


def _need_champion(arn: str | None, group: str, using: Collaborators) -> Package | None:
    """The champion, which is that of `arn`. Raises ChampionChanged if it is another one."""
    found = registry.champion(using.sagemaker, group)
    if (found.arn if found else None) != arn:
        raise ChampionChanged(found.arn if found else None)
    return found


def _take(
    to: Package,
    known: DecisionFact | None,
    champion: Package | None,
    who: str,
    why: str,
    using: Collaborators,
) -> DecisionFact:
    """Take the decision on the earlier version, which is the roll-back; the fact that stands then."""
    approved = registry.approved(using.sagemaker, to.group)
    of_champion = using.ledger.get(keys.decision(champion.arn)) if champion else None
    if refusal := why_not(to, champion, approved, known, of_champion):
        raise CannotGoBack(refusal)
    back = GoneBack(to=to.arn, gone=champion.arn if champion else None)
    wanted = DecisionFact(
        status="Approved",
        by="operator",
        who=shorten(who, decisions.MAX_WHO),
        why=_why_again(back, why),
        at=_after(of_champion, decisions.later(using.clock(), champion)),
        earlier=decisions.with_earlier(known or from_metadata(to)),
        rollback=back,
    )
    for package in filter(None, (to, champion)):  # first, so that the sweep finds both whatever happens next
        decisions.keep_in_view(package.arn, to.group, wanted.at, using)
    _put(to, known, wanted, using)
    return wanted


def _after(known: DecisionFact | None, now: datetime) -> datetime:
    """Pure: `now`, but after a decision that was written by a clock that is ahead."""
    return max(now, known.at + decisions.LATER) if known else now


def _put(package: Package, known: DecisionFact | None, wanted: DecisionFact, using: Collaborators) -> None:
    key = keys.decision(package.arn)
    taken = (
        using.ledger.take(key, wanted) is None
        if known is None
        else using.ledger.replace(key, wanted, where={"at": known.at})
    )
    if not taken:
        raise NotReady(f"somebody has just decided on {package.name}; look again")


def _go_on(decision: DecisionFact, began: datetime, using: Collaborators) -> None:
    """Write what is not written yet, the earlier version first. Under the lease of the group."""
    back = decision.rollback
    to = registry.find(using.sagemaker, back.to) if back else None
    if back is None or to is None:
        return
    if unwritten(to, decision):
        try:
            champion = _need_champion(back.gone, to.group, using)
        except ChampionChanged:
            decisions.release(to.arn, decision, using)
            raise
        if using.clock() - began > MAX_TIME:
            raise NotReady(f"deciding on {to.name} took too long; try again")
        decisions.write(to, decision, {}, using, champion=champion)
    elif not shows(to, decision):  # somebody has decided on it in AWS: recording finds that
        return
    if decision.done_at is None:
        using.ledger.mark(keys.decision(to.arn), where={"at": decision.at}, done_at=using.clock())
    reject_gone(decision, using)
    logger.warning("rolled back", package=to.arn, gone=back.gone)


def _why_again(back: GoneBack, why: str) -> str:
    return f"rolled back from {_version(back.gone)}: {why}" if back.gone else f"made champion again: {why}"


def _version(arn: str) -> str:
    return f"version {arn.rsplit('/', 1)[-1]}"


def _group(arn: str) -> str:
    return arn.split(":model-package/")[-1].rsplit("/", 1)[0]
