"""Pure: what approvers read. One notification per business fact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

Kind = Literal["approved", "rejected", "waiting", "overdue", "rolled_back", "execution_failed", "quarantined"]

SUBJECT_LIMIT: Final = 99
"""Characters of an SNS subject, which must be printable ASCII."""

WHY_LIMIT: Final = 300
"""Characters of the one line that says why; in full it follows further down."""

# 99 characters at most with the longest name that a model may have, of 61: who reads no more knows enough.
_HEADLINES: Final[dict[Kind, str]] = {
    "approved": "{model}: approved{how}. Nothing to do.",
    "rejected": "{model}: rejected{how}. Nothing to do.",
    "waiting": "{model}: a new model waits for you to decide.",
    "overdue": "{model}: it still waits for you to decide.",
    "rolled_back": "{model}: champion taken back. Please look.",
    "execution_failed": "{model}: retraining failed. Please look.",
    "quarantined": "{model}: bad file put aside. Please look.",
}

_HOW: Final = {"rules": " by rules", "superseded": ", superseded", "expired": ", expired"}


@dataclass(frozen=True)
class Notification:
    """A fact for approvers. `subject` is the ARN that it is about; `occurrence` tells repetitions apart.

    `by` is who decided, where there is a decision (decisions.By), and `who` the person by name.
    """

    kind: Kind
    model: str
    subject: str
    reasons: Sequence[str]
    execution_arn: str | None
    package_arn: str | None = None
    decision: str | None = None
    evidence_uri: str | None = None
    log_lines: Sequence[str] = field(default=())
    occurrence: str = ""
    by: str | None = None
    who: str | None = None
    review_url: str | None = None

    @property
    def identity(self) -> str:
        """Stable over every repetition of the same fact, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps([self.kind, self.subject, self.occurrence]).encode()).hexdigest()

    @property
    def headline(self) -> str:
        """One sentence: what, which model, and whether something is wanted of the reader."""
        return _HEADLINES[self.kind].format(model=self.model, how=_HOW.get(self.by or "", " by a person"))

    def as_json(self) -> str:
        """The object that every protocol but e-mail gets."""
        return json.dumps(
            {
                "notificationId": self.identity,
                "kind": self.kind,
                "model": self.model,
                "executionArn": self.execution_arn,
                "modelPackageArn": self.package_arn,
                "decision": self.decision,
                "reasons": list(self.reasons),
                "reviewUrl": self.review_url,
                "evidenceUri": self.evidence_uri,
                "decidedBy": self.by,
                "decidedWho": self.who,
            },
            ensure_ascii=False,
        )

    def as_text(self) -> str:
        """The e-mail: the headline, why in one line, the link; then everything else."""
        lines = [self.headline, "", f"Why: {self._why()}"]
        if self.review_url:
            lines.append(f"{'Decide' if self.kind in ('waiting', 'overdue') else 'See'}: {self.review_url}")
        if self.who:
            lines += ["", f"Decided by: {self.who} ({self.by})"]
        if self.reasons:
            lines += ["", "In full:", *(f"- {' '.join(reason.split())}" for reason in self.reasons)]
        if self.log_lines:
            lines += ["", "The last lines of its log:", *(f"    {line}" for line in self.log_lines)]
        lines.append("")
        for name, value in (
            ("Model package", self.package_arn),
            ("Execution", self.execution_arn),
            ("Evidence", self.evidence_uri),
            ("Notification", self.identity),
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


@dataclass(frozen=True)
class Rollback:
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
    at: str
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

    def as_detail(self) -> str:
        """The event for whatever serves models."""
        return json.dumps(
            {
                "model": self.model,
                "modelPackageGroupName": self.group,
                "rejected": self.rejected,
                "champion": self.champion,
                "approvedAt": self.champion_approved_at.isoformat() if self.champion_approved_at else None,
                "at": self.at,
            }
        )
