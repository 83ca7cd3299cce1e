"""The rows that DataPreProcessing kept, as the steps after it read them from Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from job import StepConfig


def read_coded(folder: Path, config: StepConfig, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The rows in `folder`: all columns, or these. A missing value is NaN, or no category.

    Categorical features are pandas' categoricals: each text is held once, and a small number for each row.
    """
    texts = list(config.features.categorical)
    table = pq.read_table(folder, columns=None if columns is None else list(columns), read_dictionary=texts)
    frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    del table
    pa.default_memory_pool().release_unused()  # pages that only reading needed
    for name in texts:
        frame[name] = frame[name].astype("category")
    return frame


def read_rows(folder: Path, config: StepConfig, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """The same with categorical features as objects: a text, or NaN where the value is missing."""
    frame = read_coded(folder, config, columns)
    for name in config.features.categorical:
        codes = frame[name].cat.codes.to_numpy()
        texts = [*frame[name].cat.categories, np.nan]  # code -1 is a missing value, and the last one here
        frame[name] = np.array(texts, dtype=object)[codes]
    return frame
