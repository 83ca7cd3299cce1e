"""What the ledger knows of a candidate: verdict, decision, and the notes of the sweep and of Slack."""

from typing import ClassVar, Literal

from pydantic import Field

from retraining.facts.fact import Fact, Moment
from retraining.verdicts.verdict import Verdict

Status = Literal["Approved", "Rejected"]
"""What a decision makes of a package."""

ApprovalStatus = Literal["Approved", "Rejected", "PendingManualApproval"]
"""What the registry may show. As a decision, pending says that somebody in AWS set the package back."""

By = Literal["rules", "superseded", "expired", "link", "slack", "operator", "person"]
"""Who decides: the rules, the approval of a newer candidate, the end of the waiting time; or a person, by a
signed link, in Slack, by the command line, or in AWS without handsoff (`person`)."""


class JudgedAgain(Fact):
    """A person had the champion put aside: who (an IAM ARN), when, and why."""

    by: str
    at: Moment
    why: str


class EarlierVerdict(Fact):
    """A verdict that another one has replaced."""

    verdict: Verdict
    taken_at: Moment
    done_at: Moment | None = None
    again: JudgedAgain | None = None


class Reminded(Fact):
    """The last reminder of a candidate that waits.

    `reminded` is the time since which the candidate had waited, `reminded_at` when approvers were reminded,
    `expires_at` the time that they were told for its rejection. 0.1 stored `reminded` alone.
    """

    reminded: Moment | None = None
    reminded_at: Moment | None = None
    expires_at: Moment | None = None


class VerdictFact(EarlierVerdict, Reminded):
    """What the rules said of a candidate. `done_at` is set once that is carried out.

    `batch` is the one that it was trained on, `requested_by` who asked for its execution.
    """

    batch: str
    requested_by: str | None = None
    earlier: tuple[EarlierVerdict, ...] = ()

    def as_earlier(self) -> EarlierVerdict:
        """What is kept of it once another verdict replaces it."""
        return EarlierVerdict(
            verdict=self.verdict, taken_at=self.taken_at, done_at=self.done_at, again=self.again
        )


class GoneBack(Fact):
    """A roll-back: the champion `gone` gives way to the earlier version `to`. Both are ARNs.

    `gone` is None where there was no champion any more.
    """

    to: str
    gone: str | None = None


class EarlierDecision(Fact):
    """A decision that another one has replaced.

    `who` is a typed name (by link), a user's id and name (by Slack), or an IAM ARN. `at` is when it was
    taken; the package carries the same time once the decision is written there. `by` is one of By; what a
    newer version of handsoff may have written is kept as it is. `rollback` is the roll-back that the decision
    is a part of, None for all others.
    """

    status: ApprovalStatus
    by: str
    why: str = ""
    at: Moment
    who: str | None = None
    rollback: GoneBack | None = Field(None, exclude_if=lambda value: value is None)


class DecisionFact(EarlierDecision):
    """The decision on a candidate. `done_at` is set once it is written on the package, `recorded_at` once all
    that follows from it is done. `supersedes` are the ARNs of the older candidates that it rejects; `earlier`
    are decisions that were set back before, the newest last.
    """

    done_at: Moment | None = None
    recorded_at: Moment | None = None
    supersedes: tuple[str, ...] | None = None
    earlier: tuple[EarlierDecision, ...] = ()

    def as_earlier(self) -> EarlierDecision:
        """What is kept of it once another decision replaces it."""
        return EarlierDecision(
            status=self.status,
            by=self.by,
            why=self.why,
            at=self.at,
            who=self.who,
            rollback=self.rollback,
        )


class InView(Fact):
    """Packages of a group at which the sweep looks however old they are.

    `champion` is the ARN of the champion last recorded. Besides, one attribute for each version that a person
    decides on (`v3`) until that is recorded: the time at which it was noted, a space, the package's ARN.
    """

    any_name: ClassVar[bool] = True

    champion: str | None = None

    @property
    def notes(self) -> dict[str, str]:
        """The notes by attribute, also the champion's: a time and a space (or nothing), then the ARN."""
        noted = {name: str(text) for name, text in (self.model_extra or {}).items()}
        return {**({"champion": self.champion} if self.champion else {}), **noted}


class Trouble(Reminded):
    """The sweep failed to bring a package or an execution to its end.

    `first` and `last` are the first and the last failure of this row, `why` is what the last one said. `told`
    is when approvers were told of the row; a candidate without a verdict waits since then. 0.1 stored neither
    `why` nor `told`.
    """

    first: Moment
    last: Moment
    why: str = ""
    told: Moment | None = None


class SlackMessage(Fact):
    """The message in Slack that tells of a candidate. `channel` and `ts` name it; a webhook tells neither.

    `shows` is the digest of what it shows, without its link: no link is kept. Version 0.1 kept one in
    `review_url`, which is removed when the message is looked at again.
    """

    shows: str | None = None
    channel: str | None = None
    ts: str | None = None
    review_url: str | None = None
