"""Commands in the documentation that work in every region and partition."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([*(ROOT / "docs").glob("how-to/*.md"), ROOT / "README.md"])


def commands() -> list[tuple[str, str]]:
    """The lines of the pages' code blocks that run something, with the page."""
    found = []
    for page in PAGES:
        for language, block in re.findall(r"^ *```(\w*)\n(.*?)^ *```$", page.read_text(), re.M | re.S):
            if language in ("", "sh"):
                found += [(page.name, line) for line in block.splitlines()]
    return found


def test_pages_have_commands() -> None:
    assert len([line for _, line in commands() if "aws " in line]) > 30


def test_no_command_makes_a_bucket_with_a_location() -> None:
    """us-east-1, the default region, refuses a LocationConstraint; `aws s3 mb` works everywhere."""
    assert [
        place for place in commands() if re.search("LocationConstraint|s3api create-bucket", place[1])
    ] == []


def test_no_command_names_a_partition() -> None:
    assert [place for place in commands() if re.search(r"arn:aws[\w-]*:", place[1])] == []
