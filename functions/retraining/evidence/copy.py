"""The copy of the evidence in S3. Several functions write it, and none of them overwrites newer facts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from retraining.aws import pipelines
from retraining.evidence.gather import Evidence, gather, gather_gone
from retraining.evidence.sources import Sources, evidence_key, json_object
from retraining.facts.package import Package

ATTEMPTS: Final = 5
"""Times that gathering and writing is tried while other functions write the copy in S3, too."""

_FROM_LEDGER: Final = {
    "the start": ("trigger",),
    "the verdict": ("verdict", "judgedAgain", "earlierVerdicts"),
    "the decision": ("decidedBy", "decidedWho", "decidedAt", "decidedWhy", "earlierDecisions"),
}
"""Keys of the evidence that only the ledger can fill, by what they are."""


@dataclass(frozen=True)
class Copy:
    """The copy of the evidence in S3 as it was at a time: its ETag, or that there was none."""

    condition: dict[str, Any]

    @property
    def exists(self) -> bool:
        return "IfMatch" in self.condition


@dataclass(frozen=True)
class Written:
    """A copy that was written: the evidence, its bytes in S3, and the id of that version of the object."""

    evidence: Evidence
    body: bytes
    version_id: str | None


def copy_now(sources: Sources, model: str, execution_arn: str) -> Copy:
    """The copy as it is now. A caller that reads a package after this may give both to `write`."""
    return Copy(_unchanged(sources, evidence_key(model, execution_arn.rsplit("/", 1)[-1])))


def write(
    sources: Sources,
    model: str,
    execution_arn: str,
    *,
    package_arn: str | None = None,
    known: tuple[Package, Copy] | None = None,
) -> Written:
    """Gather the evidence and write its copy in S3; what was written.

    Two functions may do this at once, and the one that gathered first may write last. So the copy is
    only replaced if it is still the one that was there before gathering; otherwise it is gathered anew.
    With `known`, the first attempt uses that package, which was read after that copy was looked at.

    Where the execution was deleted together with its pipeline, the copy keeps what it said of the execution,
    and `package_arn` names the package that outlived it. Where the ledger was lost, the copy keeps what it
    said of start, verdict and decision.
    """
    key = evidence_key(model, execution_arn.rsplit("/", 1)[-1])
    for attempt in range(ATTEMPTS):
        execution = pipelines.find(sources.sagemaker, execution_arn)
        package, copy = known or (None, Copy(_unchanged(sources, key)))
        if execution is None:
            found = gather_gone(sources, model, execution_arn, package.arn if package else package_arn)
        else:
            found = gather(sources, model, execution, package=package)
        if copy.exists and not all(_says(what, found) for what in _FROM_LEDGER):
            _keep(json_object(sources, key, found["missing"]), found)
        body = json.dumps(found, indent=1, ensure_ascii=False).encode()
        try:
            answer = sources.s3.put_object(
                Bucket=sources.bucket, Key=key, Body=body, ContentType="application/json", **copy.condition
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("PreconditionFailed", "ConditionalRequestConflict") or attempt == ATTEMPTS - 1:
                raise
            known = None  # the copy was written meanwhile, so the package may have changed
        else:
            return Written(found, body, answer.get("VersionId"))
    raise AssertionError("the last attempt returns or raises")


def _unchanged(sources: Sources, key: str) -> dict[str, Any]:
    try:
        return {"IfMatch": sources.s3.head_object(Bucket=sources.bucket, Key=key)["ETag"]}
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        return {"IfNoneMatch": "*"}


def _keep(copy: Evidence, found: Evidence) -> None:
    """Keep what the copy says of start, verdict and decision where the ledger knows nothing: it was lost.

    What the copy says of a decision that the package no longer shows is not kept.
    """
    same = copy.get("modelPackageArn") == found["modelPackageArn"]
    shown = same and found["modelApprovalStatus"] in (None, copy.get("modelApprovalStatus"))
    may_keep = {"the start": True, "the verdict": same, "the decision": shown}
    kept = [
        what
        for what, names in _FROM_LEDGER.items()
        if may_keep[what] and _says(what, copy) and not _says(what, found)
    ]
    for what in kept:
        found |= {name: copy[name] for name in _FROM_LEDGER[what] if name in copy}
    if kept:
        said = f"the ledger no longer knows {', '.join(kept)}; this is what the evidence said before"
        found["missing"].append(f"{found['pipelineExecutionArn']}: {said}")


def _says(what: str, evidence: Evidence) -> bool:
    """Whether the evidence says anything of the start, the verdict or the decision."""
    if what == "the start":
        return bool((evidence.get("trigger") or {}).get("startKey"))
    return any(evidence.get(name) for name in _FROM_LEDGER[what])
