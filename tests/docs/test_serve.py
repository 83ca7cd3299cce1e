"""docs/how-to/serve.md: its event pattern and the parameters of its calls fit AWS."""

from __future__ import annotations

import io
import json
from typing import Any
from unittest import mock

import boto3
import pytest
from botocore.client import BaseClient
from botocore.validate import ParamValidator

from tests.docs.shell import ROOT, blocks
from tests.test_template import matches

PAGE = ROOT / "docs" / "how-to" / "serve.md"
PACKAGE = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/3"
ROLE = "arn:aws:iam::123456789012:role/handsoff-pipeline"


def test_the_pattern_gets_changes_of_the_champion_and_nothing_else() -> None:
    (text,) = blocks(PAGE, "json")
    found = {
        path.stem: matches(json.loads(text), json.loads(path.read_text()))
        for path in (ROOT / "events").glob("*.json")
    }
    gets = sorted(name for name, fits in found.items() if fits)
    assert gets == ["champion_changed.approved", "champion_changed.rolled_back"]


class Calls:
    """Answers calls whose parameters AWS's own description allows; notes operation and parameters."""

    def __init__(self, endpoints: list[str]) -> None:
        self.made: list[tuple[str, dict[str, Any]]] = []
        self.endpoints = endpoints

    def __call__(self, client: BaseClient, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        shape = client.meta.service_model.operation_model(operation).input_shape
        assert shape is not None
        report = ParamValidator().validate(parameters, shape)
        assert not report.has_errors(), report.generate_report()
        self.made.append((operation, parameters))
        return {
            "Endpoints": [{"EndpointName": name} for name in self.endpoints],
            "EndpointStatus": "InService",
            "Body": io.BytesIO(b'{"label": 1, "probability": 0.9}\n'),
        }


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The functions of the page."""
    for name, value in (("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "x")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    names: dict[str, Any] = {}
    for block in blocks(PAGE, "python"):
        exec(block, names)
    return names


@pytest.mark.parametrize(
    ("endpoints", "last"), [([], "CreateEndpoint"), (["titanic-old", "titanic"], "UpdateEndpoint")]
)
def test_an_endpoint_is_made_or_moved(page: dict[str, Any], endpoints: list[str], last: str) -> None:
    calls = Calls(endpoints)
    with mock.patch.object(BaseClient, "_make_api_call", lambda *call: calls(*call)):
        page["deploy"](PACKAGE, ROLE)
        assert page["ask"]("age,sex\n3,male\n") == '{"label": 1, "probability": 0.9}\n'
    assert [operation for operation, _ in calls.made] == [
        *("CreateModel", "CreateEndpointConfig", "ListEndpoints", last, "DescribeEndpoint", "InvokeEndpoint")
    ]
    assert calls.made[0][1]["ModelName"].startswith("handsoff-titanic-3-20")


def test_a_transform_is_started(page: dict[str, Any]) -> None:
    calls = Calls([])
    with mock.patch.object(BaseClient, "_make_api_call", lambda *call: calls(*call)):
        name = page["transform"](PACKAGE, ROLE, "s3://in/", "s3://out/")
    assert [operation for operation, _ in calls.made] == ["CreateModel", "CreateTransformJob"]
    assert [made["ModelName"] for _, made in calls.made] == [name, name]
