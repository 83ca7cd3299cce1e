"""A value unlike any other is put into each kind of cell. It leaves no job unless values are shown.

Looked at are the reason of a failure, the log, what is stored beside a model, and what the functions make of
reason and log: e-mail, JSON, the lines of the log that stand in the evidence. The same with values shown sees
the value, so the checks could fail. tests/functions/starts/test_values_stay.py does so for the inspection.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_def.publish import ENTRY, WORDS
from retraining.aws.job_words import tellable, without_values
from retraining.notifications.messages import Notification
from tests.pipeline_def.helpers import BOOLEANS, PRICES, SMALL, Run, land, register
from tests.pipeline_def.own_code import artifact, score

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

CANARY = "Quetzal77813"
"""A text that stands nowhere else."""

NUMBER = "90817.25"
"""A number that stands nowhere else, and that is the greatest of its column."""

SEEN = re.compile(r"Quetzal|77813|90817|90,817|9\.08")
"""Either of them, or a part of it."""

DATES: dict[str, Any] = {**SMALL, "features": {"numeric": ["x"], "categorical": ["c"], "date": ["d"]}}


def told(reason: str, log: str) -> str:
    """What the functions make of a failed job: words for the evidence, e-mail and JSON."""
    known = without_values(reason)
    lines = tellable(log.splitlines(), known)
    message = Notification.about(
        "arn:x", "execution_failed", model="small", reasons=[known], execution_arn="arn:x", log_lines=lines
    )
    return "\n".join([known, *lines, message.as_text(), message.as_json()])


# ---- DataPreProcessing ------------------------------------------------------------------------------------


def parquet(**columns: pa.Array) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


BAD: dict[str, tuple[dict[str, Any], str | bytes, str]] = {
    "number": (SMALL, f"x,c,y\n1,a,0\n{CANARY},a,0\n", "train.csv"),
    "class": (SMALL, f"x,c,y\n1,a,{CANARY}\n", "train.csv"),
    "target": (PRICES, f"x,c,y\n1,a,{CANARY}\n", "train.csv"),
    "boolean": (BOOLEANS, f"x,b,y\n1,{CANARY},0\n", "train.csv"),
    "date": (DATES, f"x,c,d,y\n1,a,{CANARY},0\n", "train.csv"),
    "date of rows": (
        {**SMALL, "data": {"date": "d", "split": {"by": {"time": "d"}, "validation": 0.2}}},
        f"x,c,d,y\n1,a,{CANARY},0\n",
        "all.csv",
    ),
    "weight": ({**SMALL, "data": {"weight": "w"}}, f"x,c,w,y\n1,a,{CANARY},0\n", "train.csv"),
    "negative weight": ({**SMALL, "data": {"weight": "w"}}, f"x,c,w,y\n1,a,-{NUMBER},0\n", "train.csv"),
    "change": (
        {**SMALL, "data": {"cdc": {"operation": "Op", "key": ["c"]}}},
        f"Op,x,c,y\n{CANARY},1,a,0\n",
        "train.csv",
    ),
    "decimal comma": (SMALL, "x,c,y\n1,a,0\n" + f'"{NUMBER.replace(".", ",")}",a,0\n', "train.csv"),
    "one cell more": (SMALL, f"x,c,y\n1,a,0,{CANARY}\n", "train.csv"),
    "column without a name": (SMALL, f"x,c,y,\n1,a,0,{CANARY}\n", "train.csv"),
    "no header": (SMALL, f"{CANARY},{CANARY},0\n{CANARY},b,1\n", "train.csv"),
    "other header": (SMALL, f"x,{CANARY},y\n1,a,0\n", "train.csv"),
    "quote that does not end": (SMALL, f'x,c,y\n1,"{CANARY},0\n', "train.csv"),
    "not UTF-8": (SMALL, f"x,c,y\n1,{CANARY}\xe9,0\n".encode("latin-1"), "train.csv"),
    "zero byte": (SMALL, f"x,c,y\n1,{CANARY}\0,0\n", "train.csv"),
    "JSON lines": (SMALL, json.dumps({"x": CANARY, "c": "a", "y": 0}) + "\n", "train.csv"),
    "value in a folder": (SMALL, f"x,c,y\n1,{CANARY},0\n", "train/c=b/part.csv"),
    "Parquet number": (
        SMALL,
        parquet(x=pa.array([CANARY]), c=pa.array(["a"]), y=pa.array(["0"])),
        "train.parquet",
    ),
    "Parquet class": (
        SMALL,
        parquet(x=pa.array([1.0]), c=pa.array(["a"]), y=pa.array([CANARY])),
        "train.parquet",
    ),
    "Parquet bytes": (
        SMALL,
        parquet(x=pa.array([1.0]), c=pa.array([b"\xff" + CANARY.encode()]), y=pa.array(["0"])),
        "train.parquet",
    ),
}

NO_VALUE = ("quote that does not end", "not UTF-8", "zero byte", "JSON lines", "Parquet bytes")
"""Of these the place alone is known, or is the whole reason, whether values are shown or not."""


@pytest.mark.parametrize("show", [False, True], ids=["hidden", "shown"])
@pytest.mark.parametrize("kind", BAD)
def test_bad_cell_is_told_by_place_and_by_value_only_if_values_are_shown(
    kind: str, show: bool, s3: S3Client, tmp_path: Path, base_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, body, name = BAD[kind]
    land(s3, f"curated/small/{name}", body)
    if name != "all.csv":
        land(s3, "curated/small/validation.csv", "x,c,b,d,w,Op,y\n1,a,t,2026-01-01,1,I,0\n")
    run = Run(tmp_path / "run", s3, {**config, "show_values": show}, "abcdefghijkl")

    assert run.preprocess() == 1

    reason = (base_dir / "output" / "message").read_text()
    written = capsys.readouterr()
    log = written.out + written.err
    assert name.rpartition("/")[2].partition(".")[0] in reason
    if not show:
        assert not SEEN.search("\n".join([reason, log, told(reason, log)]))
    elif kind not in NO_VALUE:
        assert SEEN.search(reason)
        assert SEEN.search(told(reason, log))


# ---- an execution that succeeds ---------------------------------------------------------------------------

ROWS = [f"{n % 40}.5,{'abc'[n % 3]},{n},1.5,2026-0{n % 6 + 1}-11,{n * 7 % 2}" for n in range(160)]


@pytest.mark.parametrize("show", [False, True], ids=["hidden", "shown"])
@pytest.mark.parametrize("task", ["classes", "numbers"])
@pytest.mark.slow
def test_values_of_single_rows_are_in_no_report_evaluation_picture_or_log_unless_shown(
    task: str,
    show: bool,
    s3: S3Client,
    sagemaker: SageMakerClient,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    base = SMALL if task == "classes" else PRICES
    data = {"identity": ["i"], "weight": "w", "date": "d"}
    config = {**base, "data": data, "show_values": show}
    odd = f"{NUMBER},{CANARY},{CANARY},{NUMBER},2391-07-13,{'1' if task == 'classes' else NUMBER}"
    champion = Run(tmp_path / "first", s3, config, "aaaaaaaaaaaa")
    header = "x,c,i,w,d,y\n"
    for run, odd_rows in ((champion, []), (Run(tmp_path / "second", s3, config, "bbbbbbbbbbbb"), [odd])):
        land(s3, "curated/small/train.csv", header + "\n".join([*ROWS[:100], *odd_rows]) + "\n")
        land(s3, "curated/small/validation.csv", header + "\n".join([*ROWS[100:], *odd_rows]) + "\n")
        assert run.preprocess() == 0
        run.train()
        evaluation = run.evaluate(register(sagemaker, champion) if run is not champion else "none")
    written = capsys.readouterr()
    stored = [path.read_text() for path in (tmp_path / "second" / "output").rglob("*.json")]
    profile = (tmp_path / "second" / "output" / "report" / "data_profile.json").read_text()
    stored.remove(profile)  # stays beside the model: no function reads it
    assert evaluation["handsoff"]["comparison"]["found_slices"] is not None
    seen = re.compile(f"{CANARY}|77813|{NUMBER}|2391-07-13")
    assert bool(seen.search("\n".join([*stored, written.out, written.err]))) is show


# ---- own training code ------------------------------------------------------------------------------------

READ = """import ast, logging, sys, threading
import os
with open(os.path.join(os.environ["SM_CHANNEL_TRAIN"], "rows.csv")) as file:
    cell = file.read().strip()
"""

SCRIPTS = {
    "library": "import pandas as pd; pd.Series([cell]).astype(float)\n",
    "float": "float(cell)\n",
    "key": "{'a': 1}[cell]\n",
    "own words": "raise ValueError('a wrong value: ' + cell)\n",
    "f-string": "raise ValueError(f'a wrong value: {cell}, expected a number')\n",
    "lines": "raise ValueError('two\\n' + cell + '\\n\\n  ' + cell + '\\nlines')\n",
    "assertion": "assert cell == 'x', cell\n",
    "name": "eval(cell)\n",
    "attribute": "getattr(sys, cell)\n",
    "code": "ast.literal_eval(cell + ' (')\n",
    "file": "open('/none/' + cell)\n",
    "file of the code in a folder": "open(os.path.join('/none', cell, 'rows.csv'))\n",
    "two files": "os.rename('/none/' + cell + '/rows.csv', '/none/rows.csv')\n",
    "dates": "raise ValueError('no target:\\n2024-01-01  ' + cell + '\\n' + cell)\n",
    "times": "raise ValueError('no target:\\n10:22:31 ' + cell + '\\n' + cell)\n",
    "cells before a date": "raise ValueError('bad:\\n' + cell + ',1980-02-03,12\\nmore ' + cell)\n",
    "level": "raise ValueError('the service said:\\nERROR ' + cell + '\\nid=' + cell + ';INFO')\n",
    "warning in a message": "raise ValueError('said:\\n' + cell + ':3: UserWarning: x\\n' + cell)\n",
    "two tracebacks in a message": (
        "raise ValueError('said:\\nThe above exception was the direct cause of ' + cell + '\\nhandsoff: '\n"
        "    + cell + '\\n+- ' + cell + '\\n' + cell + ' Traceback (most recent call last):')\n"
    ),
    "module": "import importlib\nimportlib.import_module(cell)\n",
    "name of a type": "raise type(cell, (Exception,), {})('x')\n",
    "cause": (
        "try:\n    float(cell)\nexcept ValueError as e:\n    raise RuntimeError('while fitting') from e\n"
    ),
    "context": "try:\n    float(cell)\nexcept ValueError:\n    raise KeyError(cell)\n",
    "group": "raise ExceptionGroup(cell, [ValueError(cell), TypeError(cell + '\\n' + cell)])\n",
    "note": "e = ValueError('real')\ne.add_note(cell)\nraise e\n",
    "thread": "t = threading.Thread(target=lambda: float(cell))\nt.start()\nt.join()\nsys.exit(1)\n",
    "logged": (
        "try:\n    float(cell)\nexcept ValueError:\n    logging.exception('again')\nraise ValueError(cell)\n"
    ),
    "its own type": "class Odd(Exception):\n    pass\nraise Odd(cell)\n",
    "failure file": (
        "out = os.path.join(os.environ['SAGEMAKER_BASE_DIR'], 'output')\nos.makedirs(out)\n"
        "open(os.path.join(out, 'failure'), 'w').write(cell)\nraise ValueError(cell)\n"
    ),
}


def trained(folder: Path, script: str, *, show: bool) -> tuple[str, str]:
    """The reason and the log of the training job of a script that fails."""
    code, channel = folder / "code", folder / "input"
    for path in (code, channel, folder / "model"):
        path.mkdir(parents=True)
    for source in (ENTRY, WORDS):
        (code / source.name).write_bytes(source.read_bytes())
    (code / "train.py").write_text(READ + script)
    (channel / "rows.csv").write_text(CANARY)
    training = {"source_dir": "src", "entry_point": "train.py", "files": ["train.py"]}
    config = {"name": "churn", **({"show_values": True} if show else {})}
    (code / "handsoff.json").write_text(json.dumps({"config": config, "training": training}))
    done = subprocess.run(
        [sys.executable, "-I", ENTRY.name],
        cwd=code,
        env={
            "SAGEMAKER_BASE_DIR": str(folder),
            "SM_MODEL_DIR": str(folder / "model"),
            "SM_CHANNEL_TRAIN": str(channel),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 1
    return (folder / "output" / "failure").read_text(), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", SCRIPTS)
def test_error_of_own_training_code_is_told_without_values_unless_they_are_shown(
    kind: str, tmp_path: Path
) -> None:
    reason, log = trained(tmp_path / "hidden", SCRIPTS[kind], show=False)
    assert not SEEN.search("\n".join([reason, log, told(reason, log)]))
    assert "Traceback (most recent call last):" in log
    assert "train.py" in log

    reason, log = trained(tmp_path / "shown", SCRIPTS[kind], show=True)
    assert SEEN.search(reason + log)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("own words", "ValueError (train.py, line 5): its message is left out, as it may quote a row: "),
        ("f-string", "ValueError: a wrong value: …, expected a number"),
        ("library", "ValueError (train.py, line 5): its message is left out"),
        ("cause", "RuntimeError: while fitting"),
        ("note", "ValueError: real"),
        ("file", "FileNotFoundError: [Errno 2] No such file or directory"),
        (
            "file of the code in a folder",
            "FileNotFoundError: [Errno 2] No such file or directory: '…/rows.csv'",
        ),
    ],
)
def test_error_of_own_training_code_keeps_what_the_code_says(
    kind: str, expected: str, tmp_path: Path
) -> None:
    reason, log = trained(tmp_path, SCRIPTS[kind], show=False)
    assert reason.startswith(expected)
    assert f"handsoff: the script failed: {reason}" in log


@pytest.mark.slow
def test_log_goes_on_after_a_traceback_that_was_caught(tmp_path: Path) -> None:
    script = (
        "try:\n    float(cell)\nexcept ValueError:\n    logging.exception('again')\n"
        "logging.warning('goes on')\nprint('progress 50 %', file=sys.stderr)\nsys.exit('no rows')\n"
    )
    reason, log = trained(tmp_path, script, show=False)
    assert reason == "no rows"
    assert "ERROR:root:again" in log
    assert "WARNING:root:goes on" in log
    assert "progress 50 %" in log


# ---- own serving code -------------------------------------------------------------------------------------

HEAD = "def model_fn(folder):\n    return 1\n"
PLAIN = (
    "def input_fn(body, kind):\n    return [line.split(',')[1].strip('\"') for line in body.splitlines()]\n"
)
HALF = "def predict_fn(rows, model):\n    return [0.5 for row in rows]\n"
SERVING = {
    "input": HEAD + "def input_fn(body, kind):\n    raise ValueError(body)\n" + HALF,
    "predict": HEAD + PLAIN + "def predict_fn(rows, model):\n    return [float(row) for row in rows]\n",
    "cause": HEAD
    + PLAIN
    + "def predict_fn(rows, model):\n    try:\n        float(rows[0])\n    except ValueError as e:\n"
    "        raise KeyError('x') from e\n",
    "exit": HEAD + PLAIN + "import sys\ndef predict_fn(rows, model):\n    sys.exit(rows[0])\n",
    "loading": (
        "import os\ndef model_fn(folder):\n    raise ValueError(open(os.path.join(folder, 'state')).read())\n"
    ),
    "answer": HEAD + PLAIN + "def predict_fn(rows, model):\n    return rows\n",
    "thread": HEAD + PLAIN + "import threading\ndef predict_fn(rows, model):\n"
    "    t = threading.Thread(target=lambda: float(rows[0]))\n"
    "    t.start()\n    t.join()\n    raise ValueError(rows[0])\n",
    "end of an object": HEAD
    + PLAIN
    + "class D:\n    def __init__(self, value):\n        self.value = value\n"
    "    def __del__(self):\n        float(self.value)\n"
    "def predict_fn(rows, model):\n    D(rows[0])\n    raise ValueError(rows[0])\n",
    "logged": HEAD
    + PLAIN
    + "import logging\ndef predict_fn(rows, model):\n    try:\n        float(rows[0])\n"
    "    except ValueError:\n        logging.exception('again')\n        raise\n",
    "content type": HEAD
    + PLAIN
    + "def predict_fn(rows, model):\n    return rows\ndef output_fn(found, accept):\n"
    "    return b'\\xff', found[0]\n",
    "name of a type": HEAD
    + PLAIN
    + "def predict_fn(rows, model):\n    return type(rows[0], (), {})()\ndef output_fn(found, accept):\n"
    "    return found\n",
    "number": HEAD
    + "def input_fn(body, kind):\n    return [float(line.split(',')[0].strip('\"')) for line in "
    "body.splitlines()]\ndef predict_fn(rows, model):\n    return rows\n",
    "changing": HEAD
    + "def input_fn(body, kind):\n    return [float(line.split(',')[0].strip('\"')) for line in "
    "body.splitlines()]\nimport random\n"
    "def predict_fn(rows, model):\n    return [random.random() * row / 90817.25 for row in rows]\n",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVING)
def test_error_of_own_serving_code_is_told_without_values_unless_they_are_shown(
    kind: str, tmp_path: Path
) -> None:
    folder = artifact(tmp_path / "m", {"inference.py": SERVING[kind]}, {"state": CANARY.encode()})
    rows = tmp_path / "rows.csv"
    rows.write_text('"x","c"\n' + f'"{NUMBER}","{CANARY}"\n' * 40)
    for options in ((), ("--optional",)):
        found = score(folder, rows, tmp_path / f"out{len(options)}", *options)
        reason = found.message or found.scoring["problem"]
        assert reason
        assert not SEEN.search("\n".join([reason, found.log, told(reason, found.log)]))
    shown = score(folder, rows, tmp_path / "shown", "--show-values")
    assert kind == "changing" or SEEN.search(f"{shown.message}{shown.log}")
