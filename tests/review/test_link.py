"""review_page/link.py: which links open the page, and why the others do not."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from retraining.aws.observability import logger
from retraining.links import Links
from tests.functions.fakes import titanic_config
from tests.review.stage import CANDIDATE, Stage, request, text_of, undecided


def test_expired_link_says_how_to_get_another(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    token, form = stage.token, stage.form()
    later = datetime.now(UTC).timestamp() + timedelta(hours=72).total_seconds() + 2
    monkeypatch.setattr("time.time", lambda: later)
    filled = {**form, "name": "Ada", "decision": "Approved", "reason": "fine"}
    for answer in (
        stage.get(token),
        stage.answer(request("POST", "/review", body=urlencode(filled).encode())),
    ):
        assert answer["statusCode"] == 410
        text = text_of(answer)
        assert "This link has expired It led to titanic, version 7" in text
        assert "carries a new link" in text
        assert "accuracy" not in text
    assert undecided(stage)


def test_link_expires_by_the_models_present_config(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    token = stage.token
    approval = titanic_config().approval.model_copy(update={"link_expires_after": timedelta(minutes=5)})
    stage.configs.known["titanic"] = titanic_config().model_copy(update={"approval": approval})
    assert stage.get(token)["statusCode"] == 200
    later = datetime.now(UTC).timestamp() + 302
    monkeypatch.setattr("time.time", lambda: later)
    assert stage.get(token)["statusCode"] == 410


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", Links("another", "").token(CANDIDATE), "ä", "%00", "x" * 5000]
)
def test_changed_link_is_refused_without_details(stage: Stage, token: str) -> None:
    answer = stage.get(token)
    assert answer["statusCode"] == 403
    assert "This link is not valid" in text_of(answer)
    assert "titanic" not in text_of(answer)
    assert token not in text_of(answer)


def test_incomplete_link_says_so(stage: Stage) -> None:
    for query in ("", "t=", "x=1"):
        answer = stage.answer(request("GET", "/review", query=query))
        assert answer["statusCode"] == 400
        assert "This link is not complete" in text_of(answer)


def test_link_to_a_deleted_package_says_so(stage: Stage) -> None:
    del stage.sagemaker.packages[CANDIDATE]
    answer = stage.get()
    assert answer["statusCode"] == 404
    assert "This model package is gone" in text_of(answer)


def test_handler_raises_failures_of_aws(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "DescribeModelPackage")

    monkeypatch.setattr(stage.sagemaker, "describe_model_package", throttled)
    with pytest.raises(ClientError):
        stage.get()


def test_handler_logs_no_tokens(stage: Stage) -> None:
    said: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{vars(record)} {record.exc_text} {self.format(record)}")

    keeping = Keeping()
    logger.addHandler(keeping)
    try:
        token, form = stage.token, stage.form()
        stage.s3.put_object(Key="models/titanic/v7w8x9y0z1a2/data_report.json", Body=b"[]")
        stage.get()
        stage.get(token + "x")
        stage.post({"name": ""})
        stage.post({"form": "x"})
        stage.post()
        stage.post()
    finally:
        logger._logger.removeHandler(keeping)
    assert len(said) >= 6
    assert not [line for line in said if token in line or form["form"] in line]


@pytest.mark.parametrize("junk", ["\r\n", "\r\nset-cookie: a=b", "\n", " ", "=", "\x00"])
def test_link_with_characters_around_its_signature_decides_nothing(stage: Stage, junk: str) -> None:
    filled = {**stage.form(), "decision": "Approved", "name": "Ada", "reason": "fine"}
    filled["t"] += junk
    answer = stage.answer(request("POST", "/review", body=urlencode(filled).encode()))
    assert answer["statusCode"] == 403
    assert undecided(stage)


def test_link_for_reading_shows_the_candidate_and_decides_nothing(stage: Stage) -> None:
    token = stage.links.token(CANDIDATE, "look")
    answer = stage.get(token)
    assert answer["statusCode"] == 200
    assert "This link only shows: it was made for reading." in text_of(answer)
    assert "<form" not in answer["body"]
    form = stage.form()  # of a link that decides
    for proof in (form["form"], stage.links.form(token, "none")):
        filled = {"t": token, "form": proof, "decision": "Approved", "name": "Ada", "reason": "fine"}
        refusal = stage.answer(request("POST", "/review", body=urlencode(filled).encode()))
        assert refusal["statusCode"] == 403
        assert "This page decides nothing" in text_of(refusal)
    assert undecided(stage)


def test_link_of_a_model_opens_no_candidate(stage: Stage) -> None:
    for subject in ("titanic", CANDIDATE):
        assert stage.get(stage.links.token(subject, "model"))["statusCode"] == 403


def test_link_for_reading_expires_as_every_link(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    token = stage.links.token(CANDIDATE, "look")
    later = datetime.now(UTC).timestamp() + timedelta(hours=72).total_seconds() + 2
    monkeypatch.setattr("time.time", lambda: later)
    assert stage.get(token)["statusCode"] == 410
