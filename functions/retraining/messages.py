"""Pure: what approvers read. One notification per business fact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

Kind = Literal["approved", "rejected", "waiting", "rolled_back", "execution_failed", "quarantined"]

SUBJECT_LIMIT: Final = 99
"""Characters of an SNS subject, which must be printable ASCII."""

_HEADLINES: Final[dict[Kind, str]] = {
    "approved": "{model}: a new model was approved {how}. Nothing is wanted of you.",
    "rejected": "{model}: a new model was rejected {how}. Nothing is wanted of you.",
    "waiting": "Your decision is wanted: a new model of {model} waits.",
    "rolled_back": "{model}: the model in use was rejected. Somebody should look.",
    "execution_failed": "{model}: retraining FAILED. Somebody should look.",
    "quarantined": "{model}: a file that landed is bad, nothing was started. Somebody should look.",
}


_HOW: Final = {"rules": "by rules", "superseded": "as a newer one was approved"}


@dataclass(frozen=True)
class Notification:
    """A fact for approvers. `subject` is the ARN that it is about; `occurrence` tells repetitions apart.

    `by` is who decided, where there is a decision: `rules`, `superseded`, or a person.
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
    by: str = "rules"

    @property
    def identity(self) -> str:
        """Stable over every repetition of the same fact, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps([self.kind, self.subject, self.occurrence]).encode()).hexdigest()

    @property
    def headline(self) -> str:
        """One sentence: what, which model, and whether something is wanted of the reader."""
        return _HEADLINES[self.kind].format(model=self.model, how=_HOW.get(self.by, "by a person"))

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
                "reviewUrl": None,
                "evidenceUri": self.evidence_uri,
            },
            ensure_ascii=False,
        )

    def as_text(self) -> str:
        """The e-mail: the headline, why, and where to look."""
        lines = [self.headline, "", *(f"- {reason}" for reason in self.reasons)]
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

    def as_subject(self) -> str:
        """The e-mail's subject line."""
        return self.headline.encode("ascii", "replace").decode()[:SUBJECT_LIMIT]


@dataclass(frozen=True)
class Rollback:
    """The champion was rejected, `at` this time; the champion is now the one approved before it, if any.

    `rejected` and `champion` are ARNs, with the times of their approvals.
    """

    model: str
    group: str
    rejected: str
    rejected_approved_at: datetime
    champion: str | None
    champion_approved_at: datetime | None
    at: str
    why: str = ""

    @property
    def identity(self) -> str:
        """Stable over repetitions; a package that is approved again and rejected again is another fact."""
        return f"{self.rejected}#{self.rejected_approved_at.isoformat()}"

    @property
    def reasons(self) -> tuple[str, ...]:
        """What approvers read."""
        taken, now = self.rejected.rsplit("/", 1)[-1], (self.champion or "").rsplit("/", 1)[-1]
        return (
            f"version {taken}, approved {self.rejected_approved_at:%Y-%m-%d %H:%M %Z}, was rejected"
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
