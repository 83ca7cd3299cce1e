"""What the inspection of a file finds, and how its words are made.

No value of a row is in a problem's text, and no cell of a header but the model's own columns: a first line
may be a row. The text goes to people, logs and the ledger. The value is in `found`, which goes to approvers
and to the report beside the file in quarantine if the config says so (`approvers.show_values`), and else
nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from retraining.text import cut, first_of

NAME_LIMIT: Final = 80
"""Bytes of a column's name that a problem shows."""

TEXT_LIMIT: Final = 300
"""Bytes of a problem's text."""

FOUND_LIMIT: Final = 1000
"""Bytes of what was found in a file."""


@dataclass(frozen=True)
class Problem:
    """Why a file cannot be trained on.

    `kind` is for programs, `text` for people. `row` counts from 1 below the header; None if the problem is
    not in one row. `column` is one of the model's columns. `found` is the value, or the line, that was found
    in the file. Texts are cut to the limits above.
    """

    kind: str
    text: str
    row: int | None = None
    column: str | None = None
    found: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", cut(self.text, TEXT_LIMIT))
        if self.column is not None:
            object.__setattr__(self, "column", cut(self.column, NAME_LIMIT))
        if self.found is not None:
            object.__setattr__(self, "found", cut(self.found, FOUND_LIMIT))


class Fine(NamedTuple):
    """The head shows no problem.

    `rows` is the number of the file's rows: counted if the head is the whole file, otherwise estimated, and
    None if the head does not tell it (Parquet). A file without rows is fine: its split may have others.
    """

    rows: int | None


def listed(names: Sequence[str]) -> str:
    """The first of these columns, which come from the configuration, and how many more there are."""
    return first_of([cut(name, 40) for name in names])


def shown(text: str) -> str:
    """A value as a report shows it: in quotes, and what is not printable escaped."""
    return repr(text[:FOUND_LIMIT])
