"""Executions in memory, by what became of them, and their reports."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from retraining import evidence, report
from retraining.evidence import Sources, Written
from retraining.report.making import document
from tests.functions.fakes import ROOT
from tests.functions.memory import MemoryS3
from tests.review.stage import CANDIDATE, EXECUTION, NOW, PICTURES, Stage

EXECUTION_ID: Final = "v7w8x9y0z1a2"
KEY: Final = report.key_of("titanic", EXECUTION_ID)


def sample(name: str = "pictures") -> dict[str, Any]:
    """A sample of pictures.json that ModelEvaluation writes."""
    found: dict[str, Any] = json.loads((ROOT / f"tests/samples/{name}.json").read_text())
    return found


def put(stage: Stage, key: str, value: object) -> None:
    """Put an object into the bucket: bytes as they are, anything else as JSON."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    stage.s3.put_object(Key=key, Body=body)


def held() -> Stage:
    """A candidate that waits for a person."""
    return Stage()


def approved() -> Stage:
    """A candidate that a person has approved."""
    stage = held()
    stage.put(CANDIDATE, "Approved", NOW, decidedAt=NOW.isoformat(), approvedAt=NOW.isoformat())
    stage.decided(CANDIDATE, "Approved", "link", "Ada Lovelace", "0.91 is enough for the ferry line.")
    return stage


def rejected() -> Stage:
    """A candidate that the rules have rejected."""
    stage = held()
    stage.put(CANDIDATE, "Rejected", NOW, decidedAt=NOW.isoformat())
    stage.decided(CANDIDATE, "Rejected", "rules", None, "REJECT by rules")
    return stage


def rolled_back() -> Stage:
    """A champion that was taken back: it had been approved by a person before."""
    stage = held()
    stage.put(CANDIDATE, "Rejected", NOW, decidedAt=NOW.isoformat())
    before = {
        "status": "Approved", "by": "link", "who": "Ada Lovelace", "why": "good",
        "at": (NOW - timedelta(hours=3)).isoformat(),
    }  # fmt: skip
    stage.decided(CANDIDATE, "Rejected", "operator", "arn:aws:iam::1:user/ops", "wrong prices since noon")
    key = f"decision#{CANDIDATE}"
    stage.items.mark(key, {**(stage.decision or {}), "earlier": [before]})
    return stage


def failed() -> Stage:
    """An execution whose training failed, so that there is no package."""
    stage = Stage(None)
    del stage.sagemaker.packages[CANDIDATE]
    stage.sagemaker.steps = stage.sagemaker.steps[:2]
    stage.sagemaker.steps[1] |= {"StepStatus": "Failed", "FailureReason": "AlgorithmError: exit code 1"}
    stage.sagemaker.execution |= {"PipelineExecutionStatus": "Failed", "FailureReason": "a step failed"}
    return stage


def without_pictures() -> Stage:
    """An execution of an earlier version, which drew nothing."""
    stage = Stage()
    stage.s3.delete_object(Key=PICTURES)
    return stage


CASES: Final[Mapping[str, Callable[[], Stage]]] = {
    "held": held,
    "approved": approved,
    "rejected": rejected,
    "rolled back": rolled_back,
    "failed": failed,
    "without pictures": without_pictures,
}


def sources(stage: Stage) -> Sources:
    return stage.using.sources


def write(stage: Stage) -> Written:
    """Write evidence and report; what was written as evidence."""
    written = evidence.write(sources(stage), "titanic", EXECUTION)
    report.write(sources(stage), "titanic", written)
    return written


def stored(stage: Stage) -> str:
    """The report in the bucket."""
    body: bytes = stage.s3.get_object(Key=KEY)["Body"].read()
    return body.decode()


def page_of(stage: Stage) -> str:
    """The report after it is written."""
    write(stage)
    return stored(stage)


def text_of(page: str) -> str:
    """What a person reads of a report, with the text alternatives of its pictures."""
    body = re.sub(r'<img [^>]*\balt="([^"]*)"[^>]*>', r" \1 ", page.partition("<body>")[2])
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def told(stage: Stage, **changes: Any) -> str:
    """The report of this evidence with some keys replaced."""
    written = evidence.write(sources(stage), "titanic", EXECUTION)
    return document(sources(stage), "titanic", {**written.evidence, **changes}).decode()


class Slow(MemoryS3):
    """A bucket in which another writer comes between: `happens` is called once before a put of a report."""

    happens: Callable[[], object] | None = None

    def put_object(self, *, Key: str, Body: bytes, **more: Any) -> dict[str, str]:
        if Key == KEY and self.happens:
            happens, self.happens = self.happens, None
            happens()
        return super().put_object(Key=Key, Body=Body, **more)


def with_another_writer(stage: Stage) -> Slow:
    """Give the stage a bucket in which another writer may come between."""
    bucket = Slow(stage.s3.clock)
    bucket.versions, bucket.count = stage.s3.versions, stage.s3.count
    stage.s3 = bucket
    stage.using = replace(stage.using, s3=bucket)  # type: ignore[arg-type]
    return bucket
