"""How events reach the functions: dropped for good, twice, late, in another order; and queues."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from tests.chaos.clock import Clock, Task
from tests.chaos.functions import Failed, Functions, template

WINDOW: Final = 2.0
"""Seconds for which a queue gathers messages (MaximumBatchingWindowInSeconds of the template)."""

CONCURRENCY: Final = 2
"""Invocations that take messages of the landings queue at once (MaximumConcurrency)."""


@dataclass
class EventFaults:
    """The probability that an event is dropped for good, comes twice, or comes late; of all kinds alike."""

    rng: Random
    dropped: float = 0.0
    duplicated: float = 0.0
    delayed: float = 0.0
    count: Counter[str] = field(default_factory=Counter)

    def arrivals(self) -> list[float]:
        """After how many seconds the event arrives; more than once, or never."""
        if self.rng.random() < self.dropped:
            self.count["event dropped"] += 1
            return []
        times = [self.rng.uniform(0.2, 2.0)]
        if self.rng.random() < self.duplicated:
            self.count["event duplicated"] += 1
            times.append(self.rng.uniform(0.2, 400.0))
        if self.rng.random() < self.delayed:
            self.count["event delayed"] += 1
            times[0] += self.rng.choice([5.0, 40.0, 300.0, 1500.0])
        return times


class Queue:
    """An SQS queue before a function that says which messages of a batch have failed."""

    def __init__(
        self, clock: Clock, functions: Functions, function: str, resource: str, failures: str
    ) -> None:
        found = template()[resource]["Properties"]
        self._visibility = float(found["VisibilityTimeout"])
        self._most = int(found["RedrivePolicy"]["maxReceiveCount"])
        self._retention = float(found["MessageRetentionPeriod"])
        self._clock, self._functions, self._function = clock, functions, function
        self._waiting: dict[str, tuple[str, int, float]] = {}
        self._numbers = itertools.count()
        self._running = 0
        self.failures: list[Failed] = []
        self._name = failures

    def send(self, body: str) -> None:
        """Put a message on the queue."""
        self._waiting[f"m{next(self._numbers)}"] = (body, 0, self._clock.seconds)
        self._clock.after(WINDOW, self._poll)

    def forget(self) -> None:
        """Drop what waits."""
        self._waiting.clear()

    def _poll(self) -> None:
        if self._running >= CONCURRENCY:
            self._clock.after(1.0, self._poll)
            return
        now = self._clock.seconds
        batch = {identity: item for identity, item in self._waiting.items() if item[2] <= now}
        if not batch:
            return
        for identity, (body, received, _) in list(batch.items()):
            if received >= self._most:
                del self._waiting[identity], batch[identity]
                record = _records({identity: body}, self._name)
                self.failures.append(Failed(now, self._function, record, "received too often"))
            else:
                self._waiting[identity] = (body, received + 1, now + self._visibility)
        if not batch:
            return
        self._running += 1
        event = _records({identity: body for identity, (body, _, _) in batch.items()}, self._name)
        self._functions.invoke(self._function, event, self._after(list(batch)))
        self._clock.after(self._visibility + 1.0, self._poll)

    def _after(self, batch: list[str]) -> Callable[[Task, Any], None]:
        def after(task: Task, answer: Any) -> None:
            self._running -= 1
            if task.error is not None:
                return
            failed = {item["itemIdentifier"] for item in (answer or {}).get("batchItemFailures", [])}
            for identity in batch:
                if identity not in failed:
                    self._waiting.pop(identity, None)

        return after


def _records(bodies: dict[str, str], queue: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": identity,
                "body": body,
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:r:1:{queue}",
            }
            for identity, body in bodies.items()
        ]
    }


class Events:
    """The rules of the template: which function hears of what."""

    def __init__(self, clock: Clock, functions: Functions, faults: EventFaults) -> None:
        self._clock, self._functions, self.faults = clock, functions, faults
        self.landings = Queue(clock, functions, "start_retraining", "Landings", "handsoff-landings")
        self.deaf = False

    def object_landed(self, key: str) -> None:
        """S3 tells of an object below curated/."""
        body = {"source": "aws.s3", "detail": {"bucket": {"name": "data"}, "object": {"key": key}}}
        self._arrive(lambda: self.landings.send(json.dumps(body)))

    def request(self, model: str, cause: str, trigger: str, by: str) -> None:
        """A person or a schedule asks for a start. The queue has taken this message: it is not dropped."""
        detail = {"model": model, "cause": cause, "trigger": trigger, "requestedBy": by}
        self.landings.send(json.dumps({"source": "handsoff", "detail": detail}))

    def sagemaker(self, event: dict[str, Any]) -> None:
        """SageMaker tells of an execution, a step or a package."""
        if event["detail-type"] == "SageMaker Model Package State Change":
            pending = event["detail"]["ModelApprovalStatus"] == "PendingManualApproval"
            name = "judge_candidate" if pending else "record_decision"
        else:
            name = "track_execution"
        self._arrive(lambda: self._functions.invoke(name, event))

    def notification(self, text: str) -> None:
        """The topic delivers to notify_slack."""
        self._clock.after(
            0.5, lambda: self._functions.invoke("notify_slack", {"Records": [{"Sns": {"Message": text}}]})
        )

    def _arrive(self, do: Callable[[], None]) -> None:
        if self.deaf:
            self.faults.count["event dropped"] += 1
            return
        for seconds in self.faults.arrivals():
            self._clock.after(seconds, do)
