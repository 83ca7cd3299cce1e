"""The examples as models of one deployment, and the public script as another one."""

from __future__ import annotations

import importlib.util
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples"
MODELS: Final = {"titanic": "titanic", "churn": "churn-xgboost", "diabetes": "diabetes", "wine": "wine"}
"""The folder of each example below examples/, by the name of its model."""

BUILT_IN: Final[dict[str, Any]] = {
    "task": "regression",
    "target": "rings",
    "features": {"numeric": ["length", "diameter", "height", "weight"]},
    "training": {"estimator": "ridge"},
    "approval": {
        "rules": [
            {"metric": "r2", "min": 0.2},
            {"metric": "rmse", "versus_champion": {"max_loss": 0.5}, "on_fail": "hold"},
        ]
    },
}
"""The model that a built-in estimator makes first."""

HYPERPARAMETERS: Final = {
    "max_depth": 3,
    "eta": 0.2,
    "gamma": 4,
    "min_child_weight": 6,
    "subsample": 0.7,
    "verbosity": 1,
    "objective": "reg:squarederror",
    "num_round": 40,
}
"""Those of AWS's documentation, for fewer rounds and rows."""

PUBLIC: Final[dict[str, Any]] = {
    **BUILT_IN,
    "training": {
        "source_dir": "public_xgboost",
        "entry_point": "abalone.py",
        "image": "xgboost:3.0-5",
        "hyperparameters": HYPERPARAMETERS,
    },
    "inference": {"content_type": "text/csv", "returns": "value"},
}
"""The same model, which the public script makes."""


def example(model: str) -> dict[str, Any]:
    """The configuration of an example's model, as its handsoff.yaml has it."""
    path = EXAMPLES / MODELS[model] / "handsoff.yaml"
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    assert list(found) == [model]
    return dict(found[model])


def write_data(model: str, folder: Path) -> list[Path]:
    """The files of an example's data, written to `folder` by its own script, or those of data/titanic."""
    if model == "titanic":
        return [ROOT / "data" / "titanic" / name for name in ("train.csv", "validation.csv")]
    script = EXAMPLES / MODELS[model] / "make_data.py"
    spec = importlib.util.spec_from_file_location(f"make_{model}", script)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(folder)
    return sorted(folder.glob("*.csv"))


def own_code(folder: Path) -> Path:
    """A project's new folder with the training scripts beside its future handsoff.yaml."""
    shutil.copytree(EXAMPLES / "churn-xgboost" / "src", folder / "src")
    shutil.copytree(Path(__file__).parent / "public_xgboost", folder / "public_xgboost")
    return folder


def abalone(rows: int, seed: int) -> Iterator[str]:
    """Lines of CSV with a header: the rings of molluscs, in the first column, and their sizes."""
    chance = random.Random(seed)
    yield "rings,length,diameter,height,weight"
    for _ in range(rows):
        length = chance.uniform(0.2, 0.75)
        diameter = length * chance.uniform(0.75, 0.85)
        height = length * chance.uniform(0.2, 0.35)
        weight = 7 * length**3 * chance.uniform(0.8, 1.2)
        rings = round(3 + 6 * length + 9 * height + 2 * weight + chance.gauss(0, 1.2))
        yield f"{rings},{length:.3f},{diameter:.3f},{height:.3f},{weight:.4f}"
