"""A model package as a CycloneDX ML-BOM: the model with its digest and metrics, its data, code and packages.

Source of the format: https://cyclonedx.org/docs/1.6/json/. The library writes and orders all of it but the
model card, which it does not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

Evidence = Mapping[str, Any]

TASKS: Final = {
    "binary_classification": "classification",
    "multiclass_classification": "classification",
    "regression": "regression",
}
"""CycloneDX's words for our tasks."""


def mlbom(evidence: Evidence, evaluation: Mapping[str, Any]) -> str:
    """The ML-BOM of the model package that the evidence is about, as JSON.

    `evaluation` is evaluation.json's part `handsoff`. The same evidence gives the same bytes.
    """
    model = _model(evidence)
    data, parts = list(_data(evidence)), list(_parts(evidence))
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, str(evidence["modelPackageArn"])), components=[*data, *parts]
    )
    bom.metadata.component = model
    bom.metadata.timestamp = datetime.fromisoformat(evidence["registeredAt"] or evidence["startTime"])
    bom.register_dependency(model, [*data, *parts])
    found = json.loads(JsonV1Dot6(bom).output_as_string())
    found["metadata"]["component"]["modelCard"] = _card(evidence, evaluation, data)
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _model(evidence: Evidence) -> Component:
    artifact = evidence.get("artifact") or {}
    name, version = str(evidence["modelPackageArn"]).split("/")[-2:]
    said = {
        "modelPackageArn": evidence["modelPackageArn"],
        "pipelineExecutionArn": evidence["pipelineExecutionArn"],
        "modelApprovalStatus": evidence["modelApprovalStatus"],
        "decidedBy": evidence["decidedBy"],
        "decidedWho": evidence["decidedWho"],
        "decidedAt": evidence["decidedAt"],
        "verdict": (evidence["verdict"] or {}).get("decision"),
        "artifact": artifact.get("uri") or evidence["modelDataUrl"],
        "artifactVersionId": artifact.get("versionId"),
        "codeSha256": (evidence.get("code") or {}).get("sha256"),
        "configSha256": (evidence.get("config") or {}).get("sha256"),
        "rulesSha256": (evidence.get("config") or {}).get("rulesSha256"),
        "batch": evidence["data"].get("batch"),
        "fileCount": evidence["data"].get("fileCount"),  # the components are the first 500 of them
        "manifest": evidence["data"].get("manifest"),
        "manifestSha256": evidence["data"].get("manifestSha256"),
    }
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=name,
        version=version,
        bom_ref=str(evidence["modelPackageArn"]),
        hashes=_hashes(artifact.get("sha256")),
        properties=[
            Property(name=f"handsoff:{key}", value=str(value)) for key, value in said.items() if value
        ],
    )


def _data(evidence: Evidence) -> Iterator[Component]:
    """The files of the batch, each one in its version."""
    for file in evidence["data"].get("files") or ():
        said = {"etag": file.get("etag"), "checksum": file.get("checksum"), "rows": file.get("rows")}
        yield Component(
            type=ComponentType.DATA,
            name=file["key"],
            version=file["versionId"],
            bom_ref=f"data:{file['key']}@{file['versionId']}",
            hashes=_hashes(file.get("sha256")),
            properties=[
                Property(name=f"handsoff:{key}", value=str(value)) for key, value in said.items() if value
            ],
        )


def _parts(evidence: Evidence) -> Iterator[Component]:
    """The image, the code, and the packages that the container had."""
    if image := evidence.get("image"):
        digest = (image.get("digest") or "").removeprefix("sha256:")
        yield Component(
            type=ComponentType.CONTAINER, name=image["uri"], bom_ref=image["uri"], hashes=_hashes(digest)
        )
    if code := evidence.get("code"):
        yield Component(
            type=ComponentType.FILE, name=code["uri"], bom_ref=code["uri"], hashes=_hashes(code["sha256"])
        )
    for name, version in (evidence.get("packages") or {}).items():
        if name == "python":
            yield Component(type=ComponentType.PLATFORM, name=name, version=version, bom_ref="python")
            continue
        url = PackageURL(type="pypi", name=name, version=version)
        yield Component(
            type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=url.to_string()
        )


def _hashes(sha256: str | None) -> list[HashType]:
    return [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []


def _card(evidence: Evidence, evaluation: Mapping[str, Any], data: list[Component]) -> dict[str, Any]:
    """CycloneDX's model card: task, data, and metrics with their intervals."""
    training = evidence.get("training") or {}
    given = {"name": "hyperparameters", "value": json.dumps(training.get("hyperparameters") or {})}
    notes = [reason for reason in (evidence["verdict"] or {}).get("reasons", ())]
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": TASKS.get(evaluation.get("task", ""), "other"),
            "datasets": [{"ref": str(item.bom_ref)} for item in data],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(evidence, evaluation))},
        **({"considerations": {"performanceTradeoffs": notes}} if notes else {}),
        "properties": [given],
    }


def _metrics(evidence: Evidence, evaluation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    measured = evaluation.get("candidate", {}).get("metrics", {})
    for name, value in evidence["metrics"].items():
        if value is None:
            continue
        interval = measured.get(name, {}).get("interval")
        bounds = (
            {"confidenceInterval": {"lowerBound": str(interval[0]), "upperBound": str(interval[1])}}
            if interval and None not in interval
            else {}
        )
        yield {"type": name, "value": str(value), **bounds}
