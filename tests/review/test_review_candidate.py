"""The handler review_candidate: its routes, the requests that it refuses, and any request at all."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retraining.review_page.form import MAX_FORM
from retraining.review_page.http import answer
from retraining.slack.endpoint import MAX_BODY, Endpoint
from retraining.slack.requests import from_event
from tests.functions.fakes import ROOT, arn_of
from tests.review.stage import CANDIDATE, HOST, NOW, Stage, request, undecided

EVENTS = ROOT / "events"


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


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"requestContext": None, "headers": None, "body": None},
        {"requestContext": {"http": {}}, "rawPath": "/review"},
        {"requestContext": {"http": {"method": "POST"}}, "rawPath": "/review", "body": 1},
        {"requestContext": {"http": {"method": "GET"}}, "rawPath": ["/review"], "rawQueryString": {"t": 1}},
        {"requestContext": {"http": {"method": "POST"}}, "rawPath": "/slack", "headers": {"host": 1}},
        {"requestContext": [], "headers": [], "rawPath": "/slack", "isBase64Encoded": "yes", "body": "%"},
    ],
)
def test_handler_refuses_events_that_lack_parts_of_a_request(stage: Stage, event: dict[str, Any]) -> None:
    assert 400 <= stage.answer(event)["statusCode"] < 500
    assert undecided(stage)


def test_answer_with_a_header_that_http_cannot_carry_is_not_made() -> None:
    for value in ("review?t=a\r\nset-cookie: x=1", "review?t=a\n", "review?t=ä", "\x00"):
        with pytest.raises(ValueError, match="header location"):
            answer(303, location=value)


# ---- Slack -----------------------------------------------------------------------------------------------


@pytest.fixture
def handed() -> list[Any]:
    return []


@pytest.fixture
def endpoint(handed: list[Any]) -> Endpoint:
    return Endpoint("signing secret", handed.append, clock=lambda: NOW)


def pressed(body: bytes, secret: str = "signing secret", at: datetime = NOW) -> dict[str, Any]:
    """A request that Slack has signed."""
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    signed = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}
    return request("POST", "/slack", body=body, headers=signed)


def button() -> bytes:
    """The body of Slack's request after a press of Approve."""
    payload = {
        "type": "block_actions",
        "user": {"id": "U0123ABCD", "username": "grace"},
        "actions": [{"action_id": "approve", "value": CANDIDATE}],
        "container": {"channel_id": "C0123ABCD", "message_ts": "1700000000.000100"},
        "response_url": "https://hooks.slack.com/actions/T1/2/3",
        "state": {"values": {"why": {"reason": {"type": "plain_text_input", "value": "fine"}}}},
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def test_endpoint_hands_a_press_on_and_answers(stage: Stage, endpoint: Endpoint, handed: list[Any]) -> None:
    answer = stage.answer(pressed(button()), endpoint=endpoint, using=None, links=None)
    assert (answer["statusCode"], answer["body"]) == (200, "")
    (event,) = handed
    assert event["source"] == "handsoff"
    found = from_event(json.loads(json.dumps(event)), "signing secret", NOW)
    assert (found.package_arn, found.user_id, found.pressed_at) == (CANDIDATE, "U0123ABCD", NOW)
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
    """Any request that a Function URL could pass on; many are nearly valid."""
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


@pytest.mark.slow
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
    assert answer["statusCode"] in (401, 403)  # no deployment has the secret of their tokens and signatures
    assert undecided(stage)
