"""The loop with marked secrets and links: secrets stand nowhere, links only where they are meant to stand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest

import judge_candidate
import notify_slack
import reconcile
import record_decision
import review_candidate
import start_retraining
import track_execution
from retraining.collaborators import Collaborators
from retraining.config.schema import Approvers
from retraining.links import Links
from retraining.slack.client import SlackClient
from retraining.slack.endpoint import Endpoint
from retraining.slack.secret import Secret, parse_secret
from tests.canary.recording import Written
from tests.functions.fakes import START, Context, about, event, register
from tests.functions.world import World
from tests.review.stage import HOST, request
from tests.slack.stand_in import Slack

LINK_SECRET = "canaryLinkSecret7f3a9c"
TOKEN = "xoxb-canaryBotToken51d0e2"
SIGNING_SECRET = "canarySigningSecret88b1f4"
WEBHOOK = "canaryWebhook0c77aa"
SECRETS = (LINK_SECRET, TOKEN, SIGNING_SECRET, WEBHOOK)
LINKS_STAND_IN = {"sns", "sns messages", "slack", "page"}
"""The publish call, its messages (mail text and JSON object), Slack's messages, and the page itself."""


@dataclass
class Round:
    """The functions over one account in memory. `minutes` is the time since START."""

    world: World
    app: Slack
    written: Written
    minutes: float = 1.0
    told: list[dict[str, Any]] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(minutes=self.minutes)

    def using(self) -> Collaborators:
        written, world = self.written, self.world
        clients = ("s3", "sns", "sagemaker", "events", "table")
        kept = {name: written.client(name, getattr(world, name)) for name in clients}
        made: Collaborators = world.using(
            Collaborators,
            settings=world.settings._replace(review_url=f"https://{HOST}/"),
            links=Links(LINK_SECRET, f"https://{HOST}/"),
            clock=self.now,
            **kept,
        )
        return made

    def client(self, patience: Callable[[], float]) -> SlackClient:
        secret = parse_secret(json.dumps({"botToken": TOKEN, "signingSecret": SIGNING_SECRET}), source="s")
        return SlackClient(secret, api_url=self.app.url, patience=patience)

    def invoke(self, function: Any, event: dict[str, Any], **more: Any) -> Any:
        """Invoke a function; its answer is kept, and a failure with its traceback."""
        answers: list[Any] = []
        self.written.attempt(
            lambda: answers.append(function.handler(event, Context(), using=self.using(), **more))
        )
        return answers[0] if answers else None

    def tell(self, message: dict[str, Any], connect: notify_slack.Connect | None = None) -> None:
        """Hand a notification to notify_slack, as its queue does."""
        record = {**event("notify_slack.waiting")["Records"][0], "body": json.dumps(message)}
        connect = connect or self.client
        self.invoke(notify_slack, {"Records": [record]}, connect=connect, postpone=lambda *_: None)

    def deliver(self) -> None:
        """Take what was published to notify_slack."""
        for message in self.world.messages():
            self.told.append(message)
            self.written.keep("sns messages", json.dumps(message))
            self.tell(message)

    def http(self, sent: dict[str, Any]) -> dict[str, Any]:
        """Send a request to the Function URL. What is handed on to notify_slack is handed on."""
        handed: list[Any] = []
        endpoint = Endpoint(SIGNING_SECRET, handed.append, api_url=self.app.url, clock=self.now)
        links = Links(LINK_SECRET, "")
        answer = self.invoke(review_candidate, sent, links=links, endpoint=endpoint)
        self.written.keep("page", json.dumps(answer))
        for press in handed:
            self.written.keep("events", json.dumps(press))
            self.invoke(notify_slack, json.loads(json.dumps(press)), connect=self.client)
        return answer or {}

    def link(self, arn: str) -> str:
        """The token of the newest link about this candidate, as an approver gets it."""
        url = next(
            m["reviewUrl"] for m in reversed(self.told) if m["modelPackageArn"] == arn and m["reviewUrl"]
        )
        return str(url).partition("?t=")[2]


@pytest.fixture
def app() -> Iterator[Slack]:
    with Slack(token=TOKEN, signing_secret=SIGNING_SECRET) as running:
        yield running


@pytest.fixture
def round_(app: Slack) -> Round:
    world = World.empty()
    config = world.configs.known["titanic"]
    approval = config.approval.model_copy(update={"first_model": "hold"})
    approvers = Approvers(slack_channel="#ml-approvals", slack_users=("U0123ABCD",))
    world.configs.known["titanic"] = config.model_copy(update={"approval": approval, "approvers": approvers})
    return Round(world, app, Written())


def land(round_: Round) -> None:
    """Data lands; the execution starts, and fails."""
    body = (
        b"pclass,survived,sex,age,sibsp,parch,fare,embarked\n1,1,female,29,0,0,211.3,S\n3,0,male,,0,0,7.9,Q\n"
    )
    records = event("start_retraining.landing")["Records"]
    for name, content in (("train.csv", body), ("validation.csv", body), ("_SUCCESS", b"")):
        round_.world.s3.put_object(Bucket="data", Key=f"curated/titanic/{name}", Body=content)
    detail = {"bucket": {"name": "data"}, "object": {"key": "curated/titanic/_SUCCESS"}}
    text = json.dumps({"source": "aws.s3", "detail-type": "Object Created", "detail": detail})
    round_.invoke(start_retraining, {"Records": [{**records[0], "body": text}]})
    for made in round_.world.sagemaker.executions.values():
        round_.world.sagemaker.end(made["PipelineExecutionArn"], "Failed")
        changed = event("execution_changed.failed")
        changed["detail"]["pipelineExecutionArn"] = made["PipelineExecutionArn"]
        round_.invoke(track_execution, changed)
    round_.deliver()


def judge(round_: Round, version: int) -> str:
    """A candidate is registered, and held; approvers are told, and reminded a day later."""
    arn = register(round_.world, version)
    round_.minutes = version + 1
    round_.invoke(judge_candidate, about("candidate_registered.pending", arn))
    round_.deliver()
    round_.minutes += 25 * 60
    round_.invoke(reconcile, event("each_minute"))
    round_.deliver()
    return arn


def decided(round_: Round, arn: str) -> None:
    """The registry's event of the decision is handled, then a sweep comes."""
    for _ in range(2):
        round_.invoke(record_decision, about("package_decided.approved", arn))
        round_.deliver()
    round_.invoke(reconcile, event("each_minute"))
    round_.deliver()


def press(round_: Round) -> None:
    """An approver presses the button in Slack; somebody replays it, and sends it unsigned."""
    message = next(
        m for m in reversed(round_.app.messages()) if any(b["type"] == "actions" for b in m["blocks"])
    )
    headers, body = round_.app.press(message, "approve", at=round_.now().timestamp())
    sent = {name.lower(): value for name, value in headers.items()}
    for given in (sent, sent, {}, {**sent, "x-slack-signature": "v0=" + "0" * 64}):
        round_.http(request("POST", "/slack", body=body, headers=given))


def open_and_decide(round_: Round, arn: str) -> None:
    """An approver opens the link and sends the form; others send what is refused."""
    token = round_.link(arn)
    shown = round_.http(request("GET", "/review", query=f"t={token}"))
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown["body"]))
    form = {**hidden, "decision": "Rejected", "name": "Ada", "reason": "not yet"}
    for changed in ({"form": "x"}, {"t": token + "\r\n"}, {"t": token[:-1]}, {"name": ""}, {}, {}):
        round_.http(request("POST", "/review", body=urlencode({**form, **changed}).encode()))


def play(round_: Round, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole loop, with an outage of Slack, secrets that are not well-formed, and AWS that fails."""
    land(round_)
    first = judge(round_, 1)
    press(round_)
    decided(round_, first)
    second = judge(round_, 2)
    open_and_decide(round_, second)
    decided(round_, second)
    third = judge(round_, 3)
    for kind in ("server_error", "drop", "rate_limit"):
        round_.app.play(kind, 20)
        round_.invoke(reconcile, event("each_minute"))
        round_.tell({**round_.told[-1], "notificationId": kind})
        round_.app.faults.clear()
    badly_formed(round_, third)
    monkeypatch.setattr(round_.world.sagemaker, "describe_model_package", fails)
    round_.http(request("GET", "/review", query=f"t={round_.link(third)}"))
    round_.invoke(reconcile, event("each_minute"))


def fails(**_: Any) -> None:
    raise ConnectionError("SageMaker is away")


def badly_formed(round_: Round, arn: str) -> None:
    """Secrets that no request can carry, and a Slack that takes none of them."""
    secrets = (
        {"webhookUrl": f"hooks.slack.com/services/T0/B0/{WEBHOOK}"},
        {"webhookUrl": f"{round_.app.origin}/services/T0/B0/{WEBHOOK}"},
        {"webhookUrl": f"http://[::1/{WEBHOOK}"},
        {"botToken": f"{TOKEN}\n", "signingSecret": SIGNING_SECRET},
        {"botToken": f"{TOKEN}-revoked", "signingSecret": SIGNING_SECRET},
    )
    for number, values in enumerate(secrets):

        def connect(patience: Callable[[], float], values: dict[str, str] = values) -> SlackClient:
            return SlackClient(Secret.model_validate(values), api_url=round_.app.url, patience=patience)

        told = {"modelPackageArn": arn, "notificationId": f"badly formed {number}", "kind": "overdue"}
        round_.tell({**round_.told[-1], **told}, connect)
        round_.written.attempt(partial(parse_secret, json.dumps(values), source="s"))


@pytest.fixture
def written(round_: Round, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Written:
    """What the loop has written."""
    for module in ("handler", "builtin_handlers"):
        monkeypatch.setattr(f"slack_sdk.http_retry.{module}.time", SimpleNamespace(sleep=lambda _: None))
    with round_.written.logs():
        play(round_, monkeypatch)
    kept = round_.written
    for text in capfd.readouterr():
        kept.keep("output", text)  # logs and metrics as Lambda prints them
    table: Any = round_.world.table
    kept.keep("ledger", json.dumps(table.items, default=str))
    for _, call in round_.app.calls:
        kept.keep("slack", json.dumps(call))
    for body in (*round_.app.webhook, *round_.app.answers):
        kept.keep("slack", json.dumps(body))
    inside: Any = round_.world.s3
    for key, versions in inside._inner.versions.items():
        for _, body, _ in versions:
            kept.keep("s3", key)
            kept.keep("s3", body or b"")
    return kept


def test_loop_was_played_as_a_whole(round_: Round, written: Written) -> None:
    kinds = {message["kind"] for message in round_.told}
    assert kinds == {"execution_failed", "waiting", "overdue", "approved", "rejected"}
    statuses = [package["ModelApprovalStatus"] for package in round_.world.sagemaker.packages.values()]
    assert statuses == ["Approved", "Rejected", "PendingManualApproval"]
    sinks = {"ledger", "s3", "sagemaker", "table", "events", "logs", "output", "errors"}
    assert written.texts.keys() == sinks | LINKS_STAND_IN
    assert any("_aws" in text for text in written.texts["output"])  # metrics
    assert len(written.texts["errors"]) > 5


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_stand_nowhere(written: Written, secret: str) -> None:
    assert written.sinks_with(secret) == set()


def test_links_stand_where_they_are_meant_to_stand(written: Written) -> None:
    assert written.sinks_with_links(Links(LINK_SECRET, "")) == LINKS_STAND_IN


def test_search_finds_what_is_written(round_: Round) -> None:
    """The search itself: a secret and a link in any sink are found."""
    links = Links(LINK_SECRET, f"https://{HOST}/")
    round_.written.keep("logs", f"a {TOKEN} b")
    round_.written.keep("ledger", json.dumps({"url": links.url("arn:x")}))
    round_.written.attempt(lambda: json.loads(SIGNING_SECRET))
    assert round_.written.sinks_with(TOKEN) == {"logs"}
    assert round_.written.sinks_with(SIGNING_SECRET) == {"errors"}
    assert round_.written.sinks_with_links(links) == {"ledger"}
