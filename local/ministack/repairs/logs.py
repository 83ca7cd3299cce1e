"""A repair of CloudWatch Logs: the streams that FilterLogEvents reads."""

import functools
from typing import Final

from ministack.services import cloudwatch_logs

from local.ministack.repairs.objects import Answer
from local.types import Json

NONE: Final = ""
"""A name that no log stream has."""


def events_are_filtered_by_stream_prefix() -> None:
    """FilterLogEvents with logStreamNamePrefix.

    AWS: events of the streams whose names begin so. ministack: events of all streams of the group.
    """
    whole = cloudwatch_logs._filter_log_events

    @functools.wraps(whole)
    def filtered(data: Json) -> Answer:
        if prefix := data.get("logStreamNamePrefix"):
            group = cloudwatch_logs._log_groups.get(cloudwatch_logs._resolve_log_group_name(data), {})
            names = [name for name in group.get("streams", ()) if name.startswith(prefix)]
            data = {**data, "logStreamNames": names or [NONE]}
        answer: Answer = whole(data)
        return answer

    cloudwatch_logs._filter_log_events = filtered
