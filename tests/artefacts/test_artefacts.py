"""What Lambda gets: complete by itself, of the right platform, small, and the same each time it is built."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.artefacts.conftest import PARAMETERS, ROOT, UV, Built, build, interpreter

pytestmark = pytest.mark.story

ALONE = Path(__file__).with_name("alone.py")
EVENTS = {
    "judge_candidate": ["candidate_registered.annotated", "candidate_registered.pending"],
    "notify_slack": ["notify_slack.decision", "notify_slack.failed", "notify_slack.waiting"],
    "reconcile": ["each_minute"],
    "record_decision": ["package_decided.approved", "package_decided.rejected"],
    "review_candidate": [
        "review_candidate.decision",
        "review_candidate.model",
        "review_candidate.page",
        "review_candidate.slack",
    ],
    "start_retraining": [
        "start_retraining.landing",
        "start_retraining.request",
        "start_retraining.unreadable",
    ],
    "track_execution": [
        "execution_changed.failed",
        "execution_changed.started",
        "execution_changed.step_failed",
        "execution_changed.step_succeeded",
        "execution_changed.stopped",
        "execution_changed.succeeded",
    ],
}
ELSEWHERE = ("object_landed.", "champion_", "candidate_waiting")
"""Events that no handler gets: landings go to a queue, and our own are for whoever serves models."""

ASKS_NOBODY = {"candidate_registered.annotated", "review_candidate.slack", "start_retraining.unreadable"}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:s-abcdef"
NOBODY = "http://127.0.0.1:9"
"""An AWS that nobody answers for: the first call fails, once all that comes before it has been imported."""


def alone(built: Built, handler: str) -> dict[str, Any]:
    """What came of a handler's events with nothing but what was built, in a Python that sees nothing else."""
    events = [str(ROOT / "events" / f"{event}.json") for event in EVENTS[handler]]
    done = subprocess.run(
        [built.python, "-I", "-S", str(ALONE), str(built.code), str(built.packages), handler, *events],
        env={
            "PREFIX": "handsoff",
            "DATA_BUCKET": "handsoff-data-123456789012-us-east-1",
            "LEDGER_TABLE": "ledger",
            "NOTIFICATIONS_TOPIC": "arn:aws:sns:us-east-1:123456789012:handsoff-notifications",
            "REVIEW_URL": "https://abc.lambda-url.us-east-1.on.aws/",
            "LINK_SECRET": SECRET,
            "SLACK_SECRET": SECRET if handler == "notify_slack" else "",
            "AWS_ENDPOINT_URL": NOBODY,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def digest(folder: Path) -> dict[str, tuple[str, str]]:
    """Every file's permissions and bytes, by its path; and every folder's permissions."""
    return {
        str(path.relative_to(folder)): (
            oct(path.stat().st_mode),
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize("handler", EVENTS)
def test_handler_reaches_its_first_call_with_code_and_layer_alone(built: Built, handler: str) -> None:
    found = alone(built, handler)
    assert found["foreign"] == []
    assert len(found["events"]) == len(EVENTS[handler])
    for event, came in found["events"].items():
        assert "ImportError" not in came["said"]
        assert "ModuleNotFoundError" not in came["said"]
        if Path(event).stem in ASKS_NOBODY:
            assert came["errors"] == []
        else:
            assert "EndpointConnectionError" in came["errors"] or NOBODY in came["said"]


def test_every_handler_and_event_is_tried() -> None:
    handlers = {path.stem for path in (ROOT / "functions").glob("*.py")}
    events = {path.stem for path in (ROOT / "events").glob("*.json")}
    assert set(EVENTS) == handlers
    assert {event for listed in EVENTS.values() for event in listed} == {
        event for event in events if not event.startswith(ELSEWHERE)
    }


@pytest.mark.parametrize(
    ("package", "misses"),
    [
        ("aws_lambda_powertools", "start_retraining"),
        ("botocore", "start_retraining"),
        ("itsdangerous", "review_candidate"),
        ("jinja2", "review_candidate"),
        ("markupsafe", "review_candidate"),
        ("pydantic", "start_retraining"),
        ("pydantic_core", "start_retraining"),
        ("slack_sdk", "notify_slack"),
        ("six", "start_retraining"),
    ],
)
def test_handler_without_a_package_of_the_layer_fails(
    without: Callable[[str], Built], package: str, misses: str
) -> None:
    found = alone(without(package), misses)
    assert f"ModuleNotFoundError: No module named '{package}" in str(found["events"])


def test_byte_code_is_complete_and_unchecked(built: Built) -> None:
    """Byte-code that is checked by time is ignored once a zip has changed the times."""
    script = """
import importlib.util as util, pathlib, sys
sources = [path for folder in sys.argv[1:] for path in pathlib.Path(folder).rglob("*.py")]
never_checked = (0b01).to_bytes(4, "little")
for source in sources:
    head = pathlib.Path(util.cache_from_source(source)).read_bytes()[:16]
    expected = util.MAGIC_NUMBER + never_checked + util.source_hash(source.read_bytes())
    assert head == expected, (source, head, expected)
print(len(sources))
"""
    done = subprocess.run(
        [built.python, "-I", "-S", "-c", script, str(built.code), str(built.layer)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    compiled = [*built.code.rglob("*.pyc"), *built.layer.rglob("*.pyc")]
    assert len(compiled) == int(done.stdout) > 500


def test_code_and_layer_fit_in_lambda(built: Built) -> None:
    """250 MB unzipped is Lambda's limit. What is far below it is loaded faster, too: 30 MB were measured."""
    sizes = [path.stat().st_size for path in (*built.code.rglob("*"), *built.layer.rglob("*"))]
    assert sum(sizes) < 40e6


def test_bundle_has_the_pages_and_no_foreign_file(built: Built) -> None:
    kinds = {path.suffix for path in built.code.rglob("*") if path.is_file()}
    assert kinds == {".py", ".pyc", ".html", ".css"}
    pages = {path.name for path in (built.code / "retraining" / "html" / "pages").iterdir()}
    templates = {"base", "message", "model", "parts", "report", "review"}
    assert pages == {"style.css"} | {f"{name}.html" for name in templates}
    assert {path.stem for path in built.code.glob("*.py")} == set(EVENTS)


TWICE = "built-twice-from-the-same-input"
"""In the path of each folder that is built from: no file may have it."""


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> list[Built]:
    """Two builds of the same input for the template's platform, from folders that differ in all else."""
    runtime, architecture = (PARAMETERS[name]["Default"] for name in ("Runtime", "Architecture"))
    interpreter(runtime)
    place, found = tmp_path_factory.mktemp(TWICE), []
    for name, mask, touched in (("one", 0o022, 1e9), ("another-folder/of-a-longer-name", 0o077, 1.5e9)):
        project = place / name / "project"
        for part in ("functions", "layers"):
            shutil.copytree(
                ROOT / part,
                project / part,
                ignore=shutil.ignore_patterns("__pycache__"),
                copy_function=shutil.copyfile,
            )
        for path in project.rglob("*"):
            os.utime(path, (touched, touched))
        before = os.umask(mask)
        try:
            found.append(build(project, place / name / "built", runtime=runtime, architecture=architecture))
        finally:
            os.umask(before)
    return found


def test_compiled_files_are_of_the_requested_platform(twice: list[Built]) -> None:
    runtime, architecture = (PARAMETERS[name]["Default"] for name in ("Runtime", "Architecture"))
    assert (runtime, architecture) == ("python3.13", "arm64")
    built = twice[0]
    libraries = {path.name for path in built.layer.rglob("*.so")}
    assert libraries == {
        "_speedups.cpython-313-aarch64-linux-gnu.so",
        "_pydantic_core.cpython-313-aarch64-linux-gnu.so",
    }
    assert {path.read_bytes()[18] for path in built.layer.rglob("*.so")} == {0xB7}  # ELF's word for aarch64


def test_build_of_the_same_input_gives_the_same_bytes(twice: list[Built]) -> None:
    found = [(digest(built.code), digest(built.layer)) for built in twice]
    for built in twice:
        for path in (*built.code.rglob("*"), *built.layer.rglob("*")):
            assert path.is_dir() or TWICE.encode() not in path.read_bytes()
    assert found[0] == found[1]
    assert not [path for path in found[0][1] if re.search(r"RECORD|INSTALLER|REQUESTED|direct_url", path)]


def test_import_makes_nothing_unique(built: Built) -> None:
    """A snapshot (SnapStart) is taken then: whatever is in it, every copy of the function has."""
    script = """
import sys, importlib
sys.path[:] = [*sys.argv[1:3], *sys.path]
import random, secrets, ssl, uuid, boto3, botocore.session, tempfile
def unique(*_, **__): raise AssertionError("made before the first event")
botocore.session.Session.create_client = boto3.client = boto3.resource = boto3.Session.client = unique
uuid.uuid4 = secrets.token_bytes = secrets.token_hex = random.random = random.getrandbits = unique
for name in sys.argv[3:]:
    importlib.import_module(name)
"""
    done = subprocess.run(
        [built.python, "-I", "-S", "-B", "-c", script, str(built.code), str(built.packages), *EVENTS],
        env={"AWS_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_build_for_a_missing_runtime_names_it(tmp_path: Path) -> None:
    """No byte-code is no small thing: without it a function takes twice as long for its first answer."""
    done = subprocess.run(
        ["make", "-s", "-C", str(ROOT / "functions"), "build-Reconcile", f"ARTIFACTS_DIR={tmp_path}"],
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(UV.parent), os.environ["PATH"]]),
            "HANDSOFF_RUNTIME": "python3.99",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "the byte-code for python3.99 needs a Python 3.99" in done.stderr
