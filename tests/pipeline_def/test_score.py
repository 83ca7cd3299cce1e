"""score.py as the job runs it: a process that asks a model which may do anything."""

from __future__ import annotations

import hashlib
import io
import json
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline_def.own_code import IMAGE, OWN, SCORE, artifact, score

pytestmark = pytest.mark.slow

ROWS = "x,c\n1,a\n4,b\n,\n"
"""Three rows: a number and a category, of which the last has none."""

MODEL = """
def model_fn(folder):
    return None

def input_fn(body, content_type):
    return body.split("\\n")

def predict_fn(rows, model):
    return [0.25 for row in rows]

def output_fn(found, accept):
    return ",".join(map(str, found)), "text/csv"
"""
"""Serving code that answers 0.25 for each row."""

EXPECTED = ["probability", "0.25", "0.25", "0.25"]


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return path


def model(folder: Path, code: str = MODEL, **contract: Any) -> Path:
    """The folder of an artifact whose inference.py is `code`."""
    return artifact(folder / "model", {"inference.py": code}, **contract)


def test_score_writes_one_prediction_for_each_row_and_what_scored_them(tmp_path: Path, rows: Path) -> None:
    found = score(model(tmp_path), rows, tmp_path / "out", forked=False)

    assert (found.code, found.message, found.lines) == (0, None, EXPECTED)
    packages = found.scoring.pop("packages")
    assert "numpy" in packages
    archive = (tmp_path / "model" / "model.tar.gz").read_bytes()
    assert found.scoring.pop("artifact") == {
        "sha256": hashlib.sha256(archive).hexdigest(),
        "bytes": len(archive),
    }
    assert found.scoring == {
        "schema_version": 1,
        "rows": 3,
        "returns": "probability",
        "package": None,
        "problem": None,
        "image": IMAGE,
        "python": found.scoring["python"],
        "config": OWN,
        "columns": ["x", "c"],
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["predictions.csv", "scoring.json"]


@pytest.mark.parametrize(
    ("change", "body", "kind"),
    [
        ({}, "1,a\n4,b\n,", "text/csv"),
        ({"header": True}, "x,c\n1,a\n4,b\n,", "text/csv"),
        ({"columns": ["c"]}, 'a\nb\n""', "text/csv"),
        ({"columns": ["c", "x"]}, "a,1\nb,4\n,", "text/csv"),
        ({"content_type": "application/json"}, '[[1, "a"], [4, "b"], [null, null]]', "application/json"),
        (
            {"content_type": "application/json", "header": True},
            '[{"x": 1, "c": "a"}, {"x": 4, "c": "b"}, {"x": null, "c": null}]',
            "application/json",
        ),
    ],
)
def test_score_sends_the_rows_as_the_contract_says(
    tmp_path: Path, rows: Path, change: dict[str, Any], body: str, kind: str
) -> None:
    seen = tmp_path / "seen.json"
    code = MODEL.replace(
        "return body.split",
        f"import json; print(json.dumps([body, content_type]), file=open({str(seen)!r}, 'a')); "
        f"return [1] * (3 if len(open({str(seen)!r}).readlines()) < 3 else 2); body.split",
    )

    assert score(model(tmp_path, code, **change), rows, tmp_path / "out").lines == EXPECTED

    assert json.loads(seen.read_text().splitlines()[0]) == [body, kind]


def test_score_bounds_the_rows_of_a_request_and_leaves_no_single_row_to_the_last(tmp_path: Path) -> None:
    seen = tmp_path / "seen.txt"
    code = MODEL.replace(
        "return body", f"print(len(body.split('\\n')), file=open({str(seen)!r}, 'a')); return body"
    )
    rows = tmp_path / "rows.csv"
    rows.write_text("x,c\n" + "1,a\n" * 2001)

    assert len(score(model(tmp_path, code), rows, tmp_path / "out").lines) == 2002

    assert seen.read_text().split() == ["1000", "999", "2", "20", "2"]


def test_score_bounds_the_bytes_of_a_request(tmp_path: Path) -> None:
    seen = tmp_path / "seen.txt"
    code = MODEL.replace(
        "return body", f"print(len(body.split('\\n')), file=open({str(seen)!r}, 'a')); return body"
    )
    rows = tmp_path / "rows.csv"
    rows.write_text("x,c\n" + f"1,{'a' * 1_500_000}\n" * 5)

    assert score(model(tmp_path, code), rows, tmp_path / "out").code == 0

    assert seen.read_text().split() == ["2", "2", "1", "2"]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("print('noise')\n" + MODEL, id="prints"),
        pytest.param("import sys; sys.stdout.close(); sys.stderr.close()\n" + MODEL, id="closes its output"),
        pytest.param("import os; os.chdir('/')\n" + MODEL, id="changes folder"),
        pytest.param(
            "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n" + MODEL,
            id="leaves a thread",
        ),
        pytest.param(
            "import subprocess\nsubprocess.Popen(['sleep', '600'])\n" + MODEL, id="leaves a process"
        ),
        pytest.param("import atexit, os\natexit.register(os._exit, 7)\n" + MODEL, id="ends at exit"),
        pytest.param("import score, handsoff_answers\n" + MODEL, id="has modules named as these"),
    ],
)
def test_score_is_not_disturbed_by_a_model_that(tmp_path: Path, rows: Path, code: str) -> None:
    files = {"inference.py": code, "score.py": "", "handsoff_answers.py": ""}
    found = score(artifact(tmp_path / "model", files), rows, tmp_path / "out", forked=False)

    assert (found.code, found.lines) == (0, EXPECTED)


def test_score_lets_a_model_start_copies_of_its_process(tmp_path: Path, rows: Path) -> None:
    """As joblib and loaders of batches do: such a process imports the main module again."""
    code = raising(
        "predict_fn",
        "import multiprocessing as m; p = m.get_context('spawn').Pool(1); assert p.map(abs, [-1]) == [1]",
    )

    assert score(model(tmp_path, code), rows, tmp_path / "out", forked=False).lines == EXPECTED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_score_that_is_stopped_leaves_no_process(tmp_path: Path, rows: Path, number: int) -> None:
    folder, pid = model(tmp_path, raising("predict_fn", HANG.format(tmp_path))), tmp_path / "pid"
    places = [f"--model={folder}", f"--rows={rows}", f"--output={tmp_path / 'out'}"]
    with subprocess.Popen([sys.executable, str(SCORE), *places]) as process:
        until(pid.exists)
        process.send_signal(number)

    until(lambda: not Path("/proc", pid.read_text()).exists())


HANG = (
    "import os, time; open('{0}/p', 'w').write(str(os.getpid())); os.rename('{0}/p', '{0}/pid'); "
    "time.sleep(600)"
)
"""A line that writes the number of its process to the file pid, and ends after ten minutes."""


def until(condition: Callable[[], bool]) -> None:
    """Wait for at most 30 seconds."""
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError


def raising(function: str, line: str) -> str:
    """The serving code with this line at the start of a function."""
    head = next(text for text in MODEL.split("\n") if text.startswith(f"def {function}("))
    return MODEL.replace(head, f"{head}\n    {line}")


PROBLEMS = [
    ("raise ValueError('bad')\n" + MODEL, "the entry point failed: ValueError: bad"),
    (
        "import nothing_here\n" + MODEL,
        "the entry point failed: ModuleNotFoundError: No module named 'nothing_here'",
    ),
    ("def model_fn(:\n", "the entry point failed: SyntaxError: invalid syntax"),
    (
        raising("model_fn", "open(folder + '/none')"),
        "model_fn failed: FileNotFoundError: [Errno 2] No such file",
    ),
    (raising("input_fn", "raise KeyError('x')"), "input_fn failed: KeyError: 'x'"),
    (raising("predict_fn", "raise MemoryError"), "predict_fn failed: MemoryError"),
    (raising("output_fn", "raise ValueError('two\\nlines')"), "output_fn failed: ValueError: two lines"),
    (
        raising("predict_fn", "import sys; sys.exit(0)"),
        "predict_fn called sys.exit(0); it must return its result",
    ),
    (
        raising("model_fn", "import pickle; pickle.loads(b'c__main__\\nEncoder\\n.')"),
        "; the pickle needs a class or function that the training script itself "
        "defines: move it to a module of training.source_dir that both scripts import, and train again",
    ),
    (raising("predict_fn", "raise KeyboardInterrupt"), "predict_fn failed: KeyboardInterrupt"),
    (
        raising("predict_fn", "import os; os._exit(0)"),
        "before it had answered all rows, the model's process ended with code 0",
    ),
    (
        raising("predict_fn", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"),
        "before it had answered all rows, the model's process was ended by SIGSEGV",
    ),
    (
        raising("predict_fn", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        "the model's process was ended by SIGKILL; perhaps it needed more memory than training.instance_type",
    ),
    (
        MODEL.replace("for row in rows]", "for row in rows[1:]]"),
        "answered 2 predictions for 3 rows, expected",
    ),
    (
        MODEL.replace("0.25", "float('nan')"),
        "for row 1 of rows.csv the model answered nan, expected a finite number",
    ),
    (
        MODEL.replace("0.25", "7"),
        "for row 1 of rows.csv the model answered another number, expected a probability from 0 to 1",
    ),
    (
        MODEL.replace("0.25", "'yes'"),
        "for row 1 of rows.csv the model answered a text, expected a finite number",
    ),
    (raising("output_fn", "return None"), "answered an object of type NoneType, which no container can send"),
    (
        raising("output_fn", "import numpy; return numpy.array(found)"),
        "the model answered an object of type ndarray, which no container can send; output_fn must",
    ),
    (raising("output_fn", "return ''"), "answered nothing, expected a probability for each row"),
    (
        raising("output_fn", "return b'\\xff\\xfe'"),
        "answered bytes of type text/csv that are no text in UTF-8",
    ),
    (
        MODEL + "def transform_fn(model, body, kind, accept):\n    return ''\n",
        "inference.py has transform_fn beside input_fn, predict_fn or output_fn; the image",
    ),
    ("x = 1\n", "inference.py has no model_fn, and the image has none of its own: write model_fn"),
]


@pytest.mark.parametrize(("code", "problem"), PROBLEMS, ids=[problem[:40] for _, problem in PROBLEMS])
def test_score_tells_what_is_wrong_in_one_line(tmp_path: Path, rows: Path, code: str, problem: str) -> None:
    found = score(model(tmp_path, code), rows, tmp_path / "out")

    assert found.code == 1
    assert problem in (found.message or "")
    assert "\n" not in (found.message or "")
    assert (found.lines, found.scoring) == ([], {})


@pytest.mark.parametrize(
    "code", [MODEL.replace("0.25", "7"), raising("predict_fn", "import os; os._exit(0)")]
)
def test_score_with_optional_puts_the_problem_into_scoring_json(
    tmp_path: Path, rows: Path, code: str
) -> None:
    folder = model(tmp_path, code)
    source = {"package": "arn:of:it", "image": IMAGE, "problem": None}
    (folder / "source.json").write_text(json.dumps(source))

    found = score(folder, rows, tmp_path / "out", "--optional")

    assert (found.code, found.message, found.lines) == (0, None, [])
    assert found.scoring["package"] == "arn:of:it"
    assert found.scoring["problem"] in found.log
    assert found.scoring["problem"]


def test_score_hands_on_that_there_is_no_champion_and_why(tmp_path: Path, rows: Path) -> None:
    for package, problem in ((None, None), ("arn:of:it", "its model cannot be read")):
        folder = tmp_path / f"model-{package}"
        folder.mkdir()
        source = {"package": package, "image": None, "problem": problem}
        (folder / "source.json").write_text(json.dumps(source))

        found = score(folder, rows, tmp_path / f"out-{package}", "--optional")

        assert (found.code, found.scoring["package"], found.scoring["problem"]) == (0, package, problem)


def test_score_does_not_ask_a_champion_that_another_image_serves(tmp_path: Path, rows: Path) -> None:
    folder = model(tmp_path)
    (folder / "source.json").write_text(json.dumps({"package": "arn:of:it", "image": "a:1", "problem": None}))

    found = score(folder, rows, tmp_path / "out", "--optional", "--image", "b:2")

    assert found.scoring["problem"] == (
        "it is served by a:1, and this job runs b:2: start the execution by a start request, "
        "which gives each model its own image"
    )


def test_score_refuses_an_archive_that_leads_out_of_its_folder(tmp_path: Path, rows: Path) -> None:
    (tmp_path / "model").mkdir()
    with tarfile.open(tmp_path / "model" / "model.tar.gz", "w:gz") as packed:
        packed.addfile(tarfile.TarInfo("../../outside"), io.BytesIO())

    found = score(tmp_path / "model", rows, tmp_path / "out")

    assert found.code == 1
    assert "model.tar.gz cannot be unpacked" in (found.message or "")


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_score_tells_that_there_is_no_model(tmp_path: Path, rows: Path, content: bytes | None) -> None:
    (tmp_path / "model").mkdir()
    if content is not None:
        (tmp_path / "model" / "model.tar.gz").write_bytes(content)

    found = score(tmp_path / "model", rows, tmp_path / "out")

    assert (found.code, (found.message or "")[:32]) == (1, "model.tar.gz cannot be unpacked:")


def test_score_needs_the_columns_of_the_model(tmp_path: Path, rows: Path) -> None:
    found = score(model(tmp_path, columns=["x", "age"]), rows, tmp_path / "out")

    assert found.message == "the validation rows have no column age, which it needs"


def test_score_installs_requirements_beside_the_packages_of_the_image(
    tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "quarter-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("quarter.py", "VALUE = 0.25\n")
        wheel.writestr(
            "quarter-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: quarter\nVersion: 1.0\n"
        )
        wheel.writestr(
            "quarter-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("quarter-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    code = "import quarter, numpy\n" + MODEL.replace("0.25", "quarter.VALUE")
    needs = {"inference.py": code, "requirements.txt": "quarter==1.0\nnumpy\n"}

    found = score(artifact(tmp_path / "model", needs), rows, tmp_path / "out")

    assert (found.message, found.lines) == (None, EXPECTED)
    assert found.scoring["packages"]["quarter"] == "1.0"

    found = score(
        artifact(tmp_path / "model", {**needs, "requirements.txt": "no-such==9\n"}), rows, tmp_path / "out"
    )
    assert found.message == (
        "the packages of requirements.txt cannot be installed: ERROR: Could not find a version that "
        "satisfies the requirement no-such==9 (from versions: none)"
    )
