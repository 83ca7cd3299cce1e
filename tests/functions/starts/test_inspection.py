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
from retraining.starts import inspection
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


LONG = "n" * 120_000
"""A name as long as csv lets a value be, nearly."""


@pytest.mark.parametrize(
    ("data", "name", "kind", "text"),
    [
        (b"1," * 15_000_000, "train.csv", "format", "the first 262144 characters have no line break"),
        (
            gzip.compress(b"1," * 15_000_000),
            "train/a.csv.gz",
            "format",
            "characters have no line break after a header",
        ),
        (
            "\n" + "," * 100_000 + "\n",
            "t.csv",
            "duplicate_column",
            "the column (without a name) is in the header",
        ),
        (",".join(f"c{n}" for n in range(30_000)) + "\n", "t.csv", "missing_column", "and 29990 more"),
        ("a," * 100_000 + "b\n1,2\n", "t.csv", "duplicate_column", "the column a is in the header twice"),
        (f"{LONG},{LONG}\n1,2\n", "t.csv", "duplicate_column", f"the column {'n' * 77}… is in the header"),
        (f"{LONG}\n1\n", "t.csv", "missing_column", f"the header has {'n' * 17}…"),
        ("n" * 131_073 + "\n1\n", "t.csv", "format", "field larger than field limit (131072)"),
        (HEAD + ROW + ROW.replace("29", "1" * 100_000 + "x"), "t.csv", "not_a_number", "row 2: age is '111"),
        (HEAD + ROW + ROW.replace("29", "1" * 100_000), "t.csv", "not_a_number", "row 2: age is '111"),
        (HEAD.encode() + b"\xed\xa0\x80,1\n", "t.csv", "encoding", "line 2 has the byte 0xed"),
        (HEAD + ROW.replace("29", "\0"), "t.csv", "binary", "byte 61 is zero"),
        ((HEAD + ROW).replace("\n", "\r"), "t.csv", "one_row", "the file has one row only"),
        (gzip.compress(b"") * 12_000, "train/a.csv.gz", "empty", "the file has no header"),
        (gzip.compress(b"", 9)[:-1] * 12_000, "train/a.csv.gz", "binary", "is not gzip or is damaged"),
    ],
    ids=[
        "no line break",
        "no line break, packed",
        "100,000 columns without names",
        "30,000 columns",
        "duplicate names",
        "long duplicate names",
        "long name",
        "value over the limit of csv",
        "digits, then a letter",
        "infinitely many digits",
        "lone surrogate",
        "zero byte",
        "lines that end in CR",
        "12,000 gzip members",
        "12,000 broken gzip members",
    ],
)
def test_inspect_hostile_file_is_a_problem_with_a_short_text(
    data: bytes | str, name: str, kind: str, text: str
) -> None:
    """Each of these took minutes, or a text of 120 KB, in an inspection whose time is not linear."""
    found = look(data, name)
    assert isinstance(found, Problem)
    assert found.kind == kind
    assert text in found.text
    assert len(found.text.encode()) <= 300
    assert len((found.column or "").encode()) <= 80


def test_inspect_text_in_other_alphabets_is_cut_by_bytes() -> None:
    found = look("欄" * 400 + ",b\n1,2\n")
    assert isinstance(found, Problem)
    assert "the header has 欄欄欄欄欄…, b" in found.text


def test_inspect_looks_up_a_class_among_a_hundred() -> None:
    config = config_of("multiclass_classification", tuple(f"{number}.5" for number in range(100)))
    body = ("x,y\n" + "1,99.50\n" * 20_000).encode()
    assert inspect(body, len(body), "train.csv", config) == Fine(20_000)


@pytest.mark.parametrize("end", [b"", b"\n1,1,f"])
def test_inspect_header_that_a_short_head_cuts_is_unknown(end: bytes) -> None:
    """Thousands of files are read by 8 KB each. A header may be longer than that."""
    head = HEAD.strip().encode() + end
    assert inspect(head, 1_000_000, "train.csv", CONFIG) == Fine(None)


def test_inspect_error_in_the_inspection_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(inspection, "_decode", fail)
    text = "the file cannot be inspected: MemoryError: no room"
    assert look(HEAD) == Problem("uninspectable", text)


def test_inspect_unpacks_at_most_sixteen_times_the_head() -> None:
    """Ten thousand files of 8 KB that each unpack to a megabyte are 1.3 GB to inspect, not 10."""
    body = gzip.compress(HEAD.encode() + ROW.encode() * 400_000)[:8_192]
    found = inspection._unpack(body, whole=False)
    assert not isinstance(found, Problem)
    assert len(found[0]) == 131_072


def test_inspect_ignores_problems_beyond_the_head() -> None:
    assert isinstance(look(HEAD + ROW * 20_000 + "nonsense\n"), Fine)


def test_missing_numbers_are_those_of_pyarrow() -> None:
    assert set(pyarrow.csv.ConvertOptions().null_values) == MISSING_NUMBERS


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.csv.gz", "a.parquet"]), st.integers(0, 400))
def test_inspect_never_raises(data: bytes, name: str, beyond: int) -> None:
    """Any bytes, as a whole file or as the head of a longer one."""
    found = inspect(data, len(data) + beyond, name, CONFIG, tail=data[-8:])
    assert isinstance(found, Fine) or found.kind != "uninspectable"


@given(
    st.text(st.sampled_from([*'",;\r\n\t\0 01.eE+-xn', "é", "欄", "\ufeff", "\u2028"]), max_size=300),
    st.sampled_from(["a.csv", "a.csv.gz"]),
    st.integers(0, 400),
)
def test_inspect_never_raises_for_odd_tables(rows: str, name: str, beyond: int) -> None:
    """A good header, then any signs that mean something to CSV or to numbers, packed or not."""
    data = (HEAD + rows).encode()
    data = gzip.compress(data) if name.endswith(".gz") else data
    found = inspect(data, len(data) + beyond, name, CONFIG)
    assert isinstance(found, Fine) or found.kind != "uninspectable"


@given(st.integers(1, len(TRAIN)))
def test_inspect_head_cut_anywhere_is_fine(length: int) -> None:
    found = inspect(TRAIN[:length], len(TRAIN), "train.csv", CONFIG)
    header = TRAIN.index(b"\n") + 1
    if length > header:
        assert isinstance(found, Fine)
