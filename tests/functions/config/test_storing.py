"""A configuration that SSM cannot hold lies in an object that SSM names, and the functions read it."""

from __future__ import annotations

import json
import random
import string
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from retraining.aws.parameters import Parameters
from retraining.aws.settings import ModelConfigs
from retraining.config.schema import ModelConfig, dump_model
from retraining.config.storing import SSM_LIMIT, Stored, sha256_named, stored
from retraining.errors import ConfigError, NotReady

LETTERS = random.Random(7)
COLUMNS = ["".join(LETTERS.choices(string.ascii_letters + string.digits, k=40)) for _ in range(300)]


def model(*names: str) -> ModelConfig:
    return ModelConfig.model_validate(
        {
            "task": "regression",
            "target": "y",
            "features": {"numeric": names},
            "training": {"estimator": "ridge"},
        }
    )


def test_stored_config_that_fits_is_the_json_itself() -> None:
    assert stored(model("x")) == Stored(dump_model(model("x")))


def test_stored_config_at_the_limit_of_ssm() -> None:
    room = SSM_LIMIT - len(dump_model(model("x")))
    assert stored(model("x" * (room + 1))).objects == {}
    assert len(stored(model("x" * (room + 2))).objects) == 1


def test_stored_config_of_300_columns_with_random_names_of_40_characters() -> None:
    found = stored(model(*COLUMNS))
    ((key, data),) = found.objects.items()
    assert len(data) > 12_000
    assert found.parameter == json.dumps({"config": key}, separators=(",", ":"))
    assert key == f"code/{sha256_named(found.parameter)}/config.json"
    assert ModelConfig.model_validate_json(data) == model(*COLUMNS)


@pytest.mark.parametrize("text", ["", "{}", '{"config":"code/x/config.json"}', dump_model(model("x"))])
def test_parameter_that_names_no_object(text: str) -> None:
    assert sha256_named(text) is None


class Deployed:
    """SSM and the data bucket with one model's configuration."""

    def __init__(self) -> None:
        quick = Config(region_name="us-east-1", retries={"total_max_attempts": 1})
        self.s3 = boto3.client("s3", config=quick)
        self.ssm = boto3.client("ssm", config=quick)
        self.s3.create_bucket(Bucket="data")
        self.read: list[str] = []
        original = self.s3.get_object

        def get_object(**call: Any) -> Any:
            self.read.append(call["Key"])
            return original(**call)

        self.s3.get_object = get_object  # type: ignore[method-assign]
        self.configs = ModelConfigs("p", "data", self.s3, Parameters(self.ssm))

    def publish(self, config: ModelConfig, *, upload: bool = True) -> str:
        found = stored(config)
        for key, data in found.objects.items() if upload else ():
            self.s3.put_object(Bucket="data", Key=key, Body=data)
        self.ssm.put_parameter(Name="/p/models/m", Value=found.parameter, Type="String", Overwrite=True)
        return next(iter(found.objects), "")


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield Deployed()


@pytest.mark.slow
def test_configs_read_a_large_config_once_for_each_content(deployed: Deployed) -> None:
    first, other = model(*COLUMNS), model(*COLUMNS, "x")
    deployed.publish(first)
    assert deployed.configs.get("m") == first
    assert deployed.configs.get("m", fresh=True) == first
    assert len(deployed.read) == 1
    deployed.publish(other)
    assert deployed.configs.get("m", fresh=True) == other
    deployed.publish(model("x"))
    assert deployed.configs.get("m", fresh=True) == model("x")
    assert len(deployed.read) == 2
    assert deployed.configs.names() == ["m"]


def test_configs_of_an_object_that_does_not_exist_say_what_to_do(deployed: Deployed) -> None:
    deployed.publish(model(*COLUMNS), upload=False)
    said = (
        r"SSM parameter /p/models/m names s3://data/code/\w{64}/config.json, which does not exist: `handsoff"
    )
    with pytest.raises(ConfigError, match=said):
        deployed.configs.get("m")


def test_configs_of_an_object_with_other_bytes_are_refused(deployed: Deployed) -> None:
    key = deployed.publish(model(*COLUMNS))
    deployed.s3.put_object(Bucket="data", Key=key, Body=dump_model(model("x")).encode())
    with pytest.raises(ConfigError, match=r"config\.json has other bytes than its name says"):
        deployed.configs.get("m")


def test_configs_that_s3_does_not_give_may_be_read_later(deployed: Deployed) -> None:
    deployed.publish(model(*COLUMNS))
    deployed.configs._bucket = "another"
    with pytest.raises(NotReady, match=r"config\.json cannot be read now"):
        deployed.configs.get("m")
