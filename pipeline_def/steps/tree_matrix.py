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


def fitted_matrix(columns: ColumnTransformer, rows: pd.DataFrame) -> Array:
    """Fit `columns` to the rows, and give what it makes of them: n x its columns of output, float64.

    Its transformers pass numbers through, but for TEXTS. The rows have at least one row.
    """
    used = {kind: names for kind, _, names in columns.transformers}
    texts = {name: texts_of(rows[name]) for name in used.get(TEXTS, ())}
    encoders = [encoder for kind, encoder, _ in columns.transformers if kind == TEXTS]
    samples = {
        name: found.sample(encoder.max_categories - 1)
        for encoder in encoders
        for name, found in texts.items()
    }
    columns.fit(_table(samples, rows))
    matrix = np.empty((len(rows), sum(map(len, used.values()))))
    for kind, names in used.items():
        codes = _encoded(columns, texts, rows) if kind == TEXTS else {}
        for place, name in enumerate(names, columns.output_indices_[kind].start):
            matrix[:, place] = codes[name][texts[name].places] if name in codes else rows[name]
    return matrix


def _encoded(columns: ColumnTransformer, texts: Mapping[str, Texts], rows: pd.DataFrame) -> dict[str, Array]:
    """By column, the number of each distinct text; the last one is that of a missing value."""
    distinct = _table({name: [*found.distinct, np.nan] for name, found in texts.items()}, rows)
    numbers = columns.named_transformers_[TEXTS].transform(distinct[list(texts)])
    return dict(zip(texts, numbers.T, strict=True))


def _table(values: Mapping[str, Sequence[object]], rows: pd.DataFrame) -> pd.DataFrame:
    """A table with these values in the columns of `rows`. A shorter column repeats its last value."""
    length = max(map(len, values.values()), default=1)
    found = {name: [*given, *[given[-1]] * (length - len(given))] for name, given in values.items()}
    return pd.DataFrame({str(name): found.get(str(name), np.zeros(length)) for name in rows})
