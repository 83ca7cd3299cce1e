"""The Function URL's handler in memory: what it shows, what it refuses, and that only the form decides."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retraining.aws.observability import logger
from retraining.facts import keys
from retraining.links import FORM_MAX_AGE, Links
from retraining.review_page.form import MAX_FORM
from retraining.review_page.http import Response
from retraining.slack.endpoint import MAX_BODY, Endpoint
from tests.functions.fakes import ROOT, arn_of, titanic_config
from tests.review.stage import CANDIDATE, HOST, NOW, SAMPLE, Stage, request

EVENTS = ROOT / "events"


@pytest.fixture
def stage() -> Stage:
    return Stage()


def text_of(answer: Response) -> str:
    """What a person reads of a page."""
    body = answer["body"].partition("<body>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def undecided(stage: Stage) -> bool:
    return stage.status == "PendingManualApproval" and stage.decision is None and not stage.sagemaker.updates


# ---- the page --------------------------------------------------------------------------------------------


def test_page_shows_all_sections(stage: Stage) -> None:
    answer = stage.get()
    assert answer["statusCode"] == 200
    text = text_of(answer)
    for part in (
        "titanic, version 7",
        "Waits for a decision",
        "compared with version 1",
        "The rules leave this candidate to a person recall where sex = female: 0.9118, needs ≥ 0.93 → fail",
        "accuracy min 0.78 ✓ Met accuracy: 0.8053, needs ≥ 0.78",
        "accuracy 0.8053 0.7531 to 0.8487 0.8135 0.8254 −0.0119 −0.0352 to +0.0114 no clear difference",
        "sex = female 93 rows recall 0.9118",
        "1,047 training rows, 262 validation rows",
        "Columns that landed and are not used: name, ticket.",
        "age 20.2 % 19.5 % −0.0133 little",
        "Started by New data landed",
        "Batch 5946",
        "DataPreProcessing ✓ Succeeded",
        "2 ✕ Rejected the rules",
        "4 ✕ Rejected handsoff, as a newer candidate was approved",
        "5 ✕ Rejected U0123ABCD (grace), in Slack",
        "6 ✓ Approved Ada Lovelace, through a review link (the name as typed)",
        "better on every slice that matters to us",
        "Record the decision",
    ):
        assert part in text, part
    assert "Plots" not in text


def test_get_and_head_never_decide(stage: Stage) -> None:
    page = stage.get()
    assert stage.get(headers={"purpose": "prefetch"})["statusCode"] == 200
    head = stage.answer(request("HEAD", "/review", query=urlencode({"t": stage.token})))
    assert (head["statusCode"], head["body"]) == (200, "")
    assert head["headers"] == page["headers"]
    query = urlencode({**stage.form(), "decision": "Approved", "name": "a scanner", "reason": "it followed"})
    assert stage.answer(request("GET", "/review", query=query))["statusCode"] == 200
    assert undecided(stage)


def test_every_response_has_the_security_headers(stage: Stage) -> None:
    for answer in (stage.get(), stage.get("x"), stage.post({"name": ""}), stage.answer(request("GET", "/"))):
        headers = answer["headers"]
        style = answer["body"].partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert headers["content-security-policy"] == (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; "
            "frame-ancestors 'none'; base-uri 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert headers["strict-transport-security"] == "max-age=63072000"
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert "cookies" not in answer
        assert "set-cookie" not in headers
        assert "<script" not in answer["body"]
        assert " style=" not in answer["body"]


HOSTILE = "<script>alert(1)</script>\"'&{{7*7}} \u202egnp.exe\x1b[31m\x00"


def test_page_escapes_hostile_data() -> None:
    hostile = json.loads(SAMPLE)
    ours = hostile["handsoff"]
    for where in (ours["slices"][0], ours["comparison"]["slices"][0]):
        where["where"] = {HOSTILE: HOSTILE}
    ours["champion_problem"] = HOSTILE
    ours["data"]["train"]["missing_share"][HOSTILE] = 0.5
    stage = Stage(json.dumps(hostile))
    stage.decided(arn_of(6), HOSTILE, "link", HOSTILE, HOSTILE)
    stage.decided(arn_of(5), "Rejected", HOSTILE, HOSTILE, HOSTILE)
    stage.sagemaker.steps[0] |= {"StepName": HOSTILE, "FailureReason": HOSTILE, "StepStatus": HOSTILE}
    stage.sagemaker.execution["FailureReason"] = HOSTILE
    stage.items.mark(
        f"execution#{stage.sagemaker.packages[CANDIDATE]['CustomerMetadataProperties']['execution']}",
        {"requestedBy": HOSTILE},
    )
    body = stage.get()["body"]
    again = stage.post({"name": HOSTILE, "reason": HOSTILE, "decision": HOSTILE})["body"]
    for page in (body, again):
        assert page.count("&lt;script&gt;") >= 5
        assert "<script" not in page
        assert "49" not in page.partition("{{7*7}}")[0][-20:]
        for sign in ("\u202e", "\x1b", "\x00"):
            assert sign not in page


# ---- decisions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_form_decides_once_and_redirects_to_the_page(stage: Stage, status: str) -> None:
    answer = stage.post({"decision": status, "name": " Ada\tLovelace ", "reason": "good\r\nenough"})
    assert answer["statusCode"] == 303
    assert answer["headers"]["location"] == f"review?t={stage.token}"
    assert stage.status == status
    decision = stage.decision
    assert decision
    assert {name: decision[name] for name in ("status", "by", "who", "why")} == {
        "status": status,
        "by": "link",
        "who": "Ada Lovelace",
        "why": "good enough",
    }
    page = stage.get()
    assert f"{status} on" in text_of(page)
    assert "by Ada Lovelace, through a review link (the name as typed) “good enough”" in text_of(page)
    assert "<form" not in page["body"]
    assert len(stage.sagemaker.updates) == 1


def test_form_sent_twice_decides_once(stage: Stage) -> None:
    body = urlencode(
        {**stage.form(), "decision": "Approved", "name": "Ada", "reason": "better on every slice"}
    ).encode()
    answers = [stage.answer(request("POST", "/review", body=body)) for _ in range(2)]
    assert [answer["statusCode"] for answer in answers] == [303, 303]
    assert len(stage.sagemaker.updates) == 1


def test_form_after_another_decision_says_which_one_stands(stage: Stage) -> None:
    first, second = stage.form(), stage.form()
    assert (
        stage.post({**first, "name": "Ada", "decision": "Rejected", "reason": "too few"})["statusCode"] == 303
    )
    filled = {**second, "name": "Bob", "decision": "Approved", "reason": "fine"}
    answer = stage.answer(request("POST", "/review", body=urlencode(filled).encode()))
    assert answer["statusCode"] == 409
    text = text_of(answer)
    assert "Your decision was not recorded: the candidate is decided already" in text
    assert "It was rejected by Ada, through a review link (the name as typed): “too few”" in text
    assert stage.status == "Rejected"
    assert len(stage.sagemaker.updates) == 1


def test_form_after_an_equal_decision_says_whose_it_was(stage: Stage) -> None:
    forms = [stage.form(), stage.form()]
    answers = [
        stage.answer(
            request(
                "POST",
                "/review",
                body=urlencode({**form, "name": name, "decision": "Approved", "reason": "fine"}).encode(),
            )
        )
        for form, name in zip(forms, ("Ada", "Bob"), strict=True)
    ]
    assert [answer["statusCode"] for answer in answers] == [303, 409]
    assert "It was approved by Ada, through a review link" in text_of(answers[1])


def test_form_after_a_decision_in_aws_says_which_one_stands(stage: Stage) -> None:
    form = stage.form()
    stage.sagemaker.packages[CANDIDATE] |= {
        "ModelApprovalStatus": "Rejected",
        "ApprovalDescription": "seen in the console",
        "LastModifiedBy": {"IamIdentity": {"Arn": "arn:aws:iam::123456789012:user/eve"}},
    }
    filled = {**form, "name": "Ada", "decision": "Approved", "reason": "fine"}
    answer = stage.answer(request("POST", "/review", body=urlencode(filled).encode()))
    assert answer["statusCode"] == 409
    assert "rejected by arn:aws:iam::123456789012:user/eve, in AWS: “seen in the console”" in text_of(answer)
    assert stage.status == "Rejected"
    assert "<form" not in stage.get()["body"]


def test_page_while_decision_is_written_shows_it_without_form(stage: Stage) -> None:
    fact = {"status": "Approved", "by": "slack", "who": "U1 (eve)", "why": "fine", "at": NOW.isoformat()}
    stage.items.mark(keys.decision(CANDIDATE).text, fact)
    page = stage.get()
    assert "by U1 (eve), in Slack" in text_of(page)
    assert "It is being written to the model registry" in text_of(page)
    assert "<form" not in page["body"]


def test_form_decides_again_after_a_set_back(stage: Stage) -> None:
    stage.decided(CANDIDATE, "Rejected", "rules", None, "no", at=NOW - timedelta(hours=1))
    assert "<form" in stage.get()["body"]
    assert stage.post()["statusCode"] == 303
    assert stage.status == "Approved"


def test_form_approves_nothing_older_than_the_champion(stage: Stage) -> None:
    stage.put(arn_of(8), "Approved", NOW, approvedAt=NOW.isoformat())
    answer = stage.post({"decision": "Approved"})
    assert answer["statusCode"] == 409
    text = text_of(answer)
    assert "Your decision was not recorded: the candidate cannot be approved" in text
    assert "a newer version, handsoff-titanic/8, was approved" in text
    assert stage.status == "PendingManualApproval"


def set_back(stage: Stage, at: datetime, *, recorded: bool) -> None:
    """Somebody makes the candidate pending again in AWS; `recorded` says whether that is in the ledger."""
    stage.sagemaker.packages[CANDIDATE] |= {
        "ModelApprovalStatus": "PendingManualApproval",
        "LastModifiedTime": at,
    }
    if recorded:
        fact = {"status": "PendingManualApproval", "by": "person", "who": None, "why": "set back"}
        stage.items.mark(keys.decision(CANDIDATE).text, {**fact, "at": at.isoformat()})


def token_of(stage: Stage, at: datetime, monkeypatch: pytest.MonkeyPatch) -> str:
    """A link that was made then."""
    with monkeypatch.context() as then:
        then.setattr("time.time", at.timestamp)
        return stage.token


@pytest.mark.parametrize("recorded", [True, False])
def test_form_that_decided_decides_nothing_after_a_set_back(stage: Stage, recorded: bool) -> None:
    filled = {**stage.form(), "decision": "Approved", "name": "Ada", "reason": "fine"}
    event = request("POST", "/review", body=urlencode(filled).encode())
    assert stage.answer(event)["statusCode"] == 303
    set_back(stage, NOW, recorded=recorded)  # in the second in which the link was made
    answer = stage.answer(event)
    assert answer["statusCode"] in (403, 409)
    assert stage.status == "PendingManualApproval"
    assert len(stage.sagemaker.updates) == 1


def test_form_before_a_set_back_says_so_and_is_shown_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(stage, NOW + timedelta(seconds=2), monkeypatch)
    monkeypatch.setattr("time.time", (NOW + timedelta(seconds=3)).timestamp)
    filled = {**stage.form(token), "decision": "Approved", "name": "Ada", "reason": "fine"}
    event = request("POST", "/review", body=urlencode(filled).encode())
    assert stage.answer(event)["statusCode"] == 303
    set_back(stage, NOW + timedelta(seconds=2.7), recorded=True)
    answer = stage.answer(event)
    assert answer["statusCode"] == 409
    assert "Nothing was recorded: since the page was shown, a decision was set back" in text_of(answer)
    assert " checked" not in answer["body"]
    assert len(stage.sagemaker.updates) == 1
    fresh = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer["body"]))
    again = stage.answer(request("POST", "/review", body=urlencode({**filled, **fresh}).encode()))
    assert again["statusCode"] == 303


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(
    ("made", "decides"),
    [
        (timedelta(hours=-3), False),
        (timedelta(seconds=-1), False),
        (timedelta(0), True),
        (timedelta(seconds=1), True),
    ],
)
def test_link_made_before_a_set_back_decides_nothing(
    stage: Stage, recorded: bool, made: timedelta, decides: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = datetime(2026, 11, 20, 7, 10, 12, 900_000, tzinfo=UTC)
    now = (back + timedelta(minutes=1)).timestamp()
    monkeypatch.setattr("time.time", lambda: now)
    decided_at = back - timedelta(minutes=5)
    stage.put(CANDIDATE, "Approved", decided_at, decidedAt=decided_at.isoformat())
    stage.decided(CANDIDATE, "Approved", "link", "Bob", "a mistake", at=decided_at)
    set_back(stage, back, recorded=recorded)
    token = token_of(stage, back.replace(microsecond=0) + made, monkeypatch)
    page = stage.get(token)
    assert ("<form" in page["body"]) == decides
    if not decides:
        text = text_of(page)
        assert (
            "decides no more: the candidate was decided since, and set back to pending in AWS on 20 November"
            in text
        )
        assert "The message that it waits again carries a new link" in text
    form = {"t": token, "form": stage.links.form(token, back.isoformat())}
    answer = stage.post({**form, "decision": "Rejected"})
    assert answer["statusCode"] == (303 if decides else 403)
    assert stage.status == ("Rejected" if decides else "PendingManualApproval")


def test_form_waits_for_a_decision_that_ends_soon(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.items.claim("lease#handsoff-titanic", now=datetime.now(UTC), lease=timedelta(minutes=1))
    monkeypatch.setattr("retraining.review_page.form.PATIENCE", (0.001, 0.001))
    monkeypatch.setattr(
        "retraining.review_page.form.time.sleep",
        lambda _seconds: stage.items.release("lease#handsoff-titanic"),
    )
    assert stage.post()["statusCode"] == 303


def test_form_during_another_decision_is_shown_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining.review_page.form.PATIENCE", ())
    stage.items.claim("lease#handsoff-titanic", now=datetime.now(UTC), lease=timedelta(minutes=1))
    answer = stage.post()
    assert answer["statusCode"] == 409
    assert "another decision on this model is being written right now" in text_of(answer)
    assert 'value="Ada Lovelace"' in answer["body"]
    assert undecided(stage)
    stage.items.release("lease#handsoff-titanic")
    assert stage.post()["statusCode"] == 303


@pytest.mark.parametrize(
    ("typed", "problem", "field"),
    [
        ({"name": ""}, "Your name is missing", "name"),
        ({"name": " \u202e\x00 "}, "Your name is missing", "name"),
        ({"name": "a" * 81}, "Your name has 81 characters; at most 80 fit", "name"),
        ({"reason": "\r\n"}, "The reason is missing", "reason"),
        ({"reason": "r" * 301}, "The reason has 301 characters; at most 300 fit", "reason"),
        ({"decision": ""}, "Choose whether to approve or to reject", "decision"),
        ({"decision": "approved"}, "Choose whether to approve or to reject", "decision"),
        ({"decision": "PendingManualApproval"}, "Choose whether to approve or to reject", "decision"),
    ],
)
def test_form_with_wrong_fields_names_them_and_keeps_the_others(
    stage: Stage, typed: dict[str, str], problem: str, field: str
) -> None:
    answer = stage.post({"reason": "kept", **typed})
    assert answer["statusCode"] == 422
    assert f'<a href="#{field}">{problem}</a>' in answer["body"]
    assert f'id="{field}-problem">{problem}<' in answer["body"]
    if "reason" not in typed:
        assert ">kept</textarea>" in answer["body"]
    assert undecided(stage)


@pytest.mark.parametrize(("name", "reason"), [("a" * 80, "r" * 300), ("a", "r")])
def test_form_accepts_shortest_and_longest_fields(stage: Stage, name: str, reason: str) -> None:
    assert stage.post({"name": name, "reason": reason})["statusCode"] == 303


# ---- links -----------------------------------------------------------------------------------------------


def test_expired_link_says_how_to_get_another(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
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


# ---- who may send the form -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"sec-fetch-site": "same-origin", "origin": f"https://{HOST}"}, 303),
        ({"origin": f"https://{HOST.upper()}"}, 303),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": f"https://{HOST}.evil.example"}, 403),
        ({"origin": f"https://{HOST}:8443"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "https://[broken"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": "https://evil.example"}, 403),
    ],
)
def test_form_from_another_site_is_refused(stage: Stage, headers: dict[str, str], status: int) -> None:
    assert stage.post(headers=headers)["statusCode"] == status
    assert undecided(stage) == (status == 403)


@pytest.mark.parametrize("form", ["", "x", "of another link", "of another deployment", "the token"])
def test_form_with_another_nonce_decides_nothing(stage: Stage, form: str) -> None:
    forms = {
        "of another link": stage.links.form(stage.links.token(arn_of(8)), "none"),
        "of another deployment": Links("another", "").form(stage.token, "none"),
        "the token": stage.token,
    }
    answer = stage.post({"form": forms.get(form, form)})
    assert answer["statusCode"] == 403
    assert "the page had been open for too long, or this form is of another page" in text_of(answer)
    assert " checked" not in answer["body"]
    assert undecided(stage)


def test_form_older_than_an_hour_is_shown_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = stage.form()
    later = datetime.now(UTC).timestamp() + FORM_MAX_AGE.total_seconds() + 2
    monkeypatch.setattr("time.time", lambda: later)
    filled = {**form, "decision": "Approved", "name": "Ada", "reason": "long thought"}
    answer = stage.answer(request("POST", "/review", body=urlencode(filled).encode()))
    assert answer["statusCode"] == 403
    assert ">long thought</textarea>" in answer["body"]
    assert undecided(stage)
    fresh = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer["body"]))
    again = stage.answer(request("POST", "/review", body=urlencode({**filled, **fresh}).encode()))
    assert again["statusCode"] == 303


def test_read_only_page_shows_and_accepts_no_form(stage: Stage) -> None:
    form = stage.form()
    approval = titanic_config().approval.model_copy(update={"review_page": "read_only"})
    stage.configs.known["titanic"] = titanic_config().model_copy(update={"approval": approval})
    page = stage.get()
    assert "<form" not in page["body"]
    assert "This page only shows: decisions on this model are taken in Slack" in text_of(page)
    filled = {**form, "name": "Ada", "decision": "Approved", "reason": "fine"}
    answer = stage.answer(request("POST", "/review", body=urlencode(filled).encode()))
    assert answer["statusCode"] == 403
    assert undecided(stage)


def test_form_decides_by_the_present_config(stage: Stage) -> None:
    form = stage.form()
    approval = titanic_config().approval.model_copy(update={"review_page": "read_only"})
    stage.configs.fresh["titanic"] = titanic_config().model_copy(update={"approval": approval})
    assert "<form" in stage.get()["body"]  # a minute later, not any more
    assert stage.post(form)["statusCode"] == 403
    assert undecided(stage)


@pytest.mark.parametrize("broken", [True, False])
def test_page_without_a_valid_config_shows_no_form(stage: Stage, broken: bool) -> None:
    stage.configs.broken = broken
    del stage.configs.known["titanic"]
    answer = stage.get()
    assert answer["statusCode"] == 200
    assert "no valid configuration" in text_of(answer)
    assert "<form" not in answer["body"]


# ---- what is no request of ours --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/favicon.ico", 404, None),
        ("GET", "/review/", 404, None),
        ("GET", "/REVIEW", 404, None),
        ("POST", "/review/../slack", 404, None),
        ("PUT", "/review", 405, "GET, POST, HEAD"),
        ("DELETE", "/review", 405, "GET, POST, HEAD"),
        ("OPTIONS", "/review", 405, "GET, POST, HEAD"),
        ("post", "/review", 405, "GET, POST, HEAD"),
        ("GET", "/slack", 405, "POST"),
        ("HEAD", "/slack", 405, "POST"),
    ],
)
def test_handler_refuses_other_paths_and_methods(
    stage: Stage, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = stage.answer(request(method, path))
    assert (answer["statusCode"], answer["headers"].get("allow")) == (status, allow)
    assert (answer["body"] == "") == (method == "HEAD")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"kind": "application/json"}, 415),
        ({"kind": "multipart/form-data; boundary=x"}, 415),
        ({"kind": ""}, 415),
        ({"kind": "Application/X-WWW-Form-Urlencoded; charset=utf-8"}, 303),
    ],
)
def test_form_of_another_content_type_is_refused(stage: Stage, changes: dict[str, Any], status: int) -> None:
    assert stage.post(**changes)["statusCode"] == status


@pytest.mark.parametrize(("size", "status"), [(MAX_FORM, 422), (MAX_FORM + 1, 413)])
def test_form_above_the_maximum_size_is_refused(stage: Stage, size: int, status: int) -> None:
    start = urlencode(stage.form()).encode() + b"&reason="
    answer = stage.answer(request("POST", "/review", body=start + b"r" * (size - len(start))))
    assert answer["statusCode"] == status


@pytest.mark.parametrize(
    "body",
    ["%%%", "a", b"\xff\xfe=1".decode("latin-1"), "t=1&t=2", "&".join(f"f{n}=1" for n in range(30)), "t=%FF"],
)
def test_malformed_form_is_refused(stage: Stage, body: str) -> None:
    event = request("POST", "/review", body=b"x") | {"body": body, "isBase64Encoded": body == "%%%"}
    assert stage.answer(event)["statusCode"] == 400


def test_form_without_base64_is_read(stage: Stage) -> None:
    body = urlencode({**stage.form(), "decision": "Rejected", "name": "Ada", "reason": "no"})
    event = request("POST", "/review", body=b"x") | {"body": body, "isBase64Encoded": False}
    assert stage.answer(event)["statusCode"] == 303


# ---- what is broken or missing ---------------------------------------------------------------------------

FOLDER = "models/titanic/v7w8x9y0z1a2"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the whole: expected JSON: EOF while parsing"),
        (b"[1, 2]", "The metrics are not known."),
        (b'{"handsoff": {}}', "The metrics are not known."),
        (b"\xff\xfe", "The metrics are not known."),
        (b'{"handsoff": null}', "The metrics are not known."),
    ],
)
def test_page_with_a_broken_evaluation_shows_the_rest(stage: Stage, body: bytes, says: str) -> None:
    stage.s3.put_object(Key=f"{FOLDER}/evaluation.json", Body=body)
    answer = stage.get()
    assert answer["statusCode"] == 200
    for part in (
        says,
        "Started by New data landed",
        "accuracy min 0.78",
        "Record the decision",
        "ModelEvaluation",
    ):
        assert part in text_of(answer)


def test_page_without_evaluation_and_verdict_says_so() -> None:
    answer = Stage(None).get()
    assert answer["statusCode"] == 200
    text = text_of(answer)
    assert "The verdict is not known. The rules have not judged it yet" in text
    assert (
        "The metrics are not known. s3://data/models/titanic/v7w8x9y0z1a2/evaluation.json does not exist"
        in text
    )
    assert "Record the decision" in text


@pytest.mark.parametrize(
    "body", [b"[]", b"null", b"nonsense", b'{"splits": 1, "batch": [], "ignored_columns": 3}']
)
def test_page_with_a_broken_data_report_shows_the_rest(stage: Stage, body: bytes) -> None:
    stage.s3.put_object(Key=f"{FOLDER}/data_report.json", Body=body)
    answer = stage.get()
    assert answer["statusCode"] == 200
    for part in ("Started by New data landed", "DataPreProcessing", "Record the decision"):
        assert part in text_of(answer)


@pytest.mark.parametrize("metadata", [{}, {"execution": "nonsense"}, {"execution": "arn:<b>"}])
def test_page_of_a_package_without_origin_shows_the_rest(stage: Stage, metadata: dict[str, str]) -> None:
    stage.sagemaker.packages[CANDIDATE]["CustomerMetadataProperties"] = metadata
    stage.sagemaker.packages[CANDIDATE].pop("ModelMetrics")
    answer = stage.get()
    assert answer["statusCode"] == 200
    assert "names no model quality statistics" in text_of(answer)
    assert "Record the decision" in text_of(answer)


@pytest.mark.parametrize(
    "verdict", [{}, {"decision": "MAYBE"}, [], None, "x", {"decision": "HOLD", "reasons": 3}]
)
def test_page_with_a_broken_verdict_shows_the_rest(stage: Stage, verdict: Any) -> None:
    stage.items.mark(f"verdict#{CANDIDATE}", {"verdict": verdict})
    answer = stage.get()
    assert answer["statusCode"] == 200
    assert "The verdict is not known." in text_of(answer)


@pytest.mark.parametrize("operation", ["list_model_packages", "describe_pipeline_execution", "get_paginator"])
def test_page_after_a_failed_call_shows_the_rest(
    stage: Stage, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDeniedException"}}, operation)

    monkeypatch.setattr(stage.sagemaker, operation, refuse)
    answer = stage.get()
    assert answer["statusCode"] == 200
    assert "It could not be read; the function's log says why." in text_of(answer)
    assert "Record the decision" in text_of(answer)


# ---- Slack -----------------------------------------------------------------------------------------------


@pytest.fixture
def handed() -> list[Any]:
    return []


@pytest.fixture
def endpoint(handed: list[Any]) -> Iterator[Endpoint]:
    return Endpoint("signing secret", handed.append, clock=lambda: NOW)  # type: ignore[return-value]


def pressed(body: bytes, secret: str = "signing secret", at: datetime = NOW) -> dict[str, Any]:
    """A signed request of Slack's."""
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    signed = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}
    return request("POST", "/slack", body=body, headers=signed)


def button() -> bytes:
    """The body of a press of Approve."""
    payload = {
        "type": "block_actions",
        "user": {"id": "U0123ABCD", "username": "grace"},
        "actions": [{"action_id": "approve", "value": CANDIDATE}],
        "container": {"channel_id": "C0123ABCD", "message_ts": "1700000000.000100"},
        "response_url": "https://hooks.slack.com/actions/T1/2/3",
        "state": {"values": {"why": {"reason": {"type": "plain_text_input", "value": "fine"}}}},
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def test_endpoint_hands_a_press_on_and_answers(
    stage: Stage, endpoint: Endpoint, handed: list[Any]
) -> None:
    answer = stage.answer(pressed(button()), endpoint=endpoint, using=None, links=None)
    assert (answer["statusCode"], answer["body"]) == (200, "")
    (event,) = handed
    assert event["source"] == "handsoff"
    decision = json.loads(json.dumps(event["slackDecision"]))
    assert CANDIDATE in decision.values()
    assert "U0123ABCD" in decision.values()
    assert datetime.fromisoformat(decision["pressedAt"]) == NOW
    assert undecided(stage)


@pytest.mark.parametrize(
    "event",
    [
        request("POST", "/slack", body=button()),
        request("POST", "/slack"),
        pressed(button(), secret="another"),
        pressed(button(), at=NOW - timedelta(seconds=301)),
        pressed(button(), at=NOW + timedelta(seconds=301)),
        pressed(button()) | {"body": base64.b64encode(button() + b" ").decode()},
        pressed(button()) | {"body": "%%%"},
    ],
)
def test_endpoint_refuses_unsigned_and_old_requests(
    stage: Stage, endpoint: Endpoint, handed: list[Any], event: dict[str, Any]
) -> None:
    assert stage.answer(event, endpoint=endpoint)["statusCode"] == 401
    assert handed == []


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY, 401), (MAX_BODY + 1, 413)])
def test_endpoint_refuses_bodies_above_the_maximum_size(
    stage: Stage, endpoint: Endpoint, size: int, status: int
) -> None:
    assert (
        stage.answer(request("POST", "/slack", body=b"x" * size), endpoint=endpoint)["statusCode"] == status
    )


def test_endpoint_without_slack_is_not_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_SECRET", raising=False)
    assert stage.answer(pressed(button()))["statusCode"] == 404


# ---- anything at all -------------------------------------------------------------------------------------

FUZZED = Stage()
OTHER_FORM = FUZZED.links.form(FUZZED.links.token(arn_of(8)), "none")
PIECES = st.one_of(
    st.sampled_from(
        [
            "t",
            "form",
            "decision",
            "name",
            "reason",
            "Approved",
            "Rejected",
            FUZZED.token,
            OTHER_FORM,
            "&",
            "=",
            "%",
            "+",
        ]
    ),
    st.text(max_size=20),
)
NAMES = st.one_of(
    st.sampled_from(
        ["content-type", "Content-Type", "origin", "host", "sec-fetch-site", "cookie", "content-length",
         "x-slack-signature", "x-slack-request-timestamp", "x-http-method-override", "content-encoding"]
    ),
    st.text(max_size=12),
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        [
            "application/x-www-form-urlencoded",
            f"https://{HOST}",
            HOST,
            "same-origin",
            "v0=00",
            "1700000000",
            "gzip",
        ]
    ),
    st.text(max_size=40),
)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Any request that a Function URL could pass on, many of them nearly right."""
    method = draw(st.one_of(st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS"]), st.text(max_size=8)))
    path = draw(st.one_of(st.sampled_from(["/review", "/slack", "/"]), st.text(max_size=20)))
    query = draw(st.one_of(st.just(f"t={FUZZED.token}"), st.lists(PIECES, max_size=8).map("".join)))
    event = request(method, path, query=query, headers=draw(st.dictionaries(NAMES, VALUES, max_size=5)))
    fields = st.lists(st.tuples(PIECES, PIECES), max_size=8).map(
        lambda pairs: urlencode(pairs, errors="replace")
    )
    near = st.just(
        urlencode({"t": FUZZED.token, "form": OTHER_FORM, "decision": "Approved", "name": "a", "reason": "b"})
    )
    kind = draw(st.sampled_from(["absent", "null", "text", "base64", "binary", "large"]))
    if kind == "null":
        event["body"] = None
    elif kind == "text":
        event |= {"body": draw(st.one_of(fields, near, st.text())), "isBase64Encoded": draw(st.booleans())}
    elif kind != "absent":
        raw = draw(st.binary(max_size=60)) if kind == "binary" else draw(st.one_of(fields, near)).encode()
        raw *= 4000 if kind == "large" else 1
        event |= {"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}
    return event


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(requests())
def test_no_request_fails_or_decides(event: dict[str, Any]) -> None:
    handed: list[Any] = []
    answer = FUZZED.answer(event, endpoint=Endpoint("signing secret", handed.append))
    assert 200 <= answer["statusCode"] < 500
    assert isinstance(answer["body"], str)
    json.dumps(answer)
    assert undecided(FUZZED)
    assert handed == []


@pytest.mark.parametrize("path", sorted(EVENTS.glob("review_candidate.*.json")), ids=lambda path: path.stem)
def test_handler_answers_the_event_files(stage: Stage, path: Any) -> None:
    answer = stage.answer(
        json.loads(path.read_text()), endpoint=Endpoint("signing secret", lambda _event: None)
    )
    assert answer["statusCode"] in (401, 403)  # their tokens and signatures are of nobody's secret
    assert undecided(stage)
