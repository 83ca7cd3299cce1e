"""Pure: what the copy of the evidence keeps when it is written anew. Evidence only gains facts.

Start, verdict and decision stay where the ledger that knew them was lost. What was said of an object stays
where the object has changed since: a registered model and its evaluation never change by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from retraining.evidence.facts import appended
from retraining.evidence.sources import Evidence

_FROM_LEDGER: Final = {
    "the start": ("trigger", "config"),
    "the verdict": ("verdict", "judgedAt", "judgedAgain", "earlierVerdicts"),
    "the decision": (
        *("decidedStatus", "decidedBy", "decidedWho", "decidedAt", "decidedWhy"),
        "earlierDecisions",
    ),
}
"""Keys of the evidence that only the ledger can fill, by what they are."""

_FROM_OBJECTS: Final = {
    "evaluation": ("evaluation", "packages", "metrics", "dataChanges", "search", "champion"),
    "artifact": ("artifact",),
    "data": ("data",),
}
"""Keys of the evidence that say what an object says, by the key that tells the object's version."""

_VERSION: Final = {"evaluation": "sha256", "artifact": "versionId", "data": "reportSha256"}
"""What tells one version of the object from another."""


def together(said: Evidence | None, found: Evidence) -> Evidence:
    """The evidence that was found, with what the copy `said` and nothing else knows any more."""
    if said is None:
        return found
    whole = _with_objects(said, _with_ledger(said, found))
    told = {item["id"]: item for item in (*whole["notifications"], *said["notifications"])}
    whole = {**whole, "notifications": sorted(told.values(), key=lambda item: str(item["at"]))}
    return {**whole, "facts": appended(said["facts"], whole)}


def _with_ledger(said: Evidence, found: Evidence) -> Evidence:
    """What was said of start, verdict and decision stays where the ledger knows nothing: it was lost.

    What was said of a decision that the package no longer shows does not stay.
    """
    same = said["modelPackageArn"] == found["modelPackageArn"]
    shown = same and found["modelApprovalStatus"] in (None, said["modelApprovalStatus"])
    may_keep = {"the start": True, "the verdict": same, "the decision": shown}
    kept = [what for what in _FROM_LEDGER if may_keep[what] and _says(what, said) and not _says(what, found)]
    if not kept:
        return found
    why = f"the ledger no longer knows {', '.join(kept)}; this is what the evidence said before"
    names = [name for what in kept for name in _FROM_LEDGER[what]]
    return _noted({**found, **_values(said, names)}, f"{found['pipelineExecutionArn']}: {why}")


def _says(what: str, evidence: Evidence) -> bool:
    """Whether the evidence says anything of the start, the verdict or the decision."""
    if what == "the start":
        return bool(evidence["trigger"].get("startKey"))
    return any(evidence.get(name) for name in _FROM_LEDGER[what])


def _with_objects(said: Evidence, found: Evidence) -> Evidence:
    """What was said of a registered model's objects stays where they are other versions now, or gone."""
    if said["modelPackageArn"] is None or said["modelPackageArn"] != found["modelPackageArn"]:
        return found
    whole = found
    for name, names in _FROM_OBJECTS.items():
        before, now = ((one[name] or {}).get(_VERSION[name]) for one in (said, found))
        if before is None or said[name] == found[name]:
            continue
        whole = {**whole, **_values(said, names)}
        if now not in (None, before):
            uri = said[name].get("uri") or said[name]["report"]
            why = "this object has changed; what the evidence says of it is from before"
            whole = _noted(whole, f"{uri}: {why}")
    return whole


def _values(said: Evidence, names: Iterable[str]) -> Evidence:
    return {name: said[name] for name in names if name in said}


def _noted(evidence: Evidence, text: str) -> Evidence:
    return {**evidence, "missing": [*evidence["missing"], text]}
