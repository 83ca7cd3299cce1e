"""What `handsoff status` says of a start that has not happened."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from handsoff.operating.quarantine import QuarantinedFile
from handsoff.operating.states import ModelStatus, anchor_of
from handsoff.showing.console import moment
from handsoff.showing.models import after_stop, pending_or_refused, show_model
from retraining.aws.pipelines import Execution
from retraining.config.schema import parse_config
from retraining.facts.anchors import AnchorFact
from retraining.facts.model_state import ModelState
from retraining.facts.pauses import PauseFact, Resumed
from retraining.facts.starts import Blocked, Start, StartRequest

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LANDING = StartRequest(cause="landing", trigger="landing", requested_by="s3", at=NOON)
TAKEN = Start(key="k", batch="b", champion="none", requests=(LANDING,), taken_at=NOON)
BLOCKED = Blocked(
    reason="no pipeline [x]", since=NOON, until=NOON + timedelta(hours=1), tries=7, refused=True
)


@pytest.mark.parametrize(
    "state",
    [ModelState(running=TAKEN, blocked=BLOCKED), ModelState(pending=(LANDING,), blocked=BLOCKED)],
    ids=["taken", "pending"],
)
def test_pending_or_refused_of_a_blocked_start_says_why_since_when_and_when_next(state: ModelState) -> None:
    assert pending_or_refused(state, NOON) == (
        f"[red]blocked since {moment(NOON)}:[/] no pipeline \\[x]; "
        f"next try within a minute of {moment(NOON + timedelta(hours=1))}"
    )


def test_pending_or_refused_of_a_start_that_is_being_made_is_none() -> None:
    assert pending_or_refused(ModelState(running=TAKEN), NOON) is None


PAUSE = PauseFact(by="ada", since=NOON, why="audit", state="paused")
ENDED = PAUSE.model_copy(
    update={"state": "resumed", "resumed": Resumed(by="ada", at=NOON + timedelta(hours=2))}
)


@pytest.mark.parametrize(
    ("pause", "answered", "said"),
    [
        (PAUSE, 1, "[yellow]waiting (landing):[/] for the end of the pause"),
        (
            ENDED,
            1,
            f"[yellow]waiting (landing):[/] the pause ended at {moment(NOON + timedelta(hours=2))}; "
            "looked at again within two minutes",
        ),
        (ENDED, 3, "[yellow]waiting (landing):[/] cooldown; due within a minute"),
        (None, 1, "[yellow]waiting (landing):[/] cooldown; due within a minute"),
    ],
    ids=["stands", "has just ended", "ended before the answer", "never"],
)
def test_pending_or_refused_says_the_pause_while_it_is_the_reason(
    pause: PauseFact | None, answered: int, said: str
) -> None:
    at = NOON + timedelta(hours=answered)
    state = ModelState(pending=(LANDING,), answer="wait", reason="cooldown", answered_at=at)
    assert pending_or_refused(state, at, pause) == said


def quarantined(name: str, text: str, problem: str) -> QuarantinedFile:
    return QuarantinedFile(
        quarantine_key=f"quarantine/titanic/{name}",
        key=f"curated/titanic/{name}",
        version_id="v",
        etag="e",
        size=1,
        problem=problem,
        text=text,
        not_copied=None,
        current=None,
    )


EMPTY = ModelStatus(
    name="titanic",
    state=ModelState(),
    champion=None,
    quarantined=(),
    deliveries=(),
    left_out="",
    candidates=(),
    executions=(),
)


def shown(*files: QuarantinedFile) -> list[str]:
    """The lines of a status with these files in quarantine, but for the first one."""
    console = Console(width=200, record=True, file=io.StringIO())
    show_model(console, replace(EMPTY, quarantined=files), NOON)
    return console.export_text().splitlines()[1:]


def test_status_names_the_anchor_beside_the_champion() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    show_model(console, replace(EMPTY, anchor="handsoff-titanic/1"), NOON)
    assert "  anchor: handsoff-titanic/1" in console.export_text().splitlines()
    assert shown() == []


def test_status_groups_files_in_quarantine_by_reason() -> None:
    alike = [quarantined(f"{number}.csv", "no column age", "missing_column") for number in range(7)]
    assert shown(*alike, quarantined("z.csv", "the file is ORC", "unsupported_format")) == [
        "  in quarantine: quarantine/titanic/0.csv, quarantine/titanic/1.csv, quarantine/titanic/2.csv, "
        "quarantine/titanic/3.csv, quarantine/titanic/4.csv and 2 more: no column age",
        "  in quarantine: quarantine/titanic/z.csv: the file is ORC",
        "  to put one back: `handsoff release titanic KEY`",
    ]


@pytest.mark.parametrize("problem", ["unsupported_format", "damaged", "truncated"])
def test_status_offers_no_release_of_a_file_that_no_job_can_read(problem: str) -> None:
    assert shown(quarantined("z.csv", "the file is ORC", problem)) == [
        "  in quarantine: quarantine/titanic/z.csv: the file is ORC"
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("Stopped", "[yellow]it was stopped:[/] `handsoff start titanic` trains on the newest batch"),
        ("Stopping", ""),
        ("Failed", ""),
        ("Succeeded", ""),
    ],
)
def test_after_stop_says_how_the_model_is_retrained(status: str, said: str) -> None:
    stopped = Execution(
        arn="arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic/execution/one",
        pipeline="handsoff-titanic",
        status=status,
        failure_reason=None,
        start_time=NOON,
        last_modified=NOON,
        parameters={},
        steps=(),
    )
    assert after_stop(stopped, "titanic") == said


@pytest.mark.parametrize(
    ("rule", "named"),
    [
        ({"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}}, "handsoff-titanic/1"),
        ({"metric": "roc_auc", "min": 0.5}, None),
    ],
)
def test_status_reads_the_anchor_only_where_a_rule_asks_for_it(
    rule: dict[str, object], named: str | None
) -> None:
    model = {
        "task": "binary_classification",
        "target": "survived",
        "features": {"numeric": ["age"]},
        "approval": {"rules": [rule]},
    }
    arn = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/1"
    deployment: Any = SimpleNamespace(
        config=parse_config({"models": {"titanic": model}}, source="test"),
        ledger=SimpleNamespace(get=lambda _: AnchorFact(package=arn, by="first", at=NOON)),
        resource_name=lambda name: f"handsoff-{name}",
    )
    assert anchor_of(deployment, "titanic") == named
