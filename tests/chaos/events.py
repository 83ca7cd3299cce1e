"""How events reach the functions: dropped for good, twice, late, in another order; and queues."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.chaos.clock import BEGIN, Clock, Task
from tests.chaos.functions import Failed, Functions, source_of
from tests.template import RESOURCES


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


@dataclass
class Waiting:
    """A message: when it was sent, how often it was received, and when it can be received again."""

    body: str
    sent: float
    received: int = 0
    visible: float = 0.0


class Queue:
    """An SQS queue before a function that says which messages of a batch have failed.

    Its numbers are those of template.yaml. `failures` is its dead-letter queue.
    """

    def __init__(self, clock: Clock, functions: Functions, function: str, resource: str) -> None:
        queue, source = RESOURCES[resource]["Properties"], source_of(function)
        self._visibility = float(queue["VisibilityTimeout"])
        self._most = int(queue["RedrivePolicy"]["maxReceiveCount"])
        self._size = int(source["BatchSize"])
        self._window = float(source.get("MaximumBatchingWindowInSeconds", 0.2))
        self._concurrency = int(source["ScalingConfig"]["MaximumConcurrency"])
        self._clock, self._functions, self._function = clock, functions, function
        self._waiting: dict[str, Waiting] = {}
        self._numbers = itertools.count()
        self._running = 0
        self.failures: list[Failed] = []

    def send(self, body: str) -> None:
        """Put a message on the queue."""
        now = self._clock.seconds
        self._waiting[f"{self._function}-m{next(self._numbers)}"] = Waiting(body, now, visible=now)
        self._clock.after(self._window, self._poll)

    def postpone(self, receipt: str, seconds: int) -> None:
        """Let a message be received again after so many seconds."""
        self._waiting[receipt].visible = self._clock.seconds + seconds
        self._clock.after(seconds + 0.1, self._poll)

    def _poll(self) -> None:
        if self._running >= self._concurrency:
            self._clock.after(1.0, self._poll)
            return
        now = self._clock.seconds
        batch = [it for it, message in self._waiting.items() if message.visible <= now][: self._size]
        for identity in list(batch):
            message = self._waiting[identity]
            message.received, message.visible = message.received + 1, now + self._visibility
            if message.received > self._most:
                batch.remove(identity)
                event = self._event([identity])
                self.failures.append(Failed(now, self._function, event, "received too often"))
                del self._waiting[identity]
        if batch:
            self._running += 1
            self._functions.invoke(self._function, self._event(batch), self._after(batch))
            self._clock.after(self._visibility + 1.0, self._poll)

    def _after(self, batch: list[str]) -> Callable[[Task, Any], None]:
        def after(task: Task, answer: Any) -> None:
            self._running -= 1
            self._clock.after(self._window, self._poll)
            if task.error is not None:
                return
            failed = {item["itemIdentifier"] for item in (answer or {}).get("batchItemFailures", [])}
            for identity in batch:
                if identity not in failed:
                    self._waiting.pop(identity, None)

        return after

    def _event(self, batch: list[str]) -> dict[str, Any]:
        return {
            "Records": [
                {
                    "messageId": identity,
                    "receiptHandle": identity,
                    "body": self._waiting[identity].body,
                    "eventSource": "aws:sqs",
                    "attributes": {
                        "ApproximateReceiveCount": str(self._waiting[identity].received),
                        "SentTimestamp": str(int((BEGIN.timestamp() + self._waiting[identity].sent) * 1000)),
                    },
                }
                for identity in batch
            ]
        }


class Events:
    """The rules of the template: which function hears of what."""

    def __init__(self, clock: Clock, functions: Functions, faults: EventFaults) -> None:
        self._clock, self._functions, self.faults = clock, functions, faults
        self.landings = Queue(clock, functions, "start_retraining", "Landings")
        self.slack = Queue(clock, functions, "notify_slack", "SlackMessages")
        functions.postpone = self.slack.postpone
        self.deaf = False

    def object_landed(self, key: str, version: str) -> None:
        """S3 tells of an object below curated/."""
        landed = {"key": key, "version-id": version}
        body = {"source": "aws.s3", "detail": {"bucket": {"name": "data"}, "object": landed}}
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
        """The topic delivers to the queue of notify_slack."""
        self.slack.send(text)

    def _arrive(self, do: Callable[[], None]) -> None:
        if self.deaf:
            self.faults.count["event dropped"] += 1
            return
        for seconds in self.faults.arrivals():
            self._clock.after(seconds, do)
