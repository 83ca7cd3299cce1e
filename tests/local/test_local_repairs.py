"""Each repair: still needed by ministack as it comes, and right once applied."""

import functools
import inspect
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from local import repairs

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    "rules_invoke_asynchronously",
    "topics_invoke_asynchronously",
    "alias_keeps_its_invoke_config",
    "throttled_calls_wait",
    "queue_batches_and_windows",
    "template_reserves_concurrency",
    "versions_share_the_reservation",
    "reserved_is_reserved",
    "function_urls_lead_here",
    "updated_schedule_fires_again",
    "schedule_fills_its_placeholders",
    "printed_metrics_count",
    "every_invocation_is_measured",
    "alarms_mind_dimensions",
]

pytestmark = pytest.mark.story


@functools.cache
def probed(*arguments: str) -> dict[str, bool]:
    """What tests/local/probes.py found out about ministack."""
    with tempfile.TemporaryDirectory() as folder:
        found = subprocess.run(
            [sys.executable, "-m", "tests.local.probes", *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONWARNINGS": "ignore",
                "TMPDIR": folder,
                "STATE_DIR": folder,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert found.returncode == 0, found.stderr
    behaves: dict[str, bool] = json.loads(found.stdout.splitlines()[-1])
    return behaves


@pytest.mark.parametrize("name", NAMES)
def test_ministack_still_needs_it(name: str) -> None:
    assert not probed()[name], f"ministack no longer needs the repair {name}: delete it"


@pytest.mark.parametrize("name", NAMES)
def test_repaired_it_behaves_as_aws(name: str) -> None:
    assert probed("repaired")[name]


def test_every_repair_is_applied_and_probed() -> None:
    applied = [line.strip().removesuffix("()") for line in inspect.getsource(repairs.apply).splitlines()[2:]]
    assert applied == NAMES
    assert list(probed("repaired")) == NAMES


@pytest.mark.parametrize(
    ("version", "configs", "expected"),
    [
        ("3", {"live": {"a": 1}, "$LATEST": {"a": 2}}, {"a": 1}),
        ("2", {"live": {"a": 1}, "$LATEST": {"a": 2}}, {"a": 2}),
        ("2", {"live": {"a": 1}, "2": {"a": 3}}, {"a": 3}),
        ("2", {"live": {"a": 1}}, None),
        ("$LATEST", {"": {"a": 4}}, {"a": 4}),
    ],
)
def test_the_alias_of_the_invoked_version_decides(
    version: str, configs: dict[str, dict[str, int]], expected: dict[str, int] | None
) -> None:
    base = {"aliases": {"live": {"FunctionVersion": "3"}}, "event_invoke_configs": configs}
    assert repairs.invoke_config(base, version) == expected
