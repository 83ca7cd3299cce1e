"""`handsoff check`: what would fail, without AWS."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from handsoff.cli import app
from handsoff.offline.contract import check_code
from handsoff.offline.looking import STEPS_IMAGE
from handsoff.offline.rehearsal import shortened
from handsoff.offline.traces import place
from local.forked.warm import WarmPython
from local.images.environments import Environments
from retraining.config.schema import ModelConfig, parse_config
from tests.functions.fakes import ROOT

TITANIC = str(ROOT / "data" / "titanic")

OWN = """models:
  m:
    task: binary_classification
    target: y
    classes: ["no", "yes"]
    features: {numeric: [x, z]}
    data: {split: {by: random, validation: 30%}}
    training:
      {source_dir: src, entry_point: train.py, image: "scikit-learn:1.9-0", hyperparameters: {depth: 2}}
    approval: {rules: [{metric: roc_auc, min: 0.6}]}
"""

TRAIN = """import argparse, os
import joblib, pandas as pd
from sklearn.tree import DecisionTreeClassifier
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int, default=3)
given = parser.parse_args()
def model_fn(folder):
    return joblib.load(os.path.join(folder, "model.joblib"))
def predict_fn(rows, model):
    return model.predict_proba(rows)[:, 1]
if __name__ == "__main__":
    rows = pd.read_parquet(os.environ["SM_CHANNEL_TRAIN"])
    model = DecisionTreeClassifier(max_depth=given.depth).fit(rows[["x", "z"]].to_numpy(), rows["y"])
    joblib.dump(model, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with own code and rows, in which commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handsoff.yaml").write_text(OWN)
    (tmp_path / "src").mkdir()
    script = TRAIN.replace("given = parser.parse_args()", "given, _ = parser.parse_known_args()")
    (tmp_path / "src" / "train.py").write_text(script)
    rows = pd.DataFrame(
        {"x": range(600), "z": 1.5, "y": ["yes" if n % 7 > 3 or n > 400 else "no" for n in range(600)]}
    )
    rows.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmPython]:
    """A process that has imported the packages of SageMaker's image, which takes most of a small trial."""
    python = Environments().environment(STEPS_IMAGE, print) / "bin" / "python"
    forked_from = WarmPython(tmp_path_factory.mktemp("python"), STEPS_IMAGE.imported, python=str(python))
    yield forked_from
    forked_from.close()


@pytest.fixture
def forked(warm: WarmPython, monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs of the trial are forked, and start no Python of their own."""

    def run(
        command: list[str], *, cwd: Path, env: Mapping[str, str], capture_output: bool, check: bool
    ) -> subprocess.CompletedProcess[bytes]:
        process = warm.start(command, dict(env), cwd)
        if process is None or process.stdout is None:  # no Linux
            return subprocess.run(command, cwd=cwd, env=env, capture_output=capture_output, check=check)
        with process.stdout as stream:
            output = stream.read()
        return subprocess.CompletedProcess(command, process.wait(), b"", output)

    monkeypatch.setattr("handsoff.offline.rehearsal.subprocess", SimpleNamespace(run=run))


def findings(*arguments: str) -> tuple[int, list[dict[str, str]]]:
    done = CliRunner().invoke(app, ["check", *arguments, "--json"])
    return done.exit_code, json.loads(done.stdout)["findings"]


def of_code(folder: Path, **training: Any) -> list[tuple[str, str]]:
    """What is found of the code in `folder` with these keys."""
    values: dict[str, Any] = {
        "task": "regression",
        "target": "y",
        "features": {"numeric": ["x"]},
        "training": {
            "source_dir": "src",
            "entry_point": "train.py",
            "image": "xgboost:3.0-5",
            **training,
        },
    }
    model: ModelConfig = parse_config({"models": {"m": values}}, source="f").models["m"]
    found = check_code(model, folder)
    return [(each.outcome, each.text.replace(f"{folder}/", "")) for each in found]


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_check_trains_and_scores_a_built_in_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handsoff.yaml").write_text((ROOT / "handsoff.yaml").read_text())
    code, found = findings("titanic", TITANIC)
    assert code == 0, found
    assert [(each["stage"], each["outcome"]) for each in found] == [
        ("config", "ok"),
        ("data", "ok"),
        ("training", "ok"),
        ("scoring", "ok"),
        ("rules", "note"),
    ]
    assert found[1]["text"] == "1,047 training and 262 validation rows are valid"
    assert "accuracy 0.8" in found[3]["text"]


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_check_trains_and_scores_own_code_of_one_file() -> None:
    code, found = findings("rows.csv")
    assert code == 0, found
    assert [each["stage"] for each in found if each["outcome"] == "ok"] == [
        "config",
        "own code",
        "data",
        "training",
        "scoring",
    ]
    assert found[-1]["text"] == "on these few rows, of the rules that need no champion: none fails"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "stage", "said"),
    [
        (("rows = pd", "raise ValueError('no rows here')\n    rows = pd"), "training", "no rows here"),
        (("[:, 1]", "[:3, 1]"), "scoring", "prediction"),
    ],
)
def test_check_says_why_own_code_fails(change: tuple[str, str], stage: str, said: str, folder: Path) -> None:
    script = folder / "src" / "train.py"
    script.write_text(script.read_text().replace(*change))
    code, found = findings("m", "rows.csv")
    assert code == 1
    assert (found[-1]["stage"], found[-1]["outcome"]) == (stage, "fails")
    assert said in found[-1]["text"]
    kept = folder / ".handsoff" / f"check-{stage}.log"
    assert found[-1]["text"].endswith(f"all that it wrote: {kept})")
    assert said in kept.read_text()
    if stage == "training":
        assert "no rows here (src/train.py, line 12; all" in found[-1]["text"]
        assert "Traceback (most recent call last):" in kept.read_text()


@pytest.mark.slow
def test_check_quick_reads_all_rows_and_names_the_wrong_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "handsoff.yaml").write_text((ROOT / "handsoff.yaml").read_text())
    for name in ("train", "validation"):
        text = (ROOT / "data" / "titanic" / f"{name}.csv").read_text()
        (tmp_path / f"{name}.csv").write_text(text.replace(",71.2833,", ",cheap,"))
    code, found = findings("train.csv", "validation.csv", "--quick")
    assert code == 1
    assert found[-1]["outcome"] == "fails"
    assert "column fare has a wrong value, expected a number" in found[-1]["text"]


@pytest.mark.slow
def test_check_without_files_or_with_one_split_only(folder: Path) -> None:
    assert findings()[1][-1]["text"] == "no files were named, so neither data nor training was looked at"
    (folder / "handsoff.yaml").write_text(
        OWN.replace("    data: {split: {by: random, validation: 30%}}\n", "")
    )
    code, found = findings("rows.csv")
    assert code == 1
    assert found[-1]["text"].startswith("no file is of train and validation: name files train.csv and")


@pytest.mark.slow
def test_check_names_the_file_that_it_has_read_and_keeps_what_it_writes_from_git(folder: Path) -> None:
    (folder / "handsoff.yaml").rename(folder / "other.yaml")
    done = CliRunner().invoke(app, ["--config", "other.yaml", "check"])
    assert done.exit_code == 0
    assert f"✓ config: m in {folder / 'other.yaml'} is valid\n" in done.stdout
    assert (folder / ".handsoff" / ".gitignore").read_text() == "*\n"


def test_check_says_what_is_wrong_with_the_configuration(folder: Path) -> None:
    (folder / "handsoff.yaml").write_text(OWN.replace("target", "tarket"))
    code, found = findings()
    assert code == 1
    assert "line 4, column 5: models.m.tarket: no such key: did you mean target?" in found[0]["text"]
    (folder / "handsoff.yaml").write_text(OWN)
    done = CliRunner().invoke(app, ["check", "nothing"])
    assert str(done.exception) == "nothing is neither a model (m) nor a file or folder"


@pytest.mark.parametrize(
    ("files", "more", "expected"),
    [
        ({}, {}, ("fails", "training.source_dir src is no folder beside handsoff.yaml in ")),
        (
            {"a.py": ""},
            {},
            ("fails", "training.entry_point train.py is not in src; its Python files: a.py"),
        ),
        ({"train.py": "def f(:"}, {}, ("fails", "src/train.py, line 1 is no Python: invalid syntax")),
        (
            {"train.py": "", "requirements.txt": "xgboost==3\n# more\nnumpy=2\n"},
            {},
            (
                "fails",
                "src/requirements.txt, line 3 is no requirement: 'numpy=2'; expected such as xgboost==3",
            ),
        ),
        (
            {"train.py": ""},
            {"image": "scikit-learn:1.9-0"},
            ("fails", "src/train.py defines no model_fn: write one that loads the model from its folder"),
        ),
        (
            {"train.py": "def input_fn(body, kind): ..."},
            {},
            ("fails", "src/train.py defines no model_fn: write one that loads the model from its folder"),
        ),
        (
            {"train.py": "model_fn = 1"},
            {"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1"},
            ("fails", "src/train.py defines no predict_fn: write one that asks the model about rows"),
        ),
        (
            {"train.py": "import glob\nfiles = glob.glob(folder + '/*.csv')"},
            {},
            ("note", "src/train.py reads CSV, and its channels hold Parquet: set data.channel_format: csv"),
        ),
        (
            {"train.py": "p.add_argument('--eta')"},
            {"hyperparameters": {"etta": 1}},
            ("note", "the hyperparameter etta is no argument that src/train.py defines"),
        ),
        (
            {"train.py": ""},
            {"image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1"},
            ("note", "the image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1 is not known on this"),
        ),
    ],
)
def test_check_code_says_how_the_contract_is_broken(
    files: dict[str, str], more: dict[str, Any], expected: tuple[str, str], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / "src").mkdir(exist_ok=True)
        (tmp_path / "src" / name).write_text(text)
    found = of_code(tmp_path, **more)
    assert [one for one in found if one[0] == expected[0] and one[1].startswith(expected[1])], found


def test_check_names_the_files_that_would_be_published(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("x = 1\n")
    (tmp_path / "src" / "codes.csv").write_text("a,b\n")
    assert (
        "ok",
        "2 files in src would be published: codes.csv (4 bytes), train.py (6 bytes)",
    ) in of_code(tmp_path)
    (tmp_path / "src" / "rows.csv").write_text("a,b\n" * 10_000)
    assert of_code(tmp_path)[0][0] == "fails"


@pytest.mark.parametrize(
    "script",
    [
        "from serving import *",
        "def model_fn(folder): ...\ndef transform_fn(model, body, kind, accept): ...",
        "import pandas as pd\ndef model_fn(folder): ...\ndef input_fn(body, kind): return pd.read_csv(body)",
        "import pandas as pd\nfrom m import model_fn\nrows = pd.read_parquet(f)\nmore = pd.read_csv(g)",
    ],
)
def test_check_code_holds_nothing_against_code_that_may_work(script: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text(script)
    found = of_code(tmp_path)
    assert not [text for kind, text in found if kind == "fails" or "reads CSV" in text], found


@pytest.mark.parametrize(("configured", "tried"), [(2, 2), (3, 3), (4, 3), (1000, 3)])
def test_search_of_the_trial_tries_few_settings(configured: int, tried: int) -> None:
    search = {"candidates": configured, "folds": 5}
    found = shortened({"task": "regression", "training": {"estimator": "ridge", "search": search}})
    assert found["training"] == {"estimator": "ridge", "search": {"candidates": tried, "folds": 5}}
    assert found["task"] == "regression"
    assert search["candidates"] == configured


@pytest.mark.slow
def test_check_says_what_it_has_not_looked_at(folder: Path) -> None:
    done = CliRunner().invoke(app, ["check"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == (
        "not looked at: data, training, scoring; nothing else was found that would fail"
    )
    script = folder / "src" / "train.py"
    script.write_text(script.read_text().replace("model_fn", "load"))
    code, found = findings()
    assert (code, found[-2]["outcome"], found[1]["outcome"]) == (1, "ok", "fails")


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_check_of_a_script_that_reads_csv_and_answers_the_other_class(folder: Path) -> None:
    config = OWN.replace("validation: 30%}", "validation: 30%}, channel_format: csv")
    (folder / "handsoff.yaml").write_text(config)
    script = folder / "src" / "train.py"
    text = script.read_text().replace("model.predict", "0.9 - 0.8 * model.predict")
    text = text.replace(
        'pd.read_parquet(os.environ["SM_CHANNEL_TRAIN"])',
        'pd.concat([pd.read_csv(p) for p in glob.glob(os.environ["SM_CHANNEL_TRAIN"] + "/*.csv")])',
    ).replace("import argparse, os", "import argparse, glob, os")
    script.write_text(text)
    code, found = findings("rows.csv")
    assert code == 0, found
    (said,) = [each["text"] for each in found if "is below 0.5" in each["text"]]
    assert "as if the probability of no was answered: predict_fn must answer that of yes" in said
    assert [each["stage"] for each in found[-3:]] == ["scoring", "scoring", "rules"]
    assert "roc_auc" in found[-1]["text"]


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_check_names_too_few_rows(folder: Path) -> None:
    rows = pd.read_csv(folder / "rows.csv")
    rows.iloc[350:420].to_csv(folder / "rows.csv", index=False)
    code, found = findings("rows.csv")
    assert code == 0, found
    few = [each["text"] for each in found if each["stage"] == "rules"]
    assert "rules ask for at least 30, so each candidate would wait for a person" in few[0]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (["/tmp/c/sourcedir/train.py:3", "/tmp/c/sourcedir/lib/a.py:7"], "src/lib/a.py, line 7"),
        (
            ["/tmp/c/sourcedir/train.py:3", "/e/lib/python3.11/site-packages/x/code/train.py:9"],
            "src/train.py",
        ),
        (["/tmp/x/code/train.py:3", "/usr/lib/python3.11/json/decoder.py:355"], "src/train.py, line 3"),
        (["/tmp/c/sourcedir/handsoff_entry.py:3"], None),
        ([], None),
    ],
)
def test_place_is_the_last_line_of_own_code_in_a_traceback(frames: list[str], expected: str | None) -> None:
    lines = [
        f'  File "{file}", line {line}, in f\n    x' for file, line in (one.split(":") for one in frames)
    ]
    output = "\n".join(["Traceback (most recent call last):", *lines, "ValueError: x"])
    found = place(output, ["train.py", "lib/a.py"], Path("src"))
    assert (found is None) == (expected is None)
    assert (found or "").startswith(expected or "")
