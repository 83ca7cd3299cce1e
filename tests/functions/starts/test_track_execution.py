"""An execution is recorded, logged and notified of, in any order of its events."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from retraining.aws.model_states import ModelStates
from retraining.collaborators import Collaborators
from retraining.facts.starts import Start, StartRequest
from tests.functions.candidates.sweeping import Unreadable
from tests.functions.fakes import START, Before, Context, Died, Mortal, event
from tests.functions.world import Clients, World, emptied
from track_execution import handler

ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic/execution/p4jn9xou8a8s"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/1"
JOB = "arn:aws:sagemaker:us-east-1:123456789012:processing-job/pipelines-p4jn9xou8a8s-datapreprocessing-x"


@pytest.fixture
def world(world: World, clients: Clients) -> World:
    """The account in memory with moto's CloudWatch Logs, since it has none itself."""
    return replace(world, logs=emptied(clients).logs)


def using(world: World, **wrapped: Any) -> Collaborators:
    return world.using(Collaborators, **wrapped)


def fail(world: World, minutes: int = 9) -> None:
    """Let the execution have failed in its first step."""
    world.sagemaker.execution |= {
        "PipelineExecutionStatus": "Failed",
        "FailureReason": "Step failure: One or multiple steps failed.",
        "LastModifiedTime": START + timedelta(minutes=minutes),
    }
    world.sagemaker.steps = [
        {
            "StepName": "DataPreProcessing",
            "StepStatus": "Failed",
            "StartTime": START,
            "EndTime": START + timedelta(minutes=minutes),
            "FailureReason": "ClientError: train.csv has no column survived",
            "Metadata": {"ProcessingJob": {"Arn": JOB}},
        }
    ]


def line(number: int) -> str:
    """A line of a traceback."""
    return f'  File "/opt/ml/code/train.py", line {number}, in fit'


def write_log(world: World, lines: int, *more: str) -> None:
    group, stream = "/aws/sagemaker/ProcessingJobs", "pipelines-p4jn9xou8a8s-DataPreProcessing-x/algo-1-1"
    world.logs.create_log_group(logGroupName=group)
    world.logs.create_log_stream(logGroupName=group, logStreamName=stream)
    when = int(START.timestamp() * 1000)
    world.logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[
            {"timestamp": when + n, "message": text}
            for n, text in enumerate([*map(line, range(lines)), *more])
        ],
    )


def test_success_is_recorded_with_evidence_and_without_notification(world: World, context: Context) -> None:
    handler(event("execution_changed.succeeded"), context, using=using(world))
    fact = world.stored(f"execution#{ARN}")
    assert (fact["status"], fact["model"], fact["final"]) == ("Succeeded", "titanic", True)
    key = "evidence/titanic/p4jn9xou8a8s/evidence.json"
    found = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    assert found["pipelineExecutionStatus"] == "Succeeded"
    assert found["trigger"]["kind"] == "manual"
    assert world.messages() == []


def test_failure_is_notified_once_with_reason_and_log(
    world: World, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    fail(world)
    write_log(world, 25)
    for name in ("failed", "step_failed", "failed", "started", "failed"):
        handler(event(f"execution_changed.{name}"), context, using=using(world))
    (told,) = world.messages()
    assert told["kind"] == "execution_failed"
    assert told["reasons"] == ["DataPreProcessing: ClientError: train.csv has no column survived"]
    assert told["executionArn"] == ARN
    fact = world.stored(f"execution#{ARN}")
    assert fact["logLines"]["DataPreProcessing"] == [line(n) for n in range(5, 25)]
    assert caplog.messages.count("step failed") == 1


def test_failure_after_a_retry_is_notified_again(world: World, context: Context) -> None:
    fail(world)
    handler(event("execution_changed.failed"), context, using=using(world))
    fail(world, minutes=20)
    handler(event("execution_changed.failed"), context, using=using(world))
    assert len({told["notificationId"] for told in world.messages()}) == 2


STOPPED = (
    "the execution was stopped in TrainModel. The same files start nothing when they land again: "
    "`handsoff start titanic` trains on the newest batch"
)


def stop(world: World, minutes: int = 9) -> None:
    """Let a person have stopped an execution that handsoff started, while it trained."""
    world.items.mark(f"execution#{ARN}", {"model": "titanic", "trigger": "landing", "startKey": "k"})
    world.sagemaker.execution |= {
        "PipelineExecutionStatus": "Stopped",
        "LastModifiedTime": START + timedelta(minutes=minutes),
    }
    times = {"StartTime": START, "EndTime": START + timedelta(minutes=minutes)}
    world.sagemaker.steps = [
        {"StepName": "DataPreProcessing", "StepStatus": "Succeeded", **times, "Metadata": {}},
        {"StepName": "TrainModel", "StepStatus": "Stopped", **times, "Metadata": {}},
    ]


def test_stop_is_notified_once_with_the_way_to_retrain(world: World, context: Context) -> None:
    stop(world)
    for name in ("stopped", "started", "stopped"):
        handler(event(f"execution_changed.{name}"), context, using=using(world))
    world.sagemaker.execution["LastModifiedTime"] = START + timedelta(minutes=30)  # it was renamed
    handler(event("execution_changed.stopped"), context, using=using(world))
    (told,) = world.messages()
    assert (told["kind"], told["executionArn"]) == ("execution_stopped", ARN)
    assert told["reasons"] == [STOPPED]
    assert told["evidenceUri"] == "s3://data/evidence/titanic/p4jn9xou8a8s/evidence.json"
    fact = world.stored(f"execution#{ARN}")
    assert (fact["status"], fact["final"], fact["settled"]) == ("Stopped", True, True)


def test_stop_after_the_model_was_registered_names_the_package(world: World, context: Context) -> None:
    stop(world)
    world.sagemaker.steps = [
        {
            "StepName": "RegisterModel",
            "StepStatus": "Succeeded",
            "StartTime": START,
            "EndTime": START,
            "Metadata": {"RegisterModel": {"Arn": PACKAGE}},
        }
    ]
    handler(event("execution_changed.stopped"), context, using=using(world))
    (told,) = world.messages()
    assert told["reasons"] == [
        "the execution was stopped; it had registered model-package/handsoff-titanic/1, which is judged as "
        "any other. The same files start nothing when they land again: `handsoff start titanic` trains on "
        "the newest batch"
    ]


def test_stop_of_a_start_in_sagemaker_says_nothing_of_landings(world: World, context: Context) -> None:
    stop(world)
    world.items.mark(f"execution#{ARN}", {"startKey": None})
    handler(event("execution_changed.stopped"), context, using=using(world))
    (told,) = world.messages()
    assert told["reasons"] == [
        "the execution was stopped in TrainModel. `handsoff start titanic` trains on the newest batch"
    ]


def test_success_is_not_notified(world: World, context: Context) -> None:
    handler(event("execution_changed.succeeded"), context, using=using(world))
    assert world.messages() == []


def test_failure_after_the_retry_of_a_stop_is_notified_as_a_failure(world: World, context: Context) -> None:
    stop(world)
    handler(event("execution_changed.stopped"), context, using=using(world))
    fail(world, minutes=20)
    handler(event("execution_changed.failed"), context, using=using(world))
    assert [told["kind"] for told in world.messages()] == ["execution_stopped", "execution_failed"]


@pytest.mark.parametrize(("end", "name"), [(fail, "failed"), (stop, "stopped")])
def test_retry_between_two_reads_is_no_second_end(
    world: World, context: Context, end: Callable[[World], None], name: str
) -> None:
    """The status was read before a person's retry, and the steps after it."""
    end(world)
    handler(event(f"execution_changed.{name}"), context, using=using(world))

    def retried() -> None:
        world.sagemaker.execution |= {"PipelineExecutionStatus": "Executing"}
        world.sagemaker.steps = []

    sagemaker = Before(world.sagemaker, "get_paginator", retried)
    handler(event(f"execution_changed.{name}"), context, using=using(world, sagemaker=sagemaker))
    assert len(world.messages()) == 1


def test_late_event_does_not_undo_the_end(world: World, context: Context) -> None:
    handler(event("execution_changed.succeeded"), context, using=using(world))
    world.sagemaker.execution |= {
        "PipelineExecutionStatus": "Executing",
        "LastModifiedTime": START + timedelta(minutes=1),
    }
    handler(event("execution_changed.started"), context, using=using(world))
    assert world.stored(f"execution#{ARN}")["status"] == "Succeeded"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("lives", range(1, 14))
def test_death_at_any_call_and_retry_notify_of_the_failure(
    world: World, context: Context, monkeypatch: pytest.MonkeyPatch, lives: int, after: bool
) -> None:
    fail(world)
    # Lambda's second retry comes three minutes later. By then the lease of a dead invocation has ended.
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    left = [lives]
    names = ("sagemaker", "s3", "sns", "logs", "table")
    dying = using(world, **{name: Mortal(getattr(world, name), left, after=after) for name in names})
    try:
        handler(event("execution_changed.failed"), context, using=dying)
    except Died:
        pass
    else:
        assert left[0] > 0
    handler(event("execution_changed.failed"), context, using=using(world))
    told = world.messages()
    assert len({message["notificationId"] for message in told}) == 1
    assert len(told) <= 2
    assert world.stored(f"execution#{ARN}")["status"] == "Failed"


def test_failure_without_a_cause_gives_the_last_log_line(world: World, context: Context) -> None:
    fail(world)
    reason = (
        'AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage ""\nCommand "python3 train.py"'
    )
    world.sagemaker.steps[0]["FailureReason"] = reason
    write_log(world, 3, "ValueError: could not convert string to float: 'Mr. Kelly'")
    handler(event("execution_changed.failed"), context, using=using(world))
    (told,) = world.messages()
    assert told["reasons"][0].endswith('Command "python3 train.py" (its log ends: ValueError)')


def test_failure_of_own_code_gives_its_reason_where_the_toolkit_gives_none(
    world: World, context: Context
) -> None:
    """sagemaker_containers, which the XGBoost image has, overwrites the reason by the script's command."""
    fail(world)
    reason = 'AlgorithmError: ExecuteUserScriptError:\nCommand "/usr/bin/python3 -m handsoff_entry --depth 4"'
    world.sagemaker.steps[0]["FailureReason"] = reason
    write_log(world, 3, "handsoff: the script failed: ValueError: no rows of class 1", "SomeError: x")
    handler(event("execution_changed.failed"), context, using=using(world))
    (told,) = world.messages()
    cause = "ValueError: no rows of class 1. SageMaker says: AlgorithmError: ExecuteUserScriptError: "
    assert told["reasons"] == [
        f'DataPreProcessing: {cause}Command "/usr/bin/python3 -m handsoff_entry --depth 4"'
    ]
    key = "evidence/titanic/p4jn9xou8a8s/evidence.json"
    found = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    assert found["steps"][0]["failureReason"].startswith("ValueError: no rows of class 1. SageMaker says: ")


def test_failure_by_a_signal_says_so_in_notification_and_evidence(world: World, context: Context) -> None:
    fail(world)
    reason = "AlgorithmError: See job logs for more information, exit code: 137"
    world.sagemaker.steps[0]["FailureReason"] = reason
    write_log(world, 0, "Killed")
    handler(event("execution_changed.failed"), context, using=using(world))
    words = (
        "the script was killed (signal 9): most often memory is exhausted, else the disk; choose a larger "
        f"training.instance_type, or land fewer rows. SageMaker says: {reason}"
    )
    (told,) = world.messages()
    assert told["reasons"] == [f"DataPreProcessing: {words} (its log ends: Killed)"]
    key = "evidence/titanic/p4jn9xou8a8s/evidence.json"
    found = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    assert [step["failureReason"] for step in found["steps"]] == [words]
    stored = world.stored(f"execution#{ARN}")
    assert stored["failureReason"] == "Step failure: One or multiple steps failed."


def test_long_log_lines_leave_little(world: World, context: Context) -> None:
    fail(world)
    group, stream = "/aws/sagemaker/ProcessingJobs", "pipelines-p4jn9xou8a8s-DataPreProcessing-x/algo-1-1"
    write_log(world, 1)
    when = int(START.timestamp() * 1000)
    world.logs.put_log_events(
        logGroupName=group,
        logStreamName=stream,
        logEvents=[{"timestamp": when + n, "message": "ValueError: " + "x" * 200_000} for n in range(3)],
    )
    handler(event("execution_changed.failed"), context, using=using(world))
    assert len(world.messages()) == 1
    kept = world.stored(f"execution#{ARN}")["logLines"]["DataPreProcessing"]
    assert kept == [line(0), "ValueError", "ValueError", "ValueError"]


def test_successful_retry_removes_the_failure_reason(world: World, context: Context) -> None:
    fail(world)
    handler(event("execution_changed.failed"), context, using=using(world))
    assert "failureReason" in world.stored(f"execution#{ARN}")
    world.sagemaker.execution |= {
        "PipelineExecutionStatus": "Succeeded",
        "LastModifiedTime": START + timedelta(minutes=30),
    }
    del world.sagemaker.execution["FailureReason"]
    world.sagemaker.steps = []
    handler(event("execution_changed.succeeded"), context, using=using(world))
    assert "failureReason" not in world.stored(f"execution#{ARN}")


def test_end_makes_pending_requests_due(world: World, context: Context) -> None:
    states = ModelStates(world.ledger)
    request = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=START)
    start = Start(key="k", batch="b", champion="none", requests=(request,), taken_at=START, execution_arn=ARN)
    states.change("titanic", lambda state: state.taken(start).requested(request))
    handler(event("execution_changed.succeeded"), context, using=using(world))
    state, _ = states.load("titanic")
    end = START + timedelta(minutes=9)
    assert (state.running, state.ended_at, state.due_at) == (None, end, end)


def test_end_is_settled_though_its_report_hangs_until_lambda_ends_the_function(
    world: World, context: Context
) -> None:
    hanging = Unreadable(world.s3, SystemExit, "models/titanic/p4jn9xou8a8s/pictures.json")
    with pytest.raises(SystemExit):
        handler(event("execution_changed.succeeded"), context, using=using(world, s3=hanging))
    assert world.stored(f"execution#{ARN}")["settled"] is True


def test_end_whose_notification_another_invocation_sends_is_left_to_it_and_to_the_sweep(
    world: World, context: Context
) -> None:
    """As where the events of a step and of its execution come at once: no error, so no alarm."""
    fail(world)
    left = []

    def between() -> None:
        handler(event("execution_changed.failed"), context, using=using(world))
        left.append(world.stored(f"execution#{ARN}")["settled"])  # False: the sweep goes on, if need be

    sending = Before(world.sns, "publish", between)
    handler(event("execution_changed.failed"), context, using=using(world, sns=sending))
    assert left == [False]
    assert [message["kind"] for message in world.messages()] == ["execution_failed"]
    assert world.stored(f"execution#{ARN}")["settled"] is True
