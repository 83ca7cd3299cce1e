"""What is data, where markers lie, what paths say, and parts with few rows."""

from __future__ import annotations

import pytest

from tests.field.conftest import Gives
from tests.field.people import as_csv, as_parquet, passengers, typed, zipped
from tests.field.play import Place, config

VALIDATION = {"validation/v.csv": as_csv(passengers(100, 9))}
ROWS = passengers(300)
PART = as_csv(ROWS[:100])


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("b.CSV", PART),
        ("x.gz", zipped(PART)),
        ("20261130_0001_3f2b", PART),  # an Athena UNLOAD
        ("gzip without saying so.csv", zipped(PART)),
        ("members.gz", zipped(PART[:999]) + zipped(b"") + zipped(PART[999:])),
        ("marked.gz", zipped(b"\xef\xbb\xbf" + PART)),
        ("tape.gz", zipped(PART) + bytes(512)),
        ("old Mac.csv", PART.replace(b"\n", b"\r")),
        ("without a last line break.csv", PART.rstrip(b"\n")),
        ("20261130_0002.parquet.snappy", as_parquet(typed(ROWS[:100]))),
        ("part-0.PARQUET", as_parquet(typed(ROWS[:100]))),
        ("part-0.csv.gz", zipped(PART)),
        ("part.txt", PART),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_file_below_a_split_is_read_by_its_content(name: str, body: bytes, gives: Gives) -> None:
    """All rows are trained on, whatever a file is called."""
    found = gives(Place().land({"train/a.csv": PART, f"train/{name}": body, **VALIDATION}))
    assert found.rows == (200, 100)


@pytest.mark.parametrize("names", [("Train.CSV", "validation"), ("train.csv.gz", "validation.Parquet")])
def test_files_at_the_root_are_read_with_any_case_of_a_known_ending(
    names: tuple[str, str], gives: Gives
) -> None:
    """train.CSV and validation at the root are data, too."""
    if names[0].startswith("T"):
        names = ("train.CSV", names[1])
    bodies = (
        zipped(PART) if names[0].endswith("gz") else PART,
        as_parquet(typed(ROWS)) if names[1].endswith("Parquet") else as_csv(ROWS),
    )
    assert gives(Place().land(dict(zip(names, bodies, strict=True)))).rows == (100, 300)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("train/_temporary/0/task_1/part-1.csv", PART),
        ("train/.part-0.csv.crc", b"crc\x00\x00"),
        ("train/_committed_123", b"{}"),
        ("train/_started_123", b""),
        ("train/2026/", b""),
        ("train/.hidden/part.csv", PART),
        ("train/_SUCCESS", b""),
        ("train/_spark_metadata/0", b"v1"),
        ("train/._SUCCESS.crc", b"crc\x00\x00"),
        ("train/.DS_Store", b"\x00\x00\x00\x01Bud1"),
        ("train/__MACOSX/._a.csv", b"\x00\x05\x16\x07"),
        ("train/part-0-0.inprogress.af3", PART),
        ("train/b.csv.inprogress", PART),
        ("train/b.csv.tmp", PART),
        ("train/b.csv.crdownload", PART),
        ("train/b.csv~", PART),
        ("train/b.csv.bak", PART),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_writer_leaves_beside_its_data_is_never_read_and_is_named(
    name: str, body: bytes, gives: Gives
) -> None:
    """Ignored, and named in the report unless it is empty, as then nothing was left out."""
    found = gives(Place().land({"train/a.csv": PART, name: body, **VALIDATION}))
    assert found.rows == (100, 100)
    named = [item["key"] for item in found.report["ignored"]]
    assert named == ([f"curated/titanic/{name}"] if body else [])


@pytest.mark.parametrize(
    ("word", "extra"),
    [
        ("Delta", {"train/_delta_log/00000000000000000010.checkpoint.parquet": as_parquet(typed(ROWS))}),
        ("Delta", {"train/_delta_log/00000000000000000000.json": b'{"commitInfo": {}}'}),
        ("Iceberg", {"train/metadata/v1.metadata.json": b"{}", "train/data/00000-0.parquet": PART}),
    ],
    ids=["checkpoint", "log", "metadata"],
)
def test_a_table_of_a_lake_is_refused_by_its_name(word: str, extra: dict[str, bytes], gives: Gives) -> None:
    """Refused before a job is paid for, with the way out."""
    files = {"train/part-0.parquet": as_parquet(typed(ROWS)), **extra, **VALIDATION}
    found = gives(Place().land(files))
    assert found.kind in ("refused", "quarantined")
    assert word in found.said


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("zip", b"PK\x03\x04" + b"\x00" * 60),
        ("bzip2", b"BZh91AY&SY" + b"\x00" * 60),
        ("zstd", b"\x28\xb5\x2f\xfd" + b"\x00" * 60),
        ("xz", b"\xfd7zXZ\x00" + b"\x00" * 60),
        ("ORC", b"ORC" + b"\x00" * 60 + b"\x03ORC"),
        ("Avro", b"Obj\x01" + b"\x00" * 60),
    ],
    ids=["zip", "bzip2", "zstd", "xz", "ORC", "Avro"],
)
def test_another_format_is_refused_by_its_name(word: str, body: bytes, gives: Gives) -> None:
    """Refused before a job is paid for, whatever its ending says."""
    found = gives(Place().land({"train/a.csv": PART, "train/b.csv": body, **VALIDATION}))
    assert found.kind in ("refused", "quarantined")
    assert word.lower() in found.said.lower()


def test_the_marker_may_lie_in_each_splits_folder_as_spark_writes_it(gives: Gives) -> None:
    """Starts once, when the second marker has landed."""
    place = Place()
    files = {"train/part-0.csv": PART, "validation/part-0.csv": as_csv(ROWS)}
    first = place.land(files, ("train/_SUCCESS",))
    assert first.kind == "refused"
    assert gives(place.land({}, ("validation/_SUCCESS",))).rows == (100, 300)
    assert len(place.world.sagemaker.executions) == 1
    newer = place.land({"train/part-1.csv": PART}, ("train/_SUCCESS",))
    assert newer.kind == "refused"  # the other marker is the one that was answered


PARTED = "train/embarked={}/part-0"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_partitioned_folders_give_their_column(form: str, gives: Gives) -> None:
    """The column comes from the path: escapes and Hive's default partition, CSV and Parquet alike."""
    others = [name for name in ROWS[0] if name != "embarked"]
    files = dict(VALIDATION)
    for number, folder in enumerate(("S", "C%2FD", "__HIVE_DEFAULT_PARTITION__")):
        rows = ROWS[number * 100 : number * 100 + 100]
        body = as_csv(rows, columns=others)
        if form == "parquet":
            body = as_parquet(typed(rows).drop_columns(["embarked"]))
        files[f"{PARTED.format(folder)}.{form}"] = body
    found = gives(Place().land(files))
    assert found.rows == (300, 100)
    values = found.table()["embarked"].value_counts(dropna=False).to_dict()
    assert {str(key): count for key, count in values.items()} in (
        {"S": 100, "C/D": 100, "None": 100},
        {"S": 100, "C/D": 100, "nan": 100},
    )
    assert found.report["partition_columns"] == ["embarked"]


def test_a_folder_that_spells_its_column_otherwise_is_refused_with_the_way_out(gives: Gives) -> None:
    """Embarked=S is no column embarked: told by that name, in CSV and Parquet alike."""
    others = [name for name in ROWS[0] if name != "embarked"]
    parts = {"csv": as_csv(ROWS, columns=others), "parquet": as_parquet(typed(ROWS).drop_columns("embarked"))}
    for form, body in parts.items():
        found = gives(Place().land({f"train/Embarked=S/part-0.{form}": body, **VALIDATION}))
        assert found.kind in ("quarantined", "failed")
        assert "did you mean" in found.said
        assert "folder" in found.reason + found.failure


@pytest.mark.parametrize("inside", [False, True], ids=["path", "path and file"])
def test_partitioned_folders_without_a_header_give_their_column(inside: bool, gives: Gives) -> None:
    """`data.header` names all columns; a file may lack those of its path, as Athena and Spark write it."""
    columns = [name for name in ROWS[0] if name != "embarked" or inside]
    files = {
        f"{split}/embarked={port}/part-0": as_csv(
            [row for row in rows if row["embarked"] == port], columns=columns, header=False
        )
        for split, rows in (("train", ROWS), ("validation", passengers(100, 9)))
        for port in "SCQ"
    }
    found = gives(Place(config(data={"header": list(ROWS[0])})).land(files))
    assert found.rows == (300, 100)
    expected = {port: sum(row["embarked"] == port for row in ROWS) for port in "SCQ"}
    assert found.table()["embarked"].value_counts().to_dict() == expected


@pytest.mark.slow
def test_parts_of_one_row_without_rows_and_without_bytes_are_no_fault(gives: Gives) -> None:
    """Rows are judged over the split; empty parts are named."""
    files = {f"train/part-{number:03}.csv": as_csv(ROWS[number : number + 1]) for number in range(300)}
    files |= {"train/part-300.csv": as_csv([]), "train/part-301.csv": b"", **VALIDATION}
    found = gives(Place().land(files))
    assert found.rows == (300, 100)
    empty = [item["key"] for item in found.report["files"] if not item["rows"]]
    assert empty == ["curated/titanic/train/part-300.csv", "curated/titanic/train/part-301.csv"]


def test_a_split_without_any_row_starts_nothing(gives: Gives) -> None:
    """Refused before a job is paid for."""
    files = {"train/a.csv": as_csv([]), "train/b.csv": as_csv([]), **VALIDATION}
    assert gives(Place().land(files)).kind in ("refused", "quarantined")


def test_the_same_bytes_again_start_nothing(gives: Gives) -> None:
    """Refused as the same bytes."""
    place = Place()
    assert place.land({"train/a.csv": PART, **VALIDATION}).rows == (100, 100)
    again = gives(place.land({"train/a.csv": PART, **VALIDATION}))
    assert "the same bytes" in again.reason
