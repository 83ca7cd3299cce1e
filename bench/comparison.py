"""Candidate against champion on the same rows: every metric, interval and difference, and what that needs.

    python -m bench.comparison

The limit is one sort of each model's scores, which ranks are made of; of regression, one of the errors. The
peer is scikit-learn's metrics in a bootstrap of 1,000 resamples: each process runs one, which is scaled.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Final

from bench.progress import doing
from bench.row import Goal, Row, at_most, measured, print_rows

SIZES: Final[dict[int, Goal]] = {100_000: at_most(0.5), 1_000_000: at_most(2.0)}
"""Rows, and the CPU seconds that a comparison of so many may take."""

MEMORY: Final = at_most(150)
"""MB that a comparison of a million rows may hold above the process that holds both predictions."""

TIMES: Final = 3
"""Processes of each size, whose median counts."""

TASKS: Final = {
    "binary": ("binary_classification", 1),
    "binary, clusters of four": ("binary_classification", 4),
    "five classes": ("multiclass_classification", 1),
    "five classes, clusters of four": ("multiclass_classification", 4),
    "regression": ("regression", 1),
    "regression, clusters of four": ("regression", 4),
}
"""By name the task, and the rows of a cluster. Clusters are hashes, as in jobs."""

DATA: Final = """
import ctypes, json, os, resource, sys, time
sys.path.insert(0, {steps!r})
import numpy as np
import comparison
from sklearn import metrics as peer
task, n, group = {task!r}, {n}, {group}
draw = np.random.default_rng(0)
ids = None
if group > 1:
    hashes = np.random.default_rng(1).integers(0, 2**64, n // group, dtype=np.uint64)
    ids = np.repeat(hashes, group)
if task == "regression":
    target = draw.normal(size=n)
    models = [target + draw.normal(0, sd, n) for sd in (0.5, 0.6)]
elif task == "binary_classification":
    target = (draw.random(n) < 0.4).astype(np.int64)
    score = draw.normal(size=n) + target - 0.5
    models = [1 / (1 + np.exp(-score - noise * draw.normal(size=n))) for noise in (0, 0.2)]
else:
    target = draw.integers(0, 5, n)
    models = []
    for noise in (1.0, 1.2):
        odds = np.exp(2.2 * np.eye(5)[target] + noise * draw.normal(size=(n, 5)))
        models.append(odds / odds.sum(axis=1, keepdims=True))

def ours():
    comparison.comparison(task, target, *models, ids)

def limit():
    for model in models:
        scores = np.abs(model - target)[:, None] if task == "regression" else model.reshape(n, -1)
        for column in scores.T:
            np.argsort(column)

def resample():
    rows = draw.integers(0, n, n)
    y = target[rows]
    for model in models:
        p = model[rows]
        if task == "regression":
            for metric in (peer.root_mean_squared_error, peer.mean_absolute_error, peer.r2_score,
                           peer.median_absolute_error):
                metric(y, p)
            continue
        label = p > 0.5 if p.ndim == 1 else p.argmax(axis=1)
        peer.accuracy_score(y, label), peer.balanced_accuracy_score(y, label), peer.log_loss(y, p)
        peer.f1_score(y, label, average="binary" if p.ndim == 1 else "macro")
        if p.ndim == 1:
            peer.average_precision_score(y, p), peer.brier_score_loss(y, p), peer.roc_auc_score(y, p)
        else:
            peer.roc_auc_score(y, p, multi_class="ovr")

def cpu(what):
    began = time.process_time()
    what()
    return time.process_time() - began

# Drawing the rows took more memory than they do, so this process has a high peak. That of a fork starts anew.
getattr(ctypes.CDLL(None), "malloc_trim", lambda _: None)(0)
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
used = cpu(ours)
held = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) / 1024
print(json.dumps([used, cpu(limit), cpu(resample), held]))
"""
"""Draws rows, and prints the CPU seconds of ours, limit and peer, and the MB of ours (ru_maxrss is KiB)."""


def rows() -> list[Row]:
    """CPU seconds by task and size, and the memory of the largest comparison of each task."""
    found, steps = [], str(Path(__file__).parents[1] / "pipeline_def" / "steps")
    for name, (task, group) in TASKS.items():
        for n, goal in SIZES.items():
            program = DATA.format(task=task, group=group, n=n, steps=steps)
            runs = []
            for number in range(1, TIMES + 1):
                doing(f"{name}, {n:,} rows, run {number} of {TIMES}")
                runs.append(json.loads(measured(program, 1).output))
            cpu, limit, peer, held = (median(each) for each in zip(*runs, strict=True))
            what = f"candidate against champion, {name}, {n:,} rows"
            found.append(Row(what, cpu, "CPU s", goal, "CPU s", cpu, limit, 1_000 * peer))
        what = f"its memory above both predictions, {name}"
        found.append(Row(what, held, "MB", MEMORY, "MB", held))
    return found


if __name__ == "__main__":
    print_rows(rows())
