"""slack/telling.py: each candidate has one message, in whatever order its notifications come."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from retraining.candidates.decisions import decide
from retraining.errors import NotReady
from retraining.slack.client import SlackRefused
from tests.functions.fakes import Died, Mortal, in_console, register
from tests.functions.world import World
from tests.slack.channel import (
    APPROVED,
    ARN,
    LINKS,
    URL,
    WAITS,
    approvers,
    buttons,
    by,
    linked,
    press,
    status,
    stored,
    tell,
    texts,
    titles,
    using,
    webhook,
)
from tests.slack.stand_in import Channel, Slack


def test_tell_waiting_posts_a_message_with_buttons(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    (message,) = app.messages()
    assert texts(message)[0] == WAITS
    assert "• it is odd" in texts(message)
    assert linked(message) == [ARN]
    assert buttons(message)
    assert message["unfurl"] is False
    assert stored(titanic, f"slack#{ARN}")["ts"] == message["ts"]
    assert app.refused == []


def test_tell_repeated_posts_once(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    tell(titanic, app)
    assert app.methods() == ["chat.postMessage"]


DECIDING: list[tuple[str, Callable[[Any], object], str]] = [
    ("approved", lambda world: by(world, "Approved", "rules"), "Approved by the rules"),
    ("rejected", lambda world: by(world, "Rejected", "superseded"), "Rejected as a newer one was approved"),
    ("rejected", lambda world: by(world, "Rejected", "expired"), "Rejected as nobody decided in time"),
    (
        "approved",
        lambda world: by(world, "Approved", "link", "Ana"),
        "Approved through its link by somebody who gave the name Ana",
    ),
    (
        "rejected",
        lambda world: by(world, "Rejected", "operator", "arn:aws:iam::1:user/ana"),
        "Rejected on the command line by arn:aws:iam::1:user/ana",
    ),
    (
        "approved",
        lambda world: in_console(world, ARN, "Approved"),
        "Approved in AWS by arn:aws:iam::123456789012:user/in-console",
    ),
]


@pytest.mark.parametrize(("kind", "decision", "said"), DECIDING)
def test_tell_decision_updates_the_message(
    titanic: World, app: Slack, kind: str, decision: Any, said: str
) -> None:
    tell(titanic, app)
    decision(titanic)
    tell(titanic, app, kind)
    (message,) = app.messages()
    assert texts(message)[0] == f"titanic: version 1 was {kind}"
    assert texts(message)[2].startswith(f"{said}, 20")
    assert linked(message) == [ARN]
    assert not buttons(message)
    assert app.methods() == ["chat.postMessage", "chat.update"]


@pytest.mark.parametrize(("kind", "decision", "said"), DECIDING)
def test_tell_waiting_after_decision_restores_no_buttons(
    titanic: World, app: Slack, kind: str, decision: Any, said: str
) -> None:
    decision(titanic)
    tell(titanic, app, kind)
    tell(titanic, app)
    (message,) = app.messages()
    assert texts(message)[2].startswith(said)
    assert not buttons(message)


def test_tell_waiting_first_after_decision_shows_the_decision(titanic: World, app: Slack) -> None:
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app)
    tell(titanic, app, "approved")
    assert titles(app) == [APPROVED]
    assert app.methods() == ["chat.postMessage"]


def test_tell_waiting_while_decision_is_written_shows_no_buttons_and_says_so(
    titanic: World, app: Slack
) -> None:
    tell(titanic, app)
    mortal = Mortal(titanic.sagemaker, [1], after=False, only="update_model_package")
    with pytest.raises(Died):
        decide(ARN, "Rejected", by="link", who="Ana", why="w", using=using(titanic, sagemaker=mortal))
    tell(titanic, app, notificationId="waiting-again")
    (message,) = app.messages()
    assert texts(message)[:2] == [
        "titanic: version 1 is being rejected",
        "Nothing is wanted of you: the decision is being written to the model registry.",
    ]
    assert texts(message)[2].startswith("Rejected through its link by somebody who gave the name Ana, 20")
    assert not buttons(message)
    by(titanic, "Rejected", "link", "Ana")
    tell(titanic, app, "rejected")
    assert titles(app) == ["titanic: version 1 was rejected"]


def test_tell_waiting_after_set_back_restores_buttons(titanic: World, app: Slack) -> None:
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    in_console(titanic, ARN, "PendingManualApproval")
    tell(titanic, app, notificationId="waiting-again")
    (message,) = app.messages()
    assert texts(message)[0] == WAITS
    assert buttons(message)


def test_tell_raises_while_another_invocation_holds_the_message(titanic: World, app: Slack) -> None:
    now = datetime.now(UTC)
    assert titanic.items.claim(f"lease#slack#{ARN}", now=now, lease=timedelta(seconds=90))
    with pytest.raises(NotReady):
        tell(titanic, app)
    assert app.messages() == []
    titanic.items.release(f"lease#slack#{ARN}")
    tell(titanic, app)
    assert titles(app) == [WAITS]


def test_tell_overdue_replies_below_the_message_and_renews_its_link(
    titanic: World, app: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    tell(titanic, app)
    monkeypatch.setattr("time.time", lambda: 1_800_086_400.0)
    tell(titanic, app, "overdue", reviewUrl=f"{URL}2")
    first, second = app.messages()
    assert linked(first) == linked(second) == [ARN]
    for message in (first, second):
        token = json.dumps(message["blocks"]).partition("review?t=")[2].partition("|")[0]
        assert LINKS.made(token).isoformat() == "2027-01-16T08:00:00+00:00"
    assert buttons(first)
    assert texts(second)[0] == "titanic: a new model still waits for your decision"
    assert (second["thread_ts"], second["broadcast"]) == (first["ts"], True)


def test_tell_overdue_without_a_message_posts_one(titanic: World, app: Slack) -> None:
    tell(titanic, app, "overdue", reviewUrl=URL)
    assert titles(app) == [WAITS]


def test_tell_rolled_back_updates_the_message_and_posts_a_reply(titanic: World, app: Slack) -> None:
    by(titanic, "Approved", "rules")
    tell(titanic, app, "approved")
    in_console(titanic, ARN, "Rejected", why="leaks")
    tell(titanic, app, "rolled_back", reasons=["version 1 was rejected", "no approved version is left"])
    assert titles(app) == ["titanic: version 1 was taken back", "titanic: the champion was taken back"]
    assert "• version 1 was rejected\n• no approved version is left" in texts(app.messages()[1])
    tell(titanic, app, "rolled_back")
    assert len(app.messages()) == 2


@pytest.mark.parametrize("kind", ["execution_failed", "quarantined"])
def test_tell_other_kinds_posts_a_message_each(titanic: World, app: Slack, kind: str) -> None:
    for _ in range(2):
        tell(titanic, app, kind, modelPackageArn=None, reasons=["exit code 1"])
    (message,) = app.messages()
    assert "• exit code 1" in texts(message)
    assert titanic.items.get(f"slack#{ARN}") is None


@pytest.mark.parametrize("model", ["titanic", "unknown"])
def test_tell_without_a_channel_posts_nothing(
    world: World, app: Slack, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    register(world)
    tell(world, app, model=model)
    assert app.calls == []
    assert caplog.messages == ["model has no Slack channel"]


def test_tell_waiting_without_slack_users_shows_no_buttons(titanic: World, app: Slack) -> None:
    approvers(titanic, slack_channel="#ml-approvals")
    tell(titanic, app)
    assert not buttons(app.messages()[0])


def test_tell_waiting_without_an_evaluation_says_so(titanic: World, app: Slack) -> None:
    titanic.s3.delete_object(Bucket="data", Key="models/titanic/e0/evaluation.json")
    tell(titanic, app)
    assert "No numbers: s3://data/models/titanic/e0/evaluation.json does not exist" in texts(
        app.messages()[0]
    )


UNREAD = "the evaluation could not be read; the log of notify_slack says why"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        (
            "s3://no-such-bucket/evaluation.json",
            "s3://no-such-bucket/evaluation.json cannot be read: NoSuchBucket",
        ),
        ("s3:///x", UNREAD),
        ("nonsense", UNREAD),
        ("s3://[x/y", UNREAD),
    ],
)
def test_press_decides_although_the_evaluation_cannot_be_read(
    titanic: World, app: Slack, uri: str, why: str
) -> None:
    titanic.sagemaker.packages[ARN]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": uri}}}
    tell(titanic, app)
    assert f"No numbers: {why}" in texts(app.messages()[0])
    press(titanic, app)
    assert status(titanic) == "Approved"
    assert titles(app) == [APPROVED]


def test_tell_decision_after_message_was_deleted_posts_another(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    app.channels["ml-approvals"].messages.clear()
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    assert titles(app) == [APPROVED]
    assert stored(titanic, f"slack#{ARN}")["ts"] == app.messages()[0]["ts"]


def test_tell_overdue_after_message_was_deleted_posts_the_reminder(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    app.channels["ml-approvals"].messages.clear()
    tell(titanic, app, "overdue", reviewUrl=None)
    assert titles(app) == ["titanic: a new model still waits for your decision"]


def test_tell_after_channel_changed_posts_to_the_new_channel(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    app.channels["ml-approvals"].archived = True
    app.channels["new"] = Channel("C0NEW")
    approvers(titanic, slack_channel="new")
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    assert [texts(message)[0] for message in app.messages("new")] == [APPROVED]


# ---- out of date, or not ours ----------------------------------------------------------------------------


def test_tell_overdue_after_a_decision_reminds_nobody(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "overdue", reviewUrl=URL)
    assert titles(app) == [APPROVED]


def test_tell_rolled_back_after_another_approval_posts_no_reply(titanic: World, app: Slack) -> None:
    by(titanic, "Approved", "rules")
    in_console(titanic, ARN, "Rejected", why="leaks")
    in_console(titanic, ARN, "Approved", minutes=61)
    tell(titanic, app, "rolled_back", reasons=["version 1 was rejected"])
    assert titles(app) == [APPROVED]


@pytest.mark.parametrize(
    ("kind", "said"), [("waiting", []), ("rolled_back", ["titanic: the champion was taken back"])]
)
def test_tell_of_a_package_that_is_gone_ends(titanic: World, app: Slack, kind: str, said: list[str]) -> None:
    titanic.sagemaker.packages.clear()
    tell(titanic, app, kind, reviewUrl=URL)
    assert titles(app) == said
    assert [linked(message) for message in app.messages()] == [[] for _ in said]


def test_tell_of_another_models_candidate_shows_nothing_of_it(titanic: World, app: Slack) -> None:
    other = ARN.replace("titanic", "secret")
    titanic.sagemaker.packages[other] = titanic.sagemaker.packages[ARN] | {"ModelPackageArn": other}
    tell(titanic, app, modelPackageArn=other)
    tell(titanic, app, "execution_failed", modelPackageArn=other, reviewUrl=URL)
    assert titles(app) == ["titanic: retraining FAILED"]
    assert linked(app.messages()[0]) == []


# ---- a plain webhook ------------------------------------------------------------------------------------


def test_tell_by_webhook_posts_links_without_buttons_or_updates(titanic: World, app: Slack) -> None:
    for _ in range(2):
        webhook(titanic, app, "waiting")
    by(titanic, "Approved", "link", "Ana")
    webhook(titanic, app, "approved")
    webhook(titanic, app, "waiting", notificationId="late")
    first, second = app.webhook
    assert texts(first)[0] == WAITS
    assert linked(first) == [ARN]
    assert not buttons(first)
    assert first["unfurl_links"] is False
    assert texts(second)[0] == APPROVED
    assert app.calls == []


def test_tell_overdue_by_webhook_posts_a_reminder_with_a_link(titanic: World, app: Slack) -> None:
    webhook(titanic, app, "waiting")
    webhook(titanic, app, "overdue", reviewUrl=URL)
    webhook(titanic, app, "overdue", reviewUrl=f"{URL}2", notificationId="2")
    assert [texts(body)[0] for body in app.webhook] == [
        WAITS,
        "titanic: a new model still waits for your decision",
        "titanic: a new model still waits for your decision",
    ]
    assert [linked(body) for body in app.webhook] == [[ARN]] * 3


def test_tell_raises_a_missing_webhook_without_its_secret(titanic: World, app: Slack) -> None:
    with pytest.raises(SlackRefused, match="Slack has not taken the webhook: 404 no_service") as caught:
        webhook(titanic, app, "waiting", url=f"{app.origin}/services/T0/B0/gone")
    assert "B0" not in str(caught.value)


def test_tell_waiting_has_the_picture_of_the_metrics_in_words(titanic: World, app: Slack) -> None:
    said = "roc auc: <candidate> 0.87 & champion 0.86"
    picture = {"id": "metrics", "title": "t", "alt": said, "svg": "<svg/>"}
    other = {**picture, "id": "difference", "alt": "another one"}
    body = json.dumps({"schemaVersion": 1, "pictures": [other, picture]})
    titanic.s3.put_object(Bucket="data", Key="models/titanic/e0/pictures.json", Body=body.encode())
    tell(titanic, app)
    shown = texts(app.messages()[0])
    assert said in shown  # as plain text, in which Slack reads no markup
    assert "another one" not in shown
    assert app.refused == []


def test_tell_waiting_with_a_picture_that_cannot_be_read_says_the_rest(titanic: World, app: Slack) -> None:
    titanic.s3.put_object(Bucket="data", Key="models/titanic/e0/pictures.json", Body=b"no JSON")
    tell(titanic, app)
    assert texts(app.messages()[0])[0] == WAITS
