"""What a model's configuration should say about columns, guessed from what they hold: pure functions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from handsoff.errors import UsageError
from retraining.config.nearest import nearest
from retraining.config.schema import MAX_CLASSES
from retraining.config.tasks import Task

MAX_CATEGORIES: Final = 254
"""Categories that a model tells apart."""

MOSTLY: Final = 0.9
"""The share of missing values from which a column is left out."""

TOO_GOOD: Final = 0.95
"""The share of rows whose target a column tells, from which it is left out."""

FEW: Final = 20
"""Different whole numbers up to which a target is taken for classes."""

_ID: Final = re.compile(r"(?i:(^|[_\s.-])(id|ids|uuid|guid|key|index|rownum|row)$|^Unnamed: ?\d*$)|[a-z]Id$")
"""Names of columns that say which row a row is."""

_GROUP: Final = re.compile(
    r"(?i)customer|client|user|account|patient|household|member|person|subject|device|machine|[_ ]id$"
)
"""Names of columns that say which rows belong together, if values stand in several rows."""

_NAMES: Final = re.compile(r"(?i)class|code|type|category|zip|postal|grade|region|plz")
"""Names of columns whose whole numbers stand for something else."""

POSITIVE: Final = frozenset(
    [
        *(
            "1",
            "true",
            "yes",
            "y",
            "t",
            "positive",
            "pos",
            "left",
            "churned",
            "churn",
            "lost",
            "bad",
            "fraud",
        ),
        *("default", "defaulted", "died", "sick", "malignant", "spam", "failed", "fail", "success"),
        *("accepted", "approved", "survived", "clicked", "bought", "converted"),
    ]
)
"""Words of the class that a model of two classes is about."""

Use = Literal[
    "target", "numeric", "categorical", "boolean", "date feature", "identity", "group", "date", "left out"
]


@dataclass(frozen=True)
class Guess:
    """What a column is used as, and why."""

    column: str
    use: Use
    why: str


@dataclass(frozen=True)
class Guesses:
    """The guesses about a set of files. `classes` are in the order of the configuration."""

    task: Task
    why: str
    classes: Sequence[str]
    columns: Sequence[Guess]
    data: Mapping[str, Any] = field(default_factory=dict)
    rows: int = 0

    def of(self, use: Use) -> list[str]:
        """The columns of one use."""
        return [guess.column for guess in self.columns if guess.use == use]


def guess(found: Mapping[str, Any], target: str) -> Guesses:
    """The guesses from what `look` found. Raises UsageError for a target that no task has."""
    columns: Sequence[Mapping[str, Any]] = found["columns"]
    by_name = {column["name"]: column for column in columns}
    if not by_name:
        raise UsageError("the files are empty: name files with a line of columns and rows")
    if target not in by_name:
        near = nearest(target, list(by_name))
        hint = f": did you mean {near}?" if near else f"; they have {', '.join(by_name)}"
        raise UsageError(f"the files have no column {target}{hint}")
    task, classes, why = _task(by_name[target])
    most = max(number for _, number in by_name[target]["values"]) / (found["rows"] or 1)
    uses = [
        Guess(target, "target", why) if name == target else _leak(column, most, task) or _use(column)
        for name, column in by_name.items()
    ]
    return Guesses(task, why, classes, _one_each(uses), found["data"], found["rows"])


def _task(column: Mapping[str, Any]) -> tuple[Task, Sequence[str], str]:
    """The task of a target, its classes, and why."""
    values, distinct = [value.strip() for value, _ in column["values"]], column["distinct"]
    if not distinct:
        raise UsageError(f"the target {column['name']} has no values")
    if distinct == 1:
        raise UsageError(f"the target {column['name']} has one value only: there is nothing to predict")
    if distinct == 2:
        return "binary_classification", *_two(column["values"])
    if column["numbers"] == 1 and not (column["whole"] and distinct <= FEW):
        return "regression", (), f"{_many(distinct)} different numbers"
    if distinct > MAX_CLASSES:
        raise UsageError(
            f"the target {column['name']} has {_many(distinct)} different values, and "
            f"{100 * column['numbers']:.0f} % of them are numbers: a target is a number in each row, or one "
            f"of at most {MAX_CLASSES} classes"
        )
    ordered = sorted(values, key=lambda value: (float(value) if column["numbers"] == 1 else 0.0, value))
    return "multiclass_classification", ordered, f"{distinct} different values"


def _two(values: Sequence[tuple[str, int]]) -> tuple[Sequence[str], str]:
    """Two classes, the positive one last, and why."""
    (one, often), (other, rarely) = [(value.strip(), number) for value, number in values]
    positive = [value for value in (one, other) if value.lower() in POSITIVE]
    if len(positive) == 1:
        why = f"two values; {positive[0]} is the positive class, by its name"
    else:
        positive = [other]
        equal = " (both are as frequent)" if often == rarely else ""
        why = f"two values; {other} is the positive class, as it is the rarer one{equal}"
    first = one if positive[0] == other else other
    return (first, positive[0]), why


def _leak(column: Mapping[str, Any], most: float, task: Task) -> Guess | None:
    """A column that is left out as it tells the target, `most` being the share of its most frequent value."""
    tells = column["tells"]
    if task == "regression" or tells < TOO_GOOD or (1 - tells) > (1 - most) / 4 or column["distinct"] < 2:
        return None
    why = f"it tells the target in {100 * tells:.0f} % of the rows: it probably comes about after it"
    return Guess(column["name"], "left out", why)


def _use(column: Mapping[str, Any]) -> Guess:
    """What a column that is not the target is used as."""
    name, kind, distinct = column["name"], column["kind"], column["distinct"]
    present = column["rows"] - column["missing"]
    out = _left_out(column, present)
    if out:
        return Guess(name, "left out", out)
    if _is_id(column, present):
        whole = column["missing"] == 0
        return Guess(
            name,
            "identity" if whole else "left out",
            "a different value in each row" + ("" if whole else ", and some are missing"),
        )
    if column["dates"] >= 0.99 and column["numbers"] < 0.5:
        return Guess(name, "date", "dates")
    if kind == "boolean" or (column["booleans"] == 1 and distinct == 2):
        return Guess(name, "boolean", "two values that mean true and false")
    if column["numbers"] == 1 and column["whole"] and distinct <= FEW and _NAMES.search(name):
        return Guess(name, "categorical", f"{distinct} whole numbers that name something, by its name")
    if _is_group(column):
        return Guess(name, "group", f"{_many(distinct)} different values, in several rows each")
    if column["numbers"] == 1:
        return Guess(name, "numeric", "numbers")
    if column["numbers"] >= 0.9:
        wrong = next((value for value, _ in column["values"] if not _numberlike(value)), "")
        return Guess(
            name,
            "left out",
            f"{100 * column['numbers']:.1f} % numbers, the others not (such as {wrong!r}): mend them, or "
            "take it as categorical",
        )
    if distinct <= MAX_CATEGORIES and distinct <= present / 2:
        return Guess(name, "categorical", f"{distinct} different texts")
    text = "free text" if column["words"] >= 3 else "names or codes"
    return Guess(name, "left out", f"{text}: {_many(distinct)} different values in {present:,} rows")


def _left_out(column: Mapping[str, Any], present: int) -> str | None:
    """Why nothing can be learned from the column; None if something may be."""
    if column["kind"] not in ("text", "number", "boolean", "date"):
        return f"its type is {column['kind']}"
    if not present:
        return "it has no values"
    if column["distinct"] == 1:
        return "constant: one value only"
    if present < (1 - MOSTLY) * column["rows"]:
        return f"{100 * column['missing'] / column['rows']:.0f} % of it is missing"
    if not column["name"]:
        return "it has no name"
    return None


def _is_id(column: Mapping[str, Any], present: int) -> bool:
    """Whether the column says which row a row is."""
    if not column["unique"] or present < FEW or column["dates"] >= 0.99:
        return False
    named = bool(_ID.search(column["name"]))
    if column["numbers"] == 1:
        return column["whole"] and (named or column["consecutive"])
    return named or column["words"] < 2


def _is_group(column: Mapping[str, Any]) -> bool:
    """Whether the column says which rows belong together."""
    if column["unique"] or column["distinct"] <= FEW or column["words"] >= 2 or column["dates"] > 0.5:
        return False
    if column["numbers"] == 1:
        return bool(column["whole"] and _ID.search(column["name"]))
    return column["distinct"] > MAX_CATEGORIES and bool(_GROUP.search(column["name"]))


ONCE: Final = ("identity", "group", "date")
"""Uses that one column has."""


def _one_each(uses: Sequence[Guess]) -> Sequence[Guess]:
    """The guesses with one identity, one group and one date, the first of each.

    Further dates are features, and others are left out.
    """
    first: dict[str, str] = {}
    found = []
    for each in uses:
        known = first.setdefault(each.use, each.column) if each.use in ONCE else each.column
        if known == each.column:
            found.append(each)
        elif each.use == "date":
            found.append(Guess(each.column, "date feature", f"{each.why}; data.date names {known}"))
        else:
            why = f"{each.why}; data.{each.use} names {known}"
            found.append(Guess(each.column, "left out", why))
    return found


def _numberlike(value: str) -> bool:
    try:
        float(value.replace(",", "."))
    except ValueError:
        return False
    return True


def _many(distinct: int) -> str:
    return "more than 20,000" if distinct > 20_000 else f"{distinct:,}"
