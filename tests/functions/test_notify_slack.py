"""Slack: one message a candidate, whatever comes when; decisions by those who may; what fails is raised."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from slack_sdk.errors import SlackApiError

from notify_slack import connected, handler
from retraining.candidates.decisions import decide
from retraining.collaborators import Collaborators
from retraining.config.schema import Approvers
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.candidates import By
from retraining.slack import messages, requests
from retraining.slack.client import SlackClient, SlackRefused
from retraining.slack.secret import Secret
from tests.functions.fakes import ROOT, Context, Died, Mortal, arn_of, in_console, register, was_held
from tests.slack.stand_in import SIGNING_SECRET, TOKEN, Channel, Slack

ARN = arn_of(1)
URL = "https://abc.lambda-url.us-east-1.on.aws/review?t=token"
WAITS = "titanic: version 1 waits for your decision"
APPROVED = "titanic: version 1 was approved"


@pytest.fixture
def app() -> Iterator[Slack]:
    """The stand-in, with the app in #ml-approvals."""
    with Slack() as running:
        yield running


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds for which slack_sdk would have waited before it tried again."""
    found: list[float] = []
    for module in ("handler", "builtin_handlers"):
        monkeypatch.setattr(f"slack_sdk.http_retry.{module}.time", SimpleNamespace(sleep=found.append))
    return found


@pytest.fixture
def titanic(world: Any) -> Any:
    """A candidate of the Titanic's is registered, was held, and one approver may decide in Slack."""
    approvers(world, slack_channel="#ml-approvals", slack_users=("U0123ABCD",))
    register(world)
    was_held(world, ARN, reasons=("it is odd",))
    return world


def approvers(world: Any, **said: Any) -> None:
    config = world.configs.known["titanic"]
    world.configs.known["titanic"] = config.model_copy(update={"approvers": Approvers(**said)})


def using(world: Any, **wrapped: Any) -> Collaborators:
    made: Collaborators = world.using(Collaborators, **wrapped)
    return made


def client(app: Slack, **secret: str) -> Callable[[Callable[[], float]], SlackClient]:
    given = secret or {"botToken": TOKEN, "signingSecret": SIGNING_SECRET}
    return lambda patience: SlackClient(Secret.model_validate(given), api_url=app.url, patience=patience)


def notification(kind: str = "waiting", **changes: Any) -> dict[str, Any]:
    """The event that SNS makes of one of ours."""
    message = {
        "notificationId": f"{kind}-1",
        "kind": kind,
        "model": "titanic",
        "executionArn": "arn:execution",
        "modelPackageArn": ARN,
        "decision": None,
        "reasons": ["it is odd"],
        "reviewUrl": URL if kind == "waiting" else None,
        "evidenceUri": None,
        "decidedBy": None,
        "decidedWho": None,
        **changes,
    }
    return {"Records": [{"Sns": {"Message": json.dumps(message)}}]}


def tell(world: Any, app: Slack, kind: str = "waiting", *, wrapped: Any = None, **changes: Any) -> None:
    handler(
        notification(kind, **changes),
        Context(),
        using=using(world, **(wrapped or {})),
        connect=client(app),
    )


def press(world: Any, app: Slack, action: str = "approve", *, wrapped: Any = None, **how: Any) -> None:
    """A button of the newest message with buttons is pressed, through the endpoint's check."""
    message = next(
        message
        for message in reversed(app.messages())
        if any(block["type"] == "actions" for block in message["blocks"])
    )
    found = requests.interaction(
        *app.press(message, action, **how), SIGNING_SECRET, datetime.now(UTC), api_url=app.url
    )
    assert isinstance(found, requests.Interaction)
    decided(world, app, found.as_event(), wrapped=wrapped)


def pressing() -> dict[str, Any]:
    """The event of a press that came just now."""
    event: dict[str, Any] = json.loads((ROOT / "events/notify_slack.decision.json").read_text())
    event["slackDecision"]["pressedAt"] = datetime.now(UTC).isoformat()
    return event


def decided(world: Any, app: Slack, event: dict[str, Any], *, wrapped: Any = None) -> None:
    handler(event, Context(), using=using(world, **(wrapped or {})), connect=client(app))


def titles(app: Slack) -> list[str]:
    return [message["blocks"][0]["text"]["text"] for message in app.messages()]


def texts(message: dict[str, Any]) -> list[str]:
    return [block["text"]["text"] for block in message["blocks"] if "text" in block]


def buttons(message: dict[str, Any]) -> bool:
    return any(block["type"] == "actions" for block in message["blocks"])


def status(world: Any, arn: str = ARN) -> str:
    return str(world.sagemaker.packages[arn]["ModelApprovalStatus"])


# ---- notifications --------------------------------------------------------------------------------------


def test_tell_waiting_posts_a_message_with_buttons(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    (message,) = app.messages()
    assert texts(message)[0] == WAITS
    assert "• it is odd" in texts(message)
    assert f"<{URL}|Open its page>" in texts(message)
    assert buttons(message)
    assert message["unfurl"] is False
    assert titanic.items.get(f"slack#{ARN}")["ts"] == message["ts"]
    assert app.refused == []


def test_tell_repeated_posts_once(titanic: Any, app: Slack) -> None:
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


def by(world: Any, wanted: Any, how: By, who: str | None = None) -> None:
    assert decide(ARN, wanted, by=how, who=who, why="why", using=using(world)).ours


@pytest.mark.parametrize(("kind", "decision", "said"), DECIDING)
def test_tell_decision_updates_the_message(
    titanic: Any, app: Slack, kind: str, decision: Any, said: str
) -> None:
    tell(titanic, app)
    decision(titanic)
    tell(titanic, app, kind)
    (message,) = app.messages()
    assert texts(message)[0] == f"titanic: version 1 was {kind}"
    assert texts(message)[2].startswith(f"{said}, 20")
    assert f"<{URL}|Open its page>" in texts(message)
    assert not buttons(message)
    assert app.methods() == ["chat.postMessage", "chat.update"]


@pytest.mark.parametrize(("kind", "decision", "said"), DECIDING)
def test_tell_waiting_after_decision_restores_no_buttons(
    titanic: Any, app: Slack, kind: str, decision: Any, said: str
) -> None:
    decision(titanic)
    tell(titanic, app, kind)
    tell(titanic, app)
    (message,) = app.messages()
    assert texts(message)[2].startswith(said)
    assert not buttons(message)


def test_tell_waiting_first_after_decision_shows_the_decision(titanic: Any, app: Slack) -> None:
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app)
    tell(titanic, app, "approved")
    assert titles(app) == [APPROVED]
    assert app.methods() == ["chat.postMessage"]


def test_tell_waiting_while_decision_is_written_shows_no_buttons_and_says_so(
    titanic: Any, app: Slack
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


def test_tell_waiting_after_set_back_restores_buttons(titanic: Any, app: Slack) -> None:
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    in_console(titanic, ARN, "PendingManualApproval")
    tell(titanic, app, notificationId="waiting-again")
    (message,) = app.messages()
    assert texts(message)[0] == WAITS
    assert buttons(message)


def test_tell_raises_while_another_invocation_holds_the_message(titanic: Any, app: Slack) -> None:
    now = datetime.now(UTC)
    assert titanic.items.claim(f"lease#slack#{ARN}", now=now, lease=timedelta(seconds=90))
    with pytest.raises(NotReady):
        tell(titanic, app)
    assert app.messages() == []
    titanic.items.release(f"lease#slack#{ARN}")
    tell(titanic, app)
    assert titles(app) == [WAITS]


def test_tell_overdue_replies_below_the_message_and_renews_its_link(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    tell(titanic, app, "overdue", reviewUrl=f"{URL}2")
    first, second = app.messages()
    assert f"<{URL}2|Open its page>" in texts(first)
    assert buttons(first)
    assert texts(second)[0] == "titanic: a new model still waits for your decision"
    assert (second["thread_ts"], second["broadcast"]) == (first["ts"], True)


def test_tell_overdue_without_a_message_posts_one(titanic: Any, app: Slack) -> None:
    tell(titanic, app, "overdue", reviewUrl=URL)
    assert titles(app) == [WAITS]


def test_tell_rolled_back_updates_the_message_and_posts_a_reply(titanic: Any, app: Slack) -> None:
    by(titanic, "Approved", "rules")
    tell(titanic, app, "approved")
    in_console(titanic, ARN, "Rejected", why="leaks")
    tell(titanic, app, "rolled_back", reasons=["version 1 was rejected", "no approved version is left"])
    assert titles(app) == ["titanic: version 1 was taken back", "titanic: the champion was taken back"]
    assert "• version 1 was rejected\n• no approved version is left" in texts(app.messages()[1])
    tell(titanic, app, "rolled_back")
    assert len(app.messages()) == 2


@pytest.mark.parametrize("kind", ["execution_failed", "quarantined"])
def test_tell_other_kinds_posts_a_message_each(titanic: Any, app: Slack, kind: str) -> None:
    for _ in range(2):
        tell(titanic, app, kind, modelPackageArn=None, reasons=["exit code 1"])
    (message,) = app.messages()
    assert "• exit code 1" in texts(message)
    assert titanic.items.get(f"slack#{ARN}") is None


@pytest.mark.parametrize("model", ["titanic", "unknown"])
def test_tell_without_a_channel_posts_nothing(
    world: Any, app: Slack, model: str, caplog: pytest.LogCaptureFixture
) -> None:
    register(world)
    tell(world, app, model=model)
    assert app.calls == []
    assert caplog.messages == ["model has no Slack channel"]


def test_tell_waiting_without_slack_users_shows_no_buttons(titanic: Any, app: Slack) -> None:
    approvers(titanic, slack_channel="#ml-approvals")
    tell(titanic, app)
    assert not buttons(app.messages()[0])


def test_tell_waiting_without_an_evaluation_says_so(titanic: Any, app: Slack) -> None:
    titanic.s3.delete_object(Bucket="data", Key="models/titanic/e0/evaluation.json")
    tell(titanic, app)
    assert "No numbers: s3://data/models/titanic/e0/evaluation.json does not exist" in texts(
        app.messages()[0]
    )


@pytest.mark.parametrize("uri", ["s3://no-such-bucket/evaluation.json", "s3:///x", "nonsense", "s3://[x/y"])
def test_press_decides_although_the_evaluation_cannot_be_read(
    titanic: Any, app: Slack, uri: str
) -> None:
    titanic.sagemaker.packages[ARN]["ModelMetrics"] = {"ModelQuality": {"Statistics": {"S3Uri": uri}}}
    tell(titanic, app)
    says = "No numbers: the evaluation could not be read; the log of notify_slack says why"
    assert says in texts(app.messages()[0])
    press(titanic, app)
    assert status(titanic) == "Approved"
    assert titles(app) == [APPROVED]


def test_tell_decision_after_message_was_deleted_posts_another(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    app.channels["ml-approvals"].messages.clear()
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    assert titles(app) == [APPROVED]
    assert titanic.items.get(f"slack#{ARN}")["ts"] == app.messages()[0]["ts"]


def test_tell_overdue_after_message_was_deleted_posts_the_reminder(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    app.channels["ml-approvals"].messages.clear()
    tell(titanic, app, "overdue", reviewUrl=None)
    assert titles(app) == ["titanic: a new model still waits for your decision"]


def test_tell_after_channel_changed_posts_to_the_new_channel(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    app.channels["ml-approvals"].archived = True
    app.channels["new"] = Channel("C0NEW")
    approvers(titanic, slack_channel="new")
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    assert [texts(message)[0] for message in app.messages("new")] == [APPROVED]


# ---- what goes wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "drop"])
def test_tell_retries_temporary_failures(titanic: Any, app: Slack, kind: str) -> None:
    app.play(kind)
    tell(titanic, app)
    assert titles(app) == [WAITS]


def test_tell_waits_as_long_as_slack_says(titanic: Any, app: Slack, naps: list[float]) -> None:
    app.play("rate_limit", 3, retry_after="7")
    tell(titanic, app)
    assert titles(app) == [WAITS]
    assert [int(nap) for nap in naps] == [7, 7, 7]


def test_tell_raises_an_outage_and_succeeds_when_retried(titanic: Any, app: Slack) -> None:
    app.play("server_error", 3)
    with pytest.raises(SlackApiError):
        tell(titanic, app)
    assert app.messages() == []
    tell(titanic, app)
    assert titles(app) == [WAITS]


def test_tell_raises_if_the_wait_exceeds_the_functions_time(titanic: Any, app: Slack, naps: list[float]) -> None:
    app.play("rate_limit", retry_after="54")  # of 60 seconds that are left 5 are not spent on waiting
    with pytest.raises(SlackApiError, match="ratelimited"):
        tell(titanic, app)
    assert naps == []
    tell(titanic, app)
    assert titles(app) == [WAITS]


@pytest.mark.parametrize("retry_after", ["soon", "-1", "9" * 5000])
def test_tell_raises_on_a_malformed_time_to_wait(titanic: Any, app: Slack, retry_after: str) -> None:
    app.play("rate_limit", retry_after=retry_after)
    with pytest.raises(SlackApiError, match="ratelimited"):
        tell(titanic, app)


def test_tell_after_a_lost_answer_keeps_the_last_message(titanic: Any, app: Slack) -> None:
    app.play("drop_after")
    tell(titanic, app)
    assert titles(app) == [WAITS, WAITS]
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    assert titles(app) == [WAITS, APPROVED]
    press(titanic, app)
    assert titles(app) == [APPROVED, APPROVED]
    assert app.answers[0]["text"].startswith(
        "Your press changed nothing; this decision stands: Approved through its link by somebody"
    )


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        ("#none", "Slack has no channel #none that the app may see"),
        ("#far", "the app is not in the channel #far: /invite it there"),
        ("#old", "the channel #old is archived"),
    ],
)
def test_tell_raises_final_refusals_with_a_remedy(titanic: Any, app: Slack, channel: str, text: str) -> None:
    app.channels |= {"old": Channel("C0OLD", archived=True), "far": Channel("C0FAR", joined=False)}
    approvers(titanic, slack_channel=channel)
    with pytest.raises(SlackRefused, match=text):
        tell(titanic, app)


def test_tell_raises_invalid_tokens_with_a_remedy(titanic: Any, app: Slack) -> None:
    app.token = "another"
    with pytest.raises(SlackRefused, match=r"put a valid one into the secret \(invalid_auth\)") as caught:
        tell(titanic, app)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("life", range(1, 14))
def test_tell_dying_anywhere_ends_in_one_message_with_the_decision(
    titanic: Any, app: Slack, life: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    tell(titanic, app)
    by(titanic, "Approved", "link", "Ana")
    lives = [life]
    wrapped = {
        name: Mortal(getattr(titanic, name), lives, after=after) for name in ("sagemaker", "s3", "table")
    }
    try:
        tell(titanic, app, "approved", wrapped=wrapped)
    except Died:
        tell(titanic, app, "approved")
    assert titles(app) == [APPROVED]
    assert titanic.items.get(f"lease#slack#{ARN}") is None


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("life", range(1, 14))
def test_tell_dying_before_the_first_message_posts_at_least_once(
    titanic: Any, app: Slack, life: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    lives = [life]
    wrapped = {
        name: Mortal(getattr(titanic, name), lives, after=after) for name in ("sagemaker", "s3", "table")
    }
    try:
        tell(titanic, app, wrapped=wrapped)
    except Died:
        tell(titanic, app)
    assert 1 <= len(app.messages()) <= 2
    assert titanic.items.get(f"slack#{ARN}")["ts"] == app.messages()[-1]["ts"]
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    assert titles(app)[-1] == APPROVED


# ---- a plain webhook ------------------------------------------------------------------------------------


def webhook(world: Any, app: Slack, kind: str, url: str | None = None, **changes: Any) -> None:
    handler(
        notification(kind, **changes),
        Context(),
        using=using(world),
        connect=client(app, webhookUrl=url or app.webhook_url),
    )


def test_tell_by_webhook_posts_links_without_buttons_or_updates(titanic: Any, app: Slack) -> None:
    for _ in range(2):
        webhook(titanic, app, "waiting")
    by(titanic, "Approved", "link", "Ana")
    webhook(titanic, app, "approved")
    webhook(titanic, app, "waiting", notificationId="late")
    first, second = app.webhook
    assert texts(first)[0] == WAITS
    assert f"<{URL}|Open its page>" in texts(first)
    assert not buttons(first)
    assert first["unfurl_links"] is False
    assert texts(second)[0] == APPROVED
    assert app.calls == []


def test_tell_overdue_by_webhook_posts_one_message(titanic: Any, app: Slack) -> None:
    webhook(titanic, app, "waiting")
    webhook(titanic, app, "overdue", reviewUrl=URL)
    webhook(titanic, app, "overdue", reviewUrl=f"{URL}2", notificationId="2")
    assert [texts(body)[0] for body in app.webhook] == [
        WAITS,
        "titanic: a new model still waits for your decision",
        WAITS,
    ]


def test_tell_raises_a_missing_webhook_without_its_secret(titanic: Any, app: Slack) -> None:
    with pytest.raises(SlackRefused, match="Slack has not taken the webhook: 404 no_service") as caught:
        webhook(titanic, app, "waiting", url=f"{app.origin}/services/T0/B0/gone")
    assert "B0" not in str(caught.value)


# ---- buttons --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("action", "wanted"), [("approve", "Approved"), ("reject", "Rejected")])
def test_press_by_an_approver_decides(titanic: Any, app: Slack, action: str, wanted: str) -> None:
    tell(titanic, app)
    press(titanic, app, action, reason="better for women")
    assert status(titanic) == wanted
    fact = titanic.items.get(keys.decision(ARN).text)
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


def test_press_after_another_decision_is_told_which_one_stands(titanic: Any, app: Slack) -> None:
    approvers(titanic, slack_channel="#ml-approvals", slack_users=("U0123ABCD", "U0SECOND"))
    tell(titanic, app)
    (message,) = app.messages()
    old = json.loads(json.dumps(message))
    press(titanic, app, "approve")
    late = requests.interaction(
        *app.press(old, "reject", user="U0SECOND", name="bo"),
        SIGNING_SECRET,
        datetime.now(UTC),
        api_url=app.url,
    )
    assert isinstance(late, requests.Interaction)
    decided(titanic, app, late.as_event())
    assert status(titanic) == "Approved"
    assert app.answers[1]["text"].startswith(
        "Your press changed nothing; this decision stands: Approved in Slack by U0123ABCD (ana), 20"
    )
    assert titles(app) == [APPROVED]


def test_press_repeated_decides_once(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    event = pressing()
    event["slackDecision"] |= {"responseUrl": f"{app.origin}/actions/T0/1/x", "packageArn": ARN}
    event["slackDecision"]["messageTs"] = app.messages()[0]["ts"]
    decided(titanic, app, event)
    decided(titanic, app, event)
    assert len(titanic.sagemaker.updates) == 1
    assert [answer["text"].split(":")[0] for answer in app.answers] == ["Recorded"] * 2


def later(world: Any, app: Slack, event: dict[str, Any], at: datetime) -> None:
    """The event of a press is handled at another time."""
    handler(event, Context(), using=using(world, clock=lambda: at), connect=client(app))


def test_press_before_a_set_back_decides_nothing(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    event, now = pressing(), datetime.now(UTC)
    event["slackDecision"] |= {"responseUrl": f"{app.origin}/actions/T0/1/x", "packageArn": ARN}
    event["slackDecision"]["messageTs"] = app.messages()[0]["ts"]
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
    event["slackDecision"]["pressedAt"] = (now + timedelta(minutes=3)).isoformat()
    later(titanic, app, event, now + timedelta(minutes=3, seconds=1))
    assert status(titanic) == "Approved"


@pytest.mark.parametrize(
    ("age", "wanted"),
    [(timedelta(minutes=15), "Approved"), (timedelta(minutes=15, seconds=1), "PendingManualApproval")],
)
def test_press_older_than_fifteen_minutes_decides_nothing(titanic: Any, app: Slack, age: timedelta, wanted: str) -> None:
    tell(titanic, app)
    event = pressing()
    pressed_at = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
    event["slackDecision"] |= {"responseUrl": f"{app.origin}/actions/T0/1/x", "packageArn": ARN}
    event["slackDecision"]["pressedAt"] = pressed_at.isoformat()
    later(titanic, app, event, pressed_at + age)
    assert status(titanic) == wanted
    if wanted != "Approved":
        assert app.answers[0]["text"] == (
            "Nothing was decided: you pressed at 2026-11-20 07:00 UTC, and that is too long ago to count "
            "now. Look at the message, and press again if you still mean it."
        )
        assert titanic.items.get(keys.decision(ARN).text) is None


def test_press_replayed_late_is_told_what_it_decided(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    event = pressing()
    event["slackDecision"] |= {"responseUrl": f"{app.origin}/actions/T0/1/x", "packageArn": ARN}
    event["slackDecision"]["messageTs"] = app.messages()[0]["ts"]
    decided(titanic, app, event)
    later(titanic, app, event, datetime.now(UTC) + timedelta(days=3))
    assert [answer["text"].split(":")[0] for answer in app.answers] == ["Recorded"] * 2


def test_press_by_a_stranger_is_refused(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    press(titanic, app, user="U0STRANGER")
    assert status(titanic) == "PendingManualApproval"
    assert titanic.items.get(keys.decision(ARN).text) is None
    assert app.answers[0]["text"] == (
        "You (U0STRANGER) are not among the approvers of titanic (approvers.slack_users in its config), so "
        "nothing was decided."
    )
    assert titles(app) == [WAITS]


def test_press_without_slack_users_is_refused(titanic: Any, app: Slack) -> None:
    tell(titanic, app)
    approvers(titanic, slack_channel="#ml-approvals")
    press(titanic, app)
    assert status(titanic) == "PendingManualApproval"
    assert "are not among the approvers" in app.answers[0]["text"]


@pytest.mark.parametrize("reason", [None, "", " \n\t", "\u202e"])
def test_press_without_a_reason_is_refused(titanic: Any, app: Slack, reason: str | None) -> None:
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
def test_press_on_an_unknown_package_is_refused(titanic: Any, app: Slack, arn: str) -> None:
    tell(titanic, app)
    event = pressing()
    event["slackDecision"] |= {"responseUrl": f"{app.origin}/actions/T0/1/x", "packageArn": arn}
    decided(titanic, app, event)
    assert app.answers[0]["text"] == "This is no candidate of this deployment. Nothing was decided."
    assert titanic.items.get(keys.decision(arn).text) is None
    assert titanic.sagemaker.updates == []


def test_press_on_a_group_of_another_deployment_is_refused(titanic: Any, app: Slack) -> None:
    arn = ARN.replace("handsoff-titanic", "titanic")
    other = {**titanic.sagemaker.packages[ARN], "ModelPackageArn": arn, "ModelPackageGroupName": "titanic"}
    titanic.sagemaker.packages[arn] = other
    event = pressing()
    event["slackDecision"] |= {"responseUrl": f"{app.origin}/actions/T0/1/x", "packageArn": arn}
    decided(titanic, app, event)
    assert "no candidate of this deployment" in app.answers[0]["text"]
    assert titanic.sagemaker.updates == []


def test_press_on_a_package_of_another_account_is_refused(titanic: Any, app: Slack) -> None:
    arn = ARN.replace("123456789012", "210987654321")
    titanic.sagemaker.packages[arn] = titanic.sagemaker.packages[ARN]
    event = pressing()
    event["slackDecision"] |= {"responseUrl": f"{app.origin}/actions/T0/1/x", "packageArn": arn}
    decided(titanic, app, event)
    assert "no candidate of this deployment" in app.answers[0]["text"]


def test_press_answers_slack_only(titanic: Any, app: Slack) -> None:
    event = pressing()
    event["slackDecision"]["responseUrl"] = "http://169.254.169.254/latest/meta-data"
    with pytest.raises(SlackRefused, match=r"must go to https://hooks\.slack\.com/"):
        decided(titanic, app, event)


def test_press_decides_although_the_answer_is_too_late(
    titanic: Any, app: Slack, caplog: pytest.LogCaptureFixture
) -> None:
    tell(titanic, app)
    event = pressing()
    event["slackDecision"] |= {"responseUrl": f"{app.origin}/expired", "packageArn": ARN}
    decided(titanic, app, event)
    assert status(titanic) == "Approved"
    assert titles(app) == [APPROVED]
    assert "too late for an answer in Slack" in caplog.messages


def test_press_raises_failures_of_aws(titanic: Any, app: Slack) -> None:
    tell(titanic, app)

    class Denied:
        def describe_model_package(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "Describe")

    with pytest.raises(ClientError, match="AccessDenied"):
        press(titanic, app, wrapped={"sagemaker": Denied()})


def test_press_decides_during_an_outage_and_answers_when_retried(titanic: Any, app: Slack) -> None:
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
    titanic: Any, app: Slack, life: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    tell(titanic, app)
    lives = [life]
    wrapped = {
        name: Mortal(getattr(titanic, name), lives, after=after) for name in ("sagemaker", "s3", "table")
    }
    (message,) = app.messages()
    asked = requests.interaction(
        *app.press(message, "approve"), SIGNING_SECRET, datetime.now(UTC), api_url=app.url
    )
    assert isinstance(asked, requests.Interaction)
    try:
        decided(titanic, app, asked.as_event(), wrapped=wrapped)
    except Died:
        decided(titanic, app, asked.as_event())
    assert status(titanic) == "Approved"
    assert len(titanic.sagemaker.updates) == 1
    assert titles(app) == [APPROVED]
    assert {answer["text"].split(":")[0] for answer in app.answers} == {"Recorded"}


# ---- what it is given -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["waiting", "failed"])
def test_handler_accepts_the_event_files(titanic: Any, app: Slack, name: str) -> None:
    event = json.loads((ROOT / f"events/notify_slack.{name}.json").read_text())
    handler(event, Context(), using=using(titanic), connect=client(app))
    assert len(app.messages()) == 1


def test_connected_uses_the_environments_secret_and_api(
    app: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Secrets:
        def get(self, arn: str, max_age: int) -> str:
            assert (arn, max_age) == ("arn:secret", 60)
            return json.dumps({"botToken": TOKEN, "signingSecret": SIGNING_SECRET})

    monkeypatch.setattr("retraining.aws.settings._secrets", Secrets)
    monkeypatch.setenv("SLACK_SECRET", "arn:secret")
    monkeypatch.setenv("SLACK_API_URL", app.url)
    found = connected(lambda: 1.0)
    assert found.interactive
    found.post("#ml-approvals", messages.of_text("hello"))
    assert [message["text"] for message in app.messages()] == ["hello"]
