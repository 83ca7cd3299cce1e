"""Pure: how the page writes numbers, times and words. Text here is not escaped yet; render.py does that."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple

from retraining.config.tasks import METRICS
from retraining.facts.package import PENDING
from retraining.text import one_line

Tone = Literal["good", "bad", "open", "plain"]
"""How a text reads: as good, bad, not settled, or neither. The page never shows it by colour alone."""

TONES: Final[Mapping[str, Tone]] = {
    "Approved": "good", "Rejected": "bad", PENDING: "open",
    "pass": "good", "fail": "bad", "undecided": "open", "unknown": "open", "skipped": "plain",
    "Succeeded": "good", "Failed": "bad", "Stopped": "bad", "Executing": "open",
}  # fmt: skip
"""The tone of a package's status, of a rule's outcome, and of the status of an execution or a step."""

_NAMES: Final = re.compile(
    rf"\b(?:{'|'.join(sorted({name for names in METRICS.values() for name in names}))}"
    r"|max_loss|min_gain|max_gain)\b"
)
"""Names of metrics and of their limits, as rules write them."""


class Said(NamedTuple):
    """A word or two, and how they read."""

    text: str
    tone: Tone = "plain"


def toned(word: str) -> Said:
    """A status or an outcome with its tone."""
    return Said(word, TONES.get(word, "plain"))


def plain(value: object) -> str:
    """`value` as one line of text without invisible characters: no controls, no overrides of direction."""
    return one_line(str(value))


def spaced(text: str) -> str:
    """`text` with spaces in place of the underscores in names of metrics and of their limits."""
    return _NAMES.sub(lambda found: found[0].replace("_", " "), text)


def version_of(arn: str) -> str:
    """The version of a package: the last part of its ARN."""
    return arn.rsplit("/", 1)[-1]


def number(value: float, sign: str = "") -> str:
    """A number in four digits, or all digits before the point; — if it is not finite. `sign` is "+" or ""."""
    if not math.isfinite(value):
        return "—"
    form = ",.0f" if abs(value) >= 1e4 else ".4g" if abs(value) >= 1 else ".4f"
    text = format(value + 0.0, sign + form)  # −0 becomes 0
    return text.replace("-", "−")


def interval(low: float, high: float, sign: str = "") -> str:
    """Both ends of an interval; empty if one of them is not finite."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{number(low, sign)} to {number(high, sign)}"


def share(value: float) -> str:
    """A share of rows in percent."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else "—"


def duration(took: timedelta) -> str:
    """A duration in seconds, minutes, or hours and minutes."""
    seconds = max(0.0, took.total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment_text(at: datetime) -> str:
    """A time in UTC to the minute, for people."""
    utc = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return f"{utc.day} {utc:%b %Y, %H:%M} UTC"


def decider(by: str, who: str | None) -> str:
    """Who decided, in words. A link proves no name: the text says that the name was typed."""
    name = plain(who or "") or "somebody"
    return {
        "rules": "the rules",
        "superseded": "handsoff, as a newer candidate was approved",
        "expired": "handsoff, as nobody decided in time",
        "link": f"{name}, through a review link (the name as typed)",
        "slack": f"{name}, in Slack",
        "operator": f"{name}, on the command line",
        "person": f"{name}, in AWS",
    }.get(by, plain(by))
