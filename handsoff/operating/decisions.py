"""What was decided on a model package and why; and decisions of the operator's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from handsoff.deployment import Deployment
from retraining import evidence
from retraining.aws.observability import logger
from retraining.candidates import decisions, judging_again
from retraining.candidates.decision_actions import Standing
from retraining.candidates.state import CandidateState, candidate_state
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, Status, VerdictFact
from retraining.facts.package import Package
from retraining.verdicts.verdict import Verdict


@dataclass(frozen=True)
class Judgement:
    """A model package, its state, the verdict on it and the decision; None where the ledger has none."""

    package: Package
    state: CandidateState
    verdict: VerdictFact | None
    decision: DecisionFact | None


def read_judgement(deployment: Deployment, package: Package) -> Judgement:
    """Read the verdict on a package and the decision."""
    decision = deployment.ledger.get(keys.decision(package.arn))
    return Judgement(
        package,
        candidate_state(package, decision, deployment.collaborators.clock()),
        deployment.ledger.get(keys.verdict(package.arn)),
        decision,
    )


def judgement_as_json(judgement: Judgement) -> dict[str, Any]:
    """A judgement as `handsoff explain --json` prints it; what the ledger does not have is null."""
    verdict = judgement.verdict
    return {
        "modelPackageArn": judgement.package.arn,
        "modelApprovalStatus": judgement.package.approval_status,
        "judgedAt": verdict.taken_at.isoformat() if verdict else None,
        **evidence.verdict(verdict),
        **evidence.decision(judgement.decision),
    }


def judge_without_champion(deployment: Deployment, package: Package, why: str) -> Verdict:
    """Judge a held candidate again, leaving the champion out, and carry out the verdict."""
    with logs_silenced():
        return judging_again.judge_without_champion(
            package, by=deployment.caller, why=why, using=deployment.collaborators
        )


def decide(deployment: Deployment, package: Package, status: Status, why: str) -> Standing:
    """Approve or reject a pending package as the operator; the decision that stands afterwards."""
    with logs_silenced():
        return decisions.decide(
            package.arn,
            status,
            by="operator",
            who=deployment.caller,
            why=why,
            using=deployment.collaborators,
        )


@contextmanager
def logs_silenced() -> Iterator[None]:
    """Hide the functions' JSON logs, which are for CloudWatch."""
    level = logger.log_level
    logger.setLevel("CRITICAL")
    try:
        yield
    finally:
        logger.setLevel(level)
