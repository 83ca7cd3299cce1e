"""The layers of the handlers. They are in no package, so import-linter (pyproject.toml) does not see them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HANDLERS = sorted((ROOT / "functions").glob("*.py"))
MODULES = sorted((ROOT / "functions" / "retraining").rglob("*.py"))
PACKAGES = {"bench", "checks", "handsoff", "local", "pipeline_def", "retraining", "tests"}
"""The packages of this project, besides the handlers, which are modules."""


def imported(path: Path) -> set[str]:
    """The top-level names of everything that a file imports, at any place in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", HANDLERS, ids=lambda path: str(path.stem))
def test_a_handler_imports_only_retraining_from_this_project(path: Path) -> None:
    handlers = {handler.stem for handler in HANDLERS}
    assert imported(path) & (PACKAGES | handlers) == {"retraining"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.stem))
def test_retraining_imports_no_handler(path: Path) -> None:
    assert imported(path) & {handler.stem for handler in HANDLERS} == set()
