"""The steps run where only the image's packages are: nothing of this project, nothing else."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

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
    assert found <= IMAGE | set(sys.stdlib_module_names)
