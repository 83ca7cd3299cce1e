"""The question that both sides answer about a file: can it be trained on?"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import changes
import convert
import tables
from job import DataProblem, StepConfig, parse_config
from pipeline_def.publish import step_config
from retraining.config.schema import ModelConfig
from retraining.starts.inspection import Fine, inspect


def model(
    task: str = "binary_classification", classes: Sequence[str] = ("0", "1"), **data: Any
) -> ModelConfig:
    """A model of the number x, the category c and the boolean b, with the target y; `data` is its section."""
    values: dict[str, Any] = {
        "task": task,
        "target": "y",
        "features": {"numeric": ["x"], "categorical": ["c"], "boolean": ["b"]},
        "training": {"estimator": "random_forest"},
    }
    if classes:
        values["classes"] = list(classes)
    if data:
        values["data"] = data
    return ModelConfig.model_validate(values)


def for_steps(config: ModelConfig) -> StepConfig:
    """The same model as the steps read it from model.json."""
    return parse_config(step_config(config.model_dump(mode="json", exclude_none=True), "small"))


def csv_file(*rows: Sequence[str]) -> bytes:
    """A CSV file of these rows, of which the first is the header."""
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def accepted_at_landing(body: bytes, name: str, config: ModelConfig) -> bool:
    """Whether start_retraining finds nothing wrong with the file."""
    return isinstance(inspect(body, len(body), name, config, tail=body[-8:]), Fine)


def accepted_by_job(body: bytes, name: str, config: ModelConfig, folder: Path) -> bool:
    """Whether DataPreProcessing reads the file to its end. One without rows is no fault of the file."""
    path, steps, rows = folder / "object", for_steps(config), 0
    path.write_bytes(body)
    try:
        file = tables.open_file(path, name, steps)
        changed = changes.Changes(steps.data.cdc) if steps.data.cdc else None
        for block in file.blocks():
            if changed:
                changed.without_deleted(block, steps, name, rows + 1)
            else:
                changes.check_no_changes(block, steps, name)
                convert.convert(block, steps, name, rows + 1)
            rows += block.num_rows
    except DataProblem:
        return False
    return True
