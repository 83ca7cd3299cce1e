"""What an earlier version left in an account is brought to its end by this one: nothing lost, nothing twice.

The recordings were made by record.py from 0.1 and from a later version before 0.2. Each model was left in one
state; its name says which. This version goes on from there, with sweeps only, or with the events, too.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from retraining.config.schema import ModelConfig
from retraining.facts import keys
from tests.chaos.account import Published
from tests.chaos.clock import SECOND
from tests.chaos.functions import virtual
from tests.chaos.invariants import candidates, starts
from tests.chaos.pipelines import Trained
from tests.chaos.runner import HOUR, Run
from tests.functions.fakes import titanic_config
from tests.upgrade.record import MODELS

HERE = Path(__file__).parent
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-{}/1"


def _value(found: dict[str, Any]) -> Any:
    if found.keys() == {"time"}:
        return datetime.fromisoformat(found["time"])
    return Decimal(found["number"]) if found.keys() == {"number"} else found


def _configs() -> dict[str, ModelConfig]:
    held = titanic_config().model_dump(mode="json", exclude_none=True)
    held["approval"]["first_model"] = "hold"
    held["approvers"] = {"slack_channel": "#ml-approvals", "slack_users": []}
    rules = {**held, "approval": {**held["approval"], "first_model": "rules_only"}}
    return {it: ModelConfig.model_validate(held if it in ("held", "decided") else rules) for it in MODELS}


def _upgraded(recording: str, *, deaf: bool) -> Run:
    """An account as the earlier version left it, after this version has run there for some hours."""
    left = json.loads((HERE / f"{recording}.json").read_text(), object_hook=_value)
    run = Run(1, configs=_configs())
    account = run.account
    run.clock.ticks = int((left["minutes"] + 5) * 60 * SECOND)
    account.table.items = left["items"]
    account.bucket.count = left["count"]
    account.bucket.versions = {
        key: [(version, body.encode() if body is not None else None, at) for version, body, at in versions]
        for key, versions in left["versions"].items()
    }
    account.sagemaker.executions = {
        token: {**made, "StartTime": made["CreationTime"]} for token, made in left["executions"].items()
    }
    account.sagemaker.steps_of = left["steps"]
    account.sagemaker.packages = left["packages"]
    account.topic.taken = [Published(0.0, body, "") for body in left["told"]]
    with virtual(run.clock):
        for token, made in account.sagemaker.executions.items():
            _goes_on(run, token, made)
        run.events.deaf = deaf
        if not deaf:
            run.settle_with_events(2 * HOUR)
        run.settle(5 * HOUR)
    return run


def _goes_on(run: Run, token: str, made: dict[str, Any]) -> None:
    arn, model = made["PipelineExecutionArn"], made["PipelineName"].removeprefix("handsoff-")
    given = {item["Name"]: item["Value"] for item in made["PipelineParameters"]}
    trained = Trained(arn, model, token, 0.0, batch=given["Batch"], trigger=given["Trigger"])
    run.account.sagemaker.trained[arn] = trained
    if made["PipelineExecutionStatus"] == "Executing":
        run.account.sagemaker.go_on(arn)
    else:
        trained.ends.append((1.0, made["PipelineExecutionStatus"]))


@pytest.fixture(scope="module", params=["0.1", "before-0.2"])
def recording(request: pytest.FixtureRequest) -> str:
    """Which version left the account."""
    return str(request.param)


@pytest.fixture(scope="module", params=["only sweeps", "events, too"])
def upgraded(request: pytest.FixtureRequest, recording: str) -> Run:
    """The account after the upgrade."""
    return _upgraded(recording, deaf=request.param == "only sweeps")


def _told(run: Run, model: str) -> list[str]:
    return sorted({it.body["kind"] for it in run.account.topic.taken if it.body["model"] == model})


@pytest.mark.slow
def test_sweep_start_that_was_taken_becomes_its_execution(upgraded: Run) -> None:
    (made,) = starts.of_model(upgraded, "taken")
    assert made.token == "6bd5e40fff24597082b7a09a71194f9f91a1d12cf3d0138d6a69616195e63791"


@pytest.mark.slow
def test_sweep_pending_landing_starts_once_after_the_execution(upgraded: Run) -> None:
    first, second = starts.of_model(upgraded, "pending")
    assert first.ends
    assert second.at >= first.ends[0][0]
    assert second.trigger == "landing"
    assert first.batch != second.batch


def test_sweep_persons_request_that_waited_is_served_once(upgraded: Run) -> None:
    assert [it.trigger for it in starts.of_model(upgraded, "asked")] == ["landing", "request"]


def test_sweep_execution_that_ran_is_recorded_and_not_started_again(upgraded: Run) -> None:
    (made,) = starts.of_model(upgraded, "running")
    fact = upgraded.account.ledger.get(keys.execution(made.arn))
    assert fact is not None
    assert fact.final
    assert fact.trigger == "landing"


def test_sweep_bad_files_go_to_quarantine(upgraded: Run) -> None:
    assert starts.of_model(upgraded, "bad") == []
    for name in ("train.csv", "validation.csv"):
        assert upgraded.account.bucket.text(f"curated/bad/{name}") is None
        assert upgraded.account.bucket.text(f"quarantine/bad/{name}") is not None


@pytest.mark.parametrize("model", ["registered", "judged", "written", "recorded"])
def test_sweep_candidate_that_meets_the_rules_is_approved_and_recorded(upgraded: Run, model: str) -> None:
    arn = PACKAGE.format(model)
    decision = upgraded.account.ledger.get(keys.decision(arn))
    assert upgraded.account.sagemaker.packages[arn]["ModelApprovalStatus"] == "Approved"
    assert decision is not None
    assert (decision.by, decision.status) == ("rules", "Approved")
    assert decision.recorded_at is not None
    assert "approved" in _told(upgraded, model)


def test_sweep_decision_of_a_person_that_was_taken_is_written(upgraded: Run) -> None:
    arn = PACKAGE.format("decided")
    decision = upgraded.account.ledger.get(keys.decision(arn))
    assert upgraded.account.sagemaker.packages[arn]["ModelApprovalStatus"] == "Approved"
    assert decision is not None
    assert (decision.by, decision.who, decision.why) == ("operator", "arn:aws:iam::1:user/ana", "it is good")


def test_sweep_held_candidate_still_waits(upgraded: Run) -> None:
    arn = PACKAGE.format("held")
    assert upgraded.account.sagemaker.packages[arn]["ModelApprovalStatus"] == "PendingManualApproval"
    assert _told(upgraded, "held") == ["waiting"]


def test_every_execution_and_decision_keeps_what_must_hold(upgraded: Run) -> None:
    for invariant in (
        starts.one_execution_for_each_start,
        starts.no_landing_starts_the_same_bytes_twice,
        candidates.one_id_for_each_fact,
        candidates.every_candidate_is_judged_or_told,
        candidates.every_decision_is_recorded,
    ):
        assert list(invariant(upgraded)) == []


def test_sweep_lost_failure_is_found(upgraded: Run) -> None:
    assert _told(upgraded, "failed") == ["execution_failed"]
    assert list(starts.every_end_is_recorded(upgraded)) == []
