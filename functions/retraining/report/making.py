"""Makes report.html and writes it beside evidence.json. The report of later evidence is never overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from botocore.exceptions import ClientError
from pydantic import ValidationError

from retraining.errors import HandsoffError
from retraining.evidence import Sources, Written, evidence_key
from retraining.html.pictures import Pictures, fitted
from retraining.html.render import policy_of_files, render
from retraining.report import key_of
from retraining.report.read import metric_of, pictures_of, versions_of
from retraining.report.told import Told
from retraining.report.view import Known, report

MAX_REPORT: Final = 300_000
"""Bytes of a report. Pictures that do not fit are left out, the last ones first."""

ATTEMPTS: Final = 5
"""Times that a report is made while other functions write it, too."""

_ROOMS: Final = (230_000, 120_000, 0)
"""Bytes for pictures that are tried, until the report fits."""

_TOO_MUCH: Final = "the report would have more than 300,000 bytes; pictures.json has it"

T = TypeVar("T")


def write(sources: Sources, model: str, written: Written) -> None:
    """Write the report of an execution's evidence.

    Two functions may do this at once, and the one with older evidence may come last. So the report is made
    from the evidence that lies in the bucket after the present report was looked at, and replaces only that
    one. Raises ClientError where AWS refuses, or others have written it ATTEMPTS times.
    """
    execution_id = str(written.evidence["pipelineExecutionArn"]).rsplit("/", 1)[-1]
    key = key_of(model, execution_id)
    for attempt in range(ATTEMPTS):
        condition = _unchanged(sources, key)
        body = document(sources, model, _evidence_now(sources, model, execution_id, written))
        try:
            sources.s3.put_object(
                Bucket=sources.bucket,
                Key=key,
                Body=body,
                ContentType="text/html; charset=utf-8",
                **condition,
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code not in ("PreconditionFailed", "ConditionalRequestConflict") or attempt == ATTEMPTS - 1:
                raise
        else:
            return


def document(sources: Sources, model: str, evidence: Mapping[str, Any]) -> bytes:
    """The report of this evidence, with pictures and history as they are now: HTML, at most MAX_REPORT bytes.

    Raises HandsoffError for evidence that has another form.
    """
    try:
        told = Told.model_validate(evidence)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise HandsoffError(f"evidence.json: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    unknown: dict[str, str] = {}
    uri = f"s3://{sources.bucket}/{evidence_key(model, told.execution_id)}"
    pictures = _read(
        unknown, "pictures", lambda: pictures_of(sources.s3, sources.bucket, model, told.execution_id)
    )
    group = told.pipeline_execution_arn.partition(":pipeline/")[2].partition("/")[0]
    versions = _read(unknown, "history", lambda: versions_of(sources, group)) or ()
    for room in _ROOMS:
        drawn = fitted(pictures or Pictures(), room, _TOO_MUCH)
        known = Known(model, told, uri, drawn, versions, metric_of(versions), unknown)
        body = render("report.html", report=report(known), policy=policy_of_files()).encode()
        if len(body) <= MAX_REPORT:
            break
    return body


def _read(unknown: dict[str, str], part: str, look: Callable[[], T]) -> T | None:
    """What `look` returns; None if it fails, and `unknown` says why by `part`."""
    try:
        return look()
    except HandsoffError as error:
        unknown[part] = str(error)
        return None


def _evidence_now(sources: Sources, model: str, execution_id: str, written: Written) -> Mapping[str, Any]:
    """The evidence in the bucket, which is that which was written or a later one."""
    found = sources.s3.get_object(Bucket=sources.bucket, Key=evidence_key(model, execution_id))["Body"].read()
    return written.evidence if found == written.body else json.loads(found)


def _unchanged(sources: Sources, key: str) -> dict[str, Any]:
    """The condition of a put that replaces the report only as it is now."""
    try:
        return {"IfMatch": sources.s3.head_object(Bucket=sources.bucket, Key=key)["ETag"]}
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("404", "NoSuchKey"):
            raise
        return {"IfNoneMatch": "*"}
