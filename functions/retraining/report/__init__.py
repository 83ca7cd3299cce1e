"""The report of an execution: its evidence, its pictures and the model's history on one page.

report.html lies beside evidence.json. It is one file without scripts, which loads nothing.
"""

from __future__ import annotations

from retraining.evidence import Sources, Written, evidence_key


def key_of(model: str, execution_id: str) -> str:
    """Where the report of an execution lies in the data bucket."""
    return evidence_key(model, execution_id).removesuffix("evidence.json") + "report.html"


def write(sources: Sources, model: str, written: Written) -> None:
    """Write the report of this evidence beside it. Raises ClientError and HandsoffError where that fails."""
    from retraining.report import making  # templates and drawings take time to load, and most calls need none

    making.write(sources, model, written)
