"""TrainModel: what reading the rows and making a matrix of them cost besides the fit.

    python -m bench.train

A million rows of ten numbers and four columns of texts. The limit is a process that loads a matrix and fits
the same estimator to it; others hold a DataFrame. One thread each: threads that wait use CPU seconds, too.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from bench.row import Row, alternating, at_most, print_rows

STEPS: Final = Path(__file__).parents[1] / "pipeline_def" / "steps"
ROWS: Final = 1_000_000
NUMBERS: Final = [f"n{place}" for place in range(10)]
TEXTS: Final = [f"c{place}" for place in range(4)]

OURS: Final = """
import sys
from pathlib import Path
sys.path.insert(0, {steps!r})
import train
train.main({{"SM_CHANNEL_TRAIN": {channel!r}, "SM_MODEL_DIR": {model!r}}}, Path({folder!r}))
"""
LIMIT: Final = """
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
estimator = HistGradientBoostingClassifier(random_state=0, categorical_features=[10, 11, 12, 13])
estimator.fit(np.load({folder!r} + "/x.npy"), np.load({folder!r} + "/y.npy"))
"""
PEER: Final = """
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
rows = pd.read_parquet({channel!r})
encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=254)
columns = ColumnTransformer([("numbers", "passthrough", {numbers!r}), ("texts", encoder, {texts!r})])
estimator = HistGradientBoostingClassifier(random_state=0, categorical_features=[10, 11, 12, 13])
Pipeline([("columns", columns), ("estimator", estimator)]).fit(rows.drop(columns="y"), rows["y"])
"""
"""The step itself, which also writes the model; the fit of numbers that are there; and of a DataFrame."""


def write_channel(folder: Path, rows: int) -> pd.DataFrame:
    """Write model.json and a channel of training rows to the folder, and give the rows."""
    draw = np.random.default_rng(0)
    table: dict[str, object] = {name: draw.normal(size=rows).round(4) for name in NUMBERS}
    for place, name in enumerate(TEXTS):
        texts = np.array([f"v{number}" for number in range(5 + 20 * place)], dtype=object)
        table[name] = texts[draw.integers(0, len(texts), rows)]
    frame = pd.DataFrame(table)
    frame["n1"] = frame["n1"].mask(draw.random(rows) < 0.05)
    frame["y"] = (frame["n0"] + draw.normal(size=rows) > 0).astype("float64")
    (folder / "channel").mkdir()
    frame.to_parquet(folder / "channel" / "train.parquet", row_group_size=131_072)
    config = {
        "name": "m",
        "task": "binary_classification",
        "target": "y",
        "classes": ["0", "1"],
        "features": {"numeric": NUMBERS, "categorical": TEXTS, "boolean": []},
        "training": {"estimator": "hist_gradient_boosting"},
    }
    (folder / "model.json").write_text(json.dumps(config))
    return frame


def rows() -> list[Row]:
    """CPU and peak memory of the step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        frame = write_channel(folder, ROWS)
        codes = [pd.factorize(frame[text], sort=True)[0] for text in TEXTS]
        np.save(folder / "x.npy", np.column_stack([frame[NUMBERS], *codes]).astype("float64"))
        np.save(folder / "y.npy", frame["y"])
        places = {"steps": str(STEPS), "folder": name, "channel": f"{name}/channel", "model": f"{name}/model"}
        programs = {"ours": OURS, "limit": LIMIT, "peer": PEER}
        given = {kind: text.format(**places, numbers=NUMBERS, texts=TEXTS) for kind, text in programs.items()}
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        used = alternating(given, env={**os.environ, **one})
    ours, limit, peer = (used[kind] for kind in programs)
    what = "TrainModel, 1 M rows of 14 features"
    return [
        Row(
            f"{what}: CPU",
            ours.cpu / limit.cpu,
            "× a bare fit",
            at_most(1.15),
            "CPU s",
            ours.cpu,
            limit.cpu,
            peer.cpu,
        ),
        Row(
            f"{what}: memory",
            ours.peak / peer.peak,
            "× a DataFrame all the way",
            at_most(0.9),
            "MB",
            ours.peak,
            limit.peak,
            peer.peak,
        ),
    ]


if __name__ == "__main__":
    print_rows(rows())
