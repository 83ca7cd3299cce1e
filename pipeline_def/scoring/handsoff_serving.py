"""The process in which a model is loaded and asked, as a serving container would: score.py starts it.

The one argument is a folder with task.json. Written to it are predictions.csv and answered.json, or
problem.json. The model's code may print, start threads, and end the process; score.py finds out. Python
3.8; the standard library and numpy.
"""

from __future__ import annotations

import csv
import ctypes
import importlib
import inspect
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType, SimpleNamespace
from typing import Any

import handsoff_defaults
from handsoff_answers import AnswerProblem, Wanted, predictions
from handsoff_defaults import CSV, JSON, TEXTS, NoDefault

MAX_ROWS = 1000
"""Rows of one request."""

MAX_BYTES = 4 * 1024 * 1024
"""Bytes of the rows of one request, before they are JSON. Endpoints take at most 6 MB."""

LINES = ("application/jsonlines", "application/x-jsonlines", "application/jsonl", "application/x-ndjson")
"""Content types of one JSON text in each line."""


IMAGES_OWN = "the image's own"
"""Begins the name of a function that the model's code does not have."""

PR_SET_PDEATHSIG = 1
"""The option of Linux' prctl by which a process gets a signal when its parent ends."""


class OwnCode(Exception):
    """The model's code failed. The message is one line: the function, and the last line of the traceback."""


def main(folder: str) -> None:
    """Score the task in `folder` and end the process, whatever threads the model has left."""
    code = 1
    die_with_parent()
    csv.field_size_limit(sys.maxsize)
    try:
        with open(os.path.join(folder, "task.json"), encoding="utf-8") as file:
            answered = score(json.load(file), folder)
        write(answered, os.path.join(folder, "answered.json"))
        code = 0
    except (OwnCode, AnswerProblem, NoDefault) as problem:
        write({"problem": str(problem)}, os.path.join(folder, "problem.json"))
    except BaseException as error:  # the model's code may raise anything
        traceback.print_exc()
        write({"problem": last_line(error)}, os.path.join(folder, "problem.json"))
    with suppress(Exception):  # the model's code may have closed them
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def die_with_parent() -> None:
    """Have the kernel (Linux) end this process as soon as score.py ends, even if that is killed."""
    with suppress(Exception):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def write(value: Any, path: str) -> None:
    """Write JSON, whole or not at all."""
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(value, file)
    os.replace(path + ".part", path)


def score(task: dict[str, Any], folder: str) -> dict[str, Any]:
    """Write predictions.csv; returns the number of rows and the packages that the model used.

    `task` has `model`, `rows`, `framework`, `entry_point`, `content_type`, `accept`, `header`, `returns`,
    `classes`, `columns`, and `numbers`: the columns that are numbers in JSON. Raises OwnCode, AnswerProblem
    or NoDefault.
    """
    wanted = Wanted(task["returns"], tuple(task["classes"]))
    sys.path.append(sys.path[0])  # last, for processes that the model starts as copies of this one
    sys.path[0] = os.path.join(task["model"], "code")
    ask = loaded(task)
    count = 0
    with open(os.path.join(folder, "predictions.csv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(wanted.columns)
        for rows in requests(task["rows"], task["places"]):
            body, kind = answer(ask(request(rows, task)), task["accept"])
            try:
                found = predictions(body, kind, len(rows), wanted)
            except AnswerProblem as problem:
                where = f"rows {count + 1:,} to {count + len(rows):,}"
                raise AnswerProblem(f"asked for {where}, the model {problem}") from None
            if wanted.returns == "label":
                writer.writerows([int(row[0])] for row in found)
            else:
                writer.writerows([repr(number) for number in row] for row in found)
            count += len(rows)
    return {"rows": count, "packages": packages()}


def loaded(task: dict[str, Any]) -> Callable[[Any], Any]:
    """The model of the task, as a function from the body of a request to its answer."""
    name = os.path.splitext(task["entry_point"])[0].replace("/", ".")
    module: ModuleType = called("the entry point", importlib.import_module, name)
    own = {name: getattr(module, name, None) for name in ("model_fn", "input_fn", "predict_fn", "output_fn")}
    transform = getattr(module, "transform_fn", None)
    if transform and (own["input_fn"] or own["predict_fn"] or own["output_fn"]):
        raise NoDefault(
            f"{task['entry_point']} has transform_fn beside input_fn, predict_fn or output_fn; "
            "the image refuses that: keep transform_fn, or the others"
        )
    used = functions(task, own, whole=transform is not None)
    names = {name: name if given else f"{IMAGES_OWN} {name}" for name, given in own.items()}
    context = with_context(task)
    model = called(names["model_fn"], used["model_fn"], task["model"], context=context)
    probabilities = task["returns"] == "probability" and hasattr(model, "predict_proba")
    if task["framework"] == "sklearn" and probabilities and not (own["predict_fn"] or transform):
        raise NoDefault(
            "the image's own predict_fn calls predict, which answers classes: write a predict_fn that calls "
            "predict_proba, or set inference.returns: label"
        )
    kind, accept = task["content_type"], task["accept"]

    def ask(body: Any) -> Any:
        if transform:
            return called("transform_fn", transform, model, body, kind, accept, context=context)
        data = called(names["input_fn"], used["input_fn"], body, kind, context=context)
        predicted = called(names["predict_fn"], used["predict_fn"], data, model, context=context)
        return called(names["output_fn"], used["output_fn"], predicted, accept, context=context)

    return ask


def functions(
    task: dict[str, Any], own: dict[str, Callable[..., Any] | None], *, whole: bool
) -> dict[str, Callable[..., Any]]:
    """The script's `own` functions, and the image's where it has none.

    `whole` says that the script has transform_fn, which needs no other than model_fn. Raises NoDefault for a
    function that neither has.
    """
    standard = handsoff_defaults.functions(task["framework"])
    used: dict[str, Callable[..., Any]] = {}
    for function, given in own.items():
        found = given or standard.get(function)
        if found is None and (function == "model_fn" or not whole):
            raise NoDefault(
                f"{task['entry_point']} has no {function}, and the image has none of its own: "
                f"write {function}"
            )
        if found is not None:
            used[function] = found
    return used


def with_context(task: dict[str, Any]) -> SimpleNamespace | None:
    """What functions with one more argument get from sagemaker_inference; nothing with scikit-learn."""
    if task["framework"] == "sklearn":
        return None
    headers = {"Content-Type": task["content_type"], "Accept": task["accept"]}
    return SimpleNamespace(
        system_properties={"model_dir": task["model"], "gpu_id": None},
        request_processor=[SimpleNamespace(get_request_properties=lambda: headers)],
        get_request_header=lambda _index, name: headers.get(name),
    )


def called(what: str, function: Callable[..., Any], *given: Any, context: Any = None) -> Any:
    """What the function returns. Raises OwnCode for everything that it raises, and for sys.exit."""
    if context is not None and takes(function) == len(given) + 1:
        given = (*given, context)
    try:
        return function(*given)
    except NoDefault:
        raise
    except SystemExit as error:
        traceback.print_exc()
        raise OwnCode(f"{what} called sys.exit({error.code!r}); it must return its result") from None
    except BaseException as error:  # the model's code may raise anything
        traceback.print_exc()
        raise OwnCode(f"{what} failed: {last_line(error)}{advice(what, error)}") from None


def advice(what: str, error: BaseException) -> str:
    """What to do about the error of the function `what`, where that is not in its message."""
    if what.startswith(IMAGES_OWN):
        return f"; write {what.split()[-1]} in the entry point if these rows need another one"
    if isinstance(error, AttributeError) and "Can't get attribute" in str(error) and "__main__" in str(error):
        return (
            "; the pickle needs a class or function that the training script itself defines: move it to a "
            "module of training.source_dir that both scripts import, and train again"
        )
    return ""


def takes(function: Callable[..., Any]) -> int:
    """How many arguments the function takes."""
    try:
        return len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return 0


def last_line(error: BaseException) -> str:
    """The last line of the error's traceback, with the lines of its message joined."""
    parts = traceback.format_exception_only(type(error), error)
    return " ".join(next(part for part in parts if not part.startswith(" ")).split())


def answer(result: Any, accept: str) -> tuple[Any, str]:
    """The body and the content type of what output_fn or transform_fn returned. Raises AnswerProblem."""
    kind = accept
    if isinstance(result, tuple) and len(result) == 2:
        result, kind = result[0], str(result[1])
    if hasattr(result, "mimetype") and hasattr(result, "response"):  # flask, and worker.Response
        kind = str(result.mimetype or kind)
        status = int(getattr(result, "status_code", 200))
        body = result.get_data() if hasattr(result, "get_data") else result.response
        if not isinstance(body, (str, bytes)):
            body = b"".join(part.encode() if isinstance(part, str) else part for part in body)
        if status >= 400:
            text = body if isinstance(body, str) else body.decode("utf-8", "replace")
            raise AnswerProblem(f"the model answered with status {status}: {' '.join(text.split())[:300]}")
        result = body
    if isinstance(result, (str, bytes, bytearray, list, dict, int, float)):
        return result, kind
    raise AnswerProblem(
        f"the model answered an object of type {type(result).__name__}, which no container can send; "
        "output_fn must return text or bytes, such as CSV with one prediction in each line"
    )


def requests(path: str, places: list[int]) -> Iterator[list[list[str]]]:
    """The rows of rows.csv, in parts that a request may hold; of each row the cells at `places`.

    The last request takes a row of the one before rather than be of one row, which the input_fn of
    scikit-learn's container reads as a column.
    """
    waiting: list[list[str]] = []
    part: list[list[str]] = []
    size = 0
    with open(path, encoding="utf-8", newline="") as file:
        lines = csv.reader(file)
        next(lines, None)
        for whole in lines:
            line = [whole[place] for place in places]
            length = sum(len(cell.encode()) + 1 for cell in line)
            if len(part) == MAX_ROWS or (part and size + length > MAX_BYTES):
                if waiting:
                    yield waiting
                waiting, part, size = part, [], 0
            part.append(line)
            size += length
    if len(part) == 1 and len(waiting) > 2:
        part.insert(0, waiting.pop())
    if waiting:
        yield waiting
    if part:
        yield part


def request(rows: list[list[str]], task: dict[str, Any]) -> Any:
    """The body of a request with these rows: text where the containers hand over text, else bytes."""
    kind, columns, numbers = (
        task["content_type"].split(";")[0].strip().lower(),
        task["columns"],
        task["numbers"],
    )
    if kind == CSV:
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([columns, *rows] if task["header"] else rows)
        text = stream.getvalue()[:-1]  # without an end, as XGBoost's own input_fn needs it
    else:
        values = [[_value(cell, name in numbers) for name, cell in zip(columns, row)] for row in rows]
        found = [dict(zip(columns, row)) for row in values] if task["header"] else values
        if kind == JSON:
            text = json.dumps(found)
        elif kind in LINES:
            text = "\n".join(json.dumps(item) for item in found)
        else:
            raise NoDefault(
                f"inference.content_type {kind} cannot be written; use {CSV}, {JSON} or {LINES[0]}"
            )
    return text if task["content_type"] in TEXTS else text.encode()


def _value(cell: str, number: bool) -> Any:
    """A cell of rows.csv in JSON: null where it is empty, a number in a column of numbers, else the text."""
    if cell == "":
        return None
    if not number:
        return cell
    found = float(cell)
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


def packages() -> dict[str, str]:
    """The versions of the installed packages that the process has imported, by name."""
    try:
        metadata = importlib.import_module("importlib.metadata")
        found = {}
        for item in metadata.distributions():
            names = (item.read_text("top_level.txt") or "").split() or [
                item.metadata["Name"].replace("-", "_")
            ]
            if any(name in sys.modules for name in names):
                found[str(item.metadata["Name"])] = str(item.version)
        return dict(sorted(found.items()))
    except Exception:  # a broken package must not end the scoring
        traceback.print_exc()
        return {}


if __name__ == "__main__":
    main(sys.argv[1])
