"""What pictures are drawn from, made of a few rows: models that answer what a test says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import drift
import evaluate
from champion import Champion
from comparison import Shared, comparison
from data_profile import profile
from found_slices import worse_slices
from job import Array, StepConfig, parse_config
from picture import Shown
from predicted import Predicted
from row_ids import Held


def profiled(rows: pd.DataFrame, config: StepConfig, folder: Path) -> dict[str, Any]:
    """data_profile.json of these rows."""
    pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), folder / "rows.parquet")
    return profile(folder / "rows.parquet", config)


def report(rows: pd.DataFrame, config: StepConfig) -> dict[str, Any]:
    """What pictures read of data_report.json."""
    names = config.features.names
    split: dict[str, Any] = {"missing_share": {name: float(rows[name].isna().mean()) for name in names}}
    target = rows[config.target]
    if config.classes:
        share = {name: float((target == at).mean()) for at, name in enumerate(config.classes)}
        split |= {"class_share": share}
    else:
        split |= {"target": {"mean": float(target.mean())}}
    return {"splits": {"train": split, "validation": split}}


def shown(
    values: dict[str, Any],
    rows: pd.DataFrame,
    prediction: Array,
    folder: Path,
    champion: Array | None = None,
    before: pd.DataFrame | None = None,
) -> Shown:
    """The evaluation of a model that answers `prediction` for `rows`, which are its training rows as well.

    `champion` is the champion's prediction of all of them, `before` are the champion's training rows.
    """
    config = parse_config(values)
    rows = rows.assign(**{"handsoff:row": np.arange(len(rows), dtype=np.uint64)})
    now, about = profiled(rows, config, folder), report(rows, config)
    _, alone = evaluate.candidate_part(config, rows, prediction, about)
    ours: dict[str, Any] = {**alone, "comparison": None, "champion_problem": None, "drift": None}
    shared = None
    if champion is not None:
        earlier = profiled(rows if before is None else before, config, folder)
        target = rows[config.target].to_numpy()
        shared = Shared(
            np.ones(len(rows), dtype=bool),
            champion,
            Champion(Predicted(config, champion, {}), Held(), about, earlier),
        )
        ours |= {
            "comparison": {
                **comparison(config.task, target, prediction, champion),
                **worse_slices(config, rows, prediction, champion),
                **{"excluded": 0, "excluded_groups": 0, "slices": []},
            },
            "drift": {"reference": "champion", **drift.shift(earlier, now)},
        }
    return Shown(config, ours, Predicted(config, prediction, {}), rows, prediction, shared, about, now)
