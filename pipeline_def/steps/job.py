"""What the step scripts share: the model's config, the rows, and the error that says what is wrong with them.

Runs in SageMaker's scikit-learn image. publish.py puts it beside the processing scripts and into the archive
of the training script. Of the other scripts it imports only cells.py.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from botocore.config import Config as ClientConfig

from cells import Spelling

HERE: Final = Path(__file__).parent
"""The folder of the step scripts."""

Json = dict[str, Any]
"""An object of a JSON file."""

Array = np.ndarray[Any, Any]
"""A numpy array; the docstring that uses it says its shape and what it holds."""

Task = Literal["binary_classification", "multiclass_classification", "regression"]
"""What a model predicts."""

DECISIVE: Final[Mapping[Task, str]] = {
    "binary_classification": "roc_auc",
    "multiclass_classification": "roc_auc_ovr",
    "regression": "rmse",
}
"""The metric that a search compares by, unless the config names another one."""

SPLITS: Final = ("train", "validation")
"""The two sets of rows: a model is trained on the first and measured on the second."""

COLUMN_ORDER: Final = "_columns.json"
"""The file beside the training rows that has the columns of the landed files in their order. Readers of a
folder of Parquet files pass over names that begin with an underscore."""

ROW: Final = "handsoff:row"
"""The column with a hash of all columns of each row. No column of the data may have this name, or the next.

All these hashes are 64-bit integers without a sign (identity.py).
"""

IDENTITY: Final = "handsoff:identity"
"""The column with a hash of each row's `data.identity`, if that is set. A row without one has that of ROW."""

GROUP: Final = "handsoff:group"
"""The column with a hash of each row's `data.group`, if that is set. A row without a group has a hash of its
own: that of the same row."""

LOOKALIKE: Final = "handsoff:lookalike"
"""The column with a hash of each row's features and target."""

DATE: Final = "handsoff:date"
"""The column that holds each row's `data.date`, a timestamp of microseconds, where the config names one."""

WEIGHT: Final = "handsoff:weight"
"""The column that holds each row's `data.weight`, a float64, where the config names one."""

TEXT_ROW: Final = "handsoff:text-row"
"""The column of validation rows that holds their identity by text, by which earlier champions know rows."""

MAX_CATEGORIES: Final = 254
"""Categories of one column that a model tells apart. HistGradientBoosting bins at most 255 values."""

MESSAGE_LIMIT: Final = 1000
"""Characters of a failure message. SageMaker shows the first 1,024 bytes of one."""

MAX_NAMED: Final = 10
"""Classes or columns that a message names; it counts the others."""

NAME_LIMIT: Final = 40
"""Characters of the name of a class or a column that a message shows."""

AWS: Final = ClientConfig(
    connect_timeout=10, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 5}
)
"""Settings of every AWS client: timeouts in seconds, and at most five attempts of a call."""


class DataProblem(Exception):
    """The data is not what the config says.

    The message is one line for the person who landed the data. It goes into mail and status, so it names
    file, row and column, and holds no value of a row. `found` is what is there; it is shown, in the log as
    well, only if the config says so (`approvers.show_values`).
    """

    def __init__(self, reason: str, found: object = None) -> None:
        super().__init__(reason)
        self.found = found

    def told(self, *, show: bool) -> str:
        """The message on one line; with `show`, also what was found."""
        return self.log_line() if show else one_line(self)

    def log_line(self) -> str:
        """The message and what was found, on one line."""
        return one_line(f"{self} (found: {self.found!r})" if self.found is not None else self)


@dataclass(frozen=True)
class Features:
    """A model's input columns, by the kind of value that they hold."""

    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    boolean: tuple[str, ...] = ()
    date: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns: the numeric ones, then the categorical, then the boolean, then the dates."""
        return (*self.numeric, *self.categorical, *self.boolean, *self.date)

    @property
    def by_kind(self) -> dict[str, tuple[str, ...]]:
        """The columns of each kind, in the order of `names`."""
        return {
            "numeric": self.numeric,
            "categorical": self.categorical,
            "boolean": self.boolean,
            "date": self.date,
        }


@dataclass(frozen=True)
class Cdc:
    """Files hold changes of rows: the column that says I, U or D, and the columns that identify a row."""

    operation: str
    key: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """How rows that land together are divided: by what, by the values of which columns.

    `validation` is the share of validation rows, from 0 to 1. `start` is the date or the time from which on
    rows are validation rows, if the config names it.
    """

    by: Literal["random", "time", "group"]
    columns: tuple[str, ...] = ()
    validation: float | None = None
    start: str | None = None


@dataclass(frozen=True)
class Dialect:
    """How the files are written. The reference of handsoff.yaml says what each field means (`data`)."""

    encoding: str = "utf-8"
    delimiter: str = ","
    quotes: Literal["doubled", "backslash"] | None = None
    decimal: str = "."
    thousands: str | None = None
    header: tuple[str, ...] = ()
    cdc: Cdc | None = None
    ignore_case: bool = False
    not_missing: tuple[str, ...] = ()
    new_categories: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    date: str | None = None
    weight: str | None = None
    columns: Literal["landed", "declared"] = "landed"
    channel_format: Literal["parquet", "csv"] = "parquet"
    split: Split | None = None

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

    @property
    def spelling(self) -> Spelling:
        """What the meaning of a text depends on."""
        return Spelling(self.decimal, self.thousands, self.ignore_case, self.not_missing)


@dataclass(frozen=True)
class Search:
    """A search for hyperparameters: the values of each, a list or a range, and how far it goes.

    `metric` is one of the task, `max_seconds` the time after which no further settings are tried.
    """

    parameters: Mapping[str, Any]
    metric: str
    candidates: int
    folds: int
    max_seconds: float


@dataclass(frozen=True)
class StepConfig:
    """The part of a model's config that the steps read. publish.py writes it to model.json.

    `classes` are the values of the target; of two, the second is the positive one. Regression has none.
    `estimator` is empty for a model that its own code trains. `hyperparameters` are the estimator's, by
    scikit-learn's names; `class_weight` has classes by name. `marker` is the name of the marker that
    completes a delivery; None if the model uses none. `slices` are groups of validation rows, each given by
    the values of some columns. `show_values` says whether what leaves the job may quote values of rows.
    """

    name: str
    task: Task
    target: str
    classes: tuple[str, ...]
    features: Features
    estimator: str
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    class_weight: Literal["balanced"] | Mapping[str, float] | None = None
    search: Search | None = None
    slices: tuple[Mapping[str, str], ...] = ()
    data: Dialect = Dialect()
    marker: str | None = None
    show_values: bool = False

    @property
    def own_code(self) -> bool:
        """Whether own code trains the model, and not an estimator of this project."""
        return not self.estimator

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a file must have, each once: target, features, and those that `data` names."""
        key = self.data.cdc.key if self.data.cdc else ()
        about_rows = (name for names in self.data.about_rows.values() for name in names)
        return tuple(dict.fromkeys((self.target, *self.features.names, *key, *about_rows)))

    @property
    def row_column(self) -> str:
        """The reserved column by which two rows are the same row."""
        return IDENTITY if self.data.identity else ROW

    @property
    def cluster_column(self) -> str:
        """The reserved column by which two rows depend on each other: they are of one group, or the same."""
        return GROUP if self.data.group else self.row_column


def parse_config(values: Mapping[str, Any]) -> StepConfig:
    """The config in a model.json. Raises KeyError for a missing key.

    Older artifacts hold a model.json without `classes` (they were 0 and 1), `slices` or boolean features.
    """
    training = values.get("training", {})
    return StepConfig(
        name=values["name"],
        task=values["task"],
        target=values["target"],
        classes=tuple(values.get("classes", ("0", "1"))),
        features=Features(**{kind: tuple(names) for kind, names in values["features"].items()}),
        estimator=training.get("estimator") or "",
        hyperparameters=training.get("hyperparameters", {}),
        class_weight=training.get("class_weight"),
        search=parse_search(training["search"], values["task"]) if training.get("search") else None,
        slices=tuple(values.get("slices", ())),
        data=parse_dialect(values.get("data", {})),
        marker=values.get("marker"),
        show_values=values.get("show_values", False),
    )


def parse_search(values: Mapping[str, Any], task: Task) -> Search:
    """The `training.search` of a model.json."""
    return Search(
        parameters=values["parameters"],
        metric=values.get("metric") or DECISIVE[task],
        candidates=values["candidates"],
        folds=values["folds"],
        max_seconds=float(values["max_time"].removesuffix("s")),
    )


def parse_dialect(values: Mapping[str, Any]) -> Dialect:
    """The `data` of a model.json."""
    cdc = values.get("cdc")
    lists = ("header", "not_missing", "new_categories", "identity", "group")
    given = {**values, **{name: tuple(values.get(name, ())) for name in lists}}
    split = values.get("split")
    given |= {"cdc": Cdc(cdc["operation"], tuple(cdc["key"])) if cdc else None}
    return Dialect(**given | {"split": parse_split(split) if split else None})


def parse_split(values: Mapping[str, Any]) -> Split:
    """The `data.split` of a model.json."""
    by, share, start = values["by"], values.get("validation"), values.get("from")
    if by == "random":
        return Split("random", (), share, start)
    if "group" in by:
        return Split("group", tuple(by["group"]), share, start)
    return Split("time", (by["time"],), share, start)


def read_config(path: Path) -> StepConfig:
    """The config in the model.json at `path`. Raises OSError, ValueError or KeyError."""
    return parse_config(read_json(path))


def read_json(path: Path) -> Any:
    """The content of a JSON file in UTF-8. Raises OSError or ValueError."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(value: object, path: Path) -> None:
    """Write strict JSON in UTF-8. Raises ValueError for a number that is not finite."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def one_line(error: object) -> str:
    """The text of an error on one line, at most MESSAGE_LIMIT characters."""
    return " ".join(str(error).split())[:MESSAGE_LIMIT]


def listed(names: Sequence[str]) -> str:
    """The first names, separated by commas, and how many more there are."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(name[:NAME_LIMIT] for name in names[:MAX_NAMED]) + more


@contextmanager
def scratch(output: Path) -> Iterator[Path]:
    """A folder for large files inside an output's folder, deleted before the output is uploaded.

    Only LocalPaths are certain to be on the job's volume (ProcessingS3Output); the root disk may be small.
    """
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output) as folder:
        yield Path(folder)
