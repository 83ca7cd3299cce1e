"""What something uses of AWS: the quantities that cost.py puts prices on."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Use:
    """Quantities that AWS bills, of an execution, a sweep or an object; NAMES explains each."""

    invocations: float = 0
    seconds: float = 0
    requests: float = 0
    events: float = 0
    messages: float = 0
    publishes: float = 0
    s3_puts: float = 0
    s3_gets: float = 0
    stored: float = 0
    writes: float = 0
    reads: float = 0
    secrets: float = 0
    log_bytes: float = 0
    metrics: float = 0

    def less(self, other: Use, over: float = 1) -> Use:
        """The difference to `other`, divided by `over`; a negative difference counts as 0."""
        mine, theirs = asdict(self), asdict(other)
        return Use(**{name: max(0.0, round((mine[name] - theirs[name]) / over, 4)) for name in mine})
