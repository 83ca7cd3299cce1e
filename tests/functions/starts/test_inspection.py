"""Each problem that a file can have, with literal files; and files that have none."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow.csv
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from retraining.config.schema import ModelConfig, parse_config
from retraining.starts.inspection import HEAD_BYTES, MISSING_NUMBERS, Fine, Problem, head_bytes, inspect

ROOT = Path(__file__).parents[3]
CONFIG = parse_config(yaml.safe_load((ROOT / "handsoff.yaml").read_text()), source="x").models["titanic"]
TRAIN = (ROOT / "data" / "titanic" / "train.csv").read_bytes()
HEAD = "pclass,survived,sex,age,sibsp,parch,fare,embarked\n"
ROW = "1,1,female,29,0,0,211.3,S\n"


def look(data: bytes | str, name: str = "train.csv") -> Problem | Fine:
    """Inspect the first bytes of this file, as start_retraining reads them."""
    body = data.encode() if isinstance(data, str) else data
    return inspect(body[:HEAD_BYTES], len(body), name, CONFIG, tail=body[-8:])


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        ("", "empty", "the file is empty"),
        ("\n\n", "empty", "the file has no header"),
        (HEAD, "no_rows", "the file has a header and no rows"),
        (HEAD + ROW, "one_row", "the file has one row only"),
        (HEAD.replace("survived", "alive") + ROW * 2, "missing_column", "no column survived; the header has"),
        (HEAD.replace("sibsp", "age") + ROW * 2, "duplicate_column", "the column age is in the header twice"),
        (HEAD + ROW + ROW.replace("29", "old"), "not_a_number", "row 2: age is 'old', expected a number"),
        (HEAD + ROW + ROW.replace("29", "inf"), "not_a_number", "row 2: age is 'inf', expected a number"),
        (HEAD + ROW + ROW.replace("29", "1_0"), "not_a_number", "row 2: age is '1_0', expected a number"),
        (HEAD.replace(",", ";") + ROW * 2, "delimiter", "separated by semicolons; expected commas"),
        (HEAD.replace(",", "\t") + ROW * 2, "delimiter", "separated by tabs"),
        ((HEAD + ROW).encode() + b"1,1,f\xe9,1,0,0,1,S\n", "encoding", "line 3 has the byte 0xe9"),
        ((HEAD + ROW * 2).encode("utf-16"), "binary", "the file is not text: byte"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "binary", "the file is not text: byte 8 is zero"),
        (HEAD + ROW + ROW.replace("1,1", "1,2"), "unknown_class", "row 2: survived is '2', expected 0 or 1"),
        (HEAD + ROW + ROW.replace("1,1", "1,"), "unknown_class", "row 2: survived is missing"),
        (HEAD + ROW + "1,1,male\n", "format", "row 2 has 3 values, the header 8"),
        (HEAD + ROW + '1,1,"male,1,0,0,1,S\n', "format", "the file is not CSV: unexpected end of data"),
    ],
)
def test_inspect_csv_names_the_problem(data: bytes | str, kind: str, text: str) -> None:
    found = look(data)
    assert isinstance(found, Problem)
    assert found.kind == kind
    assert text in found.text


def config_of(
    task: str, classes: tuple[str, ...], features: dict[str, list[str]] | None = None
) -> ModelConfig:
    """A model that predicts y from x, or from these features."""
    return ModelConfig.model_validate(
        {"task": task, "target": "y", "classes": classes, "features": features or {"numeric": ["x"]}}
    )


WORDS = config_of("binary_classification", ("died", "survived"))
NUMBERED = config_of("binary_classification", ("0", "1.0"))
PENGUINS = config_of("multiclass_classification", ("Adelie", "Chinstrap", "Gentoo"))
MANY = config_of("multiclass_classification", tuple(f"c{number}" for number in range(100)))
PRICES = config_of("regression", ())


@pytest.mark.parametrize(
    ("config", "target", "kind", "text"),
    [
        (WORDS, "lost", "unknown_class", "row 2: y is 'lost', expected died or survived"),
        (WORDS, "Died", "unknown_class", "row 2: y is 'Died', expected died or survived"),
        (WORDS, " ", "unknown_class", "row 2: y is missing, expected died or survived"),
        (NUMBERED, "true", "unknown_class", "row 2: y is 'true', expected 0 or 1.0"),
        (NUMBERED, "1_0", "unknown_class", "row 2: y is '1_0', expected 0 or 1.0"),
        (PENGUINS, "1", "unknown_class", "row 2: y is '1', expected one of Adelie, Chinstrap, Gentoo"),
        (
            MANY,
            "c100",
            "unknown_class",
            "row 2: y is 'c100', expected one of c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 90 more",
        ),
        (PRICES, "dear", "not_a_number", "row 2: y is 'dear', expected a number"),
        (PRICES, "NA", "not_a_number", "row 2: y is missing, expected a number"),
        (PRICES, "inf", "not_a_number", "row 2: y is 'inf', expected a number"),
    ],
)
def test_inspect_target_that_does_not_fit_the_task_is_a_problem(
    config: ModelConfig, target: str, kind: str, text: str
) -> None:
    good = config.classes[0] if config.classes else "3"
    body = f"x,y\n1,{good}\n1,{target}\n".encode()
    assert inspect(body, len(body), "train.csv", config) == Problem(kind, text, 2, "y")


@pytest.mark.parametrize(
    ("config", "targets"),
    [
        (WORDS, ["died", " survived "]),
        (NUMBERED, ["0.0", "1", "1.00", "+1", "1e0", "-0"]),
        (PENGUINS, ["Gentoo", "Adelie"]),
        (config_of("multiclass_classification", ("NA", "EU", "1")), ["NA", "1.0"]),
        (PRICES, ["1", "-2.5e3", " 7 ", ".5"]),
    ],
)
def test_inspect_target_that_fits_the_task_is_fine(config: ModelConfig, targets: list[str]) -> None:
    body = ("x,y\n" + "".join(f"1,{target}\n" for target in targets)).encode()
    assert inspect(body, len(body), "train.csv", config) == Fine(len(targets))


def test_inspect_booleans() -> None:
    config = config_of("binary_classification", ("0", "1"), {"boolean": ["b"]})
    words = ["true", "No", "T", " f ", "Y", "n", "1", "0", "1.0", "0.0", "", "NA"]
    body = ("b,y\n" + "".join(f"{word},1\n" for word in words)).encode()
    assert inspect(body, len(body), "train.csv", config) == Fine(12)
    body += b"maybe,1\n"
    assert inspect(body, len(body), "train.csv", config) == Problem(
        "not_a_boolean", "row 13: b is 'maybe', expected true or false", 13, "b"
    )
    body = b"x,y\n1,1\n1,0\n"
    assert inspect(body, len(body), "train.csv", config) == Problem(
        "missing_column", "no column b; the header has x, y", column="b"
    )


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (gzip.compress((HEAD + ROW * 50).encode(), mtime=0)[:-9], "train/a.csv.gz", "truncated"),
        ((HEAD + ROW * 2).encode(), "train/a.csv.gz", "binary"),
        (gzip.compress(HEAD.encode(), mtime=0), "train/a.csv.gz", "no_rows"),
        (b"PAR1" + b"x" * 100, "train.parquet", "truncated"),
        (b"PAR1" + b"x" * 8 + (900).to_bytes(4, "little") + b"PAR1", "train.parquet", "truncated"),
        ((HEAD + ROW * 2).encode(), "train.parquet", "binary"),
        (b"PAR1", "train.parquet", "binary"),
    ],
)
def test_inspect_gzip_and_parquet_name_the_problem(data: bytes, name: str, kind: str) -> None:
    found = look(data, name)
    assert isinstance(found, Problem)
    assert found.kind == kind


def test_inspect_good_files_counts_rows() -> None:
    assert look(TRAIN) == Fine(1047)
    assert look(b"\xef\xbb\xbf" + TRAIN) == Fine(1047)
    assert look(gzip.compress(TRAIN), "train/a.csv.gz") == Fine(1047)
    assert look(HEAD + ROW * 2 + "\n") == Fine(2)
    assert look(b"PAR1" + b"x" * 8 + (4).to_bytes(4, "little") + b"PAR1", "train.parquet") == Fine(None)


@pytest.mark.parametrize("packed", [False, True])
def test_inspect_estimates_rows_of_a_large_file(packed: bool) -> None:
    header, _, rows = TRAIN.partition(b"\n")
    data = header + b"\n" + rows * 60
    found = look(gzip.compress(data), "a.csv.gz") if packed else look(data)
    assert isinstance(found, Fine)
    assert found.rows == pytest.approx(1047 * 60, rel=0.05)


def test_inspect_does_not_unpack_a_gzip_bomb() -> None:
    found = look(gzip.compress(bytes(200_000_000)), "train/a.csv.gz")
    assert isinstance(found, Problem)
    assert found.kind == "binary"


def test_inspect_reads_several_gzip_members_as_one_file() -> None:
    parts = gzip.compress(HEAD.encode()) + gzip.compress((ROW * 10).encode())
    assert look(parts, "train/a.csv.gz") == Fine(10)


def test_inspect_quote_that_never_ends_is_a_problem() -> None:
    found = look(HEAD + '"' + "x" * 400_000)
    assert isinstance(found, Problem)
    assert found.kind == "format"


@pytest.mark.parametrize(
    ("files", "expected"), [(1, 262_144), (256, 262_144), (1_024, 65_536), (10_000, 8_192)]
)
def test_head_bytes_shrink_with_the_number_of_files(files: int, expected: int) -> None:
    assert head_bytes(files) == expected


def test_inspect_ignores_problems_beyond_the_head() -> None:
    assert isinstance(look(HEAD + ROW * 20_000 + "nonsense\n"), Fine)


def test_missing_numbers_are_those_of_pyarrow() -> None:
    assert set(pyarrow.csv.ConvertOptions().null_values) == MISSING_NUMBERS


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.csv.gz", "a.parquet"]), st.integers(0, 400))
def test_inspect_never_raises(data: bytes, name: str, beyond: int) -> None:
    """Any bytes, as a whole file or as the head of a longer one."""
    assert isinstance(inspect(data, len(data) + beyond, name, CONFIG, tail=data[-8:]), Fine | Problem)


@given(st.integers(1, len(TRAIN)))
def test_inspect_head_cut_anywhere_is_fine(length: int) -> None:
    found = inspect(TRAIN[:length], len(TRAIN), "train.csv", CONFIG)
    header = TRAIN.index(b"\n") + 1
    if length > header:
        assert isinstance(found, Fine)
