"""score.py asks own code again with shuffled values, and nothing about that fails the step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import handsoff_shuffles
from tests.pipeline_def.own_code import Scored, artifact, score

pytestmark = pytest.mark.slow

ONLY_X = """
import csv, io, json, os, time

ANSWERS = {answers}
HEADER = {header}

def model_fn(folder):
    return None

def input_fn(body, kind):
    if kind == "application/json":
        rows = json.loads(body)
        return [list(row.values()) if HEADER else row for row in rows]
    rows = list(csv.reader(io.StringIO(body)))
    return rows[1:] if HEADER else rows

def predict_fn(rows, model):
{before}
    return [ANSWERS[int(float(row[0]))] for row in rows]

def output_fn(found, accept):
    return json.dumps(found) if accept == "application/json" else "\\n".join(map(str, found))
"""
"""Serving code that looks at the column x alone, which is a number of ANSWERS."""


def code(answers: list[Any], *, header: bool = False, before: str = "    pass") -> dict[str, str]:
    """The files of ONLY_X; `before` is what predict_fn does first."""
    return {"inference.py": ONLY_X.format(answers=answers, header=header, before=before)}


def rows_csv(path: Path, n: int = 200) -> Path:
    """rows.csv with x of 0 and 1 in turn, and c that says nothing."""
    path.write_text("x,c\n" + "".join(f"{at % 2},{'abc'[at % 3]}\n" for at in range(n)))
    return path


def asked(output: Path) -> tuple[dict[str, Any], Any]:
    """shuffled.json, and shuffled.npz if it is there."""
    arrays = output / "shuffled.npz"
    found: dict[str, Any] = json.loads((output / "shuffled.json").read_text())
    return found, np.load(arrays, allow_pickle=False) if arrays.exists() else None


def scored(
    folder: Path, files: dict[str, str], n: int = 200, *options: str, **contract: Any
) -> tuple[Scored, Path]:
    """What score.py left with --shuffle, and its output."""
    model = artifact(folder / "model", files, **contract)
    given = ("--shuffle", *options)
    return score(model, rows_csv(folder / "rows.csv", n), folder / "out", *given), folder / "out"


def test_score_writes_the_answers_for_each_shuffled_column(tmp_path: Path) -> None:
    found, output = scored(tmp_path, code([0.25, 0.75]))

    assert (found.code, found.lines[:3]) == (0, ["probability", "0.25", "0.75"])
    assert sorted(path.name for path in output.iterdir()) == [
        "predictions.csv",
        "scoring.json",
        "shuffled.json",
        "shuffled.npz",
    ]
    about, arrays = asked(output)
    seconds, places = about.pop("seconds"), about.pop("rows")
    assert 0 < seconds < 5
    assert about == {
        "schema_version": 1,
        "features": ["x", "c"],
        "of": 2,
        "repeats": 5,
        "refused": [],
        "problem": None,
    }
    assert sorted(places) == list(range(200))
    base, answers = arrays["base"], arrays["answers"]
    assert base[:, 0].tolist() == [0.25 if place % 2 == 0 else 0.75 for place in places]
    assert answers.shape == (2, 5, 200, 1)
    assert (answers[1] == base).all()  # c is not looked at
    assert sorted(answers[0, 0, :, 0].tolist()) == [0.25] * 100 + [0.75] * 100  # a permutation
    assert 0.3 < (answers[0] == base).mean() < 0.7


def test_rows_and_shuffles_are_the_same_each_time(tmp_path: Path) -> None:
    first, second = (asked(scored(tmp_path / at, code([0.25, 0.75]), 3000)[1]) for at in _made(tmp_path))

    assert first[0]["rows"] == second[0]["rows"]
    assert len(set(first[0]["rows"])) == 2000
    assert (first[1]["answers"] == second[1]["answers"]).all()


def _made(folder: Path) -> list[str]:
    for name in ("first", "second"):
        (folder / name).mkdir()
    return ["first", "second"]


def test_score_asks_about_shuffled_values_only_if_it_is_told_to(tmp_path: Path) -> None:
    model = artifact(tmp_path / "model", code([0.25, 0.75]))
    score(model, rows_csv(tmp_path / "rows.csv"), tmp_path / "out")

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["predictions.csv", "scoring.json"]


ONCE_ANSWERED = """
    global CALLS
    CALLS = globals().get("CALLS", 0) + 1
    if CALLS > 6: {does}
"""
"""Does something in the third request with shuffled values: three are of scoring, two of rows as they are."""


def test_column_whose_shuffled_values_are_refused_is_told(tmp_path: Path) -> None:
    before = """
    pairs = {(row[0], row[1]) for row in rows}
    if len(rows) == 200 and all(len({x for x, c in pairs if c == name}) > 1 for name in "ab"):
        raise ValueError("no such row")
"""
    rows = tmp_path / "rows.csv"
    rows.write_text("x,c,z\n" + "".join(f"{at % 2},{'ab'[at % 2]},{at}\n" for at in range(200)))
    model = artifact(tmp_path / "model", code([0.25, 0.75], before=before), columns=["x", "c", "z"])

    found = score(model, rows, tmp_path / "out", "--shuffle")

    about, arrays = asked(tmp_path / "out")
    assert (found.code, found.message, len(found.lines)) == (0, None, 201)
    assert (about["features"], about["refused"], about["of"], about["problem"]) == (
        ["z"],
        ["x", "c"],
        3,
        None,
    )
    assert (arrays["answers"] == arrays["base"]).all()
    assert "values of x were shuffled, and the model refused them: predict_fn failed: ValueError" in found.log


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("os._exit(3)", "ended with code 3; the log of the job may say why"),
        ("os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
    ],
)
def test_process_that_ends_while_it_is_asked_again_fails_nothing(tmp_path: Path, does: str, why: str) -> None:
    found, output = scored(tmp_path, code([0.25, 0.75], before=ONCE_ANSWERED.format(does=does)))

    assert (found.code, found.message, len(found.lines)) == (0, None, 201)
    about, _ = asked(output)
    assert about["problem"] == f"while it was asked with shuffled values, the model's process {why}"
    assert about["features"] == []


def test_rows_as_they_are_that_are_refused_again_are_a_note(tmp_path: Path) -> None:
    before = ONCE_ANSWERED.replace("> 6", "> 3").format(does="raise KeyError(rows[0])")
    found, output = scored(tmp_path, code([0.25, 0.75], before=before))

    assert (found.code, found.message, len(found.lines)) == (0, None, 201)
    assert asked(output)[0]["problem"] == (
        "asking the model with shuffled values failed with OwnCode; the log of ScoreCandidate has more"
    )


def test_request_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is that of the process of its own, so it holds for code that no exception reaches."""
    before = ONCE_ANSWERED.format(does="time.sleep(600)")
    scripts = Path(handsoff_shuffles.__file__).parent
    (tmp_path / "scripts").mkdir()
    for script in scripts.glob("*.py"):
        text = script.read_text().replace("ALL_SECONDS = 20.0", "ALL_SECONDS = 2.0")
        (tmp_path / "scripts" / script.name).write_text(text)
    monkeypatch.setattr("tests.pipeline_def.own_code.SCORE", tmp_path / "scripts" / "score.py")

    found, output = scored(tmp_path, code([0.25, 0.75], before=before), 200, "--seconds", "4")

    assert (found.code, found.message, len(found.lines)) == (0, None, 201)
    assert asked(output)[0]["problem"] == (
        "while it was asked with shuffled values, the model's process took more than 2 seconds"
    )


@pytest.mark.parametrize(
    ("rows", "columns", "numbers", "seconds", "plan"),
    [
        (200, 10, 1, 1e-5, (200, 5)),
        (2000, 10, 1, 1e-5, (2000, 5)),
        (2000, 10, 1, 2e-4, (1470, 5)),  # 75,000 answers
        (2000, 10, 1, 1e-3, (500, 2)),  # 15,000 answers
        (2000, 1000, 1, 1e-5, (500, 2)),  # not for all columns
        (2000, 10, 100, 1e-6, (500, 3)),  # 20,000 answers of 100 numbers
    ],
)
def test_slow_models_are_asked_less(
    rows: int, columns: int, numbers: int, seconds: float, plan: tuple[int, int]
) -> None:
    assert handsoff_shuffles.planned(rows, columns, numbers, seconds) == plan


def test_first_columns_are_asked_about_where_there_is_no_time_for_all(tmp_path: Path) -> None:
    def ask(rows: Any, _places: Any) -> list[list[float]]:
        now[0] += 2.5
        return [[float(row[0])] for row in rows]

    now = [0.0]
    kept = handsoff_shuffles.Kept(4, 100)
    kept.take([["1", "a", "b"], ["2", "a", "b"], ["3", "a", "b"], ["4", "a", "b"]], 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handsoff_shuffles.time.monotonic", lambda: now[0])
        handsoff_shuffles.write_shuffled(ask, kept, ["x", "c", "d"], str(tmp_path))

    about, arrays = asked(tmp_path)
    assert (about["features"], about["of"], about["repeats"], about["seconds"]) == (["x", "c"], 3, 2, 17.5)
    assert arrays["answers"].shape == (2, 2, 4, 1)


def test_large_rows_are_kept_in_part() -> None:
    kept = handsoff_shuffles.Kept(10_000, 10_000 * 100_000)

    assert len(kept.order) == 20  # 2 MB of rows
    kept.take([["a"]] * 5000, 0)
    kept.take([["b"]] * 5000, 5000)
    assert sorted(kept.rows) == kept.wanted
    assert {kept.rows[place][0] for place in kept.wanted if place < 5000} == {"a"}
