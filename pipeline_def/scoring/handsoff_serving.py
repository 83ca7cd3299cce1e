"""The process in which a model is loaded and asked, as a serving container would: score.py starts it.

The one argument is a folder with task.json. Written to it are predictions.csv and answered.json, or
problem.json; then shuffled.json where the task asks for it. The model's code may print, start threads, and
end the process; score.py finds out. Python 3.8; the standard library and numpy.
"""

from __future__ import annotations

import csv
import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import handsoff_defaults
from handsoff_answers import AnswerProblem, Wanted, predictions
from handsoff_calls import IMAGES_OWN, SHOWN, OwnCode, Telling, called, cut
from handsoff_defaults import NoDefault
from handsoff_orders import Watch
from handsoff_rows import NoKind, NoNumber, request, requests
from handsoff_shuffles import Kept, write_description, write_shuffled
from handsoff_words import Words, print_traceback

AGAIN = 20
"""Rows that are asked for again at the end, in another order, and two of them in a request of their own."""

SAME = 1e-3
"""By how much a probability may differ between answers for a row; of values, as a share of the largest."""

PR_SET_PDEATHSIG = 1
"""The option of Linux' prctl by which a process gets a signal when its parent ends."""


def main(folder: str) -> None:
    """Score the task in `folder` and end the process, whatever threads the model has left."""
    code = 1
    die_with_parent()
    csv.field_size_limit(sys.maxsize)
    try:
        with open(os.path.join(folder, "task.json"), encoding="utf-8") as file:
            task = json.load(file)
        asked = score(task, folder)
        write(asked.answered, os.path.join(folder, "answered.json"))
        code = 0
        if asked.kept:
            shuffle(asked, task, folder)
    except (OwnCode, AnswerProblem, NoDefault, NoKind) as problem:
        write({"problem": str(problem)}, os.path.join(folder, "problem.json"))
    except BaseException as error:  # the model's code may raise anything
        print_traceback(error, Words(os.path.dirname(os.path.abspath(__file__))), show=False)
        reason = f"scoring failed: {type(error).__name__}; the log of the job has more"
        write({"problem": reason}, os.path.join(folder, "problem.json"))
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


class Asked(NamedTuple):
    """What is left when all rows are answered: answered.json, the model, and the rows to ask about again."""

    answered: dict[str, Any]
    ask: Callable[[Any], Any]
    kept: Kept | None


def shuffle(asked: Asked, task: dict[str, Any], folder: str) -> None:
    """Ask again with shuffled values. What fails is told in shuffled.json, and nothing else fails for it."""
    wanted = Wanted(task["returns"], tuple(task["classes"]))

    def ask(rows: Sequence[Sequence[str]], places: Sequence[int]) -> list[list[float]]:
        return answered(asked.ask, [list(row) for row in rows], places, task, wanted)

    try:
        assert asked.kept  # nosec B101 # noqa: S101 - main() has looked
        write_shuffled(ask, asked.kept, task["columns"], folder)
    except BaseException as error:  # the model's code may raise anything
        print_traceback(error, Words(os.path.dirname(os.path.abspath(__file__))), show=False)
        why = f"asking the model with shuffled values failed with {type(error).__name__}"
        write_description(folder, problem=f"{why}; the log of ScoreCandidate has more")


def score(task: dict[str, Any], folder: str) -> Asked:
    """Write predictions.csv. The answer has the number of rows and the packages that the model used.

    `task` has `model`, `rows`, `framework`, `entry_point`, `content_type`, `accept`, `header`, `returns`,
    `classes`, `columns`, `numbers`: the columns that are numbers in JSON; `quote`: whether a reason may quote
    what the model says of rows, and `show`: whether the log may; `shuffle`: whether some rows are kept, and
    `count`: how many there are. Raises OwnCode, AnswerProblem, NoDefault or NoKind.
    """
    wanted = Wanted(task["returns"], tuple(task["classes"]))
    sys.path.append(sys.path[0])  # last, for processes that the model starts as copies of this one
    sys.path[0] = os.path.join(task["model"], "code")
    ask = loaded(task)
    count, sample = 0, Sample([], [], [])
    kept = Kept(task["count"], os.path.getsize(task["rows"])) if task["shuffle"] and task["count"] else None
    with open(os.path.join(folder, "predictions.csv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(wanted.columns)
        for rows in requests(task["rows"], task["places"]):
            found = answered(ask, rows, range(count + 1, count + len(rows) + 1), task, wanted)
            sample = sample if sample.rows else Sample.of(rows, found)
            if wanted.returns == "label":
                writer.writerows([int(row[0])] for row in found)
            else:
                writer.writerows([repr(number) for number in row] for row in found)
            if kept:
                kept.take(rows, count)
            count += len(rows)
    ask_again(ask, sample, task, wanted)
    return Asked({"rows": count, "packages": packages()}, ask, kept)


class Sample(NamedTuple):
    """Some rows, their places in rows.csv, from 1, and what was answered for each."""

    rows: list[list[str]]
    places: list[int]
    found: list[list[float]]

    @classmethod
    def of(cls, rows: list[list[str]], found: list[list[float]]) -> Sample:
        """At most AGAIN rows of the first request, the last of them first."""
        step = max(1, len(rows) // AGAIN)
        at = list(range(0, len(rows), step))[:AGAIN][::-1]
        return cls([rows[one] for one in at], [one + 1 for one in at], [found[one] for one in at])

    def ends(self) -> Sample:
        """The first and the last row."""
        at = (0, -1)
        return Sample(
            [self.rows[one] for one in at], [self.places[one] for one in at], [self.found[one] for one in at]
        )


def answered(
    ask: Callable[[Any], Any],
    rows: list[list[str]],
    places: Sequence[int],
    task: dict[str, Any],
    wanted: Wanted,
) -> list[list[float]]:
    """The predictions of one request. `places` are those of the rows in rows.csv. Raises as `score`."""
    try:
        body, kind = answer(ask(request(rows, task)), task["accept"])
        return predictions(body, kind, len(rows), wanted)
    except AnswerProblem as problem:
        raise AnswerProblem(problem.told(places, task["quote"])) from None
    except NoNumber as problem:
        raise OwnCode(no_number(problem, places, task)) from None


def no_number(problem: NoNumber, places: Sequence[int], task: dict[str, Any]) -> str:
    """Which cell is no number, without its value."""
    line, column = problem.line, problem.column
    if problem.by_image and task["header"]:
        line -= 1
    elif problem.by_image and len(places) == 1 and column == 0:  # the image makes one row a column
        line, column = 0, problem.line
    where = f"row {places[line]:,} of rows.csv" if 0 <= line < len(places) else "the header"
    columns = task["columns"]
    name = columns[column] if column < len(columns) else f"number {column + 1}"
    cell = f"column {name} of {where} is {'empty' if problem.empty else 'text'}"
    if problem.by_image:
        return (
            f"{IMAGES_OWN} input_fn takes numbers only, and {cell}; "
            "write input_fn in the entry point if these rows need another one"
        )
    return f"{cell}, and the model takes numbers in this column"


def ask_again(ask: Callable[[Any], Any], sample: Sample, task: dict[str, Any], wanted: Wanted) -> None:
    """Ask again for the rows of the sample, last first, and for two of them alone.

    An endpoint gets other rows beside a row than this job sends. Raises AnswerProblem if the model answers
    otherwise for the same row, or answers for its classes in another order than the configuration's.
    """
    watch = Watch(wanted.classes)
    for few in (sample, sample.ends()) if len(sample.rows) > 2 else (sample,):
        try:
            with watch:
                found = answered(ask, few.rows, few.places, task, wanted)
        except OwnCode as problem:
            raise OwnCode(f"{problem} (in a request of {len(few.rows)} rows; a larger one worked)") from None
        compare(few, found, wanted, quote=task["quote"])
        if wanted.returns == "probability":
            watch.check(found)


def compare(few: Sample, found: list[list[float]], wanted: Wanted, *, quote: bool) -> None:
    """Raise AnswerProblem if another prediction was found than before for one of the rows.

    Without `quote` the predictions are not shown: a model may answer what it was asked.
    """
    scale = {"label": 0.0, "probability": 1.0}.get(wanted.returns)
    if scale is None:
        scale = max(abs(number) for row in few.found for number in row)
    for place, before, now in zip(few.places, few.found, found):
        if any(abs(one - other) > SAME * scale for one, other in zip(before, now)):
            first, second = (listed(before), listed(now)) if quote else ("one thing", "another one")
            raise AnswerProblem(
                f"for row {place:,} of rows.csv the model answered {first}, and {second} when "
                f"it was asked again in a request of {len(few.rows)} rows: its answer depends on the other "
                "rows of the request, on their order, or on chance, so an endpoint answers something else; "
                "compute nothing from the rows of a request, and answer in their order"
            )


def listed(numbers: list[float]) -> str:
    """The numbers in a message."""
    return ", ".join(f"{number:.6g}" for number in numbers)


def loaded(task: dict[str, Any]) -> Callable[[Any], Any]:
    """The model of the task, as a function from the body of a request to its answer."""
    name = os.path.splitext(task["entry_point"])[0].replace("/", ".")
    telling = Telling.of(task)
    module: ModuleType = called("the entry point", importlib.import_module, name, telling=telling)
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
    model = called(names["model_fn"], used["model_fn"], task["model"], context=context, telling=telling)
    probabilities = task["returns"] == "probability" and hasattr(model, "predict_proba")
    if task["framework"] == "sklearn" and probabilities and not (own["predict_fn"] or transform):
        raise NoDefault(
            "the image's own predict_fn calls predict, which answers classes: write a predict_fn that calls "
            "predict_proba, or set inference.returns: label"
        )
    kind, accept = task["content_type"], task["accept"]
    about_rows = telling._replace(shown=SHOWN)

    def run(name: str, *given: Any) -> Any:
        return called(names[name], used[name], *given, context=context, telling=about_rows)

    def ask(body: Any) -> Any:
        if transform:
            given = (model, body, kind, accept)
            return called("transform_fn", transform, *given, context=context, telling=about_rows)
        data = run("input_fn", body, kind)
        return run("output_fn", run("predict_fn", data, model), accept)

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
    """What functions with one more argument get from sagemaker_inference.

    The servers of scikit-learn and XGBoost are of sagemaker_containers, which gives nothing.
    """
    if task["framework"] in ("sklearn", "xgboost"):
        return None
    headers = {"Content-Type": task["content_type"], "Accept": task["accept"]}
    return SimpleNamespace(
        system_properties={"model_dir": task["model"], "gpu_id": None},
        request_processor=[SimpleNamespace(get_request_properties=lambda: headers)],
        get_request_header=lambda _index, name: headers.get(name),
    )


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
            raise AnswerProblem(f"answered with status {status}: ", cut(" ".join(text.split()), SHOWN))
        result = body
    if isinstance(result, (str, bytes, bytearray, list, dict, int, float)):
        return result, kind
    raise AnswerProblem(
        "answered an object of type ",
        type(result).__name__,
        ", which no container can send; "
        "output_fn must return text or bytes, such as CSV with one prediction in each line",
        kind=type(result).__name__ if result is None or _is_named(type(result)) else "…",
    )


def _is_named(kind: type) -> bool:
    """Whether the type is found by its name in its module: the name of another may be made of a row."""
    return getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind


def packages() -> dict[str, str]:
    """The versions of the installed packages that the process has imported, by name."""
    try:
        metadata = importlib.import_module("importlib.metadata")
        found = {}
        for item in metadata.distributions():
            names = (item.read_text("top_level.txt") or "").split()
            if not names:  # such as scikit-learn's, whose module has another name
                names = [path.parts[0].split(".")[0] for path in item.files or () if path.suffix == ".py"]
            if any(name in sys.modules for name in names):
                found[str(item.metadata["Name"])] = str(item.version)
        return dict(sorted(found.items()))
    except Exception:  # a broken package must not end the scoring
        traceback.print_exc()
        return {}


if __name__ == "__main__":
    main(sys.argv[1])
