"""What cannot be started now: told once, tried again ever less often, and never in the way of what is new."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from retraining.errors import ConfigError
from retraining.facts.model_state import ModelState
from retraining.facts.starts import Start, StartRequest
from retraining.starts.executions import refuses
from tests.functions.fakes import START
from tests.functions.memory import refused
from tests.functions.models import HEADER, ROWS, Models
from tests.functions.starts.blocked import (
    GONE,
    MODEL,
    OPERATION,
    Refusing,
    asks,
    parameters,
    state,
    sweeps,
    timeout,
)


def test_refused_start_is_told_once_at_once_and_tried_ever_less_often(models: Models) -> None:
    sagemaker = Refusing(models, GONE)
    assert models.deliver(models.land(MODEL)) == []
    (told,) = models.world.messages()
    assert told["kind"] == "start_blocked"
    assert told["reasons"][0].startswith("SageMaker refuses the start: An error occurred (ResourceNotFound)")
    sweeps(models, 300)
    assert sagemaker.at == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    assert models.world.messages() == []
    blocked = state(models).blocked
    assert blocked is not None
    assert (blocked.refused, blocked.tries, blocked.since) == (True, 10, START)


def test_refused_start_is_logged_once(models: Models, caplog: pytest.LogCaptureFixture) -> None:
    Refusing(models, GONE)
    models.deliver(models.land(MODEL))
    sweeps(models, 60)
    assert caplog.messages.count("start blocked") == 1


@pytest.mark.slow
def test_twelve_hours_without_sagemaker_end_within_an_hour_under_the_same_token(models: Models) -> None:
    sagemaker = Refusing(models, timeout())
    models.deliver(models.land(MODEL))
    sweeps(models, 12 * 60)
    (told,) = models.world.messages()
    assert (told["kind"], len(told["reasons"])) == ("start_blocked", 2)
    sagemaker.error = None
    sweeps(models, 60, lambda: models.started() == [MODEL])
    assert models.started() == [MODEL]
    assert len(set(sagemaker.tokens)) == 1
    assert len(sagemaker.tokens) < 20
    assert state(models).blocked is None


def test_short_outage_is_told_to_nobody(models: Models) -> None:
    sagemaker = Refusing(models, timeout())
    models.deliver(models.land(MODEL))
    sweeps(models, 6)
    sagemaker.error = None
    sweeps(models, 5)
    assert models.started() == [MODEL]
    assert models.world.messages() == []


def test_start_whose_answer_is_lost_makes_one_execution(models: Models) -> None:
    sagemaker = Refusing(models, timeout(), done=True)
    models.deliver(models.land(MODEL))
    sweeps(models, 20)
    sagemaker.error = None
    sweeps(models, 60)
    assert models.started() == [MODEL]
    running = state(models).running
    assert running is not None
    assert running.execution_arn is not None


@pytest.mark.parametrize("again", [False, True], ids=["sweep", "landing"])
@pytest.mark.slow
def test_start_whose_token_is_forgotten_is_found_by_its_display_name(models: Models, again: bool) -> None:
    """The first call made an execution, its answer was lost, and later SageMaker knows its token no more."""
    sagemaker = Refusing(models, timeout(), done=True)
    marker = models.land(MODEL)
    models.deliver(marker)
    sagemaker.done = False
    sweeps(models, 300)
    made = models.world.sagemaker.executions
    made["forgotten"] = made.pop(next(iter(made)))
    sagemaker.error = GONE if again else None
    sweeps(models, 60)
    if again:
        sagemaker.error = None
        models.deliver(marker)
    assert len(made) == 1
    running = state(models).running
    assert running is not None
    assert running.execution_arn == made["forgotten"]["PipelineExecutionArn"]


def test_new_landing_takes_the_place_of_a_refused_start(models: Models) -> None:
    sagemaker = Refusing(models, GONE)
    asks_first = models.land(MODEL)
    models.deliver(asks_first)
    asks(models, "r1")
    sagemaker.error = None
    models.now += timedelta(minutes=2)
    models.put(MODEL, "train.csv", HEADER + ROWS * 5)
    models.deliver(models.put(MODEL, "_SUCCESS", b""))
    (made,) = parameters(models)
    assert made["Trigger"] == "request"
    now = state(models)
    assert now.running is not None
    assert sorted(request.cause for request in now.running.requests) == ["landing", "r1"]
    assert made["Batch"] == now.last_batch
    assert (now.pending, now.blocked, len(now.starts)) == ((), None, 1)


def test_refused_starts_do_not_count_for_the_daily_limit(models: Models) -> None:
    config = models.world.configs.known[MODEL]
    limited = config.model_copy(update={"retrain": config.retrain.model_copy(update={"daily_limit": 1})})
    models.world.configs.known[MODEL] = limited
    sagemaker = Refusing(models, GONE)
    for rows in range(1, 5):
        models.now += timedelta(minutes=2)
        models.put(MODEL, "validation.csv")
        models.put(MODEL, "train.csv", HEADER + ROWS * rows)
        models.deliver(models.put(MODEL, "_SUCCESS", b""))
    sagemaker.error = None
    sweeps(models, 60)
    assert models.started() == [MODEL]
    assert len(models.world.messages()) == 1


def test_marker_event_that_comes_again_tries_a_refused_start_again(models: Models) -> None:
    sagemaker = Refusing(models, GONE)
    marker = models.land(MODEL)
    models.deliver(marker)
    sweeps(models, 20)
    sagemaker.error = None
    models.deliver(marker)
    assert models.started() == [MODEL]
    assert len(set(sagemaker.tokens)) == 1


def test_landing_during_an_outage_waits_for_the_start_before_it(models: Models) -> None:
    """Whether the first start has been made is not known: it is repeated under its token."""
    sagemaker = Refusing(models, timeout(), done=True)
    models.deliver(models.land(MODEL))
    models.now += timedelta(minutes=2)
    models.put(MODEL, "train.csv", HEADER + ROWS * 5)
    models.deliver(models.put(MODEL, "_SUCCESS", b""))
    assert len(set(sagemaker.tokens)) == 1
    sagemaker.error = None
    sweeps(models, 60)
    assert len(parameters(models)) == 1
    assert [request.cause for request in state(models).pending] == ["landing"]


def test_request_that_comes_again_leaves_its_refused_start(models: Models) -> None:
    Refusing(models, GONE)
    models.land(MODEL)
    asks(models, "r1")
    before = state(models)
    asks(models, "r1")
    assert state(models) == before


@pytest.mark.slow
def test_landing_while_the_configuration_is_invalid_is_told_after_ten_minutes_and_starts_once_valid(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    valid = models.world.configs.get

    def invalid(model: str, **_: bool) -> Any:
        raise ConfigError(f"SSM parameter /handsoff/models/{model} is not valid: task is missing")

    monkeypatch.setattr(models.world.configs, "get", invalid)
    models.deliver(models.land(MODEL))
    sweeps(models, 9)
    assert models.world.messages() == []
    sweeps(models, 180)
    (told,) = models.world.messages()
    assert told["reasons"][0] == "SSM parameter /handsoff/models/ant is not valid: task is missing"
    monkeypatch.setattr(models.world.configs, "get", valid)
    sweeps(models, 1)
    assert models.started() == [MODEL]
    assert state(models).blocked is None


def test_bucket_that_cannot_be_listed_is_asked_ever_less_often(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def denied(key: str) -> None:
        if key == f"curated/{MODEL}/":
            asked.append(key)
            raise refused("AccessDenied", "ListObjectVersions")

    monkeypatch.setattr(models, "spend", denied)
    models.deliver(models.land(MODEL))
    sweeps(models, 300)
    assert len(asked) == 10
    assert [message["kind"] for message in models.world.messages()] == ["start_blocked"]


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("ValidationException", 400, True),
        ("ResourceNotFound", 400, True),
        ("AccessDeniedException", 400, True),
        ("ThrottlingException", 400, False),
        ("ResourceLimitExceeded", 400, False),
        ("ConflictException", 400, False),
        ("SomethingNew", 500, False),
        ("SomethingNew", 503, False),
        ("SomethingNew", 400, True),
    ],
)
def test_refuses_is_true_for_what_the_same_call_will_not_change(
    code: str, status: int, expected: bool
) -> None:
    answer: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert refuses(ClientError(answer, OPERATION)) is expected


def test_refuses_is_false_for_other_calls_and_for_silence() -> None:
    assert refuses(refused("AccessDenied", "ListObjectVersions")) is False
    assert refuses(timeout()) is False


def test_failed_without_anything_to_start_changes_nothing() -> None:
    request = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=START)
    made = Start(
        key="k", batch="b", champion="none", requests=(request,), taken_at=START, execution_arn="arn:e"
    )
    for idle in (ModelState(), ModelState(running=made)):
        assert idle.failed("why", START) == idle


@pytest.mark.parametrize("seconds", [30, 65])
def test_listing_longer_than_the_time_that_is_left_starts_a_small_batch(models: Models, seconds: int) -> None:
    def slow(key: str) -> None:
        if key == f"curated/{MODEL}/":
            models.now += timedelta(seconds=seconds)

    models.spend = slow  # type: ignore[method-assign]
    models.deliver(models.land(MODEL))
    sweeps(models, 10)
    assert models.started() == [MODEL]
    assert models.world.messages() == []
