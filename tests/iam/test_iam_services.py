"""What iam_services checks in ministack's place: still unchecked there, and refused once applied."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.probing import probed

ROOT = Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "local" / "ministack" / "iam" / "services.py").read_text()
NAMES = re.findall(r"^    (\w+)\((?:iam)?\)$", SOURCE, re.MULTILINE)

PROBES = "tests.iam.probes"

pytestmark = pytest.mark.story


@pytest.mark.parametrize("name", NAMES)
def test_ministack_still_needs_it(name: str) -> None:
    assert not probed(PROBES)[name], f"ministack no longer needs {name}: delete it"


@pytest.mark.parametrize("name", NAMES)
def test_repaired_it_refuses_as_aws(name: str) -> None:
    assert probed(PROBES, "repaired")[name]


def test_all_are_applied_and_probed() -> None:
    assert list(probed(PROBES, "repaired")) == NAMES
    assert len(NAMES) == 14
