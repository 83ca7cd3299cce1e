"""A model package of the registry, as it was read. aws/registry.py reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from retraining.facts.candidates import ApprovalStatus

PENDING: Final = "PendingManualApproval"
"""The approval status of a package on which nobody has decided."""


@dataclass(frozen=True)
class Package:
    """One registered model package. Any change of it, also of its metadata, moves `changed_at`.

    `changed_by` is the IAM ARN of the principal that changed it last, where SageMaker knows it. `image` is
    the address of the image that serves it.
    """

    arn: str
    group: str
    approval_status: ApprovalStatus
    approval_description: str | None
    evaluation_uri: str | None
    model_uri: str | None
    created_at: datetime
    changed_at: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)
    changed_by: str | None = None
    image: str | None = None

    @property
    def pending(self) -> bool:
        return self.approval_status == PENDING

    @property
    def name(self) -> str:
        """Group and version, such as handsoff-titanic/3."""
        return self.arn.split(":model-package/")[-1]

    @property
    def noted_approval(self) -> datetime | None:
        """When it was last approved, if that was noted on it. It may have been rejected later."""
        return _time(self.metadata.get("approvedAt"))

    @property
    def approved_at(self) -> datetime:
        """When it was approved, if it is."""
        return self.noted_approval or self.changed_at

    @property
    def decided_at(self) -> datetime | None:
        """When the decision was taken that was last written on it, if one was."""
        return _time(self.metadata.get("decidedAt"))

    @property
    def judged_at(self) -> datetime | None:
        """When its verdict was taken that is noted on it, if one is."""
        return _time(self.metadata.get("judgedAt"))

    @property
    def execution(self) -> str | None:
        """The ARN of the execution that registered it."""
        return self.metadata.get("execution")


def _time(text: str | None) -> datetime | None:
    """An ISO time, in UTC if it names no zone. None if the text is no time: anybody may write metadata."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
