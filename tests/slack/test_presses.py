"""slack/presses.py: presses that decide, presses that are refused, and the answers to both."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from notify_slack import handler
from retraining.facts import keys
from retraining.slack import messages
from retraining.slack.client import SlackRefused
from retraining.slack.requests import NotSigned
from tests.functions.fakes import Context, Died, Mortal, arn_of, in_console
from tests.functions.world import World
from tests.slack.channel import (
    APPROVED,
    ARN,
    WAITS,
    approvers,
    buttons,
    client,
    decided,
    handed_on,
    later,
    press,
    pressing,
    status,
    stored,
    tell,
    texts,
    titles,
    using,
)
from tests.slack.stand_in import Slack


@pytest.mark.parametrize(("action", "wanted"), [("approve", "Approved"), ("reject", "Rejected")])
def test_press_by_an_approver_decides(titanic: World, app: Slack, action: str, wanted: str) -> None:
    tell(titanic, app)
    press(titanic, app, action, reason="better for women")
    assert status(titanic) == wanted
    fact = stored(titanic, keys.decision(ARN).text)
    assert (fact["by"], fact["who"], fact["why"]) == ("slack", "U0123ABCD (ana)", "better for women")
    (message,) = app.messages()
    assert texts(message)[0] == f"titanic: version 1 was {wanted.lower()}"
    assert texts(message)[2].startswith(f"{wanted} in Slack by U0123ABCD (ana), 20")
    assert texts(message)[2].endswith(" UTC: better for women")
    assert not buttons(message)
    (answer,) = app.answers
    assert answer["text"].startswith(f"Recorded: {wanted} in Slack by U0123ABCD (ana), 20")
    assert (answer["response_type"], answer["replace_original"]) == ("ephemeral", False)
    tell(titanic, app, wanted.lower())
    assert app.methods() == ["chat.postMessage", "chat.update"]


def test_press_after_another_decision_is_told_which_one_stands(titanic: World, app: Slack) -> None:
    approvers(titanic, slack_channel="#ml-approvals", slack_users=("U0123ABCD", "U0SECOND"))
    tell(titanic, app)
    (message,) = app.messages()
    old = json.loads(json.dumps(message))
    press(titanic, app, "approve")
    decided(titanic, app, handed_on(app, *app.press(old, "reject", user="U0SECOND", name="bo")))
    assert status(titanic) == "Approved"
    assert app.answers[1]["text"].startswith(
        "Your press changed nothing; this decision stands: Approved in Slack by U0123ABCD (ana), 20"
    )
    assert titles(app) == [APPROVED]


def test_press_repeated_decides_once(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    event = pressing(app, ts=app.messages()[0]["ts"])
    decided(titanic, app, event)
    decided(titanic, app, event)
    assert len(titanic.sagemaker.updates) == 1
    assert [answer["text"].split(":")[0] for answer in app.answers] == ["Recorded"] * 2


def test_press_before_a_set_back_decides_nothing(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    event, now = pressing(app, ts=app.messages()[0]["ts"]), datetime.now(UTC)
    decided(titanic, app, event)
    assert status(titanic) == "Approved"
    in_console(titanic, ARN, "PendingManualApproval")
    titanic.sagemaker.packages[ARN]["LastModifiedTime"] = now + timedelta(minutes=2)
    later(titanic, app, event, now + timedelta(minutes=3))
    assert status(titanic) == "PendingManualApproval"
    assert len(titanic.sagemaker.updates) == 1
    assert "a decision on the candidate has been set back to pending in AWS since" in app.answers[1]["text"]
    assert titles(app) == [WAITS]
    titanic.items.mark(
        keys.decision(ARN).text,
        {
            "status": "PendingManualApproval",
            "by": "person",
            "at": (now + timedelta(minutes=2)).isoformat(),
        },
    )
    later(titanic, app, event, now + timedelta(minutes=3))
    assert status(titanic) == "PendingManualApproval"
    event = pressing(app, at=now + timedelta(minutes=3))
    later(titanic, app, event, now + timedelta(minutes=3, seconds=1))
    assert status(titanic) == "Approved"


@pytest.mark.parametrize(
    ("age", "wanted"),
    [(timedelta(minutes=15), "Approved"), (timedelta(minutes=15, seconds=1), "PendingManualApproval")],
)
def test_press_decides_within_fifteen_minutes(
    titanic: World, app: Slack, age: timedelta, wanted: str
) -> None:
    tell(titanic, app)
    pressed_at = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
    event = pressing(app, at=pressed_at)
    later(titanic, app, event, pressed_at + age)
    assert status(titanic) == wanted
    if wanted != "Approved":
        assert app.answers[0]["text"] == (
            "Nothing was decided: you pressed at 2026-11-20 07:00 UTC, and that is too long ago to count "
            "now. Look at the message, and press again if you still mean it."
        )
        assert titanic.items.get(keys.decision(ARN).text) is None


def test_press_replayed_late_is_told_what_it_decided(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    event = pressing(app, ts=app.messages()[0]["ts"])
    decided(titanic, app, event)
    later(titanic, app, event, datetime.now(UTC) + timedelta(days=3))
    assert [answer["text"].split(":")[0] for answer in app.answers] == ["Recorded"] * 2


def test_press_by_a_stranger_is_refused(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    press(titanic, app, user="U0STRANGER")
    assert status(titanic) == "PendingManualApproval"
    assert titanic.items.get(keys.decision(ARN).text) is None
    assert app.answers[0]["text"] == (
        "You (U0STRANGER) are not among the approvers of titanic (approvers.slack_users in its config), so "
        "nothing was decided."
    )
    assert titles(app) == [WAITS]


def test_press_without_slack_users_is_refused(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    approvers(titanic, slack_channel="#ml-approvals")
    press(titanic, app)
    assert status(titanic) == "PendingManualApproval"
    assert "are not among the approvers" in app.answers[0]["text"]


@pytest.mark.parametrize("reason", [None, "", " \n\t", "\u202e"])
def test_press_without_a_reason_is_refused(titanic: World, app: Slack, reason: str | None) -> None:
    tell(titanic, app)
    press(titanic, app, reason=reason)
    assert status(titanic) == "PendingManualApproval"
    assert app.answers[0]["text"] == (
        "Nothing was decided: say why in 1 to 300 characters, not 0: the reason is recorded. "
        "Write it above the buttons and press again."
    )


@pytest.mark.parametrize(
    "arn",
    [
        arn_of(7),
        ARN.replace("handsoff-titanic", "other-titanic"),
        ARN.replace("handsoff-titanic", "titanic"),
        ARN.replace("handsoff-titanic", "handsoff-unknown"),
        ARN.replace("/1", "/01"),
        f"{ARN}/1",
        f"{ARN}\n",
        "arn",
        "😀",
    ],
)
def test_press_on_an_unknown_package_is_refused(titanic: World, app: Slack, arn: str) -> None:
    tell(titanic, app)
    event = pressing(app, arn)
    decided(titanic, app, event)
    assert app.answers[0]["text"] == "This is no candidate of this deployment. Nothing was decided."
    assert titanic.items.get(keys.decision(arn).text) is None
    assert titanic.sagemaker.updates == []


def test_press_on_a_group_of_another_deployment_is_refused(titanic: World, app: Slack) -> None:
    arn = ARN.replace("handsoff-titanic", "titanic")
    other = {**titanic.sagemaker.packages[ARN], "ModelPackageArn": arn, "ModelPackageGroupName": "titanic"}
    titanic.sagemaker.packages[arn] = other
    event = pressing(app, arn)
    decided(titanic, app, event)
    assert "no candidate of this deployment" in app.answers[0]["text"]
    assert titanic.sagemaker.updates == []


def test_press_on_a_package_of_another_account_is_refused(titanic: World, app: Slack) -> None:
    arn = ARN.replace("123456789012", "210987654321")
    titanic.sagemaker.packages[arn] = titanic.sagemaker.packages[ARN]
    event = pressing(app, arn)
    decided(titanic, app, event)
    assert "no candidate of this deployment" in app.answers[0]["text"]


def test_press_answers_slack_only(titanic: World, app: Slack) -> None:
    event = pressing(app, response_url="http://169.254.169.254/latest/meta-data")
    with pytest.raises(NotSigned, match="the answer would not go to Slack"):
        decided(titanic, app, event)
    message = messages.of_text("Nothing was decided.")
    with pytest.raises(SlackRefused, match=r"must go to https://hooks\.slack\.com/"):
        client(app)(lambda: 1.0).answer("http://169.254.169.254/latest/meta-data", message)


def test_press_decides_although_the_answer_is_too_late(
    titanic: World, app: Slack, caplog: pytest.LogCaptureFixture
) -> None:
    tell(titanic, app)
    event = pressing(app, response_url=f"{app.origin}/expired")
    decided(titanic, app, event)
    assert status(titanic) == "Approved"
    assert titles(app) == [APPROVED]
    assert "too late for an answer in Slack" in caplog.messages


def test_press_raises_failures_of_aws(titanic: World, app: Slack) -> None:
    tell(titanic, app)

    class Denied:
        def describe_model_package(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Describe")

    with pytest.raises(ClientError, match="AccessDenied"):
        press(titanic, app, wrapped={"sagemaker": Denied()})


def test_press_decides_during_an_outage_and_answers_when_retried(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    app.play("server_error", 3)
    with pytest.raises(SlackRefused, match="Slack has not taken an answer: 500"):
        press(titanic, app)
    assert status(titanic) == "Approved"
    press(titanic, app)
    assert app.answers[0]["text"].startswith("Recorded")
    assert titles(app) == [APPROVED]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("life", range(1, 26, 2))
def test_press_dying_anywhere_decides_once(
    titanic: World, app: Slack, life: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    tell(titanic, app)
    lives = [life]
    wrapped = {
        name: Mortal(getattr(titanic, name), lives, after=after) for name in ("sagemaker", "s3", "table")
    }
    (message,) = app.messages()
    asked = handed_on(app, *app.press(message, "approve"))
    try:
        decided(titanic, app, asked, wrapped=wrapped)
    except Died:
        decided(titanic, app, asked)
    assert status(titanic) == "Approved"
    assert len(titanic.sagemaker.updates) == 1
    assert titles(app) == [APPROVED]
    assert {answer["text"].split(":")[0] for answer in app.answers} == {"Recorded"}


# ---- an event that somebody else than the endpoint has made ----------------------------------------------


def forged(app: Slack) -> dict[str, dict[str, Any]]:
    """Events of an invoker who knows everything but Slack's signing secret."""
    genuine = pressing(app)["slackPress"]
    other = base64.b64decode(genuine["body"]).replace(b"approve", b"reject")
    decision = {
        "userId": "U0123ABCD", "userName": "ana", "action": "approve", "packageArn": ARN,
        "reason": "fine", "responseUrl": f"{app.origin}/actions/T0/1/x", "channel": "C0APPROVALS",
        "messageTs": "1763877600.000001", "pressedAt": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    return {
        "nothing": {},
        "the form of 0.1": {"source": "handsoff", "slackDecision": decision},
        "both forms": {"slackDecision": decision, "slackPress": {**genuine, "headers": {}}},
        "no object": {"slackPress": "approve"},
        "no signature": {"slackPress": {**genuine, "headers": {}}},
        "no body": {"slackPress": {"headers": genuine["headers"]}},
        "headers that are no texts": {"slackPress": {**genuine, "headers": {"x-slack-signature": 1}}},
        "no base64": {"slackPress": {**genuine, "body": "%%%"}},
        "another body": {"slackPress": {**genuine, "body": base64.b64encode(other).decode()}},
        "another secret": pressing(app, secret="guessed"),
        "an empty secret": pressing(app, secret=""),
        "from the future": pressing(app, at=datetime.now(UTC) + timedelta(minutes=6)),
        "older than any queue": pressing(app, at=datetime.now(UTC) - timedelta(days=15)),
        "another payload": pressing(app, type="view_submission"),
    }


def test_press_that_slack_has_not_signed_decides_nothing(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    for name, event in forged(app).items():
        with pytest.raises(NotSigned, match="nothing was decided"):
            decided(titanic, app, event)
        assert status(titanic) == "PendingManualApproval", name
    assert titanic.items.get(keys.decision(ARN).text) is None
    assert titanic.sagemaker.updates == []
    assert app.answers == []


def test_press_with_a_webhook_decides_nothing(titanic: World, app: Slack) -> None:
    with pytest.raises(NotSigned, match="the request is not signed"):
        handler(
            pressing(app, secret=""),
            Context(),
            using=using(titanic),
            connect=client(app, webhookUrl=app.webhook_url),
        )
    assert status(titanic) == "PendingManualApproval"


def test_press_replayed_after_a_set_back_decides_nothing(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    event, now = pressing(app), datetime.now(UTC)
    decided(titanic, app, event)
    in_console(titanic, ARN, "PendingManualApproval")
    titanic.sagemaker.packages[ARN]["LastModifiedTime"] = now + timedelta(minutes=1)
    for minutes in (2, 14, 16, 60 * 24 * 13):
        later(titanic, app, event, now + timedelta(minutes=minutes))
    assert status(titanic) == "PendingManualApproval"
    assert len(titanic.sagemaker.updates) == 1
