"""review_page/form.py: when the form decides, and what the page says when the form does not."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from retraining.facts import keys
from retraining.links import FORM_MAX_AGE, Links
from tests.functions.fakes import arn_of, titanic_config
from tests.review.stage import CANDIDATE, HOST, NOW, Stage, request, text_of, undecided


@pytest.mark.parametrize("status", ["Approved", "Rejected"])
def test_form_decides_once_and_redirects_to_the_page(stage: Stage, status: str) -> None:
    form = stage.form()
    answer = stage.post({**form, "decision": status, "name": " Ada\tLovelace ", "reason": "good\r\nenough"})
    assert answer["statusCode"] == 303
    assert answer["headers"]["location"] == f"review?t={form['t']}"
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
    """Make the candidate pending again in AWS; with `recorded`, the ledger has it, too."""
    stage.sagemaker.packages[CANDIDATE] |= {
        "ModelApprovalStatus": "PendingManualApproval",
        "LastModifiedTime": at,
    }
    if recorded:
        fact = {"status": "PendingManualApproval", "by": "person", "who": None, "why": "set back"}
        stage.items.mark(keys.decision(CANDIDATE).text, {**fact, "at": at.isoformat()})


def token_of(stage: Stage, at: datetime, monkeypatch: pytest.MonkeyPatch) -> str:
    """The token of a link made at this time."""
    with monkeypatch.context() as then:
        then.setattr("time.time", at.timestamp)
        return stage.token


@pytest.mark.parametrize("recorded", [True, False])
def test_form_that_decided_decides_nothing_after_a_set_back(stage: Stage, recorded: bool) -> None:
    filled = {**stage.form(), "decision": "Approved", "name": "Ada", "reason": "fine"}
    event = request("POST", "/review", body=urlencode(filled).encode())
    assert stage.answer(event)["statusCode"] == 303
    set_back(stage, NOW, recorded=recorded)  # in the same second in which the link was made
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
        assert "This link decides no more. It was made on" in text
        assert "since then the candidate was decided, and set back to pending in AWS on 20 November" in text
        assert "The notification about that carries a new link" in text
    form = {"t": token, "form": stage.links.form(token, back.isoformat())}
    answer = stage.post({**form, "decision": "Rejected"})
    assert answer["statusCode"] == (303 if decides else 403)
    assert stage.status == ("Rejected" if decides else "PendingManualApproval")


def test_form_waits_for_a_decision_that_ends_soon(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.items.claim("lease#handsoff-titanic", now=datetime.now(UTC), lease=timedelta(minutes=1))
    monkeypatch.setattr("retraining.review_page.form.PATIENCE", (0.001, 0.001))
    monkeypatch.setattr(
        "retraining.review_page.form.time.sleep",
        lambda _seconds: stage.items.release("lease#handsoff-titanic"),
    )
    assert stage.post()["statusCode"] == 303


def test_form_during_another_decision_is_shown_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_form_older_than_an_hour_is_shown_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert "<form" in stage.get()["body"]  # a page may use a config of up to a minute ago
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
