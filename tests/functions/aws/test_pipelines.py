"""Which execution of a pipeline runs, however many there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline_def.retries import NO_CAPACITY, OVER_QUOTA
from retraining.aws import pipelines
from retraining.config.training import LONGEST_RUN
from tests.functions.fakes import FakeSageMaker
from tests.functions.memory import refused

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def sagemaker_with(*executions: tuple[str, float]) -> Any:
    """SageMaker with executions, oldest first, each with its status and its start in days before noon."""
    found = FakeSageMaker()
    for number, (status, days) in enumerate(executions):
        found.clock = lambda days=days: NOON - timedelta(days=days)  # type: ignore[misc]
        made = found.start_pipeline_execution(PipelineName="p", ClientRequestToken=f"{number:032}")
        found.end(made["PipelineExecutionArn"], status)
    return found


@pytest.mark.parametrize(
    ("executions", "running"),
    [
        ([], None),
        ([("Executing", 0)], "e0"),
        ([("Succeeded", 2), ("Stopping", 1), ("Failed", 0)], "e1"),
        ([("Executing", 44), *[("Stopped", 1)] * 150], "e0"),
        ([("Executing", 45), ("Succeeded", 0)], "e0"),
        ([("Executing", 45.1), ("Succeeded", 45.05), ("Succeeded", 0)], None),
        ([("Succeeded", 1), ("Failed", 0)], None),
    ],
    ids=["none", "one", "the second", "behind 150", "as old as can be", "too old to run", "all have ended"],
)
def test_running_finds_an_execution_that_has_not_ended(
    executions: list[tuple[str, float]], running: str | None
) -> None:
    found = pipelines.running(sagemaker_with(*executions), "p")
    assert (found and found.rsplit("/", 1)[-1]) == running


def test_no_execution_runs_longer_than_those_that_are_looked_for() -> None:
    """Three jobs beside training, one after the other (models are scored at once), and what retries take."""
    attempts = 1 + NO_CAPACITY["MaxAttempts"]
    waiting_for_spot = timedelta(days=1)
    trained = attempts * (LONGEST_RUN + waiting_for_spot)
    others = 3 * attempts * timedelta(hours=2)
    over_quota = 4 * timedelta(minutes=OVER_QUOTA["ExpireAfterMin"])
    assert trained + others + over_quota < pipelines.MAX_RUN


def test_running_of_a_pipeline_that_is_gone_is_none() -> None:
    class Gone:
        def get_paginator(self, _operation: str) -> Any:
            return self

        def paginate(self, **_: Any) -> Any:
            yield from ()
            raise refused("ResourceNotFound", "ListPipelineExecutions")

    gone: Any = Gone()
    assert pipelines.running(gone, "p") is None
