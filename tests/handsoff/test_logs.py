"""`handsoff logs` shows each line once, also while a job writes; `handsoff status` the end of a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from typer.testing import CliRunner, Result

from handsoff import cli
from handsoff.commands import terminal
from handsoff.errors import NotFound
from handsoff.operating import job_logs
from handsoff.operating.job_logs import LogLine, NoLog, follow_logs, read_logs, traceback_end, traceback_ends
from handsoff.showing.executions import execution_table
from handsoff.showing.logs import as_json, line_as_json, show_line
from retraining.aws.pipelines import Execution, Logs, Step
from retraining.facts import keys
from tests.functions.fakes import FakeSageMaker
from tests.functions.memory import refused
from tests.functions.world import World

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
BEGIN = "Traceback (most recent call last):"
GROUPS = {"Processing": "/aws/sagemaker/ProcessingJobs", "Training": "/aws/sagemaker/TrainingJobs"}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic/execution/abc"


class Streams:
    """CloudWatch with two events on a page, and an empty page before each page with events, as AWS may give.

    `lines` are (seconds, text) by stream. A group of which no stream is known does not exist.
    """

    class exceptions:
        class ResourceNotFoundException(Exception): ...

    def __init__(self) -> None:
        self.lines: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.denied = False

    def write(self, step: str, *texts: str, at: int = 0, stream: str = "a/algo-1") -> None:
        group = GROUPS["Training" if step == "TrainModel" else "Processing"]
        there = self.lines.setdefault((group, f"pipelines-abc-{step}-{stream}"), [])
        there += [(at + number, text) for number, text in enumerate(texts)]

    def get_paginator(self, operation: str) -> SimpleNamespace:
        assert operation == "describe_log_streams"
        return SimpleNamespace(paginate=self._pages)

    def _pages(self, logGroupName: str, logStreamNamePrefix: str) -> Iterator[dict[str, Any]]:
        if self.denied:
            raise refused("AccessDeniedException", "DescribeLogStreams")
        if not any(group == logGroupName for group, _ in self.lines):
            raise self.exceptions.ResourceNotFoundException
        for group, name in sorted(self.lines):
            if group == logGroupName and name.startswith(logStreamNamePrefix):
                yield {"logStreams": [{"logStreamName": name}]}  # one on a page

    def describe_log_streams(self, **call: Any) -> dict[str, Any]:
        return {"logStreams": [stream for page in self._pages(**call) for stream in page["logStreams"]]}

    def get_log_events(
        self,
        *,
        logGroupName: str,
        logStreamName: str,
        startFromHead: bool,
        nextToken: str = "",
        limit: int = 2,
    ) -> dict[str, Any]:
        lines = self.lines[logGroupName, logStreamName]
        if not startFromHead:
            return {"events": [_event(line) for line in lines[-limit:]]}
        position, empty = (int(part) for part in (nextToken or "0/1").split("/"))
        if position == len(lines) and nextToken:
            return {"events": [], "nextForwardToken": nextToken}
        if empty:
            return {"events": [], "nextForwardToken": f"{position}/0"}
        end = min(position + 2, len(lines))
        return {
            "events": [_event(line) for line in lines[position:end]],
            "nextForwardToken": f"{end}/{1 if end < len(lines) else 0}",
        }


def _event(line: tuple[int, str]) -> dict[str, Any]:
    return {"timestamp": int((NOON.timestamp() + line[0]) * 1000), "message": line[1]}


def step(name: str, kind: str = "Processing", status: str = "Succeeded", reason: str | None = None) -> Step:
    end = NOON if status in ("Succeeded", "Failed") else None
    logs = Logs(GROUPS[kind], f"pipelines-abc-{name}-") if kind in GROUPS else None
    return Step(name, kind, status, NOON, end, reason, "arn", logs)


def execution(status: str, *steps: Step) -> Execution:
    return Execution(ARN, "handsoff-titanic", status, None, NOON, NOON, {}, steps)


def deployment(logs: Streams) -> Any:
    definition = [{"Name": name} for name in ("DataPreProcessing", "TrainModel", "RegisterModel")]
    sagemaker = FakeSageMaker()
    sagemaker.definition = definition
    return SimpleNamespace(logs=logs, sagemaker=sagemaker, ledger=World.empty().ledger)


def said(items: Iterator[LogLine | NoLog]) -> list[str]:
    return [f"{item.step}: {item.text if isinstance(item, LogLine) else item.why}" for item in items]


PREPARED = step("DataPreProcessing")
TRAINS = step("TrainModel", "Training", "Executing")


def test_logs_have_every_line_of_every_page_and_stream_by_step_and_time() -> None:
    logs = Streams()
    logs.write("TrainModel", "fit", at=9)
    logs.write("DataPreProcessing", "1", "3", "5", "7", "9", at=0)
    logs.write("DataPreProcessing", "retried", at=3, stream="b/algo-1")
    logs.write("DataPreProcessingOther", "of another step")
    assert said(read_logs(deployment(logs), execution("Executing", PREPARED, TRAINS), None)) == [
        "DataPreProcessing: 1",
        "DataPreProcessing: 3",
        "DataPreProcessing: 5",
        "DataPreProcessing: 7",
        "DataPreProcessing: retried",
        "DataPreProcessing: 9",
        "TrainModel: fit",
    ]


@pytest.mark.parametrize(
    ("of", "why"),
    [
        (TRAINS, "has no log yet: its job is being made, or has written nothing"),
        (step("TrainModel", "Training"), "has no log: its job wrote nothing, or the log was deleted"),
        (step("RegisterModel", "RegisterModel"), "has no log: it runs no job"),
        (
            Step("TrainModel", "Training", "Starting", NOON, None, None, None, None),
            "has no log yet: it waits for capacity",
        ),
    ],
)
def test_logs_say_why_a_step_has_none(of: Step, why: str) -> None:
    found = read_logs(deployment(Streams()), execution("Executing", of), None)
    assert list(found) == [NoLog(of.name, why)]


def test_logs_of_one_step_leave_the_others_out() -> None:
    logs = Streams()
    logs.write("DataPreProcessing", "rows")
    logs.write("TrainModel", "fit")
    one = read_logs(deployment(logs), execution("Executing", PREPARED, TRAINS), "TrainModel")
    assert said(one) == ["TrainModel: fit"]
    later = read_logs(deployment(logs), execution("Executing", PREPARED), "TrainModel")
    assert said(later) == ["TrainModel: has no log yet: it has not started"]


def test_logs_of_an_unknown_step_name_the_steps() -> None:
    with pytest.raises(
        NotFound, match=r"has no step Train; its steps are: DataPreProcessing, TrainModel, Reg"
    ):
        read_logs(deployment(Streams()), execution("Executing", PREPARED), "Train")


def following(
    monkeypatch: pytest.MonkeyPatch, logs: Streams, *then: Callable[[], Execution], first: Execution
) -> tuple[Iterator[LogLine | NoLog], list[float]]:
    """`follow_logs`, each pause of which lets the next of `then` happen; and the times of the pauses."""
    now, left, pauses = [0.0], list(then), list[float]()
    latest = [first]

    def pause(seconds: float) -> None:
        now[0] += seconds
        pauses.append(now[0])
        if left:
            latest[0] = left.pop(0)()

    monkeypatch.setattr(job_logs, "described", lambda *_: latest[0])
    items = follow_logs(deployment(logs), first, None, pause=pause, clock=lambda: now[0])
    return items, pauses


def test_follow_goes_through_the_steps_without_missing_or_repeating_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logs = Streams()
    logs.write("DataPreProcessing", "1", "2", "3")
    runs = step("DataPreProcessing", status="Executing")

    def writes_on() -> Execution:
        logs.write("DataPreProcessing", "4", at=3)
        return execution("Executing", runs)

    def next_step() -> Execution:
        logs.write("DataPreProcessing", "5", at=4)
        return execution("Executing", PREPARED, TRAINS)

    def trains() -> Execution:
        logs.write("TrainModel", "fit", at=5)
        return execution("Executing", PREPARED, TRAINS)

    def ends() -> Execution:
        logs.write("TrainModel", "saved", at=6)
        return execution("Succeeded", PREPARED, step("TrainModel", "Training"))

    def comes_late() -> Execution:
        logs.write("TrainModel", "late", at=7)
        return execution("Succeeded", PREPARED, step("TrainModel", "Training"))

    items, pauses = following(
        monkeypatch,
        logs,
        writes_on, next_step, trains, ends, comes_late,
        first=execution("Executing", runs),
    )  # fmt: skip
    monkeypatch.setattr(job_logs, "_long_ago", lambda _: False)
    assert said(items) == [
        "DataPreProcessing: 1",
        "DataPreProcessing: 2",
        "DataPreProcessing: 3",
        "DataPreProcessing: 4",
        "DataPreProcessing: 5",
        "TrainModel: has no log yet: its job is being made, or has written nothing",
        "TrainModel: fit",
        "TrainModel: saved",
        "TrainModel: late",
    ]
    assert pauses[-1] == 16.0  # the first read that is five seconds behind that of the last line, at ten


def test_follow_of_an_execution_that_ended_long_ago_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = Streams()
    logs.write("DataPreProcessing", "1")
    old = Execution(ARN, "p", "Failed", None, NOON, datetime.now(UTC) - timedelta(hours=1), {}, (PREPARED,))
    items, pauses = following(monkeypatch, logs, first=old)
    assert said(items) == ["DataPreProcessing: 1"]
    assert pauses == []


def test_logs_are_shown_without_markup_and_controls() -> None:
    console = Console(width=60, record=True)
    show_line(console, LogLine(NOON, "TrainModel", "s", "[red]5 %\x1b[2J"))
    at = NOON.astimezone().strftime("%H:%M:%S")
    assert console.export_text() == f"TrainModel {at} [red]5 %�[2J\n"


def test_logs_as_json_have_lines_and_what_has_none() -> None:
    line = LogLine(NOON, "TrainModel", "s/algo-1", "fit")
    none = NoLog("RegisterModel", "has no log: it runs no job")
    assert as_json(execution("Succeeded"), [line, none]) == {
        "pipelineExecutionArn": ARN,
        "pipelineExecutionStatus": "Succeeded",
        "lines": [
            {
                "time": "2026-11-30T12:00:00+00:00",
                "step": "TrainModel",
                "stream": "s/algo-1",
                "message": "fit",
            }
        ],
        "withoutLog": [{"step": "RegisterModel", "noLog": "has no log: it runs no job"}],
    }
    assert json.loads(line_as_json(line))["message"] == "fit"


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """`handsoff logs` on an execution that ended long ago, with a line of one step and none of another."""
    logs = Streams()
    logs.write("DataPreProcessing", "rows")
    steps = (PREPARED, step("RegisterModel", "RegisterModel"))
    old = Execution(ARN, "handsoff-titanic", "Succeeded", None, NOON, NOON - timedelta(days=1), {}, steps)
    monkeypatch.setattr(terminal, "deployment", lambda: deployment(logs))
    monkeypatch.setattr("handsoff.commands.logs.find_execution", lambda *_: old)
    monkeypatch.setattr(job_logs, "_long_ago", lambda _: True)
    return lambda *arguments: CliRunner().invoke(cli.app, ["logs", *arguments])


@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_logs_command_prints_lines_and_says_beside_them_what_has_none(
    command: Callable[..., Result], follow: tuple[str, ...]
) -> None:
    done = command(*follow)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [f"DataPreProcessing {NOON.astimezone():%H:%M:%S} rows"]
    assert done.stderr.splitlines() == [
        "execution abc (handsoff-titanic): Succeeded",
        "RegisterModel has no log: it runs no job",
    ]


def test_logs_command_prints_json_whole_or_line_by_line(command: Callable[..., Result]) -> None:
    whole = json.loads(command("--json").stdout)
    assert [line["message"] for line in whole["lines"]] == ["rows"]
    assert whole["withoutLog"] == [{"step": "RegisterModel", "noLog": "has no log: it runs no job"}]
    followed = command("--follow", "--json")
    assert [json.loads(line) for line in followed.stdout.splitlines()] == [
        *whole["lines"],
        *whole["withoutLog"],
    ]
    assert followed.stderr == ""


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([BEGIN, '  File "a.py", line 3, in f', "KeyError: 'fare'"], "KeyError: 'fare'"),
        (['  File "a.py", line 3, in f', "    x = y", "NameError: y", "2026 toolkit ERROR"], "NameError: y"),
        (
            [
                BEGIN,
                '  File "a.py", line 3',
                "KeyError: 1",
                "",
                "During handling of the above exception, another exception occurred:",
                "",
                BEGIN,
                '  File "a.py", line 5',
                "    raise",
                "ValueError: two",
                "lines",
            ],
            "ValueError: two",
        ),
        ([BEGIN, '  File "a.py", line 3, in f'], None),
        (["KeyError: 'fare'", "Killed"], None),
        ([], None),
    ],
)  # fmt: skip
def test_traceback_end_is_the_line_behind_the_last_frames(lines: list[str], expected: str | None) -> None:
    assert traceback_end(lines) == expected


TRACEBACK = ['  File "train.py", line 3, in <module>', "KeyError: 'fare'"]


def test_status_shows_the_last_line_of_a_failed_jobs_traceback() -> None:
    logs = Streams()
    logs.write("TrainModel", *TRACEBACK)
    failed = execution("Failed", PREPARED, step("TrainModel", "Training", "Failed", "AlgorithmError: exit 1"))
    found = traceback_ends(deployment(logs), failed)
    assert found == {"TrainModel": "KeyError: 'fare'"}
    console = Console(width=120, record=True)
    console.print(execution_table(failed, None, found))
    assert (
        "      AlgorithmError: exit 1\n      its traceback ends: KeyError: 'fare'\n" in console.export_text()
    )


def test_status_shows_no_traceback_that_the_reason_has_told() -> None:
    logs = Streams()
    logs.write("TrainModel", *TRACEBACK)
    told = step("TrainModel", "Training", "Failed", "ClientError: KeyError: 'fare'")
    assert traceback_ends(deployment(logs), execution("Failed", told)) == {}


def test_status_of_a_caller_who_may_not_read_logs_has_what_the_ledger_keeps() -> None:
    logs = Streams()
    logs.denied = True
    where = deployment(logs)
    failed = execution("Failed", step("TrainModel", "Training", "Failed", "AlgorithmError"))
    assert traceback_ends(where, failed) == {}
    kept = {"TrainModel": ['  File "train.py", line 3, in <module>', "KeyError"]}
    where.ledger.mark(keys.execution(ARN), log_lines=kept)
    assert traceback_ends(where, failed) == {"TrainModel": "KeyError"}


def test_status_raises_what_only_looks_like_a_refusal() -> None:
    logs = Streams()
    logs.write("TrainModel", *TRACEBACK)

    def throttled(**_: Any) -> None:
        raise refused("ThrottlingException", "DescribeLogStreams")

    logs.describe_log_streams = throttled  # type: ignore[method-assign, assignment]
    with pytest.raises(ClientError):
        traceback_ends(deployment(logs), execution("Failed", step("TrainModel", "Training", "Failed")))
