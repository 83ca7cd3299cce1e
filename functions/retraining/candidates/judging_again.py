"""A person puts the champion aside, and a held candidate is judged again without it."""

from __future__ import annotations

from typing import Final

from retraining.candidates import decisions
from retraining.candidates.judging import carry_out, judge_now
from retraining.collaborators import Collaborators
from retraining.errors import HandsoffError
from retraining.facts import keys
from retraining.facts.candidates import JudgedAgain, VerdictFact
from retraining.facts.package import Package
from retraining.verdicts.verdict import Verdict

MAX_EARLIER: Final = 5
"""Verdicts that are kept beside the one that counts: the first, and the last of the others."""


class CannotBeJudged(HandsoffError):
    """The package may not be judged again."""


def judge_without_champion(candidate: Package, *, by: str, why: str, using: Collaborators) -> Verdict:
    """Judge a held candidate again with the champion put aside, and carry that out; the verdict.

    Who asked for it, when and why stands beside the verdict, and so does the earlier one. What was left half
    done is finished first. Raises NoReason if there is no reason, and CannotBeJudged for what `why_not` says.
    """
    why = decisions.reason(why)
    known = using.ledger.get(keys.verdict(candidate.arn))
    if known and known.again and known.done_at is None:
        return carry_out(candidate, known, using)
    refusal = why_not(candidate, known)
    if known is None or refusal:
        raise CannotBeJudged(refusal)
    _, verdict = judge_now(candidate, using, without_champion=f"{why} (said by {by})")
    now = using.clock()
    earlier = (*known.earlier, known.as_earlier())
    again = known.model_copy(
        update={
            "verdict": verdict,
            "earlier": earlier if len(earlier) <= MAX_EARLIER else (earlier[0], *earlier[1 - MAX_EARLIER :]),
            "again": JudgedAgain(by=by, at=now, why=why),
            "taken_at": now,
            "done_at": None,
        }
    )
    if not using.ledger.replace(keys.verdict(candidate.arn), again, where={"taken_at": known.taken_at}):
        raise CannotBeJudged(f"{candidate.name} has just been judged again by somebody else")
    return carry_out(candidate, again, using)


def why_not(candidate: Package, known: VerdictFact | None) -> str | None:
    """Pure: why the candidate may not be judged without its champion; None if it may."""
    name = candidate.name
    if not candidate.pending:
        return f"{name} is {candidate.approval_status} already, which stands"
    if known is None or known.done_at is None:
        return f"{name} has not been judged yet: that comes by itself"
    verdict = known.verdict
    if verdict.decision != "HOLD":
        return f"the rules said {verdict.decision} of {name}: only what they hold may be judged again"
    if verdict.champion is None:
        return f"{name} was compared with no champion: there is none to put aside"
    if lost := verdict.lost_to_champion:
        found = "is worse" if lost.word == "worse" else "did not pass"
        return (
            f"{name} was compared with the champion, which is no stale one, and {found}: {lost.text}. "
            "To approve it all the same, decide as a person"
        )
    if not verdict.held_by_champion:
        if left := verdict.undecided_against_champion:
            return (
                f"{name} was compared with the champion, which is no stale one, and the rows leave it "
                f"undecided: {left.text}. Decide on it as a person"
            )
        held_by = "; ".join(verdict.texts)
        return f"{name} is not held because of its champion: {held_by}. Decide on it as a person"
    return None
