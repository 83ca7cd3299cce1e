"""The steps import the image's packages and the scripts beside them, and nothing else."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import train
from pipeline_def.publish import DRAWING, PROCESSING, SERVING, TRAINING, package_zip
from tests.pipeline_def.helpers import STEPS

ALONE = """
for module in list(sys.modules.values()):
    assert "pipeline_def" not in (getattr(module, "__file__", None) or ""), module
"""
DRAWS = """
import sys
from importlib.machinery import PathFinder

class Image(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "drawsvg":
            path = [place for place in sys.path if "site-packages" not in place]
        return PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Image if each is PathFinder else each for each in sys.meta_path]
import canvas
print(canvas.drawsvg.__file__.split("/")[-3])
print(canvas.Canvas("a <b>").svg().splitlines()[-3])
"""
"""Draws where the installed drawsvg is hidden, as in SageMaker's image."""

WITHOUT_PANDAS = """
import sys
import hashes
import preprocess
from hidden_pandas import hidden
import pyarrow as pa
import pyarrow.compute as pc
with hidden():
    values = pa.array(["a", None]), pa.scalar("a"), pc.equal(pa.array([1.0]), 1.0)
    print("pandas" in sys.modules)
    hashes.of_texts(pa.array(["x" * hashes.LONG]), "handsoff-row-id1")
    print("pandas" in sys.modules)
import pandas as pd
print(pa.table({"x": [3.0]}).to_pandas()["x"].tolist())
print(pa.array(pd.Series([None, 1.0])).null_count)
"""
"""Uses pyarrow as the step does while pandas is hidden, then pandas as any code may."""

IMAGE = {"boto3", "botocore", "joblib", "numpy", "pandas", "pyarrow", "scipy", "sklearn"}


def imported(script: Path) -> set[str]:
    """The top-level modules that a script imports when it runs: not those for type checkers only."""
    found = set()
    for node in ast.walk(RunTime().visit(ast.parse(script.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add((node.module or "").split(".")[0])
    return found


class RunTime(ast.NodeTransformer):
    """Leaves out `if TYPE_CHECKING:`, which no interpreter enters."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        checked = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if checked else self.generic_visit(node)


@pytest.mark.parametrize("script", sorted(STEPS.glob("[a-z]*.py")), ids=lambda path: path.name)
def test_script_imports_only_what_its_job_has(script: Path) -> None:
    found = imported(script)
    published = {DRAWING} if script.name == "canvas.py" else set()
    for beside in (scripts for scripts in (TRAINING, PROCESSING) if script.name in scripts):
        known = IMAGE | published | set(sys.stdlib_module_names)
        assert found <= known | {Path(name).stem for name in beside}


@pytest.mark.slow
def test_preprocess_of_a_built_in_model_imports_no_scikit_learn() -> None:
    """It takes a second and 70 MB. Only own code's champion and anchor need what imports it."""
    script = "import preprocess, sys; print({'joblib', 'scipy', 'sklearn'} & sys.modules.keys())"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, cwd=STEPS, capture_output=True, check=True).stdout == b"set()\n"


@pytest.mark.slow
def test_preprocess_imports_no_pandas_unless_a_long_text_needs_it() -> None:
    """pyarrow would import it with the first array, for a quarter of a second."""
    command = [sys.executable, "-c", WITHOUT_PANDAS]
    told = subprocess.run(command, cwd=STEPS, capture_output=True, check=True, text=True).stdout
    assert told.splitlines() == ["False", "True", "[3.0]", "1"]


@pytest.mark.slow
def test_preprocess_starts_no_thread_of_openblas() -> None:
    """Each would spin for 0.1 s of CPU time. The variable must be set before the first import of numpy."""
    script = "import preprocess, threadpoolctl; print(threadpoolctl.threadpool_info()[0]['num_threads'])"
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=STEPS, capture_output=True, check=True, env=variables)
    assert done.stdout == b"1\n"


@pytest.mark.slow
def test_only_job_makes_temporary_folders() -> None:
    """job.scratch makes them where the job has room: Python's own choice is the root disk."""
    assert [path.name for path in STEPS.glob("*.py") if "tempfile" in imported(path)] == ["job.py"]


def test_script_names_hide_no_module_of_python_or_of_the_image() -> None:
    assert not {path.stem for path in STEPS.glob("*.py")} & (IMAGE | set(sys.stdlib_module_names))


@pytest.mark.parametrize("script", SERVING)
def test_serving_scripts_import_none_of_the_other_scripts(script: str) -> None:
    """train.py copies these alone beside the model."""
    beside = {"cells", "dates", "inference", "serving_request"}
    assert imported(STEPS / script) <= IMAGE | set(sys.stdlib_module_names) | beside


def test_serving_scripts_are_those_that_train_copies() -> None:
    assert train.SERVING == SERVING == ("cells.py", "dates.py", "inference.py", "serving_request.py")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scripts", "start"), [(PROCESSING, "preprocess"), (PROCESSING, "evaluate"), (TRAINING, "train")]
)
def test_step_imports_its_modules_from_the_published_folder(
    scripts: tuple[str, ...], start: str, tmp_path: Path
) -> None:
    """A fresh Python imports the step's script from a folder that holds only what the job gets."""
    for name in scripts:
        shutil.copyfile(STEPS / name, tmp_path / name)
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]; import {start}\n{ALONE}"],
        cwd=tmp_path,
        timeout=60,
        check=True,
    )


@pytest.mark.slow
def test_canvas_draws_with_the_published_package_where_none_is_installed(tmp_path: Path) -> None:
    """SageMaker's image has no drawsvg. A fresh Python sees the published code, and no installed package."""
    for name in PROCESSING:
        shutil.copyfile(STEPS / name, tmp_path / name)
    (tmp_path / f"{DRAWING}.zip").write_bytes(package_zip(DRAWING))
    drawn = subprocess.run(
        [sys.executable, "-c", DRAWS],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=True,
        text=True,
    )
    assert drawn.stdout == "drawsvg.zip\n<title>a &lt;b&gt;</title>\n"
