"""The command about notifications."""

from __future__ import annotations

from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import out
from handsoff.operating.notifications import as_json, recent_notifications
from handsoff.showing.notifications import show_notifications


def notifications(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Only this model.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=50, help="Notifications to show.")] = 10,
    as_json_: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Show what people were told lately: when, about what, why, on which topic, and whether Slack took it.

    The newest comes first. The ledger lists the newest 50 of each model, and none from before an upgrade to
    this version. E-mail is sent by SNS to those who subscribed to the topic; SNS does not say who read it.

    Example: `handsoff notifications titanic`
    """
    where = terminal.project()
    deployment = terminal.deployment(where)
    names = [where.model(model)] if model else list(where.config.models)
    found = recent_notifications(deployment, names, limit)
    topic = deployment.outputs["NotificationsTopic"]
    if as_json_:
        terminal.print_json([as_json(told, topic) for told in found])
        return
    show_notifications(out, found, topic)
    if not found:
        out.print("no notification yet")
