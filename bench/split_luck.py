"""Measures how much accuracy on the Titanic varies over random stratified 80/20 splits.

    python bench/split_luck.py [--seeds 40] [--threshold 0.78]

It prints, for each estimator, the accuracy on the fixed split of data/titanic, and how often a random split
falls below the threshold. Both are stratified by survived, sex and pclass.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

import train
from job import parse_config
from pipeline_def.publish import step_config

DATA = Path(__file__).parents[1] / "data" / "titanic"
STRATA = ["survived", "sex", "pclass"]
MODEL: dict[str, Any] = {
    "task": "binary_classification",
    "target": "survived",
    "classes": ["0", "1"],
    "features": {"numeric": ["age", "sibsp", "parch", "fare"], "categorical": ["pclass", "sex", "embarked"]},
}


def read(split: str) -> pd.DataFrame:
    """Read `train` or `validation`, categories as text and missing values as NaN, as the steps do."""
    return pd.read_csv(DATA / f"{split}.csv", dtype={"pclass": str})


def accuracy(estimator: str, training: pd.DataFrame, validation: pd.DataFrame) -> float:
    """The share of validation rows that a model fitted to the training rows predicts correctly."""
    config = parse_config(step_config({**MODEL, "training": {"estimator": estimator}}, "titanic"))
    features = list(config.features.names)
    pipeline = train.fit(config, training[features], training["survived"])
    return float((pipeline.predict(validation[features]) == validation["survived"]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--threshold", type=float, default=0.78)
    given = parser.parse_args()
    fixed = read("train"), read("validation")
    whole = pd.concat(fixed, ignore_index=True)
    splits = [
        train_test_split(whole, test_size=0.2, stratify=whole[STRATA], random_state=seed)
        for seed in range(given.seeds)
    ]
    print(f"{'estimator':24}{'fixed':>7}{'mean':>7}{'sd':>7}{'min':>7}{'max':>7}  below {given.threshold}")
    for estimator in train.CLASSIFIERS:
        found = np.array([accuracy(estimator, *split) for split in splits])
        print(
            f"{estimator:24}{accuracy(estimator, *fixed):7.3f}{found.mean():7.3f}{found.std(ddof=1):7.3f}"
            f"{found.min():7.3f}{found.max():7.3f}  {(found < given.threshold).sum()} of {given.seeds}"
        )


if __name__ == "__main__":
    main()
