"""The approvers' channel in Slack, as the client of notify_slack shows it, and presses of its buttons."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from retraining.slack.client import Place, SlackRefused
from retraining.slack.messages import Message
from retraining.slack.requests import as_event
from tests.slack.stand_in import SIGNING_SECRET, signed

APPROVER: Final = "U0123ABCD"
"""The only user of Slack who may decide."""

NAME: Final = "ana"
"""The name under which Slack signs what the approver presses."""


@dataclass
class Channel:
    """One channel. `texts` is everything that was ever shown there, by message."""

    interactive: bool = True
    signing_secret: str = SIGNING_SECRET
    api_url: str | None = None
    away: bool = False
    posted: int = 0
    messages: dict[str, Any] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def post(self, channel: str, message: Message, *, under: Place | None = None) -> Place | None:
        """Post a message; its place."""
        del channel, under
        self._reach()
        ts = f"{self.posted}.0"
        self.posted += 1
        self._show(ts, message)
        return Place("C0", ts)

    def update(self, place: Place, message: Message) -> bool:
        """Replace a message."""
        self._reach()
        self._show(place.ts, message)
        return True

    def answer(self, url: str, message: Message) -> bool:
        """Answer the person who pressed a button."""
        del url, message
        self._reach()
        return True

    def _show(self, ts: str, message: Message) -> None:
        self.messages[ts] = message.blocks
        self.texts.append(f"{message.text} {message.blocks}")

    def _reach(self) -> None:
        if self.away:
            raise SlackRefused("Slack is away")


def press(
    arn: str, action: str, at: datetime, *, user: str = APPROVER, forged: bool = False
) -> dict[str, Any]:
    """The event that a press of a button below a candidate's message becomes.

    A forged one is not signed by Slack and bears the approver's id with another name.
    """
    payload = {
        "type": "block_actions",
        "user": {"id": user, "username": "mallory" if forged else NAME},
        "actions": [{"action_id": action, "value": arn}],
        "container": {"channel_id": "C0", "message_ts": "1.0"},
        "response_url": "https://hooks.slack.com/actions/T0/1/x",
        "state": {"values": {"reason": {"reason": {"value": "it looks right"}}}},
    }
    body = urlencode({"payload": json.dumps(payload)}).encode()
    secret = "not Slack's" if forged else SIGNING_SECRET
    return as_event(*signed(body, secret, at.timestamp()))
