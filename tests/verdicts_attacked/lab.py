"""Executions of a model on landed files, and the verdict on what they wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from pipeline_def.publish import step_config
from retraining.config.schema import ModelConfig
from retraining.verdicts.evaluation import parse_evaluation
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from tests.pipeline_def.helpers import BUCKET, Run, land, register

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

NOT_WORSE: Final = {"metric": "roc_auc", "versus_champion": {"max_loss": 0.05}}
"""A rule that an equally good model meets on a few hundred rows."""


def model(*rules: Mapping[str, Any], task: str = "binary_classification", **more: Any) -> dict[str, Any]:
    """A model of handsoff.yaml with these rules. By default it has two classes, and is linear."""
    regression = task == "regression"
    return {
        "task": task,
        "target": "y",
        "classes": [] if regression else ["0", "1"],
        "features": {"numeric": ["x"], "categorical": [], "boolean": []},
        "training": {"estimator": "ridge" if regression else "logistic_regression"},
        "approval": {"first_model": "rules_only", "rules": list(rules)},
        **more,
    }


def titanic(*rules: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """The sample's model with these rules."""
    features = {"numeric": ["age", "sibsp", "parch", "fare"], "categorical": ["pclass", "sex", "embarked"]}
    return model(*rules, target="survived", features=features, **more)


@dataclass
class Lab:
    """Runs executions one after another, each on nothing but the files that it lands."""

    s3: S3Client
    sagemaker: SageMakerClient
    folder: Path
    count: int = field(default=0, init=False)

    def run(self, config: Mapping[str, Any], files: Mapping[str, str | bytes | pd.DataFrame]) -> Run:
        """An execution after its training job. A table lands as CSV; `train` means `train.csv`."""
        found = ModelConfig.model_validate(config).model_dump(mode="json")
        for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix="curated/m/").get("Contents", ()):
            self.s3.delete_object(Bucket=BUCKET, Key=item["Key"])
        for key, content in files.items():
            body = content.to_csv(index=False) if isinstance(content, pd.DataFrame) else content
            land(self.s3, f"curated/m/{key if '.' in key else f'{key}.csv'}", body)
        self.count += 1
        run = Run(self.folder / f"{self.count}", self.s3, step_config(found, "m"), f"{self.count:012}")
        assert run.preprocess() == 0
        run.train()
        return run

    def evaluation(self, run: Run, champion: Run | None = None) -> dict[str, Any]:
        """evaluation.json of the run, beside the champion if there is one."""
        found = run.evaluate(register(self.sagemaker, champion) if champion else "none")
        assert found["handsoff"]["champion_problem"] is None
        return found

    def verdict(self, config: Mapping[str, Any], run: Run, champion: Run | None = None) -> Verdict:
        """What the rules of `config` say about the run's model."""
        return judged(config, self.evaluation(run, champion))


def judged(config: Mapping[str, Any], evaluation: Mapping[str, Any]) -> Verdict:
    """What the rules of `config` say about an evaluation.json."""
    found = parse_evaluation(json.dumps(evaluation), source="evaluation.json")
    return judge(found, ModelConfig.model_validate(config).approval, found.champion)


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}
