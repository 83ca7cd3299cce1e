"""A start that SageMaker refuses gives way to what lands, and one that may have been made never does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from retraining.facts import keys
from retraining.facts.model_state import MAX_SUPERSEDED, BeforeStart, ModelState
from retraining.facts.starts import Marker, Start, StartRequest
from retraining.starts import blocking, bucket, executions, starting
from tests.functions.fakes import START, Died
from tests.functions.memory import refused
from tests.functions.models import HEADER, ROWS, Models
from tests.functions.starts.blocked import (
    GONE,
    MODEL,
    Refusing,
    asks,
    parameters,
    state,
    sweeps,
    timeout,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class During:
    """SageMaker; `act` is called once, during the first call that starts an execution."""

    def __init__(self, inner: Any, act: Callable[[dict[str, Any]], None]) -> None:
        self._inner, self._act = inner, act
        self.first: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def start_pipeline_execution(self, **call: Any) -> Any:
        if self.first is None:
            self.first = call["ClientRequestToken"]
            self._act(call)
        return self._inner.start_pipeline_execution(**call)


def lands(models: Models, rows: int) -> None:
    """The next delivery lands, and its event is handled."""
    models.put(MODEL, "train.csv", HEADER + ROWS * rows)
    models.deliver(models.put(MODEL, "_SUCCESS", b""))


def noted(models: Models, rows: int) -> None:
    """The next delivery lands, and its event is noted."""
    models.put(MODEL, "train.csv", HEADER + ROWS * rows)
    models.put(MODEL, "_SUCCESS", b"")
    request = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=models.now)
    starting.note(MODEL, [request], models.using())


def executing(models: Models) -> int:
    made = models.world.sagemaker.executions.values()
    return [one["PipelineExecutionStatus"] for one in made].count("Executing")


def test_landing_during_a_repeated_call_leaves_the_start_that_is_being_made(models: Models) -> None:
    sagemaker = Refusing(models, GONE)
    models.deliver(models.land(MODEL))
    sagemaker.error = None
    models.now += 2 * MINUTE

    def land(_: dict[str, Any]) -> None:
        models.now += 2 * SECOND
        lands(models, 5)

    starting.start_if_due(MODEL, models.using(sagemaker=During(models.world.sagemaker, land)))
    assert executing(models) == 1
    now = state(models)
    assert now.running is not None
    assert now.running.execution_arn is not None
    assert [request.cause for request in now.pending] == ["landing"]


@pytest.mark.parametrize("answer", ["lost", "none"])
def test_request_of_a_start_whose_function_dies_in_a_repeated_call_is_served_once(
    models: Models, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    sagemaker = Refusing(models, GONE)
    models.land(MODEL)
    asks(models, "r1")
    sagemaker.error = None
    models.now += 2 * MINUTE

    def dies(call: dict[str, Any]) -> None:
        models.world.sagemaker.start_pipeline_execution(**call)
        raise timeout() if answer == "lost" else Died("in the call")

    def note(*_: Any) -> None:
        raise Died("before it noted the failure")

    dying = models.using(sagemaker=During(models.world.sagemaker, dies))
    with monkeypatch.context() as patched:
        patched.setattr(blocking, "note", note)
        with pytest.raises(Died):
            starting.advance(MODEL, dying)
    models.now += 30 * SECOND
    lands(models, 5)
    assert executing(models) == 1
    for made in list(models.world.sagemaker.executions.values()):
        models.world.sagemaker.end(made["PipelineExecutionArn"])
    sweeps(models, 100)
    assert [made["Trigger"] for made in parameters(models)] == ["request", "landing"]


def test_landing_during_a_call_that_is_refused_takes_the_place_of_its_start(models: Models) -> None:
    def land(_: dict[str, Any]) -> None:
        models.now += 2 * SECOND
        noted(models, 5)
        raise refused("ResourceNotFound", "StartPipelineExecution")

    during = During(models.world.sagemaker, land)
    models.deliver(models.land(MODEL), using=models.using(sagemaker=during))
    now = state(models)
    assert (now.running, [request.cause for request in now.pending]) == (None, ["landing"])
    sweeps(models, 1)
    assert models.started() == [MODEL]
    (told,) = models.world.messages()
    assert told["kind"] == "start_blocked"
    assert state(models).blocked is None


def test_refusal_that_comes_after_another_start_was_taken_changes_nothing() -> None:
    request = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=START)
    taken = Start(key="b" * 64, batch="b", champion="none", requests=(request,), taken_at=START)
    now = ModelState(running=taken, before_start=BeforeStart(), pending=(request,))
    assert now.failed("refused", START, refused="a" * 64) == now
    assert now.failed("refused", START, refused="b" * 64).running is None


def test_refusal_names_its_start() -> None:
    models = Models()
    Refusing(models, GONE)
    request = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=START)
    start = Start(key="k" * 64, batch="b" * 64, champion="none", requests=(request,), taken_at=START)
    with pytest.raises(executions.StartRefused) as raised:
        executions.make(MODEL, start, models.using())
    assert raised.value.key == "k" * 64


def test_landing_within_the_minute_repeats_a_start_whose_answer_was_lost(models: Models) -> None:
    """SageMaker has forgotten the token already: the execution is found by its display name."""
    sagemaker = Refusing(models, timeout(), done=True)
    models.deliver(models.land(MODEL))
    made = models.world.sagemaker.executions
    made["forgotten"] = made.pop(next(iter(made)))
    sagemaker.error = None
    models.now += 20 * SECOND
    lands(models, 5)
    assert list(made) == ["forgotten"]
    running = state(models).running
    assert running is not None
    assert running.execution_arn == made["forgotten"]["PipelineExecutionArn"]


def test_start_is_found_although_sagemaker_forgot_its_token_and_a_person_its_name(models: Models) -> None:
    """Beside it runs one that a person started in SageMaker, with defaults."""
    sagemaker = Refusing(models, timeout(), done=True)
    models.deliver(models.land(MODEL))
    made = models.world.sagemaker.executions
    ours = made["forgotten"] = made.pop(next(iter(made)))
    ours["PipelineExecutionDisplayName"] = "the one of Monday"
    sagemaker.error = None
    models.now += 20 * SECOND
    models.world.sagemaker.start_pipeline_execution(
        ClientRequestToken="bare", PipelineName=f"handsoff-{MODEL}"
    )
    lands(models, 5)
    assert list(made) == ["forgotten", "bare"]
    running = state(models).running
    assert running is not None
    assert running.execution_arn == ours["PipelineExecutionArn"]


def test_start_takes_no_execution_that_another_start_made(models: Models) -> None:
    """A person's start of the same batch, with the same champion, is known to the ledger as the person's."""
    sagemaker = Refusing(models, timeout())
    models.deliver(models.land(MODEL))
    sagemaker.error = None
    taken = state(models).running
    assert taken is not None
    parameters = {"Batch": taken.batch, "Champion": taken.champion, "Trigger": "landing"}
    theirs = models.world.sagemaker.start_pipeline_execution(
        ClientRequestToken="another",
        PipelineName=f"handsoff-{MODEL}",
        PipelineParameters=[{"Name": name, "Value": value} for name, value in parameters.items()],
    )["PipelineExecutionArn"]
    models.using().ledger.mark(keys.execution(theirs), model=MODEL, start_key="another")
    models.world.sagemaker.executions["another"]["PipelineExecutionStatus"] = "Succeeded"
    models.now += 20 * SECOND
    lands(models, 5)
    assert list(models.world.sagemaker.executions) == ["another", taken.key]


@pytest.mark.parametrize("same_batch", [False, True])
def test_start_that_01_took_and_sagemaker_refuses_gives_way_to_a_landing(
    models: Models, same_batch: bool
) -> None:
    marker = models.land(MODEL)
    batch = "b" * 64
    if same_batch:
        batch = bucket.list_batch(models.using().s3, "data", MODEL, "_SUCCESS").listing
    request = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=START)
    stored = Start(key="k" * 64, batch=batch, champion="none", requests=(request,), taken_at=START)
    before = ModelState(running=stored, last_batch=batch, starts=(START,))
    assert models.using().states.swap(MODEL, before, 0)
    sagemaker = Refusing(models, GONE)
    models.now += MINUTE
    starting.start_if_due(MODEL, models.using())
    models.sweep()
    assert sagemaker.tokens[:1] == ["k" * 64]
    sagemaker.error = None
    models.deliver(marker)
    assert models.started() == [MODEL]
    assert "k" * 64 not in sagemaker.tokens[1:]


def test_markers_of_starts_that_were_given_up_are_superseded_once(models: Models) -> None:
    Refusing(models, GONE)
    for number in range(4):
        models.now += 2 * MINUTE
        models.put(MODEL, "validation.csv")
        lands(models, number + 1)
    versions = models.world.s3._inner.versions[f"curated/{MODEL}/_SUCCESS"]  # type: ignore[attr-defined]
    landed = [version for version, *_ in versions]
    now = state(models)
    assert now.answered_marker is not None
    assert now.answered_marker.version_id == landed[-1]
    assert [marker.version_id for marker in now.superseded_markers] == landed[-2::-1]


def test_state_names_the_newest_ten_superseded_markers() -> None:
    markers = [Marker(version_id=f"v{number}", landed_at=START + number * SECOND) for number in range(14)]
    now = ModelState().answering("b", markers[0])
    for number in range(1, 14):
        now = now.answering("b", markers[number], markers[number - 1 :: -1])
    assert MAX_SUPERSEDED == 10
    assert now.superseded_markers == ()
    now = ModelState().answering("b", markers[0]).answering("b", markers[13], markers[12:0:-1])
    assert [marker.version_id for marker in now.superseded_markers] == [f"v{n}" for n in range(12, 2, -1)]


def test_other_refusal_of_the_same_row_is_told_and_the_same_one_is_not(models: Models) -> None:
    sagemaker = Refusing(models, GONE)
    models.deliver(models.land(MODEL))
    sweeps(models, 4)
    sagemaker.error = refused("AccessDeniedException", "StartPipelineExecution")
    sweeps(models, 120)
    sagemaker.error = GONE
    sweeps(models, 120)
    told = [message["reasons"][0] for message in models.world.messages()]
    assert ["ResourceNotFound" in reason for reason in told] == [True, False]
    assert "AccessDeniedException" in told[1]


@pytest.mark.slow
def test_refusal_that_names_another_request_id_is_told_once(models: Models) -> None:
    sagemaker = Refusing(models, GONE)
    models.deliver(models.land(MODEL))
    for number in range(5):
        sagemaker.error = refused("ResourceNotFound", "StartPipelineExecution")
        sagemaker.error.response["Error"]["Message"] = f"no pipeline, request {number}b2-c4"
        sagemaker.error.args = (f"no pipeline, request {number}b2-c4",)
        sweeps(models, 70)
    assert len(models.world.messages()) == 2
