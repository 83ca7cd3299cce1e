"""The commands rollback, pause, resume and stop, with AWS in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handsoff.commands import terminal
from handsoff.deploying import account, checks
from handsoff.deployment import Deployment
from handsoff.errors import NotConfirmed, NotFound, Refused
from retraining.candidates.decisions import NoReason, decide
from retraining.collaborators import Collaborators
from retraining.config.schema import Config
from retraining.errors import ConfigError
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, GoneBack
from retraining.facts.model_state import ModelState
from retraining.facts.pauses import PauseFact
from retraining.facts.starts import StartRequest, StopAsked
from retraining.starts import executions
from tests.functions.fakes import ROOT, START, arn_of, register, titanic_config, was_held
from tests.functions.world import World
from tests.handsoff.typed import refused, run, said

WHO = "arn:aws:iam::123456789012:user/data-science-user"
BEN = "arn:aws:iam::123456789012:user/ben"
NOON = START + timedelta(hours=6)
EXECUTION = "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e0"


class Session:
    """boto3's session: its region, and what EventBridge Scheduler has (nothing)."""

    region_name = "us-east-1"


@pytest.fixture
def deployed(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A deployment in memory, at noon. The operator is asked before something changes, as on AWS."""
    (tmp_path / "handsoff.yaml").write_text(Path("handsoff.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def deployment(config: Config, folder: Path) -> Deployment:
        made = Deployment(config, folder)
        made.__dict__.update(
            session=Session(),
            sagemaker=world.sagemaker,
            s3=world.s3,
            caller=WHO,
            account="123456789012",
            partition="aws",
            bucket="data",
            ledger=world.ledger,
            collaborators=world.using(Collaborators, clock=lambda: NOON),
        )
        return made

    monkeypatch.setattr(terminal, "Deployment", deployment)
    monkeypatch.setattr(account, "endpoint", lambda _session: None)
    yield world
    monkeypatch.undo()
    time.tzset()


def approved(world: World, *versions: int) -> None:
    """Versions that a person approved one after another, ten minutes apart; their models are there."""
    for version in versions:
        register(world, version)
        was_held(world, arn_of(version))
        world.s3.put_object(Bucket="data", Key=f"models/titanic/e{version - 1}/m.tar.gz", Body=b"model")
        then = START + timedelta(minutes=10 * version)
        using = world.using(Collaborators, clock=lambda then=then: then)
        decide(arn_of(version), "Approved", by="operator", who=BEN, why="good", using=using)


def status(world: World, version: int) -> str:
    return str(world.sagemaker.packages[arn_of(version)]["ModelApprovalStatus"])


# ---- rollback -------------------------------------------------------------------------------------------

BACK = ("rollback", "titanic", "--reason", "precision fell", "--yes")


def test_rollback_goes_back_to_the_champion_before(deployed: World) -> None:
    approved(deployed, 1, 2, 3)
    assert said(*BACK) == (
        "handsoff-titanic/2: champion again, since 2026-11-23 12:00:00 UTC\n"
        "handsoff-titanic/3: Rejected. Approvers and the event bus are told within two minutes\n"
    )
    assert [status(deployed, version) for version in (1, 2, 3)] == ["Approved", "Approved", "Rejected"]


def test_rollback_to_a_version_is_recorded_with_the_reason(deployed: World) -> None:
    approved(deployed, 1, 2, 3)
    assert json.loads(said(*BACK, "--to", "1", "--json")) == {
        "champion": arn_of(1),
        "rejected": arn_of(3),
        "decidedBy": "operator",
        "decidedWho": WHO,
        "decidedAt": "2026-11-23T12:00:00+00:00",
        "decidedWhy": "rolled back from version 3: precision fell",
        "repeated": False,
    }


@pytest.mark.parametrize("to", [(), ("--to", "2")])
def test_rollback_repeated_changes_nothing_and_says_so(deployed: World, to: tuple[str, ...]) -> None:
    approved(deployed, 1, 2, 3)
    said(*BACK, *to)
    updates = len(deployed.sagemaker.updates)
    assert said(*BACK, *to).startswith(
        "handsoff-titanic/2: champion again already, since 2026-11-23 12:00:00 UTC\n"
    )
    assert len(deployed.sagemaker.updates) == updates


def test_rollback_for_another_reason_names_the_version_to_go_further_back(deployed: World) -> None:
    approved(deployed, 1, 2, 3)
    said(*BACK)
    line = refused("rollback", "titanic", "--reason", "again", "--yes", error=Refused)
    assert line == (
        "handsoff-titanic/2 is champion by a roll-back already, since 2026-11-23T12:00:00+00:00: "
        "rolled back from version 3: precision fell. To go further back, name the version: --to N"
    )
    assert said("rollback", "titanic", "--reason", "again", "--yes", "--to", "1").startswith(
        "handsoff-titanic/1: champion again"
    )


def test_rollback_on_aws_asks_first(deployed: World) -> None:
    approved(deployed, 1, 2)
    line = refused("rollback", "titanic", "--reason", "precision fell", error=NotConfirmed)
    assert line == "there is no terminal to ask on, and nothing was changed: say --yes"
    assert status(deployed, 2) == "Approved"


def test_rollback_on_this_machine_does_not_ask(deployed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "endpoint", lambda _session: "http://127.0.0.1:4566")
    approved(deployed, 1, 2)
    assert said("rollback", "titanic", "--reason", "precision fell").startswith(
        "handsoff-titanic/1: champion"
    )


def test_rollback_to_a_version_whose_model_is_gone_is_refused(deployed: World) -> None:
    approved(deployed, 1, 2)
    deployed.s3.delete_object(Bucket="data", Key="models/titanic/e0/m.tar.gz")
    assert refused(*BACK, error=Refused) == (
        "the model of handsoff-titanic/1, s3://data/models/titanic/e0/m.tar.gz, does not exist any more: "
        "nothing could serve it. Name another version with --to N"
    )
    assert status(deployed, 2) == "Approved"


def test_rollback_to_a_model_for_another_task_warns_first(deployed: World) -> None:
    approved(deployed, 1, 2)
    sample = (ROOT / "tests/samples/evaluation.regression.json").read_bytes()
    deployed.s3.put_object(Bucket="data", Key="models/titanic/e0/evaluation.json", Body=sample)
    done = run(*BACK)
    assert done.exit_code == 0
    assert (
        "warning: handsoff-titanic/1: candidates will be held: it is a model for regression, and "
        "handsoff.yaml asks for binary_classification\n"
    ) in done.stderr
    assert status(deployed, 1) == "Approved"


def test_rollback_to_the_champion_is_refused(deployed: World) -> None:
    approved(deployed, 1, 2)
    line = refused(*BACK, "--to", "2", error=Refused)
    assert line.startswith("handsoff-titanic/2 is the champion already, since 2026-11-23T06:20:00+00:00")


def test_rollback_to_a_version_that_was_never_approved_is_refused(deployed: World) -> None:
    approved(deployed, 1, 3)
    register(deployed, 2, status="Rejected")
    assert refused(*BACK, "--to", "2", error=Refused) == (
        "handsoff-titanic/2 was never approved, and only an approved version may be made champion again"
    )


def test_rollback_to_a_version_that_does_not_exist_names_the_way_out(deployed: World) -> None:
    approved(deployed, 1, 2)
    line = refused(*BACK, "--to", "9", error=NotFound)
    assert line.endswith("9 does not exist. `handsoff status titanic` shows what there is")


def test_rollback_without_an_earlier_version_is_refused(deployed: World) -> None:
    approved(deployed, 1)
    assert refused(*BACK, error=NotFound) == (
        "no other version of titanic is approved: name one that was approved before with --to N; "
        "`handsoff versions titanic` lists them"
    )


def test_rollback_while_somebody_else_decides_is_refused(deployed: World) -> None:
    approved(deployed, 1, 2)
    known = deployed.ledger.get(keys.decision(arn_of(1)))
    assert known is not None
    taken = DecisionFact(
        status="Approved",
        by="operator",
        who=BEN,
        why="rolled back from version 2: mine",
        at=NOON,
        earlier=(known.as_earlier(),),
        rollback=GoneBack(to=arn_of(1), gone=arn_of(2)),
    )
    deployed.ledger.replace(keys.decision(arn_of(1)), taken, where={"at": known.at})
    assert refused(*BACK, error=Refused) == (
        f"handsoff-titanic/1 is being approved by {BEN} (operator): try again in two minutes"
    )


@pytest.mark.parametrize("reason", [" ", "x" * 301])
def test_rollback_needs_a_reason(deployed: World, reason: str) -> None:
    approved(deployed, 1, 2)
    assert "say why" in refused("rollback", "titanic", "--reason", reason, error=NoReason)


def test_rollback_of_an_unknown_model_is_refused(deployed: World) -> None:
    assert deployed
    assert "nope" in refused("rollback", "nope", "--reason", "x", error=ConfigError)


# ---- pause and resume ------------------------------------------------------------------------------------


def test_pause_says_since_when_and_what_runs(deployed: World) -> None:
    executing(deployed)
    assert said("pause", "titanic", "--reason", "audit") == (
        f"titanic: paused since 2026-11-23 12:00:00 UTC by {WHO}: audit\n"
        "execution e0 goes on: `handsoff stop e0` ends it\n"
    )


def test_pause_again_says_who_paused(deployed: World) -> None:
    assert deployed
    said("pause", "titanic", "--reason", "audit")
    assert said("pause", "titanic", "--reason", "mine") == (
        f"titanic: paused already since 2026-11-23 12:00:00 UTC by {WHO}: audit\n"
    )
    found = json.loads(said("pause", "titanic", "--reason", "mine", "--json"))
    assert (found["paused"], found["changed"], found["pause"]["why"]) == (True, False, "audit")


def test_resume_says_what_starts(deployed: World) -> None:
    said("pause", "titanic", "--reason", "audit")
    waits(deployed)
    assert said("resume", "titanic") == "titanic: resumed; one start serves what waits, within two minutes\n"
    assert said("resume", "titanic") == (
        f"titanic: not paused since 2026-11-23 12:00:00 UTC, when {WHO} resumed it; nothing was changed\n"
    )


def test_resume_of_a_model_that_never_was_paused(deployed: World) -> None:
    assert deployed
    assert said("resume", "titanic") == "titanic: not paused; nothing was changed\n"
    assert json.loads(said("resume", "titanic", "--json")) == {
        "model": "titanic",
        "paused": False,
        "changed": False,
        "pause": None,
    }


def test_resume_of_a_model_that_the_configuration_pauses_says_so(deployed: World) -> None:
    assert deployed
    text = Path("handsoff.yaml").read_text()
    Path("handsoff.yaml").write_text(text.replace("    retrain:\n", "    retrain:\n      paused: true\n", 1))
    assert "handsoff.yaml pauses it, too: set retrain.paused to false" in said("resume", "titanic")


def waits(world: World) -> None:
    """Let a landing wait."""
    landing = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=NOON)
    states = world.using(Collaborators).states
    states.change("titanic", lambda state: state.model_copy(update={"pending": (landing,)}))


# ---- stop -------------------------------------------------------------------------------------------------


def executing(world: World, **more: Any) -> str:
    """Let an execution of handsoff's run; its ARN."""
    arn = world.sagemaker.start_pipeline_execution(
        ClientRequestToken="k", PipelineName="handsoff-titanic", **more
    )["PipelineExecutionArn"]
    running = {
        "key": "k",
        "batch": "b",
        "champion": "none",
        "requests": [{"cause": "landing", "trigger": "landing", "requestedBy": "s3", "at": NOON}],
        "takenAt": NOON,
        "executionArn": arn,
    }
    states = world.using(Collaborators).states
    states.change("titanic", lambda _: ModelState.model_validate({"running": running}))
    world.ledger.mark(keys.execution(arn), start_key="k")
    return arn


def test_stop_says_what_becomes_of_the_start(deployed: World) -> None:
    executing(deployed)
    waits(deployed)
    assert said("stop", "e0", "--reason", "wrong file") == (
        "e0: it stops; approvers are told once it has\n"
        "its batch counts as started: the same files start nothing when they land again, "
        "`handsoff start titanic` trains on them\n"
        "1 start request came meanwhile and starts next: `handsoff pause titanic` holds them back\n"
    )
    assert deployed.ledger.get(keys.stop_asked(EXECUTION)) == StopAsked(by=WHO, at=NOON, why="wrong file")


def test_stop_again_changes_nothing(deployed: World) -> None:
    executing(deployed)
    said("stop", "e0")
    found = json.loads(said("stop", "e0", "--reason", "me too", "--json"))
    assert (found["result"], found["asked"]["why"]) == ("again", "")
    deployed.sagemaker.end(EXECUTION, "Stopped")
    assert said("stop", EXECUTION).startswith(
        f"e0: it was stopped already, asked for by {WHO} at 2026-11-23 12:00:00 UTC\n"
    )


def test_stop_of_an_execution_that_has_ended_is_refused(deployed: World) -> None:
    executing(deployed)
    deployed.sagemaker.end(EXECUTION)
    line = refused("stop", "e0", error=Refused)
    assert line.startswith("e0 has ended already: Succeeded ")
    assert deployed.ledger.get(keys.stop_asked(EXECUTION)) is None


def test_stop_of_an_execution_that_ends_meanwhile_is_refused(
    deployed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    executing(deployed)
    real = deployed.sagemaker.stop_pipeline_execution

    def late(**call: Any) -> None:
        deployed.sagemaker.end(EXECUTION)
        real(**call)

    monkeypatch.setattr(deployed.sagemaker, "stop_pipeline_execution", late)
    assert refused("stop", "e0", error=Refused).startswith("e0 has ended already: Succeeded ")


def test_stop_of_an_execution_that_was_retried_stops_it_again_under_another_token(deployed: World) -> None:
    arn = executing(deployed)
    deployed.ledger.take(keys.stop_asked(arn), StopAsked(by=BEN, at=NOON - timedelta(hours=1), why="old"))
    found = json.loads(said("stop", "e0", "--reason", "now", "--json"))
    assert (found["result"], found["asked"]["by"], found["asked"]["why"]) == ("asked", WHO, "now")


def test_stop_is_told_once_with_who_and_why(deployed: World) -> None:
    executing(deployed)
    said("stop", "e0", "--reason", "wrong file")
    deployed.sagemaker.end(EXECUTION, "Stopped")
    for _ in range(2):
        executions.track(EXECUTION, deployed.using(Collaborators))
    (message,) = deployed.messages()
    assert message["kind"] == "execution_stopped"
    assert message["reasons"] == [
        f"the execution was stopped by {WHO} (wrong file). The same files start nothing when they land "
        "again: `handsoff start titanic` trains on the newest batch"
    ]


# ---- where a pause shows ----------------------------------------------------------------------------------


def test_status_shows_a_pause_and_how_it_ends(deployed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    said("pause", "titanic", "--reason", "audit")
    monkeypatch.setattr("handsoff.commands.executions._show_messages", lambda _deployment: None)
    monkeypatch.setattr("handsoff.operating.alarms.ringing", lambda _deployment: ())
    text = said("status", "titanic")
    assert f"paused since 2026-11-23 12:00:00 UTC by {WHO}: audit; `handsoff resume titanic` ends it" in text
    assert json.loads(said("status", "titanic", "--json"))["titanic"]["paused"]["by"] == WHO
    said("resume", "titanic")
    assert "paused since" not in said("status", "titanic")
    assert deployed


def test_checks_of_doctor_warn_of_each_pause() -> None:
    config = Config.model_validate({"models": {"titanic": titanic_config(), "calm": titanic_config()}})
    stands = PauseFact(by=WHO, since=NOON, why="audit", state="paused")
    (found,) = checks.pauses(config, {"titanic": stands})
    assert (found.what, found.outcome, found.why, found.way_out) == (
        "pause of titanic",
        "warning",
        f"paused since 2026-11-23 12:00:00 UTC by {WHO}: audit",
        "`handsoff resume titanic` once it is over",
    )
    (unknown,) = checks.pauses(config, account.Problem("AccessDeniedException", "no"))
    assert (unknown.outcome, unknown.way_out) == (
        "not checked",
        "dynamodb:GetItem on the ledger lets doctor look",
    )


def test_checks_of_doctor_warn_of_a_pause_in_the_configuration() -> None:
    model = titanic_config()
    paused = model.model_copy(update={"retrain": model.retrain.model_copy(update={"paused": True})})
    (found,) = checks.pauses(Config.model_validate({"models": {"titanic": paused}}), {})
    assert found.why == "handsoff.yaml pauses it: retrain.paused is true, so nothing starts"


def test_start_and_land_say_that_the_model_is_paused(
    deployed: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said("pause", "titanic", "--reason", "audit")
    monkeypatch.setattr("handsoff.commands.executions.request_start", lambda *_: None)
    monkeypatch.setattr("handsoff.commands.data._upload", lambda *_, **__: None)
    stands = f"paused since 2026-11-23 12:00:00 UTC by {WHO}: audit"
    assert said("start", "titanic") == (
        f"requested: it waits, as the model is {stands}\n`handsoff resume titanic` starts it\n"
    )
    (tmp_path / "train.csv").write_text("age\n1\n")
    assert said("land", "titanic", "train.csv").splitlines()[1:] == [
        f"it waits, as the model is {stands}",
        "`handsoff resume titanic` starts what waits",
    ]
    assert deployed
