"""Pure: what approvers read. One notification per business fact."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from retraining.notifications.bus import ChampionRolledBack

Kind = Literal[
    "approved",
    "rejected",
    "waiting",
    "overdue",
    "rolled_back",
    "execution_failed",
    "execution_stopped",
    "quarantined",
    "start_blocked",
    "candidate_blocked",
    "anchor_moved",
]
"""What a notification tells. A reader may meet a kind of a newer version of handsoff."""

SUBJECT_LIMIT: Final = 99
"""Characters of an SNS subject, which must be printable ASCII."""

WHY_LIMIT: Final = 300
"""Characters of the line that says why; the e-mail has the whole reasons further down."""

_HEADLINES: Final[dict[str, str]] = {
    "approved": "{model}: approved{how}. Nothing to do.",
    "rejected": "{model}: rejected{how}. Nothing to do.",
    "waiting": "{model}: a new model waits for you to decide.",
    "overdue": "{model}: it still waits for you to decide.",
    "rolled_back": "{model}: champion taken back. Please look.",
    "execution_failed": "{model}: retraining failed. Please look.",
    "execution_stopped": "{model}: retraining was stopped. Please look.",
    "quarantined": "{model}: bad file put aside. Please look.",
    "start_blocked": "{model}: retraining is blocked. Please look.",
    "candidate_blocked": "{model}: candidate is blocked. Please look.",
    "anchor_moved": "{model}: anchor moved. Nothing to do.",
}
"""The first line, by kind. The longest name of a model (61 characters) still fits into SUBJECT_LIMIT."""

_TO_DO: Final[dict[str, str]] = {
    "approved": 'nothing; `handsoff rollback {model} --reason "…"` makes the earlier champion champion again',
    "rejected": "nothing; `handsoff explain {package}` shows each rule with its numbers",
    "rolled_back": "check what serves the model; `handsoff status` names the champion of now",
    "execution_failed": "read `handsoff logs {execution}`, correct the cause, then `handsoff start {model}`",
    "execution_stopped": "`handsoff start {model}` trains on the newest batch, if that is wanted",
    "quarantined": "land a corrected file under the same name; if it is right, `handsoff release {model}`",
    "start_blocked": "do what the reason says; `handsoff status` says whether it runs again",
    "candidate_blocked": 'do what the reason says, or decide by `handsoff approve {package} --reason "…"`',
    "anchor_moved": "nothing; `handsoff explain {package}` shows what the anchor measured",
}
"""What to do, by kind, where it is no decision. Commands have what they need to be pasted."""

_HOW: Final = {"rules": " by rules", "superseded": ", superseded", "expired": ", expired"}
"""How a decision came about, by what decided; everything else is a person."""


class Notification(BaseModel):
    """A fact for approvers, as the JSON object that every protocol but e-mail gets.

    Writer and readers share this model. docs/reference/notification.md is made from it.
    """

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )

    notification_id: str
    """64 hexadecimal digits. A repetition of the same fact has the same id."""

    kind: str
    """What happened: one of the kinds."""

    model: str
    """The model's name in handsoff.yaml."""

    execution_arn: str | None = None
    """The execution that the message is about; null where there is none."""

    model_package_arn: str | None = None
    """The model package that the message is about; null where there is none."""

    decision: str | None = None
    """`APPROVE`, `REJECT` or `HOLD`; null in a message that tells of no verdict or decision."""

    reasons: tuple[str, ...] = ()
    """A list of texts."""

    review_url: str | None = None
    """Signed link to the review page; null where there is nothing to review."""

    evidence_uri: str | None = None
    """`s3://` address of the evidence, or of the quarantine folder."""

    decided_by: str | None = None
    """Who decided, as in the evidence; null without a decision."""

    decided_who: str | None = None
    """The person who decided, by name; null without one."""

    numbers: tuple[str, ...] = ()
    """Of a candidate three texts: its main metric with the 95 % interval, the difference to the champion with
    its bounds, and the rule that stood against it or the worst slice. Empty where nothing was measured."""

    log_lines: tuple[str, ...] = Field(default=(), exclude=True)
    """What may be told of the last lines of a failed job's log. It stands in the e-mail alone."""

    @classmethod
    def about(
        cls,
        subject: str,
        kind: Kind,
        *,
        model: str,
        reasons: Sequence[str],
        execution_arn: str | None = None,
        package_arn: str | None = None,
        decision: str | None = None,
        evidence_uri: str | None = None,
        review_url: str | None = None,
        log_lines: Sequence[str] = (),
        occurrence: str = "",
        by: str | None = None,
        who: str | None = None,
        numbers: Sequence[str] = (),
    ) -> Self:
        """The notification of a fact about `subject`, an ARN or a URI.

        `occurrence` tells apart what happens to a subject more than once. The id is the SHA-256 of kind,
        subject and occurrence, as 64 hexadecimal digits.
        """
        text = json.dumps([kind, subject, occurrence])
        return cls(
            notification_id=hashlib.sha256(text.encode()).hexdigest(),
            kind=kind,
            model=model,
            execution_arn=execution_arn,
            model_package_arn=package_arn,
            decision=decision,
            reasons=tuple(reasons),
            review_url=review_url,
            evidence_uri=evidence_uri,
            decided_by=by,
            decided_who=who,
            log_lines=tuple(log_lines),
            numbers=tuple(numbers),
        )

    @property
    def headline(self) -> str:
        """One sentence: what, which model, and whether something is wanted of the reader."""
        how = _HOW.get(self.decided_by or "", " by a person")
        return _HEADLINES[self.kind].format(model=self.model, how=how)

    @property
    def to_do(self) -> list[str]:
        """What to do, one line for each thing: by the link where there is one, else by a command."""
        package, execution = self.model_package_arn, (self.execution_arn or "").rsplit("/", 1)[-1]
        if self.kind in ("waiting", "overdue"):
            if self.review_url:
                return [f"Decide: {self.review_url}"]
            return [f'Decide: handsoff approve {package} --reason "…" (or reject)'] if package else []
        lines = [f"See: {self.review_url}"] if self.review_url else []
        to_do = _TO_DO.get(self.kind, "").format(model=self.model, package=package, execution=execution)
        return [*lines, *([f"To do: {to_do}"] if to_do else [])]

    def as_json(self) -> str:
        """The JSON object."""
        return json.dumps(self.model_dump(by_alias=True, mode="json"), ensure_ascii=False)

    def as_text(self) -> str:
        """The e-mail's text: headline, one line of reason, what to do, the numbers, then all details."""
        lines = [self.headline, "", f"Why: {self._why()}", *self.to_do]
        if self.numbers:
            lines += ["", "Numbers:", *(f"- {' '.join(number.split())}" for number in self.numbers)]
        if self.decided_who:
            lines += ["", f"Decided by: {self.decided_who} ({self.decided_by})"]
        if self.reasons:
            lines += ["", "In full:", *(f"- {' '.join(reason.split())}" for reason in self.reasons)]
        if self.log_lines:
            lines += [
                "",
                "The end of its log, without what may hold values of rows:",
                *(f"    {line}" for line in self.log_lines),
            ]
        lines.append("")
        for name, value in (
            ("Model package", self.model_package_arn),
            ("Execution", self.execution_arn),
            ("Evidence", self.evidence_uri),
            ("Notification", self.notification_id),
        ):
            if value:
                lines.append(f"{name}: {value}")
        return "\n".join(lines)

    def _why(self) -> str:
        """The first reason on one line, and how many more there are."""
        first = " ".join(next(iter(self.reasons), "no reason was given").split())
        more = f" (and {len(self.reasons) - 1} more)" if len(self.reasons) > 1 else ""
        limit = WHY_LIMIT - len(more)
        return (first if len(first) <= limit else first[: limit - 1] + "…") + more

    def as_subject(self) -> str:
        """The e-mail's subject line."""
        return self.headline.encode("ascii", "replace").decode()[:SUBJECT_LIMIT]


class Rollback(NamedTuple):
    """The champion was taken back, `at` this time; the champion is now the one approved before it, if any.

    `rejected` and `champion` are ARNs, with the times of their approvals; `how` is what became of the first:
    rejected, or set back to pending.
    """

    model: str
    group: str
    rejected: str
    rejected_approved_at: datetime
    champion: str | None
    champion_approved_at: datetime | None
    at: datetime
    why: str = ""
    how: str = "rejected"

    @property
    def identity(self) -> str:
        """Stable over repetitions; a package that is approved again and rejected again is another fact."""
        return f"{self.rejected}#{self.rejected_approved_at.isoformat()}"

    @property
    def reasons(self) -> tuple[str, ...]:
        """What approvers read."""
        taken, now = self.rejected.rsplit("/", 1)[-1], (self.champion or "").rsplit("/", 1)[-1]
        return (
            f"version {taken}, approved {self.rejected_approved_at:%Y-%m-%d %H:%M %Z}, was {self.how}"
            + (f": {self.why}" if self.why else ""),
            f"version {now}, approved {self.champion_approved_at:%Y-%m-%d %H:%M %Z}, is champion again"
            if self.champion
            else "no approved version is left, so there is no champion now",
        )

    @property
    def event(self) -> ChampionRolledBack:
        """The event for whatever serves models."""
        return ChampionRolledBack(
            model=self.model,
            model_package_group_name=self.group,
            at=self.at,
            rejected=self.rejected,
            champion=self.champion,
            approved_at=self.champion_approved_at,
        )
