"""Evidence of earlier versions: it is read in today's form, and what is written over it keeps its facts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retraining.evidence import upgraded
from retraining.evidence.facts import appended
from tests.evidence_form import misfits

HERE = Path(__file__).parent


def recorded() -> dict[str, dict[str, Any]]:
    """Evidence that earlier versions wrote, by who wrote it and where it lies."""
    found = {"version 2": json.loads((HERE / "evidence" / "version-2.json").read_text("utf-8"))}
    for name in ("0.1", "before-0.2"):
        versions = json.loads((HERE / f"{name}.json").read_text("utf-8"))["versions"]
        for key, written in versions.items():
            if key.endswith("/evidence.json"):
                found[f"{name} {key.split('/')[1]}"] = json.loads(written[-1][1])
    return found


RECORDED = recorded()


@pytest.mark.parametrize("found", RECORDED.values(), ids=RECORDED.keys())
def test_upgraded_evidence_of_an_earlier_version_fits_todays_schema(found: dict[str, Any]) -> None:
    now = upgraded(found, "titanic")
    assert misfits(now) == []
    assert {name: now[name] for name in ("pipelineExecutionArn", "modelPackageArn", "metrics")} == {
        name: found[name] for name in ("pipelineExecutionArn", "modelPackageArn", "metrics")
    }
    assert misfits({**now, "facts": appended((), now)}) == []


def test_upgraded_leaves_evidence_of_today_and_of_later_as_it_is() -> None:
    assert upgraded({"schemaVersion": 3, "new": 1}, "titanic") == {"schemaVersion": 3, "new": 1}
    assert upgraded({"schemaVersion": 4}, "titanic") == {"schemaVersion": 4}


def test_upgraded_evidence_tells_when_a_person_decided() -> None:
    decision = {"decidedBy": "link", "decidedWho": "Ana", "decidedAt": "2026-11-23T07:00:00+00:00"}
    found = {**RECORDED["0.1 decided"], "modelApprovalStatus": "Approved", "decidedWhy": "seen", **decision}
    facts = appended((), upgraded(found, "decided"))
    assert [(fact["kind"], fact["status"], fact["who"]) for fact in facts if fact["by"] == "link"] == [
        ("decided", "Approved", "Ana")
    ]
    landed = next(fact for fact in facts if fact["kind"] == "landed")
    assert (landed["at"], landed["who"]) == ("2026-11-23T06:11:18+00:00", "s3")
