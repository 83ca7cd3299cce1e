"""The approvers' channel in Slack, as the client of notify_slack shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from retraining.slack.client import Place, SlackRefused
from retraining.slack.messages import Message


@dataclass
class Channel:
    """One channel. `texts` is everything that was ever shown there, by message."""

    interactive: bool = True
    away: bool = False
    messages: dict[str, Any] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)

    def post(self, channel: str, message: Message, *, under: Place | None = None) -> Place | None:
        """Post a message; its place."""
        del channel, under
        self._reach()
        ts = f"{len(self.messages)}.0"
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
