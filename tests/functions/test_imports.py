"""What a handler's module imports before the first event. Each module costs a cold start time.

Times are in docs/reference/performance.md; here only names are asserted.
"""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

import judge_candidate
from bench.functions import LATER
from retraining.collaborators import Collaborators
from tests.functions.fakes import Context, about, register
from tests.functions.world import World

pytestmark = pytest.mark.slow  # they start Python for each handler

HANDLERS = sorted(path.stem for path in (Path(__file__).parents[2] / "functions").glob("*.py"))
NEVER = {"boto3", "s3transfer", "multiprocessing", "drawsvg", "aws_lambda_powertools.utilities.parameters"}
"""No handler needs these before an event, and most events do not need them either."""

OF_PATHS = {
    "start_retraining": {
        *("statistics", "jinja2", "itsdangerous", "slack_sdk"),
        *("retraining.evidence", "retraining.report", "retraining.proof", "retraining.html"),
        *("retraining.verdicts.evaluation", "retraining.verdicts.judge", "retraining.candidates"),
    },
    "track_execution": {
        *("statistics", "jinja2", "itsdangerous", "slack_sdk"),
        *("retraining.evidence", "retraining.report", "retraining.verdicts.judge", "retraining.candidates"),
    },
    "judge_candidate": {"jinja2", "itsdangerous", "slack_sdk", "retraining.html"},
    "record_decision": {"jinja2", "itsdangerous", "slack_sdk", "retraining.html"},
    "reconcile": {"jinja2", "itsdangerous", "slack_sdk", "retraining.html"},
    "review_candidate": {"slack_sdk"},
    "notify_slack": {"jinja2", "retraining.html.render"},
}
"""What the usual event of each function does not need."""

PROGRAM: Final = """
modules = sorted(sys.modules)
import dataclasses, pydantic
def below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from below(one)
ours = [one for one in below(pydantic.BaseModel) if one.__module__.startswith("retraining.")]
kinds = {value for name, module in list(sys.modules.items()) if name.startswith("retraining.")
         for value in vars(module).values() if isinstance(value, type)}
print(json.dumps({
    "modules": modules,
    "built": [one.__name__ for one in ours if one.model_fields and one.__pydantic_complete__],
    "with_models": sorted({one.__module__ for one in ours}),
    "dataclasses": [one.__name__ for one in kinds
                    if dataclasses.is_dataclass(one) and one.__module__.startswith("retraining.")],
}))
"""
"""Says what a process has that has imported a handler, and nothing else but json and sys."""


@pytest.mark.parametrize("handler", HANDLERS)
def test_handler_does_not_import_what_its_usual_event_does_not_need(handler: str) -> None:
    found = imported(handler)
    assert found & (NEVER | OF_PATHS[handler]) == set()


def test_start_path_imports_few_modules() -> None:
    """It was 650 modules, 120 of them ours, when it imported what any path of any function needs."""
    found = imported("start_retraining")
    assert len([name for name in found if name.startswith("retraining.")]) <= 105
    assert len([name for name in found if name.startswith("botocore")]) <= 80


@pytest.mark.parametrize("handler", HANDLERS)
def test_import_builds_no_reader_of_a_model(handler: str) -> None:
    """pydantic builds them at their first use: an event uses few of them."""
    assert told(handler)["built"] == []


@pytest.mark.parametrize("handler", HANDLERS)
def test_modules_of_models_do_not_hide_types_in_texts(handler: str) -> None:
    """pydantic compiles and evaluates each text: a model then takes half as long again to make."""
    found = told(handler)["with_models"]
    assert found
    assert [name for name in found if hasattr(import_module(name), "annotations")] == []


@pytest.mark.parametrize(
    ("handler", "most"),
    [
        ("judge_candidate", 25),
        ("notify_slack", 20),
        ("reconcile", 50),
        ("record_decision", 25),
        ("review_candidate", 25),
        ("start_retraining", 35),
        ("track_execution", 32),
    ],
)
def test_import_makes_few_dataclasses(handler: str, most: int) -> None:
    """Each takes four times as long to make as a NamedTuple. Actions and states are dataclasses."""
    found = told(handler)["dataclasses"]
    assert len(found) <= most


@pytest.mark.parametrize("handler", sorted(LATER))
def test_event_of_a_candidate_imports_later_what_the_bench_measures(
    handler: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else moves from a function's start into its usual event."""
    later: set[str] = set()
    real = builtins.__import__

    def watched(name: str, within: Any = None, values: Any = None, parts: Any = (), level: int = 0) -> Any:
        calling = sys._getframe(1).f_code.co_name
        if calling != "<module>" and str((within or {}).get("__name__")).startswith("retraining."):
            later.update([name, *(f"{name}.{part}" for part in parts or ())])
        return real(name, within, values, parts, level)

    arn = register(world)
    using = world.using(Collaborators)
    names = {
        "judge_candidate": "candidate_registered.pending",
        "record_decision": "package_decided.approved",
    }
    if handler == "record_decision":
        judge_candidate.handler(about(names["judge_candidate"], arn), Context(), using=using)
    monkeypatch.setattr(builtins, "__import__", watched)
    import_module(handler).handler(about(names[handler], arn), Context(), using=using)
    monkeypatch.undo()
    assert world.sagemaker.packages[arn]["ModelApprovalStatus"] == "Approved"
    assert len(world.events.details("Champion Changed")) == (handler == "record_decision")
    known = imported(handler) | {"time"}
    modules = {name for name in later if name in sys.modules} - known
    assert modules == set(LATER[handler])


def imported(handler: str) -> set[str]:
    """The modules that a process has after it imported the handler."""
    return set(told(handler)["modules"])


@cache
def told(handler: str) -> dict[str, list[str]]:
    """What PROGRAM says of a handler, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"import json, sys\nimport {handler}\n{PROGRAM}"],
        env={"PATH": os.environ["PATH"], "POWERTOOLS_SERVICE_NAME": "handsoff"},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found
