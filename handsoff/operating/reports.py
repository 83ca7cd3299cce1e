"""The report of an execution: the one that lies beside its evidence, or one made now."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from handsoff.deployment import Deployment
from handsoff.operating.executions import evidence_of, sources_of
from retraining.aws.pipelines import Execution
from retraining.evidence import Evidence
from retraining.report import key_of


@dataclass(frozen=True)
class Report:
    """A report: HTML, and the address where it lies in the data bucket; None if it was made now."""

    html: bytes
    uri: str | None


def report_of(deployment: Deployment, execution: Execution) -> Report:
    """The stored report of an execution. Without one, as of an earlier version, it is made from the evidence.

    Raises ClientError where AWS refuses.
    """
    key = key_of(_model(deployment, execution), execution.identity)
    try:
        body = deployment.s3.get_object(Bucket=deployment.bucket, Key=key)["Body"].read()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return Report(made(deployment, execution, evidence_of(deployment, execution)), None)
    return Report(body, f"s3://{deployment.bucket}/{key}")


def made(deployment: Deployment, execution: Execution, evidence: Evidence) -> bytes:
    """The report of this evidence, with the pictures and the history of now."""
    from retraining.report.making import document  # its libraries take time to load

    return document(sources_of(deployment), _model(deployment, execution), evidence)


def uri_of(deployment: Deployment, execution: Execution) -> str:
    """Where the report of an execution lies, or will."""
    return f"s3://{deployment.bucket}/{key_of(_model(deployment, execution), execution.identity)}"


def save(html: bytes, path: Path) -> str:
    """Write a report to this path; its address for a browser. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(html)
    return path.resolve().as_uri()


def _model(deployment: Deployment, execution: Execution) -> str:
    return execution.pipeline.removeprefix(f"{deployment.prefix}-")
