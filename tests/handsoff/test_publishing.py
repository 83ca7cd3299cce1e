"""Publishing own code that somebody edits meanwhile: what is uploaded is what the pipeline names."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from handsoff.deploying import publishing
from handsoff.deployment import Deployment
from handsoff.location import Location
from pipeline_def import publish
from pipeline_def.source import read_source
from retraining.config.schema import parse_config
from tests.terraform.conftest import ROOT


class Aws:
    """S3, SageMaker and SSM as far as publishing asks them; keeps what it is given."""

    region_name = "eu-west-1"

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.definition = "{}"

    def get_paginator(self, _name: str) -> Any:
        return SimpleNamespace(paginate=lambda **_: [])

    def put_object(self, **given: Any) -> None:
        self.keys.append(given["Key"])

    def describe_pipeline(self, **_: Any) -> dict[str, str]:
        return {"PipelineDefinition": self.definition, "RoleArn": "", "PipelineArn": "arn"}

    def update_pipeline(self, **given: Any) -> dict[str, str]:
        self.definition = given["PipelineDefinition"]
        return {"PipelineArn": "arn"}

    def get_parameters(self, **_: Any) -> dict[str, list[Any]]:
        return {"Parameters": []}

    def put_parameter(self, **_: Any) -> None:
        pass


def test_a_file_that_is_saved_while_publishing_parts_no_pipeline_from_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
    values["models"]["titanic"]["training"] = {
        "source_dir": "src",
        "entry_point": "train.py",
        "image": "xgboost:3.0-5",
    }
    script = tmp_path / "src" / "train.py"
    script.parent.mkdir()
    script.write_text("print(1)\n")

    def read_and_saved_again(*arguments: Any) -> dict[str, bytes]:
        found = read_source(*arguments)
        script.write_text(script.read_text() + "#\n")
        return found

    monkeypatch.setattr(publish, "read_source", read_and_saved_again)
    aws = Aws()
    deployment = SimpleNamespace(
        config=parse_config(values, source="handsoff.yaml"),
        folder=tmp_path,
        location=Location("123456789012", "eu-west-1", "aws"),
        bucket="handsoff-data-123456789012-eu-west-1",
        prefix="handsoff",
        s3=aws,
        sagemaker=aws,
        ssm=aws,
    )
    done = publishing.publish_model(cast("Deployment", deployment), "titanic")
    (training,) = [step for step in json.loads(aws.definition)["Steps"] if step["Type"] == "Training"]
    source = training["Arguments"]["HyperParameters"]["sagemaker_submit_directory"]
    assert f"/code/{done.pipeline.code_sha256}/sourcedir.tar.gz" in source
    assert f"code/{done.pipeline.code_sha256}/sourcedir.tar.gz" in aws.keys
