"""Shows the alarms that ring."""

from __future__ import annotations

from collections.abc import Sequence

from handsoff.operating.alarms import Alarm
from handsoff.showing.console import escape, moment


def alarm_lines(alarms: Sequence[Alarm] | None) -> list[str]:
    """A line for each alarm, as rich markup; one that says so if nobody could look."""
    if alarms is None:
        return ["alarms are not shown: the permission `cloudwatch:DescribeAlarms` is missing"]
    return [
        f"[red]alarm {escape(one.name)} since {moment(one.since)}:[/] {escape(' '.join(one.text.split()))}"
        for one in alarms
    ]
