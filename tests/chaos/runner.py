"""One run: an hour or two of traffic and faults, then hours in which only sweeps run, then the invariants."""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, Final

from retraining.config.schema import ModelConfig
from tests.chaos.account import Bucket, Parameters, Table, Topic
from tests.chaos.clock import Clock, Task
from tests.chaos.events import EventFaults, Events
from tests.chaos.faults import Faults, Outage
from tests.chaos.functions import Account, Failed, Functions, virtual
from tests.chaos.invariants import AFTER_REDRIVING, INVARIANTS, broken
from tests.chaos.people import People
from tests.chaos.pipelines import LiveSageMaker
from tests.chaos.producers import Producer
from tests.chaos.slack import APPROVER, Channel
from tests.chaos.steering import Steering
from tests.functions.fakes import titanic_config

MINUTE: Final = 60.0
HOUR: Final = 3600.0

NAMES: Final = ("aardvark", "bison", "cheetah", "dolphin", "eagle")
"""The models of a run, some of them. The first one by the alphabet may be slow or refused for good."""

BY_MINUTE: Final = 60
"""Sweeps after the faults that are a minute apart. Those that follow are STRIDE apart."""

STRIDE: Final = 5 * MINUTE
SETTLE: Final = 6 * HOUR
"""The time after the faults in which only sweeps run: longer than any wait that is configured."""

MAX_REDRIVEN: Final = 40
"""Messages of failure queues that are sent again."""

IDLE_SWEEPS: Final = 10
"""Sweeps at the very end, in which nothing is left to do."""


@dataclass
class Run:
    """The account, its functions and all who act on it, for one seed.

    `configs` are drawn unless they are given. `keep` is how many of the last events are kept.
    """

    seed: int
    keep: int = 60
    echo: bool = False
    configs: dict[str, ModelConfig] = field(default_factory=dict)
    restore: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)
        rng = self.rng
        self.clock = Clock(Random(rng.random()))
        self.last: deque[str] = deque(maxlen=self.keep)
        if not self.configs:
            self.configs = {name: _config(rng, name) for name in sorted(rng.sample(NAMES, rng.randint(3, 5)))}
            self._ask_for_the_anchor()
        self.models = sorted(self.configs)
        self.faults = Faults(self.clock, Random(rng.random()), trace=self.trace)
        bucket = Bucket(self.clock)
        self.account = Account(
            clock=self.clock,
            faults=self.faults,
            bucket=bucket,
            table=Table(),
            sagemaker=LiveSageMaker(self.clock, bucket, Random(rng.random()), self.models),
            topic=Topic(self.clock),
            parameters=Parameters(self.configs),
            channel=Channel(),
        )
        self.functions = Functions(self.account, self.trace)
        self.events = Events(self.clock, self.functions, EventFaults(Random(rng.random())))
        bucket.landed = self.events.object_landed
        self.account.sagemaker.tell = self.events.sagemaker
        self.account.topic.deliver = self.events.notification
        self.producers = {
            model: Producer(
                model, config.retrain.ready.when == "marker", self.clock, bucket, Random(rng.random())
            )
            for model, config in self.configs.items()
        }
        self.people = People(self, Random(rng.random()))
        self.faulty: set[str] = set()
        self.idle: dict[str, Any] = {}
        self.broken: dict[str, list[str]] = {}
        self.redriven: list[tuple[Failed, str]] = []
        self.printed = ""
        self.settled_at = 0.0

    def trace(self, text: str) -> None:
        """Keep an event for the report of a failure."""
        line = f"{self.clock.now():%a %H:%M:%S.%f} {text}"
        self.last.append(line)
        if self.echo:
            sys.__stdout__.write(line + "\n")  # type: ignore[union-attr]

    def _ask_for_the_anchor(self) -> None:
        """Let a rule of every other model ask for the anchor, in every other seed."""
        for model in sorted(self.configs)[1::2] if self.seed % 2 == 0 else []:
            values = self.configs[model].model_dump(mode="json", exclude_none=True)
            rule = {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}}
            values["approval"]["rules"] = [*values["approval"]["rules"], rule]
            self.configs[model] = ModelConfig.model_validate(values)

    # ---- the course of a run ------------------------------------------------------------------------------

    def play(self) -> None:
        """Let everything happen."""
        with virtual(self.clock) as printed:
            self._storm()
            self.settle()
            self._rest()
            self.printed = printed.getvalue()
            self.broken = broken(self, INVARIANTS)
            if not self.broken:
                self._redrive()
                self.broken = broken(self, AFTER_REDRIVING)

    def _storm(self) -> None:
        """Traffic, people and faults."""
        rng, end = self.rng, self.rng.uniform(0.8, 1.8) * HOUR
        self._plan_faults(end)
        for producer in self.producers.values():
            at = rng.uniform(0, 600)
            while at < end:
                self.clock.at(at, producer.deliver)
                at += rng.expovariate(1 / 1100)
        at = rng.uniform(0, 600)
        while at < end:
            self.clock.at(at, self.people.act)
            at += rng.expovariate(1 / 240)
        for model, config in self.configs.items():
            if config.retrain.schedule:
                for number in range(int(end // 1800)):
                    self.clock.at(number * 1800 + 17, self._scheduled(model, number))
        self._plan_moves_of_anchors(end)
        Steering(self).plan(end)
        self._sweep_each_minute(0, end)
        self.clock.run(end)

    def _plan_moves_of_anchors(self, end: float) -> None:
        """People move anchors to approved packages. The draws are apart from all others."""
        rng = Random(f"anchors {self.seed}")
        for model in self.models:
            for _ in range(rng.randint(0, 4)):
                at = rng.uniform(0.4, 1.0) * end
                self.clock.at(at, partial(self.people.move_anchor, model, rng))

    def _plan_faults(self, end: float) -> None:
        rng, faults, told = self.rng, self.faults, self.events.faults
        faults.rate = rng.choice([0.0, 0.004, 0.015, 0.04])
        faults.sluggish = rng.choice([1.0, 1.0, 10.0, 40.0])
        told.dropped, told.duplicated = rng.choice([0.0, 0.1, 0.3]), rng.choice([0.0, 0.2])
        told.delayed = rng.choice([0.0, 0.2])
        for _ in range(rng.randint(0, 2)):
            service = rng.choice(["s3", "dynamodb", "sagemaker", "sns", "ssm"])
            kind = rng.choice(["throttled", "server_error", "denied", "timed_out", "lost"])
            begin = rng.uniform(0, end)
            faults.outages.append(Outage(service, kind, begin, begin + rng.choice([120.0, 1200.0, end])))
            faults.count[f"outage {kind}"] += 1
        self.account.sagemaker.token_known = rng.choice([None, 61.0])
        if rng.random() < 0.5:
            self._one_bad_model(rng.choice(["slow", "refused", "unreadable evaluation"]))

    def _one_bad_model(self, kind: str) -> None:
        """Make the first model by the alphabet slow, or refused for good; the others must not feel it.

        One that becomes slow after a start was answered has every look at its marker time out, each minute.
        """
        model = self.models[0]
        self.faults.count[f"model {kind}"] += 1
        if kind == "slow":
            self.faulty.add(model)
            seconds, at = self.rng.choice([8.0, 25.0, 50.0]), self.rng.choice([0.0, 1800.0])
            self.clock.at(at, lambda: self.faults.slow.update({f"curated/{model}/": seconds}))
        elif kind == "refused":
            self.faulty.add(model)

            def refuses(operation: str, given: dict[str, Any]) -> str | None:
                refused = (
                    operation == "start_pipeline_execution" and given["PipelineName"] == f"handsoff-{model}"
                )
                return "ValidationException" if refused else None

            self.faults.refusals.append(refuses)
        else:
            self.account.sagemaker.unreadable = 0.3

    def _scheduled(self, model: str, number: int) -> Callable[[], None]:
        by = f"arn:aws:scheduler:us-east-1:123456789012:schedule/default/handsoff-{model}"
        return lambda: self.events.request(model, f"2026-11-23T{number:04}", "schedule", by)

    def _sweep_each_minute(self, begin: float, end: float, every: float = MINUTE) -> float:
        at = begin
        while at < end:
            self.clock.at(at, self._sweep)
            at += every
        return at

    def _sweep(self) -> None:
        self.functions.invoke("reconcile", {"source": "aws.events"})

    def settle_with_events(self, seconds: float) -> None:
        """Let time pass with events and sweeps, and without faults or people."""
        begin = self.clock.seconds
        self._sweep_each_minute(begin, begin + seconds)
        self.clock.run(begin + seconds)

    def settle(self, seconds: float = SETTLE) -> None:
        """No more faults, no more events: executions end, and only sweeps run."""
        self.trace("faults end; from now on no event arrives, and only sweeps run")
        self.faults.end()
        for restored in self.restore:
            restored()
        self.events.deaf = True
        self.settled_at = self.clock.seconds
        begin = self.clock.seconds + 5
        at = self._sweep_each_minute(begin, begin + BY_MINUTE * MINUTE)
        at = self._sweep_each_minute(at, begin + seconds, STRIDE)
        self.clock.run(at)

    def _rest(self) -> None:
        """Measure a time in which nothing is left to do."""
        calls, failures = Counter(self.faults.calls), len(self.functions.failures)
        objects = sum(map(len, self.account.bucket.versions.values()))
        begin = self.clock.seconds
        self._sweep_each_minute(begin, begin + IDLE_SWEEPS * MINUTE)
        self.clock.run(begin + (IDLE_SWEEPS + 5) * MINUTE)
        self.idle = {
            "sweeps": IDLE_SWEEPS,
            "calls": self.faults.calls - calls,
            "failures": len(self.functions.failures) - failures,
            "objects": sum(map(len, self.account.bucket.versions.values())) - objects,
        }

    def _redrive(self) -> None:
        """Send what lies in the failure queues again, each message once."""
        found = {
            f"{one.function}{one.event}": one
            for one in [*self.functions.failures, *self.events.landings.failures, *self.events.slack.failures]
        }
        for failed in list(found.values())[:MAX_REDRIVEN]:
            if failed.function != "reconcile":
                self.functions.invoke(failed.function, failed.event, self._redriven(failed))
                self.clock.run(self.clock.seconds + 2 * MINUTE)

    def _redriven(self, failed: Failed) -> Callable[[Task, Any], None]:
        def after(task: Task, answer: Any) -> None:
            error = f"{task.error!r}" if task.error else ""
            if answer and answer.get("batchItemFailures"):
                error = "the message failed again"
            self.redriven.append((failed, error))

        return after

    def fault_counts(self) -> Counter[str]:
        """What happened, by kind."""
        return (
            self.faults.count
            + self.events.faults.count
            + Counter({f"person: {kind}": number for kind, number in self.people.count.items()})
            + Counter(
                {f"delivery: {kind}": n for one in self.producers.values() for kind, n in one.count.items()}
            )
        )


def _config(rng: Random, model: str) -> ModelConfig:
    """The Titanic's config with another readiness, cooldown, schedule and approval."""
    values = titanic_config().model_dump(mode="json", exclude_none=True)
    ready = rng.choices(
        [
            {"when": "marker", "marker": "_SUCCESS"},
            {"when": "quiet", "quiet_period": "3m"},
            {"when": "every_object"},
        ],
        [6, 2, 1],
    )[0]
    values["retrain"] |= {
        "ready": ready,
        "cooldown": rng.choice(["0s", "10m"]),
        "daily_limit": 500,
        "min_new_rows": 0,
    }
    values["retrain"].pop("schedule", None)
    if rng.random() < 0.3:
        values["retrain"]["schedule"] = "rate(30 minutes)"
    values["approval"] |= {
        "first_model": rng.choice(["rules_only", "hold"]),
        "remind_after": "40m",
        "expire_after": "2h",
    }
    values["approvers"] = {"slack_channel": f"#{model}", "slack_users": [APPROVER]}
    return ModelConfig.model_validate(values)
