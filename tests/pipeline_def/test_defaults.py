"""The functions that score.py uses where own code has none do what those of SageMaker's packages do.

The packages are in .venv-serving. sagemaker_xgboost_container is in no package index; test_score.py has its
default functions.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from checks.serving.toolkit import environment
from tests.pipeline_def.own_code import SCORE

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
