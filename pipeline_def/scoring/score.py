"""ScoreCandidate, ScoreChampion, ScoreAnchor: ask one model for the predictions of the validation rows.

Runs in the image that serves the model, whatever that is: Python 3.8, the standard library and numpy. A
process of its own (handsoff_serving.py) loads the model and calls its functions as the container would.
Out: predictions.csv and scoring.json; with `--shuffle` shuffled.json and shuffled.npz. A problem ends the job
with one line, in the log and as the job's ExitMessage; with `--optional` it is the `problem` of scoring.json,
and the job succeeds.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from handsoff_rows import read
from handsoff_shuffles import ALL_SECONDS, waited, write_description
from handsoff_words import Words, print_traceback, tell

HERE = Path(__file__).resolve().parent
"""The folder of these scripts."""

SCHEMA_VERSION = 1
"""The version of scoring.json and of handsoff.json. A change that breaks a reader raises it."""

MESSAGE_LIMIT = 1000
"""Characters of a failure message. SageMaker shows the first 1,024 bytes of one."""

COPIED = 10.0
"""Seconds after the end of the model's process in which the rest of its errors is copied to the log."""

BUILT_IN = {
    "entry_point": "inference.py",
    "content_type": "application/json",
    "accept": "application/json",
    "header": True,
}
"""How a model of this project's own estimators is asked: records with typed values."""


REQUIREMENTS = "requirements.txt"
"""The file in code/ with the packages that the model's code needs."""

NOT_OURS = (
    "code/handsoff.json of the model (code/model.json of a built-in estimator) is not the file that handsoff "
    "writes there: leave it out of training.source_dir, and train again"
)
"""What is wrong with a model that does not say how it is asked."""


class ScoringProblem(Exception):
    """Why the model has no predictions, in one line."""


def score(
    model: Path,
    rows: Path,
    output: Path,
    *,
    image: str | None = None,
    quote: bool = False,
    show: bool = False,
    shuffle: bool = False,
) -> dict[str, Any]:
    """Write predictions.csv to `output`; returns scoring.json. Raises ScoringProblem.

    Without `quote` the problem shows nothing that the model says of rows; nor does the log, without `show`.
    `model` is the folder of model.tar.gz, and of source.json where the model is not the candidate. Without a
    model there is nothing to score, and the result's `package` and `problem` say why.
    """
    source = _read(model / "source.json") if (model / "source.json").exists() else {}
    found = {"package": source.get("package"), "image": source.get("image")}
    if source and (source.get("problem") or not (model / "model.tar.gz").exists()):
        return scoring(**found, problem=source.get("problem"))
    if image and source.get("image") and image != source["image"]:
        raise ScoringProblem(
            f"it is served by {source['image']}, and this job runs {image}: start the execution by a start "
            "request, which gives each model its own image"
        )
    with tempfile.TemporaryDirectory(dir=output) as folder:
        unpacked = Path(folder, "ml", "model")
        unpack(model / "model.tar.gz", unpacked)
        if "SAGEMAKER_BASE_DIR" not in os.environ:
            with suppress(OSError):  # where serving has the model, for code that writes the path itself
                os.symlink(unpacked, "/opt/ml/model")
        try:
            contract = read_contract(unpacked)
            task = {**task_of(contract, unpacked, rows), "quote": quote, "show": show, "shuffle": shuffle}
            needs = REQUIREMENTS in contract.get("training", {}).get("files", [])
        except (TypeError, KeyError, AttributeError, ValueError, LookupError) as error:
            print_traceback(error, Words(str(HERE)), show=show)
            raise ScoringProblem(NOT_OURS) from error
        task["count"] = count_rows(rows)
        answered = ask(task, Path(folder), python_for(unpacked, needs, Path(folder)))
        if answered["rows"] != task["count"]:
            raise ScoringProblem(f"{answered['rows']:,} of {task['count']:,} rows have a prediction")
        for name in ("predictions.csv", "shuffled.json", "shuffled.npz"):
            if name == "predictions.csv" or (shuffle and Path(folder, name).exists()):
                os.replace(Path(folder, name), output / name)
    return scoring(
        package=found["package"],
        image=found["image"] or contract.get("image"),
        rows=answered["rows"],
        returns=task["returns"],
        packages=answered["packages"],
        artifact=digest(model / "model.tar.gz"),
        config=contract["config"],
        columns=task["columns"],
    )


def scoring(**found: Any) -> dict[str, Any]:
    """The content of scoring.json, with what is not known as null or empty."""
    nothing: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "rows": 0,
        "returns": None,
        "package": None,
        "problem": None,
        "image": None,
        "python": platform.python_version(),
        "packages": {},
        "artifact": None,
        "config": None,
        "columns": [],
    }
    return {**nothing, **found}


def digest(path: Path) -> dict[str, Any]:
    """The SHA-256 of a file in hexadecimal, and its size in bytes."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        for part in iter(lambda: file.read(1 << 20), b""):
            found.update(part)
    return {"sha256": found.hexdigest(), "bytes": path.stat().st_size}


def extract(packed: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive into `folder` by tarfile's filter `data`. Raises tarfile.TarError.

    Python before 3.11.4, and others before they were mended, have no filters: only files and folders that
    lie inside are unpacked then.
    """
    if hasattr(tarfile, "data_filter"):
        packed.extractall(folder, filter="data")
        return
    inside = os.path.join(os.path.realpath(folder), "")
    for entry in packed:
        lies_inside = os.path.join(os.path.realpath(folder / entry.name), "").startswith(inside)
        if not lies_inside or not (entry.isfile() or entry.isdir()):
            raise tarfile.TarError(f"{entry.name!r} would be extracted outside the destination")
        packed.extract(entry, folder, set_attrs=False)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a model.tar.gz into the folder. Raises ScoringProblem for an entry that leads out of it."""
    folder.mkdir(parents=True)
    try:
        with tarfile.open(archive, "r:gz") as packed:
            extract(packed, folder)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ScoringProblem(f"model.tar.gz cannot be unpacked: {one_line(error)}") from error


def read_contract(model: Path) -> dict[str, Any]:
    """The unpacked model's handsoff.json, or what stands for it in a model of a built-in estimator."""
    code = model / "code"
    if (code / "handsoff.json").exists():
        found: dict[str, Any] = _read(code / "handsoff.json")
        columns = found.get("columns")
        right = isinstance(columns, list) and all(isinstance(name, str) for name in columns)
        if found.get("schema_version") != SCHEMA_VERSION or not right:
            raise ScoringProblem(NOT_OURS)
        return found
    if not (code / "model.json").exists():
        raise ScoringProblem(
            "model.tar.gz has no code/handsoff.json: the training script must leave the folder code/ of "
            "SM_MODEL_DIR to handsoff, which packs it when the script has ended"
        )
    config = _read(code / "model.json")
    returns = "value" if config["task"] == "regression" else "probability"
    return {
        "config": config,
        "inference": {**BUILT_IN, "returns": returns},
        "framework": "sklearn",
        "columns": [name for names in config["features"].values() for name in names],
    }


def task_of(contract: dict[str, Any], model: Path, rows: Path) -> dict[str, Any]:
    """What handsoff_serving.py needs. Raises ScoringProblem if rows.csv lacks a column of the model."""
    config, inference = contract["config"], contract["inference"]
    header = next(read(str(rows)), [])
    if missing := [name for name in contract["columns"] if name not in header]:
        raise ScoringProblem(f"the validation rows have no column {', '.join(missing[:10])}, which it needs")
    features = config["features"]
    regression = config["task"] == "regression"
    return {
        **inference,
        "returns": "value" if regression else inference.get("returns") or "probability",
        "framework": contract.get("framework"),
        "model": str(model),
        "rows": str(rows),
        "classes": config.get("classes", [] if regression else ["0", "1"]),
        "columns": contract["columns"],
        "places": [header.index(name) for name in contract["columns"]],
        "numbers": [*features.get("numeric", []), *features.get("boolean", [])],
    }


def count_rows(rows: Path) -> int:
    """The rows of rows.csv without its header."""
    return max(0, sum(1 for _ in read(str(rows))) - 1)


def python_for(model: Path, needs: bool, folder: Path) -> str:
    """The Python that runs the model: this one, or one that has code/requirements.txt on top of it.

    Serving installs requirements.txt only if it is a file of training.source_dir: if the model `needs` it.
    """
    wanted = model / "code" / REQUIREMENTS
    if not wanted.exists():
        return sys.executable
    if not needs:
        print("code/requirements.txt is not installed: it is not in training.source_dir", flush=True)
        return sys.executable
    place = folder / "packages"
    python = place / "bin" / "python"
    no_place = "a folder for the model's packages cannot be made"
    _run([sys.executable, "-m", "venv", "--without-pip", str(place)], no_place)
    (below,) = place.glob("lib/python*/site-packages")
    of_the_image = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (below / "of_the_image.pth").write_text("\n".join(of_the_image) + "\n", encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    if subprocess.run([*pip, "--version"], capture_output=True, check=False).returncode:  # pip before 22.3
        _run([str(python), "-m", "ensurepip"], no_place)
        pip = [str(python), "-m", "pip"]
    install = [*pip, "install", "--disable-pip-version-check", "-r", str(wanted)]
    _run(install, "the packages of requirements.txt cannot be installed", model / "code")
    return str(python)


def _run(command: Sequence[str], failed: str, folder: Path | None = None) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    text = done.stdout.decode("utf-8", "replace")
    print(text, flush=True)
    if done.returncode:
        lines = [line for line in text.split("\n") if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["(no output)"]
        raise ScoringProblem(f"{failed}: {errors[0 if len(errors) > 1 else -1].strip()}")


def ask(task: dict[str, Any], folder: Path, python: str) -> dict[str, Any]:
    """Run handsoff_serving.py; returns answered.json. Raises ScoringProblem: its problem, or how it ended."""
    (folder / "task.json").write_text(json.dumps(task), encoding="utf-8")
    code = os.path.join(task["model"], "code")
    environment = {
        **os.environ,
        "SAGEMAKER_BASE_DIR": str(folder / "ml"),
        "SAGEMAKER_PROGRAM": task["entry_point"],
        "SAGEMAKER_SUBMIT_DIRECTORY": code,
        "SM_MODEL_DIR": task["model"],
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [python, str(HERE / "handsoff_serving.py"), str(folder)],
        cwd=task["model"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stderr=None if task["show"] else subprocess.PIPE,
        start_new_session=True,
    )
    copying = threading.Thread(target=tell, args=(process.stderr, Words(code)), daemon=True)
    if process.stderr:
        copying.start()

    def end() -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    def stop(*_: object) -> None:
        end()
        sys.exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    try:
        code_of_end = waited(process, folder)
    finally:
        end()  # and what the model has started
        if process.stderr:
            copying.join(COPIED)
    if (folder / "answered.json").exists():
        answered: dict[str, Any] = _read(folder / "answered.json")
        if task["shuffle"] and not (folder / "shuffled.json").exists():
            why = f"while it was asked with shuffled values, the model's process {_ending(code_of_end)}"
            print(why, flush=True)
            write_description(str(folder), problem=why)
        return answered
    if (folder / "problem.json").exists():
        raise ScoringProblem(_read(folder / "problem.json")["problem"])
    raise ScoringProblem(f"before it had answered all rows, the model's process {_ending(code_of_end)}")


def bound(seconds: int) -> None:
    """Have ScoringProblem raised after so many seconds, before SageMaker stops the job without a reason."""

    def late(*_: object) -> None:
        raise ScoringProblem(
            f"the model has not answered all rows within {seconds / 60:g} minutes; its log may say why. "
            "A longer training.max_runtime gives the job more time"
        )

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)


def _ending(code: int | None) -> str:
    if code is None:
        return f"took more than {ALL_SECONDS:g} seconds"
    if code >= 0:
        return f"ended with code {code}; the log of the job may say why"
    name = signal.Signals(-code).name
    memory = "; perhaps it needed more memory than training.instance_type has" if name == "SIGKILL" else ""
    return f"was ended by {name}{memory}"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def one_line(error: object) -> str:
    """The text on one line, at most MESSAGE_LIMIT characters."""
    return " ".join(str(error).split())[:MESSAGE_LIMIT]


def write_reason(text: str) -> None:
    """Leave the reason where SageMaker looks for a processing job's ExitMessage."""
    path = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "output", "message")
    with suppress(OSError):  # the log has the reason as well
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(one_line(text), encoding="utf-8")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments that definition.py gives the step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of model.tar.gz")
    parser.add_argument("--rows", type=Path, required=True, help="rows.csv")
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for predictions.csv and scoring.json"
    )
    parser.add_argument("--optional", action="store_true", help="a problem goes into scoring.json")
    parser.add_argument("--image", help="the image that this job runs in")
    parser.add_argument("--seconds", type=int, help="how long the model may take")
    parser.add_argument("--shuffle", action="store_true", help="ask again with shuffled values")
    parser.add_argument("--show-values", action="store_true", help="reason and log may quote values of rows")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the step; returns the exit code."""
    given = parse(arguments)
    given.output.mkdir(parents=True, exist_ok=True)
    csv.field_size_limit(sys.maxsize)
    if given.seconds:
        bound(given.seconds)
    try:
        found = score(
            given.model,
            given.rows,
            given.output,
            image=given.image,
            quote=given.show_values and not given.optional,  # a reason of those is stored with the evaluation
            show=given.show_values,
            shuffle=given.shuffle,
        )
    except Exception as error:
        signal.alarm(0)
        problem = one_line(error)
        if not isinstance(error, ScoringProblem):
            print_traceback(error, Words(str(HERE)), show=given.show_values)
            problem = one_line(Words(str(HERE)).said(type(error).__name__, str(error)))
        print(problem, file=sys.stderr, flush=True)
        if not given.optional:
            write_reason(problem)
            return 1
        source = given.model / "source.json"
        known = _read(source) if source.exists() else {}
        found = scoring(package=known.get("package"), image=known.get("image"), problem=problem)
    signal.alarm(0)
    (given.output / "scoring.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{found['rows']:,} rows scored" if not found["problem"] else found["problem"], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
