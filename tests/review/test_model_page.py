"""`GET /models/<model>`: a model's history behind a link of its own, which decides nothing."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError

from retraining.aws.observability import logger
from retraining.facts import keys
from retraining.links import Links
from retraining.review_page.http import Response
from retraining.starts import pausing
from tests.functions.fakes import arn_of, titanic_config
from tests.review.stage import CANDIDATE, CHAMPION, NOW, Stage, request, text_of


def ask(
    stage: Stage, token: str | None = None, path: str = "/models/titanic", method: str = "GET"
) -> Response:
    token = stage.links.token("titanic", "model") if token is None else token
    return stage.answer(request(method, path, query=urlencode({"t": token})))


def started(stage: Stage, name: str, status: str, **fact: Any) -> str:
    """Let an execution have been started, and the ledger know this of it; its ARN."""
    arn = stage.sagemaker.start_bare(name)
    stage.sagemaker.end(arn, status)
    if fact:
        stage.using.ledger.mark(keys.execution(arn), **fact)
    return arn


def test_page_shows_champion_candidate_versions_and_decisions(stage: Stage) -> None:
    answer = ask(stage)
    assert answer["statusCode"] == 200
    text = text_of(answer)
    assert "titanic ✓ Champion version 6, accuracy 0.8053 (0.7531 to 0.8487)" in text
    assert "Version 7 waits for a decision" in text
    assert "Ada Lovelace, through a review link (the name as typed)" in text
    assert "recall of women is too low for the ferry line" in text
    for version in (2, 3, 4, 5, 6, 7):
        assert f'<th scope="row">{version}<span' in answer["body"]
    assert "cron(0 6 ? * MON *), time zone UTC" in text
    assert "Paused no" in text
    assert re.search(r"Next start by the schedule \d\d \w{3} \d{4}, 06:00 UTC", text)
    assert "data:image/svg+xml," in answer["body"]  # the history, drawn


def test_page_decides_nothing(stage: Stage) -> None:
    answer = ask(stage)
    assert "<form" not in answer["body"]
    assert stage.links.token(CANDIDATE)[:20] not in answer["body"]
    assert "review?t=" not in answer["body"]
    assert ask(stage, method="POST")["statusCode"] == 405
    assert stage.status == "PendingManualApproval"


def test_page_shows_executions_with_what_came_of_them(stage: Stage) -> None:
    failed = started(
        stage,
        "one",
        "Failed",
        trigger="landing",
        steps={"DataPreProcessing": "Succeeded", "TrainModel": "Failed"},
    )
    runs = started(stage, "two", "Executing")
    made = started(stage, "three", "Succeeded", trigger="schedule")
    stage.sagemaker.packages[CANDIDATE]["CustomerMetadataProperties"]["execution"] = made
    text = text_of(ask(stage))
    table = text[text.index("What came of it") :]
    assert table.index(made.rsplit("/", 1)[-1]) < table.index(failed.rsplit("/", 1)[-1])
    assert "✓ Succeeded the schedule version 7" in table
    assert "✕ Failed new data TrainModel failed" in table
    assert f"{runs.rsplit('/', 1)[-1]}" in table
    assert "● Executing by hand in SageMaker —" in table


def test_page_says_what_waits_and_that_the_model_is_paused(stage: Stage) -> None:
    retrain = titanic_config().retrain.model_copy(update={"paused": True, "schedule": None})
    stage.configs.known["titanic"] = titanic_config().model_copy(update={"retrain": retrain})
    state = {
        "pending": [
            {"cause": "landing", "trigger": "landing", "requestedBy": "s3", "at": "2026-11-23T06:00:00+00:00"}
        ],
        "answer": "wait",
        "reason": "retraining is paused <b>",
    }
    stage.items.mark("model#titanic", {"state": state, "version": 1})
    text = text_of(ask(stage))
    assert "Runs no execution Waits retraining is paused <b> Paused by retrain.paused" in text
    assert "Schedule none" in text


def test_page_says_who_paused_the_model_and_why(stage: Stage) -> None:
    pausing.pause("titanic", by="arn:aws:iam::1:user/ada", why="the source is <broken>", using=stage.using)
    text = text_of(ask(stage))
    assert " UTC by arn:aws:iam::1:user/ada: the source is <broken>" in text
    pausing.resume("titanic", by="arn:aws:iam::1:user/ada", why="", using=stage.using)
    assert "Paused no" in text_of(ask(stage))


def test_page_of_a_model_without_versions_says_so() -> None:
    stage = Stage()
    stage.sagemaker.packages.clear()
    text = text_of(ask(stage))
    assert "No version is approved, so the model has no champion." in text
    assert "No version has been registered yet." in text
    assert "No execution has been started yet." in text


def test_page_survives_what_cannot_be_read(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def throttled(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ThrottlingException"}}, "ListModelPackages")

    monkeypatch.setattr(stage.sagemaker, "list_model_packages", throttled)
    monkeypatch.setattr(stage.sagemaker, "list_pipeline_executions", throttled)
    stage.items.mark("model#titanic", {"state": 5, "version": 1})
    answer = ask(stage)
    assert answer["statusCode"] == 200
    text = text_of(answer)
    for what in ("The history is", "The executions are", "What runs and waits is"):
        assert f"{what} not known." in text
    assert "No version" not in text


def test_page_of_a_model_without_valid_configuration_shows_the_rest(stage: Stage) -> None:
    stage.configs.broken = True
    text = text_of(ask(stage))
    assert "The model has no valid configuration now." in text
    assert "Version 7 waits for a decision" in text


def test_page_escapes_all_text(stage: Stage) -> None:
    stage.decided(arn_of(5), "Rejected", "link", "<script>alert(1)</script>", "<img src=x onerror=y>\u202e")
    stage.sagemaker.packages[CHAMPION]["CustomerMetadataProperties"]["execution"] = "<i>"
    body = ask(stage)["body"]
    assert "<script" not in body
    assert "<img src=x" not in body
    assert "\u202e" not in body
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in body


@pytest.mark.parametrize(
    "token",
    [
        "xyzzy-token",
        Links("another", "").token("titanic", "model"),
        Links("a secret", "").token("titanic"),
        Links("a secret", "").token("titanic", "look"),
        Links("a secret", "").token(CANDIDATE),
        Links("a secret", "").token("fares", "model"),
    ],
    ids=["no token", "another deployment", "a candidate's", "a look", "a package", "another model"],
)
def test_link_of_another_kind_model_or_deployment_opens_nothing(stage: Stage, token: str) -> None:
    answer = ask(stage, token)
    assert answer["statusCode"] == 403
    assert "This link is not valid" in text_of(answer)
    assert token not in answer["body"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/models/fares", 403),
        ("/models/*", 403),
        ("/models/", 404),
        ("/models", 404),
        ("/models/titanic/", 404),
        ("/models/titanic/x", 404),
        ("//titanic", 404),
        ("/review/titanic", 404),
    ],
)
def test_link_opens_its_own_path_only(stage: Stage, path: str, status: int) -> None:
    assert ask(stage, path=path)["statusCode"] == status


def test_link_without_a_token_says_that_it_is_not_complete(stage: Stage) -> None:
    assert ask(stage, "")["statusCode"] == 400


def test_link_expires_by_the_models_config_and_says_how_to_get_another(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = stage.links.token("titanic", "model")
    later = datetime.now(UTC).timestamp() + timedelta(hours=72).total_seconds() + 2
    monkeypatch.setattr("time.time", lambda: later)
    answer = ask(stage, token)
    assert answer["statusCode"] == 410
    text = text_of(answer)
    assert "It led to the history of titanic, and was made on" in text
    assert "handsoff review --model titanic" in text
    assert "Champion" not in text


def test_page_has_the_headers_of_every_page_and_logs_no_token(stage: Stage) -> None:
    said: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{vars(record)} {self.format(record)}")

    keeping = Keeping()
    logger.addHandler(keeping)
    token = stage.links.token("titanic", "model")
    try:
        answer = ask(stage, token)
        ask(stage, token, path="/models/fares")
    finally:
        logger._logger.removeHandler(keeping)
    assert len(said) >= 2
    assert not [line for line in said if token in line]
    assert answer["headers"]["referrer-policy"] == "same-origin"
    assert answer["headers"]["cache-control"] == "no-store"
    assert "default-src 'none'" in answer["headers"]["content-security-policy"]
    assert ask(stage, token, method="HEAD")["body"] == ""


def test_page_names_the_older_champion_beyond_the_newest_versions(stage: Stage) -> None:
    for version in range(8, 40):
        stage.put(arn_of(version), "Rejected", NOW + timedelta(minutes=version))
    body = ask(stage)["body"]
    assert '<th scope="row">39<span' in body
    assert '<th scope="row">6<span' in body
    assert '<th scope="row">7<span' not in body
