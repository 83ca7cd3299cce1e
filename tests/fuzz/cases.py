"""Requests and events by chance: genuine ones that decide, and ones that must not, each spoilt in one way."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from unittest import mock
from urllib.parse import urlencode

from retraining.links import Links
from tests.functions.fakes import arn_of
from tests.fuzz.place import APPROVER, BASE, SIGNING_SECRET, Place
from tests.review.stage import CANDIDATE, HOST, request

Event = dict[str, Any]
JUNK: Final = (
    "", " ", "\r\n", "\n", "\x00", "=", "==", "%", "%0d%0a", "%ff", "+", "&", ";", "\u202e", "ä", "😀",
    "\ud800", "../", "<script>", "{{7*7}}", "${x}", "' OR 1=1", "\r\nset-cookie: a=b", "A" * 3000,
    "null", "-1", "9" * 400,
)  # fmt: skip


HEADERS: Final = (
    "cookie", "user-agent", "accept", "x-forwarded-for", "x-forwarded-host", "content-length", "referer",
    "x-http-method-override", "content-encoding", "authorization", "x-amzn-trace-id",
)  # fmt: skip
"""Headers that change nothing about whether a form decides."""


@dataclass(frozen=True)
class Case:
    """A request to the Function URL, or (`direct`) an event for notify_slack.

    `asks` is the decision that it asks for, None if it must decide nothing.
    """

    route: str
    what: str
    event: Event
    asks: str | None = None
    direct: bool = False


@dataclass
class Cases:
    """Makes cases. The same seed makes the same cases, but for the times in what is signed."""

    chance: random.Random
    place: Place
    _forms: dict[str, str] = field(default_factory=dict)

    def one(self) -> Case:
        """The next case."""
        makes = (
            (self.page, 20), (self.form, 35), (self.slack, 25), (self.odd_event, 10), (self.notification, 10),
        )  # fmt: skip
        (make,) = self.chance.choices([make for make, _ in makes], [weight for _, weight in makes])
        return make()

    # ---- tokens -------------------------------------------------------------------------------------------

    def token(self) -> str:
        """A token that opens the candidate's page."""
        return self.place.stage.token

    def altered(self, text: str) -> str:
        """Another text than this signed one, by little."""
        at = self.chance.randrange(len(text))
        letter = self.chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        value, _, signature = text.rpartition(".")
        return self.chance.choice(
            (
                text[:at] + (letter if text[at] != letter else "!") + text[at + 1 :],
                text[:at] + self.junk(filled=True) + text[at:],
                text + self.junk(filled=True),
                text[:at],
                f"{value}.{signature.swapcase()}",
                self.junk(),
            )
        )

    def bad_token(self) -> str:
        """A token that must open nothing, that of another package, or one that only shows."""
        links = self.place.stage.links
        if self.chance.random() < 0.6:
            return self.altered(self.token())
        made: tuple[Callable[[], str], ...] = (
            lambda: Links("another secret", BASE).token(CANDIDATE),
            lambda: links.form(self.token(), "none"),
            lambda: links.token(self.chance.choice([arn_of(99), "x", "", "arn:aws:s3:::b"])),
            lambda: self.old(lambda: links.token(CANDIDATE), 80 * 3600),
            lambda: links.token(CANDIDATE, "look"),
            lambda: links.token(self.chance.choice(["titanic", CANDIDATE, "x"]), "model"),
        )
        return self.chance.choice(made)()

    @staticmethod
    def old(make: Callable[[], str], seconds: int) -> str:
        """What `make` signs, as it would have been signed so long ago."""
        now = time.time()
        with mock.patch("time.time", return_value=now - seconds):
            return make()

    def junk(self, *, filled: bool = False) -> str:
        chosen = self.chance.choice(JUNK[1:] if filled else JUNK)
        return chosen if self.chance.random() < 0.7 else self.text(1 if filled else 0)

    def text(self, least: int = 0) -> str:
        length = self.chance.randint(least, 40)
        ends = [self.chance.choice((127, 0xD7FF)) for _ in range(length)]
        return "".join(chr(self.chance.randrange(1, end)) for end in ends)

    # ---- the page -----------------------------------------------------------------------------------------

    def page(self) -> Case:
        """A request that shows something. None of them decides."""
        token = self.token() if self.chance.random() < 0.3 else self.bad_token()
        queries = (
            f"t={token}",
            urlencode({"t": token}, errors="replace"),
            self.junk(),
            f"t={token}&t={token}",
        )
        query = self.chance.choice((*queries, f"t={token}&decision=Approved&name=a&reason=b"))
        method = self.chance.choice(
            ("GET", "GET", "HEAD", "PUT", "DELETE", "OPTIONS", "get", "", self.junk())
        )
        paths = ("/review", "/review", "/", "/review/", "//review", "/REVIEW", self.junk())
        path = self.chance.choice((*paths, "/models/titanic", "/models/titanic", f"/models/{self.junk()}"))
        event = request(method, path, query=query, headers=self.headers())
        return Case("page", f"{method[:8]!a} {path[:12]!a}", event)

    def headers(self) -> dict[str, str]:
        """Headers that change nothing about whether a form decides."""
        return {self.chance.choice(HEADERS): self.junk() for _ in range(self.chance.randrange(4))}

    def filled(self) -> dict[str, str]:
        """The fields of a form that decides."""
        token = self.token()
        nonce = self.place.stage.links.form(token, "none")
        decision = self.chance.choice(("Approved", "Rejected"))
        name = self.chance.choice(("Ada Lovelace", "Zoë", "<b>Bo</b>", "a" * 80))
        reason = self.chance.choice(("better on every slice", "süß & gut", "r" * 300, "'; drop table"))
        return {"t": token, "form": nonce, "decision": decision, "name": name, "reason": reason}

    def form(self) -> Case:
        """A form. One in six is genuine and decides; the others are spoilt in one way."""
        fields = self.filled()
        if self.chance.random() < 1 / 6:
            origin = self.chance.choice(
                ({}, {"origin": f"https://{HOST}"}, {"sec-fetch-site": "same-origin"})
            )
            more = {f"x{n}": self.text() for n in range(self.chance.randrange(5))}
            event = self.posted(urlencode({**more, **fields}).encode(), {**self.headers(), **origin})
            return Case("form", "genuine", event, asks=fields["decision"])
        name = self.chance.choice(sorted(FORMS))
        return Case("form", name, FORMS[name](self, fields))

    def posted(self, body: bytes, headers: dict[str, str] | None = None, **more: Any) -> Event:
        """A form's request, its body as base64 or as text."""
        event = request("POST", "/review", body=body, headers=headers, **more)
        if self.chance.random() < 0.3 and body.isascii():
            event |= {"body": body.decode(), "isBase64Encoded": False}
        return event

    # ---- Slack --------------------------------------------------------------------------------------------

    def pressed(self, **changes: Any) -> dict[str, Any]:
        """Slack's payload of a press by an approver."""
        return {
            "type": "block_actions",
            "user": {"id": APPROVER, "username": "ana"},
            "actions": [{"action_id": self.chance.choice(("approve", "reject")), "value": CANDIDATE}],
            "container": {"channel_id": "C0APPROVALS", "message_ts": "1700000000.000100"},
            "response_url": "https://hooks.slack.com/actions/T1/2/3",
            "state": {"values": {"b": {"reason": {"type": "plain_text_input", "value": "it is fine"}}}},
            **changes,
        }

    def signed(self, body: bytes, *, secret: str = SIGNING_SECRET, age: int = 0) -> Event:
        """A request to Slack's endpoint that is signed with this secret."""
        stamp = str(int(time.time()) - age)
        digest = hmac.new(secret.encode(), b"v0:%b:%b" % (stamp.encode(), body), hashlib.sha256).hexdigest()
        headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": f"v0={digest}"}
        return request("POST", "/slack", body=body, headers={**self.headers(), **headers})

    def slack(self) -> Case:
        """A request to Slack's endpoint. One in eight is genuine and decides."""
        payload = self.pressed()
        if self.chance.random() < 1 / 8:
            asks = {"approve": "Approved", "reject": "Rejected"}[payload["actions"][0]["action_id"]]
            return Case("slack", "genuine", self.signed(in_form(payload)), asks=asks)
        name = self.chance.choice(sorted(PRESSES))
        return Case("slack", name, PRESSES[name](self, payload))

    # ---- odd events, and events of notify_slack -------------------------------------------------------

    def odd_event(self) -> Case:
        """A Function URL's event that lacks parts, or has parts of other types."""
        event = self.posted(urlencode(self.filled() | {"t": self.bad_token()}, errors="replace").encode())
        for _ in range(self.chance.randint(1, 3)):
            self.damage(event)
        return Case("odd event", "damaged", event)

    def damage(self, event: Event) -> None:
        """Remove one part of the event, or put something else in its place."""
        at: Any = event
        while True:
            key = self.chance.choice(sorted(at))
            if isinstance(at[key], dict) and at[key] and self.chance.random() < 0.7:
                at = at[key]
                continue
            break
        if self.chance.random() < 0.4:
            del at[key]
        else:
            at[key] = self.chance.choice((None, 1, [], {}, True, "", "x", {"a": None}, ["b"], self.junk()))

    def notification(self) -> Case:
        """An event for notify_slack by somebody who may invoke it or publish to the topic. None decides."""
        press = self.signed(in_form(self.pressed()), secret="guessed", age=self.chance.choice((0, 600)))
        told = {
            "notificationId": self.junk(),
            "kind": self.chance.choice(("waiting", "approved", self.junk())),
            "model": "titanic",
            "modelPackageArn": self.chance.choice((CANDIDATE, arn_of(99), self.junk())),
            "reviewUrl": "https://evil.example/",
            "decision": "APPROVE",
            "decidedWho": "ana",
        }
        plain = {"userId": APPROVER, "action": "approve", "packageArn": CANDIDATE, "reason": "x"}
        attributes = {"SentTimestamp": "1795414202000", "ApproximateReceiveCount": "1"}
        record = {"messageId": "1", "receiptHandle": "r", "attributes": attributes}
        made: tuple[Event, ...] = (
            {"source": "handsoff", "slackDecision": plain},
            {"slackPress": {"headers": press["headers"], "body": press["body"]}, "slackDecision": plain},
            {"slackPress": self.junk()},
            {"Records": [{"Sns": {"Message": json.dumps(told)}}]},
            {"Records": [{**record, "body": json.dumps(told)}]},
            {"Records": [{**record, "body": self.junk()}]},
            {self.junk(): self.junk()},
            dict(press),
        )  # fmt: skip
        return Case("notify_slack", "forged", self.chance.choice(made), direct=True)


def in_form(payload: Any) -> bytes:
    """Slack's form around a payload."""
    return urlencode({"payload": json.dumps(payload)}).encode()


Fields = dict[str, str]


def _with(change: Callable[[Cases], Fields]) -> Callable[[Cases, Fields], Event]:
    """A form in which some fields have other values."""
    return lambda cases, fields: cases.posted(urlencode(fields | change(cases), errors="replace").encode())


def _without(name: str) -> Callable[[Cases, Fields], Event]:
    return lambda cases, fields: cases.posted(
        urlencode({k: v for k, v in fields.items() if k != name}).encode()
    )


def _raw(change: Callable[[Cases, bytes], bytes]) -> Callable[[Cases, Fields], Event]:
    """A form whose body is changed after it was encoded."""
    return lambda cases, fields: cases.posted(change(cases, urlencode(fields).encode()))


def _sent(**how: Any) -> Callable[[Cases, Fields], Event]:
    return lambda cases, fields: cases.posted(urlencode(fields).encode(), **how)


def _elsewhere(method: str, path: str) -> Callable[[Cases, Fields], Event]:
    def make(cases: Cases, fields: Fields) -> Event:
        event = cases.posted(urlencode(fields).encode())
        event["requestContext"]["http"]["method"] = method
        return event | {"rawPath": path, "rawQueryString": urlencode(fields)}

    return make


FORMS: Final[dict[str, Callable[[Cases, Fields], Event]]] = {
    "bad token": _with(lambda cases: {"t": cases.bad_token()}),
    "altered form value": lambda cases, fields: cases.posted(
        urlencode(fields | {"form": cases.altered(fields["form"])}, errors="replace").encode()
    ),
    "token for a form value": lambda cases, fields: cases.posted(
        urlencode(fields | {"form": fields["t"]}).encode()
    ),
    "form value of another link": _with(
        lambda cases: {"form": cases.place.stage.links.form(cases.place.stage.links.token(arn_of(6)), "none")}
    ),
    "form value of another state": _with(
        lambda cases: {"form": cases.place.stage.links.form(cases.token(), "2026-11-23T07:00:00+00:00")}
    ),
    "form value that is old": lambda cases, fields: cases.posted(
        urlencode(
            fields | {"form": cases.old(lambda: cases.place.stage.links.form(fields["t"], "none"), 3700)}
        ).encode()
    ),
    "another decision": _with(
        lambda cases: {"decision": cases.chance.choice(("approved", "APPROVED", "1", cases.text()))}
    ),
    "blank name": _with(lambda cases: {"name": cases.chance.choice(("", " ", "\r\n", "\u202e", "\x00"))}),
    "blank reason": _with(lambda cases: {"reason": cases.chance.choice(("", " ", "\t\n", "\u200b\u202e"))}),
    "long name": _with(lambda cases: {"name": "a" * cases.chance.choice((81, 500))}),
    "long reason": _with(lambda cases: {"reason": "r" * cases.chance.choice((301, 3000))}),
    "no token": _without("t"),
    "no form value": _without("form"),
    "no decision": _without("decision"),
    "no name": _without("name"),
    "no reason": _without("reason"),
    "field twice": _raw(lambda cases, body: body + b"&" + cases.chance.choice(body.split(b"&"))),
    "too many fields": _raw(lambda _, body: b"&".join([b"x=1"] * 20) + b"&" + body),
    "bad encoding": _raw(lambda _, body: body + b"&x=%ff%fe"),
    "bytes": _raw(lambda cases, body: cases.chance.randbytes(60) + body),
    "too large": _raw(lambda cases, body: body + b"&x=" + b"x" * cases.chance.choice((16_384, 300_000))),
    "foreign origin": _sent(headers={"origin": "https://evil.example"}),
    "no origin": _sent(headers={"origin": "null"}),
    "odd origin": _sent(headers={"origin": "http://["}),
    "origin of another scheme": _sent(headers={"origin": f"{HOST}"}),
    "cross-site": _sent(headers={"sec-fetch-site": "cross-site"}),
    "same-site": _sent(headers={"sec-fetch-site": "same-site", "origin": f"https://{HOST}"}),
    "json": _sent(kind="application/json"),
    "multipart": _sent(kind="multipart/form-data; boundary=x"),
    "text": _sent(kind="text/plain"),
    "by GET": _elsewhere("GET", "/review"),
    "by HEAD": _elsewhere("HEAD", "/review"),
    "by PUT": _elsewhere("PUT", "/review"),
    "to another path": _elsewhere("POST", "/review/"),
    "to Slack's path": _elsewhere("POST", "/slack"),
    "no base64": lambda cases, fields: cases.posted(urlencode(fields).encode())
    | {"body": "%%%", "isBase64Encoded": True},
    "twice base64": lambda _, fields: request(
        "POST", "/review", body=base64.b64encode(urlencode(fields).encode())
    ),
}  # fmt: skip
"""Forms that must decide nothing, each genuine but for one thing."""

Payload = dict[str, Any]


def _press(**changes: Any) -> Callable[[Cases, Payload], Event]:
    """A signed press in which parts of the payload are others."""
    return lambda cases, payload: cases.signed(in_form({**payload, **copy.deepcopy(changes)}))


def _unsigned(name: str, values: tuple[str, ...]) -> Callable[[Cases, Payload], Event]:
    def make(cases: Cases, payload: Payload) -> Event:
        event = cases.signed(in_form(payload))
        event["headers"][name] = cases.chance.choice(values)
        return event

    return make


def _other_body(cases: Cases, payload: Payload) -> Event:
    event = cases.signed(in_form(payload))
    changed = in_form(cases.pressed(user={"id": APPROVER, "username": "eve"}))
    return event | {"body": base64.b64encode(changed).decode()}


PRESSES: Final[dict[str, Callable[[Cases, Payload], Event]]] = {
    "another secret": lambda cases, payload: cases.signed(in_form(payload), secret="guessed"),
    "old": lambda cases, payload: cases.signed(in_form(payload), age=cases.chance.choice((301, 10**9))),
    "from the future": lambda cases, payload: cases.signed(in_form(payload), age=-400),
    "bad signature": _unsigned("x-slack-signature", ("", "v0=", "v1=00", "v0=ü\ud800", "v0=" + "0" * 64)),
    "bad time": _unsigned("x-slack-request-timestamp", ("", "now", "-1", "9" * 5000, "1e9", "\u0661", "1\n")),
    "another body": _other_body,
    "no headers": lambda _, payload: request("POST", "/slack", body=in_form(payload)),
    "signed garbage": lambda cases, _: cases.signed(cases.chance.randbytes(cases.chance.randrange(200))),
    "signed text": lambda cases, _: cases.signed(f"payload={cases.text()}".encode(errors="replace")),
    "signed large": lambda cases, _: cases.signed(b"payload=" + b"x" * 190_000),
    "signed deep": lambda cases, _: cases.signed(b"payload=" + b"[" * 50_000),
    "a stranger": _press(user={"id": "U0STRANGER", "username": "ana"}),
    "no user": _press(user={}),
    "another action": _press(actions=[{"action_id": "delete", "value": CANDIDATE}]),
    "two actions": _press(actions=[{"action_id": "approve", "value": CANDIDATE}] * 2),
    "no reason": _press(state={"values": {}}),
    "blank reason": _press(state={"values": {"b": {"reason": {"value": " \u202e "}}}}),
    "a package that is not there": _press(actions=[{"action_id": "approve", "value": arn_of(99)}]),
    "another deployment's package": _press(
        actions=[{"action_id": "approve", "value": CANDIDATE.replace("handsoff-", "other-")}]
    ),
    "a text for a package": _press(actions=[{"action_id": "approve", "value": "x\n" * 50}]),
    "an answer elsewhere": _press(response_url="https://evil.example/"),
    "another type": _press(type="view_submission"),
}  # fmt: skip
"""Requests to Slack's endpoint that must decide nothing."""
