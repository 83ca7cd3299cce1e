"""An execution of a model that own code trains, with score.py as a process of its own."""

from __future__ import annotations

import atexit
import functools
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import evaluate
import preprocess
from local.forked.warm import WarmPython
from pipeline_def.publish import STEPS
from tests.pipeline_def.helpers import BUCKET, ROLE, SMALL, Run

SCORE = STEPS.parent / "scoring" / "score.py"

OWN: dict[str, Any] = {**SMALL, "training": {}}
"""The model.json of `small` with own code."""

INFERENCE: dict[str, Any] = {
    "entry_point": "inference.py",
    "content_type": "text/csv",
    "accept": "text/csv",
    "header": False,
    "returns": "probability",
}

IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1"


TIMEOUT: Final = 120
"""Seconds after which a run of score.py has failed."""


@dataclass
class Scored:
    """What score.py left: exit code, log, ExitMessage, scoring.json and the lines of predictions.csv."""

    code: int
    log: str
    message: str | None
    scoring: dict[str, Any] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


@functools.cache
def warm() -> WarmPython:
    """What score.py is forked from. It ends with the process of the tests."""
    found = WarmPython(Path(tempfile.gettempdir()), ["warm_scoring"], [str(Path(__file__).parent)])
    atexit.register(found.close)
    return found


def score(model: Path, rows: Path, output: Path, *options: str, forked: bool = True) -> Scored:
    """Run score.py as the job does.

    With `forked` it is forked from a process that has imported numpy and scikit-learn, since importing them
    takes a second. Otherwise it is started as a program, as in the job. Raises TimeoutExpired after TIMEOUT.
    """
    command = [
        sys.executable,
        *map(str, (SCORE, "--model", model, "--rows", rows, "--output", output)),
        *options,
    ]
    with tempfile.TemporaryDirectory() as base:
        variables = {**os.environ, "SAGEMAKER_BASE_DIR": base}
        code, log = _forked(command, variables) if forked else _run(command, variables)
        message = Path(base, "output", "message")
        found = Scored(code, log, message.read_text() if message.exists() else None)
    if (output / "scoring.json").exists():
        found.scoring = json.loads((output / "scoring.json").read_text())
    if (output / "predictions.csv").exists():
        found.lines = (output / "predictions.csv").read_text().splitlines()
    return found


def _forked(command: list[str], variables: dict[str, str]) -> tuple[int, str]:
    process = warm().start(command, variables, Path.cwd())
    if process is None or process.stdout is None:  # no Linux
        return _run(command, variables)
    late = threading.Event()

    def end() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)  # what it has started holds its output open

    timer = threading.Timer(TIMEOUT, end)
    timer.start()
    try:
        with process.stdout as stream:
            log = stream.read().decode()
        code = process.wait()
    finally:
        timer.cancel()
    if late.is_set():
        raise subprocess.TimeoutExpired(command, TIMEOUT, log)
    return code, log


def _run(command: list[str], variables: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )
    return done.returncode, done.stdout + done.stderr


def artifact(
    folder: Path, code: dict[str, str], files: dict[str, bytes] | None = None, **contract: Any
) -> Path:
    """Write the model.tar.gz of own code to the folder; returns it. `code` is below code/, `files` beside.

    `contract` are members of handsoff.json, and of its `inference`.
    """
    whole = {
        "schema_version": 1,
        "config": OWN,
        "inference": {**INFERENCE, **{key: contract.pop(key) for key in INFERENCE if key in contract}},
        "image": IMAGE,
        "framework": "sklearn",
        "training": {"files": sorted(code)},
        "columns": ["x", "c"],
        **contract,
    }
    content = {f"code/{name}": text.encode() for name, text in code.items()} | (files or {})
    content["code/handsoff.json"] = json.dumps(whole).encode()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, tarfile.open(folder / "model.tar.gz", "w:gz") as packed:
        for name, data in content.items():
            path = Path(place, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            packed.add(path, name)
    return folder


class OwnRun(Run):
    """The steps of one execution of own code. `put` stands for TrainModel: it takes an artifact as it is."""

    def preprocess(self, batch: str = "latest", champion: str = "none", anchor: str = "none") -> int:
        code = preprocess.main(
            [
                *("--config", str(self.code / "model.json"), "--bucket", BUCKET, "--batch", batch),
                *("--execution", self.execution, "--output", str(self.output)),
                *("--champion", champion, "--anchor", anchor, "--role", ROLE),
                *("--group", f"handsoff-{self.config['name']}"),
            ]
        )
        for path in sorted((self.output / "report").glob("*")) if code == 0 else []:
            self.s3.upload_file(str(path), BUCKET, f"{self.prefix}/{path.name}")
        return code

    @property
    def rows(self) -> Path:
        return self.output / "rows" / "rows.csv"

    def put(self, folder: Path) -> None:
        """Take the model.tar.gz in the folder as that of TrainModel."""
        self.model_dir = folder
        key = self.model_url.removeprefix(f"s3://{BUCKET}/")
        self.s3.upload_file(str(folder / "model.tar.gz"), BUCKET, key)

    def score(self, who: str = "candidate") -> Scored:
        """ScoreCandidate, ScoreChampion or ScoreAnchor."""
        model = self.model_dir if who == "candidate" else self.output / "models" / who
        options = ("--shuffle",) if who == "candidate" else ("--optional",)
        return score(model, self.rows, self.folder / "predictions" / who, *options)

    def predict(self, lines: list[str], who: str = "candidate", **scoring: Any) -> None:
        """Write what score.py would: the lines of predictions.csv, and scoring.json with these members."""
        folder = self.folder / "predictions" / who
        folder.mkdir(parents=True)
        whole = {"package": None, "problem": None, "returns": "probability", "config": self.config, **scoring}
        (folder / "scoring.json").write_text(json.dumps(whole))
        (folder / "predictions.csv").write_text("\n".join(lines) + "\n")

    def evaluate_predictions(self, *others: str) -> dict[str, Any]:
        """ModelEvaluation, from the predictions of the candidate and of the others that were scored."""
        places = [
            argument
            for who in ("candidate", *others)
            for argument in (f"--{who}-predictions", str(self.folder / "predictions" / who))
        ]
        report = self.output / "report"
        evaluate.main(
            [
                *("--config", str(self.code / "model.json"), *places),
                *("--validation", str(self.output / "validation")),
                *("--training-rows", str(report / "training_rows.parquet")),
                *("--report", str(report / "data_report.json")),
                *("--profile", str(report / "data_profile.json"), "--role", ROLE, "--bucket", BUCKET),
                *("--group", f"handsoff-{self.config['name']}", "--execution", self.execution),
                *("--output", str(self.output / "evaluation")),
            ]
        )
        found: dict[str, Any] = json.loads((self.output / "evaluation" / "evaluation.json").read_text())
        return found
