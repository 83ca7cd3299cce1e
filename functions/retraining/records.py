"""What is kept of an execution: its evidence, the evidence's proof, and its report, in this order.

A report may hang until Lambda ends the function. So a caller writes evidence and proof, marks its own fact,
and makes the report last: nothing that must be recorded waits for it.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from retraining import evidence, proof, report
from retraining.aws.measures import measure
from retraining.aws.observability import logger
from retraining.evidence import Copy, Sources, Written
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
) -> Written:
    """Write the evidence as `evidence.write` does, then its proof; what was written.

    Raises what prevents evidence or proof; the caller's fact is then not marked, and the sweep repeats the
    call.
    """
    for attempt in range(ATTEMPTS):
        written = evidence.write(
            sources,
            model,
            execution_arn,
            package_arn=package_arn,
            known=known,
            recorded=partial(proof.recorded, sources, model, execution_arn),
        )
        try:
            proof.record(sources, model, written)
        except proof.Replaced:
            known = None  # what the copy was replaced by may know more
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return written
    raise AssertionError("the last attempt returns or raises")


def make_report(sources: Sources, model: str, written: Written) -> None:
    """Make the report of what was written, after the caller's fact is marked: it stops nothing.

    One that fails is logged and counted. It and one that was cut off are made with the next evidence.
    """
    try:
        report.write(sources, model, written)
    except Exception:
        logger.exception("report was not written", execution=written.evidence["pipelineExecutionArn"])
        measure("ReportsFailed")
