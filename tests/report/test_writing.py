"""report/making.py: the report of later evidence stays, whoever writes last."""

from __future__ import annotations

import re

import pytest
from botocore.exceptions import ClientError

from retraining import evidence, report
from tests.functions.fakes import Before
from tests.report.cases import (
    KEY,
    held,
    rejected,
    sources,
    stored,
    text_of,
    with_another_writer,
    write,
)
from tests.review.stage import CANDIDATE, EXECUTION, NOW, Stage


def reject(stage: Stage) -> None:
    """Reject the candidate, and write evidence and report of that."""
    stage.put(CANDIDATE, "Rejected", NOW, decidedAt=NOW.isoformat())
    stage.decided(CANDIDATE, "Rejected", "slack", "U0123ABCD (grace)", "recall of women fell")
    write(stage)


def test_report_lies_beside_the_evidence() -> None:
    stage = held()
    write(stage)
    assert KEY == "evidence/titanic/v7w8x9y0z1a2/report.html"
    assert "The candidate waits for a person" in text_of(stored(stage))


def test_report_is_replaced_when_a_decision_follows() -> None:
    stage = held()
    write(stage)
    reject(stage)
    assert "Rejected by U0123ABCD (grace), in Slack" in text_of(stored(stage))
    assert len(stage.s3.versions[KEY]) == 2


def test_writer_with_older_evidence_does_not_replace_the_later_report() -> None:
    stage = held()
    older = evidence.write(sources(stage), "titanic", EXECUTION)
    reject(stage)
    report.write(sources(stage), "titanic", older)
    assert "Rejected by U0123ABCD (grace), in Slack" in text_of(stored(stage))


@pytest.mark.parametrize("first", [True, False])
def test_report_that_another_writer_replaced_meanwhile_is_made_again(first: bool) -> None:
    stage = held()
    if not first:
        write(stage)
    bucket = with_another_writer(stage)
    bucket.happens = lambda: reject(stage)
    written = evidence.write(sources(stage), "titanic", EXECUTION)
    report.write(sources(stage), "titanic", written)
    assert bucket.happens is None
    assert "Rejected by U0123ABCD (grace), in Slack" in text_of(stored(stage))


def test_report_is_refused_after_five_other_writers() -> None:
    stage = held()
    bucket = with_another_writer(stage)

    def again() -> None:
        stage.s3.put_object(Key=KEY, Body=f"another {stage.s3.count}".encode())
        bucket.happens = again

    written = evidence.write(sources(stage), "titanic", EXECUTION)
    bucket.happens = again

    with pytest.raises(ClientError, match="PreconditionFailed"):
        report.write(sources(stage), "titanic", written)


def test_report_without_a_readable_history_says_so() -> None:
    stage = rejected()
    written = evidence.write(sources(stage), "titanic", EXECUTION)

    def fails() -> None:
        raise RuntimeError("no answer")

    broken = Before(stage.sagemaker, "list_model_packages", fails)
    stage.using = stage.using.__class__(**{**vars(stage.using), "sagemaker": broken})
    report.write(sources(stage), "titanic", written)
    text = text_of(stored(stage))
    assert "The history is not known. It could not be read: RuntimeError." in text
    assert re.search(r"Rejected by the rules on .* UTC", text)
