"""The evidence of one execution: what ran, on what, what came of it, who decided, and why.

It is gathered from what SageMaker, S3 and the ledger say now, so that it can be gathered again at any
time. The copy in S3 is written anew whenever something ends or is decided.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from retraining import report_keys
from retraining.aws import registry, training
from retraining.aws.pipelines import Execution, Step
from retraining.evidence.sources import Sources, evidence_key, json_object
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, EarlierVerdict, VerdictFact
from retraining.facts.package import PENDING, Package
from retraining.facts.starts import ExecutionFact

Evidence = dict[str, Any]
SCHEMA_VERSION: Final = 2
"""The version of evidence.json's form. In version 1 some keys were written with underscores."""


def gather(sources: Sources, model: str, execution: Execution, *, package: Package | None = None) -> Evidence:
    """Everything known about `execution` now, in the form of docs/reference/evidence.md.

    `package` is its model package where the caller has just read it. What cannot be read is named in
    `missing`. Raises ClientError where AWS gave no clear answer.
    """
    missing: list[str] = []
    fact = sources.ledger.get(keys.execution(execution.arn)) or ExecutionFact()
    execution = execution.told_by(fact.log_lines)
    report = json_object(sources, f"models/{model}/{execution.identity}/data_report.json", missing)
    of_execution = {
        "pipelineExecutionStatus": execution.status,
        "failureReason": execution.failure_reason,
        "startTime": _text(execution.start_time),
        "trigger": _trigger(execution.parameters.get("Trigger", "manual"), fact),
        "data": _data(sources, model, execution.parameters.get("Batch"), report),
        "training": training.of_execution(sources.sagemaker, execution),
        "steps": [_step(step, fact.log_lines.get(step.name)) for step in execution.steps],
    }
    package_arn = package.arn if package else execution.package_arn
    return _whole(sources, model, execution.arn, of_execution, package_arn, package, missing)


def gather_gone(sources: Sources, model: str, arn: str, package_arn: str | None) -> Evidence:
    """What is known of an execution that SageMaker no longer knows: what the copy says, else the ledger."""
    missing = [f"{arn}: SageMaker no longer knows this execution"]
    copy = json_object(sources, evidence_key(model, arn.rsplit("/", 1)[-1]), missing)
    fact = sources.ledger.get(keys.execution(arn)) or ExecutionFact()
    report = json_object(sources, f"models/{model}/{arn.rsplit('/', 1)[-1]}/data_report.json", missing)
    known = {
        "pipelineExecutionStatus": fact.status,
        "failureReason": fact.failure_reason,
        "startTime": None,
        "trigger": _trigger(fact.trigger or "manual", fact),
        "data": _data(sources, model, fact.batch, report),
        "training": None,
        "steps": [
            _step(Step(name, "", status, None, None, None, None, None), None)
            for name, status in fact.steps.items()
        ],
    }
    of_execution = {name: copy.get(name, value) for name, value in known.items()}
    return _whole(
        sources, model, arn, of_execution, package_arn or copy.get("modelPackageArn"), None, missing
    )


def _whole(
    sources: Sources,
    model: str,
    arn: str,
    of_execution: Evidence,
    package_arn: str | None,
    package: Package | None,
    missing: list[str],
) -> Evidence:
    """The evidence, with what is known of the execution's model package and of its verdicts and decisions."""
    name = f"models/{model}/{arn.rsplit('/', 1)[-1]}/evaluation.json"
    evaluation = json_object(sources, name, missing)
    if package_arn and package is None:
        package = registry.find(sources.sagemaker, package_arn)
        missing += [] if package else [f"{package_arn}: the model package was deleted"]
    if package and not evaluation and not any(name in text for text in missing):
        missing.append(f"s3://{sources.bucket}/{name}: there is no such object")
    return {
        "schemaVersion": SCHEMA_VERSION,
        "pipelineExecutionArn": arn,
        **of_execution,
        "modelPackageArn": package_arn,
        "modelApprovalStatus": package.approval_status if package else None,
        "modelDataUrl": package.model_uri if package else None,
        "evaluationUrl": package.evaluation_uri if package else None,
        "metrics": _metrics(evaluation),
        "dataChanges": _data_changes(evaluation),
        "search": _search(evaluation),
        **verdict(sources.ledger.get(keys.verdict(package_arn)) if package_arn else None),
        **decision(sources.ledger.get(keys.decision(package_arn)) if package_arn else None),
        "anchor": _anchor(sources, package),
        "missing": missing,
    }


def _anchor(sources: Sources, package: Package | None) -> dict[str, Any] | None:
    """The anchor of the package's model now, and those before it; None if there is none yet."""
    fact = sources.ledger.get(keys.anchor(package.group)) if package else None
    return fact.as_evidence() if fact else None


def _trigger(kind: str, fact: ExecutionFact) -> dict[str, Any]:
    """What started the execution. The ledger knows nothing of one that was started by hand."""
    return {
        "kind": kind,
        "cause": fact.cause,
        "requestedBy": fact.requested_by,
        "requests": [request.model_dump(by_alias=True) for request in fact.requests],
        "startKey": fact.start_key,
    }


def _data(sources: Sources, model: str, batch: str | None, report: dict[str, Any]) -> dict[str, Any]:
    """The batch, its manifest, and what the data report says of it. `latest` is named by the report alone."""
    batch = report.get("batch") or batch
    return {
        "batch": batch,
        "manifest": f"s3://{sources.bucket}/batches/{model}/{batch}/manifest.json",
        **report_keys.camel_case({key: value for key, value in report.items() if key != "batch"}),
    }


def _metrics(evaluation: dict[str, Any]) -> dict[str, float]:
    """The candidate's metrics by name."""
    measured = evaluation.get("handsoff", {}).get("candidate", {}).get("metrics", {})
    return {name: metric["value"] for name, metric in measured.items()}


def _search(evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """What a search for hyperparameters tried and chose; None if there was none."""
    found = evaluation.get("handsoff", {}).get("search")
    return report_keys.camel_case(found) if found else None


def _data_changes(evaluation: dict[str, Any]) -> dict[str, Any] | None:
    """How the data differs from the champion's; None without a champion that could be loaded."""
    found = evaluation.get("handsoff", {}).get("data_changes")
    return report_keys.camel_case(found) if found else None


def verdict(fact: VerdictFact | None) -> dict[str, Any]:
    """What the ledger knows of verdicts: the one that counts, who asked for another one, and earlier ones."""
    return {
        "verdict": fact.verdict.as_evidence() if fact else None,
        "judgedAgain": fact.again.model_dump(by_alias=True) if fact and fact.again else None,
        "earlierVerdicts": [_verdict(earlier) for earlier in fact.earlier] if fact else [],
    }


def _verdict(earlier: EarlierVerdict) -> dict[str, Any]:
    dumped = earlier.model_dump(by_alias=True, exclude={"verdict"}, exclude_none=True)
    return {"verdict": earlier.verdict.as_evidence(), **dumped}


def decision(fact: DecisionFact | None) -> dict[str, Any]:
    """What the ledger knows of a decision: who, when and why; null while the candidate waits (again)."""
    stands = None if fact is None or fact.status == PENDING else fact
    earlier = [*fact.earlier] if fact else []
    if fact and not stands:  # who set it back, and when
        earlier.append(fact.as_earlier())
    return {
        "decidedBy": stands.by if stands else None,
        "decidedWho": stands.who if stands else None,
        "decidedAt": stands.at.isoformat() if stands else None,
        "decidedWhy": stands.why if stands else None,
        "earlierDecisions": [item.model_dump(by_alias=True, exclude_none=True) for item in earlier],
    }


def _step(step: Step, log_lines: list[str] | None) -> dict[str, Any]:
    logs: dict[str, Any] | None = None
    if step.logs:
        logs = {"group": step.logs.group, "streamPrefix": step.logs.stream_prefix}
        if log_lines:
            logs["lastLines"] = log_lines
    return {
        "name": step.name,
        "type": step.type,
        "status": step.status,
        "startTime": _text(step.start_time),
        "endTime": _text(step.end_time),
        "failureReason": step.failure_reason,
        "logs": logs,
    }


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
