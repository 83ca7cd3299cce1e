"""Makes an earlier version of a model champion again, as the operator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.errors import NotFound, Refused
from handsoff.operating.decisions import logs_silenced
from handsoff.operating.packages import find_package
from retraining.aws import registry
from retraining.candidates import going_back
from retraining.candidates.going_back import why_not
from retraining.errors import EvaluationError
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact
from retraining.facts.package import Package


@dataclass(frozen=True)
class Plan:
    """A roll-back: from the champion to an earlier version.

    `champion` is None if there is none any more. `known` is the decision on the earlier version so far.
    `repeats` says that the same person has asked for the same roll-back before. `warnings` say what will not
    work with the earlier version as champion.
    """

    to: Package
    champion: Package | None
    known: DecisionFact | None
    repeats: bool
    warnings: tuple[str, ...] = ()


def plan(deployment: Deployment, model: str, to: int | None, why: str) -> Plan:
    """What a roll-back would do. Without `to`, the version approved before the champion is meant.

    Raises NotFound and Refused.
    """
    approved = registry.approved(deployment.sagemaker, deployment.resource_name(model))
    champion = max(approved, key=lambda one: one.approved_at, default=None)
    if to is None and champion and (done := _repeated(deployment, champion, champion, why)):
        return done
    package = _earlier(deployment, model, approved, champion, to)
    if done := _repeated(deployment, package, champion, why):
        return done
    known = deployment.ledger.get(keys.decision(package.arn))
    of_champion = deployment.ledger.get(keys.decision(champion.arn)) if champion else None
    if refusal := why_not(package, champion, approved, known, of_champion):
        raise Refused(refusal)
    _need_artifact(deployment, package)
    return Plan(
        package, champion, known, repeats=False, warnings=tuple(_warnings(deployment, model, package))
    )


def _repeated(deployment: Deployment, to: Package, champion: Package | None, why: str) -> Plan | None:
    """The plan, if this person's roll-back for this reason leads to `to` already, done or half done."""
    known = deployment.ledger.get(keys.decision(to.arn))
    if known is None or not going_back.is_same(known, to, who=deployment.caller, why=why):
        return None
    return Plan(to, champion, known, repeats=True)


def _earlier(
    deployment: Deployment, model: str, approved: list[Package], champion: Package | None, to: int | None
) -> Package:
    """The version that is meant. A roll-back without a number never follows another one."""
    if to is not None:
        return find_package(deployment, f"{model}/{to}")
    before = [one for one in approved if champion is None or one.arn != champion.arn]
    known = deployment.ledger.get(keys.decision(champion.arn)) if champion else None
    if champion and known and known.rollback:
        raise Refused(
            f"{champion.name} is champion by a roll-back already, since {known.at.isoformat()}: {known.why}. "
            "To go further back, name the version: --to N"
        )
    if not before:
        raise NotFound(
            f"no other version of {model} is approved: name one that was approved before with --to N; "
            f"`handsoff versions {model}` lists them"
        )
    return max(before, key=lambda one: one.approved_at)


def _need_artifact(deployment: Deployment, package: Package) -> None:
    """Raise Refused unless the model's file is there: nobody can serve a champion without it."""
    uri = urlsplit(package.model_uri or "")
    try:
        deployment.s3.head_object(Bucket=uri.netloc or deployment.bucket, Key=uri.path.lstrip("/") or "-")
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in ("404", "NoSuchKey", "NoSuchBucket", "403"):
            raise
        gone = "may not be read by you" if code == "403" else "does not exist any more"
        raise Refused(
            f"the model of {package.name}, {package.model_uri}, {gone}: nothing could serve it. "
            "Name another version with --to N"
        ) from None


def _warnings(deployment: Deployment, model: str, to: Package) -> Iterator[str]:
    """What will not work with `to` as champion. Nothing is refused: it may be the right one to serve."""
    settings = deployment.config.models[model]
    try:
        task = registry.evaluation(deployment.s3, to).task
    except EvaluationError:
        return
    if task != settings.task:
        yield f"candidates will be held: it is a model for {task}, and handsoff.yaml asks for {settings.task}"


def carry_out(deployment: Deployment, found: Plan, why: str) -> DecisionFact:
    """Roll back as the operator; the decision on the version that is champion then."""
    with logs_silenced():
        return going_back.go_back(
            found.to, found.champion, who=deployment.caller, why=why, using=deployment.collaborators
        )


def as_json(found: Plan, decision: DecisionFact) -> dict[str, Any]:
    """A roll-back as `handsoff rollback --json` prints it."""
    back = decision.rollback
    return {
        "champion": found.to.arn,
        "rejected": back.gone if back else None,
        "decidedBy": decision.by,
        "decidedWho": decision.who,
        "decidedAt": decision.at.isoformat(),
        "decidedWhy": decision.why,
        "repeated": found.repeats,
    }
