"""An idle model: what a sweep asks of AWS for it, and what is found at it without any event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

import reconcile
from retraining.facts import keys
from tests.functions.candidates.sweeping import status
from tests.functions.fakes import Context, arn_of, in_console, register, titanic_config
from tests.functions.memory import refused
from tests.functions.models import HEADER, MODELS, ROWS, Models

QUARTER = 15
"""Minutes between two looks at the executions and packages of an idle model."""


CALL = timedelta(milliseconds=30)
"""What a call takes. So looks at a model do not come a whole number of minutes after each other."""


class Process:
    """A process of the sweep's function, which keeps what it knows from one minute to the next."""

    def __init__(self, models: Models) -> None:
        self.models, self.idle = models, dict[str, Any]()
        self.calls, self.failing = Counter[str](), set[str]()

    def minutes(self, number: int) -> Counter[str]:
        """Let as many minutes pass, each with a sweep; the calls of these sweeps by operation."""
        self.calls.clear()
        for _ in range(number):
            self.models.now = self.models.now.replace(second=0, microsecond=0) + timedelta(minutes=1)
            self.sweep()
        return Counter(self.calls)

    def sweep(self) -> None:
        world = self.models.world
        wrapped = {"sagemaker": world.sagemaker, "table": world.table, "s3": self.models}
        using = self.models.using(**{name: Counted(it, self) for name, it in wrapped.items()})
        object.__setattr__(using, "idle", self.idle)
        reconcile.handler({}, Context(), using=using)


class Counted:
    """Wraps a client, or a table and its client: counts calls, and refuses those that shall fail."""

    def __init__(self, inner: Any, process: Process) -> None:
        self._inner, self._process = inner, process
        self.name, self.meta = "ledger", SimpleNamespace(client=self)

    def __getattr__(self, name: str) -> Any:
        if name == "get_paginator":
            return lambda operation: Counted(Pages(self._inner, operation), self._process)
        self._process.calls[name] += 1
        self._process.models.now += CALL
        if name in self._process.failing:
            raise refused("InternalServerError", name, 500)
        return getattr(self._inner, name)


class Pages:
    def __init__(self, inner: Any, operation: str) -> None:
        self._inner, self._operation = inner, operation

    @property
    def paginate(self) -> Any:
        return self._inner.get_paginator(self._operation).paginate


@pytest.fixture
def process(models: Models) -> Process:
    """Three models that have trained; titanic, which has none yet, has a champion. All have been idle for an
    hour."""
    models.world.configs.known["titanic"] = titanic_config()
    register(models.world)
    models.deliver(*[models.land(model) for model in MODELS])
    for made in models.world.sagemaker.executions.values():
        models.world.sagemaker.end(made["PipelineExecutionArn"])
    process = Process(models)
    process.minutes(65)  # markers were listed three minutes ago
    assert status(models.world) == "Approved"
    models.world.messages()
    return process


def minutes_until(process: Process, happened: Callable[[], bool]) -> int:
    """Minutes, each with a sweep, until this has happened."""
    for minute in range(1, 60):
        process.minutes(1)
        if happened():
            return minute
    raise AssertionError("nothing happened within an hour")


def test_idle_minutes_cost_less_than_two_calls_per_model(process: Process) -> None:
    calls = process.minutes(60)
    fixed = {
        "get_item": 60,
        "update_item": 120,
        "batch_get_item": 60,
    }  # the lease, and the facts of all models
    assert all(calls[name] >= number for name, number in fixed.items())
    assert (calls.total() - sum(fixed.values())) / 60 / (len(MODELS) + 1) <= 2


def test_most_idle_minutes_cost_one_look_at_each_marker(process: Process) -> None:
    fixed = {"get_item": 1, "update_item": 2, "batch_get_item": 1}
    each = [process.minutes(1) for _ in range(60)]
    assert each.count(Counter({**fixed, "head_object": len(MODELS) + 1})) >= 30


def test_marker_at_an_idle_model_without_an_event_starts_within_two_minutes(
    models: Models, process: Process
) -> None:
    models.put("bee", "train.csv", HEADER + ROWS * 3)
    models.now += timedelta(seconds=59)
    models.put("bee", "_SUCCESS", b"")
    landed = models.now
    before = len(models.started())
    minutes_until(process, lambda: len(models.started()) > before)
    assert models.now - landed <= timedelta(minutes=2)
    assert models.started().count("bee") == 2


def test_execution_at_an_idle_model_without_an_event_is_recorded(models: Models, process: Process) -> None:
    """It is seen within a quarter of an hour, and from then on each minute."""
    sagemaker = models.world.sagemaker
    arn = sagemaker.start_bare()

    def seen() -> bool:
        known = models.world.ledger.get(keys.known_executions("titanic"))
        return known is not None and arn.rsplit("/", 1)[-1] in known.statuses

    assert minutes_until(process, seen) <= QUARTER
    sagemaker.end(arn, "Failed")
    assert minutes_until(process, lambda: models.world.items.get(f"execution#{arn}") is not None) <= 2
    assert [message["kind"] for message in models.world.messages()] == ["execution_failed"]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("others", [0, 1, 4, 14, 29])
@pytest.mark.slow
def test_retry_that_fails_again_between_two_looks_is_told(
    models: Models, process: Process, others: int, waits: bool
) -> None:
    """Also among many that have failed before: each look asks of as many as minutes have passed. A model with
    a request that waits, here for the end of a pause, is looked at each minute."""
    sagemaker = models.world.sagemaker
    arns = [sagemaker.start_bare(f"bare-{number}") for number in range(others + 1)]
    for arn in arns:
        sagemaker.end(arn, "Failed")
    process.minutes(60)
    if waits:
        paused = titanic_config().retrain.model_copy(update={"paused": True})
        models.world.configs.known["titanic"] = titanic_config().model_copy(update={"retrain": paused})
        models.deliver(models.land("titanic"))
        process.minutes(30)
    models.world.messages()
    for arn in (arns[0], arns[-1]):
        made = sagemaker.describe_pipeline_execution(arn)
        made["LastModifiedTime"] = models.now
        sagemaker.steps_of[arn] = [
            {"StepName": "TrainModel", "StepStatus": "Failed", "StartTime": models.now, "EndTime": models.now}
        ]
        told = minutes_until(process, lambda: bool(models.world.messages()))
        assert told <= (1 if waits else QUARTER) + 1 + others


def test_champion_of_an_idle_model_rejected_in_aws_without_an_event_is_recorded(
    models: Models, process: Process
) -> None:
    in_console(models.world, arn_of(1), "Rejected", 0)
    models.world.sagemaker.packages[arn_of(1)]["LastModifiedTime"] = models.now
    told = minutes_until(process, lambda: bool(models.world.messages()))
    assert told <= QUARTER + 1


def test_package_at_an_idle_model_without_an_event_is_judged(models: Models, process: Process) -> None:
    arn = register(models.world, 2, champion=arn_of(1))
    models.world.sagemaker.packages[arn]["CreationTime"] = models.now
    verdict = f"verdict#{arn}"
    assert minutes_until(process, lambda: models.world.items.get(verdict) is not None) <= QUARTER + 1


def test_candidate_that_waits_is_looked_at_each_minute(models: Models, process: Process) -> None:
    register(models.world, 2, champion="arn:of-another-champion")
    process.minutes(QUARTER + 1)
    assert status(models.world, 2) == "PendingManualApproval"
    assert process.minutes(20)["list_model_packages"] >= 20


def test_model_is_looked_at_each_minute_while_it_runs_and_a_quarter_of_an_hour_after_it(
    models: Models, process: Process
) -> None:
    models.put("bee", "train.csv", HEADER + ROWS * 3)
    models.deliver(models.put("bee", "_SUCCESS", b""))
    assert models.started().count("bee") == 2
    assert process.minutes(10)["list_pipeline_executions"] >= 10
    made = list(models.world.sagemaker.executions.values())[-1]
    models.world.sagemaker.end(made["PipelineExecutionArn"])
    made["LastModifiedTime"] = models.now
    assert process.minutes(10)["list_pipeline_executions"] >= 10
    process.minutes(10)
    assert process.minutes(30)["list_pipeline_executions"] <= 3 * (len(MODELS) + 1)


@pytest.mark.parametrize("failing", ["batch_get_item", "list_pipeline_executions", "list_model_packages"])
def test_model_of_which_nothing_is_known_is_looked_at(process: Process, failing: str) -> None:
    process.failing.add(failing)
    with suppress(ExceptionGroup):
        process.minutes(1)
    for _ in range(QUARTER):
        with suppress(ExceptionGroup):
            process.minutes(1)
    looks = process.calls
    assert looks["list_pipeline_executions"] >= len(MODELS)
    assert looks["list_model_packages"] >= len(MODELS)
    process.failing.clear()
    process.minutes(2)
    assert process.minutes(1)["list_model_packages"] <= 1


def test_state_that_cannot_be_read_lets_the_model_be_looked_at(models: Models, process: Process) -> None:
    models.world.items.mark("model#bee", {"version": 1, "state": "nonsense"})
    with suppress(ExceptionGroup):
        process.minutes(1)
    assert process.calls["list_pipeline_executions"] >= 1
    assert process.calls["head_object"] == len(MODELS)


def test_marker_that_cannot_be_looked_at_delays_its_model_by_one_call(process: Process) -> None:
    """The check's call is not repeated by the work: a slow model would take twice its time."""
    process.failing.add("head_object")
    assert process.minutes(1)["head_object"] == len(MODELS) + 1


def test_process_forgets_models_that_are_gone(models: Models, process: Process) -> None:
    assert len(process.idle) == 2 * (len(MODELS) + 1)
    del models.world.configs.known["bee"]
    process.minutes(1)
    assert sorted(name for name in process.idle if "bee" in name) == []


def test_new_process_looks_at_all_models(process: Process) -> None:
    process.idle.clear()
    calls = process.minutes(1)
    assert calls["list_pipeline_executions"] == calls["list_model_packages"] == len(MODELS) + 1
