"""`handsoff report`: the stored report is saved and opened; without one, it is made from the evidence."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from handsoff.errors import UsageError
from tests.functions.world import World
from tests.handsoff.test_decision_commands import deployed, project
from tests.handsoff.typed import refused, said

__all__ = ["deployed", "project"]

EXECUTION = "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e1"
KEY = "evidence/titanic/e1/report.html"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a browser was asked to open."""
    found: list[str] = []

    def open_(address: str) -> bool:
        found.append(address)
        return True

    monkeypatch.setattr("webbrowser.open", open_)
    return found


def test_report_saves_the_stored_file_and_says_where(
    deployed: World, project: Path, opened: list[str]
) -> None:
    deployed.s3.put_object(Bucket="data", Key=KEY, Body=b"<!doctype html>stored")
    text = said("report", EXECUTION)
    path = project / ".handsoff" / "report.html"
    assert path.read_bytes() == b"<!doctype html>stored"
    assert path.as_uri() in text
    assert f"from s3://data/{KEY}" in text
    assert opened == []


def test_report_opens_the_file_that_was_named(deployed: World, project: Path, opened: list[str]) -> None:
    deployed.s3.put_object(Bucket="data", Key=KEY, Body=b"stored")
    said("report", EXECUTION, "--open", "--output", "out/mine.html")
    assert opened == [(project / "out" / "mine.html").as_uri()]
    assert (project / "out" / "mine.html").read_bytes() == b"stored"


def test_report_of_an_execution_without_one_is_made_from_the_evidence(deployed: World) -> None:
    deployed.s3.delete_object(Bucket="data", Key=KEY)
    found = json.loads(said("report", EXECUTION, "--json"))
    assert (found["pipelineExecutionArn"], found["storedAt"]) == (EXECUTION, None)
    page = Path(urlsplit(found["report"]).path).read_text()
    assert page.startswith("<!doctype html>")
    assert "There are no pictures." in page
    assert "made now: none lies beside the evidence" in said("report", EXECUTION)


def test_report_that_cannot_be_written_names_the_option(deployed: World, project: Path) -> None:
    deployed.s3.put_object(Bucket="data", Key=KEY, Body=b"stored")
    (project / "file").write_text("")
    line = refused("report", EXECUTION, "--output", "file/report.html", error=UsageError)
    assert line == "file/report.html cannot be written (File exists): name another file by --output"


@pytest.mark.usefixtures("deployed")
def test_evidence_says_where_the_report_lies_and_how_to_open_it() -> None:
    text = said("evidence", EXECUTION)
    assert f"report: s3://data/{KEY}; `" in text
    assert "report e1 --open` opens it" in text
