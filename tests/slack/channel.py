"""Acts on a candidate of the model titanic and on the Slack channel that shows it, and reads from both."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

from notify_slack import handler
from retraining.candidates.decisions import decide
from retraining.collaborators import Collaborators
from retraining.config.schema import Approvers
from retraining.facts.candidates import By
from retraining.links import Links
from retraining.slack import requests
from retraining.slack.client import SlackClient
from retraining.slack.endpoint import Endpoint
from retraining.slack.secret import Secret
from tests.functions.fakes import ROOT, Context, arn_of
from tests.functions.world import World
from tests.slack.stand_in import SIGNING_SECRET, TOKEN, Slack, signed

ARN = arn_of(1)
URL = "https://abc.lambda-url.us-east-1.on.aws/review?t=token"
"""A link in a notification. Slack never shows it: messages carry links that are made anew."""

LINKS = Links("a secret", "https://abc.lambda-url.us-east-1.on.aws/")
WAITS = "titanic: version 1 waits for your decision"
APPROVED = "titanic: version 1 was approved"


def approvers(world: World, **said: Any) -> None:
    config = world.configs.known["titanic"]
    world.configs.known["titanic"] = config.model_copy(update={"approvers": Approvers(**said)})


def using(world: World, **wrapped: Any) -> Collaborators:
    """Collaborators of a deployment with a review page; `links=None` is one without."""
    made: Collaborators = world.using(Collaborators, **{"links": LINKS, **wrapped})
    page = None if wrapped.get("links", LINKS) is None else "https://abc.lambda-url.us-east-1.on.aws/"
    settings = made.settings._replace(review_url=page)
    return replace(made, settings=settings, read_links=wrapped.get("read_links", made.read_links))


def client(app: Slack, **secret: str) -> Callable[[Callable[[], float]], SlackClient]:
    given = secret or {"botToken": TOKEN, "signingSecret": SIGNING_SECRET}
    return lambda patience: SlackClient(Secret.model_validate(given), api_url=app.url, patience=patience)


def notification(kind: str = "waiting", **changes: Any) -> dict[str, Any]:
    """The event that SNS makes of a notification."""
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


def tell(world: World, app: Slack, kind: str = "waiting", *, wrapped: Any = None, **changes: Any) -> None:
    handler(
        notification(kind, **changes),
        Context(),
        using=using(world, **(wrapped or {})),
        connect=client(app),
    )


def press(world: World, app: Slack, action: str = "approve", *, wrapped: Any = None, **how: Any) -> None:
    """Press a button of the newest message that has buttons; the endpoint checks the press."""
    message = next(
        message
        for message in reversed(app.messages())
        if any(block["type"] == "actions" for block in message["blocks"])
    )
    decided(world, app, handed_on(app, *app.press(message, action, **how)), wrapped=wrapped)


def handed_on(app: Slack, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """The event that the endpoint makes of a request of Slack, which it must accept."""
    events: list[Any] = []
    endpoint = Endpoint(SIGNING_SECRET, events.append, api_url=app.url)
    assert isinstance(endpoint.receive(headers, body), requests.Interaction)
    (event,) = events
    made: dict[str, Any] = json.loads(json.dumps(event))
    return made


def pressing(
    app: Slack,
    arn: str = ARN,
    *,
    ts: str | None = None,
    at: datetime | None = None,
    response_url: str | None = None,
    secret: str = SIGNING_SECRET,
    **changes: Any,
) -> dict[str, Any]:
    """The event of a press of Approve on this package. `changes` replace parts of Slack's payload."""
    sample = json.loads((ROOT / "events/notify_slack.decision.json").read_text())["slackPress"]
    payload = json.loads(parse_qs(base64.b64decode(sample["body"]).decode())["payload"][0])
    payload["actions"][0]["value"] = arn
    payload["container"]["message_ts"] = ts or payload["container"]["message_ts"]
    payload["response_url"] = response_url or f"{app.origin}/actions/T0/1/x"
    body = urlencode({"payload": json.dumps({**payload, **changes})}).encode()
    return requests.as_event(*signed(body, secret, at.timestamp() if at else None))


def decided(world: World, app: Slack, event: dict[str, Any], *, wrapped: Any = None) -> None:
    handler(event, Context(), using=using(world, **(wrapped or {})), connect=client(app))


def stored(world: World, key: str) -> dict[str, Any]:
    """The item that the ledger's table has under this key."""
    found: dict[str, Any] | None = world.items.get(key)
    assert found is not None
    return found


def titles(app: Slack) -> list[str]:
    return [message["blocks"][0]["text"]["text"] for message in app.messages()]


def texts(message: dict[str, Any]) -> list[str]:
    return [block["text"]["text"] for block in message["blocks"] if "text" in block]


def markup(message: dict[str, Any]) -> list[str]:
    """The texts of a message in which Slack reads markup."""
    texts = [block["text"] for block in message["blocks"] if "text" in block]
    return [text["text"] for text in texts if text["type"] == "mrkdwn"]


def linked(message: dict[str, Any]) -> list[str]:
    """The packages to whose pages the message leads, by links of ours."""
    found = re.findall(r"<([^|>]*)\|", "\n".join(markup(message)))
    base = "https://abc.lambda-url.us-east-1.on.aws/review?t="
    assert all(url.startswith(base) for url in found)
    return [LINKS.subject(url.removeprefix(base)) for url in found]


def buttons(message: dict[str, Any]) -> bool:
    return any(block["type"] == "actions" for block in message["blocks"])


def status(world: World, arn: str = ARN) -> str:
    return str(world.sagemaker.packages[arn]["ModelApprovalStatus"])


def by(world: World, wanted: Any, how: By, who: str | None = None) -> None:
    assert decide(ARN, wanted, by=how, who=who, why="why", using=using(world)).ours


def webhook(world: World, app: Slack, kind: str, url: str | None = None, **changes: Any) -> None:
    handler(
        notification(kind, **changes),
        Context(),
        using=using(world),
        connect=client(app, webhookUrl=url or app.webhook_url),
    )


def later(world: World, app: Slack, event: dict[str, Any], at: datetime) -> None:
    """Handle the event of a press, at this time."""
    handler(event, Context(), using=using(world, clock=lambda: at), connect=client(app))
