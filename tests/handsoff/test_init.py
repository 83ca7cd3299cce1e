"""`handsoff init`: what is guessed from files and scripts, and the configuration that is written."""

from __future__ import annotations

import ast
import json
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner, Result

from handsoff.cli import app
from handsoff.errors import UsageError
from handsoff.offline.guesses import Guess, Guesses, guess
from handsoff.offline.proposal import STARTERS, scalar, written
from handsoff.offline.saved import saved_file
from handsoff.offline.scripts import read_script
from handsoff.offline.skeletons import inference_script
from handsoff.project import load
from tests.functions.fakes import ROOT
from tests.verdicts_attacked.test_starter_rules import STARTERS as DOCUMENTED


def column(name: str, values: list[Any], kind: str = "text", **more: Any) -> dict[str, Any]:
    """A column as look.py says it, without the shares that the test does not name."""
    counts: dict[str, int] = {}
    for value in values:
        counts[str(value)] = counts.get(str(value), 0) + 1
    found = {"name": name, "kind": kind, "rows": len(values), "missing": 0, "distinct": len(counts)}
    shares = {
        "numbers": 0.0,
        "whole": True,
        "consecutive": False,
        "booleans": 0.0,
        "dates": 0.0,
        "words": 1.0,
    }
    values_of = {"values": sorted(counts.items(), key=lambda one: (-one[1], one[0]))}
    return {**found, "unique": len(counts) == len(values), **shares, "tells": 0.0, **values_of, **more}


def used(one: dict[str, Any]) -> tuple[str, str]:
    """Use and reason of a column beside a target of two values."""
    target = column("y", ["0", "1"] * 50)
    found = guess({"columns": [target, one], "data": {}, "rows": 100}, "y")
    return found.columns[1].use, found.columns[1].why


HUNDRED = list(range(100))


@pytest.mark.parametrize(
    ("one", "use", "why"),
    [
        (column("x", HUNDRED, numbers=1.0, whole=False), "numeric", "numbers"),
        (column("x", [1] * 100, numbers=1.0), "left out", "constant: one value only"),
        (column("x", [], rows=100, missing=100), "left out", "it has no values"),
        (column("x", [1, 2], rows=100, missing=98, numbers=1.0), "left out", "98 % of it is missing"),
        (column("customer_id", HUNDRED, numbers=1.0), "identity", "a different value in each row"),
        (column("customerId", HUNDRED, numbers=1.0), "identity", "a different value in each row"),
        (column("n", HUNDRED, numbers=1.0, consecutive=True), "identity", "a different value in each row"),
        (column("amount", HUNDRED, numbers=1.0), "numeric", "numbers"),
        (column("paid", HUNDRED, numbers=1.0), "numeric", "numbers"),
        (column("day", HUNDRED, dates=1.0), "date", "dates"),
        (column("day", HUNDRED, "date", dates=1.0), "date", "dates"),
        (column("ok", ["yes", "no"] * 50, booleans=1.0), "boolean", "two values that mean true and false"),
        (column("ok", [1, 0] * 50, "boolean"), "boolean", "two values that mean true and false"),
        (
            column("pclass", [1, 2, 3, 1] * 25, numbers=1.0),
            "categorical",
            "3 whole numbers that name something, by its name",
        ),
        (column("sex", ["m", "f"] * 50), "categorical", "2 different texts"),
        (
            column("note", [f"some free text {n}" for n in HUNDRED[:80]] * 1 + ["a b c"] * 20, words=4.0),
            "left out",
            "free text: 81 different values in 100 rows",
        ),
        (
            column("price", [*HUNDRED[:95], *["n.a.?"] * 5], numbers=0.95),
            "left out",
            "95.0 % numbers, the others not (such as 'n.a.?'): mend them, or take it as categorical",
        ),
        (
            column("boat", ["a", "b"] * 50, tells=0.97),
            "left out",
            "it tells the target in 97 % of the rows: it probably comes about after it",
        ),
        (
            column("customer", [n // 2 for n in range(600)], words=1.0),
            "group",
            "300 different values, in several rows each",
        ),
        (
            column("user_id", [n // 2 for n in range(60)], numbers=1.0),
            "group",
            "30 different values, in several rows each",
        ),
        (column("customer_age", [n // 2 for n in range(600)], numbers=1.0), "numeric", "numbers"),
        (column("tags", ["[1]"] * 100, "list<item: int64>"), "left out", "its type is list<item: int64>"),
    ],
)
def test_guess_says_what_a_column_is_used_as_and_why(one: dict[str, Any], use: str, why: str) -> None:
    assert used(one) == (use, why)


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        (column("y", ["no", "yes", "no"]), "binary_classification", ("no", "yes")),
        (column("y", ["yes", "yes", "no"]), "binary_classification", ("no", "yes")),
        (column("y", [1, 0, 1]), "binary_classification", ("0", "1")),
        (column("y", ["stay", "stay", "go"]), "binary_classification", ("stay", "go")),
        (column("y", ["a", "b", "c", "a"]), "multiclass_classification", ["a", "b", "c"]),
        (column("y", [10, 9, 3], numbers=1.0), "multiclass_classification", ["3", "9", "10"]),
        (column("y", HUNDRED, numbers=1.0), "regression", ()),
        (column("y", [0.5, 1.5, 2.5], numbers=1.0, whole=False), "regression", ()),
    ],
)
def test_guess_finds_the_task_and_puts_the_positive_class_last(
    target: dict[str, Any], task: str, classes: Any
) -> None:
    found = guess({"columns": [target], "data": {}, "rows": 3}, "y")
    assert (found.task, found.classes) == (task, classes)


def handsoff(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
def test_init_writes_a_configuration_of_the_titanic_that_is_valid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = handsoff("init", str(ROOT / "data" / "titanic"), "--target", "survived", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["model"], found["task"], found["classes"]) == (
        "titanic",
        "binary_classification",
        ["0", "1"],
    )
    uses = {each["column"]: each["use"] for each in found["columns"]}
    assert [name for name, use in uses.items() if use == "numeric"] == ["age", "sibsp", "parch", "fare"]
    assert [name for name, use in uses.items() if use == "categorical"] == ["pclass", "sex", "embarked"]
    assert uses["boat"] == uses["name"] == uses["cabin"] == "left out"
    text = (tmp_path / "handsoff.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=.handsoff/handsoff.schema.json\n")
    assert (tmp_path / ".handsoff" / "handsoff.schema.json").exists()
    assert (tmp_path / ".handsoff" / ".gitignore").read_text() == "*\n"
    model = load(tmp_path / "handsoff.yaml").config.models["titanic"]
    assert model.data.split is None  # train.csv and validation.csv say it themselves


@pytest.mark.slow
def test_init_of_this_folder_names_the_model_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "orders"
    folder.mkdir()
    (folder / "visits.csv").write_text("a,b\n" + "".join(f"{n % 7},{n % 2}\n" for n in range(40)))
    monkeypatch.chdir(folder)
    done = handsoff("init", ".", "--target", "b")
    assert done.exit_code == 0, done.output
    assert [*load(folder / "handsoff.yaml").config.models] == ["orders"]


@pytest.mark.slow
def test_init_never_overwrites_without_force(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handsoff.yaml").write_text("mine")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "inference.py").write_text("mine")
    (tmp_path / "src" / "train.py").write_text("import sklearn")
    data = str(ROOT / "data" / "titanic")
    done = handsoff("init", data, "--target", "survived")
    assert done.exit_code == 1
    assert (tmp_path / "handsoff.yaml").read_text() == "mine"
    done = handsoff("init", data, "--target", "survived", "--train-script", "src/train.py", "--force")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "handsoff.yaml").read_text() != "mine"
    assert (tmp_path / "src" / "inference.py").read_text() == "mine"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("train.py", "train.py lies beside handsoff.yaml, and all files of its folder are stored with each "),
        ("data/train.py", "data/train.py lies beside the data, and all files of its folder are stored with "),
        (
            "src/train.py",
            "training.source_dir src has files that would be stored with every model: a.pem (loo",
        ),
    ],
)
def test_init_wants_a_folder_of_its_own_for_the_code(
    script: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "src"):
        (tmp_path / folder).mkdir()
    (tmp_path / "data" / "rows.csv").write_text("x,y\n1,0\n2,1\n")
    (tmp_path / "src" / "a.pem").write_text("")
    (tmp_path / script).write_text("import sklearn")
    done = handsoff("init", "data", "--target", "y", "--train-script", script)
    assert str(done.exception).startswith(said)
    assert not (tmp_path / "handsoff.yaml").exists()
    if script != "src/train.py":
        assert str(done.exception).endswith("such as src/, and say --train-script src/train.py")


@pytest.mark.slow
def test_init_reads_other_dialects_dates_and_awkward_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame(
        {
            "año": [f"{n},5" for n in range(60)],
            "no": ["Ja", "Nein"] * 30,
            "a: b #c": ["x", "y", "z", "x"] * 15,
            "tag": [(date(2026, 1, 1) + timedelta(days=n)).isoformat() for n in range(60)],
            "seit": [(date(2020, 1, 1) + timedelta(days=7 * n)).isoformat() for n in range(60)],
            "kunde_id": [f"K{n:03}" for n in range(60)],
            "status": ["bleibt", "geht", "bleibt"] * 20,
        }
    )
    rows.to_csv("kunden.csv", sep=";", index=False, encoding="cp1252")
    done = handsoff("init", "kunden.csv", "--target", "status")
    assert done.exit_code == 0, done.output
    model = load(tmp_path / "handsoff.yaml").config.models["kunden"]
    assert model.classes == ("bleibt", "geht")
    assert (model.data.encoding, model.data.delimiter, model.data.decimal) == ("cp1252", ";", ",")
    assert (model.data.identity, model.data.date) == (("kunde_id",), "tag")
    assert (model.features.numeric, model.features.date) == (("año",), ("seit",))
    assert model.features.categorical == ("no", "a: b #c")
    assert model.data.split is not None


@pytest.mark.slow
def test_init_reads_parquet_by_its_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = pd.DataFrame(
        {
            "n": [n / 3 for n in range(60)],
            "flag": [True, False] * 30,
            "kind": pd.Categorical(["a", "b", "c"] * 20),
            "at": pd.date_range("2026-01-01", periods=60),
            "price": [float(n * n) for n in range(60)],
        }
    )
    rows.to_parquet("prices.parquet")
    done = handsoff("init", "prices.parquet", "--target", "price", "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["task"] == "regression"
    assert {each["column"]: each["use"] for each in found["columns"]} == {
        "n": "numeric",
        "flag": "boolean",
        "kind": "categorical",
        "at": "date",
        "price": "target",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "target", "said"),
    [
        ("a,b\n1,2\n3,4\n", "c", "the files have no column c; they have a, b"),
        ("a,b\n1,2\n3,2\n", "b", "the target b has one value only: there is nothing to predict"),
        ("a,b\n1,2\n1,3\n", "b", "no column is left as a feature, so nothing was written (a: constant: one"),
        ("", "b", "the files are empty: name files with a line of columns and rows"),
    ],
)
def test_init_refuses_what_it_cannot_guess(
    text: str, target: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text(text)
    done = handsoff("init", "x.csv", "--target", target)
    assert done.exit_code == 1
    assert said in str(done.exception)
    assert not (tmp_path / "handsoff.yaml").exists()


SCRIPT = """
import argparse, os
from xgboost import DMatrix
import sklearn
parser = argparse.ArgumentParser()
parser.add_argument("--max-depth", "-d", type=int, default=4)
parser.add_argument("--eta", type=float, default=-0.05)
parser.add_argument("--objective", default="binary:logistic")
parser.add_argument("--seed", type=int)
parser.add_argument("--quiet", action="store_true", default=False)
parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN"))
raise SystemExit("it was run")
def model_fn(folder): ...
"""


def test_read_script_finds_arguments_and_image_without_running_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    found = read_script(tmp_path / "train.py")
    assert found.hyperparameters == {"max-depth": 4, "eta": -0.05, "objective": "binary:logistic"}
    assert (found.image, found.why_image) == ("xgboost:3.0-5", "the code imports xgboost")
    assert found.functions == ("model_fn",)
    assert found.reads_channels


def test_guess_says_that_files_are_empty() -> None:
    with pytest.raises(UsageError, match="the files are empty: name files with a line"):
        guess({"columns": [], "rows": 0, "data": {}}, "x")


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('booster.save_model(os.path.join(a.model_dir, "xgboost-model"))', ("xgboost-model", False)),
        ('path = Path(args.model_dir) / "m.pkl"\njoblib.dump(model, path)', ("m.pkl", False)),
        ('pickle.dump(model, open(f"{model_dir}/m.pkl", "wb"))', ("m.pkl", True)),
        (
            'with open(os.environ["SM_MODEL_DIR"] + "/m.bin", "wb") as f:\n    pickle.dump(m, f)',
            ("m.bin", True),
        ),
        ('torch.save(m, "/opt/ml/model/net.pt")', ("net.pt", False)),
        ('np.save(os.path.join(out, "a.npy"), a)\nm.save(os.path.join(model_dir, "b"))', ("b", False)),
        ("joblib.dump(model, path)", None),
        ("path = path\njoblib.dump(model, path)", None),
    ],
)
def test_saved_file_is_the_literal_that_the_script_writes(
    script: str, expected: tuple[str, bool] | None
) -> None:
    assert saved_file(ast.parse(script)) == expected


def test_inference_script_loads_what_the_script_writes() -> None:
    assert 'model.load_model(os.path.join(model_dir, "m"))' in inference_script("xgboost:3.0-5", ["a"], "m")
    assert 'joblib.load(os.path.join(model_dir, "m"))' in inference_script("scikit-learn:1.9-0", ["a"], "m")
    pickled = inference_script("xgboost:3.0-5", ["a"], "m", pickles=True)
    assert 'return pickle.load(open(os.path.join(model_dir, "m"), "rb"))' in pickled
    assert "import pickle\n" in pickled


@pytest.mark.parametrize(("positive", "expected"), [("kept", [0.2]), ("lost", [0.8]), (1, [0.8])])
def test_inference_script_answers_the_positive_class_in_any_order(
    positive: str | int, expected: list[float]
) -> None:
    text = inference_script("scikit-learn:1.9-0", ["a"], positive=positive)
    (function,) = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == "predict_fn"
    ]
    space: dict[str, Any] = {}
    exec(ast.unparse(function), space)
    model = SimpleNamespace(
        classes_=np.array(["kept", "lost"]), predict_proba=lambda rows: np.array([[0.2, 0.8]] * len(rows))
    )
    assert space["predict_fn"]([1], model).tolist() == expected


def test_written_gives_csv_to_a_script_that_reads_csv(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import pandas as pd\npd.read_csv(os.environ['SM_CHANNEL_TRAIN'])")
    script = read_script(tmp_path / "train.py")
    assert script.reads_csv
    guesses = Guesses("regression", "", (), [Guess("y", "target", ""), Guess("x", "numeric", "")])
    text = written("m", guesses, split=False, script=script, source_dir="src")
    assert yaml.safe_load(text)["models"]["m"]["data"] == {"channel_format": "csv"}


@pytest.mark.parametrize(
    ("script", "image", "why"),
    [
        ("import lightgbm", "scikit-learn:1.9-0", "the code imports no framework that an image is known for"),
        ("import lib.net", "pytorch:2.6.0", "lib/net.py imports torch"),
        ("from lib import net", "pytorch:2.6.0", "lib/net.py imports torch"),
        ("from lib.net import Net", "pytorch:2.6.0", "lib/net.py imports torch"),
        ("import rows", "xgboost:3.0-5", "trees.py imports xgboost"),
        ("import sklearn, lib.net", "scikit-learn:1.9-0", "the code imports sklearn"),
    ],
)
def test_image_is_that_of_the_modules_that_the_script_imports(
    script: str, image: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").write_text("")
    (tmp_path / "lib" / "net.py").write_text("import torch")
    (tmp_path / "rows.py").write_text("from trees import fit\nimport train")
    (tmp_path / "trees.py").write_text("import rows, xgboost")
    (tmp_path / "inference.py").write_text("import torch")  # of an earlier init
    (tmp_path / "train.py").write_text(script)
    found = read_script(tmp_path / "train.py")
    assert (found.image, found.why_image) == (image, why)


@pytest.mark.parametrize("image", ["scikit-learn:1.9-0", "xgboost:3.0-5", "pytorch:2.6.0"])
def test_inference_script_is_python_with_the_four_functions(image: str) -> None:
    tree = ast.parse(inference_script(image, ["a", 'b"\\', "c\n"]))
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)] == [
        "model_fn",
        "input_fn",
        "predict_fn",
        "output_fn",
    ]


def test_starters_are_the_documented_rules() -> None:
    documented = {config["task"]: config["approval"]["rules"] for config in DOCUMENTED.values()}
    assert {
        task: [yaml.safe_load(rule) for rule, _ in rules] for task, rules in STARTERS.items()
    } == documented


@pytest.mark.parametrize(
    "name", ["no", "yes", "010", "1e3", "a: b", "x #y", "", " ", "null", "~", "age", "2026-01-01"]
)
def test_scalar_is_read_back_as_the_same_text(name: str) -> None:
    assert yaml.safe_load(f"[{scalar(name)}]") == [name]
