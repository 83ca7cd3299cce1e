"""The functions that score.py uses where own code has none do what those of SageMaker's packages do.

The packages are in .venv-serving. sagemaker_xgboost_container is in no package index, and torch is large: the
functions for both are asked with stand-ins.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.linear_model import LogisticRegression

from checks.serving.toolkit import environment
from tests.pipeline_def.own_code import SCORE, artifact, score

pytestmark = pytest.mark.slow

SCRIPT = """
import collections, collections.abc, json, sys, warnings
collections.Mapping = collections.abc.Mapping
warnings.simplefilter("ignore")
import numpy as np
import handsoff_defaults as ours
from sagemaker_containers import _encoders
from sagemaker_inference import decoder, encoder

def sklearn_input(body, kind):
    found = _encoders.decode(body, kind)
    return found.astype(np.float32) if kind in ("text/csv", "application/json") else found

THEIRS = {
    "sklearn": {"input_fn": sklearn_input, "output_fn": _encoders.encode},
    None: {"input_fn": decoder.decode, "output_fn": encoder.encode},
}
BODIES = [
    "1,2\\n3,4", "1,2\\n3,4\\n", "1,2", "1", "1\\n2\\n", "1.5,\\n2,3", '"1","2"\\n"3","4"', "a,b\\nc,d",
    "1,\\n2,3", "1,a\\n2,b", "x,y\\n1,2",
    "[[1, 2], [3, 4]]", "[1, 2]", '[["a", 1]]', "[[1, null]]", '{"a": 1}', "", "1,2\\n3",
]
ANSWERS = [
    np.array([0.25, 1.0]), np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([0, 1]), np.array(["a", "b"]),
    np.array([0.1, 0.2], dtype=np.float32), [0.25, 1.0], [[0.25, 0.75]], np.float64(0.5),
]

def outcome(function, *given):
    try:
        found = function(*given)
    except Exception as error:
        return "an error"
    found = found[0] if isinstance(found, tuple) else found
    if isinstance(found, bytes):
        return found.hex()
    return found if isinstance(found, str) else [str(found.dtype), found.shape, repr(found.tolist())]

for framework, theirs in THEIRS.items():
    mine = ours.functions(framework)
    for kind in ("text/csv", "application/json", "application/x-npy", "text/plain"):
        for name, values in (("input_fn", BODIES), ("output_fn", ANSWERS)):
            for value in values:
                found = [outcome(one[name], value, kind) for one in (theirs, mine)]
                print(json.dumps([framework, name, kind, repr(value), *found]))
"""


@pytest.fixture(scope="module")
def outcomes() -> list[list[Any]]:
    """By framework, function, content type and value: what SageMaker's function makes of it, and ours."""
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("sagemaker-containers has a part in C, and there is no compiler")
    done = subprocess.run(
        [environment(), "-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(SCORE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_defaults_are_those_of_the_images(outcomes: list[list[Any]]) -> None:
    assert [one for one in outcomes if one[4] != one[5]] == []


def test_defaults_are_compared_on_values_that_are_read_and_on_values_that_are_not(
    outcomes: list[list[Any]],
) -> None:
    assert len(outcomes) == 208
    errors = sum(one[4] == "an error" for one in outcomes)
    assert 50 < errors < 150


def test_score_uses_scikit_learns_defaults_where_functions_are_missing(tmp_path: Path) -> None:
    fitted = LogisticRegression().fit([[0, 1], [1, 1], [2, 1], [3, 1]], [0, 0, 1, 1])
    stream = io.BytesIO()
    joblib.dump(fitted, stream)
    code = "import joblib\ndef model_fn(folder):\n    return joblib.load(folder + '/model.joblib')\n"
    files = {"model.joblib": stream.getvalue()}
    folder = artifact(tmp_path / "model", {"inference.py": code}, files, columns=["x", "z"], returns="label")
    rows = tmp_path / "rows.csv"
    rows.write_text("x,z\n0.5,1\n2.5,1\n3,1\n")

    assert score(folder, rows, tmp_path / "out").lines == ["label", "0", "1", "1"]

    rows.write_text("x,z\n0.5,1\n,1\n")
    found = score(folder, rows, tmp_path / "out")
    assert found.message == (
        "the image's own input_fn takes numbers only, and column x of row 2 of rows.csv is empty; "
        "write input_fn in the entry point if these rows need another one"
    )

    contract = artifact(tmp_path / "model", {"inference.py": code}, files, columns=["x", "z"])
    assert score(contract, rows, tmp_path / "out").message == (
        "the image's own predict_fn calls predict, which answers classes: write a predict_fn that calls "
        "predict_proba, or set inference.returns: label"
    )


@pytest.mark.parametrize("framework", ["xgboost", "pytorch", None])
def test_score_uses_the_defaults_of_the_framework(tmp_path: Path, framework: str | None) -> None:
    """The frameworks are stand-ins that show what they are asked."""
    fakes = {
        "xgboost.py": "class DMatrix:\n    def __init__(self, values):\n        self.values = values\n",
        "torch.py": (
            "import contextlib, numpy\n"
            "no_grad = contextlib.nullcontext\n"
            "FloatTensor = lambda values: numpy.asarray(values, dtype=numpy.float32)\n"
        ),
    }
    models = {
        "xgboost": (
            "class Model:\n    def predict(self, data, validate_features):\n"
            "        import numpy\n        return numpy.where(numpy.isnan(data.values[:, 1]), 0.5, 0.125)\n"
        ),
        "pytorch": (
            "class Model:\n    def eval(self):\n        pass\n"
            "    def __call__(self, data):\n        import numpy\n"
            "        return numpy.where(numpy.isnan(data[:, 1]), 0.5, 0.125)\n"
        ),
        None: (
            "Model = list\ndef predict_fn(data, model):\n    import numpy\n"
            "    return numpy.where(numpy.isnan(data[:, 1]), 0.5, 0.125)\n"
        ),
    }
    code = models[framework] + "def model_fn(folder):\n    return Model()\n"
    folder = artifact(
        tmp_path / "model", {"inference.py": code, **fakes}, framework=framework, columns=["x", "z"]
    )
    rows = tmp_path / "rows.csv"
    rows.write_text("x,c,z\n1.5,a,2.5\n2.5,b,\n")

    found = score(folder, rows, tmp_path / "out")

    assert (found.message, found.lines) == (None, ["probability", "0.125", "0.5"])


def test_score_hands_the_context_to_functions_that_take_one(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text('x\n1\n4\n""\n')
    code = """
def model_fn(folder, context):
    assert context.system_properties["model_dir"] == folder

def transform_fn(model, body, content_type, accept, context):
    return {"predictions": [0.5] * len(body.split("\\n"))}
"""
    folder = artifact(tmp_path / "model", {"inference.py": code}, framework="pytorch", columns=["x"])
    found = score(folder, rows, tmp_path / "out")

    assert (found.message, found.lines) == (None, ["probability", "0.5", "0.5", "0.5"])
