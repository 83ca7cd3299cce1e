"""Packages and facts with literal times, for tests of the pure functions about candidates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from retraining.facts.candidates import DecisionFact, VerdictFact
from retraining.facts.package import Package
from retraining.verdicts.verdict import Decision, Reason, Verdict

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-east-1:1:model-package/handsoff-titanic/3"
CHAMPION = "arn:aws:sagemaker:us-east-1:1:model-package/handsoff-titanic/2"


def at(minutes: float) -> datetime:
    """Minutes after noon."""
    return NOON + timedelta(minutes=minutes)


def a_package(
    status: Any = "PendingManualApproval",
    *,
    arn: str = ARN,
    created: float = 0,
    changed: float = 0,
    description: str | None = None,
    by: str | None = None,
    **metadata: str,
) -> Package:
    """A package that was created and last changed at these minutes after noon."""
    return Package(
        arn=arn,
        group="handsoff-titanic",
        approval_status=status,
        approval_description=description,
        evaluation_uri=None,
        model_uri=None,
        created_at=at(created),
        changed_at=at(changed),
        metadata=metadata,
        changed_by=by,
    )


def a_decision(status: Any = "Approved", by: str = "link", minutes: float = 5, **more: Any) -> DecisionFact:
    """A decision that was taken so many minutes after noon."""
    return DecisionFact(status=status, by=by, why="why", at=at(minutes), **more)


def a_verdict(decision: Decision = "HOLD", champion: str | None = CHAMPION, **more: Any) -> VerdictFact:
    """A verdict of one minute after noon."""
    reasons = (Reason(code="no_rule_met", text="no rule was met"),)
    verdict = Verdict(
        decision=decision, reasons=reasons, rules=(), champion=champion, rules_sha256="a" * 64, n=262
    )
    return VerdictFact(verdict=verdict, batch="b", taken_at=at(1), **more)
