"""Links in Slack's messages: to the candidate's own page only, made anew, and never kept."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.functions.world import World
from tests.slack.channel import (
    APPROVED,
    ARN,
    URL,
    WAITS,
    approvers,
    buttons,
    linked,
    markup,
    press,
    status,
    stored,
    tell,
    texts,
    titles,
)
from tests.slack.stand_in import Slack


@pytest.mark.parametrize(
    "kind", ["waiting", "overdue", "execution_failed", "candidate_blocked", "new <!here>"]
)
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/review?t=token",
        "https://abc.lambda-url.us-east-1.on.aws.evil.example/review?t=token",
        "https://abc.lambda-url.us-east-1.on.aws@evil.example/review?t=token",
        "http://abc.lambda-url.us-east-1.on.aws/review?t=token",
        "https://abc.lambda-url.us-east-1.on.aws/review?t=a-token-of-another-candidate",
        "https://abc.lambda-url.us-east-1.on.aws/slack",
        "https://x/|<!channel>",
    ],
)
def test_tell_links_to_our_own_page_of_the_candidate_only(
    titanic: World, app: Slack, kind: str, url: str
) -> None:
    tell(titanic, app, kind, reviewUrl=url, evidenceUri=f"<{url}|evidence> <!channel>")
    for message in app.messages():
        assert linked(message) == [ARN]
        assert message["text"].count("<") == 0
        assert "evil" not in json.dumps(message)
        assert [text for text in markup(message) if "<!" in text or "another" in text] == []


def test_tell_without_a_page_links_nowhere_and_names_the_command(titanic: World, app: Slack) -> None:
    tell(titanic, app, wrapped={"links": None})
    assert titles(app) == [WAITS]
    (message,) = app.messages()
    assert linked(message) == []
    shown = [block["text"]["text"] for block in message["blocks"] if block["type"] == "section"]
    assert 'Decide by command: handsoff approve handsoff-titanic/1 --reason "…" (or reject)' in shown
    assert [block for block in message["blocks"] if block["type"] == "actions"] == []  # nobody would hear


def unreadable() -> None:
    said = "the secret is marked for deletion"
    raise ClientError({"Error": {"Code": "InvalidRequestException", "Message": said}}, "GetSecretValue")


@pytest.mark.parametrize("users", [(), ("U0123ABCD",)])
def test_tell_while_the_link_secret_cannot_be_read_shows_buttons_or_the_command(
    titanic: World, app: Slack, users: tuple[str, ...]
) -> None:
    approvers(titanic, slack_channel="#ml-approvals", slack_users=users)
    without = {"read_links": unreadable}
    tell(titanic, app, wrapped=without)
    tell(titanic, app, "overdue", wrapped=without, reviewUrl=URL)
    tell(titanic, app, "candidate_blocked", wrapped=without, reviewUrl=URL)
    assert titles(app) == [
        WAITS,
        "titanic: a new model still waits for your decision",
        "titanic: a new model is blocked: it cannot be judged or recorded",
    ]
    first, *_ = app.messages()
    command = 'Decide by command: handsoff approve handsoff-titanic/1 --reason "…" (or reject)'
    assert (buttons(first), command in texts(first)) == ((True, False) if users else (False, True))
    assert [linked(message) for message in app.messages()] == [[], [], []]


def test_press_while_the_link_secret_cannot_be_read_decides_and_is_answered_once(
    titanic: World, app: Slack
) -> None:
    tell(titanic, app, wrapped={"read_links": unreadable})
    press(titanic, app, wrapped={"read_links": unreadable})
    assert status(titanic) == "Approved"
    assert titles(app) == [APPROVED]
    assert len(app.answers) == 1


def test_tell_keeps_no_link_and_removes_one_that_was_kept(titanic: World, app: Slack) -> None:
    tell(titanic, app)
    assert stored(titanic, f"slack#{ARN}").keys() == {"fact", "channel", "ts", "shows"}
    titanic.items.mark(f"slack#{ARN}", {"reviewUrl": URL})  # as version 0.1 did
    tell(titanic, app, "approved", notificationId="again")
    assert stored(titanic, f"slack#{ARN}").keys() == {"fact", "channel", "ts", "shows"}
    titanic.items.mark(f"slack#{ARN}", {"reviewUrl": URL, "shows": "of 0.1, with its link"})
    tell(titanic, app, "approved", notificationId="once more")
    assert stored(titanic, f"slack#{ARN}").keys() == {"fact", "channel", "ts", "shows"}
    assert "review?t=" not in json.dumps(list(titanic.table.items.values()), default=str)  # type: ignore[attr-defined]
