"""The stand-in for Slack refuses what Slack's documentation says, in a form that slack_sdk understands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient

from tests.slack.limits import problems
from tests.slack.stand_in import TOKEN, Channel, Slack


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as running:
        yield running


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def section(text: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": plain(text), **more}


def button(**changes: Any) -> dict[str, Any]:
    return {
        "type": "actions",
        "elements": [{"type": "button", "action_id": "a", "text": plain("A"), "value": "v", **changes}],
    }


def confirm(**changes: str) -> dict[str, Any]:
    texts = {"title": "t", "text": "t", "confirm": "c", "deny": "d", **changes}
    return button(confirm={name: plain(text) for name, text in texts.items()})


@pytest.mark.parametrize(
    ("just", "over"),
    [
        ([section()] * 50, [section()] * 51),
        ([section("x" * 3000)], [section("x" * 3001)]),
        ([section("😀" * 1500)], [section("😀" * 1501)]),
        ([{"type": "header", "text": plain("x" * 150)}], [{"type": "header", "text": plain("x" * 151)}]),
        (
            [{"type": "section", "fields": [plain("x" * 2000)] * 10}],
            [{"type": "section", "fields": [plain("x")] * 11}],
        ),
        ([{"type": "section", "fields": [plain("x")]}], [{"type": "section", "fields": [plain("x" * 2001)]}]),
        ([button(text=plain("x" * 75))], [button(text=plain("x" * 76))]),
        ([button(value="x" * 2000)], [button(value="x" * 2001)]),
        ([button(action_id="x" * 255)], [button(action_id="x" * 256)]),
        ([section(block_id="x" * 255)], [section(block_id="x" * 256)]),
        ([confirm(title="x" * 100)], [confirm(title="x" * 101)]),
        ([confirm(text="x" * 300)], [confirm(text="x" * 301)]),
        ([confirm(deny="x" * 30)], [confirm(deny="x" * 31)]),
        ([section(block_id="a"), section(block_id="b")], [section(block_id="a"), section(block_id="a")]),
        ([section(" x")], [section(" ")]),
        ([{"type": "divider"}], [{"type": "divider", "text": plain("x")}]),
        ([{"type": "divider"}], [{"type": "carousel"}]),
        ([section()], [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]),
        ([section()], [{"type": "section", "text": {**plain("x"), "verbatim": True}}]),
        ([], {}),
    ],
)
def test_problems_names_each_exceeded_limit(just: Any, over: Any) -> None:
    assert list(problems(just)) == []
    assert len(list(problems(over))) == 1


def test_stand_in_names_the_refused_block(slack: Slack) -> None:
    client = WebClient(TOKEN, base_url=slack.url, retry_handlers=[])
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="#ml-approvals", text="t", blocks=[section(), section("x" * 3001)])
    assert caught.value.response.data == {
        "ok": False,
        "error": "invalid_blocks",
        "response_metadata": {"messages": ["[ERROR] /blocks/1/text/text: must be less than 3001 characters"]},
    }


def error_of(client: WebClient, **call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(**{"channel": "#ml-approvals", "text": "t", **call})
    return str(caught.value.response["error"])


def test_stand_in_answers_with_slacks_errors(slack: Slack) -> None:
    slack.channels |= {"old": Channel("C0OLD", archived=True), "far": Channel("C0FAR", joined=False)}
    client = WebClient(TOKEN, base_url=slack.url, retry_handlers=[])
    assert client.auth_test()["ok"]
    assert error_of(WebClient("xoxb-other", base_url=slack.url)) == "invalid_auth"
    assert error_of(client, channel="#none") == "channel_not_found"
    assert error_of(client, channel="old") == "is_archived"
    assert error_of(client, channel="C0FAR") == "not_in_channel"
    assert error_of(client, thread_ts="1.1") == "thread_not_found"
    assert error_of(client, blocks=[section("x" * 2990) for _ in range(5)]) == "msg_blocks_too_long"
    posted = client.chat_postMessage(channel="#ml-approvals", text="t")
    with pytest.raises(SlackApiError, match="channel_not_found"):  # chat.update takes ids only
        client.chat_update(channel="#ml-approvals", ts=posted["ts"], text="u")
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="u")
    assert [message["text"] for message in slack.messages()] == ["u"]


def test_stand_in_has_a_webhook_and_response_urls(slack: Slack) -> None:
    assert WebhookClient(slack.webhook_url).send(text="t").status_code == 200
    refused = WebhookClient(slack.webhook_url).send(blocks=[section("x" * 3001)])
    assert (refused.status_code, refused.body) == (400, "invalid_blocks")
    assert WebhookClient(slack.webhook_url).send().body == "no_text"
    assert [body["text"] for body in slack.webhook] == ["t"]
    answers = WebhookClient(f"{slack.origin}/actions/T0/1/x")
    assert [answers.send(text="t").status_code for _ in range(6)] == [200, 200, 200, 200, 200, 404]
    assert WebhookClient(f"{slack.origin}/services/T0/B0/wrong").send(text="t").status_code == 404
