"""The words of SageMaker's definition language 2020-12-01 that the pipelines use, as plain data."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
"""A part of the definition as plain data."""


def parameter(name: str, default: str) -> Json:
    """A parameter with a default. Every one has one, so that start-pipeline-execution needs no parameter."""
    return {"Name": name, "Type": "String", "DefaultValue": default}


def given(**members: str | Json | None) -> Json:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value}


def get(path: str) -> Json:
    """A reference that SageMaker resolves, such as `Parameters.Batch`."""
    return {"Get": path}


def join(on: str, *values: str | Json) -> Json:
    """The values joined by `on`, which SageMaker does in each execution."""
    return {"Std:Join": {"On": on, "Values": list(values)}}


def output_of(step: str, output: str) -> Json:
    """The S3 URI of a processing step's output."""
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri")
