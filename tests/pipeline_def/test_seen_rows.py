"""Validation rows of files that were seen in training: the same rows, rows of one group, lookalikes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import convert
from data_report import data_notes
from job import LOOKALIKE, ROW, StepConfig, parse_config
from tests.pipeline_def.helpers import PENGUINS, PRICES, SMALL, Run, land

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_s3 import S3Client


def ids(frame: pd.DataFrame, config: StepConfig) -> dict[str, np.ndarray[Any, Any]]:
    block = pa.RecordBatch.from_pandas(frame, preserve_index=False)
    table = convert.convert(block, config, "key", 1)
    return {name: table[name].to_numpy() for name in table.column_names if name.startswith("handsoff:")}


# ---- rows in files -------------------------------------------------------------------------------------


def drawn(rows: int, seed: int) -> pd.DataFrame:
    """Rows of an ignored id and day, the features x and c, and the target y. Few of them look alike."""
    g = np.random.default_rng(seed)
    x = np.round(g.uniform(0, 20, rows), 2)
    return pd.DataFrame(
        {
            "id": [f"{seed}-{number}" for number in range(rows)],
            "day": [f"2026-0{seed}-{number % 28 + 1:02}T10:30:00" for number in range(rows)],
            "x": [f"{value:.2f}" for value in x],
            "c": g.choice(["a", "b", "d"], rows),
            "y": (x + g.normal(0, 5, rows) > 10).astype(int).astype(str),
        }
    )


def csv(frame: pd.DataFrame) -> bytes:
    return frame.to_csv(index=False).encode()


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    typed = frame.assign(x=frame["x"].astype("float32"), y=frame["y"].astype("int8"))
    typed.assign(day=pd.to_datetime(frame["day"]), c=frame["c"].astype("category")).to_parquet(buffer)
    return buffer.getvalue()


def read(s3: S3Client, folder: Path, files: dict[str, bytes], **config: Any) -> Run:
    """The run after DataPreProcessing has read these files."""
    for name, body in files.items():
        land(s3, f"curated/small/{name}", body)
    run = Run(folder / "run", s3, {**SMALL, **config}, "aaaaaaaaaaaa")
    assert run.preprocess() == 0
    return run


TRAIN, VALIDATION = drawn(800, 1), drawn(200, 2)
FIFTH = VALIDATION[:40]


@pytest.mark.parametrize(
    ("again", "data"),
    [
        (FIFTH, {}),
        (FIFTH.assign(x=[f"{value}000" for value in FIFTH["x"]]), {}),
        (FIFTH.assign(x=[f" {float(value):e} " for value in FIFTH["x"]]), {}),
        (FIFTH.assign(y=FIFTH["y"] + ".0"), {}),
        (FIFTH.assign(c=" " + FIFTH["c"] + "  "), {}),
        (FIFTH.assign(c=FIFTH["c"].str.upper()), {"ignore_case": True}),
        (FIFTH.assign(day=[value.replace("T", " ") + ".000Z" for value in FIFTH["day"]]), {}),
        (FIFTH.assign(day="1999-01-01"), {}),
        (FIFTH.assign(day="1999-01-01"), {"date": "day"}),
        (FIFTH[["y", "c", "x", "day", "id"]], {}),
    ],
    ids=["ids", "zeros", "exponent", "class", "spaces", "case", "times", "day", "date", "order"],
)
def test_copies_under_new_ids_are_seen(s3: S3Client, tmp_path: Path, again: pd.DataFrame, data: Any) -> None:
    again = again.assign(id=[f"new-{number}" for number in range(40)])
    files = {"train/a.csv": csv(TRAIN), "train/b.csv": csv(again), "validation.csv": csv(VALIDATION)}
    report = read(s3, tmp_path, files, data=data).report
    assert report["validation_rows_also_in_train"] == 0
    assert report["lookalikes"]["equal"] >= 40
    assert report["lookalikes"]["z"] > 5


def test_copies_under_new_ids_are_seen_in_another_kind_of_file(s3: S3Client, tmp_path: Path) -> None:
    again = FIFTH.assign(id=[f"new-{number}" for number in range(40)])
    files = {"train/a.csv": csv(TRAIN), "train/b.parquet": parquet(again), "validation.csv": csv(VALIDATION)}
    report = read(s3, tmp_path, files).report
    assert report["lookalikes"]["equal"] >= 40
    assert report["lookalikes"]["z"] > 5


def test_copies_of_whole_rows_leave_and_are_no_lookalikes(s3: S3Client, tmp_path: Path) -> None:
    files = {
        "train/a.csv": csv(TRAIN),
        "train/b.csv": csv(FIFTH.assign(x=[f"{value}0" for value in FIFTH["x"]], c=FIFTH["c"] + " ")),
        "train/c.parquet": parquet(FIFTH[:20]),
        "validation.csv": csv(VALIDATION),
    }
    report = read(s3, tmp_path, files).report
    assert report["validation_rows_also_in_train"] == 40
    assert report["lookalikes"]["n"] == 160
    assert report["lookalikes"]["z"] < 2


def test_honest_rows_that_are_drawn_alike_are_no_suspicion(s3: S3Client, tmp_path: Path) -> None:
    files = {"train.csv": csv(TRAIN), "validation.csv": csv(VALIDATION)}
    assert abs(read(s3, tmp_path, files).report["lookalikes"]["z"]) < 2


def test_honest_rows_of_few_categories_are_no_suspicion(s3: S3Client, tmp_path: Path) -> None:
    """Thousands of rows with 24 combinations of features and target: nearly all look like another one."""
    files = {
        name: csv(drawn(rows, seed).assign(x=lambda frame: frame["x"].str[0]))
        for name, rows, seed in (("train.csv", 4000, 1), ("validation.csv", 1000, 2))
    }
    report = read(s3, tmp_path, files).report
    assert report["validation_rows_also_in_train"] == 0
    assert report["lookalikes"]["train_share"] > 0.99
    assert -3 < report["lookalikes"]["z"] < 1
    assert data_notes(report) == [
        "100.0% of the training rows look like another one: copies of training rows in validation are hardly "
        "seen; if the files have a key, name it in data.identity"
    ]


@pytest.mark.parametrize(
    ("config", "y"),
    [
        (PRICES, [f"{float(value) * 3:.1f}" for value in FIFTH["x"]]),
        (PENGUINS, [["Adelie", "Chinstrap", "Gentoo"][number % 3] for number in range(40)]),
    ],
    ids=["regression", "multiclass"],
)
def test_copies_are_seen_in_each_task(s3: S3Client, tmp_path: Path, config: Any, y: list[str]) -> None:
    values = y * 20
    train, valid = TRAIN.assign(y=values), VALIDATION.assign(y=values[:200])
    again = valid[:40].assign(id=[f"new-{number}" for number in range(40)])
    files = {"train/a.csv": csv(train), "train/b.csv": csv(again), "validation.csv": csv(valid)}
    report = read(s3, tmp_path, files, **{**config, "name": "small"}).report
    assert report["lookalikes"]["z"] > 5


@pytest.mark.slow
@pytest.mark.parametrize(("copies", "noted"), [(100, 0), (101, 1)])
def test_note_says_how_rows_that_are_equal_by_nature_are_told_apart(
    s3: S3Client, tmp_path: Path, copies: int, noted: int
) -> None:
    files = {
        "train/a.csv": csv(TRAIN),
        "train/b.csv": csv(VALIDATION[:copies]),
        "validation.csv": csv(VALIDATION),
    }
    said = (
        "101 of 200 validation rows are equal to a training row in all columns and are left out; if they are "
        "other rows, land a column that tells rows apart, and name it in data.identity"
    )
    assert data_notes(read(s3, tmp_path, files).report) == [said][:noted]
    assert data_notes(read(s3, tmp_path / "by id", files, data={"identity": ["id"]}).report) == []


def test_note_counts_rows_without_identity_and_group(s3: S3Client, tmp_path: Path) -> None:
    train = TRAIN.assign(home=[""] * 30 + ["1"] * 770, id=["", *TRAIN["id"][1:]])
    files = {"train.csv": csv(train), "validation.csv": csv(VALIDATION.assign(home="2"))}
    run = read(s3, tmp_path, files, data={"identity": ["id"], "group": ["home"]})
    assert data_notes(run.report) == [
        "1 of 800 train rows have no value in a column of data.identity: they are known by all their columns",
        "30 of 800 train rows have no value in a column of data.group: they are groups of their own",
    ]


def test_a_lookalike_has_the_same_target(s3: S3Client, tmp_path: Path) -> None:
    other = FIFTH.assign(y=["1" if value == "0" else "0" for value in FIFTH["y"]], id="new")
    files = {"train/a.csv": csv(TRAIN), "train/b.csv": csv(other), "validation.csv": csv(VALIDATION)}
    assert read(s3, tmp_path, files).report["lookalikes"]["z"] < 2


# ---- identity and group --------------------------------------------------------------------------------


def test_rows_with_the_identity_of_a_training_row_leave(s3: S3Client, tmp_path: Path) -> None:
    """The same bookings were corrected since: every other column has changed."""
    corrected = VALIDATION.assign(x="1", c="a", y=["0", "1"] * 100, day="1999-01-01")
    same = corrected.assign(id=[*TRAIN["id"][:30], *corrected["id"][30:]])
    files = {"train.csv": csv(TRAIN), "validation.csv": csv(same)}
    report = read(s3, tmp_path, files, data={"identity": ["id"]}).report
    assert report["validation_rows_also_in_train"] == 30
    assert report["ignored_columns"] == ["day"]


@pytest.mark.slow
def test_rows_with_another_identity_stay_whatever_else_is_equal(s3: S3Client, tmp_path: Path) -> None:
    again = TRAIN[:100].assign(id=[f"new-{number}" for number in range(100)])
    files = {"train.csv": csv(TRAIN), "validation.csv": csv(again)}
    report = read(s3, tmp_path, files, data={"identity": ["id"]}).report
    assert report["validation_rows_also_in_train"] == 0
    assert report["lookalikes"]["equal"] == 100


def test_row_without_an_identity_is_known_by_all_its_columns(s3: S3Client, tmp_path: Path) -> None:
    train = TRAIN.assign(id=["", "NULL", *TRAIN["id"][2:]])
    valid = pd.concat([train[:2], VALIDATION.assign(id=["", *VALIDATION["id"][1:]])])
    run = read(
        s3, tmp_path, {"train.csv": csv(train), "validation.csv": csv(valid)}, data={"identity": ["id"]}
    )
    assert run.report["validation_rows_also_in_train"] == 2
    assert [split["without_identity"] for split in run.report["splits"].values()] == [2, 3]


def test_repeated_identity_counts_as_a_repeated_row(s3: S3Client, tmp_path: Path) -> None:
    train = TRAIN.assign(id=["same"] * 5 + [*TRAIN["id"][5:]])
    run = read(
        s3, tmp_path, {"train.csv": csv(train), "validation.csv": csv(VALIDATION)}, data={"identity": ["id"]}
    )
    assert [split["repeated_rows"] for split in run.report["splits"].values()] == [4, 0]


def test_rows_of_a_group_in_train_leave_and_a_row_counts_once(s3: S3Client, tmp_path: Path) -> None:
    """Households of four: rows 0 to 3 are one, and so on. Two of them have rows on both sides."""
    train = TRAIN.assign(home=[f"{number // 4}" for number in range(800)])
    valid = VALIDATION.assign(home=[f"v{number // 4}" for number in range(200)])
    valid = pd.concat([valid[8:], train[:1], valid[:7].assign(home=["0.0"] * 3 + [" 1 "] * 4)])
    run = read(
        s3, tmp_path, {"train.csv": csv(train), "validation.csv": csv(valid)}, data={"group": ["home"]}
    )
    assert run.report["validation_rows_also_in_train"] == 1
    assert run.report["validation_rows_of_train_groups"] == 7
    assert [split["groups"] for split in run.report["splits"].values()] == [200, 50]


def test_group_of_two_columns_is_both_together(s3: S3Client, tmp_path: Path) -> None:
    """The pair (1, 2) is neither (2, 1) nor (12, "")."""
    train = TRAIN.assign(street="1", house="2")
    valid = VALIDATION.assign(street="2", house="1")
    valid.loc[:9, ["street", "house"]] = ["1.0", "2 "]
    valid.loc[10:19, ["street", "house"]] = ["12", ""]
    files = {"train.csv": csv(train), "validation.csv": csv(valid)}
    run = read(s3, tmp_path, files, data={"group": ["street", "house"]})
    assert run.report["validation_rows_of_train_groups"] == 10
    assert [split["groups"] for split in run.report["splits"].values()] == [1, 12]
    assert [split["without_group"] for split in run.report["splits"].values()] == [0, 10]


@pytest.mark.parametrize("group", [["home"], ["home", "c"]])
def test_row_without_a_group_is_a_group_of_its_own(s3: S3Client, tmp_path: Path, group: list[str]) -> None:
    files = {
        name: csv(frame.assign(home="")) for name, frame in (("train", TRAIN), ("validation", VALIDATION))
    }
    files = {f"{name}.csv": body for name, body in files.items()}
    run = read(s3, tmp_path, files, data={"group": group})
    assert run.report["validation_rows_of_train_groups"] == 0
    assert [split["groups"] for split in run.report["splits"].values()] == [800, 200]
    assert [split["without_group"] for split in run.report["splits"].values()] == [800, 200]


def test_word_that_is_not_missing_is_a_group(s3: S3Client, tmp_path: Path) -> None:
    train, valid = TRAIN.assign(land="NA"), VALIDATION.assign(land=["NA", "FR"] * 100)
    files = {"train.csv": csv(train), "validation.csv": csv(valid)}
    run = read(s3, tmp_path, files, data={"group": ["land"], "not_missing": ["NA"]})
    assert run.report["validation_rows_of_train_groups"] == 100


@pytest.mark.slow
def test_group_may_be_the_identity_a_feature_or_a_folder(s3: S3Client, tmp_path: Path) -> None:
    frames = TRAIN.drop(columns="c"), VALIDATION.drop(columns="c")
    files = {"train/c=a/1.csv": csv(frames[0]), "validation/c=a/1.csv": csv(frames[1][:150])}
    files["validation/c=b/1.csv"] = csv(frames[1][150:])
    report = read(s3, tmp_path, files, data={"group": ["c"]}).report
    assert report["validation_rows_of_train_groups"] == 150
    report = read(s3, tmp_path / "same", files, data={"group": ["id"], "identity": ["id"]}).report
    assert [split["without_group"] for split in report["splits"].values()] == [0, 0]


@pytest.mark.parametrize("key", ["identity", "group"])
def test_column_about_rows_must_be_in_each_file(
    s3: S3Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    land(s3, "curated/small/train/1.csv", csv(TRAIN.assign(home="1")))
    land(s3, "curated/small/train/2.csv", csv(TRAIN))
    land(s3, "curated/small/validation.csv", csv(VALIDATION.assign(home="2")))
    run = Run(tmp_path / "run", s3, {**SMALL, "data": {key: ["home"]}}, "aaaaaaaaaaaa")
    assert run.preprocess() == 1
    said = capsys.readouterr().err
    assert "curated/small/train/2.csv has no column home in its header of 5 columns" in said
    assert f"; data.{key} in handsoff.yaml names home: land it, or remove it there" in said


def test_lookalike_is_of_features_and_target_only() -> None:
    config = parse_config(SMALL)
    one, two = ids(TRAIN, config), ids(TRAIN.assign(id="other", day=""), config)
    assert one[LOOKALIKE].tolist() == two[LOOKALIKE].tolist()
    assert one[ROW].tolist() != two[ROW].tolist()
