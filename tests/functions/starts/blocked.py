"""Starts of the first of three models that SageMaker refuses, or does not answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from botocore.exceptions import ReadTimeoutError

from retraining.facts.model_state import ModelState
from tests.functions.fakes import START
from tests.functions.memory import refused
from tests.functions.models import Models

MODEL = "ant"
OPERATION = "StartPipelineExecution"
GONE = refused("ResourceNotFound", OPERATION)
"""The answer to the start of a pipeline that was deleted."""


class Refusing:
    """SageMaker's start of executions: raises `error` if there is one; with `done`, after it has started."""

    def __init__(self, models: Models, error: Exception | None, *, done: bool = False) -> None:
        self.error, self.done = error, done
        self.tokens: list[str] = []
        self.at: list[float] = []
        self._models, self._start = models, models.world.sagemaker.start_pipeline_execution
        models.world.sagemaker.start_pipeline_execution = self  # type: ignore[method-assign]

    def __call__(self, **call: Any) -> dict[str, str]:
        self.tokens.append(call["ClientRequestToken"])
        self.at.append((self._models.now - START).total_seconds() / 60)
        if self.error is None:
            return self._start(**call)
        if self.done:
            self._start(**call)
        raise self.error


def state(models: Models) -> ModelState:
    return models.using().states.load(MODEL)[0]


def sweeps(models: Models, minutes: int, until: Callable[[], bool] = lambda: False) -> None:
    """Let that many minutes pass, with a sweep in each. No sweep fails."""
    for _ in range(minutes):
        models.now += timedelta(minutes=1)
        models.sweep()
        if until():
            return


def asks(models: Models, cause: str) -> None:
    detail = {"model": MODEL, "cause": cause, "trigger": "request", "requestedBy": "arn:somebody"}
    assert models.deliver({"source": "handsoff", "detail": detail}) == []


def parameters(models: Models) -> list[dict[str, str]]:
    """The parameters of the executions that were made."""
    return [
        {item["Name"]: item["Value"] for item in made["PipelineParameters"]}
        for made in models.world.sagemaker.executions.values()
    ]


def timeout() -> Exception:
    return ReadTimeoutError(endpoint_url="https://api.sagemaker")
