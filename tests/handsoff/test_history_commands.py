"""The commands models, versions and compare, with AWS in memory: what they print, letter by letter."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console

from handsoff.commands import terminal
from handsoff.deployment import Deployment
from handsoff.errors import NotFound, UsageError
from handsoff.operating.comparing import Pair, turn
from handsoff.operating.overview import Overview
from handsoff.operating.schedules import NextStart, next_of_rate
from handsoff.operating.versions import rows_named
from handsoff.showing.history import age, drawn, measured, scale_of, show_overview
from retraining.candidates.decisions import decide
from retraining.collaborators import Collaborators
from retraining.config.schema import Config
from retraining.errors import HandsoffError
from retraining.facts.model_state import ModelState
from retraining.facts.starts import StartRequest
from retraining.history import Version
from retraining.starts import pausing
from retraining.verdicts.evaluation import Difference, Measured, parse_evaluation
from tests.functions.candidates.packages import a_package
from tests.functions.fakes import START, arn_of, evaluation, register, was_held
from tests.functions.world import World
from tests.handsoff.typed import refused, said

WHO = "arn:aws:iam::123456789012:user/data-science-user"
NOON = START + timedelta(hours=6)
A, B = "a" * 64, "b" * 64


class Scheduler:
    """EventBridge Scheduler with the schedule of one model."""

    region_name = "us-east-1"

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}

    def client(self, name: str) -> Scheduler:
        assert name == "scheduler"
        return self

    def get_schedule(self, *, Name: str) -> dict[str, Any]:
        if Name != "handsoff-titanic" or not self.found:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": ""}}, "GetSchedule")
        return self.found


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler()


@pytest.fixture
def deployed(
    world: World, scheduler: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A deployment in memory, on a machine in UTC."""
    (tmp_path / "handsoff.yaml").write_text(Path("handsoff.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(terminal.out, "_width", 120)
    time.tzset()

    def deployment(config: Config, folder: Path) -> Deployment:
        made = Deployment(config, folder)
        made.__dict__.update(
            session=scheduler,
            sagemaker=world.sagemaker,
            s3=world.s3,
            caller=WHO,
            account="123456789012",
            partition="aws",
            bucket="data",
            ledger=world.ledger,
            collaborators=world.using(Collaborators),
        )
        return made

    monkeypatch.setattr(terminal, "Deployment", deployment)
    world.sagemaker.start_bare("first")
    yield world
    monkeypatch.undo()
    time.tzset()


def version(
    world: World,
    number: int,
    accuracy: float,
    *,
    interval: tuple[float, float] | None = None,
    validation: str | None = A,
    champion: str | None = None,
    gain: float = 0.0,
    batch: str = "b",
    rows: int = 1047,
) -> None:
    """Register a version with such an evaluation."""
    arn = register(world, number, accuracy=accuracy, champion=champion, gain=gain)
    body = evaluation(accuracy, champion=champion, gain=gain)["handsoff"]
    body["validation"], body["batch"] = validation, batch
    body["data"]["train"]["rows"] = rows
    body["candidate"]["metrics"]["accuracy"]["interval"] = interval or [None, None]
    if body["comparison"]:
        body["comparison"]["differences"]["roc_auc"]["bounds"] = [gain - 0.01, gain + 0.01]
        body["comparison"]["excluded"] = 12
        slices = {name: body["comparison"][name] for name in ("candidate", "champion", "differences")}
        body["comparison"]["slices"] = [{"where": {"sex": "female"}, "n": 93, **slices}]
    key = f"models/titanic/e{number - 1}/evaluation.json"
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps({"handsoff": body}).encode())
    was_held(world, arn)


def approve(world: World, number: int, minutes: int, why: str = "good") -> None:
    then = START + timedelta(minutes=minutes)
    using = world.using(Collaborators, clock=lambda: then)
    decide(arn_of(number), "Approved", by="link", who="Ana", why=why, using=using)


# ---- versions ---------------------------------------------------------------------------------------------


def test_versions_draws_the_metric_with_decisions_and_reigns(deployed: World) -> None:
    version(deployed, 1, 0.80, interval=(0.74, 0.85), validation=A)
    version(deployed, 2, 0.82, interval=(0.77, 0.86), validation=B)
    version(deployed, 3, 0.79, interval=(0.75, 0.84), validation=B)
    approve(deployed, 1, 10)
    approve(deployed, 2, 20, "better [on] all")
    assert said("versions", "titanic").splitlines() == [
        "titanic: accuracy with its 95 % interval, newest version first",
        "                     0.74                        0.86",
        "   3            B262    ├─────────○────────────┤      0.7900 (0.7500 to 0.8400)",
        "     registered 2026-11-23 06:03:00 UTC, waits for a decision",
        "   2 champion   B262         ├────────────●─────────┤ 0.8200 (0.7700 to 0.8600)",
        "     registered 2026-11-23 06:02:00 UTC, Approved by Ana (link): better [on] all",
        "     champion from 2026-11-23 06:20:00 UTC until now",
        "   1            A262 ├───────────────●───────────┤    0.8000 (0.7400 to 0.8500)",
        "     registered 2026-11-23 06:01:00 UTC, Approved by Ana (link): good",
        "     champion from 2026-11-23 06:10:00 UTC until 2026-11-23 06:20:00 UTC",
        "2 sets of validation rows: compare numbers of different letters with care; "
        "`handsoff compare titanic N M` says what two versions share",
    ]


def test_versions_as_json_has_all_metrics_and_reigns(deployed: World) -> None:
    version(deployed, 1, 0.80, interval=(0.74, 0.85))
    approve(deployed, 1, 10)
    (found,) = json.loads(said("versions", "titanic", "--json"))
    assert found["version"] == 1
    assert found["metrics"]["accuracy"] == {"value": 0.8, "interval": [0.74, 0.85]}
    assert found["metrics"]["roc_auc"] == {"value": 0.86, "interval": [None, None]}
    assert found["verdict"] == {"decision": "HOLD", "reasons": ["held"]}
    assert (found["decidedBy"], found["decidedWho"], found["decidedWhy"]) == ("link", "Ana", "good")
    assert found["champion"] == [{"from": "2026-11-23T06:10:00+00:00", "until": None}]


def test_versions_of_a_model_without_any_names_the_next_command(deployed: World) -> None:
    assert deployed
    assert said("versions", "titanic") == (
        "titanic has no version yet: `handsoff status titanic` shows what runs\n"
    )


def test_versions_whose_evaluation_is_gone_says_so(deployed: World) -> None:
    version(deployed, 1, 0.80)
    deployed.s3.delete_object(Bucket="data", Key="models/titanic/e0/evaluation.json")
    assert "s3://data/models/titanic/e0/evaluation.json does not exist" in said("versions", "titanic")


def test_versions_refuses_a_metric_of_another_task(deployed: World) -> None:
    assert deployed
    line = refused("versions", "titanic", "--metric", "rmse", error=UsageError)
    assert line.startswith("rmse is not a metric of binary_classification; its metrics are accuracy, ")


@pytest.mark.parametrize(
    ("one", "scale", "filled", "chart"),
    [
        (Measured(value=0.5, interval=(0.0, 1.0)), (0.0, 1.0), True, "├" + "─" * 15 + "●" + "─" * 14 + "┤"),
        (Measured(value=0.0), (0.0, 1.0), False, "○" + " " * 31),
        (Measured(value=math.nan), (0.0, 1.0), True, " " * 32),
        (None, (0.0, 1.0), True, " " * 32),
        (Measured(value=0.5), None, True, " " * 32),
    ],
    ids=["interval", "no interval", "undefined", "not measured", "no scale"],
)
def test_drawn_is_as_wide_as_the_chart(
    one: Measured | None, scale: tuple[float, float] | None, filled: bool, chart: str
) -> None:
    assert drawn(one, scale, filled=filled) == chart


def test_scale_of_equal_values_is_none() -> None:
    assert scale_of([Measured(value=0.5), Measured(value=0.5), None]) is None
    assert scale_of([Measured(value=0.5), Measured(value=0.6, interval=(0.4, 0.9))]) == (0.4, 0.9)


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (Measured(value=0.813, interval=(0.7612, 0.8567)), "0.8130 (0.7612 to 0.8567)"),
        (Measured(value=-0.0000001), "0"),
        (Measured(value=-1.5), "−1.5000"),
        (Measured(value=math.nan), "undefined"),
        (None, "not known"),
    ],
)
def test_measured_in_words(one: Measured | None, text: str) -> None:
    assert measured(one) == text


def test_rows_named_gives_the_same_letter_to_the_same_rows() -> None:
    def of(number: int, validation: str | None) -> Version:
        body = evaluation()
        body["handsoff"]["validation"] = validation
        return Version(a_package(arn=arn_of(number)), parse_evaluation(json.dumps(body), source="test"))

    found = [of(4, B), of(3, A), of(2, None), of(1, A)]
    assert rows_named(found) == {A: "A", B: "B"}


# ---- compare ----------------------------------------------------------------------------------------------


def test_compare_of_a_version_with_its_champion_is_on_the_rows_that_both_share(deployed: World) -> None:
    version(deployed, 4, 0.80, rows=910)
    approve(deployed, 4, 10)
    version(deployed, 7, 0.82, champion=arn_of(4), gain=0.02, batch="c")
    lines = said("compare", "titanic", "4", "7").splitlines()
    assert lines[:3] == [
        "version 4          Approved, registered 2026-11-23 06:04:00 UTC",
        "version 7          PendingManualApproval, registered 2026-11-23 06:07:00 UTC",
        "rows: the same 262 rows for both, as version 7 was compared with the other, its champion, row by "
        "row; 12 that the other was trained on are left out. Each bound of a difference holds at 95 %",
    ]
    (row,) = [line.split() for line in lines if line.lstrip().startswith("roc_auc")]
    assert " ".join(row) == "roc_auc 0.8400 0.8600 +0.0200 (+0.0100 to +0.0300) version 7"
    assert "  rows of train: 910 → 1,047" in lines
    assert lines[-1] == "`handsoff explain titanic/7` shows its rules"


def test_compare_on_a_narrow_terminal_shows_every_number(
    deployed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "_width", 60)
    version(deployed, 4, 0.80)
    version(deployed, 7, 0.82, champion=arn_of(4), gain=0.02)
    text = said("compare", "titanic", "4", "7")
    assert "…" not in text
    for number in ("0.8400", "0.8600", "+0.0200", "+0.0100", "+0.0300"):
        assert number in text


def test_compare_the_other_way_round_turns_the_difference(deployed: World) -> None:
    version(deployed, 4, 0.80)
    version(deployed, 7, 0.82, champion=arn_of(4), gain=0.02)
    found = json.loads(said("compare", "titanic", "7", "4", "--json"))
    pair = found["metrics"]["roc_auc"]
    assert (found["basis"], found["comparedAs"], found["leftOut"]) == ("paired", "champion", 12)
    assert pair["difference"] == {"value": -0.02, "bounds": [-0.03, -0.01]}
    assert (pair["first"]["value"], pair["second"]["value"], pair["better"]) == (0.86, 0.84, "first")


def test_compare_on_the_same_rows_says_that_the_difference_has_no_bounds(deployed: World) -> None:
    version(deployed, 4, 0.80, interval=(0.74, 0.85))
    version(deployed, 7, 0.82, interval=(0.77, 0.86))
    text = said("compare", "titanic", "4", "7")
    assert (
        "rows: the same 262 validation rows for both. They were never compared row by row, so the difference "
        "has no bounds: intervals that overlap do not say that the versions are equal"
    ) in text
    assert "bounds)" not in text
    assert "the same batch: both were trained on the same files" in text


def test_compare_on_other_rows_says_so_first(deployed: World) -> None:
    version(deployed, 4, 0.80, validation=A)
    version(deployed, 7, 0.82, validation=B)
    assert (
        "rows: they differ: 262 rows of version 4, 262 other rows of version 7. A difference may come from "
        "the rows as well as from the models: do not decide by these numbers alone"
    ) in said("compare", "titanic", "4", "7")


def test_compare_of_models_that_predict_different_things_says_so_first(deployed: World) -> None:
    version(deployed, 4, 0.80)
    version(deployed, 7, 0.82)
    key = "models/titanic/e3/evaluation.json"
    stored = json.loads(deployed.s3.get_object(Bucket="data", Key=key)["Body"].read())
    stored["handsoff"]["classes"] = ["no", "yes"]
    deployed.s3.put_object(Bucket="data", Key=key, Body=json.dumps(stored).encode())
    assert (
        "they predict different things: version 4 is a binary_classification of no, yes, version 7 a "
        "binary_classification of 0, 1; numbers of the same name do not measure the same\n"
    ) in said("compare", "titanic", "4", "7")
    found = json.loads(said("compare", "titanic", "4", "7", "--json"))
    assert found["predict"] == ["binary_classification of no, yes", "binary_classification of 0, 1"]


def test_compare_of_versions_of_an_earlier_handsoff_says_that_rows_are_not_known(deployed: World) -> None:
    version(deployed, 4, 0.80, validation=None)
    version(deployed, 7, 0.82, validation=B)
    assert (
        "rows: it is not known whether they are the same: 262 rows of version 4, 262 of version 7; an "
        "earlier handsoff kept no identity of rows. Do not decide by these numbers alone"
    ) in said("compare", "titanic", "titanic/4", "7")


def test_compare_refuses_one_version_twice_and_one_that_does_not_exist(deployed: World) -> None:
    version(deployed, 4, 0.80)
    assert refused("compare", "titanic", "4", "4", error=UsageError) == (
        "4 and 4 are the same version: name two"
    )
    assert "no model package titanic/9 here" in refused("compare", "titanic", "4", "9", error=NotFound)


def test_compare_refuses_a_version_without_an_evaluation(deployed: World) -> None:
    version(deployed, 4, 0.80)
    version(deployed, 7, 0.80)
    deployed.s3.delete_object(Bucket="data", Key="models/titanic/e3/evaluation.json")
    line = refused("compare", "titanic", "4", "7", error=HandsoffError)
    assert line == (
        "handsoff-titanic/4 cannot be compared: s3://data/models/titanic/e3/evaluation.json does not exist"
    )


@pytest.mark.parametrize(
    ("metric", "bounds", "better"),
    [
        ("accuracy", (0.001, 0.02), "second"),
        ("accuracy", (-0.02, -0.001), "first"),
        ("accuracy", (-0.02, 0.001), None),
        ("log_loss", (0.001, 0.02), "first"),
        ("calibration_slope", (0.001, 0.02), None),
        ("accuracy", (math.nan, math.nan), None),
    ],
)
def test_better_is_what_both_bounds_show(
    metric: str, bounds: tuple[float, float], better: str | None
) -> None:
    difference = Difference(value=0.0, standard_error=0.01, bounds=bounds)
    pair = Pair(metric, Measured(value=0.8), Measured(value=0.8), difference)
    assert pair.better == better
    assert turn(turn(difference)).value == 0.0


# ---- models -----------------------------------------------------------------------------------------------


def test_models_shows_each_model_in_a_few_lines(deployed: World, scheduler: Scheduler) -> None:
    version(deployed, 1, 0.80, interval=(0.74, 0.85))
    approve(deployed, 1, 10)
    scheduler.found = {
        "ScheduleExpression": "rate(7 days)",
        "ScheduleExpressionTimezone": "Europe/Madrid",
        "State": "ENABLED",
        "CreationDate": datetime.now(UTC) - timedelta(days=8),
    }
    lines = said("models").splitlines()
    assert lines[0] == "titanic"
    assert lines[1].startswith("  champion         version 1, for ")
    assert lines[1].endswith("accuracy 0.8000 (0.7400 to 0.8500)")
    assert lines[2] == "  pending          nothing"
    assert lines[3].startswith("  last result      Executing, started ")
    assert lines[4].endswith("(rate(7 days) Europe/Madrid)")
    found = json.loads(said("models", "--json"))["titanic"]
    assert found["champion"]["value"] == 0.8
    assert found["paused"] is None
    assert found["schedule"]["next"].endswith(("+01:00", "+02:00"))


def test_models_shows_the_next_time_of_a_cron_in_its_own_zone(deployed: World, scheduler: Scheduler) -> None:
    scheduler.found = {
        "ScheduleExpression": "cron(30 6 * * ? *)",
        "ScheduleExpressionTimezone": "Asia/Tokyo",
        "CreationDate": START,
    }
    (line,) = [line for line in said("models").splitlines() if "next schedule" in line]
    assert line.endswith(" 06:30 JST (cron(30 6 * * ? *) Asia/Tokyo)")
    scheduler.found["State"] = "DISABLED"
    (line,) = [line for line in said("models").splitlines() if "next schedule" in line]
    assert line == "  next schedule    disabled in AWS: cron(30 6 * * ? *) Asia/Tokyo"
    assert deployed


def test_models_shows_a_pause(deployed: World) -> None:
    using = deployed.using(Collaborators, clock=lambda: NOON)
    pausing.pause("titanic", by=WHO, why="audit", using=using)
    lines = said("models").splitlines()
    assert lines[1] == f"  paused           since 2026-11-23 12:00:00 UTC by {WHO}: audit"
    assert lines[2] == "  champion         none: no version is approved"
    assert json.loads(said("models", "--json"))["titanic"]["paused"]["why"] == "audit"


def test_show_overview_of_what_waits() -> None:
    landing = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=NOON)
    item = Overview(
        "titanic",
        None,
        "accuracy",
        None,
        ModelState(pending=(landing,), answer="wait", reason="cooldown until 13:00", due_at=NOON),
        (),
        None,
        NextStart("cron(0 6 * * ? *)", "Europe/Madrid", False, None),
        None,
        True,
    )
    console = Console(file=io.StringIO(), width=120)
    show_overview(console, item, NOON)
    file = console.file
    assert isinstance(file, io.StringIO)
    assert file.getvalue().splitlines() == [
        "titanic",
        "  paused           by handsoff.yaml: retrain.paused is true",
        "  champion         none: no version is approved",
        "  pending          waiting (landing): cooldown until 13:00; due within a minute",
        "  last result      no execution yet",
        "  next schedule    disabled in AWS: cron(0 6 * * ? *) Europe/Madrid",
    ]


@pytest.mark.parametrize(
    ("expression", "hours", "after"),
    [
        ("rate(7 days)", 0, timedelta(days=7)),
        ("rate(7 days)", 24 * 7, timedelta(days=14)),
        ("rate(1 hour)", 5.5, timedelta(hours=6)),
        ("rate(90 minutes)", 1, timedelta(minutes=90)),
        ("rate(7 days)", -1, timedelta(0)),
        ("cron(0 6 * * ? *)", 0, None),
    ],
)
def test_next_of_rate_counts_from_the_begin(expression: str, hours: float, after: timedelta | None) -> None:
    found = next_of_rate(expression, START, START + timedelta(hours=hours))
    assert found == (START + after if after is not None else None)


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (timedelta(seconds=59), "less than a minute"),
        (timedelta(minutes=1), "1 minute"),
        (timedelta(minutes=119), "1 hour"),
        (timedelta(days=3, hours=5), "3 days"),
    ],
)
def test_age_is_in_its_largest_unit(gone: timedelta, words: str) -> None:
    assert age(NOON, NOON + gone) == words
