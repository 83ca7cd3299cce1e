"""No exception and no log holds a secret of Slack, whatever form the secret has and whatever fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from notify_slack import connected, handler
from retraining.errors import ConfigError
from retraining.slack import messages
from retraining.slack.client import Place, SlackClient, SlackFailed, SlackRefused
from retraining.slack.endpoint import Endpoint
from retraining.slack.secret import Secret, parse_secret
from tests.canary.recording import Written, shown
from tests.functions.fakes import Context
from tests.functions.world import World
from tests.slack.channel import notification, using
from tests.slack.stand_in import Slack, signed

CANARY = "kJ7canary9Qx"
MESSAGE = messages.of_text("hello")


@pytest.fixture
def said() -> Iterator[list[str]]:
    """Everything that any logger says, from DEBUG on."""
    written = Written()
    with written.logs():
        yield written.texts["logs"]


def failure(act: Callable[[], object]) -> Exception | None:
    """What `act` raises; None if it raises nothing."""
    try:
        act()
    except Exception as error:
        return error
    return None


MALFORMED = {
    "no scheme": {"webhookUrl": f"hooks.slack.com/services/T0/B0/{CANARY}"},
    "another scheme": {"webhookUrl": f"file:///services/T0/B0/{CANARY}"},
    "plain http": {"webhookUrl": f"http://hooks.slack.com/services/T0/B0/{CANARY}"},
    "no host": {"webhookUrl": f"https:///services/T0/B0/{CANARY}"},
    "a user": {"webhookUrl": f"https://{CANARY}@hooks.slack.com/services"},
    "a line break": {"webhookUrl": f"https://hooks.slack.com/services/T0/B0/{CANARY}\n"},
    "a space": {"webhookUrl": f" https://hooks.slack.com/services/T0/B0/{CANARY}"},
    "an inner space": {"webhookUrl": f"https://hooks.slack.com/services/T0/B0 /{CANARY}"},
    "other letters": {"webhookUrl": f"https://hooks.slack.com/services/T0/ü/{CANARY}"},
    "a port that is none": {"webhookUrl": f"https://hooks.slack.com:{CANARY}/services"},
    "an open bracket": {"webhookUrl": f"https://[::1/{CANARY}"},
    "quotes around it": {"webhookUrl": f'"https://hooks.slack.com/services/{CANARY}"'},
    "token with a line break": {"botToken": f"xoxb-{CANARY}\n", "signingSecret": "s"},
    "token with a space": {"botToken": f"xoxb-{CANARY} ", "signingSecret": "s"},
    "token with other letters": {"botToken": f"xoxb-{CANARY}ü", "signingSecret": "s"},
    "signing secret with a line break": {"botToken": "xoxb-1", "signingSecret": f"{CANARY}\r\n"},
    "signing secret with other letters": {"botToken": "xoxb-1", "signingSecret": f"{CANARY}ü"},
    "signing secret alone": {"signingSecret": CANARY},
    "all three": {"botToken": CANARY, "signingSecret": CANARY, "webhookUrl": f"https://h/{CANARY}"},
    "another key": {"webhook": f"https://hooks.slack.com/{CANARY}"},
    "a number": {"botToken": {CANARY: 1}, "signingSecret": CANARY},
}


@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED)
def test_parse_secret_refuses_what_no_request_can_carry(values: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(ConfigError, match="the secret arn:s must hold") as caught:
        parse_secret(json.dumps(values), source="the secret arn:s")
    assert CANARY not in shown(caught.value)
    assert [line for line in said if CANARY in line] == []


@pytest.mark.parametrize(
    "text", [CANARY, f'"{CANARY}"', f"[{CANARY}", f'{{"botToken": "{CANARY}"', f"\ud800{CANARY}"]
)
def test_parse_secret_shows_nothing_of_a_text_that_is_no_json(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_secret(text, source="the secret arn:s")
    assert CANARY not in shown(caught.value)


CALLS: dict[str, Callable[[SlackClient], object]] = {
    "post": lambda client: client.post("#ml-approvals", MESSAGE),
    "update": lambda client: client.update(Place("C0APPROVALS", "1.1"), MESSAGE),
    "answer": lambda client: client.answer(f"https://hooks.slack.com/actions/{CANARY}", MESSAGE),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED)
def test_client_quotes_no_secret_although_it_was_not_checked(
    values: dict[str, Any],
    call: Callable[[SlackClient], object],
    said: list[str],
    naps: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if the form of a secret that no request can carry had been taken for a good one."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nobody answers there
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    from pydantic import SecretStr

    made = {name: SecretStr(value) for name, value in values.items() if isinstance(value, str)}
    fields = {"botToken": "bot_token", "signingSecret": "signing_secret", "webhookUrl": "webhook_url"}
    secret = Secret.model_construct(**{fields.get(name, name): value for name, value in made.items()})  # type: ignore[arg-type]
    client = SlackClient(secret)
    error = failure(lambda: call(client))
    assert CANARY not in shown(error)
    assert error is None or isinstance(error, SlackFailed)
    assert [line for line in said if CANARY in line] == []
    assert len(naps) < 10


class Echo(Slack):
    """A Slack, or a proxy before it, that answers each request with what it was asked, secrets included."""

    def answer(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, str | dict[str, Any]]:
        del body
        if path.startswith("/api/"):
            return 200, {"ok": False, "error": f"{token} is bad", "token": token, "url": path}
        return 500, f"{self.origin}{path} {token} failed"


@pytest.mark.parametrize("way", ["app", "webhook"])
def test_client_quotes_nothing_of_an_answer_that_echoes_the_request(way: str, said: list[str]) -> None:
    with Echo() as echo:
        values = (
            {"botToken": f"xoxb-{CANARY}", "signingSecret": "s"}
            if way == "app"
            else {"webhookUrl": f"{echo.origin}/services/T0/B0/{CANARY}"}
        )
        client = SlackClient(Secret.model_validate(values), api_url=echo.url)
        for call in (*list(CALLS.values())[:2],):
            assert CANARY not in shown(failure(partial(call, client)))
        with pytest.raises(SlackRefused, match="Slack has not taken an answer: 500") as caught:
            client.answer(f"{echo.origin}/actions/{CANARY}", MESSAGE)
    assert CANARY not in shown(caught.value)
    assert [line for line in said if CANARY in line] == []


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "drop"])
@pytest.mark.parametrize("way", ["app", "webhook"])
def test_handler_quotes_no_secret_while_slack_is_away(
    titanic: World, app: Slack, way: str, kind: str, said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    app.token = f"xoxb-{CANARY}"
    secret = (
        {"botToken": app.token, "signingSecret": CANARY}
        if way == "app"
        else {"webhookUrl": f"{app.origin}/services/T0/B0/{CANARY}"}
    )

    def connect(patience: Callable[[], float]) -> SlackClient:
        return SlackClient(Secret.model_validate(secret), api_url=app.url, patience=patience)

    app.play(kind, 100)
    with pytest.raises((SlackApiError, SlackFailed, SlackRefused)) as caught:
        handler(notification(), Context(), using=using(titanic), connect=connect)
    assert CANARY not in shown(caught.value)
    assert [line for line in said if CANARY in line] == []
    assert CANARY not in "".join(capsys.readouterr())


@pytest.mark.parametrize("values", MALFORMED.values(), ids=MALFORMED)
def test_functions_that_read_the_secret_quote_nothing_of_it(
    values: dict[str, Any], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Secrets:
        def get(self, arn: str, max_age: int) -> str:
            del arn, max_age
            return json.dumps(values)

    monkeypatch.setattr("retraining.aws.settings._secrets", Secrets)
    monkeypatch.setenv("SLACK_SECRET", "arn:secret")
    monkeypatch.setenv("SLACK_FUNCTION", "handsoff-notify-slack")
    for read in (lambda: connected(lambda: 1.0), Endpoint.from_environment):
        error = failure(read)
        assert isinstance(error, ConfigError)
        assert CANARY not in shown(error)
    assert [line for line in said if CANARY in line] == []


def test_endpoint_quotes_no_signing_secret(said: list[str]) -> None:
    endpoint = Endpoint(CANARY, lambda _event: None)
    for headers in ({}, {"X-Slack-Signature": "v0=ü\ud800", "X-Slack-Request-Timestamp": "1"}):
        endpoint.receive(headers, b"x")
    endpoint.receive(*signed(b"payload=x", CANARY))
    assert CANARY not in f"{said}"
