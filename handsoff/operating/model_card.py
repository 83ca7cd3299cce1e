"""A model package as a SageMaker Model Card, in the schema of a model package's card.

Source of the schema: Amazon SageMaker AI developer guide, "Update the details of a model version", "Model
package model card schema". UpdateModelPackage takes the text as ModelCardContent. The schema of a card of its
own, which CreateModelCard takes, has all of these keys, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

Evidence = Mapping[str, Any]

TEXT: Final = 1024
"""Characters of most texts of a card."""

LONG_TEXT: Final = 2048
"""Characters of its long texts; an observation of an evaluation may have 48 more."""

MAX_TRAINING: Final = 15
"""Locations of training data that a card may name."""

MAX_EVALUATION: Final = 10
"""Locations of an evaluation's data that a card may name."""

MAX_PARAMETERS: Final = 100
"""Hyperparameters that a card may name."""

NAME: Final = 255
"""Characters of the name of a metric or hyperparameter, and of a hyperparameter's value."""


def model_card(evidence: Evidence, evaluation: Mapping[str, Any]) -> str:
    """The card's content as JSON. `evaluation` is evaluation.json's part `handsoff`.

    Purpose, business and ethics are for people to say; the card leaves them out.
    """
    artifact = evidence.get("artifact") or {}
    card = {
        "model_overview": {
            "model_creator": "handsoff",
            "model_artifact": [_cut(artifact.get("uri") or evidence["modelDataUrl"])],
        },
        "intended_uses": {"risk_rating": "Unknown"},
        "training_details": _training(evidence),
        "evaluation_details": [_evaluation(evidence, evaluation)],
        "additional_information": {
            "caveats_and_recommendations": _cut("\n".join(_reasons(evidence)), LONG_TEXT),
            "custom_details": {name: _cut(value) for name, value in _details(evidence) if value},
        },
    }
    return json.dumps(card, indent=1, ensure_ascii=False) + "\n"


def _training(evidence: Evidence) -> dict[str, Any]:
    training, steps = evidence.get("training") or {}, {step["name"]: step for step in evidence["steps"]}
    image = training.get("image")
    given = list((training.get("hyperparameters") or {}).items())[:MAX_PARAMETERS]
    job = {
        "training_arn": steps.get("TrainModel", {}).get("jobArn"),
        "training_datasets": _locations(evidence, "validation", MAX_TRAINING),
        "training_environment": {"container_image": [_cut(image)]} if image else None,
        "hyper_parameters": [
            {"name": _cut(name, NAME), "value": _cut(json.dumps(value), NAME)} for name, value in given
        ],
    }
    return {"training_job_details": {name: value for name, value in job.items() if value}}


def _evaluation(evidence: Evidence, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    steps = {step["name"]: step for step in evidence["steps"]}
    found = {
        "name": "ModelEvaluation",
        "evaluation_job_arn": _cut(steps.get("ModelEvaluation", {}).get("jobArn"), 256),
        "evaluation_observation": _cut("\n".join(_reasons(evidence)), LONG_TEXT),
        "datasets": _locations(evidence, "train", MAX_EVALUATION),
        "metadata": {"evaluation": _cut(evidence["evaluationUrl"])} if evidence["evaluationUrl"] else None,
        "metric_groups": [{"name": "candidate", "metric_data": list(_metrics(evidence, evaluation))}],
    }
    return {name: value for name, value in found.items() if value}


def _metrics(evidence: Evidence, evaluation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    measured = evaluation.get("candidate", {}).get("metrics", {})
    for name, value in evidence["metrics"].items():
        if value is None:
            continue
        interval = measured.get(name, {}).get("interval")
        notes = f"interval {interval[0]} to {interval[1]}" if interval and None not in interval else None
        yield {"name": name, "type": "number", "value": value, **({"notes": notes} if notes else {})}


def _locations(evidence: Evidence, without: str, most: int) -> list[str]:
    """The files of the batch that are not of the split `without`; the manifest if they are too many."""
    manifest = evidence["data"].get("manifest")
    if not manifest:
        return []
    keys = [
        file["key"]
        for file in evidence["data"].get("files") or ()
        if f"/{without}/" not in file["key"] and not file["key"].endswith(f"/{without}.csv")
    ]
    named = [_cut(f"s3://{urlsplit(manifest).netloc}/{key}") for key in keys]
    return named if 0 < len(named) <= most else [_cut(manifest)]


def _details(evidence: Evidence) -> Iterator[tuple[str, str | None]]:
    """What the schema has no key for."""
    yield "model_package_arn", evidence["modelPackageArn"]
    yield "pipeline_execution_arn", evidence["pipelineExecutionArn"]
    yield "approval", evidence["modelApprovalStatus"]
    yield "decided_by", evidence["decidedWho"] or evidence["decidedBy"]
    yield "decided_at", evidence["decidedAt"]
    yield "artifact_sha256", (evidence.get("artifact") or {}).get("sha256")
    yield "code_sha256", (evidence.get("code") or {}).get("sha256")
    yield "batch", evidence["data"].get("batch")
    yield (
        "packages",
        ", ".join(f"{name} {version}" for name, version in (evidence.get("packages") or {}).items()),
    )


def _reasons(evidence: Evidence) -> list[str]:
    """Every rule's inequality, then the reasons that belong to no rule."""
    verdict = evidence["verdict"] or {}
    rules = [str(rule["text"]) for rule in verdict.get("rules", ())]
    return list(dict.fromkeys([*rules, *map(str, verdict.get("reasons", ()))]))


def _cut(text: str | None, most: int = TEXT) -> str:
    """A text as long as the schema lets it be."""
    return text if text is not None and len(text) <= most else f"{(text or '')[: most - 1]}…" if text else ""
