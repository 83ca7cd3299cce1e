"""Faults of calls to AWS, chosen by seed: refused, timed out, done with the answer lost, repeated, killed.

`Client` wraps a client and plays them. A call that fails here has used up botocore's own retries; `retried`
is such a retry of a call that had succeeded, whose caller sees the second answer only.
"""

from __future__ import annotations

import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, Final

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.chaos.clock import SECOND, Clock, Task

KINDS: Final = (
    "throttled",
    "server_error",
    "timed_out",
    "denied",
    "lost",
    "retried",
    "killed",
    "killed_after",
)
"""What may happen to one call."""

WEIGHTS: Final = (3, 3, 2, 1, 3, 4, 2, 2)
"""How often each kind is chosen, relatively."""

CODES: Final = {
    "throttled": {"s3": "SlowDown", "dynamodb": "ProvisionedThroughputExceededException"},
    "server_error": {"s3": "InternalError", "dynamodb": "InternalServerError"},
    "denied": {"s3": "AccessDenied"},
}
"""Error codes by kind and service, where a service has one of its own."""

DEFAULT_CODES: Final = {
    "throttled": "ThrottlingException",
    "server_error": "InternalFailure",
    "denied": "AccessDeniedException",
}
"""Error codes of the other services."""

LATENCY: Final = {"s3": 30_000, "dynamodb": 8_000, "sagemaker": 120_000, "sns": 40_000, "slack": 400_000}
"""Ticks that a call takes, on average, by service."""

READ_TIMEOUT: Final = 20.0
"""Seconds for which a client waits for an answer (CLIENTS of aws/clients.py)."""

ATTEMPTS: Final = 3
"""Times that a client sends a call that is not answered (CLIENTS of aws/clients.py)."""

READERS: Final = 16
"""Calls from other threads than the invocation's run side by side: each takes this part of its time."""


@dataclass(frozen=True)
class Outage:
    """A service fails each call from `begin` to `end` (seconds), in one way; for one model only, if named."""

    service: str
    kind: str
    begin: float
    end: float
    about: str = ""


@dataclass
class Faults:
    """Which calls fail. `rate` is the probability for one call; nothing fails after `end()`.

    `sluggish` is how many times longer than usual all calls take; invocations then overlap more often.
    `slow` are the texts that a slow model's calls to S3 contain, with the seconds that each takes. `refusals`
    are refused for good, also after `end()`: a function of operation and parameters names the error.
    """

    clock: Clock
    rng: Random
    rate: float = 0.0
    outages: list[Outage] = field(default_factory=list)
    sluggish: float = 1.0
    slow: dict[str, float] = field(default_factory=dict)
    refusals: list[Callable[[str, dict[str, Any]], str | None]] = field(default_factory=list)
    count: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    trace: Callable[[str], None] = lambda _: None

    def end(self) -> None:
        """No call fails from now on, but what is refused for good."""
        self.rate, self.sluggish = 0.0, 1.0
        self.outages.clear()

    def choose(self, task: Task, service: str, operation: str, given: dict[str, Any]) -> str | None:
        """What happens to this call; None if nothing does."""
        now, text = self.clock.seconds, ""
        for outage in self.outages:
            if outage.service == service and outage.begin <= now < outage.end:
                text = text or str(given)
                if outage.about in text:
                    return outage.kind
        if not self.rate:
            return None
        if threading.current_thread() is task.thread:
            if self.rng.random() >= self.rate:
                return None
            return self.rng.choices(KINDS, WEIGHTS)[0]
        # Readers of files come in any order: what happens depends on the file and not on the order.
        drawn = zlib.crc32(f"{task.name}{operation}{given.get('Key')}{given.get('Range')}".encode())
        return "server_error" if drawn % 10_000 < self.rate * 3_000 else None

    def latency(self, service: str, given: dict[str, Any]) -> int:
        """Ticks until this call is answered."""
        if self.slow and service == "s3":
            text = str({name: value for name, value in given.items() if name != "Body"})
            for part, seconds in self.slow.items():
                if part in text:
                    return int(seconds * SECOND)
        return int(LATENCY.get(service, 20_000) * self.sluggish)


def failed(service: str, kind: str, operation: str) -> Exception:
    """The exception that the caller of a failed call sees."""
    if kind in ("timed_out", "lost"):
        return ReadTimeoutError(endpoint_url=f"https://{service}.us-east-1.amazonaws.com")
    code = CODES[kind].get(service, DEFAULT_CODES[kind])
    status = {"throttled": 400, "server_error": 500, "denied": 403}[kind]
    return client_error(code, operation, status)


def client_error(code: str, operation: str, status: int = 400) -> ClientError:
    """An error of AWS with this code."""
    name = operation.title().replace("_", "")
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        name,
    )


class Client:
    """A client as one invocation has it: each call takes its time, and may fail."""

    def __init__(self, inner: Any, service: str, task: Task, faults: Faults) -> None:
        self._inner, self._service, self._task, self._faults = inner, service, task, faults

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "get_paginator":
            return lambda operation: _Pages(self, operation, found(operation))
        if name == "meta":
            return SimpleNamespace(client=self)
        if not callable(found) or name == "exceptions":
            return found
        return lambda *args, **given: self.call(name, given, lambda: found(*args, **given))

    def call(self, operation: str, given: dict[str, Any], do: Callable[[], Any]) -> Any:
        """Make a call, as the faults will have it."""
        task, faults, service = self._task, self._faults, self._service
        if task.dead:
            task.die()
        faults.calls[f"{service}.{operation}"] += 1
        ticks = faults.latency(service, given)
        unanswered = ticks > READ_TIMEOUT * SECOND
        if unanswered:
            ticks = int(ATTEMPTS * READ_TIMEOUT * SECOND)
        if threading.current_thread() is task.thread:
            task.wait(ticks)
        else:
            task.owe(ticks // READERS)
        if unanswered:
            raise failed(service, "timed_out", operation)
        for refuses in faults.refusals:
            if code := refuses(operation, given):
                raise client_error(code, operation)
        kind = faults.choose(task, service, operation, given)
        if kind is None:
            return do()
        faults.count[kind] += 1
        faults.trace(f"{task.name}: {service}.{operation} {kind}")
        return self._play(kind, operation, do)

    def _play(self, kind: str, operation: str, do: Callable[[], Any]) -> Any:
        if kind == "killed":
            self._task.die()
        if kind in ("lost", "retried", "killed_after"):
            try:
                do()
            except ClientError:
                if kind == "retried":  # a refusal is not tried again
                    raise
            if kind == "killed_after":
                self._task.die()
            if kind == "retried":
                return do()
        raise failed(self._service, kind, operation)


class _Pages:
    """A paginator: its pages are one call."""

    def __init__(self, client: Client, operation: str, inner: Any) -> None:
        self._client, self._operation, self._inner = client, operation, inner

    def paginate(self, **given: Any) -> Iterator[Any]:
        yield from self._client.call(self._operation, given, lambda: list(self._inner.paginate(**given)))
