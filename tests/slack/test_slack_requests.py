"""slack/requests.py: it accepts presses of our own buttons that Slack has signed within five minutes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining.slack.endpoint import MAX_BODY
from retraining.slack.requests import (
    Interaction,
    NotSigned,
    Refusal,
    as_event,
    from_event,
    interaction,
    may_answer,
)
from tests.slack.stand_in import SIGNING_SECRET, signed

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/3"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def payload(**changes: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "user": {"id": "U0123ABCD", "username": "ana", "team_id": "T0"},
        "container": {"type": "message", "message_ts": "1763877600.000100", "channel_id": "C0APPROVALS"},
        "response_url": "https://hooks.slack.com/actions/T0/1/x",
        "state": {"values": {"b1": {"reason": {"type": "plain_text_input", "value": " it is\ngood "}}}},
        "actions": [{"action_id": "approve", "block_id": "b2", "value": ARN, "type": "button"}],
        **changes,
    }


def body(changes: dict[str, Any] | None = None) -> bytes:
    return urlencode({"payload": json.dumps(payload(**(changes or {})))}).encode()


def asked(raw: bytes, at: float = NOW.timestamp(), secret: str = SIGNING_SECRET) -> Interaction | Refusal:
    headers, _ = signed(raw, secret, at)
    return interaction(headers, raw, SIGNING_SECRET, NOW)


def refused(found: Interaction | Refusal) -> tuple[int, str]:
    assert isinstance(found, Refusal)
    return found.status, found.why


def test_interaction_of_a_signed_press_has_its_values() -> None:
    found = asked(body())
    assert found == Interaction(
        user_id="U0123ABCD",
        user_name="ana",
        action="approve",
        package_arn=ARN,
        reason="it is good",
        response_url="https://hooks.slack.com/actions/T0/1/x",
        channel="C0APPROVALS",
        message_ts="1763877600.000100",
        pressed_at=NOW,
    )
    assert isinstance(found, Interaction)
    assert found.who == "U0123ABCD (ana)"
    headers, raw = signed(body(), SIGNING_SECRET, NOW.timestamp())
    event = json.loads(json.dumps(as_event(headers, raw)))
    assert list(event) == ["source", "slackPress"]
    assert event["slackPress"]["headers"]["x-slack-request-timestamp"] == "1795413600"
    assert from_event(event, SIGNING_SECRET, NOW) == found


@pytest.mark.parametrize(
    ("age", "good"),
    [
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
        (timedelta(hours=1), True),
        (timedelta(days=14), True),
        (timedelta(days=14, seconds=1), False),
    ],
)
def test_from_event_bounds_the_age_of_a_press(age: timedelta, good: bool) -> None:
    event = as_event(*signed(body(), SIGNING_SECRET, (NOW - age).timestamp()))
    if good:
        assert from_event(event, SIGNING_SECRET, NOW).pressed_at == NOW - age
        return
    with pytest.raises(NotSigned, match="more than 14 days old, or from the future"):
        from_event(event, SIGNING_SECRET, NOW)


def test_as_event_of_the_largest_body_fits_an_asynchronous_event() -> None:
    event = as_event(*signed(b"\xff" * MAX_BODY))
    assert len(json.dumps(event)) < 256 * 1024


@given(json_values)
def test_from_event_raises_for_any_event_that_slack_has_not_signed(given_event: Any) -> None:
    with pytest.raises(NotSigned):
        from_event({"slackPress": given_event}, SIGNING_SECRET, NOW)


@pytest.mark.parametrize("state", [{}, {"values": {}}, {"values": {"b": {"reason": {"value": None}}}}])
def test_interaction_without_a_reason_has_an_empty_one(state: dict[str, Any]) -> None:
    found = asked(body({"state": state}))
    assert isinstance(found, Interaction)
    assert found.reason == ""


def test_interaction_accepts_the_signature_of_slacks_own_example() -> None:
    # https://docs.slack.dev/authentication/verifying-requests-from-slack
    raw = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F"
        b"96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "x-slack-request-timestamp": "1531420618",
        "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    then = datetime.fromtimestamp(1531420618, UTC)
    found = interaction(headers, raw, "8f742231b10e8888abcd99yyyzzz85a5", then)
    assert refused(found) == (400, "this is not a press of one of our buttons")


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_interaction_accepts_requests_within_five_minutes(seconds: int) -> None:
    assert isinstance(asked(body(), NOW.timestamp() + seconds), Interaction)


@pytest.mark.parametrize("seconds", [-301, 301, 10**10])
def test_interaction_refuses_requests_beyond_five_minutes(seconds: int) -> None:
    assert refused(asked(body(), NOW.timestamp() + seconds)) == (
        401,
        "the request is more than five minutes old, or from the future",
    )


def test_interaction_refuses_the_signature_of_another_secret() -> None:
    assert refused(asked(body(), secret="another")) == (401, "the signature is not Slack's")


def test_interaction_refuses_a_changed_body() -> None:
    headers, raw = signed(body(), at=NOW.timestamp())
    found = interaction(headers, raw.replace(b"approve", b"reject"), SIGNING_SECRET, NOW)
    assert refused(found) == (401, "the signature is not Slack's")


def test_interaction_without_a_secret_refuses_everything() -> None:
    headers, raw = signed(body(), "", NOW.timestamp())
    assert refused(interaction(headers, raw, "", NOW)) == (401, "the request is not signed")


@pytest.mark.parametrize("missing", ["X-Slack-Signature", "X-Slack-Request-Timestamp"])
def test_interaction_refuses_missing_headers(missing: str) -> None:
    headers, raw = signed(body(), at=NOW.timestamp())
    del headers[missing]
    assert refused(interaction(headers, raw, SIGNING_SECRET, NOW))[0] == 401


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_interaction_reads_header_names_in_any_case(case: Any) -> None:
    headers, raw = signed(body(), at=NOW.timestamp())
    found = interaction({case(name): value for name, value in headers.items()}, raw, SIGNING_SECRET, NOW)
    assert isinstance(found, Interaction)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Slack-Request-Timestamp", "now"),
        ("X-Slack-Request-Timestamp", "9" * 5000),
        ("X-Slack-Request-Timestamp", "\N{FULLWIDTH DIGIT ONE}763877600"),
        ("X-Slack-Request-Timestamp", "1763877600\n"),
        ("X-Slack-Request-Timestamp", "-1"),
        ("X-Slack-Signature", ""),
        ("X-Slack-Signature", "v0=ü\ud800"),
        ("X-Slack-Signature", "v1=00"),
    ],
)
def test_interaction_refuses_malformed_headers(name: str, value: str) -> None:
    headers, raw = signed(body(), at=NOW.timestamp())
    assert refused(interaction({**headers, name: value}, raw, SIGNING_SECRET, NOW))[0] == 401


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"payload=%ff",
        b"payload",
        b"payload=",
        b"payload=null",
        b"payload={}&payload={}",
        b"payload=" + b"[" * 100_000,
        b"payload=%7B%22type%22:%22view_submission%22%7D",
        b"&".join([b"a=1"] * 50),
        b'{"type":"block_actions"}',
    ],
)
def test_interaction_refuses_signed_bodies_without_a_payload(raw: bytes) -> None:
    assert refused(asked(raw)) == (400, "this is not a press of one of our buttons")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "message_action"},
        {"user": {"id": "u1"}},
        {"user": {"id": "U1\nU2"}},
        {"user": {}},
        {"actions": []},
        {"actions": [{"action_id": "delete", "value": ARN}]},
        {"actions": [{"action_id": "approve"}]},
        {"actions": [{"action_id": "approve", "value": "x" * 2001}]},
        {"actions": [{"action_id": "approve", "value": ARN}] * 2},
        {"container": {"channel_id": "C1"}},
        {"container": {"channel_id": "../C1", "message_ts": "1.1"}},
        {"container": {"channel_id": "C1", "message_ts": "x"}},
        {"state": {"values": []}},
        {"response_url": None},
    ],
)
def test_interaction_refuses_signed_payloads_of_other_kinds(changes: dict[str, Any]) -> None:
    assert refused(asked(body(changes))) == (400, "this is not a press of one of our buttons")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/actions/x",
        "https://hooks.slack.com.evil.org/x",
        "https://evil.org/https://hooks.slack.com/",
        "https://hooks.slack.com@evil.org/x",
        "https://user@hooks.slack.com/x",
        "https://hooks.slack.com:8443/x",
        "https://hooks.slack.com\\@evil.org/",
        "https://hooks.slack.com/x y",
        "https://hooks.slack.com/ü",
        "https://[::1/x",
        "//hooks.slack.com/x",
        "",
        "http://127.0.0.1:1/x",
    ],
)
def test_may_answer_accepts_slack_only(url: str) -> None:
    assert not may_answer(url)
    assert refused(asked(body({"response_url": url}))) == (400, "the answer would not go to Slack")


def test_may_answer_accepts_the_named_api() -> None:
    assert may_answer("http://127.0.0.1:81/actions/1", "http://127.0.0.1:81/api/")
    assert not may_answer("http://127.0.0.1:82/actions/1", "http://127.0.0.1:81/api/")
    assert not may_answer("http://127.0.0.1:811/actions/1", "http://127.0.0.1:81/api/")
    assert may_answer("https://hooks.slack.com/actions/1", "http://127.0.0.1:81/api/")


@given(st.dictionaries(st.sampled_from(sorted(payload())), json_values, max_size=3))
def test_interaction_never_raises_on_signed_payloads(changes: dict[str, Any]) -> None:
    assert isinstance(asked(body(changes)), Refusal | Interaction)


@given(st.dictionaries(st.text(), st.text()), st.binary())
def test_interaction_refuses_every_unsigned_request(headers: dict[str, str], raw: bytes) -> None:
    assert refused(interaction(headers, raw, SIGNING_SECRET, NOW))[0] == 401


@given(st.binary())
def test_interaction_never_raises_on_signed_bytes(raw: bytes) -> None:
    assert refused(asked(raw))[0] == 400
