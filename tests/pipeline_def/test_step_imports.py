"""The steps run where the image's packages and the scripts beside them are, and nothing else of ours."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from pipeline_def.publish import PROCESSING, TRAINING
from tests.pipeline_def.helpers import STEPS

IMAGE = {"boto3", "botocore", "joblib", "numpy", "pandas", "pyarrow", "scipy", "sklearn"}


@pytest.mark.parametrize("script", sorted(STEPS.glob("[a-z]*.py")), ids=lambda path: path.name)
def test_imports_what_the_image_has(script: Path) -> None:
    found = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add((node.module or "").split(".")[0])
    beside = set() if script.name in TRAINING else {Path(name).stem for name in PROCESSING}
    assert found <= IMAGE | set(sys.stdlib_module_names) | beside


def test_no_script_hides_a_module_of_python_or_of_the_image() -> None:
    assert not {path.stem for path in STEPS.glob("*.py")} & (IMAGE | set(sys.stdlib_module_names))
