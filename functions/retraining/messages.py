"""Pure: what approvers read. One notification per business fact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Kind = Literal["approved", "rejected", "waiting", "execution_failed", "quarantined"]

SUBJECT_LIMIT: Final = 99
"""Characters of an SNS subject, which must be printable ASCII."""

_HEADLINES: Final[dict[Kind, str]] = {
    "approved": "{model}: a new model was approved by rules. Nothing is wanted of you.",
    "rejected": "{model}: a new model was rejected by rules. Nothing is wanted of you.",
    "waiting": "Your decision is wanted: a new model of {model} waits.",
    "execution_failed": "{model}: retraining FAILED. Somebody should look.",
    "quarantined": "{model}: a file that landed is bad, nothing was started. Somebody should look.",
}


@dataclass(frozen=True)
class Notification:
    """A fact for approvers. `subject` is the ARN that it is about; `occurrence` tells repetitions apart."""

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

    @property
    def identity(self) -> str:
        """Stable over every repetition of the same fact, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps([self.kind, self.subject, self.occurrence]).encode()).hexdigest()

    @property
    def headline(self) -> str:
        """One sentence: what, which model, and whether something is wanted of the reader."""
        return _HEADLINES[self.kind].format(model=self.model)

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
