"""What local/ministack/iam checks in ministack's place: still unchecked there, and refused once applied."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.probing import probed

ROOT = Path(__file__).resolve().parents[2]
IAM = ROOT / "local" / "ministack" / "iam"
SOURCE = (IAM / "requests.py").read_text() + (IAM / "deliveries.py").read_text()
NAMES = re.findall(r"^    (\w+)\((?:iam)?\)$", SOURCE, re.MULTILINE)

PROBES = "tests.iam.probes"

pytestmark = pytest.mark.story


@pytest.mark.parametrize("name", NAMES)
def test_ministack_without_the_repair_does_not_check(name: str) -> None:
    assert not probed(PROBES)[name], f"ministack no longer needs {name}: delete it"


@pytest.mark.parametrize("name", NAMES)
def test_ministack_with_the_repair_refuses(name: str) -> None:
    assert probed(PROBES, "repaired")[name]


def test_every_repair_has_a_probe() -> None:
    assert list(probed(PROBES, "repaired")) == NAMES
    assert len(NAMES) == 16
