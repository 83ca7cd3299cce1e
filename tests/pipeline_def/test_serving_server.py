"""Each form of request, fed to the serving code of SageMaker's scikit-learn image (sagemaker_containers)."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks import transform
from checks.serving.toolkit import Answer, Server, environment, request
from tests.pipeline_def.artifacts import packed, titanic_artifact
from tests.pipeline_def.helpers import TITANIC

pytestmark = pytest.mark.slow

LANDED = list(csv.reader(io.StringIO((TITANIC / "validation.csv").read_text())))[:5]
"""The header and four rows of a landed file."""

FEATURES = ["age", "sibsp", "parch", "fare", "pclass", "sex", "embarked"]
"""The features in the config's order."""


@pytest.fixture(scope="module")
def serving_python() -> Path:
    """The Python of .venv-serving, which is made if requirements/serving.txt is newer."""
    if not (shutil.which("cc") or shutil.which("gcc")):
        pytest.skip("sagemaker-containers has a part in C, and there is no compiler")
    return environment()


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked artifact of a model of the sample data."""
    return titanic_artifact(tmp_path_factory.mktemp("serving"))


@pytest.fixture(scope="module", params=["single", "multi"])
def server(request: pytest.FixtureRequest, serving_python: Path, artifact: Path) -> Iterator[Server]:
    """The server of endpoints with one model and of batch transform, and that of endpoints with many."""
    with Server(serving_python, artifact, request.param) as found:
        yield found


def lines(rows: list[list[str]], end: str = "\n") -> str:
    """The rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue()


def only(names: list[str], *, header: bool) -> list[list[str]]:
    """These columns of the landed rows, in this order."""
    places = [LANDED[0].index(name) for name in names]
    return [[row[place] for place in places] for row in LANDED[0 if header else 1 :]]


WITHOUT_TARGET = [name for name in LANDED[0] if name != "survived"]
RECORDS = [dict(zip(LANDED[0], row, strict=True)) for row in LANDED[1:]]
JSON_LINES = "".join(json.dumps(record) + "\n" for record in RECORDS)

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("csv with a header", request(lines(LANDED), "text/csv")),
    ("charset", request(lines(LANDED), "text/csv; charset=utf-8")),
    ("upper case", request(lines(LANDED), 'Text/CSV; charset="UTF-8"')),
    ("latin-1", request(lines(LANDED).encode("latin-1"), "text/csv; charset=iso-8859-1")),
    ("utf-16", request(lines(LANDED).encode("utf-16"), "text/csv; charset=utf-16")),
    ("byte order mark", request(b"\xef\xbb\xbf" + lines(LANDED).encode(), "text/csv")),
    (
        "byte order mark, charset",
        request(b"\xef\xbb\xbf" + lines(LANDED).encode(), "text/csv; charset=utf-8"),
    ),
    ("crlf", request(lines(LANDED, "\r\n"), "text/csv")),
    ("no newline at the end", request(lines(LANDED).rstrip("\n"), "text/csv")),
    ("blank lines", request(lines(LANDED) + "\n\r\n", "text/csv")),
    ("features with a header", request(lines(only(FEATURES, header=True)), "text/csv")),
    ("landed lines", request(lines(LANDED[1:]), "text/csv")),
    ("landed lines, charset", request(lines(LANDED[1:]), "text/csv; charset=utf-8")),
    ("landed lines without target", request(lines(only(WITHOUT_TARGET, header=False)), "text/csv")),
    ("features without header", request(lines(only(FEATURES, header=False)), "text/csv")),
    ("records", request(json.dumps(RECORDS), "application/json")),
    ("instances", request(json.dumps({"instances": RECORDS}), "application/json; charset=utf-8")),
    ("no content type", request(json.dumps(RECORDS), None)),
    (
        "json with a byte order mark",
        request(b"\xef\xbb\xbf" + json.dumps(RECORDS).encode(), "application/json"),
    ),
    ("json lines", request(JSON_LINES, "application/jsonlines")),
    ("json lines, no newline", request(JSON_LINES.rstrip("\n"), "application/jsonlines")),
    ("json lines, crlf", request(JSON_LINES.replace("\n", "\r\n"), "application/x-ndjson")),
    ("accept anything", request(lines(LANDED), "text/csv", "*/*")),
]


def test_server_answers_every_form_of_the_same_rows_alike(server: Server) -> None:
    answers = server.answers([item for _, item in GOOD])
    first = json.loads(answers[0].body)["predictions"]
    assert len(first) == 4
    for (name, _), answer in zip(GOOD, answers, strict=True):
        assert (name, answer.status, answer.type) == (name, 200, "application/json")
        assert json.loads(answer.body)["predictions"] == first, name


def test_server_answers_one_row_with_one_prediction(server: Server) -> None:
    one = RECORDS[0]
    forms = [
        request(lines(LANDED[1:2]), "text/csv"),
        request(lines(LANDED[1:2]).rstrip("\n"), "text/csv"),
        request(lines(LANDED[:2]), "text/csv"),
        request(json.dumps(one), "application/json"),
        request(json.dumps([one]), "application/json"),
        request(json.dumps({"instances": [one]}), "application/json"),
        request(json.dumps(one), "application/jsonlines"),
    ]
    bodies = {answer.body for answer in server.answers(forms)}
    assert len(bodies) == 1
    assert len(json.loads(bodies.pop())["predictions"]) == 1


def test_server_answers_spellings_of_a_category_alike(server: Server) -> None:
    values: list[Any] = [3, 3.0, "3", "3.0", " 3 ", "3e0"]
    gaps: list[Any] = [None, "", "NULL", "nan", "None", "\\N"]
    records = [RECORDS[0] | {"pclass": value} for value in (*values, *gaps)]
    absent = {name: value for name, value in RECORDS[0].items() if name != "pclass"}
    forms = [
        request(json.dumps([*records, absent]), "application/json"),
        request(json.dumps(absent), "application/json"),
    ]
    many, alone = server.answers(forms)
    found = [item["probability"] for item in json.loads(many.body)["predictions"]]
    assert len(set(found[:6])) == 1
    assert len(set(found[6:])) == 1
    assert found[0] != found[6]
    assert json.loads(alone.body)["predictions"][0]["probability"] == found[6]


ACCEPTS: list[tuple[str | None, str]] = [
    (None, "application/json"),
    ("*/*", "application/json"),
    ("application/*", "application/json"),
    ("text/csv", "text/csv"),
    ("text/*", "text/csv"),
    ("TEXT/CSV; charset=utf-8", "text/csv"),
    ("application/jsonlines", "application/jsonlines"),
    ("text/csv;q=0.5, application/json;q=0.4", "text/csv"),
    ("text/csv;q=0.5, application/json", "application/json"),
    ("text/html, text/csv;q=0.9, */*;q=0.8", "text/csv"),
    ("application/json;q=0, */*", "text/csv"),
    ("text/html, */*;q=0.1", "application/json"),
    ("text/csv, application/json", "text/csv"),
]
"""What a request accepts, and the content type of the answer."""


def test_server_answers_as_the_request_likes(server: Server) -> None:
    forms = [request(lines(LANDED), "text/csv", accept) for accept, _ in ACCEPTS]
    answers = server.answers(forms)
    for (accept, expected), answer in zip(ACCEPTS, answers, strict=True):
        assert (accept, answer.status, answer.type) == (accept, 200, expected)


def test_server_answers_csv_without_a_header_in_csv_without_a_header(server: Server) -> None:
    forms = [
        request(lines(LANDED[1:]), "text/csv", "text/csv"),
        request(lines(LANDED), "text/csv", "text/csv"),
        request(JSON_LINES, "application/jsonlines", "application/jsonlines"),
    ]
    bare, headed, by_line = server.answers(forms)
    assert len(bare.body.splitlines()) == 4
    assert headed.body.splitlines() == ["label,probability", *bare.body.splitlines()]
    assert len([json.loads(line) for line in by_line.body.splitlines()]) == 4


def test_server_answers_no_rows_with_no_predictions(server: Server) -> None:
    forms = [request(lines(LANDED[:1]), "text/csv"), request("[]", "application/json")]
    for answer in server.answers(forms):
        assert (answer.status, answer.body) == (200, '{"predictions": []}')


BAD: list[tuple[dict[str, Any], int, str]] = [
    (request("", "text/csv"), 400, "the body is empty"),
    (request("", "application/json"), 400, "the body is empty"),
    (request("\n\n", "application/jsonlines"), 400, "the body is empty"),
    (request(lines(LANDED), "application/x-npy"), 415, "content type application/x-npy is not served"),
    (request(lines(LANDED), "text/csv", "text/html"), 406, "cannot answer with text/html"),
    (request(lines(LANDED), "text/csv", "*/*;q=0"), 406, "cannot answer with */*;q=0"),
    (request("3,male\n", "text/csv"), 400, "lines without a header have 2 values, expected 7 or 13 or 14"),
    (request(lines([[*row, ""] for row in LANDED[1:]]), "text/csv"), 400, "lines without a header have 15"),
    (request(lines([*LANDED[1:3], ["1"]]), "text/csv"), 400, "line 3 has 1 values, expected 14"),
    (request('a,"b\n', "text/csv"), 400, "the body is no CSV"),
    (request(b"\xff\xfe\xff", "text/csv; charset=utf-8"), 400, "the body cannot be read as utf-8"),
    (request("{", "application/json"), 400, "the body is no JSON (line 1, column 2)"),
    (request("[" * 100_000, "application/json"), 400, "the body is nested too deep"),
    (request("[" * 100_000, "application/jsonlines"), 400, "the body is nested too deep"),
    (request("{}", "text/csv; charset=undefined"), 400, "the body cannot be read as undefined"),
    (request("{}", "application/json"), 400, "the rows have no age, sibsp"),
    (request("3", "application/json"), 400, "expected a list of records"),
    (request('[{"age": {}}]', "application/json"), 400, "expected a list of records whose values"),
    (request(json.dumps({"Age": 1, "sex": "male"}), "application/json"), 400, "the rows have no age"),
    (
        request(json.dumps({"age": "old", "sex": "male"}), "application/json"),
        400,
        "row 1: age has a wrong value",
    ),
    (request(json.dumps({"age": 10**400}), "application/json"), 400, "row 1: age has a wrong value"),
    (request(lines(only(FEATURES[1:], header=True)), "text/csv"), 400, "the rows have no age; they have"),
    (
        request(lines([[name.upper() for name in LANDED[0]], *LANDED[1:]]), "text/csv"),
        400,
        "the rows have no age",
    ),
    (
        request(lines([[*row, row[0]] for row in LANDED]), "text/csv"),
        400,
        "the header has a column more than once",
    ),
]


def test_server_refuses_a_bad_request_with_the_reason(server: Server) -> None:
    answers = server.answers([item for item, _, _ in BAD])
    for (_, status, says), answer in zip(BAD, answers, strict=True):
        assert (says, answer.status) == (says, status)
        assert answer.error.startswith(says)
        assert "male" not in answer.error


def test_server_refuses_a_body_that_is_not_utf8(server: Server) -> None:
    """The server of many models decodes text/csv before the script sees it, and fails by itself."""
    (answer,) = server.answers([request(b"\xff\xfe\xff", "text/csv")])
    assert answer.status == {"single": 400, "multi": 500}[server.kind]


@pytest.fixture(scope="module")
def archive(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact as a training job leaves it."""
    return packed(artifact, tmp_path_factory.mktemp("packed"))


@pytest.mark.usefixtures("serving_python")
def test_the_script_proves_each_form_of_a_transform(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(lines(LANDED))
    assert transform.main([str(archive), str(rows)]) == 0
    said = capsys.readouterr().out
    assert said.count("200  4 rows, 4 predictions") == 10
    assert "text/csv; charset=utf-8                      200  4 rows, 4 predictions" in said
    assert said.endswith("every form is answered, and every bad request refused\n")


class Broken:
    """A server that forgets the last row of each request, and never refuses one."""

    def answers(self, requests: list[dict[str, Any]]) -> list[Answer]:
        return [Answer(200, "text/csv", "label,probability\n0,0.25\n") for _ in requests]


def test_the_script_names_each_form_that_is_not_answered() -> None:
    broken: Any = Broken()
    found = list(transform.check(broken, LANDED))
    assert found[0] == "CSV with a header, SplitType None: [1] predictions for [4] rows"
    assert found[-1] == "JSON lines that are no JSON: status 200, expected one of 400 to 499 with the reason"
    assert len(found) == 7 + 7  # three forms have one row in each request


def test_the_script_says_what_is_no_artifact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    assert transform.main([str(tmp_path / "model.tar.gz"), "rows.csv"]) == 1
    assert "model.tar.gz is no archive of a model" in capsys.readouterr().err
