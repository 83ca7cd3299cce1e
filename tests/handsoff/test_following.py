"""What `handsoff status --watch` does next: a table of snapshots, and of notices."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
import typer

from handsoff.commands import executions
from handsoff.operating.following import (
    Follow,
    KeepWaiting,
    NextStep,
    Notice,
    ShowNewest,
    Snapshot,
    StopRefused,
    Watched,
    next_step,
    notices,
)
from retraining.aws.pipelines import Execution
from retraining.facts.model_state import ModelState
from retraining.facts.starts import StartRequest

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""When watching begins."""


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def execution(name: str, started: float = -60) -> Execution:
    """An execution with this id that started so many seconds after watching began."""
    return Execution(
        arn=f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic/execution/{name}",
        pipeline="handsoff-titanic",
        status="Executing",
        failure_reason=None,
        start_time=after(started),
        last_modified=after(started),
        parameters={},
        steps=(),
    )


OLD, NEW, NEWER = execution("old"), execution("new", 3), execution("newer", 4)
PENDING = ModelState(
    pending=(StartRequest(cause="landing", trigger="landing", requested_by="s3", at=NOON),), answer="wait"
)
IDLE = ModelState()


def answered(answer: Literal["refuse", "start"], seconds: float) -> ModelState:
    """The state after an answer that was given so many seconds after watching began."""
    return ModelState(answer=answer, reason="the same batch", answered_at=after(seconds))


@pytest.mark.parametrize(
    ("seconds", "models", "expected"),
    [
        # an unsettled execution is followed at once; of several, the latest
        (0, [Watched(IDLE, OLD, settled=False)], Follow(OLD)),
        (0, [Watched(PENDING, OLD, settled=False)], Follow(OLD)),
        (5, [Watched(IDLE, NEW, settled=True)], Follow(NEW)),
        (5, [Watched(IDLE, NEW, settled=False), Watched(IDLE, NEWER, settled=False)], Follow(NEWER)),
        (5, [Watched(IDLE, OLD), Watched(answered("refuse", 1), NEW, settled=False)], Follow(NEW)),
        # a pending start request is waited for, however long
        (0, [Watched(PENDING, OLD)], KeepWaiting()),
        (3600, [Watched(PENDING, OLD)], KeepWaiting()),
        (3600, [Watched(answered("refuse", 1), OLD), Watched(PENDING)], KeepWaiting()),
        # a refusal given while watching ends the watch at once
        (1, [Watched(answered("refuse", 0), OLD)], StopRefused()),
        (1, [Watched(IDLE), Watched(answered("refuse", 1), OLD)], StopRefused()),
        # one given before: first wait for a request that may still arrive
        (12, [Watched(answered("refuse", -1), OLD)], KeepWaiting()),
        (12.001, [Watched(answered("refuse", -1), OLD)], StopRefused()),
        (12.001, [Watched(answered("refuse", -59.999), OLD)], StopRefused()),
        (12.001, [Watched(answered("refuse", -60), OLD)], ShowNewest(OLD)),
        # nothing is expected
        (0, [Watched(IDLE, OLD)], KeepWaiting()),
        (12, [Watched(IDLE, OLD)], KeepWaiting()),
        (12.001, [Watched(IDLE, OLD)], ShowNewest(OLD)),
        (12.001, [Watched(answered("start", 1), OLD)], ShowNewest(OLD)),
        (12.001, [Watched(IDLE, OLD), Watched(IDLE, execution("older", -90))], ShowNewest(OLD)),
        (12.001, [Watched(IDLE)], ShowNewest(None)),
    ],
)
def test_next_step(seconds: float, models: list[Watched], expected: NextStep) -> None:
    first = Snapshot(NOON, {"titanic": Watched(IDLE, OLD), "prices": Watched(IDLE, execution("older", -90))})
    now = Snapshot(after(seconds), {f"m{number}": item for number, item in enumerate(models)})
    assert next_step(first, now) == expected


def test_next_step_execution_that_was_settled_before_is_not_followed() -> None:
    first = Snapshot(NOON, {"titanic": Watched(IDLE, OLD, settled=True)})
    assert next_step(first, first) == KeepWaiting()


@pytest.mark.parametrize(
    ("seconds", "state", "expected"),
    [
        (0, IDLE, []),
        (0, answered("start", 0), []),
        (0, PENDING, [Notice("titanic", earlier=False)]),
        (3600, PENDING, [Notice("titanic", earlier=False)]),
        (5, answered("refuse", 0), [Notice("titanic", earlier=False)]),
        (5, answered("refuse", -0.001), [Notice("titanic", earlier=True)]),
        (59.999, answered("refuse", 0), [Notice("titanic", earlier=False)]),
        (60, answered("refuse", 0), []),
    ],
)
def test_notices(seconds: float, state: ModelState, expected: list[Notice]) -> None:
    first = Snapshot(NOON, {"titanic": Watched(IDLE)})
    now = Snapshot(after(seconds), {"titanic": Watched(state)})
    assert notices(first, now) == expected


def shot(seconds: float, item: Watched) -> Snapshot:
    return Snapshot(after(seconds), {"m0": item})


@pytest.mark.parametrize("reason", ["the same batch", "quarantined: curated/titanic/train.csv"])
def test_watch_of_a_refused_start_says_why_and_exits_with_1(
    reason: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = answered("refuse", 0).model_copy(update={"reason": reason})
    shots = iter([shot(-1, Watched(PENDING, OLD)), shot(1, Watched(state, OLD))])
    monkeypatch.setattr(executions, "take_snapshot", lambda *_: next(shots))
    monkeypatch.setattr(executions, "POLL", 0)
    with pytest.raises(typer.Exit) as ended:
        executions._watch(None, ["m0"])  # type: ignore[arg-type]
    assert ended.value.exit_code == 1
    assert reason in capsys.readouterr().out


def test_watch_says_that_a_refusal_was_given_before_it_began(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shots = iter(
        [shot(1, Watched(answered("refuse", 0), OLD)), shot(13.1, Watched(answered("refuse", 0), OLD))]
    )
    monkeypatch.setattr(executions, "take_snapshot", lambda *_: next(shots))
    monkeypatch.setattr(executions, "POLL", 0)
    with pytest.raises(typer.Exit):
        executions._watch(None, ["m0"])  # type: ignore[arg-type]
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("m0: nothing started at ")
    assert said.endswith("(answered shortly before this command began)")


def test_watch_with_nothing_to_follow_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    shots = iter([shot(0, Watched(IDLE)), shot(13, Watched(IDLE))])
    monkeypatch.setattr(executions, "take_snapshot", lambda *_: next(shots))
    monkeypatch.setattr(executions, "POLL", 0)
    executions._watch(None, ["m0"])  # type: ignore[arg-type]
