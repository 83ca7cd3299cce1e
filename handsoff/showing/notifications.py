"""Shows notifications."""

from __future__ import annotations

from typing import Final

from rich.console import Console

from handsoff.operating.notifications import Slack, Told
from handsoff.showing.console import escape, moment

SLACK: Final[dict[Slack, str]] = {
    "delivered": "in Slack at {at}",
    "waits": "[yellow]not in Slack yet[/]",
    "no channel": "not in Slack, the model has no channel",
    "not connected": "",
}
"""What is said of Slack, as rich markup. `at` is when Slack took it."""

NOT_PUBLISHED: Final = "[yellow]not published yet[/]: it is tried again"
"""What is said of a notification that the topic has not taken, as rich markup."""


def show_notifications(console: Console, found: list[Told], topic: str) -> None:
    """Print each notification: when, about what, what it said, and where it was delivered."""
    for told in found:
        fact = told.fact
        about = fact.model_package_arn or fact.execution_arn or ""
        name = about.partition("model-package/")[2] or about.rpartition("/")[2]
        console.print(
            f"{moment(fact.at)}  [bold]{escape(told.model)}[/] {escape(fact.kind)} {escape(name)}".rstrip(),
            soft_wrap=True,
        )
        if fact.why:
            console.print(f"  {escape(fact.why)}", soft_wrap=True)
        to = f"published to {escape(topic.rpartition(':')[2])}" if told.published else NOT_PUBLISHED
        slack = SLACK[told.slack].format(at=moment(fact.slack_at))
        console.print(f"  {', '.join(part for part in (to, slack) if part)}", soft_wrap=True)
