"""A field case in one process: files land, the functions start or refuse, and the steps run what was started.

S3, ledger and SageMaker are in memory. The functions and the step scripts are the project's own.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import pandas as pd

import preprocess
from job import DataProblem, StepConfig, parse_config
from pipeline_def.publish import step_config
from retraining.config.schema import ModelConfig
from tests.functions.memory import MemoryS3
from tests.functions.starts.one_model import MODEL, OneModel

FEATURES = {"numeric": ["age", "fare"], "categorical": ["pclass", "sex", "embarked"], "boolean": ["alone"]}
"""The features of the field cases' model."""


class _Body(io.BytesIO):
    """A body that is also read in chunks, as botocore's."""

    def iter_chunks(self, size: int) -> Iterator[bytes]:
        while chunk := self.read(size):
            yield chunk


class FieldS3(MemoryS3):
    """The bucket, with the ETag and the chunks that the steps ask for."""

    def get_object(self, **call: Any) -> dict[str, Any]:
        body = super().get_object(**call)["Body"].read()
        whole = self._find(call["Key"], call.get("VersionId"))
        return {"Body": _Body(body), "ETag": f'"{hashlib.md5(whole, usedforsecurity=False).hexdigest()}"'}


def config(**changes: Any) -> ModelConfig:
    """The field cases' model with these keys changed."""
    values: dict[str, Any] = {
        "task": "binary_classification",
        "target": "survived",
        "features": FEATURES,
        "retrain": {"ready": {"when": "marker"}, "cooldown": "0s", "daily_limit": 200},
    }
    return ModelConfig.model_validate(values | changes)


@dataclass
class Played:
    """What became of files that landed.

    `reason` is why nothing started, `failure` why DataPreProcessing failed; both empty if it did not. `said`
    is everything that notifications and the state said.
    """

    reason: str
    failure: str
    said: str
    quarantined: list[str]
    report: dict[str, Any] = field(default_factory=dict)
    output: Path | None = None

    @property
    def kind(self) -> str:
        """`trained on`, `failed`, `quarantined` or `refused`."""
        if self.report:
            return "trained on"
        return "failed" if self.failure else "quarantined" if self.quarantined else "refused"

    @property
    def rows(self) -> tuple[int, int]:
        """Rows of train and validation; zeros if nothing was read."""
        splits = self.report.get("splits", {})
        return splits.get("train", {}).get("rows", 0), splits.get("validation", {}).get("rows", 0)

    def table(self, split: str = "train") -> pd.DataFrame:
        """The rows that training reads."""
        assert self.output is not None, f"{self.kind}: {self.reason}{self.failure}"
        found = pd.read_parquet(self.output / split)
        return found[[name for name in found.columns if not str(name).startswith("handsoff:")]]

    def __str__(self) -> str:
        found = f", {self.rows[0]} and {self.rows[1]} rows" if self.report else ""
        why = f": {self.reason or self.failure}" if self.reason or self.failure else ""
        return f"{self.kind}{found}{why}"


class Place:
    """One model's bucket, and the functions and steps that work on it."""

    def __init__(self, known: ModelConfig | None = None) -> None:
        self.config = known or config()
        self.world = OneModel()
        self.world.config = self.config
        self.world.s3 = FieldS3(lambda: self.world.now)

    @cached_property
    def steps(self) -> StepConfig:
        """The model as the steps read it."""
        return parse_config(step_config(self.config.model_dump(mode="json", exclude_none=True), MODEL))

    def land(self, files: Mapping[str, bytes], markers: tuple[str, ...] = ("_SUCCESS",)) -> Played:
        """Land the files, then the markers; run what starts as far as DataPreProcessing."""
        before = len(self.world.sagemaker.executions)
        for name, body in files.items():
            self.world.land(name, body)
        self.world.now += timedelta(seconds=1)
        for name in markers:
            self.world.land(name, b"")
            self.world.come("landing")
        self.world.now += timedelta(seconds=1)
        state, _ = self.world.using().states.load(MODEL)
        told = [json.dumps(call, default=str) for call in self.world.sns.sent]
        quarantined = [key for key in self.world.s3.versions if key.startswith(f"quarantine/{MODEL}/")]
        played = Played("", "", " ".join([state.model_dump_json(), *told]), sorted(quarantined))
        if len(self.world.sagemaker.executions) == before:
            played.reason = state.reason or (state.blocked.reason if state.blocked else "nothing started")
            if played.quarantined:
                message = json.loads(json.loads(told[-1])["Message"])["default"]
                played.reason = "; ".join(json.loads(message)["reasons"])
            return played
        self._preprocess(played)
        self.world.end_all(noticed=True)
        return played

    def _preprocess(self, played: Played) -> None:
        call = list(self.world.sagemaker.executions.values())[-1]
        batch = next(one["Value"] for one in call["PipelineParameters"] if one["Name"] == "Batch")
        output = Path(tempfile.mkdtemp(prefix="field-"))
        s3 = cast("Any", self.world.s3)
        try:
            played.report = preprocess.preprocess(s3, "data", self.steps, batch, output)
            played.output = output
        except DataProblem as problem:
            played.failure = str(problem)
            played.said += f" {problem}"
