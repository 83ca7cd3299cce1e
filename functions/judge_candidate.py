"""Triggered by a model package of this deployment's groups that waits for approval.
Changes: the verdict in the ledger, then the package's approval status, then its evidence; tells approvers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from retraining import evidence, registry
from retraining.approval import Decision, Verdict, judge
from retraining.collaborators import Collaborators
from retraining.errors import ConfigError
from retraining.evaluation import Evaluation
from retraining.events import ModelPackageChanged
from retraining.messages import Kind, Notification
from retraining.notify import notify
from retraining.observability import logger, metrics
from retraining.registry import Package

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import ModelApprovalStatusType

STATUS: Final[dict[Decision, ModelApprovalStatusType | None]] = {
    "APPROVE": "Approved",
    "REJECT": "Rejected",
    "HOLD": None,
}
KIND: Final[dict[Decision, Kind]] = {"APPROVE": "approved", "REJECT": "rejected", "HOLD": "waiting"}
METRIC: Final[dict[Decision, str]] = {
    "APPROVE": "CandidatesApproved",
    "REJECT": "CandidatesRejected",
    "HOLD": "CandidatesHeld",
}


@metrics.log_metrics
@logger.inject_lambda_context(correlation_id_path="id")
def handler(event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Judge the event's own package, once; a repetition finishes what an earlier one left half done."""
    changed = ModelPackageChanged.model_validate(event).detail
    if changed.annotated_only:
        return
    using = using or Collaborators.real()
    fact = f"verdict#{changed.package_arn}"
    candidate = registry.package(using.sagemaker, changed.package_arn)
    known = using.ledger.get(fact)
    if known is None:
        if not candidate.pending:
            logger.info("package is decided already", package=candidate.arn, status=candidate.approval_status)
            return
        evaluation, verdict = decide(candidate, using)
        started = using.ledger.get(f"execution#{candidate.execution}") or {}
        fresh: dict[str, Any] = {
            "verdict": verdict.model_dump(by_alias=True),
            "batch": evaluation.batch,
            **({"requestedBy": started["requestedBy"]} if "requestedBy" in started else {}),
            "takenAt": using.clock().isoformat(),
        }
        known = using.ledger.take(fact, fresh) or fresh
    if not known.get("doneAt"):
        carry_out(candidate.arn, known, using)


def decide(candidate: Package, using: Collaborators) -> tuple[Evaluation, Verdict]:
    """What the candidate's evaluation says, and what the rules say about it now."""
    model = using.settings.model_of(candidate.group)
    config = using.configs.get(model, fresh=True)
    if config is None:
        raise ConfigError(f"no config of {model} in SSM: publish it, then redrive this event")
    champion = registry.champion(using.sagemaker, candidate.group)
    evaluation = registry.evaluation(using.s3, candidate)
    return evaluation, judge(evaluation, config.approval, champion.arn if champion else None)


def carry_out(arn: str, known: Mapping[str, Any], using: Collaborators) -> None:
    """Do what the recorded verdict says: the registry, the approvers, the evidence, and last the mark.

    Each part may be repeated, so that dying between any two of them only delays the rest. The package is
    read again right before it is written: what a person decided meanwhile stands.
    """
    fact, verdict = f"verdict#{arn}", Verdict.model_validate(known["verdict"])
    candidate = registry.package(using.sagemaker, arn)
    model = using.settings.model_of(candidate.group)
    status = STATUS[verdict.decision]
    written = candidate.metadata.get("verdict") == verdict.decision
    decided_elsewhere = not candidate.pending and not (written and candidate.approval_status == status)
    if candidate.pending and not written:
        now = using.clock().isoformat()
        registry.annotate(
            using.sagemaker,
            candidate,
            {
                "batch": known[
                    "batch"
                ],  # a bare start registers with batch latest; which one that was is known now
                **({"requestedBy": known["requestedBy"]} if "requestedBy" in known else {}),
                "verdict": verdict.decision,
                "rules": verdict.rules_sha256[:12],
                "comparedWith": verdict.champion or "none",
                "validationRows": str(verdict.n),
                "judgedAt": now,
                **({"approvedAt": now} if status == "Approved" else {}),
            },
            status=status,
            description=f"{verdict.decision} by rules: {'; '.join(verdict.reasons)}",
        )
    if status and not decided_elsewhere:
        decision = {"status": status, "by": "rules", "at": using.clock().isoformat()}
        using.ledger.take(f"decision#{arn}", decision)
    if decided_elsewhere:
        logger.warning(
            "package was decided elsewhere meanwhile", package=arn, status=candidate.approval_status
        )
    else:
        tell(candidate, model, verdict, using)
    if candidate.execution:
        evidence.write(using.sources, model, candidate.execution)
    using.ledger.mark(fact, {"doneAt": using.clock().isoformat()})
    logger.info("candidate judged", package=arn, decision=verdict.decision, reasons=list(verdict.reasons))
    metrics.add_metric(METRIC[verdict.decision], MetricUnit.Count, 1)


def tell(candidate: Package, model: str, verdict: Verdict, using: Collaborators) -> None:
    """Tell approvers what came of the candidate, once."""
    execution_id = (candidate.execution or "").rsplit("/", 1)[-1]
    message = Notification(
        kind=KIND[verdict.decision],
        model=model,
        subject=candidate.arn,
        reasons=verdict.reasons,
        execution_arn=candidate.execution,
        package_arn=candidate.arn,
        decision=verdict.decision,
        evidence_uri=f"s3://{using.settings.bucket}/{evidence.evidence_key(model, execution_id)}",
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
