"""Wrong files, and literally what is said about each: tests/handsoff/bad_configs.yaml."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from handsoff.project import load
from retraining.errors import ConfigError

CASES: list[dict[str, str]] = yaml.safe_load(Path(__file__).with_name("bad_configs.yaml").read_text("utf-8"))

LIBRARY = re.compile(
    r"Input|should|Field|Value error|another value|pydantic|Traceback|datetime|Python|\bNone\b|\bdict\b"
    r"|\bstr\b|(?<!!!)\bint\b|\bfloat\b|\btuple\b|object at|constructor|scalar|block end|codec|Errno"
)
"""Words of pydantic, PyYAML and Python."""


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_load_says_literally_what_is_wrong(case: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "handsoff.yaml"
    file.write_text(case["file"], encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(file)
    said = str(refused.value).replace(str(file), "handsoff.yaml")
    assert said == case["said"]
    assert not LIBRARY.search(said)


MODEL = "models:\n  m:\n    task: regression\n    target: y\n    features: {numeric: [x]}\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            f"# año\n{MODEL}".encode("latin-1"),
            "handsoff.yaml, line 1, is not written in UTF-8: save it as UTF-8",
        ),
        (MODEL.encode("utf-16"), "handsoff.yaml, line 1, is not written in UTF-8: save it as UTF-8"),
        (
            f"{MODEL}\a".encode(),
            "handsoff.yaml, line 6 is not valid YAML: a character that no text has (U+0007)",
        ),
        pytest.param(
            b"a: " + b"[" * 5000,
            "handsoff.yaml is not valid YAML: it is nested too deeply",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["latin-1", "utf-16", "control character", "nested"],
)
def test_load_refuses_what_is_no_text(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "handsoff.yaml").write_bytes(data)
    with pytest.raises(ConfigError) as refused:
        load(tmp_path / "handsoff.yaml")
    assert str(refused.value) == f"{tmp_path}/{said}"


def test_load_refuses_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{tmp_path} cannot be read: Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("target: no", ("target", "no")),
        ("target: 2026-01-01", ("target", "2026-01-01")),
        ("target: 010", ("target", "010")),
        ("classes: [no, yes]", ("classes", ("false", "true"))),
        ("classes: ['no', 'yes']", ("classes", ("no", "yes"))),
        ("classes: ['00', '01']", ("classes", ("00", "01"))),
        ("classes: [0, 1]", ("classes", ("0", "1"))),
    ],
)
def test_load_reads_words_as_they_are_written(written: str, read: tuple[str, Any], tmp_path: Path) -> None:
    text = MODEL.replace("regression", "binary_classification")
    key = written.partition(":")[0]
    text = text.replace("target: y", written) if key == "target" else f"{text}    {written}\n"
    (tmp_path / "handsoff.yaml").write_text(text)
    found = load(tmp_path / "handsoff.yaml").config.models["m"]
    assert getattr(found, read[0]) == read[1]


def test_load_takes_merge_keys_and_words_for_booleans_and_exponents(tmp_path: Path) -> None:
    text = (
        "\ufeffmodels:\n  m: &usual\n    task: regression\n    target: y\n    features: {numeric: [x]}\n"
        "    retrain: {paused: off, min_new_rows: 1e3}\n  n: {<<: *usual, target: z}\n"
    )
    (tmp_path / "handsoff.yaml").write_text(text, encoding="utf-8")
    models = load(tmp_path / "handsoff.yaml").config.models
    assert (models["n"].target, models["n"].retrain.min_new_rows, models["n"].retrain.paused) == (
        "z",
        1000,
        False,
    )


@pytest.mark.parametrize("written", ["'3'", "yes", "010", "'yes'"])
def test_file_that_is_not_to_be_published_is_read_as_before(written: str, tmp_path: Path) -> None:
    text = f"{MODEL}    retrain: {{min_new_rows: 3, paused: {'yes' if 'y' in written else 'no'}}}\n"
    (tmp_path / "handsoff.yaml").write_text(text.replace("3", written) if "y" not in written else text)
    load(tmp_path / "handsoff.yaml", to_publish=False)
