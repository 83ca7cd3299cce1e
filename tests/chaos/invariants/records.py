"""Invariants of the evidence of executions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.evidence_form import lost, misfits

if TYPE_CHECKING:
    from tests.chaos.runner import Run


def _copies(run: Run) -> Iterator[tuple[str, list[bytes]]]:
    """Each copy of evidence: its key, and its versions, oldest first."""
    for key, versions in run.account.bucket.versions.items():
        if key.startswith("evidence/") and key.endswith("/evidence.json"):
            yield key, [body for _, body, _ in versions if body is not None]


def evidence_fits_its_schema(run: Run) -> Iterator[str]:
    """Every evidence that was written fits the published JSON Schema."""
    for key, bodies in _copies(run):
        for body in bodies:
            yield from (f"{key}: {found}" for found in misfits(json.loads(body)))


def evidence_only_gains_facts(run: Run) -> Iterator[str]:
    """No fact leaves the evidence, whoever writes it and whatever was lost. They are in the order of time."""
    for key, bodies in _copies(run):
        yield from (f"{key}: {found}" for found in lost(bodies))


def evidence_tells_the_decision(run: Run) -> Iterator[str]:
    """The last decision that the ledger has recorded is a fact of the evidence."""
    for arn, it in run.account.sagemaker.packages.items():
        decision = run.account.table.items.get(f"decision#{arn}")
        execution = it["CustomerMetadataProperties"]["execution"]
        model = it["ModelPackageGroupName"].removeprefix("handsoff-")
        text = run.account.bucket.text(f"evidence/{model}/{execution.rsplit('/', 1)[-1]}/evidence.json")
        if not decision or not decision.get("recordedAt") or text is None:
            continue
        facts = json.loads(text)["facts"]
        if not any(fact["subject"] == arn and fact["by"] == decision["by"] for fact in facts):
            yield f"{arn[-20:]} was decided by {decision['by']}: no fact of its evidence says so"
