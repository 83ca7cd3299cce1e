"""What is kept of an execution: its evidence, the evidence's proof, and its report, in this order."""

from __future__ import annotations

from typing import Final

from retraining import evidence, proof, report
from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.evidence import Copy, Sources
from retraining.facts.package import Package

ATTEMPTS: Final = 3
"""Times that evidence is written again because it was replaced before it was recorded."""


def write(
    sources: Sources,
    model: str,
    execution_arn: str,
    *,
    package_arn: str | None = None,
    known: tuple[Package, Copy] | None = None,
) -> None:
    """Write the evidence as `evidence.write` does, then its proof, then its report.

    Raises what prevents evidence or proof; the caller's fact is then not marked, and the sweep repeats the
    call. A report that fails is logged and counted, and is written with the next evidence: it stops nothing.
    """
    for attempt in range(ATTEMPTS):
        written = evidence.write(sources, model, execution_arn, package_arn=package_arn, known=known)
        try:
            proof.record(sources, model, written)
            break
        except proof.Replaced:
            known = None  # what the copy was replaced by may know more
            if attempt == ATTEMPTS - 1:
                raise
    try:
        report.write(sources, model, written)
    except Exception:
        logger.exception("report was not written", execution=execution_arn)
        measure("ReportsFailed")
