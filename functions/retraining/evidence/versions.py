"""Pure: evidence that earlier versions of handsoff wrote, in today's form."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ValidationError

from retraining import report_keys
from retraining.evidence.model import SCHEMA_VERSION
from retraining.facts.starts import StartRequest
from retraining.verdicts.verdict import Verdict

Json = dict[str, Any]

_NEW: Final[Json] = {
    "parameters": {},
    "code": None,
    "config": None,
    "image": None,
    "training": None,
    "packages": None,
    "registeredAt": None,
    "artifact": None,
    "evaluation": None,
    "dataChanges": None,
    "search": None,
    "champion": None,
    "judgedAt": None,
    "judgedAgain": None,
    "earlierVerdicts": [],
    "earlierDecisions": [],
    "anchor": None,
    "notifications": [],
    "facts": [],
    "missing": [],
}
"""Keys that version 1 or 2 did not have, with the value of what is not known."""


def upgraded(found: Json, model: str) -> Json:
    """The evidence with every key of today's form. What an earlier version did not note is null or empty.

    Evidence of today's version, or of a newer one, stays as it is.
    """
    if found.get("schemaVersion", 1) >= SCHEMA_VERSION:
        return found
    decided = found.get("modelApprovalStatus") if found.get("decidedBy") else None
    return {
        **_NEW,
        "decidedStatus": decided,
        **found,
        "schemaVersion": SCHEMA_VERSION,
        "model": model,
        "trigger": _trigger(found["trigger"]),
        "data": _data(report_keys.camel_case(found["data"])),
        "steps": [{"jobArn": None, **step} for step in found["steps"]],
        "verdict": _verdict(found.get("verdict")),
        "earlierVerdicts": [
            {**item, "verdict": _verdict(item["verdict"])} for item in found.get("earlierVerdicts", [])
        ],
    }


def _trigger(found: Json) -> Json:
    """What started the execution. Version 1 called requests `wishes`, with keys of another case."""
    requests = found.get("requests") or found.get("wishes") or ()
    return {
        "landedAt": None,
        "admittedAt": None,
        **{name: value for name, value in found.items() if name != "wishes"},
        "requests": [StartRequest.model_validate(one).model_dump(by_alias=True) for one in requests],
    }


def _data(found: Json) -> Json:
    """The batch without what was not noted of its documents. Sizes of files were called `bytes`."""
    files = found.get("files", [])
    documents = [name + end for name in ("manifest", "report") for end in ("", "VersionId", "Sha256")]
    return {
        **dict.fromkeys(documents),
        "fileCount": len(files) or None,
        **found,
        "files": [
            {"checksum": None, "sha256": None, "rows": None, "size": file.get("bytes", 0), **file}
            for file in files
        ],
    }


def _verdict(found: Json | None) -> Json | None:
    """The verdict with codes, kinds and numbers, as far as its texts tell them."""
    if found is None:
        return None
    codes = found.get("reasonCodes")
    reasons = found["reasons"]
    if codes:
        reasons = [{"code": code, "text": text} for code, text in zip(codes, reasons, strict=True)]
    try:
        return Verdict.model_validate({**found, "reasons": reasons}).as_evidence()
    except ValidationError:  # of a version whose words are not known any more: as it was written
        return found
