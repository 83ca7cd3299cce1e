"""What iam_services checks in ministack's place: still unchecked there, and refused once applied."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "local" / "iam_services.py").read_text()
NAMES = re.findall(r"^    (\w+)\((?:iam)?\)$", SOURCE, re.MULTILINE)

pytestmark = pytest.mark.story


@functools.cache
def probed(*arguments: str) -> dict[str, bool]:
    """What tests/iam/probes.py found out about ministack."""
    with tempfile.TemporaryDirectory() as folder:
        found = subprocess.run(
            [sys.executable, "-m", "tests.iam.probes", *arguments],
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
    assert not probed()[name], f"ministack no longer needs {name}: delete it"


@pytest.mark.parametrize("name", NAMES)
def test_repaired_it_refuses_as_aws(name: str) -> None:
    assert probed("repaired")[name]


def test_all_are_applied_and_probed() -> None:
    assert list(probed("repaired")) == NAMES
    assert len(NAMES) == 14
