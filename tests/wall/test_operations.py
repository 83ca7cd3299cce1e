"""A column that says what was done to each row, where `data.cdc` is not set: refused by both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.wall.test_files import HEADER, ROWS, agree


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ("Op,x,c,b,y\n,1,a,t,0\nD,2,a,t,1\n", False),
        ("op,x,c,b,y\nNULL,1,a,t,0\nd,2,a,t,1\n", False),
        ("__op,x,c,b,y\nc,1,a,t,0\nd,2,a,t,1\n", False),
        ("Op,x,c,b,y\nINSERT,1,a,t,0\nDelete,2,a,t,1\n", False),
        ("Op,x,c,b,y\n,1,a,t,0\nNA,2,a,t,1\n", True),
        (",Op,,x,c,b,y\n,1,,1,a,t,0\n", False),
        ("Op,,x,c,b,y\n1,,1,a,t,0\n", True),
    ],
)
def test_files_of_changes_are_refused_whatever_tool_wrote_them(tmp_path: Path, body: str, fits: bool) -> None:
    agree(tmp_path, "curated/m/train/a.csv", body, fits)


@pytest.mark.parametrize(("value", "fits"), [("D", False), ("c", False), ("sum", True), ("", True)])
def test_files_of_changes_are_refused_where_their_folder_says_so(
    tmp_path: Path, value: str, fits: bool
) -> None:
    agree(tmp_path, f"curated/m/train/op={value}/a.csv", HEADER + ROWS, fits)
