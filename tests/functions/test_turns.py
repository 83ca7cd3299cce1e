"""One model never stops another: a bad one among three, first, in the middle and last in the alphabet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

import reconcile
from retraining import turns
from retraining.collaborators import Collaborators
from retraining.errors import ConfigError
from retraining.starts import inspection
from retraining.turns import Turn
from tests.functions.fakes import START, Context, titanic_config
from tests.functions.memory import refused
from tests.functions.models import HEADER, MODELS, ROWS, Models
from tests.functions.world import World

BAD = pytest.mark.parametrize("bad", MODELS, ids=["first", "middle", "last"])


def others(bad: str) -> list[str]:
    return [model for model in MODELS if model != bad]


# ---- what makes a model bad ------------------------------------------------------------------------------


def inspection_raises(_: Models, bad: str, patch: pytest.MonkeyPatch) -> None:
    def inspect(head: bytes, size: int, name: str, *rest: Any, **more: Any) -> Any:
        if f"/{bad}/" in name:
            raise RecursionError("nested too deep")
        return inspection.inspect(head, size, name, *rest, **more)

    patch.setattr("retraining.starts.bucket.inspect", inspect)


def config_invalid(models: Models, bad: str, patch: pytest.MonkeyPatch) -> None:
    original = models.world.configs.get

    def get(model: str, *, fresh: bool = False) -> Any:
        if model == bad:
            raise ConfigError(f"SSM parameter of {model} is not valid")
        return original(model, fresh=fresh)

    patch.setattr(models.world.configs, "get", get)


def pipeline_deleted(models: Models, bad: str, patch: pytest.MonkeyPatch) -> None:
    original = models.world.sagemaker.start_pipeline_execution

    def start(**call: Any) -> dict[str, str]:
        if call["PipelineName"] == f"handsoff-{bad}":
            raise refused("ResourceNotFound", "StartPipelineExecution")
        return original(**call)

    patch.setattr(models.world.sagemaker, "start_pipeline_execution", start)


def state_is_nonsense(models: Models, bad: str, _: pytest.MonkeyPatch) -> None:
    models.world.items.mark(f"model#{bad}", {"version": 1, "pending": "nonsense"})


def slow(models: Models, bad: str, _: pytest.MonkeyPatch) -> None:
    # The virtual clock adds up calls that 16 threads make at once.
    models.slow[bad] = timedelta(seconds=8)


Spoil = Callable[[Models, str, pytest.MonkeyPatch], None]
KINDS: list[Spoil] = [inspection_raises, config_invalid, pipeline_deleted, state_is_nonsense, slow]


@BAD
@pytest.mark.parametrize("spoil", KINDS, ids=lambda spoil: spoil.__name__)
def test_sweep_with_a_bad_model_starts_the_others_in_the_same_minute(
    models: Models, bad: str, spoil: Spoil, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.note(*MODELS)
    spoil(models, bad, monkeypatch)
    began = models.now
    try:
        models.sweep()
    except* Exception:
        pass
    assert set(others(bad)) <= set(models.started())
    assert models.now - began < timedelta(minutes=1)


@BAD
@pytest.mark.parametrize("spoil", KINDS, ids=lambda spoil: spoil.__name__)
def test_landings_with_a_bad_model_start_the_others_at_once(
    models: Models, bad: str, spoil: Spoil, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(models, bad, monkeypatch)
    failed = models.deliver(*[models.land(model) for model in MODELS])
    assert failed == ([f"m{MODELS.index(bad)}"] if spoil is state_is_nonsense else [])
    assert set(others(bad)) <= set(models.started())


# ---- requests first --------------------------------------------------------------------------------------


def test_all_requests_are_noted_before_a_model_is_looked_at(models: Models) -> None:
    """The function dies in the first listing: no landing waits for its message to be delivered again."""

    class Dead(BaseException):
        pass

    def dies(key: str) -> None:
        raise Dead(key)

    models.spend = dies  # type: ignore[method-assign]
    with pytest.raises(Dead):
        models.deliver(*[models.land(model) for model in MODELS])
    states = models.using().states
    assert [len(states.load(model)[0].pending) for model in MODELS] == [1, 1, 1]


def test_landing_while_the_configuration_is_invalid_starts_once_it_is_valid(models: Models) -> None:
    models.note("ant")
    models.now += timedelta(minutes=1)
    models.sweep()
    assert models.started() == ["ant"]


def test_object_that_completes_no_batch_landing_while_the_configuration_is_invalid_starts_nothing(
    models: Models,
) -> None:
    models.deliver(models.land("ant"))
    models.world.sagemaker.end(next(iter(models.world.sagemaker.executions.values()))["PipelineExecutionArn"])
    models.now += timedelta(minutes=1)
    models.world.configs.broken = True
    assert models.deliver(models.put("ant", "train.csv", HEADER + ROWS * 3)) == []
    models.world.configs.broken = False
    for _ in range(5):
        models.now += timedelta(minutes=3)
        models.sweep()
    assert models.started() == ["ant"]


def test_landing_while_the_configuration_of_a_known_model_is_missing_is_noted(models: Models) -> None:
    models.deliver(models.land("ant"))
    models.world.sagemaker.end(next(iter(models.world.sagemaker.executions.values()))["PipelineExecutionArn"])
    there, models.world.configs.known = models.world.configs.known, {}
    models.now += timedelta(minutes=5)
    models.put("ant", "train.csv", HEADER + ROWS * 3)
    models.now += timedelta(seconds=1)
    assert models.deliver(models.put("ant", "_SUCCESS", b"")) == []
    assert [one.trigger for one in models.using().states.load("ant")[0].pending] == ["landing"]
    models.world.configs.known = there
    for _ in range(3):
        models.now += timedelta(minutes=1)
        models.sweep()
    assert models.started() == ["ant", "ant"]


def test_landing_of_a_model_that_was_just_published_is_not_called_stray(models: Models) -> None:
    models.world.configs.known, models.world.configs.fresh = {}, dict.fromkeys(MODELS, titanic_config())
    models.deliver(models.land("bee"))
    assert models.using().states.load("bee")[0].landings == 1
    assert models.world.items.get("stray#bee") is None


def test_thousand_objects_of_no_model_read_the_configuration_twice(models: Models) -> None:
    read: list[bool] = []
    original = models.world.configs.get

    def get(model: str, *, fresh: bool = False) -> Any:
        read.append(fresh)
        return original(model, fresh=fresh)

    models.world.configs.get = get  # type: ignore[method-assign]
    models.deliver(*[models.put("dog", f"{number}.csv") for number in range(1000)])
    assert read == [False, True]


def test_request_of_a_person_while_the_configuration_is_invalid_is_noted(models: Models) -> None:
    models.world.configs.broken = True
    detail = {"model": "ant", "cause": "r1", "trigger": "request", "requestedBy": "arn:somebody"}
    assert models.deliver({"source": "handsoff", "detail": detail}) == []
    assert [one.cause for one in models.using().states.load("ant")[0].pending] == ["r1"]


# ---- turns -----------------------------------------------------------------------------------------------


def named(turns_: list[Turn]) -> str:
    return " ".join(turn.model for turn in turns_)


@pytest.mark.parametrize(
    ("after", "order"),
    [
        (None, "a b c"),
        ("a starts", "b c a"),
        ("b starts", "c a b"),
        ("c starts", "a b c"),
        ("bb starts", "c a b"),
        ("z starts", "a b c"),
    ],
)
def test_rotated_begins_after_the_named_turn_also_where_it_is_gone(after: str | None, order: str) -> None:
    made = [Turn(model, "starts", lambda *_: None) for model in "cab"]
    assert named(turns.rotated(made, after)) == order


class Clock:
    """Work that takes its time; what began, in order."""

    def __init__(self, **seconds: float) -> None:
        self.now, self.seconds, self.began = START, seconds, list[str]()
        self.shares: list[float] = []

    def work(self, model: str, using: Collaborators) -> None:
        self.began.append(model)
        self.shares.append(using.time_left().total_seconds())
        self.now += timedelta(seconds=min(self.seconds[model], self.shares[-1]))
        using.check_time()

    def sweep(self, world: World, limit: float = 45) -> turns.Outcome | None:
        self.began.clear()
        using = world.using(Collaborators, clock=lambda: self.now).within(timedelta(seconds=limit))
        outcome = turns.sweep(sorted(self.seconds), {"starts": self.work}, using)
        self.now += timedelta(seconds=1)
        return outcome


def test_sweep_begins_one_model_later_each_minute(world: World) -> None:
    clock, orders = Clock(a=1, b=1, c=1), list[str]()
    for _ in range(4):
        clock.sweep(world)
        orders.append("".join(clock.began))
    assert orders == ["abc", "bca", "cab", "abc"]


def test_sweep_whose_time_ends_goes_on_with_the_next_model(world: World) -> None:
    clock, orders = Clock(a=30, b=30, c=30, d=30), list[str]()
    for _ in range(3):
        outcome = clock.sweep(world, 25)
        orders.append("".join(clock.began))
        assert outcome is not None
    assert orders == ["abc", "dab", "cda"]


def test_sweep_slow_models_take_the_last_place_in_turn(world: World) -> None:
    """The last model has all the time that the others leave."""
    clock, orders, last = Clock(a=1, b=99, c=1, d=99), list[str](), list[float]()
    for _ in range(4):
        clock.sweep(world)
        orders.append("".join(clock.began))
        last.append(clock.shares[-1])
    assert orders == ["abcd", "cdab", "abcd", "cdab"]
    assert min(last) > 20


def test_take_gives_many_turns_the_least_share(world: World) -> None:
    clock = Clock(**{f"m{number:02}": 99 for number in range(50)})
    outcome = clock.sweep(world)
    assert outcome is not None
    assert set(clock.shares) == {10.0}
    assert (len(clock.began), len(outcome.not_begun)) == (5, 45)


def test_sweep_while_another_runs_does_nothing(world: World) -> None:
    clock, inner = Clock(a=1), list[turns.Outcome | None]()
    using = world.using(Collaborators, clock=lambda: clock.now)

    def work(_: str, __: Collaborators) -> None:
        inner.append(clock.sweep(world))

    assert turns.sweep(["a"], {"starts": work}, using) is not None
    assert inner == [None]
    assert clock.began == []


def test_sweep_after_one_that_died_waits_for_its_lease_and_begins_after_its_turn(world: World) -> None:
    clock = Clock(a=1, b=1, c=1)
    using = world.using(Collaborators, clock=lambda: clock.now)

    def dies(model: str, _: Collaborators) -> None:
        if model == "b":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        turns.sweep(["a", "b", "c"], {"starts": dies}, using)
    died: datetime = clock.now
    clock.now = died + timedelta(seconds=149)
    assert clock.sweep(world) is None
    clock.now = died + timedelta(seconds=151)
    assert clock.sweep(world) is not None
    assert clock.began == ["c", "a", "b"]


def test_sweep_that_lost_its_lease_stops(world: World) -> None:
    clock = Clock(a=1, b=1)
    using = world.using(Collaborators, clock=lambda: clock.now)
    seen: list[str] = []

    def work(model: str, _: Collaborators) -> None:
        seen.append(model)
        clock.now += timedelta(seconds=200)
        clock.sweep(world)

    outcome = turns.sweep(["a", "b"], {"starts": work}, using)
    assert outcome is not None
    assert seen == ["a"]
    assert [turn.model for turn in outcome.not_begun] == ["b"]


def test_deleted_link_secret_stops_no_sweep(models: Models) -> None:
    def gone() -> None:
        raise RuntimeError("the secret is deleted")

    models.note("ant")
    reconcile.handler({}, Context(), using=replace(models.using(), read_links=gone))
    assert models.started() == ["ant"]


def test_reconcile_records_an_end_that_no_event_told_of(models: Models) -> None:
    models.deliver(models.land("bee"))
    (made,) = models.world.sagemaker.executions.values()
    arn = made["PipelineExecutionArn"]
    models.world.sagemaker.end(arn)
    for _ in range(3):
        models.now += timedelta(minutes=1)
        models.sweep()
    assert models.world.stored(f"execution#{arn}")["final"] is True


@BAD
def test_sweep_that_moves_bad_files_slowly_starts_the_others_in_the_same_minute(
    models: Models, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        models.put(bad, f"train/{number}.csv", b"a,b\n1,2\n")
    with monkeypatch.context() as patch:
        patch.setattr("retraining.starts.quarantine.move_files", lambda *_, **__: False)
        models.deliver(models.land(bad))
    assert len(models.using().states.load(bad)[0].bad_files) == 20
    models.now += timedelta(minutes=3)
    models.note(*others(bad))
    models.slow[bad] = timedelta(seconds=4)
    began = models.now
    models.sweep()
    assert models.started() == others(bad)
    assert models.now - began < timedelta(minutes=1)
