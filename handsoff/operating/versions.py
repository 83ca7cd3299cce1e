"""The versions of a model as `handsoff versions` and `handsoff compare` read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from handsoff.deployment import Deployment
from handsoff.errors import NotFound
from handsoff.operating.packages import find_package
from retraining import evidence, history
from retraining.errors import HandsoffError
from retraining.history import Version
from retraining.verdicts.evaluation import Measured


def model_versions(deployment: Deployment, model: str, limit: int) -> tuple[Version, ...]:
    """The newest versions of the model, newest first; last the champion, if it is older."""
    return history.versions(deployment.collaborators, deployment.resource_name(model), limit)


def version_of(deployment: Deployment, model: str, name: str) -> Version:
    """The version with this number, or model/number. Raises NotFound."""
    number = name.removeprefix(f"{model}/")
    package = find_package(deployment, f"{model}/{number}")
    found = history.read(deployment.collaborators, package.arn)
    if found is None:
        raise NotFound(f"{model}/{number} was deleted just now")
    return found


def need_evaluation(found: Version) -> Version:
    """The version, if its stored evaluation can be read. Raises HandsoffError."""
    if found.evaluation is None:
        raise HandsoffError(f"{found.package.name} cannot be compared: {found.problem}")
    return found


def rows_named(found: Sequence[Version]) -> dict[str, str]:
    """A letter for each set of validation rows, in the order of the oldest version that was measured on it.

    Versions with the same letter were measured on the same rows. Rows whose identity is not known have none.
    """
    known = [it.evaluation.validation for it in reversed(found) if it.evaluation and it.evaluation.validation]
    return {identity: _letter(n) for n, identity in enumerate(dict.fromkeys(known))}


def _letter(n: int) -> str:
    """A, B, …, Z, AA, AB, …"""
    return (_letter(n // 26 - 1) if n >= 26 else "") + chr(ord("A") + n % 26)


def as_json(found: Version) -> dict[str, Any]:
    """A version as `handsoff versions --json` prints it; what is not known is null."""
    evaluation, verdict, package = found.evaluation, found.verdict, found.package
    return {
        "version": found.number,
        "modelPackageArn": package.arn,
        "modelApprovalStatus": package.approval_status,
        "registeredAt": package.created_at.isoformat(),
        "pipelineExecutionArn": package.execution,
        "validationRows": evaluation.candidate.n if evaluation else None,
        "validation": evaluation.validation if evaluation else None,
        "metrics": {name: measured_as_json(one) for name, one in found.metrics.items()},
        "problem": found.problem,
        "verdict": {"decision": verdict.verdict.decision, "reasons": list(verdict.verdict.texts)}
        if verdict
        else None,
        **evidence.decision(found.decision),
        "champion": [
            {"from": reign.since.isoformat(), "until": reign.until.isoformat() if reign.until else None}
            for reign in found.reigns
        ],
    }


def measured_as_json(one: Measured) -> dict[str, Any]:
    """A metric's value and 95 % interval; null where undefined."""
    return {"value": known(one.value), "interval": [known(end) for end in one.interval]}


def known(value: float) -> float | None:
    """The value, or None for NaN."""
    return None if math.isnan(value) else value
