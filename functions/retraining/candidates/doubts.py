"""Why a person should look at a candidate, whatever the rules say."""

from __future__ import annotations

from retraining.aws import registry
from retraining.candidates.state import PEOPLE
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig
from retraining.facts import keys
from retraining.facts.package import Package
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.judge import of_another_config
from retraining.verdicts.verdict import Reason


def doubts(
    candidate: Package, evaluation: Evaluation, config: ModelConfig, using: Collaborators
) -> list[Reason]:
    """Reasons to hold the candidate that no evaluation tells.

    The evaluation is not about this package or these rules, a person has rejected a package that was trained
    on the same data, or somebody set the package back to pending before the ledger was lost.
    """
    found = []
    model = using.settings.model_of(candidate.group)
    ours = f"s3://{using.settings.bucket}/models/{model}/{(candidate.execution or '').rsplit('/', 1)[-1]}/"
    if (evaluation.model, evaluation.execution) != (model, candidate.execution):
        text = (
            f"the evaluation is of {evaluation.model}, {evaluation.execution}; "
            f"the package of {model}, {candidate.execution}"
        )
        found.append(Reason(code="evaluation_of_another_execution", text=text))
    for what, uri in (("model", candidate.model_uri), ("evaluation", candidate.evaluation_uri)):
        if not (uri or "").startswith(ours):
            text = f"its {what} {uri} is not below {ours}, where its execution writes"
            found.append(Reason(code="artifact_elsewhere", text=text))
    if evaluation.drift and evaluation.drift.reference != evaluation.champion:
        text = f"drift was measured against {evaluation.drift.reference}, no champion of these rows"
        found.append(Reason(code="drift_reference", text=text))
    if candidate.decided_at and using.ledger.get(keys.decision(candidate.arn)) is None:
        text = "it was decided before, and somebody set it back to pending"
        found.append(Reason(code="set_back", text=text))
    if doubt := of_another_config(evaluation, config):
        found.append(doubt)
    if rejected := _rejected_by_a_person(candidate.group, evaluation.batch, using):
        text = f"a person has rejected {rejected}, which was trained on the same data"
        found.append(Reason(code="rejected_same_data", text=text))
    return found


def _rejected_by_a_person(group: str, batch: str, using: Collaborators) -> str | None:
    """The name of a package of the group that was trained on this batch and that a person has rejected."""
    for package in registry.rejected(using.sagemaker, group):
        decision = using.ledger.get(keys.decision(package.arn))
        by_person = decision and decision.status == "Rejected" and decision.by in PEOPLE
        if by_person and package.metadata.get("batch") == batch:
            return package.name
    return None
