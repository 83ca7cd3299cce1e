"""`handsoff predict`: one prediction for each row, made in another process, or a clear error."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handsoff.commands import predict as command
from handsoff.commands import terminal
from handsoff.errors import NotFound, NotServed, UsageError
from handsoff.operating import predicting, rows
from handsoff.operating.predicting import Predictions, predict, record_of
from tests.handsoff.registered import ARN, IMAGE, Registered
from tests.handsoff.test_artifacts import archive_of
from tests.pipeline_def.artifacts import packed, titanic_artifact
from tests.pipeline_def.helpers import TITANIC
from tests.pipeline_def.own_code import artifact, warm

pytestmark = pytest.mark.slow

LANDED = (TITANIC / "validation.csv").read_text().splitlines(keepends=True)
ROWS = [dict(row) for row in csv.DictReader(LANDED[:5])]


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    folder = tmp_path_factory.mktemp("registered")
    return Registered(packed(titanic_artifact(folder / "made"), folder))


def predicted(registered: Registered, file: Path, content_type: str | None = None) -> Predictions:
    deployment: Any = registered
    return predict(
        deployment,
        "titanic/1",
        file,
        environment=lambda image: Path(sys.executable) if image == IMAGE else Path("/nonexistent"),
        content_type=content_type,
    )


def run_forked(
    command: list[str], *, input: bytes, cwd: Path, env: dict[str, str], **_: bool
) -> subprocess.CompletedProcess[bytes]:
    """Run a script as subprocess.run does, forked from a process that has its packages."""
    arguments = [argument for argument in command if argument != "-I"]
    process = warm().converse(arguments, env, cwd)
    if process is None or not (process.stdin and process.stdout and process.stderr):  # no Linux
        return subprocess.run(command, input=input, cwd=cwd, env=env, capture_output=True, check=False)
    with process.stdout as output, process.stderr as errors:
        with process.stdin as stdin:
            stdin.write(input.decode())
        said = output.read().encode(), errors.read().encode()
    return subprocess.CompletedProcess(command, process.wait(), *said)


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let models' code be forked. Two tests start it as operators do, also that of own training code."""
    monkeypatch.setattr(predicting, "subprocess", SimpleNamespace(run=run_forked))


@pytest.mark.usefixtures("forked")
def test_predict_answers_each_form_of_the_rows_alike(registered: Registered, tmp_path: Path) -> None:
    forms = {
        "rows.csv": "".join(LANDED[:5]),
        "bare.CSV": "".join(LANDED[1:5]),
        "rows.json": json.dumps(ROWS),
        "rows.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    }
    found = []
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        found.append(predicted(registered, tmp_path / name))
    assert [(one.package, one.image, len(one.records)) for one in found] == [(ARN.format(1), IMAGE, 4)] * 4
    assert [one.records for one in found] == [found[0].records] * 4
    assert [set(record) for record in found[0].records] == [{"label", "probability"}] * 4


@pytest.mark.usefixtures("forked")
@pytest.mark.parametrize(
    ("text", "content_type", "said"),
    [
        (
            "age,sex\n3,male\n",
            None,
            r"handsoff-titanic/1 has not answered .*rows\.csv: the rows have no sibsp",
        ),
        ("", None, r"rows\.csv: the body is empty; expected at least one row"),
        ("age\n", "text/html", r"content type text/html is not served"),
    ],
)
def test_predict_names_what_is_wrong_with_the_rows(
    registered: Registered, tmp_path: Path, text: str, content_type: str | None, said: str
) -> None:
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(NotServed, match=said):
        predicted(registered, tmp_path / "rows.csv", content_type)


def test_predict_names_a_file_that_is_none(registered: Registered, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.csv cannot be read: No such file"):
        predicted(registered, tmp_path / "gone.csv")
    with pytest.raises(UsageError, match=r"rows\.xlsx: a file with rows ends with one of \.csv, \.json"):
        predicted(registered, tmp_path / "rows.xlsx")


SPY = b"""import json, os, sys
def model_fn(folder): return folder
def input_fn(body, kind): return body
def predict_fn(body, model):
    print("noise on standard output")
    return {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "PYTHON"))}
def output_fn(found, accept): return json.dumps({"prediction": found, "pid": os.getpid()}) + "\\n", accept
"""


def test_model_runs_in_another_process_without_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_PROFILE", "administrator")
    archive = archive_of(tmp_path, {"code/model.json": b"{}", "code/inference.py": SPY})
    (tmp_path / "rows.csv").write_text("a\n1\n")
    (record,) = predicted(Registered(archive), tmp_path / "rows.csv").records
    assert record["prediction"] == {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    assert record["pid"] != os.getpid()


@pytest.mark.usefixtures("forked")
def test_failure_of_the_models_code_shows_its_last_lines(tmp_path: Path) -> None:
    code = b"def model_fn(folder):\n    raise KeyError('no booster')\n"
    archive = archive_of(tmp_path, {"code/model.json": b"{}", "code/inference.py": code})
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with pytest.raises(NotServed, match=r"(?s)its code failed:\n.*KeyError: 'no booster'"):
        predicted(Registered(archive), tmp_path / "rows.csv")


TRAIN = """import json
def model_fn(folder): return "model"
def input_fn(body, kind): return [line.split(",") for line in body.splitlines()]
def predict_fn(rows, model): return [1 / (1 + float(x or 0)) for x, _ in rows][:{rows}]
def output_fn(found, accept): return json.dumps(found), "application/json"
"""


def test_own_code_is_asked_as_its_contract_says(tmp_path: Path) -> None:
    own = artifact(tmp_path / "own", {"inference.py": TRAIN.replace("{rows}", "")})
    (tmp_path / "rows.csv").write_text("id,c,x\n7,a,1\n8,b,3\n9,,\n")
    found = predicted(Registered(own / "model.tar.gz"), tmp_path / "rows.csv").records
    assert [record["probability"] for record in found] == [0.5, 0.25, 1.0]
    assert [record["label"] for record in found] == ["0", "0", "1"]


@pytest.mark.usefixtures("forked")
def test_own_code_with_a_prediction_too_few_is_named(tmp_path: Path) -> None:
    own = artifact(tmp_path / "own", {"inference.py": TRAIN.replace("{rows}", "1")})
    (tmp_path / "rows.csv").write_text("x,c\n1,a\n3,b\n")
    with pytest.raises(NotServed, match="answered 1 predictions for 2 rows, expected a probability"):
        predicted(Registered(own / "model.tar.gz"), tmp_path / "rows.csv")


def contract(**data: str) -> dict[str, Any]:
    """The part of handsoff.json that says what rows look like, of a model that takes two texts."""
    return {"columns": ["age", "sex"], "config": {"features": {}, "data": data}}


@pytest.mark.usefixtures("forked")
def test_own_code_is_not_asked_about_rows_that_do_not_fit(tmp_path: Path) -> None:
    assert predicting.REFUSED == rows.REFUSED
    own = artifact(tmp_path / "own", {"inference.py": TRAIN.replace("{rows}", "")})
    (tmp_path / "rows.csv").write_text("x,c,d\nlong,a,b\n")
    with pytest.raises(NotServed, match=r"rows\.csv: row 1: x has a wrong value, expected a number"):
        predicted(Registered(own / "model.tar.gz"), tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"sex,id,age\nmale,7,3\n,8,\n", "text/csv", [["3", "male"], ["", ""]]),
        (b"3,male\n4,female\n", "text/csv", [["3", "male"], ["4", "female"]]),
        (b"\xef\xbb\xbfage,sex\n3,male\n", "text/csv; charset=utf-8-sig", [["3", "male"]]),
        ("age,sex\n3,m\xe4nnlich\n".encode("latin-1"), "text/csv; charset=iso-8859-1", [["3", "männlich"]]),
        (b'[{"age": 3, "sex": null}]', "application/json", [["3", ""]]),
        (b'{"instances": [{"age": 3.5, "sex": true}]}', "application/json", [["3.5", "true"]]),
        (b'{"age": 3, "sex": "male"}\n\n', "application/jsonlines", [["3", "male"]]),
    ],
)
def test_rows_for_own_code_are_in_the_order_of_its_columns(
    body: bytes, content_type: str, expected: list[list[str]]
) -> None:
    assert list(rows.rows_of(body, content_type, contract())) == expected


def test_rows_for_own_code_have_the_delimiter_of_the_config() -> None:
    found = rows.rows_of(b"sex;age\nmale;3\n", "text/csv", contract(delimiter=";"))
    assert list(found) == [["3", "male"]]


def test_rows_for_own_code_without_a_header_have_the_columns_of_landed_files() -> None:
    given = contract()
    given["config"]["data"]["header"] = ["id", "sex", "age", "target"]
    assert list(rows.rows_of(b"7,male,3,1\n", "text/csv", given)) == [["3", "male"]]
    assert list(rows.rows_of(b"3,male\n", "text/csv", given)) == [["3", "male"]]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1.234,5|Yes| 1.0 |as it is", ["1234.5", "1.0", "1", "as it is"]),
        ("NULL|n|NULL|NULL", ["", "0.0", "", "NULL"]),
        ("-3|||", ["-3", "", "", ""]),
    ],
)
def test_cells_for_own_code_mean_what_they_mean_in_training(cell: str, expected: list[str]) -> None:
    given = contract(delimiter="|", decimal=",", thousands=".")
    given["columns"] = ["n", "b", "c", "o"]
    given["config"]["features"] = {"numeric": ["n"], "boolean": ["b"], "categorical": ["c"]}
    assert list(rows.rows_of(cell.encode(), "text/csv", given)) == [expected]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'[{"n": 1, "b": "maybe"}]', "row 1: b has a wrong value, expected true or false"),
        (b'[{"n": 1, "b": true}, {"n": "old", "b": true}]', "row 2: n has a wrong value, expected a number"),
        (b'[{"n": true, "b": true}]', "row 1: n has a wrong value, expected a number"),
    ],
)
def test_cells_for_own_code_that_mean_nothing_are_named(body: bytes, said: str) -> None:
    given = contract()
    given["columns"] = ["n", "b"]
    given["config"]["features"] = {"numeric": ["n"], "boolean": ["b"]}
    with pytest.raises(rows.Refused, match=said):
        list(rows.rows_of(body, "application/json", given))


@pytest.mark.parametrize(
    ("body", "content_type", "said"),
    [
        (b"", "text/csv", "it has no rows"),
        (b"age,name,x\n3,a,b\n", "text/csv", "its first line does not name sex; the model takes age, sex"),
        (b"age,sex\n3\n", "text/csv", "line 2 has 1 values, expected 2"),
        (b"\xff\xfe", "text/csv", "it cannot be read as utf-8-sig: say --content-type"),
        (b'[{"age": 3}]', "application/json", "row 1 has no sex; the model takes age, sex"),
        (b"{", "application/json", "it is no JSON"),
        (b"3", "application/json", "expected a list of records"),
    ],
)
def test_rows_for_own_code_that_do_not_fit_are_named(body: bytes, content_type: str, said: str) -> None:
    with pytest.raises(rows.Refused, match=said):
        list(rows.rows_of(body, content_type, contract()))


@pytest.mark.parametrize(
    ("row", "classes", "expected"),
    [
        ({"probability": "0.75"}, ["no", "yes"], {"label": "yes", "probability": 0.75}),
        ({"probability": "0.5"}, ["no", "yes"], {"label": "no", "probability": 0.5}),
        ({"label": "1"}, ["no", "yes"], {"label": "yes"}),
        ({"value": "3.5"}, [], {"prediction": 3.5}),
        (
            {"0": "0.2", "1": "0.5", "2": "0.3"},
            ["a", "b", "c"],
            {"label": "b", "probability": 0.5, "probabilities": {"a": 0.2, "b": 0.5, "c": 0.3}},
        ),
    ],
)
def test_predictions_of_own_code_have_the_form_of_built_in_models(
    row: dict[str, str], classes: list[str], expected: dict[str, Any]
) -> None:
    assert record_of(row, classes) == expected


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> None:
    records = [
        {"label": "b", "probability": 0.5, "probabilities": {"a": 0.2, "b": 0.5, "c": 0.3}},
        {"label": "a", "probability": 0.6, "probabilities": {"a": 0.6, "b": 0.3, "c": 0.1}},
    ]
    monkeypatch.setattr(terminal, "deployment", lambda: None)
    monkeypatch.setattr(command, "predict_rows", lambda *_, **__: Predictions(ARN.format(3), IMAGE, records))


TABLE = "label,probability,probability_a,probability_b,probability_c\nb,0.5,0.2,0.5,0.3\na,0.6,0.6,0.3,0.1\n"


@pytest.mark.usefixtures("answered")
def test_command_prints_csv_or_json_or_writes_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.predict("titanic/3", Path("rows.csv"))
    assert capsys.readouterr().out == TABLE
    command.predict("titanic/3", Path("rows.csv"), as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["modelPackageArn"], found["image"]) == (ARN.format(3), IMAGE)
    assert [record["label"] for record in found["predictions"]] == ["b", "a"]
    command.predict("titanic/3", Path("rows.csv"), output=tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == TABLE
    assert capsys.readouterr().out.startswith("2 predictions of handsoff-titanic/3 → ")


def test_image_that_is_not_known_is_named() -> None:
    with pytest.raises(NotServed, match=r"the image 1\.dkr\.ecr\.\S+/mine:1 is not known"):
        command.python_of("1.dkr.ecr.eu-west-1.amazonaws.com/mine:1")


def test_no_rows_give_no_lines() -> None:
    assert command.as_csv([]) == ""
    assert list(csv.reader(io.StringIO(command.as_csv([{"prediction": 1.0}])))) == [["prediction"], ["1.0"]]
