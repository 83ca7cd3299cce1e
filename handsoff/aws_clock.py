"""The time as AWS has it. What a command records is compared with what functions record in AWS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

PRECISION: Final = timedelta(seconds=2)
"""A smaller difference is none: answers name whole seconds, and take time to arrive."""


@dataclass
class AwsClock:
    """This machine's clock, set by the header Date of AWS's answers. Before the first one it is not set."""

    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC) - self.ahead

    def answered(self, parsed: Mapping[str, Any], **_: object) -> None:
        """Set the clock by an answer. botocore's event `after-call` calls this."""
        stated = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        try:
            difference = datetime.now(UTC) - parsedate_to_datetime(stated)
        except (TypeError, ValueError):  # no date, or none of HTTP's form
            return
        self.ahead = difference if abs(difference) > PRECISION else timedelta(0)
