"""Starts on AWS on this machine: bursts, follow-ups, quarantine, schedules and quiet, with real events."""

from __future__ import annotations

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handsoff.operating.executions import evidence_of, newest_executions, package_of
from handsoff.operating.quarantine import QuarantinedFile, quarantined_files, release_file
from handsoff.operating.states import model_state
from tests.loop.conftest import TITANIC, Loop, handsoff, wait

pytestmark = pytest.mark.story

STORIES: dict[str, Any] = {
    "many": {},
    "follow": {},
    "bad": {},
    "scheduled": {"retrain": {"schedule": "rate(7 days)", "schedule_timezone": "Europe/Madrid"}},
    "quiet": {"retrain": {"ready": {"when": "quiet", "quiet_period": "6s"}}},
}
TRAIN = (TITANIC / "train.csv").read_bytes()
VALIDATION = (TITANIC / "validation.csv").read_bytes()
HEADER, *ROWS = TRAIN.splitlines(keepends=True)


def put(loop: Loop, model: str, name: str, body: bytes) -> None:
    loop.deployment.s3.put_object(Bucket=loop.deployment.bucket, Key=f"curated/{model}/{name}", Body=body)


def swept_until(loop: Loop, model: str, executions: int) -> None:
    """Sweep until the model has had so many executions."""

    def look() -> bool:
        loop.sweep()
        return len(newest_executions(loop.deployment, model, 10)) == executions

    wait(f"execution {executions} of {model}", look)


def test_three_hundred_objects_and_two_markers_start_one_execution(loop: Loop) -> None:
    size = len(ROWS) // 300 + 1
    parts = [b"".join([HEADER, *ROWS[at : at + size]]) for at in range(0, len(ROWS), size)]
    parts += [HEADER + b"".join(ROWS[:3])] * (300 - len(parts))
    assert len(parts) == 300
    put(loop, "many", "validation.csv", VALIDATION)
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda item: put(loop, "many", f"train/part {item[0]:03} ü.csv", item[1]), enumerate(parts)
            )
        )
    put(loop, "many", "_SUCCESS", b"")
    put(loop, "many", "_SUCCESS", b"")
    execution = loop.settled("many", 1)
    assert execution.status == "Succeeded"
    loop.drained()
    loop.sweep()
    assert len(newest_executions(loop.deployment, "many", 10)) == 1
    assert len(evidence_of(loop.deployment, execution)["data"]["files"]) == 301


def test_landings_during_an_execution_start_one_follow_up(loop: Loop) -> None:
    with loop.preprocessing_held():
        loop.land("follow", TRAIN)
        wait("the first execution", lambda: newest_executions(loop.deployment, "follow", 1))
        for number in (1, 2, 3):
            loop.land("follow", TRAIN + b"".join(ROWS[:number]))
        loop.drained()
        state = model_state(loop.deployment, "follow")
        assert state.answer == "wait"
        assert (state.reason or "").endswith("is running")
    loop.settled("follow", 1)
    swept_until(loop, "follow", 2)
    second = loop.settled("follow", 2)
    rows = evidence_of(loop.deployment, second)["data"]["splits"]["train"]["rows"]
    assert rows == len(ROWS) + 3
    loop.sweep()
    assert len(newest_executions(loop.deployment, "follow", 10)) == 2


def test_schedule_during_an_execution_is_coalesced(loop: Loop) -> None:
    """The schedule that was provisioned, fired at once: its target and input are what is tried."""
    scheduler = loop.deployment.session.client("scheduler")
    schedule = scheduler.get_schedule(Name="handsoff-scheduled")
    assert schedule["ScheduleExpression"] == "rate(7 days)"
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Madrid"
    with loop.preprocessing_held():
        loop.land("scheduled", TRAIN)
        first = wait("the first execution", lambda: newest_executions(loop.deployment, "scheduled", 1))[0]
        for number in (1, 2):
            scheduler.create_schedule(
                Name=f"now-{number}",
                ScheduleExpression=f"at({datetime.now(UTC) + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S})",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target=schedule["Target"],
            )
        wait("both requests", lambda: len(model_state(loop.deployment, "scheduled").pending) == 2)
        assert not newest_executions(loop.deployment, "scheduled", 1)[0].terminal
        assert newest_executions(loop.deployment, "scheduled", 1)[0].arn == first.arn
    loop.settled("scheduled", 1)
    swept_until(loop, "scheduled", 2)
    second = loop.settled("scheduled", 2)
    found = evidence_of(loop.deployment, second)
    assert found["trigger"]["kind"] == "schedule"
    assert found["trigger"]["requestedBy"].startswith("arn:aws:scheduler:")
    assert datetime.fromisoformat(found["trigger"]["cause"]).tzinfo is not None
    package = package_of(loop.deployment, second)
    assert package is not None
    assert package.metadata["trigger"] == "schedule"
    assert package.metadata["requestedBy"] == found["trigger"]["requestedBy"]
    loop.sweep()
    assert len(newest_executions(loop.deployment, "scheduled", 10)) == 2


def test_quiet_model_starts_once_after_its_last_arrival(loop: Loop) -> None:
    put(loop, "quiet", "validation.csv", VALIDATION)
    size = len(ROWS) // 50 + 1
    for number in range(50):
        part = ROWS[number * size : (number + 1) * size] or ROWS[:3]
        put(loop, "quiet", f"train/{number:02}.csv", HEADER + b"".join(part))
        time.sleep(0.1)
    last = datetime.now(UTC)
    loop.drained()
    assert newest_executions(loop.deployment, "quiet", 10) == []
    assert "waiting for the quiet period" in (model_state(loop.deployment, "quiet").reason or "")
    swept_until(loop, "quiet", 1)
    execution = loop.settled("quiet", 1)
    assert execution.start_time >= last + timedelta(seconds=4)
    assert len(evidence_of(loop.deployment, execution)["data"]["files"]) == 51
    loop.sweep()
    assert len(newest_executions(loop.deployment, "quiet", 10)) == 1


WIDE_HEADER = b"".join(b",note_%d" % number for number in range(9))
WIDE_ROW = b"".join(b"," + b"n" * 125_000 for _ in range(9))
TWO = HEADER + ROWS[0] + ROWS[1]
BAD = {
    "no_header": ROWS[0] + ROWS[1],
    "unsupported_format": b"PK\x03\x04" + bytes(range(256)) * 4,
    "too_wide": HEADER.strip() + WIDE_HEADER + b"\n" + ROWS[0].strip() + WIDE_ROW + b"\n",
    "quotes": TWO.replace(b'"Allen, Miss. Elisabeth Walton"', b'"\\\\"'),
    "missing_column": TWO.replace(b"survived", b"alive"),
    "duplicate_column": TWO.replace(b",body,", b",age,"),
    "not_a_number": TWO.replace(b",2,113781", b",two,113781").replace(b"0.9167,1", b"young,1"),
    "delimiter": TWO.replace(b",", b";"),
    "encoding": TWO + ROWS[2].replace(b"Mr", "Señor".encode("latin-1")).replace(b"Miss", b"\xf1"),
    "binary": bytes(range(256)) * 4,
    "truncated": gzip.compress(TRAIN)[:-100],
    "unknown_class": TWO.replace(b"\n1,1,", b"\n1,7,"),
}


def test_bad_files_end_in_quarantine_and_start_nothing(loop: Loop) -> None:
    names = {kind: f"train/{kind} ü.csv{'.gz' if kind == 'truncated' else ''}" for kind in BAD}
    put(loop, "bad", "train/good.csv", TRAIN)
    put(loop, "bad", "validation.csv", VALIDATION)
    for kind, body in BAD.items():
        put(loop, "bad", names[kind], body)
    put(loop, "bad", "_SUCCESS", b"")

    def reports() -> dict[str, QuarantinedFile] | None:
        found = {file.key: file for file in quarantined_files(loop.deployment, "bad")}
        return found if len(found) == len(BAD) else None

    found = wait("all reports", reports)
    for kind, name in names.items():
        report = found[f"curated/bad/{name}"]
        assert report.problem == kind, report
        assert report.text
        body = loop.deployment.s3.get_object(Bucket=loop.deployment.bucket, Key=f"quarantine/bad/{name}")[
            "Body"
        ].read()
        assert body == BAD[kind]
    assert loop.told("bad", "quarantined")["reasons"]
    loop.drained()
    loop.sweep()
    assert newest_executions(loop.deployment, "bad", 10) == []
    assert (model_state(loop.deployment, "bad").reason or "").startswith("quarantined: ")

    # A person says how quotes are written, and that one file is good so: it comes back, the marker with it,
    # and what is left may start.
    values = json.loads(loop.config.read_text())
    values["models"]["bad"]["data"] = {"quotes": "doubled"}
    loop.config.write_text(json.dumps(values))
    handsoff(loop, "publish", "bad")
    back = release_file(loop.deployment, "bad", f"quarantine/bad/{names['quotes']}")
    assert back == f"curated/bad/{names['quotes']}"
    execution = loop.settled("bad", 1)
    assert execution.status == "Succeeded"
    files = {file["key"]: file["rows"] for file in evidence_of(loop.deployment, execution)["data"]["files"]}
    assert files == {
        "curated/bad/train/good.csv": 1047,
        back: 2,
        "curated/bad/validation.csv": 262,
    }
    assert len(quarantined_files(loop.deployment, "bad")) == len(BAD) - 1


def test_objects_of_no_model_are_logged_once_and_start_nothing(loop: Loop) -> None:
    for number in range(20):
        put(loop, "nobody", f"train/{number}.csv", TRAIN)
    put(loop, "nobody", "_SUCCESS", b"")
    pages = loop.deployment.session.client("logs").get_paginator("filter_log_events")

    def told() -> list[str]:
        found = pages.paginate(logGroupName="/aws/lambda/handsoff-start-retraining").search(
            "events[].message"
        )
        return [line for line in found if "object belongs to no model" in line]

    wait("the line of the object", told)
    loop.drained()
    assert len(told()) == 1


def test_key_with_dots_belongs_to_no_other_model(loop: Loop) -> None:
    s3, bucket = loop.deployment.s3, loop.deployment.bucket
    climbing = "curated/many/../bad/_SUCCESS"
    s3.put_object(Bucket=bucket, Key=climbing, Body=b"")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="curated/many/..")["Contents"]
    assert [item["Key"] for item in listed] == [climbing]
    before = [model_state(loop.deployment, model).landings for model in ("many", "bad")]
    loop.drained()
    assert [model_state(loop.deployment, model).landings for model in ("many", "bad")] == before
