"""score.py and models that answer, but not what they seem to: other classes, other rows, other times."""

from __future__ import annotations

import ast
import io
import json
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tests.pipeline_def.own_code import OWN, SCORE, artifact, score

pytestmark = pytest.mark.slow

HEAD = """
import io, json, joblib, numpy as np, pandas as pd

def input_fn(body, kind):
    return pd.read_csv(io.StringIO(body), header=None)[[0]].to_numpy()

def output_fn(found, accept):
    return pd.DataFrame(found).to_csv(index=False, header=False)

def model_fn(folder):
    return joblib.load(folder + "/m.joblib")
"""
"""Serving code without predict_fn. It reads the number of each row."""

PLAIN = """
def model_fn(folder):
    return 1

def input_fn(body, kind):
    return [float(line.split(",")[0]) for line in body.splitlines()]

def output_fn(found, accept):
    return "\\n".join(map(str, found))
"""
"""The same with the standard library."""


def rows_of(folder: Path, count: int = 50) -> Path:
    path = folder / "rows.csv"
    path.write_text('"x","c"\n' + "".join(f'"{(at * 7) % count}","a"\n' for at in range(count)))
    return path


def fitted(classes: list[Any]) -> bytes:
    """A classifier of the number x, whose classes it sorts."""
    x = np.arange(60)[:, None] / 10
    model = LogisticRegression().fit(x, np.array(classes)[np.arange(60) * len(classes) // 60])
    stream = io.BytesIO()
    joblib.dump(model, stream)
    return stream.getvalue()


ORDER = "the model's classes_ are {}, and its columns of predict_proba were answered as those of {}"

POSITIONS = [
    "return m.predict_proba(X)",
    "return m.predict_proba(X)[:, -1:]",
    "return m.predict_proba(X).round(4)",
    "return {'wrapped': m}['wrapped'].predict_proba(X)",
]


@pytest.mark.parametrize("classes", [["stayed", "left"], ["1", "0"], ["b", "c", "a"]])
@pytest.mark.parametrize("line", POSITIONS)
def test_score_refuses_probabilities_in_the_order_of_the_models_classes(
    tmp_path: Path, classes: list[str], line: str
) -> None:
    if len(classes) == 3 and "-1" in line:
        return
    code = {"inference.py": HEAD + f"def predict_fn(X, m):\n    {line}\n"}
    files = {"m.joblib": fitted([int(name) if name.isdecimal() else name for name in classes])}
    folder = artifact(tmp_path / "m", code, files, config={**OWN, "classes": classes})

    found = score(folder, rows_of(tmp_path), tmp_path / "out")

    assert ORDER.format(", ".join(sorted(classes)), ", ".join(classes)) in (found.message or "")


@pytest.mark.parametrize(
    ("classes", "line"),
    [
        (["left", "stayed"], "return m.predict_proba(X)"),
        (["stayed", "left"], "return m.predict_proba(X)[:, [list(m.classes_).index('left')]]"),
        (["stayed", "left"], "return m.predict_proba(X)[:, ::-1]"),
        (["stayed", "left"], "return 0.9 * m.predict_proba(X)[:, :1]"),
        (["stayed", "left"], "m.predict_proba(X); return np.full((len(X), 1), 0.5)"),
    ],
)
def test_score_takes_probabilities_of_the_right_class(tmp_path: Path, classes: list[str], line: str) -> None:
    code = {"inference.py": HEAD + f"def predict_fn(X, m):\n    {line}\n"}
    files = {"m.joblib": fitted(["left", "stayed"])}
    folder = artifact(tmp_path / "m", code, files, config={**OWN, "classes": classes})

    assert score(folder, rows_of(tmp_path), tmp_path / "out").message is None


@pytest.mark.parametrize("count", [3, 50, 1500])
@pytest.mark.parametrize(
    "lines",
    [
        pytest.param("d=np.array(d); return 1/(1+np.exp(-(d-d.mean())/(d.std()+1e-9)))", id="standardised"),
        pytest.param("p=[x/2000 for x in d]; random.shuffle(p); return p", id="shuffled"),
        pytest.param("return sorted(x/2000 for x in d)", id="sorted"),
        pytest.param("return [random.random() for x in d]", id="chance"),
        pytest.param("return [min(1, x / 2000 + len(d) / 5000 + .01 * (len(d) < 3)) for x in d]", id="size"),
    ],
)
def test_score_refuses_answers_that_depend_on_the_rest_of_the_request(
    tmp_path: Path, lines: str, count: int
) -> None:
    code = "import random, numpy as np\nrandom.seed(5)\n" + PLAIN + f"def predict_fn(d, m):\n    {lines}\n"
    rows = tmp_path / "rows.csv"
    rows.write_text('"x","c"\n' + "".join(f'"{at * 977 % 2000}","a"\n' for at in range(count)))

    found = score(artifact(tmp_path / "m", {"inference.py": code}), rows, tmp_path / "out")

    assert "of rows.csv the model answered" in (found.message or "")
    assert "its answer depends on the other rows of the request" in (found.message or "")


def test_score_allows_rounding_and_tells_of_a_small_request_that_fails(tmp_path: Path) -> None:
    rounding = PLAIN + "def predict_fn(d, m):\n    return [x / 60 + len(d) * 1e-9 for x in d]\n"
    found = score(artifact(tmp_path / "m", {"inference.py": rounding}), rows_of(tmp_path), tmp_path / "out")
    assert found.message is None

    few = PLAIN + "def predict_fn(d, m):\n    assert len(d) > 2\n    return [0.5 for x in d]\n"
    found = score(artifact(tmp_path / "m", {"inference.py": few}), rows_of(tmp_path), tmp_path / "out")
    assert found.message == (
        "predict_fn failed: AssertionError (inference.py, line 11) "
        "(in a request of 2 rows; a larger one worked)"
    )


@pytest.mark.parametrize("options", [(), ("--optional",)])
def test_score_that_gets_no_answer_says_so_before_the_job_is_stopped(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    code = PLAIN + "def predict_fn(d, m):\n    import time\n    time.sleep(600)\n"
    folder = artifact(tmp_path / "m", {"inference.py": code})

    found = score(folder, rows_of(tmp_path), tmp_path / "out", "--seconds", "3", *options)

    problem = found.scoring["problem"] if options else found.message
    assert (found.code, problem) == (
        0 if options else 1,
        "the model has not answered all rows within 0.05 minutes; its log may say why. "
        "A longer training.max_runtime gives the job more time",
    )


CELL = "Alice Smith, 12 Main St"
"""A cell that nobody may read in a reason."""

TELLING: dict[str, tuple[str, dict[str, Any]]] = {
    "the image's own input_fn": ("def model_fn(f):\n    return 1\ndef predict_fn(d, m):\n    return d\n", {}),
    "own input_fn": ("def model_fn(f):\n    return 1\ndef input_fn(b, c):\n    float(b)\n", {}),
    "an answer": (
        PLAIN.replace('float(line.split(",")[0])', "line.strip('\"')")
        + "def predict_fn(d, m):\n    return d\n",
        {},
    ),
    "status": (
        PLAIN.replace('[float(line.split(",")[0]) for line in body.splitlines()]', "body")
        + "class R:\n    mimetype, status_code = 'text/csv', 500\n"
        "def predict_fn(d, m):\n    R.response = d\n    return R\n"
        "def output_fn(p, a):\n    return p\n",
        {},
    ),
    "sys.exit": ("import sys\n" + PLAIN.replace("[float(line", "sys.exit(body) or [float(line"), {}),
    "JSON": (
        PLAIN,
        {
            "content_type": "application/json",
            "config": {**OWN, "features": {"numeric": ["c"], "categorical": []}},
        },
    ),
}

PLACES_ONLY = ("the image's own input_fn", "JSON")
"""Of these the place of a cell is told, and of the candidate's rows as well no cell."""


@pytest.mark.parametrize("name", TELLING)
def test_score_tells_a_cell_of_the_candidate_alone_and_only_if_values_are_shown(
    tmp_path: Path, name: str
) -> None:
    code, contract = TELLING[name]
    code += "" if "def predict_fn" in code else "def predict_fn(d, m):\n    return d\n"
    folder = artifact(tmp_path / "m", {"inference.py": code}, columns=["c"], **contract)
    rows = tmp_path / "rows.csv"
    rows.write_text(f'"x","c"\n"7","{CELL}"\n"8","{CELL} and more"\n')

    found = score(folder, rows, tmp_path / "out", "--optional", "--show-values")
    candidate = score(folder, rows, tmp_path / "candidate")
    shown = score(folder, rows, tmp_path / "shown", "--show-values")

    assert ("Alice" in (shown.message or "")) is (name not in PLACES_ONLY)
    assert candidate.message
    assert found.scoring["problem"]
    for text in (candidate.message, candidate.log, found.scoring["problem"]):
        assert not any(word in text for word in ("Alice", "Main"))


def test_score_names_the_place_of_a_cell_that_is_no_number(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text('"x","c"\n' + '"7","1"\n' * 1500 + f'"8","{CELL}"\n"8","2"\n')
    for name, cell in (("the image's own input_fn", "takes numbers only, and "), ("JSON", "")):
        code, contract = TELLING[name]
        code += "" if "def predict_fn" in code else "def predict_fn(d, m):\n    return [0.5] * 1000\n"
        if name == "JSON":
            code = (
                "def model_fn(f):\n    return 1\ndef input_fn(b, c):\n    return json.loads(b)\nimport json\n"
            )
            code += "def predict_fn(d, m):\n    return [0.5] * len(d)\n"
        else:
            code = code.replace("return d", "return [0.5] * len(d)")
        folder = artifact(tmp_path / name, {"inference.py": code}, columns=["x", "c"], **contract)

        found = score(folder, rows, tmp_path / "out")

        assert f"{cell}column c of row 1,501 of rows.csv is text" in (found.message or "")


def test_score_shows_sixty_characters_of_a_candidates_error_and_its_place(tmp_path: Path) -> None:
    code = PLAIN + "def predict_fn(d, m):\n    raise ValueError('x' * 100)\n"
    folder = artifact(tmp_path / "m", {"inference.py": code})

    found = score(folder, rows_of(tmp_path), tmp_path / "out", "--show-values")
    champion = score(folder, rows_of(tmp_path), tmp_path / "champion", "--optional", "--show-values")
    hidden = score(folder, rows_of(tmp_path), tmp_path / "hidden")

    assert found.message == f"predict_fn failed: ValueError: {'x' * 60}… (inference.py, line 11)"
    assert hidden.message == champion.scoring["problem"]
    assert hidden.message == (
        "predict_fn failed: ValueError (inference.py, line 11): its message is left out, as it may quote a "
        "row: approvers.show_values shows it"
    )
    assert "x" * 100 in champion.log
    assert "x" * 100 not in hidden.log


def test_score_reads_rows_of_one_column_nul_and_carriage_returns(tmp_path: Path) -> None:
    code = HEAD.replace('return joblib.load(folder + "/m.joblib")', "return 1").replace(
        "[[0]].to_numpy()", ""
    )
    code += "def predict_fn(d, m):\n    return [0.5] * len(d)\n"
    for name, text in (
        ("empty", "5\n\n7\n"),
        ("last", "5\n7\n\n"),
        ("nul", '"a\0b"\n6\n7\n'),
        ("cr", '"a\rb"\n6\n7\n'),
    ):
        rows = tmp_path / "rows.csv"
        rows.write_text("c\n" + text, newline="")
        found = score(
            artifact(tmp_path / name, {"inference.py": code}, columns=["c"]), rows, tmp_path / "out"
        )
        assert (found.message, len(found.lines)) == (None, 4)


@pytest.mark.parametrize("framework", ["sklearn", "xgboost"])
def test_score_gives_no_context_where_the_server_gives_none(tmp_path: Path, framework: str) -> None:
    code = PLAIN + "def predict_fn(d, m, context):\n    return [0.5] * len(d)\n"
    folder = artifact(tmp_path / "m", {"inference.py": code}, framework=framework)
    found = score(folder, rows_of(tmp_path), tmp_path / "out")
    assert "predict_fn failed: TypeError: " in (found.message or "")

    code = PLAIN.replace("(body, kind)", "(body, kind, request=None)").replace(
        "    return [f", "    assert request is None\n    return [f"
    )
    code += "def predict_fn(d, m):\n    return [0.5] * len(d)\n"
    folder = artifact(tmp_path / "m", {"inference.py": code}, framework=framework)
    assert score(folder, rows_of(tmp_path), tmp_path / "out").message is None


def test_score_installs_what_serving_installs(tmp_path: Path) -> None:
    code = {"inference.py": PLAIN + "def predict_fn(d, m):\n    return [0.5] * len(d)\n"}
    code["requirements.txt"] = "no-such-package==9\n"
    folder = artifact(tmp_path / "m", code, training={"files": ["inference.py"]})

    found = score(folder, rows_of(tmp_path), tmp_path / "out")

    assert found.message is None
    assert "code/requirements.txt is not installed: it is not in training.source_dir" in found.log


@pytest.mark.parametrize(
    "contract",
    [
        {"columns": "abc"},
        {"columns": ["x", 5]},
        {"config": None},
        {"config": {"task": "x"}},
        {"config": {**OWN, "features": 3}},
        {"schema_version": 2},
        {"training": 3},
    ],
)
def test_score_tells_of_a_contract_that_is_none(tmp_path: Path, contract: dict[str, Any]) -> None:
    code = {
        "inference.py": PLAIN + "def predict_fn(d, m):\n    return [0.5] * len(d)\n",
        "requirements.txt": "",
    }
    folder = artifact(tmp_path / "m", code, **contract)
    (folder / "source.json").write_text(json.dumps({"package": "arn:of:it", "image": None, "problem": None}))

    found = score(folder, rows_of(tmp_path), tmp_path / "out", "--optional")

    assert found.scoring["problem"] == (
        "code/handsoff.json of the model (code/model.json of a built-in estimator) is not the file that "
        "handsoff writes there: leave it out of training.source_dir, and train again"
    )


def test_score_names_the_row_of_the_file(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text('"x","c"\n' + '"0","a"\n' * 2000 + '"9","a"\n' + '"0","a"\n' * 500)
    code = PLAIN + "def predict_fn(d, m):\n    return d\n"

    found = score(artifact(tmp_path / "m", {"inference.py": code}), rows, tmp_path / "out")

    assert found.message == (
        "for row 2,001 of rows.csv the model answered another number, expected a probability from 0 to 1"
    )


@pytest.mark.parametrize("script", sorted(SCORE.parent.glob("*.py")), ids=lambda path: path.name)
def test_scoring_scripts_are_python_3_8_and_use_numpy_only(script: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 8))):
        if isinstance(node, ast.Import):
            imported |= {item.name.split(".")[0] for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module).split(".")[0])
    beside = {path.stem for path in SCORE.parent.glob("*.py")}
    assert imported <= beside | set(sys.stdlib_module_names) | {"numpy"}
