"""The evidence of an execution: evidence.json, as docs/reference/evidence.md describes it.

`gather` collects it, `copy` writes it to S3, and `sources` says where both read and write. records.py writes
the evidence together with its proof and its report.
"""

from retraining.evidence.copy import ATTEMPTS, Copy, Written, copy_now, write
from retraining.evidence.gather import SCHEMA_VERSION, Evidence, decision, gather, verdict
from retraining.evidence.sources import Sources, evidence_key, uri

__all__ = [
    "ATTEMPTS",
    "SCHEMA_VERSION",
    "Copy",
    "Evidence",
    "Sources",
    "Written",
    "copy_now",
    "decision",
    "evidence_key",
    "gather",
    "uri",
    "verdict",
    "write",
]
