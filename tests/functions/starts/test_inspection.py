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
from retraining.starts.inspection import Fine, Problem, Short, files, formats, head_bytes, inspect, longer
from retraining.starts.inspection.cells import MISSING
from retraining.starts.inspection.heads import HEAD_BYTES

ROOT = Path(__file__).parents[3]
CONFIG = parse_config(yaml.safe_load((ROOT / "handsoff.yaml").read_text()), source="x").models["titanic"]
TRAIN = (ROOT / "data" / "titanic" / "train.csv").read_bytes()
HEAD = "pclass,survived,sex,age,sibsp,parch,fare,embarked\n"
ROW = "1,1,female,29,0,0,211.3,S\n"


def seen(body: bytes, length: int, name: str, config: ModelConfig) -> Problem | Fine | Short:
    return inspect(body[:length], len(body), name, config, tail=body[-8:], asked=length)


def look(
    data: bytes | str, name: str = "train.csv", config: ModelConfig = CONFIG, length: int = HEAD_BYTES
) -> Problem | Fine:
    """Inspect the first bytes of this file, as start_retraining reads them."""
    body = data.encode() if isinstance(data, str) else data
    while isinstance(found := seen(body, length, name, config), Short):
        assert length < longer(length)
        length = longer(length)
    return found


@pytest.mark.parametrize(
    ("data", "kind", "text"),
    [
        ("\n" + HEAD + ROW, "no_header", "the first line is empty, expected the header: remove the line"),
        (ROW * 2, "no_header", "no header: the first line names none of the columns survived, age, sibsp,"),
        (
            HEAD.replace("survived", "alive") + ROW * 2,
            "missing_column",
            "no column survived in the header, which has 8 columns",
        ),
        (
            HEAD.replace("survived", " Survived") + ROW,
            "missing_column",
            "no column survived; the header has ' Survived': did you mean that? write both alike",
        ),
        (HEAD.replace("parch", "age") + ROW, "missing_column", "no column parch in the header"),
        (
            HEAD.replace(",", ",age,", 1) + ROW.replace(",", ",,", 1),
            "duplicate_column",
            "the column age is in the header twice: columns 2 and 5 of the header",
        ),
        (HEAD + ROW + ROW.replace("29", "old"), "not_a_number", "row 2: age is not a number"),
        (HEAD + ROW + ROW.replace("29", "inf"), "not_a_number", "row 2: age is not a number"),
        (HEAD + ROW + ROW.replace("29", "1_0"), "not_a_number", "row 2: age is not a number"),
        (
            HEAD.replace(",", ";") + ROW * 2,
            "delimiter",
            'separated by semicolons, expected commas: set data.delimiter: ";" in handsoff.yaml',
        ),
        (HEAD.replace(",", "\t") + ROW * 2, "delimiter", "separated by tabs, expected commas"),
        ((HEAD + ROW).encode() + b"1,1,f\xe9,1,0,0,1,S\n", "encoding", "line 3 has the byte 0xe9"),
        (
            (HEAD + ROW * 2).encode("utf-16"),
            "encoding",
            "is not UTF-8, but utf-16: set data.encoding: utf-16",
        ),
        (b"\x89ABC\r\n\x1a\n\x00\x00\x00", "binary", "the file is not text: byte 8 is zero"),
        (
            HEAD + ROW + ROW.replace("1,1", "1,2"),
            "unknown_class",
            "row 2: survived is not a class, expected 0",
        ),
        (HEAD + ROW + ROW.replace("1,1", "1,"), "unknown_class", "row 2: survived is missing"),
        (HEAD + ROW + "1,1,male\n", "format", "row 2 has 3 values, the header 8"),
        (
            HEAD + ROW + '1,1,"male,1,0,0,1,S\n',
            "format",
            "the file is not CSV: row 2 has a quote in the wrong place",
        ),
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
        (WORDS, "lost", "unknown_class", "row 2: y is not a class, expected died or survived"),
        (WORDS, "Died", "unknown_class", "row 2: y is not a class, expected died or survived"),
        (WORDS, " ", "unknown_class", "row 2: y is missing, expected died or survived"),
        (NUMBERED, "true", "unknown_class", "row 2: y is not a class, expected 0 or 1.0"),
        (NUMBERED, "1_0", "unknown_class", "row 2: y is not a class, expected 0 or 1.0"),
        (
            PENGUINS,
            "1",
            "unknown_class",
            "row 2: y is not a class, expected one of Adelie, Chinstrap, Gentoo",
        ),
        (
            MANY,
            "c100",
            "unknown_class",
            "row 2: y is not a class, expected one of c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 90 more",
        ),
        (PRICES, "dear", "not_a_number", "row 2: y is not a number"),
        (PRICES, "NA", "not_a_number", "row 2: y is missing, expected a number"),
        (PRICES, "inf", "not_a_number", "row 2: y is not a number"),
    ],
)
def test_inspect_target_that_does_not_fit_the_task_is_a_problem(
    config: ModelConfig, target: str, kind: str, text: str
) -> None:
    good = config.classes[0] if config.classes else "3"
    body = f"x,y\n1,{good}\n1,{target}\n".encode()
    assert inspect(body, len(body), "train.csv", config) == Problem(kind, text, 2, "y", repr(target))


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
        "not_a_boolean",
        "row 13: b is not a boolean, expected true or false (also yes/no, t/f, y/n, 1/0); list the column in "
        "features.categorical if it has other values",
        13,
        "b",
        "'maybe'",
    )
    body = b"x,y\n1,1\n1,0\n"
    assert inspect(body, len(body), "train.csv", config) == Problem(
        "missing_column", "no column b in the header, which has 2 columns", column="b", found="'x,y'"
    )


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (gzip.compress((HEAD + ROW * 50).encode(), mtime=0)[:-9], "train/a.csv.gz", "truncated"),
        (b"\x1f\x8b\x08" + b"x" * 60, "train/a.csv.gz", "damaged"),
        (b"PAR1\x15\x04" + b"x" * 100, "train.parquet", "truncated"),
        (b"PAR1" + b"x" * 8 + (900).to_bytes(4, "little") + b"PAR1", "train.parquet", "truncated"),
        (b"PAR1", "train.parquet", "truncated"),
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
@pytest.mark.slow
def test_inspect_estimates_rows_of_a_large_file(packed: bool) -> None:
    header, _, rows = TRAIN.partition(b"\n")
    data = header + b"\n" + rows * 60
    found = look(gzip.compress(data), "a.csv.gz") if packed else look(data)
    assert isinstance(found, Fine)
    assert found.rows == pytest.approx(1047 * 60, rel=0.05)


@pytest.mark.slow
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
    ("data", "kind", "text"),
    [
        (b"1," * 15_000_000, "too_wide", "header and first row do not end in its first 1,048,576 bytes"),
        (gzip.compress(b"1," * 15_000_000), "too_wide", "do not end in its first 1,048,576 bytes"),
        ("\n" + "," * 100_000 + "\n", "no_header", "the first line is empty"),
        ("," * 100_000 + "\n", "too_wide", "it has 100,001 columns, at most 20,000 columns are read"),
        (
            ",".join(f"c{n}" for n in range(30_000)) + "\n",
            "too_wide",
            "it has 30,000 columns, at most 20,000",
        ),
        ("a," * 100_000 + "b\n1,2\n", "too_wide", "it has 100,001 columns"),
        ("a," * 10_000 + HEAD + ROW, "duplicate_column", "columns 1 and 2 of the header have the same name"),
        (f"{LONG},{LONG},{HEAD}{ROW}", "duplicate_column", "columns 1 and 2 of the header have the same"),
        (f"{LONG}\n1\n", "no_header", "the first line names none of the columns survived, age, sibsp"),
        ("n" * 131_073 + "\n1\n", "format", "or a value of more than 131,072 characters"),
        (HEAD + ROW + ROW.replace("29", "1" * 100_000 + "x"), "not_a_number", "row 2: age is not a number"),
        (HEAD + ROW + ROW.replace("29", "1" * 100_000), "not_a_number", "row 2: age is not a number"),
        (HEAD.encode() + b"\xed\xa0\x80,1\n", "encoding", "line 2 has the byte 0xed at byte 50 of the file"),
        (HEAD + ROW.replace("29", "\0"), "binary", "byte 61 is zero"),
        (gzip.compress(b"", 9)[:-1] * 12_000, "damaged", "the gzip file is damaged behind byte 0"),
        (HEAD + 'x,"\\"' * 60_000, "format", "row 1 has a quote in the wrong place"),
        (HEAD + ROW * 2 + '"\\",' * 60_000 + "\n", "format", "row 3 has "),
    ],
    ids=[
        "no line break",
        "no line break, packed",
        "empty line, then 100,000 columns",
        "100,000 columns without names",
        "30,000 columns",
        "100,000 equal columns",
        "duplicate names",
        "long duplicate names",
        "long name",
        "value over the limit of csv",
        "digits, then a letter",
        "infinitely many digits",
        "lone surrogate",
        "zero byte",
        "12,000 broken gzip members",
        "quotes after backslashes, without an end",
        "quotes after backslashes",
    ],
)
def test_inspect_hostile_file_is_a_problem_with_a_short_text(data: bytes | str, kind: str, text: str) -> None:
    """Each of these took minutes, or a text of 120 KB, in an inspection whose time is not linear."""
    found = look(data)
    assert isinstance(found, Problem)
    assert found.kind == kind
    assert text in found.text
    assert len(found.text.encode()) <= 300
    assert len((found.column or "").encode()) <= 80


def test_inspect_text_in_other_alphabets_is_cut_by_bytes() -> None:
    config = config_of("regression", (), {"numeric": ["欄" * 40, "b"]})
    found = look("b,c\n1,2\n", config=config)
    assert isinstance(found, Problem)
    assert found.text == f"no column y, {'欄' * 12}… in the header, which has 2 columns"


def test_inspect_looks_up_a_class_among_a_hundred() -> None:
    config = config_of("multiclass_classification", tuple(f"{number}.5" for number in range(100)))
    body = ("x,y\n" + "1,99.50\n" * 20_000).encode()
    assert inspect(body, len(body), "train.csv", config) == Fine(20_000)


@pytest.mark.parametrize("end", [b"", b"\n1,1,f"])
def test_inspect_head_that_ends_before_the_first_row_is_short(end: bytes) -> None:
    """Thousands of files are read by 8 KB each. A header may be longer than that."""
    head = HEAD.strip().encode() + end
    assert inspect(head, 1_000_000, "train.csv", CONFIG) == Short()


def test_inspect_error_in_the_inspection_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ValueError("could not convert 'Mr. Kelly'")

    monkeypatch.setattr(files, "decode", fail)
    text = "the file cannot be inspected: ValueError"
    assert look(HEAD) == Problem("uninspectable", text, found="could not convert 'Mr. Kelly'")


@pytest.mark.parametrize(
    ("files", "expected"), [(1, 262_144), (256, 262_144), (640, 104_857), (1_024, 65_536), (10_000, 65_536)]
)
def test_inspect_unpacks_no_more_of_many_files_than_it_reads_of_plain_ones(files: int, expected: int) -> None:
    """640 files that each unpack to a megabyte are 64 MB to inspect, not 640."""
    body = gzip.compress(HEAD.encode() + ROW.encode() * 400_000)[:8_192]
    found = formats.unpack(body, head_bytes(files), whole=False)
    assert not isinstance(found, Problem)
    assert len(found.data) == expected


def test_inspect_ignores_problems_beyond_the_head() -> None:
    assert isinstance(look(HEAD + ROW * 20_000 + "nonsense\n"), Fine)


def test_missing_words_are_those_of_pyarrow_and_four_more() -> None:
    assert {*pyarrow.csv.ConvertOptions().null_values, "None", "<NA>", "NaT", "\\N"} == MISSING


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.csv.gz", "a.parquet"]), st.integers(0, 400))
def test_inspect_never_raises(data: bytes, name: str, beyond: int) -> None:
    """Any bytes, as a whole file or as the head of a longer one."""
    found = inspect(data, len(data) + beyond, name, CONFIG, tail=data[-8:])
    assert not isinstance(found, Problem) or found.kind != "uninspectable"


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
    assert not isinstance(found, Problem) or found.kind != "uninspectable"


@given(st.integers(1, len(TRAIN)))
def test_inspect_head_cut_anywhere_is_fine(length: int) -> None:
    found = inspect(TRAIN[:length], len(TRAIN), "train.csv", CONFIG)
    second_row = [place for place, byte in enumerate(TRAIN[:400]) if byte == ord("\n")][1] + 2
    assert isinstance(found, Fine if length >= second_row else Short)
