"""ModelEvaluation's predictions: in batches, against one call with the whole matrix.

    python -m bench.predictions

A million rows of ten numbers and four columns of texts, and a boosted forest. The limit is one call of the
estimator with a matrix of numbers that is there; others call the pipeline once with all rows. CPU seconds are
of predicting alone, in one thread. Memory is what the process needs above one that only reads the rows.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from bench.row import Row, alternating, at_least, at_most, print_rows
from bench.train import ROWS, STEPS, write_channel

TIMES: Final = 3
"""Runs of each program."""

READ: Final = """
import sys, time
from pathlib import Path
sys.path.insert(0, {steps!r})
import artifact, train
from job import read_config
from kept_rows import read_rows
folder = Path({folder!r})
config = read_config(folder / "model.json")
"""
"""What every program begins with."""

FIT: Final = """
rows, target = train.read_training_rows(folder / "channel", config)
train.save(train.fit(config, rows[:200_000], target[:200_000]), folder / "model", folder)
"""
"""Leaves a model."""

PROGRAMS: Final = {
    "read": "",
    "ours": "model.predict(rows)",
    "peer": "model.pipeline.predict_proba(rows[list(config.features.names)])",
    "limit": "model.pipeline['estimator'].predict_proba(matrix)",
}
"""What is measured of each program."""

PREDICT: Final = """
rows = read_rows(folder / "channel", config)
model = artifact.Model(artifact.joblib.load(folder / "model" / "model.joblib"), config)
{before}
began = time.process_time()
{program}
print(time.process_time() - began)
"""

MATRIX: Final = "matrix = model.pipeline['columns'].transform(rows)"
"""Made before the clock runs."""


def rows() -> list[Row]:
    """The speed of predictions and the memory that they need."""
    with tempfile.TemporaryDirectory() as name:
        write_channel(Path(name), ROWS)
        begin = READ.format(steps=str(STEPS), folder=name)
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        env = {**os.environ, **one}
        alternating({"fit": begin + FIT}, 1, env=env)
        programs = {
            kind: begin + PREDICT.format(program=program, before=MATRIX if kind == "limit" else "")
            for kind, program in PROGRAMS.items()
        }
        cpu: dict[str, list[float]] = {kind: [] for kind in programs}
        peak: dict[str, list[float]] = {kind: [] for kind in programs}
        for _ in range(TIMES):
            for kind, use in alternating(programs, 1, env=env).items():
                cpu[kind].append(float(use.output))
                peak[kind].append(use.peak)
    ours, limit, peer = (median(cpu[kind]) for kind in ("ours", "limit", "peer"))
    more = {kind: median(peak[kind]) - median(peak["read"]) for kind in ("ours", "peer")}
    return [
        Row(
            "Predictions of 1 M rows in batches: speed",
            limit / ours,
            "× one call with the whole matrix",
            at_least(0.9),
            "CPU s",
            ours,
            limit,
            peer,
        ),
        Row(
            "Predictions of 1 M rows in batches: memory above the rows",
            more["ours"],
            "MB",
            at_most(64),
            "MB",
            more["ours"],
            None,
            more["peer"],
        ),
    ]


if __name__ == "__main__":
    print_rows(rows())
