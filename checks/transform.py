"""Proves that a model's artifact answers the lines that a batch transform sends.

    python -m checks.transform model.tar.gz rows.csv

It runs the serving code of SageMaker's scikit-learn image (.venv-serving, which it makes) with the artifact
of a model with a built-in estimator. `rows.csv` has a header with the columns of the landed files. Each form
of request must give one prediction for each row, and all forms the same predictions. Each bad request must
get a status from 400 to 499 with the reason. The exit code is 0 if all do.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from checks.serving.toolkit import Answer, Server, environment, request
from handsoff.operating.artifacts import unpack
from handsoff.operating.predicting import JSON_LINES
from retraining.errors import HandsoffError

CSV = "text/csv"


class Form(NamedTuple):
    """A form of sending the rows: requests, and how many rows each of them has."""

    name: str
    requests: list[dict[str, Any]]
    rows: list[int]


def main(arguments: list[str]) -> int:
    """Check an artifact with the rows of a file; the exit code."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    archive, rows = map(Path, arguments)
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder, contract = unpack(archive, Path(scratch))
            if "inference" in contract:
                raise HandsoffError(f"{archive} has own training code: this checks built-in estimators")
            text = rows.read_text(encoding="utf-8-sig")
        except (HandsoffError, OSError) as error:
            print(error, file=sys.stderr)
            return 1
        delimiter = str(contract.get("data", {}).get("delimiter", ","))
        with Server(environment(), folder, "single") as server:
            problems = list(
                check(server, list(csv.reader(io.StringIO(text), delimiter=delimiter)), delimiter)
            )
    print("\n".join(problems) or "every form is answered, and every bad request refused")
    return 1 if problems else 0


def check(server: Server, table: list[list[str]], delimiter: str = ",") -> Iterator[str]:
    """What is wrong with the answers, a line for each form; it prints each form as it is asked."""
    first: list[str] | None = None
    for form in forms(table, delimiter):
        answers = server.answers(form.requests)
        lines = [line for answer in answers for line in predictions(answer)]
        print(f"{form.name:<44} {answers[0].status}  {sum(form.rows)} rows, {len(lines)} predictions")
        counts = [len(predictions(answer)) for answer in answers]
        if any(answer.status != 200 for answer in answers):
            yield f"{form.name}: status {answers[0].status}: {answers[0].body[:200]}"
        elif counts != form.rows:
            yield f"{form.name}: {counts} predictions for {form.rows} rows"
        elif (first := first or lines) != lines:
            yield f"{form.name}: other predictions than those of the first form"
    for name, wrong in bad(table, delimiter):
        (answer,) = server.answers([wrong])
        print(f"{name:<44} {answer.status}  {answer.body[:100].strip()}")
        if not 400 <= answer.status < 500 or not answer.error:
            yield f"{name}: status {answer.status}, expected one of 400 to 499 with the reason"


def predictions(answer: Answer) -> list[str]:
    """The predictions of an answer, each as sorted JSON with numbers of 9 digits."""
    if answer.status != 200:
        return []
    if answer.type == CSV:
        lines = [line for line in csv.reader(io.StringIO(answer.body)) if line]
        named = lines[:1] if lines and lines[0][0] in ("label", "prediction") else []
        return [_plain(line[:2]) for line in lines[len(named) :]]
    if answer.type == JSON_LINES:
        found = [json.loads(line) for line in answer.body.splitlines()]
    else:
        found = json.loads(answer.body)["predictions"]
    return [_plain([str(value) for name, value in item.items() if name != "probabilities"]) for item in found]


def _plain(values: list[str]) -> str:
    shown = []
    for value in values:
        try:
            shown.append(f"{float(value):.9g}")
        except ValueError:
            shown.append(value)
    return " ".join(shown)


def forms(table: list[list[str]], delimiter: str = ",") -> Iterator[Form]:
    """Each form in which a transform, or a client of an endpoint, sends the rows of a table with a header."""
    header, *rows = table
    number = len(rows)
    records = [json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows]
    bare = [lines([row], delimiter) for row in rows]
    whole = lines(table, delimiter)

    def all_rows(body: str, content_type: str, accept: str | None = CSV) -> tuple[list[Any], list[int]]:
        return [request(body, content_type, accept)], [number]

    ones = [1] * number
    yield Form("CSV with a header, SplitType None", *all_rows(whole, CSV))
    yield Form("CSV without, SplitType Line, MultiRecord", *all_rows("".join(bare), CSV))
    yield Form("CSV without, SingleRecord", [request(line, CSV, CSV) for line in bare], ones)
    yield Form(
        "CSV without, SingleRecord, no line end", [request(row.rstrip("\n"), CSV, CSV) for row in bare], ones
    )
    yield Form("JSON lines, MultiRecord", *all_rows("".join(records), JSON_LINES, JSON_LINES))
    yield Form("JSON lines, SingleRecord", [request(line, JSON_LINES, JSON_LINES) for line in records], ones)
    yield Form("text/csv; charset=utf-8", *all_rows(whole, "text/csv; charset=utf-8"))
    yield Form("Accept: */*", *all_rows(whole, CSV, "*/*"))
    yield Form("no Accept", *all_rows("".join(bare), CSV, None))
    yield Form("JSON lines, Accept: text/csv", *all_rows("".join(records), JSON_LINES))


def bad(table: list[list[str]], delimiter: str = ",") -> Iterator[tuple[str, dict[str, Any]]]:
    """Requests that no model answers."""
    header, *rows = table
    short = [rows[0], rows[0][:-1]]
    yield "a line with a cell too few", request(lines(short, delimiter), CSV, CSV)
    yield "an empty body", request("", CSV, CSV)
    yield "a header without the features", request(lines([["a"], ["1"]], delimiter), CSV, CSV)
    yield "bytes that are no UTF-8", request(b"\xff\xfe\xff", CSV, CSV)
    yield "content type application/x-npy", request(lines(table, delimiter), "application/x-npy", CSV)
    yield "Accept: text/html", request(lines([header, rows[0]], delimiter), CSV, "text/html")
    yield "JSON lines that are no JSON", request("{\n", JSON_LINES, JSON_LINES)


def lines(rows: list[list[str]], delimiter: str) -> str:
    """The rows as CSV."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
