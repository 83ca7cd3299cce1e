"""The evidence of an execution: evidence.json, as docs/reference/evidence.md describes it.

`model` has its form. `gather` collects it (`objects`: what it says of objects in S3; `facts`: what happened,
in order). `copy` writes it to S3, `keeping` says what of an earlier copy stays, and `versions` reads those of
earlier versions. records.py writes the evidence together with its proof and its report.
"""

from retraining.evidence.copy import ATTEMPTS, Copy, Recorded, Written, copy_now, kept, now, write
from retraining.evidence.gather import decision, gather, verdict
from retraining.evidence.model import SCHEMA_VERSION, json_schema
from retraining.evidence.sources import Evidence, Sources, evidence_key, uri
from retraining.evidence.versions import upgraded

__all__ = [
    "ATTEMPTS",
    "SCHEMA_VERSION",
    "Copy",
    "Evidence",
    "Recorded",
    "Sources",
    "Written",
    "copy_now",
    "decision",
    "evidence_key",
    "gather",
    "json_schema",
    "kept",
    "now",
    "upgraded",
    "uri",
    "verdict",
    "write",
]
