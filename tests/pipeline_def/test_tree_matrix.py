"""The matrix of trees is that of scikit-learn's ColumnTransformer, and fits it alike."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import OrdinalEncoder

from tree_matrix import fitted_matrix, texts_of


def columns(texts: list[str], most: int = 254) -> ColumnTransformer:
    """Numbers as they are, and texts that are encoded, of which at most so many are told apart."""
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        max_categories=most,
    )
    return ColumnTransformer([("numeric", "passthrough", ["x"]), ("categorical", encoder, texts)])


def check(rows: pd.DataFrame, most: int) -> None:
    """Both ways make the same matrix, and leave the same fitted transformer."""
    texts = [str(name) for name in rows if name != "x"]
    theirs, ours = columns(texts, most), columns(texts, most)
    expected = theirs.fit_transform(rows)
    for given_rows in (rows, rows.astype(dict.fromkeys(texts, "category"))):
        assert np.array_equal(fitted_matrix(ours, given_rows), expected, equal_nan=True)
        assert joblib.hash(ours) == joblib.hash(theirs)


cells = st.lists(st.sampled_from([*"abcdefgh", np.nan]), min_size=40, max_size=40)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(cells, cells, st.integers(1, 9))
def test_the_matrix_of_any_texts_is_that_of_scikit_learn(
    first: list[object], second: list[object], most: int
) -> None:
    rows = pd.DataFrame({"x": np.arange(40.0), "c": pd.Series(first, dtype=object), "d": second})
    rows["d"] = rows["d"].astype(object)
    if rows.notna().any().all():  # a column without a value is left out before
        check(rows, most)


def test_of_equally_frequent_texts_the_same_ones_are_kept() -> None:
    rows = pd.DataFrame({"x": np.arange(8.0), "c": list("hgfedcba"), "d": list("aabbccdd")})
    check(rows, 4)


def test_rows_without_texts_are_their_numbers() -> None:
    rows = pd.DataFrame({"x": [1.5, np.nan, 3.0]})
    found = fitted_matrix(ColumnTransformer([("numeric", "passthrough", ["x"])]), rows)
    assert np.array_equal(found, [[1.5], [np.nan], [3.0]], equal_nan=True)


@pytest.mark.parametrize("kind", ["category", "object"])
def test_a_column_of_many_rows_is_known_by_few_values(kind: str) -> None:
    column = pd.Series([f"v{row % 300}" for row in range(30_000)], dtype=kind)
    assert len(texts_of(column).sample(253)) <= 3 * 300 + 1
