"""The evidence of one execution: what ran, on what, what came of it, who decided, and why.

It is gathered from what SageMaker, S3 and the ledger say now, so that it can be gathered again at any
time. The copy in S3 is written anew whenever something ends or is decided.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from retraining import report_keys
from retraining.aws import registry, training
from retraining.aws.pipelines import Execution, Step
from retraining.evidence.facts import appended
from retraining.evidence.model import SCHEMA_VERSION
from retraining.evidence.objects import artifact_of, data_of
from retraining.evidence.sources import Evidence, Sources, read_document
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, EarlierVerdict, VerdictFact
from retraining.facts.notifications import RecentFact
from retraining.facts.package import PENDING, Package
from retraining.facts.starts import ExecutionFact


def gather(sources: Sources, model: str, execution: Execution, *, package: Package | None = None) -> Evidence:
    """Everything known about `execution` now, in the form of docs/reference/evidence.md.

    `package` is its model package where the caller has just read it. What cannot be read is named in
    `missing`. Raises ClientError where AWS gave no clear answer.
    """
    missing: list[str] = []
    fact = sources.ledger.get(keys.execution(execution.arn)) or ExecutionFact()
    execution = execution.told_by(fact.log_lines)
    how = training.of_execution(sources.sagemaker, execution)
    of_execution = {
        "pipelineExecutionStatus": execution.status,
        "failureReason": execution.failure_reason,
        "startTime": _text(execution.start_time),
        "trigger": _trigger(execution.parameters.get("Trigger", "manual"), fact),
        "parameters": dict(sorted(execution.parameters.items())),
        "data": data_of(sources, model, execution.identity, execution.parameters.get("Batch"), missing),
        "code": _code(sources, how["codeSha256"]),
        "config": _config(fact),
        "image": _image(how["image"]),
        "training": how,
        "steps": [_step(step, fact.log_lines.get(step.name)) for step in execution.steps],
    }
    package_arn = package.arn if package else execution.package_arn
    return _whole(sources, model, execution.arn, of_execution, package_arn, package, missing)


def gather_gone(
    sources: Sources, model: str, arn: str, package_arn: str | None, copy: Evidence | None
) -> Evidence:
    """What is known of an execution that SageMaker no longer knows: what the copy says, else the ledger."""
    missing = [f"{arn}: SageMaker no longer knows this execution"]
    fact = sources.ledger.get(keys.execution(arn)) or ExecutionFact()
    known = {
        "pipelineExecutionStatus": fact.status,
        "failureReason": fact.failure_reason,
        "startTime": None,
        "trigger": _trigger(fact.trigger or "manual", fact),
        "parameters": {},
        "data": data_of(sources, model, arn.rsplit("/", 1)[-1], fact.batch, missing),
        "code": None,
        "config": _config(fact),
        "image": None,
        "training": None,
        "steps": [
            _step(Step(name, "", status, None, None, None, None, None), None)
            for name, status in fact.steps.items()
        ],
    }
    said = copy or {}
    of_execution = {name: said.get(name, value) for name, value in known.items()}
    return _whole(
        sources, model, arn, of_execution, package_arn or said.get("modelPackageArn"), None, missing
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
    document = read_document(sources, name, missing)
    if package_arn and package is None:
        package = registry.find(sources.sagemaker, package_arn)
        missing += [] if package else [f"{package_arn}: the model package was deleted"]
    if package and not (document and document.content) and not any(name in text for text in missing):
        missing.append(f"s3://{sources.bucket}/{name}: there is no such object")
    measured = document.content.get("handsoff", {}) if document else {}
    found: Evidence = {
        "schemaVersion": SCHEMA_VERSION,
        "model": model,
        "pipelineExecutionArn": arn,
        **of_execution,
        "packages": measured.get("packages"),
        "modelPackageArn": package_arn,
        **_package(package),
        "artifact": artifact_of(sources, package, measured.get("artifact") or {}, missing),
        "evaluation": document.as_evidence() if document else None,
        **_measured(measured),
        "champion": _champion(measured, of_execution["parameters"]),
        **verdict(sources.ledger.get(keys.verdict(package_arn)) if package_arn else None),
        **decision(sources.ledger.get(keys.decision(package_arn)) if package_arn else None),
        "anchor": _anchor(sources, package),
        "notifications": _notifications(sources, model, arn, package_arn),
        "facts": [],
        "missing": missing,
    }
    return {**found, "facts": appended((), found)}


def _package(package: Package | None) -> dict[str, Any]:
    """What the registry says of the model package; null where there is none."""
    return {
        "registeredAt": _text(package.created_at) if package else None,
        "modelApprovalStatus": package.approval_status if package else None,
        "modelDataUrl": package.model_uri if package else None,
        "evaluationUrl": package.evaluation_uri if package else None,
    }


def _anchor(sources: Sources, package: Package | None) -> dict[str, Any] | None:
    """The anchor of the package's model now, and those before it; None if there is none yet."""
    fact = sources.ledger.get(keys.anchor(package.group)) if package else None
    return fact.as_evidence() if fact else None


def _notifications(
    sources: Sources, model: str, arn: str, package_arn: str | None
) -> list[dict[str, str | None]]:
    """The notifications about the execution or its package that were published, the oldest first.

    The ledger lists a model's newest ones; earlier ones are in the copy.
    """
    recent = sources.ledger.get(keys.recent_notifications(model)) or RecentFact()
    about = [
        told
        for told in reversed(recent.told)
        if told.execution_arn == arn or (package_arn and told.model_package_arn == package_arn)
    ]
    claims = [(told, sources.ledger.get(keys.notification(told.id))) for told in about]
    return [
        {"id": told.id, "kind": told.kind, "at": _text(claim.done_at or told.at)}
        for told, claim in claims
        if claim and claim.state == "done"
    ]


def _trigger(kind: str, fact: ExecutionFact) -> dict[str, Any]:
    """What started the execution. The ledger knows nothing of one that was started by hand."""
    return {
        "kind": kind,
        "cause": fact.cause,
        "requestedBy": fact.requested_by,
        "requests": [request.model_dump(by_alias=True) for request in fact.requests],
        "startKey": fact.start_key,
        "landedAt": _text(fact.landed_at),
        "admittedAt": _text(fact.taken_at),
    }


def _code(sources: Sources, sha256: str | None) -> dict[str, Any] | None:
    """The code that the execution's definition names."""
    return {"sha256": sha256, "uri": f"s3://{sources.bucket}/code/{sha256}/"} if sha256 else None


def _config(fact: ExecutionFact) -> dict[str, Any] | None:
    """The configuration that admitted the start; None where nothing was admitted, and in earlier versions."""
    if fact.config_sha256 is None:
        return None
    return {"sha256": fact.config_sha256, "rulesSha256": fact.rules_sha256}


def _image(uri: str | None) -> dict[str, Any] | None:
    """The image of the training job. Only an address that names a digest tells it."""
    return {"uri": uri, "digest": uri.partition("@")[2] or None} if uri else None


def _measured(measured: dict[str, Any]) -> dict[str, Any]:
    """What the evaluation says of the candidate, of its data and of a search; null where it says nothing."""
    metrics: dict[str, Any] = measured.get("candidate", {}).get("metrics", {})
    changes, search = measured.get("data_changes"), measured.get("search")
    return {
        "metrics": {name: found["value"] for name, found in metrics.items()},
        "dataChanges": report_keys.camel_case(changes) if changes else None,
        "search": report_keys.camel_case(search) if search else None,
    }


def _champion(measured: dict[str, Any], parameters: dict[str, str]) -> str | None:
    """The champion that the candidate was compared with; before that, the one that the start named."""
    named = parameters.get("Champion", "")
    found: str | None = measured.get("champion") if measured else named
    return found if found and found.startswith("arn:") else None


def verdict(fact: VerdictFact | None) -> dict[str, Any]:
    """What the ledger knows of verdicts: the one that counts, who asked for another one, and earlier ones."""
    return {
        "verdict": fact.verdict.as_evidence() if fact else None,
        "judgedAt": fact.taken_at.isoformat() if fact else None,
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
        "decidedStatus": stands.status if stands else None,
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
        "jobArn": step.arn if step.logs else None,
        "logs": logs,
    }


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
