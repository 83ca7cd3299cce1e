"""How a model's files are written: encoding, separators, header, changes of rows, spelling of categories."""

import codecs
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from retraining.config.fields import Column, Columns, Flag, Problem, Section, named_twice, unexpected
from retraining.config.split import Split, named_by_split, split_problems

NOT_BY_LINE: Final = frozenset({"utf-7", "idna", "punycode", "unicode_escape", "raw_unicode_escape"})
"""Python's text encodings in which a line break or a comma is not always written as one."""


def _encoding(value: str) -> str:
    """The name that Python gives an encoding of text: `latin1` is `iso8859-1`."""
    expected = "an encoding of text, such as utf-8, utf-16 or cp1252"
    try:
        name = codecs.lookup(value).name
        "a,b\n".encode(name).decode(name)
    except (LookupError, ValueError, TypeError):  # not known, or not an encoding of text
        raise unexpected(expected) from None
    if name in NOT_BY_LINE:
        raise unexpected(expected)
    return name


class Cdc(Section):
    """Files hold changes of rows, as AWS DMS writes them: each row says what was done to it."""

    operation: Column
    """The column that says what was done: I (inserted), U (updated) or D (deleted). DMS calls it Op."""

    key: tuple[Column, ...] = Field(min_length=1)
    """The columns that together identify a row. Of the changes of one row the last one counts; a row whose
    last change is D is left out. Full loads (files named LOAD…, or without the column of operations) come
    first, then changes in the order of the files' keys and of their rows."""


OF_CHANNELS: Final = ("columns", "channel_format")
"""The keys of `data` that say what own code gets."""


class Data(Section):
    """How the files of a model are written. Parquet files say most of this themselves."""

    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8"
    """The encoding of CSV files, by any name that Python knows."""

    delimiter: Literal[",", ";", "\t", "|"] = ","
    """What separates the values in CSV files."""

    quotes: Literal["doubled", "backslash"] | None = None
    """How a quote within a quoted value is written in CSV files: as two quotes, or after a backslash, as
    Spark does by default. If left out, each file shows it; a file that could be read in both ways is
    refused."""

    decimal: Literal[".", ","] = "."
    """What separates the decimals of a number that is written as text."""

    thousands: Literal[",", ".", " ", "'", "_"] | None = None
    """What separates the thousands of a number that is written as text."""

    header: tuple[Column, ...] = ()
    """The names of the columns, for CSV files that have no header. A file may lack those of its path, and
    a full load the column of operations (`data.cdc`)."""

    cdc: Cdc | None = None
    """Set it if files hold changes of rows. Without it, a file with a column of such changes is refused."""

    ignore_case: Flag = False
    """Whether categories that differ only in case are the same."""

    not_missing: tuple[str, ...] = ()
    """Words that are categories in this data although they usually mean a missing value: `[NA]` where it is
    Namibia. Numbers and booleans are not changed by it."""

    new_categories: tuple[str, ...] = ()
    """Categorical features that have new categories in each batch by their nature, such as a month. It is no
    reason to hold a candidate that the champion does not know them."""

    columns: Literal["landed", "declared"] = "landed"
    """Which columns own code is trained on: all that the files have (`landed`), or the features and those
    that `data` names (`declared`), with the target in any case."""

    channel_format: Literal["parquet", "csv"] = "parquet"
    """How own code gets its rows: as Parquet files, or as CSV files in UTF-8 with a line of names, the target
    first. Choose `csv` for scripts that read `*.csv` of their channels."""

    identity: Columns = ()
    """The column, or the columns, that say which row a row is, such as a booking's number. Rows with the same
    values are the same row. A row without a value in one of them is known by all its columns, as each row is
    if the key is left out. The columns need not be features."""

    group: Columns = ()
    """The column, or the columns, that say which rows belong together, such as a customer or a household.
    Validation rows whose group is among the training rows are left out. A row without a value in one of the
    columns is a group of its own. The columns need not be features."""

    date: Column | None = None
    """The column that says when a row came about. It need not be a feature."""

    weight: Column | None = None
    """The column that says how many rows a row counts as in training: a number from 0. Each row needs one,
    and not all may be 0. Built-in estimators are fitted with it, and own code sees it among its columns.
    It is no feature, and the evaluation counts each row once."""

    split: Split | None = None
    """Set it if files hold training and validation rows together: any data file below `curated/<model>/` then
    belongs to one set, which is divided by this. Without it, files say by their names to which split their
    rows belong."""

    @model_validator(mode="before")
    @classmethod
    def _split_names_columns(cls, values: Any) -> Any:
        return named_by_split(values)

    @property
    def whole(self) -> bool:
        """Whether files hold the rows of both splits."""
        return self.split is not None

    @property
    def about_rows(self) -> dict[str, tuple[str, ...]]:
        """The columns that say something about a row, by the key that names them."""
        date = () if self.date is None else (self.date,)
        weight = () if self.weight is None else (self.weight,)
        return {"identity": self.identity, "group": self.group, "date": date, "weight": weight}

    def problems(self) -> Iterator[Problem]:
        """Keys that name the same sign or column for two things."""
        if self.split:
            yield from split_problems(self.split, self.group, self.date)
        if self.thousands == self.decimal:
            yield (
                ("thousands",),
                f"thousands and decimal are both {self.decimal!r}: choose two different ones",
            )
        if twice := named_twice(self.header):
            yield ("header",), f"header names {twice} twice: name each column once"
        for key, names in self.about_rows.items():
            if twice := named_twice(names):
                yield (key,), f"{key} names {twice} twice: name each column once"
            if self.cdc and self.cdc.operation in names:
                yield (
                    (key,),
                    f"{key} names {self.cdc.operation}, which says what was done to a row (cdc.operation): "
                    "name a column of the rows",
                )
