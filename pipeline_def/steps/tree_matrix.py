"""The columns of trees as one matrix of numbers, without an object for each cell.

scikit-learn's ColumnTransformer makes the same matrix. It looks at each cell of a column of texts as an
object of Python, and holds all columns several times. Its encoder needs no more than the distinct values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OrdinalEncoder

from job import Array

TEXTS: Final = "categorical"
"""The name of the transformer that encodes texts, an OrdinalEncoder. The others pass numbers through."""


class Texts(NamedTuple):
    """A column of texts: its distinct ones, how many rows have each, and of each row the place of its own.

    A missing value has place -1.
    """

    distinct: Array
    counts: Array
    places: Array

    def sample(self, frequent: int) -> list[object]:
        """Some of the values, from which an encoder learns what it would learn from all.

        Of too many categories, an encoder keeps the `frequent` ones that most rows have. A category with
        fewer rows than the last of these stands here once, one with as many twice, and one with more three
        times: which of equally frequent ones are kept, remains for the encoder to say. The last value is one
        that is kept in any case, so it may be repeated.
        """
        times = np.ones(len(self.distinct), dtype=int)
        if 0 < frequent < len(self.distinct):
            last = np.partition(self.counts, -frequent)[-frequent]
            times += (self.counts >= last).astype(int) + (self.counts > last)
        missing = [np.nan] if (self.places < 0).any() else []
        kept = [max(self.distinct[times == times.max()])] if len(times) else []
        return [*missing, *np.repeat(self.distinct, times), *kept]


def texts_of(column: pd.Series) -> Texts:
    """The texts of a column of pandas' categories, or of objects with NaN where a value is missing."""
    places, found = pd.factorize(column)
    distinct = np.asarray(found, dtype=object)
    return Texts(distinct, np.bincount(places[places >= 0], minlength=len(distinct)), places)


def is_of_trees(columns: object) -> bool:
    """Whether these are columns that `matrix_of` makes numbers of: passed through, or encoded texts."""
    return isinstance(columns, ColumnTransformer) and all(
        found == "passthrough" or (kind == TEXTS and isinstance(found, OrdinalEncoder))
        for kind, found, _ in columns.transformers
    )


def fitted_matrix(columns: ColumnTransformer, rows: pd.DataFrame) -> Array:
    """Fit `columns` to the rows, one at least, and give what it makes of them, as `matrix_of`."""
    texts, samples = all_texts(columns, rows), {}
    for kind, encoder, names in columns.transformers:
        if kind == TEXTS:
            samples = {name: texts[name].sample(encoder.max_categories - 1) for name in names}
    columns.fit(_table({**dict.fromkeys(map(str, rows), (0.0,)), **samples}))
    return _matrix(columns, rows, texts)


def matrix_of(columns: ColumnTransformer, rows: pd.DataFrame) -> Array:
    """What the fitted `columns` makes of the rows: n x its columns of output, float64."""
    return _matrix(columns, rows, all_texts(columns, rows))


def all_texts(columns: ColumnTransformer, rows: pd.DataFrame) -> dict[str, Texts]:
    """The texts of each column that is encoded."""
    return {
        name: texts_of(rows[name])
        for kind, _, names in columns.transformers
        if kind == TEXTS
        for name in names
    }


def _matrix(columns: ColumnTransformer, rows: pd.DataFrame, texts: Mapping[str, Texts]) -> Array:
    used = {kind: names for kind, _, names in columns.transformers}
    matrix = np.empty((len(rows), sum(map(len, used.values()))))
    for kind, names in used.items():
        numbers = _encoded(columns, texts) if kind == TEXTS else {}
        for place, name in enumerate(names, columns.output_indices_[kind].start):
            matrix[:, place] = numbers[name][texts[name].places] if kind == TEXTS else rows[name]
    return matrix


def _encoded(columns: ColumnTransformer, texts: Mapping[str, Texts]) -> dict[str, Array]:
    """By column, the number of each distinct text; the last one is that of a missing value."""
    distinct = _table({name: [*found.distinct, np.nan] for name, found in texts.items()})
    return dict(zip(texts, columns.named_transformers_[TEXTS].transform(distinct).T, strict=True))


def _table(values: Mapping[str, Sequence[object]]) -> pd.DataFrame:
    """A table with these columns. A shorter one repeats its last value."""
    length = max(map(len, values.values()))
    repeated = {name: [*given, *[given[-1]] * (length - len(given))] for name, given in values.items()}
    return pd.DataFrame(repeated, dtype=object)  # also where all values of a column are missing
