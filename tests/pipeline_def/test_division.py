"""Rows that land together are divided, and no row changes its side between two executions."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import division
from data_report import data_notes
from job import Split, parse_split
from tests.pipeline_def.helpers import BUCKET, SMALL, Run, land, rows

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.usefixtures("undrawn")

IDS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=200)


def config(by: Any, validation: float | None = 0.2, **data: Any) -> dict[str, Any]:
    """The model.json of `small` with this split, whose columns `data` names, too, as in a stored config."""
    named: dict[str, Any] = {}
    if by != "random":
        named = {"group": by["group"]} if "group" in by else {"date": by["time"]}
    split = {"by": by} | ({} if validation is None else {"validation": validation}) | data.pop("split", {})
    return {**SMALL, "data": {**named, **data, "split": split}}


def csv(*lines: str, header: str = "id,g,d,x,c,y") -> str:
    return "\n".join([header, *lines, ""])


def many(first: int, last: int, day: str = "2026-01-01") -> list[str]:
    """A row for each number: ids of their own, ten rows of a group, a day each from `day` on."""
    start = datetime.fromisoformat(day)
    return [
        f"{n},g{n // 10},{start + timedelta(days=n):%Y-%m-%d},{n}.5,{'ab'[n % 2]},{n % 2}"
        for n in range(first, last)
    ]


def ran(s3: S3Client, folder: Path, values: dict[str, Any], execution: str, code: int = 0) -> Run:
    run = Run(folder / execution, s3, values, execution)
    assert run.preprocess() == code
    return run


def xs(run: Run) -> dict[str, set[float]]:
    return {split: set(rows(run, split)["x"]) for split in ("train", "validation")}


# ---- the hash --------------------------------------------------------------------------------------------


@pytest.mark.slow
@given(IDS, st.floats(0.01, 0.9))
def test_chosen_depends_on_the_hash_alone(ids: list[int], share: float) -> None:
    together = division.chosen(np.array(ids, dtype=np.uint64), share)
    alone = [bool(division.chosen(np.array([one], dtype=np.uint64), share)[0]) for one in ids]
    assert together.tolist() == alone


@pytest.mark.slow
@given(IDS, st.floats(0.01, 0.45))
def test_chosen_of_a_larger_share_has_all_of_a_smaller_one(ids: list[int], share: float) -> None:
    found = np.array(ids, dtype=np.uint64)
    assert not (division.chosen(found, share) & ~division.chosen(found, 2 * share)).any()


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("step", [1, 2**32, 0x9E3779B97F4A7C15])
def test_chosen_share_is_near_the_one_asked_for_also_of_similar_hashes(share: float, step: int) -> None:
    """Five standard deviations of the share of 100,000 independent rows."""
    ids = np.arange(100_000, dtype=np.uint64) * np.uint64(step)
    found = division.chosen(ids, share).mean()
    assert abs(found - share) < 5 * (share * (1 - share) / 100_000) ** 0.5


def test_chosen_is_the_same_in_all_versions() -> None:
    """Another function would move rows from train to validation."""
    found = division.chosen(np.arange(20, dtype=np.uint64), 0.3)
    assert np.flatnonzero(found).tolist() == [3, 10, 18]


# ---- the cut ---------------------------------------------------------------------------------------------


def days(*texts: str) -> np.ndarray[Any, Any]:
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("dates", "share", "cut"),
    [
        # four years, a row a month: the last 12 of 48 are the year 2025
        ([f"{y}-{m:02}-15" for y in range(2022, 2026) for m in range(1, 13)], 0.25, "2025-01-01"),
        # a year, a row a day: the last fifth are 73 days; of the months' begins none is near
        ([f"{datetime(2025, 1, 1) + timedelta(days=n):%F}" for n in range(365)], 0.2, "2025-10-20"),
        # a day, a row a minute: the last 288 of 1,440
        ([f"{datetime(2025, 1, 1) + timedelta(minutes=n)}" for n in range(1440)], 0.2, "2025-01-01 19:00:00"),
        # rows without a date count, and are training rows: 22 of 100 come about in February
        (["NaT"] * 50 + [f"2025-{1 + n // 28:02}-{1 + n % 28:02}" for n in range(50)], 0.2, "2025-02-01"),
        # two days only
        (["2025-01-01"] * 9 + ["2025-01-02"], 0.5, "2025-01-02"),
        (["2025-01-01"] + ["2025-01-02"] * 9, 0.5, "2025-01-02"),
        # microseconds
        (["2025-01-01 00:00:00.000001", "2025-01-01 00:00:00.000002"], 0.5, "2025-01-01 00:00:00.000002"),
    ],
)
def test_find_cut_is_a_moment_that_people_can_read(dates: list[str], share: float, cut: str) -> None:
    found = division.find_cut(days(*dates), share)
    assert found is not None
    assert division.text_of(found) == cut


@pytest.mark.parametrize("dates", [[], ["NaT", "NaT"], ["2025-01-01"], ["2025-01-01", "2025-01-01", "NaT"]])
def test_find_cut_is_none_where_no_moment_divides_the_rows(dates: list[str]) -> None:
    assert division.find_cut(days(*dates), 0.2) is None


@pytest.mark.slow
@given(
    st.lists(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), min_size=2, max_size=50),
    st.floats(0.01, 0.9),
)
def test_find_cut_leaves_rows_on_both_sides(moments: list[datetime], share: float) -> None:
    dates = np.array(moments, dtype="datetime64[us]")
    cut = division.find_cut(dates, share)
    assert (cut is None) == (len(set(moments)) == 1)
    if cut is not None:
        later = dates >= np.datetime64(cut)
        assert later.any()
        assert not later.all()


# ---- the step --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_random_keeps_each_row_on_its_side_while_data_grows(s3: S3Client, tmp_path: Path) -> None:
    values = config("random", identity=["id"])
    land(s3, "curated/small/a.csv", csv(*many(0, 400)))
    first = xs(ran(s3, tmp_path, values, "first"))
    land(s3, "curated/small/2026/b.csv", csv(*many(400, 800)))
    run = ran(s3, tmp_path, values, "second")
    second = xs(run)
    assert first["train"] <= second["train"]
    assert first["validation"] <= second["validation"]
    assert sum(map(len, second.values())) == 800
    assert run.report["split"] == {
        "by": "random",
        "columns": [],
        "validation": 0.2,
        "share": len(second["validation"]) / 800,
    }
    assert 0.15 < run.report["split"]["share"] < 0.25
    assert run.report["validation_rows_also_in_train"] == 0


def test_random_keeps_a_corrected_row_on_its_side_by_its_identity(s3: S3Client, tmp_path: Path) -> None:
    values = config("random", 0.5, identity=["id"])
    land(s3, "curated/small/a.csv", csv(*many(0, 100)))
    first = rows(ran(s3, tmp_path, values, "first"), "validation")["handsoff:identity"]
    corrected = [line.replace(".5,", ".25,") for line in many(0, 100)]
    land(s3, "curated/small/a.csv", csv(*corrected))
    second = rows(ran(s3, tmp_path, values, "second"), "validation")
    assert set(first) == set(second["handsoff:identity"])
    assert (second["x"] % 1 == 0.25).all()


def test_random_puts_copies_of_a_row_on_one_side(s3: S3Client, tmp_path: Path) -> None:
    """Without data.identity a row is known by all its columns, in whatever spelling."""
    land(s3, "curated/small/a.csv", csv(*many(0, 200), *many(0, 200)))
    land(s3, "curated/small/b.csv", csv(*(line.replace(".5,", ".50,") for line in many(0, 200))))
    run = ran(s3, tmp_path, config("random"), "first")
    assert not xs(run)["train"] & xs(run)["validation"]
    assert sum(split["rows"] for split in run.report["splits"].values()) == 600


@pytest.mark.slow
@pytest.mark.parametrize(
    "named",
    [
        {"by": "random"},
        {"by": "random", "identity": ["k"]},  # half of the rows have none
        {"by": {"group": ["k"]}},
        {"by": {"group": ["k"]}, "identity": ["k", "c"]},
    ],
)
@pytest.mark.parametrize(
    ("key", "columns"),
    [
        ("b/other-name.csv", "g,x,c,y,k"),
        ("dt=2026-11-30/part-0.csv", "g,x,c,y,k"),
        ("dt=2026-12-01/hour=3/part-7.csv", "g,x,c,y,k"),
        ("a.csv", "g,x,c,y,k,new"),
        ("a.csv", "new,other,k,y,c,x"),
        ("a.csv", "y,x,c,k"),
    ],
)
def test_no_row_moves_by_what_is_neither_feature_nor_target(
    s3: S3Client, tmp_path: Path, named: dict[str, Any], key: str, columns: str
) -> None:
    """A column that no model reads, a folder, the file's name and the order of columns move no row."""
    rows_ = [
        {"g": n % 7, "x": n, "c": "ab"[n % 2], "y": n // 3 % 2, "k": f"k{n}" if n % 2 else "", "new": n * n}
        for n in range(300)
    ]

    def file(header: str) -> str:
        names = header.split(",")
        return csv(*(",".join(str(row.get(name, "z")) for name in names) for row in rows_), header=header)

    values = config(named["by"], 0.3, **{name: value for name, value in named.items() if name != "by"})
    land(s3, "curated/small/a.csv", file("g,x,c,y,k"))
    first = xs(ran(s3, tmp_path, values, "first"))
    s3.delete_object(Bucket=BUCKET, Key="curated/small/a.csv")
    land(s3, f"curated/small/{key}", file(columns))
    assert xs(ran(s3, tmp_path, values, "second")) == first
    assert 50 < len(first["validation"]) < 130


def test_random_keeps_the_same_row_of_two_daily_folders_on_one_side(s3: S3Client, tmp_path: Path) -> None:
    land(s3, "curated/small/dt=2026-11-29/a.csv", csv(*many(0, 200)))
    land(s3, "curated/small/dt=2026-11-30/a.csv", csv(*many(0, 300)))
    found = xs(ran(s3, tmp_path, config("random"), "first"))
    assert not found["train"] & found["validation"]
    assert len(found["train"] | found["validation"]) == 300


def test_random_of_rows_that_their_features_do_not_tell_apart_is_noted(s3: S3Client, tmp_path: Path) -> None:
    lines = [f"{n},g,2026-01-01,{n % 40},{'ab'[n % 2]},{n % 3 % 2}" for n in range(600)]
    land(s3, "curated/small/a.csv", csv(*lines))
    said = "have the features and the target of another one: data.split keeps such rows on one side"
    assert any(said in note for note in data_notes(ran(s3, tmp_path, config("random"), "first").report))
    known = ran(s3, tmp_path, config("random", identity=["id"]), "second")
    assert not any(said in note for note in data_notes(known.report))


def test_group_keeps_groups_whole_and_on_their_side(s3: S3Client, tmp_path: Path) -> None:
    values = config({"group": ["g"]})
    land(s3, "curated/small/a.csv", csv(*many(0, 500)))
    first = xs(ran(s3, tmp_path, values, "first"))
    land(s3, "curated/small/a.csv", csv(*many(0, 1000)))
    run = ran(s3, tmp_path, values, "second")
    second = xs(run)
    assert first["validation"] <= second["validation"]
    assert first["train"] <= second["train"]
    for found in second.values():  # ten rows of a group
        assert {x // 10 for x in found} == {x // 10 for x in found if x % 10 == 0.5}
        assert len(found) % 10 == 0
    assert run.report["validation_rows_of_train_groups"] == 0
    assert run.report["splits"]["train"]["groups"] + run.report["splits"]["validation"]["groups"] == 100


@pytest.mark.slow
def test_group_divides_rows_without_a_group_one_by_one(s3: S3Client, tmp_path: Path) -> None:
    lines = [line.replace(f"g{n // 10}", "", 1) for n, line in enumerate(many(0, 300))]
    land(s3, "curated/small/a.csv", csv(*lines))
    run = ran(s3, tmp_path, config({"group": ["g"]}), "first")
    assert 30 < run.report["splits"]["validation"]["rows"] < 90
    assert run.report["splits"]["validation"]["without_group"] == run.report["splits"]["validation"]["rows"]


@pytest.mark.slow
def test_time_keeps_the_cut_of_the_first_batch(s3: S3Client, tmp_path: Path) -> None:
    values = config({"time": "d"}, 0.25)
    land(s3, "curated/small/a.csv", csv(*many(0, 120), "x,,,1000.5,a,0"))
    run = ran(s3, tmp_path, values, "first")
    assert run.report["split"] == {
        "by": "time",
        "columns": ["d"],
        "validation": 0.25,
        "share": 30 / 121,
        "from": "2026-04-01",
        "found_now": True,
        "without_date": 1,
        "proposed_from": None,
    }
    assert xs(run)["validation"] == {n + 0.5 for n in range(90, 120)}
    (kept,) = s3.list_objects_v2(Bucket=BUCKET, Prefix="models/small/splits/")["Contents"]
    body = json.loads(s3.get_object(Bucket=BUCKET, Key=kept["Key"])["Body"].read())
    assert body == {
        "schema_version": 1,
        "by": {"time": ["d"]},
        "validation": 0.25,
        "from": "2026-04-01",
        "batch": run.report["batch"],
    }
    land(s3, "curated/small/b.csv", csv(*many(120, 240)))
    later = ran(s3, tmp_path, values, "second")
    assert xs(later)["train"] == xs(run)["train"]
    assert xs(later)["validation"] == {n + 0.5 for n in range(90, 240)}
    found = later.report["split"]
    assert (found["from"], found["found_now"], found["share"]) == ("2026-04-01", False, 150 / 241)
    assert found["proposed_from"] == "2026-07-01"
    assert division.split_notes(found) == [
        "1 row without a d: they are training rows",
        "62.2% of the rows are validation rows, and data.split asks for 25.0%: those with a d from 2026-04-"
        "01 on; to train on newer rows, write from: 2026-07-01 into data.split",
    ]


def test_time_from_a_date_of_the_config_needs_no_first_batch(s3: S3Client, tmp_path: Path) -> None:
    values = config({"time": "d"}, None, split={"from": "2026-01-03"})
    land(s3, "curated/small/a.csv", csv(*many(0, 4)))
    run = ran(s3, tmp_path, values, "first")
    assert xs(run) == {"train": {0.5, 1.5}, "validation": {2.5, 3.5}}
    assert "Contents" not in s3.list_objects_v2(Bucket=BUCKET, Prefix="models/small/splits/")
    assert run.report["split"]["proposed_from"] is None


@pytest.mark.slow
def test_time_of_another_share_has_another_cut(s3: S3Client, tmp_path: Path) -> None:
    land(s3, "curated/small/a.csv", csv(*many(0, 100)))
    quarter = ran(s3, tmp_path, config({"time": "d"}, 0.25), "first").report["split"]["from"]
    tenth = ran(s3, tmp_path, config({"time": "d"}, 0.1), "second").report["split"]["from"]
    assert (quarter, tenth) == ("2026-03-17", "2026-04-01")


@pytest.mark.slow
def test_time_of_another_column_has_another_cut(s3: S3Client, tmp_path: Path) -> None:
    lines = [f"{line},{n + 1:04}-01-01" for n, line in enumerate(many(0, 100))]
    land(s3, "curated/small/a.csv", csv(*lines, header="id,g,d,x,c,y,e"))
    found = [
        ran(s3, tmp_path, config({"time": column}, 0.25), column).report["split"]["from"] for column in "de"
    ]
    assert found == ["2026-03-17", "0076-01-01"]


@pytest.mark.parametrize(
    ("by", "share", "said"),
    [
        ("group", 0.31, "31.0% of the rows are validation rows, and data.split asks for 20.0%: there are few "
            "groups, or some of them are large"),
        ("group", 0.29, None),
        ("random", 0.09, "9.0% of the rows are validation rows, and data.split asks for 20.0%"),
    ],
)  # fmt: skip
def test_split_notes_of_a_share_that_is_far_from_the_one_asked_for(
    by: str, share: float, said: str | None
) -> None:
    found = {"by": by, "columns": ["g"], "validation": 0.2, "share": share}
    assert division.split_notes(found) == ([said] if said else [])


def test_time_cut_that_another_execution_keeps_first_fails_the_step(
    s3: S3Client, tmp_path: Path, base_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = parse_split({"by": {"time": "d"}, "validation": 0.25})
    land(s3, "curated/small/a.csv", csv(*many(0, 100)))
    key = division.cut_key("small", split)
    land(s3, key, json.dumps({"from": "2026-02-01"}))
    told = iter([None])
    real = division.read_cut
    monkeypatch.setattr(division, "read_cut", lambda *given: next(told, real(*given)))
    ran(s3, tmp_path, config({"time": "d"}, 0.25), "first", code=1)
    assert (base_dir / "output" / "message").read_text() == (
        f"another execution has kept the cut 2026-02-01 in s3://{BUCKET}/{key} meanwhile; start the "
        "model again"
    )


def test_changes_are_followed_over_both_sides(s3: S3Client, tmp_path: Path) -> None:
    """The last change of a key counts, also where an earlier one was on the other side."""
    values = config({"time": "d"}, None, split={"from": "2026-01-03"}, cdc={"operation": "Op", "key": ["id"]})
    load = csv("1,g,2026-01-01,1,a,0", "2,g,2026-01-01,2,a,1", "3,g,2026-01-04,3,a,0", "4,g,2026-01-05,4,a,1")
    later = ["U,1,g,2026-01-06,10,a,0", "U,3,g,2026-01-02,30,a,0", "D,2,,,,,", "I,5,g,2026-01-01,50,b,1"]
    changes = csv(*later, header="Op,id,g,d,x,c,y")
    land(s3, "curated/small/LOAD00000001.csv", load)
    land(s3, "curated/small/20260101-1.csv", changes)
    run = ran(s3, tmp_path, values, "first")
    assert xs(run) == {"train": {30.0, 50.0}, "validation": {4.0, 10.0}}
    assert run.report["split"]["left_out_rows"] == 4
    assert "left_out_rows" not in run.report["splits"]["train"]


def test_time_cut_of_changes_is_that_of_the_rows_that_are_left(s3: S3Client, tmp_path: Path) -> None:
    values = config({"time": "d"}, 0.5, cdc={"operation": "Op", "key": ["id"]})
    land(s3, "curated/small/LOAD00000001.csv", csv(*many(0, 4), *many(4, 100, "2027-01-01")))
    dropped = "Op,id,g,d,x,c,y\n" + "".join(f"D,{n},,,,,\n" for n in range(4, 100))
    land(s3, "curated/small/20260101-1.csv", dropped)
    assert ran(s3, tmp_path, values, "first").report["split"]["from"] == "2026-01-03"


@pytest.mark.parametrize(
    ("by", "lines", "said"),
    [
        (
            {"time": "d"},
            ["1,g,2026-01-01,1,a,0", "2,g,2026-01-01,2,a,1"],
            "data.split: no date in column d divides the rows, as those with a date all have the same one, "
            "or none has one; name another column, or split by random",
        ),
        (
            {"group": ["g"]},
            ["1,g,2026-01-01,1,a,0", "2,g,2026-01-01,2,a,1"],
            "data.split leaves no row in validation: there are too few groups in column g for a share of "
            "20%; land more, or divide them yourself into train/ and validation/",
        ),
        ("random", [], "there are no rows: each file is empty or has a header only"),
    ],
)
def test_split_that_leaves_a_side_without_rows_is_refused(
    s3: S3Client, tmp_path: Path, base_dir: Path, by: Any, lines: list[str], said: str
) -> None:
    land(s3, "curated/small/a.csv", csv(*lines))
    ran(s3, tmp_path, config(by), "first", code=1)
    assert (base_dir / "output" / "message").read_text() == said


@pytest.mark.parametrize("name", ["train.csv", "train/a.csv", "validation/b.csv"])
def test_file_of_one_split_is_refused(s3: S3Client, tmp_path: Path, base_dir: Path, name: str) -> None:
    land(s3, "curated/small/a.csv", csv(*many(0, 100)))
    land(s3, f"curated/small/{name}", csv(*many(0, 100)))
    ran(s3, tmp_path, config("random"), "first", code=1)
    assert (base_dir / "output" / "message").read_text() == (
        f"curated/small/{name}: data.split divides the rows itself, so no file may say by its name that it "
        "is of one split; delete it there and land its rows under another name, or remove data.split"
    )


@pytest.mark.slow
def test_whole_run_trains_and_finds_an_honest_split_honest(s3: S3Client, tmp_path: Path) -> None:
    land(s3, "curated/small/a.csv", csv(*many(0, 600)))
    run = ran(s3, tmp_path, config({"group": ["g"]}), "first")
    run.train()
    found = run.evaluate()["handsoff"]
    assert (found["leaked"], found["same_group"]) == (0, 0)
    assert run.report["lookalikes"]["z"] < 4


def test_parse_split_reads_the_three_forms() -> None:
    assert parse_split({"by": "random", "validation": 0.2}) == Split("random", (), 0.2)
    assert parse_split({"by": {"group": ["a", "b"]}, "validation": 0.2}) == Split("group", ("a", "b"), 0.2)
    assert parse_split({"by": {"time": "d"}, "from": "2026-01-01"}) == Split(
        "time", ("d",), None, "2026-01-01"
    )
