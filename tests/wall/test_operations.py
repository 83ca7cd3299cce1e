"""A column that says what was done to each row, where `data.cdc` is not set: refused by both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

import operations
from retraining.starts.inspection import operations as landing_operations
from tests.wall.test_files import HEADER, ROWS, agree


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ("Op,x,c,b,y\n,1,a,t,0\nD,2,a,t,1\n", False),
        ("op,x,c,b,y\nNULL,1,a,t,0\nd,2,a,t,1\n", False),
        ("__op,x,c,b,y\nc,1,a,t,0\nd,2,a,t,1\n", False),
        ("Op,x,c,b,y\nINSERT,1,a,t,0\nDelete,2,a,t,1\n", False),
        ("Op,x,c,b,y\n,1,a,t,0\nNA,2,a,t,1\n", True),
        ("_change_type,x,c,b,y\ninsert,1,a,t,0\nupdate_postimage,2,a,t,1\n", False),
        ("METADATA$ACTION,x,c,b,y\nINSERT,1,a,t,0\nDELETE,2,a,t,1\n", False),
        ("rowkind,x,c,b,y\n+I,1,a,t,0\n-D,2,a,t,1\n", False),
        ("header__change_oper,x,c,b,y\nI,1,a,t,0\nB,2,a,t,1\n", False),
        ("__$operation,x,c,b,y\n2,1,a,t,0\n1,2,a,t,1\n", False),
        ("op,x,c,b,y\n2,1,a,t,0\n1,2,a,t,1\n", True),
        ("change_type,x,c,b,y\nprice,1,a,t,0\nname,2,a,t,1\n", True),
        ("_fivetran_deleted,x,c,b,y\nfalse,1,a,t,0\ntrue,2,a,t,1\n", False),
        ("_fivetran_deleted,x,c,b,y\nfalse,1,a,t,0\n,2,a,t,1\n", True),
        ("_ab_cdc_deleted_at,x,c,b,y\n,1,a,t,0\n2026-01-01T00:00:00Z,2,a,t,1\n", False),
        ("__deleted,op,x,c,b,y\nfalse,c,1,a,t,0\nfalse,u,2,a,t,1\n", False),
        ("op,__deleted,x,c,b,y\nsum,false,1,a,t,0\nsum,true,2,a,t,1\n", False),
        ("deleted,x,c,b,y\ntrue,1,a,t,0\nfalse,2,a,t,1\n", True),
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


def test_what_columns_of_changes_say_is_the_same_file_on_both_sides() -> None:
    ours, theirs = (Path(module.__file__ or "").read_bytes() for module in (operations, landing_operations))
    assert ours == theirs
