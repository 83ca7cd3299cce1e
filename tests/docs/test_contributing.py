"""CONTRIBUTING.md: the files that its lists name exist, and each list ends in a test or a page."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_file_and_folder_that_is_named_exists() -> None:
    named = set(re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:toml|yaml|md|py))`", TEXT))
    assert len(named) > 40
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_every_folder_of_functions_has_a_row() -> None:
    rooms = {path.parent.name for path in (ROOT / "functions" / "retraining").glob("*/__init__.py")}
    assert {room for room in rooms if f"`functions/retraining/{room}/`" not in TEXT} == set()


def test_every_list_of_files_names_a_test() -> None:
    lists = re.split(r"^### ", TEXT.partition("## How to add…")[2].partition("\n## ")[0], flags=re.M)[1:]
    assert len(lists) == 8
    assert [part.splitlines()[0] for part in lists if "`tests/" not in part] == []


def test_each_test_file_has_a_name_of_its_own() -> None:
    """pytest imports them by that name, and stops at the second file of one name."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted({name for name in names if names.count(name) > 1}) == []
