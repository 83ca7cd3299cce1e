"""Pure: columns in which tools say what was done to a row, and that it was deleted.

Rows of such files are changes: trained on as they are, deleted rows would count, and a row would count for
each of its changes. Both sides of the wall have this file, word for word:
functions/retraining/starts/inspection/operations.py and pipeline_def/steps/operations.py; a test compares
them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

NAMES: Final = frozenset(
    {"op", "op_type", "optype", "cdc_operation", "source_op", "dml_type", "rowkind", "change_type"}
    | {"header__change_oper", "metadata$action", "$operation"}
)
"""Columns of operations, without case, spaces and the underscores around them: AWS DMS and Debezium (op),
GoldenGate (op_type), Delta's change data feed (change_type), Flink (rowkind), Qlik (header__change_oper),
Snowflake's streams (metadata$action), SQL Server ($operation)."""

VOCABULARIES: Final = (
    frozenset({"i", "u", "d", "b"}),
    frozenset({"c", "u", "d", "r"}),
    frozenset({"insert", "update", "delete", "update_preimage", "update_postimage"}),
    frozenset({"+i", "-u", "+u", "-d"}),
)
"""How tools say what was done to a row, in lower case: AWS DMS, GoldenGate and Qlik (b is the row as it was),
Debezium (r is a snapshot's row), Delta and Snowflake, Flink."""

SQL_SERVER: Final = ("$operation", frozenset({"1", "2", "3", "4"}))
"""The column and the words of SQL Server (sys.fn_cdc_get_all_changes), which are numbers."""

MARKS: Final = frozenset(
    {"_fivetran_deleted", "__deleted", "_hoodie_is_deleted", "__hevo__marked_deleted", "_peerdb_is_deleted"}
    | {"_ab_cdc_deleted_at", "_sdc_deleted_at"}
)
"""Columns, in lower case, that mark a deleted row by true or by a time: Fivetran, Debezium, Hudi, Hevo,
PeerDB, Airbyte and Stitch."""

NOT_MARKED: Final = frozenset({"false", "f", "no", "n", "0", "0.0"})
"""Values, in lower case, of a row that is not deleted; a missing value is another."""


def bare(name: str) -> str:
    """A column's name without case, spaces and the underscores around it."""
    return "".join(name.split()).casefold().strip("_")


def is_mark(name: str) -> bool:
    """Whether the column of this name marks deleted rows."""
    return name.strip().casefold() in MARKS


def are_changes(name: str, values: Iterable[str], missing: Collection[str]) -> bool:
    """Whether a column with these values, without spaces around them, says that rows are changes.

    Of a column of operations some may be `missing`; of one that marks deleted rows, one mark is enough.
    """
    said = {value.casefold() for value in values if value not in missing}
    if is_mark(name):
        return not said <= NOT_MARKED
    numbers, vocabulary = SQL_SERVER
    words = (*VOCABULARIES, vocabulary) if bare(name) == numbers else VOCABULARIES
    return bool(said) and any(said <= known for known in words)


def refusal(name: str) -> tuple[str, str]:
    """What is wrong with a file of changes, and what to do, where `data.cdc` names no column."""
    if is_mark(name):
        return (
            f"the column {name.strip()} says that rows were deleted",
            "land the rows that are left, without the column",
        )
    dms = "the column Op says what was done to each row (I, U or D), as AWS DMS writes it"
    return (
        dms if bare(name) == "op" else f"the column {name.strip()} says what was done to each row",
        "set data.cdc in handsoff.yaml, or land the rows without it. Of other words, such as Debezium's c, u "
        "and d, land the rows that are left",
    )
