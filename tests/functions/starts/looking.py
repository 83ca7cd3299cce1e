"""A small model whose files are written as a test says, and what the inspection says of a file."""

from __future__ import annotations

from typing import Any

from retraining.config.schema import ModelConfig
from retraining.starts.inspection import Fine, Problem, Short, inspect

ROWS = "x,c,b,y\n1,a,t,0\n2,b,f,1\n"


def model(numeric: tuple[str, ...] = ("x",), estimator: str = "ridge", **data: Any) -> ModelConfig:
    """A model of the number x, the category c and the boolean b, whose files are written so."""
    task = "regression" if estimator == "ridge" else "binary_classification"
    return ModelConfig.model_validate(
        {
            "task": task,
            "target": "y",
            "features": {"numeric": numeric, "categorical": ["c"], "boolean": ["b"]},
            "training": {"estimator": estimator},
            "data": data,
        }
    )


def look(
    body: bytes | str, key: str = "curated/m/train/p", config: ModelConfig | None = None
) -> Problem | Fine | Short:
    data = body.encode() if isinstance(body, str) else body
    return inspect(data, len(data), key, config or model(), tail=data[-8:], asked=1 << 20)


def said(found: Problem | Fine | Short) -> tuple[str, str]:
    assert isinstance(found, Problem), found
    return found.kind, found.text
