"""Slack's API on this machine, for tests: an HTTP server that refuses what Slack's documentation says.

It has auth.test, chat.postMessage, chat.update, an incoming webhook, and response_url (five answers, then
404 used_url; https://docs.slack.dev/interactivity/handling-user-interaction). Errors are those that
https://docs.slack.dev/reference/methods/chat.postmessage names. Block Kit's limits: limits.py.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, quote, urlencode

from tests.slack.limits import MAX_TEXT, length, problems, too_long

TOKEN = "xoxb-stand-in"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
ANSWERS = 5
"""Times that a response_url may be used."""


@dataclass(frozen=True)
class Fault:
    """A failure of one request. `drop` closes the connection, `drop_after` once the request has worked."""

    kind: Literal["rate_limit", "server_error", "drop", "drop_after"]
    retry_after: str = "0"


@dataclass
class Channel:
    """A channel. The app may post to it if the app has joined and the channel is not archived."""

    identity: str
    joined: bool = True
    archived: bool = False
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class Slack:
    """The workspace. `url` is the value for SLACK_API_URL; `answers` has what was sent to a response_url.

    It listens on `address`; its own URLs have `name` as their host.
    """

    token: str = TOKEN
    signing_secret: str = SIGNING_SECRET
    channels: dict[str, Channel] = field(default_factory=lambda: {"ml-approvals": Channel("C0APPROVALS")})
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    webhook: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    faults: deque[Fault] = field(default_factory=deque)
    address: str = "127.0.0.1"
    name: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self._times = itertools.count(1)
        self._used: dict[str, int] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer((self.address, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.002,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        return f"http://{self.name}:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Where the API is, with a slash at its end."""
        return f"{self.origin}/api/"

    @property
    def webhook_url(self) -> str:
        return f"{self.origin}/services/T0/B0/secret"

    def play(self, kind: Any, times: int = 1, *, retry_after: str = "0") -> None:
        """Make the next requests fail."""
        self.faults.extend([Fault(kind, retry_after)] * times)

    def messages(self, channel: str = "ml-approvals") -> list[dict[str, Any]]:
        """The messages of a channel, oldest first."""
        return list(self.channels[channel].messages.values())

    def methods(self) -> list[str]:
        """The calls so far, by name."""
        return [name for name, _ in self.calls]

    def press(
        self,
        message: dict[str, Any],
        action: str,
        *,
        user: str = "U0123ABCD",
        name: str = "ana",
        reason: str | None = "it is good",
        at: float | None = None,
    ) -> tuple[dict[str, str], bytes]:
        """Headers and body of what Slack sends when `user` presses that button of this message."""
        buttons = [
            button
            for block in message["blocks"]
            if block["type"] == "actions"
            for button in block["elements"]
        ]
        (button,) = [button for button in buttons if button["action_id"] == action]
        channel = next(c for c in self.channels.values() if message["ts"] in c.messages)
        inputs = {
            block["block_id"]: {block["element"]["action_id"]: {"type": "plain_text_input", "value": reason}}
            for block in message["blocks"]
            if block["type"] == "input"
        }
        answer_url = f"{self.origin}/actions/T0/{next(self._times)}/answer"
        payload = {
            "type": "block_actions",
            "user": {"id": user, "username": name, "name": name, "team_id": "T0"},
            "api_app_id": "A0",
            "token": "deprecated",
            "container": {
                "type": "message",
                "message_ts": message["ts"],
                "channel_id": channel.identity,
                "is_ephemeral": False,
            },
            "trigger_id": "1.2.3",
            "team": {"id": "T0", "domain": "test"},
            "channel": {"id": channel.identity, "name": "approvals"},
            "message": message,
            "state": {"values": inputs},
            "response_url": answer_url,
            "actions": [
                {
                    "action_id": action,
                    "block_id": "generated",
                    "text": button["text"],
                    "value": button["value"],
                    "type": "button",
                    "action_ts": "1.2",
                }
            ],
        }
        return signed(urlencode({"payload": json.dumps(payload)}).encode(), self.signing_secret, at)

    # ---- what the server does -------------------------------------------------------------------------

    def answer(self, path: str, token: str, body: dict[str, Any]) -> tuple[int, str | dict[str, Any]]:
        """Status and body for one request."""
        with self._lock:
            if path.startswith("/api/"):
                method = path.removeprefix("/api/")
                self.calls.append((method, body))
                found = self._api(method, token, body)
                if not found["ok"]:
                    self.refused.append(json.dumps(found))
                return 200, found
            if problem := _refused(body):
                self.refused.append(problem)
                return 400, problem.split(":")[0]
            if path == "/services/T0/B0/secret":
                self.webhook.append(body)
                return 200, "ok"
            if path.startswith("/actions/"):
                self._used[path] = self._used.get(path, 0) + 1
                if self._used[path] > ANSWERS:
                    return 404, "used_url"
                self.answers.append(body)
                return 200, "ok"
            return 404, "no_service"

    def _api(self, method: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
        if token != self.token:
            return _no("invalid_auth" if token else "not_authed")
        if method == "auth.test":
            return {"ok": True, "user_id": "U0BOT", "team_id": "T0"}
        if method not in ("chat.postMessage", "chat.update"):
            return _no("unknown_method")
        if problem := _refused(body):
            code, _, detail = problem.partition(": ")
            return {**_no(code), "response_metadata": {"messages": [f"[ERROR] {detail}"]}}
        channel = self._channel(str(body.get("channel", "")), by_name=method == "chat.postMessage")
        if channel is None:
            return _no("channel_not_found")
        if channel.archived:
            return _no("is_archived")
        if not channel.joined:
            return _no("not_in_channel")
        said = {"text": body.get("text", ""), "blocks": self._named(body.get("blocks", []))}
        if method == "chat.update":
            ts = str(body.get("ts"))
            if ts not in channel.messages:
                return _no("message_not_found")
            channel.messages[ts] |= {**said, "edited": True}
        else:
            thread = body.get("thread_ts")
            if thread is not None and thread not in channel.messages:
                return _no("thread_not_found")
            ts = f"1763877600.{next(self._times):06d}"
            more = {"thread_ts": thread, "broadcast": bool(body.get("reply_broadcast"))} if thread else {}
            channel.messages[ts] = {**said, "ts": ts, "unfurl": body.get("unfurl_links", True), **more}
        return {"ok": True, "channel": channel.identity, "ts": ts, "message": channel.messages[ts]}

    def _channel(self, named: str, *, by_name: bool) -> Channel | None:
        for name, channel in self.channels.items():
            if named == channel.identity or (by_name and named.removeprefix("#") == name):
                return channel
        return None

    def _named(self, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Slack names blocks that have no name."""
        return [{"block_id": f"b{next(self._times)}", **block} for block in blocks]


def signed(
    body: bytes, secret: str = SIGNING_SECRET, at: float | None = None
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request that Slack has signed."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
    }, body


def _no(code: str) -> dict[str, Any]:
    return {"ok": False, "error": code}


def _refused(body: dict[str, Any]) -> str | None:
    """Why a message is not taken: Slack's code and what is wrong."""
    if not body.get("text") and not body.get("blocks"):
        return "no_text: neither text nor blocks"
    if length(str(body.get("text", ""))) > MAX_TEXT:
        return "msg_too_long: text"
    if found := list(problems(body.get("blocks", []))):
        return f"invalid_blocks: {'; '.join(found)}"
    if too_long(body):
        return "msg_blocks_too_long: blocks"
    return None


def _handler(slack: Slack) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = slack.faults.popleft() if slack.faults else None
            if fault and fault.kind == "drop":
                self._hang_up()
                return
            if fault and fault.kind == "rate_limit":
                self._send(429, _no("ratelimited"), {"Retry-After": fault.retry_after})
                return
            if fault and fault.kind == "server_error":
                self._send(500, "server_error")
                return
            status, answer = slack.answer(quote(self.path, "/."), self._token(), self._body(raw))
            if fault:
                self._hang_up()
                return
            self._send(status, answer)

        def _token(self) -> str:
            return self.headers.get("Authorization", "").removeprefix("Bearer ")

        def _body(self, raw: bytes) -> dict[str, Any]:
            if "json" in self.headers.get("Content-Type", ""):
                loaded: dict[str, Any] = json.loads(raw or b"{}")
                return loaded
            return {name: values[-1] for name, values in parse_qs(raw.decode()).items()}

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.close()

        def _send(
            self, status: int, answer: str | dict[str, Any], headers: dict[str, str] | None = None
        ) -> None:
            as_json = isinstance(answer, dict)
            body = (json.dumps(answer) if as_json else str(answer)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if as_json else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *_: Any) -> None:
            pass

    return Handler
