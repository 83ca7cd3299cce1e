"""A category's canonical text, and what a champion makes of rows whose categories are spelled otherwise."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import artifact
import cells
import comparison
import drift
import texts
from job import Features, StepConfig
from tests.pipeline_def.helpers import SMALL, Run, land, register

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

pytestmark = pytest.mark.usefixtures("undrawn")

SPELLINGS = [
    # the canonical text, and texts that mean it
    ("1", ["1", "1.0", "1.", " 1 ", "+1", "1e0", "10e-1", "\u00a01"]),
    ("1", ["\uff11", "\uff0b\uff11", "\uff11\uff0e\uff10", "\u200b1", "1\ufeff", " \u200e1 \u200f"]),
    ("\uff21\uff11", ["\uff21\uff11", "\ufeff\uff21\uff11"]),
    ("\u00b2", ["\u00b2"]),
    ("a\u200db", ["a\u200db", "a\u200db\u200b \u200b"]),
    ("0", ["0", "0.0", "-0", "+0.00", "0e5"]),
    ("-2.5", ["-2.5", "-2.50", "-25e-1"]),
    ("0.5", ["0.5", ".5", "0.50"]),
    ("37.8", ["37.8", "37.80", "3.78e1"]),
    ("1000", ["1000", "1e3", "1E+3"]),
    ("01234", ["01234", " 01234 "]),
    ("007.5", ["007.5"]),
    ("9007199254740993", ["9007199254740993", "9007199254740993.0"]),
    ("123456789012345678901234567890123", ["123456789012345678901234567890123"]),
    ("1E+400", ["1e400", "10e399"]),
    ("true", ["true", "True", "TRUE", " tRUE "]),
    ("false", ["false", "False"]),
    ("yes", ["yes"]),
    ("Yes", ["Yes"]),
    ("2026-01-01", ["2026-01-01", "2026-01-01 00:00:00", "2026-01-01T00:00:00.000Z", "2026-01-01 00:00"]),
    ("2026-01-01", ["2026-01-01 00:00:00.000 UTC", "2026-01-01T02:00:00+02:00", "2025-12-31 19:00:00-0500"]),
    ("2026-01-01 12:30:00", ["2026-01-01 12:30", "2026-01-01T12:30:00.000", "2026-01-01 12:30:00Z"]),
    ("2026-01-01 12:30:05.12", ["2026-01-01T12:30:05.120", "2026-01-01 13:30:05.12+01"]),
    ("2026-02-30", ["2026-02-30"]),
    ("20:15:00", ["20:15:00", "20:15:00.000000"]),
    ("a b", ["a b", "\ta b\r\n"]),
    ("a\nb", ["a\nb", "a\rb", "a\r\nb"]),
    ("caf\u00e9", ["caf\u00e9", "cafe\u0301"]),
    ("inf", ["inf"]),
    ("1_0", ["1_0"]),
    ("1,5", ["1,5"]),
    ("-", ["-"]),
    ("None of these", ["None of these"]),
    (None, ["", " ", "NULL", "null", "NA", "N/A", "n/a", "nan", "NaN", "None", "<NA>", "NaT", "\\N", " NA "]),
]


@pytest.mark.parametrize(
    ("canonical", "text"), [(canonical, text) for canonical, texts in SPELLINGS for text in texts]
)
def test_category_is_canonical(canonical: str | None, text: str) -> None:
    assert cells.category(text) == canonical


@pytest.mark.parametrize("text", ["na", "Nan", "NONE", "none", "Null"])
def test_category_other_case_of_a_missing_word_is_a_category(text: str) -> None:
    assert cells.category(text) == text
    assert cells.category(text, cells.Spelling(ignore_case=True)) is None


def test_category_ignores_case_only_if_asked() -> None:
    assert (cells.category("Stra\u00dfe"), cells.category("STRASSE")) == ("Stra\u00dfe", "STRASSE")
    folded = cells.Spelling(ignore_case=True)
    assert (cells.category("Stra\u00dfe", folded), cells.category("STRASSE", folded)) == (
        "strasse",
        "strasse",
    )


def test_category_word_that_is_not_missing_is_kept() -> None:
    namibia = cells.Spelling(not_missing=("NA",))
    assert [cells.category(text, namibia) for text in ("NA", " NA ", "NULL", "")] == ["NA", "NA", None, None]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1,0", "1"),
        ("1.234,50", "1234.5"),
        ("7,25", "7.25"),
        ("7.25", "7.25"),
        ("a,b", "a,b"),
        ("0,5", "0.5"),
    ],
)
def test_category_of_a_number_follows_the_notation_of_the_files(text: str, canonical: str) -> None:
    german = cells.Spelling(decimal=",", thousands=".")
    assert cells.category(text, german) == canonical


@pytest.mark.slow
@given(st.text() | st.from_regex(r"[+-]?\d{0,4}\.?\d{0,4}(e[+-]?\d{1,3})?", fullmatch=True))
def test_category_of_a_canonical_text_is_the_same(text: str) -> None:
    once = cells.category(text)
    assert once is None or cells.category(once) == once


@pytest.mark.parametrize(
    ("values", "canonical"),
    [
        (pa.array([1, None], pa.int64()), ["1", None]),
        (pa.array([1.0, np.nan, 37.8]), ["1", None, "37.8"]),
        (pa.array([37.8], pa.float32()), ["37.8"]),
        (pa.array([Decimal("37.80"), Decimal("1.00")], pa.decimal128(9, 2)), ["37.8", "1"]),
        (pa.array([2**63 - 1]), ["9223372036854775807"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([date(2026, 1, 1)]), ["2026-01-01"]),
        (pa.array([date(2026, 1, 1)], pa.date64()), ["2026-01-01"]),
        (pa.array([datetime(2026, 1, 1)], pa.timestamp("ns")), ["2026-01-01"]),
        (pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us", "UTC")), ["2026-01-01"]),
        (
            pa.array(
                [datetime(2026, 1, 1, 1, tzinfo=ZoneInfo("Europe/Madrid"))],
                pa.timestamp("ms", "Europe/Madrid"),
            ),
            ["2026-01-01"],
        ),
        (pa.array([datetime(2026, 1, 1, 12, 30, 5, 120000)]), ["2026-01-01 12:30:05.12"]),
        (pa.array([time(20, 15)]), ["20:15:00"]),
        (pa.array([" a", "NULL", "1.0"], pa.string_view()), ["a", None, "1"]),
        (pa.array(["a ", "a", None]).dictionary_encode(), ["a", "a", None]),
        (pa.array([1.0, 2.0, None]).dictionary_encode(), ["1", "2", None]),
        (pa.nulls(2), [None, None]),
        (pa.array([1.5], pa.float16()), ["1.5"]),
        (pa.array([b"a "]), ["a"]),
    ],
    ids=str,
)
def test_to_categories_of_every_parquet_type_is_that_of_the_text(values: Any, canonical: list[str]) -> None:
    assert texts.to_categories(texts.plain(values, "k", "c")).to_pylist() == canonical


# ---- a champion that knows other spellings ----------------------------------------------------------------


class Encoder:
    """A fitted encoder of one column with these categories."""

    def __init__(self, *known: object) -> None:
        self.categories_ = [np.array(known, dtype=object)]


class Columns:
    """A fitted ColumnTransformer with one encoder, of the column c."""

    def __init__(self, *known: object) -> None:
        self.transformers_ = [("categorical", Encoder(*known), ["c"])]


def champion(*known: object) -> artifact.Model:
    """A champion whose encoder has seen these categories of the column c."""
    config = StepConfig("small", "regression", "y", (), Features((), ("c",)), "ridge")
    return artifact.Model(SimpleNamespace(named_steps={"columns": Columns(*known)}), config)


@pytest.mark.parametrize(
    ("known", "rows", "respelled"),
    [
        (["1.0", "2.0"], ["1", "2", "3"], ["1.0", "2.0", "3"]),
        (["1", "1.0"], ["1", "1"], ["1", "1"]),
        (["True", "False"], ["true", "false"], ["True", "False"]),
        ([" a", "b"], ["a", "b"], [" a", "b"]),
        (["37.800000000000004", "37.8"], ["37.8"], ["37.8"]),
        (["37.800000000000004", "0.1"], ["37.8", "37.9"], ["37.800000000000004", "37.9"]),
        (["9007199254740993"], ["9007199254740992"], ["9007199254740992"]),
        (["1.00000000000000004e+20"], ["100000000000000000000"], ["100000000000000000000"]),
        (["2026-01-01 00:00:00"], ["2026-01-01"], ["2026-01-01 00:00:00"]),
        (["a", "NULL"], ["a", None], ["a", "NULL"]),
        (["a", "NULL", np.nan], ["a", None], ["a", None]),
        (["a"], ["a", None], ["a", None]),
        (["A", "b"], ["a", "b"], ["a", "b"]),
    ],
)
def test_respelled_rows_have_the_champions_spelling(
    known: list[object], rows: list[str | None], respelled: list[str | None]
) -> None:
    frame = pd.DataFrame({"c": pd.Series(rows, dtype=object)})
    found = champion(*known).respelled(frame, cells.PLAIN)["c"]
    assert found.where(found.notna(), None).tolist() == respelled


def test_respelled_ignores_case_if_the_rows_do() -> None:
    frame = pd.DataFrame({"c": pd.Series(["male", "female"], dtype=object)})
    found = champion("Male", "female").respelled(frame, cells.Spelling(ignore_case=True))
    assert found["c"].tolist() == ["Male", "female"]


def test_unknown_is_a_value_that_the_encoder_has_not_seen() -> None:
    frame = pd.DataFrame({"c": pd.Series(["a", "z", None], dtype=object)})
    assert champion("a").unknown(frame)["c"].tolist() == [False, True, False]


def test_drift_of_a_profile_in_another_spelling_is_none() -> None:
    def profile(counts: dict[str, int], missing: int) -> dict[str, Any]:
        column = {"kind": "categorical", "missing": missing, "counts": counts, "other": 0}
        return {"rows": 100, "columns": {"c": column}}

    before = profile({"1.0": 40, "1": 10, "2.0": 40, "NULL": 10}, 0)
    now = profile({"1": 50, "2": 40}, 10)
    assert drift.drift(before, now)["c"]["psi"] == 0.0


LINES = [(number % 3 + 1, int(number % 3 > 0) ^ int(number % 8 == 0)) for number in range(240)]
"""Rows of a class and a label that follows from it, but for an eighth of the rows."""


def landed(s3: S3Client, write: str, gap: str, *, flipped: bool = False) -> None:
    """Land both splits with the class written by the format `write`, and one missing value."""
    for split, part in (("train", LINES[:160]), ("validation", LINES[160:])):
        wrong = flipped and split == "train"
        lines = [
            f"{number},{write.format(kind)},{label ^ (number % 4 == 0 if wrong else 0)}\n"
            for number, (kind, label) in enumerate(part)
        ]
        land(s3, f"curated/small/{split}.csv", "x,c,y\n" + f"0,{gap},0\n" + "".join(lines))


@pytest.mark.slow
@pytest.mark.parametrize("old", [False, True], ids=["this version", "0.1"])
def test_batch_with_another_spelling_is_compared_fairly(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    """The champion knows 1, 2, 3; one missing value makes the next batch write 1.0, 2.0, 3.0."""
    features = {"numeric": [], "categorical": ["c"], "boolean": []}
    config = {**SMALL, "features": features, "slices": [{"c": "2.0"}]}
    landed(s3, "{}.0" if old else "{}", "NULL")
    first = Run(tmp_path / "first", s3, config, "aaaaaaaaaaaa")
    with monkeypatch.context() as patch:
        if old:  # handsoff 0.1 kept the text as it was
            patch.setattr(texts, "category", lambda text, spelling: text or None)  # noqa: ARG005
        assert first.preprocess() == 0
    first.train()
    landed(s3, "{}" if old else "{}.0", "", flipped=True)
    second = Run(tmp_path / "second", s3, config, "bbbbbbbbbbbb")
    assert second.preprocess() == 0
    second.train()
    found = second.evaluate(register(sagemaker, first))["handsoff"]
    assert found["champion_problem"] is None
    assert found["comparison"]["unknown"] == {"c": {"share": 0.0, "known_to_candidate": 0.0}}
    assert found["unknown"]["c"]["share"] == 0.0
    gain = found["comparison"]["differences"]["accuracy"]["value"]
    assert gain <= 0.0
    assert found["slices"][0]["n"] > 20
    assert found["drift"]["columns"]["c"]["psi"] < 0.01


@pytest.mark.slow
def test_evaluation_has_the_unknown_shares_of_both_models(
    s3: S3Client, sagemaker: SageMakerClient, tmp_path: Path
) -> None:
    rows = [f"{number},{'ab'[number % 2]},{number % 2}\n" for number in range(40)]
    land(s3, "curated/small/train.csv", "x,c,y\n" + "".join(rows) + "50,once,1\n")
    land(s3, "curated/small/validation.csv", "x,c,y\n1.5,a,0\n2.5,b,1\n")
    first = Run(tmp_path / "first", s3, SMALL, "aaaaaaaaaaaa")
    assert first.preprocess() == 0
    first.train()
    new = [f"{number},{'de'[number % 2]},{number % 2}\n" for number in range(40)]
    land(s3, "curated/small/train.csv", "x,c,y\n" + "".join(new) + "50,once,1\n51,twice,0\n")
    land(s3, "curated/small/validation.csv", "x,c,y\n1.5,d,0\n2.5,e,1\n3.5,z,1\n4.5,once,0\n5.5,,0\n")
    second = Run(tmp_path / "second", s3, SMALL, "bbbbbbbbbbbb")
    assert second.preprocess() == 0
    second.train()
    found = second.evaluate(register(sagemaker, first))["handsoff"]
    assert found["unknown"] == {"c": {"share": 0.25, "by_chance": pytest.approx(2 / 42)}}
    assert found["comparison"]["unknown"] == {
        "c": {"share": pytest.approx(3 / 5), "known_to_candidate": pytest.approx(2 / 5)}
    }
    assert found["comparison"]["unfamiliar"] == {
        "share": pytest.approx(2 / 5),
        "by_chance": pytest.approx(1 / 41 * (1 - 2 / 42)),
    }


UNKNOWN_TO_CHAMPION = {
    "c": np.array([True, True, False, False, False, True]),
    "d": np.array([False, True, True, False, False, False]),
    "month": np.array([True] * 6),
    "gone": np.array([True] * 6),
}
"""By feature and row, whether the champion does not know the category. The candidate knows no `gone`."""

UNKNOWN_TO_CANDIDATE = {
    "c": np.array([False] * 5 + [True]),
    "d": np.array([False] * 6),
    "month": np.array([False] * 6),
}


@pytest.mark.parametrize(
    ("expected", "rows", "chance"),
    [((), 6, 0.28), (("month",), 3, 0.08), (("c", "d", "month", "gone"), 0, 0.0)],
)
def test_unfamiliar_counts_rows_over_all_features_but_those_with_new_categories(
    expected: tuple[str, ...], rows: int, chance: float
) -> None:
    columns = {"c": {"missing": 60, "once": 4}, "d": {"missing": 0, "once": 0}, "month": {"once": 25}}
    profile = {"rows": 100, "columns": columns}
    ours = {"rows": 100, "columns": {name: {"missing": 0, "once": 20} for name in columns}}
    found = comparison.unknown_to_champion(
        UNKNOWN_TO_CHAMPION, UNKNOWN_TO_CANDIDATE, (profile, ours), expected
    )
    assert found["unfamiliar"] == {"share": pytest.approx(rows / 6), "by_chance": pytest.approx(chance)}
    assert found["unknown"]["c"] == {"share": 0.5, "known_to_candidate": pytest.approx(2 / 6)}
    assert found["unknown"]["gone"] == {"share": 1.0, "known_to_candidate": 0.0}


def test_unfamiliar_names_that_are_all_different_do_not_hide_another_spelling() -> None:
    """Of ten rows, the champion cannot read the sex of nine. Names are new to it, too, and one is known."""
    champion = {"sex": np.array([True] * 9 + [False]), "name": np.array([True] * 10)}
    candidate = {"sex": np.zeros(10, dtype=bool), "name": np.array([True] * 9 + [False])}
    columns = {"sex": {"missing": 0, "once": 0}, "name": {"missing": 0, "once": 100}}
    theirs = {"rows": 100, "columns": columns}
    ours = {"rows": 100, "columns": {**columns, "name": {"missing": 0, "once": 50}}}
    found = comparison.unknown_to_champion(champion, candidate, (theirs, ours), ())
    assert found["unfamiliar"] == {"share": 1.0, "by_chance": 0.1}


def test_unfamiliar_without_a_profile_or_rows_has_no_chance() -> None:
    none = {"c": np.zeros(0, dtype=bool)}
    found = comparison.unknown_to_champion(none, none, (None, {"rows": 0, "columns": {}}), ())
    assert found["unfamiliar"] == {"share": 0.0, "by_chance": 0.0}
    seen = {"c": np.array([True, False])}
    known = {"c": np.array([False, False])}
    found = comparison.unknown_to_champion(seen, known, (None, {"rows": 0, "columns": {}}), ())
    assert found["unfamiliar"] == {"share": 0.5, "by_chance": 0.0}
    without = {"rows": 10, "columns": {"c": {"missing": 0}}}
    assert comparison.new_by_chance(without, "c") == 0.0
