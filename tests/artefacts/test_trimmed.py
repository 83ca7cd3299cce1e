"""The layer's botocore has what functions/ calls, as the whole botocore has it, and nothing else."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import botocore.session
import pytest
from botocore import xform_name
from botocore.model import ServiceModel

from retraining.aws.clients import SERVICES
from tests.artefacts.conftest import HERE, ROOT, Built

TRIM = ROOT / "layers" / "dependencies" / "trim.py"
CALLED = Path(__file__).with_name("called.py")
NO_CALLS = {"query", "search"}
"""Words of the code that are operations of a service, too: Query of DynamoDB, Search of SageMaker."""

DESCRIBED = """
import json, sys
sys.path[:0] = sys.argv[1:2]
import botocore.session
from botocore import xform_name
session = botocore.session.Session()
found = {}
for service, operations in json.loads(sys.argv[2]).items():
    model = session.get_service_model(service)
    made = [
        session.create_client(service, region_name=region)
        for region in ("us-east-1", "cn-north-1", "us-gov-west-1", "eusc-de-east-1")
    ]
    found[service] = {
        "endpoints": [client.meta.endpoint_url for client in made],
        "signed": [[c._request_signer.signing_name, c._request_signer.signature_version] for c in made],
        "context": [param.name for param in model.client_context_parameters],
        "paginated": [name for name in operations if made[0].can_paginate(xform_name(name))],
        "operations": {
            name: {
                "errors": sorted(shape.name for shape in model.operation_model(name).error_shapes),
                "http": model.operation_model(name).http,
                "input": sorted(getattr(model.operation_model(name).input_shape, "members", {})),
                "output": sorted(getattr(model.operation_model(name).output_shape, "members", {})),
                "checksum": model.operation_model(name).http_checksum,
            }
            for name in operations
        },
        "all": len(model.operation_names),
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def trim() -> ModuleType:
    """The module of the layer that trims."""
    spec = importlib.util.spec_from_file_location("trim", TRIM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(path: Path) -> set[str]:
    """The attributes and texts of a file, which calls and paginators are named by."""
    tree = ast.parse(path.read_text("utf-8"))
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return attributes | {value for value in constants if isinstance(value, str)}


@pytest.mark.slow
def test_operations_of_the_layer_are_those_that_functions_name(trim: ModuleType) -> None:
    said = {word for path in (ROOT / "functions").rglob("*.py") for word in words(path)} - NO_CALLS
    session = botocore.session.get_session()
    missing = {
        f"{service}: {name}"
        for service, operations in trim.OPERATIONS.items()
        for name in session.get_service_model(service).operation_names
        if xform_name(name) in said and name not in operations
    }
    assert missing == set()


def test_services_of_the_layer_are_those_whose_handlers_functions_have(trim: ModuleType) -> None:
    assert trim.OPERATIONS.keys() == SERVICES


def test_trimmed_models_keep_what_a_call_asks_of_the_service(trim: ModuleType) -> None:
    """botocore reads each client context parameter with its documentation, in the first call of S3."""
    session = botocore.session.get_session()
    for service, operations in trim.OPERATIONS.items():
        whole = session.get_component("data_loader").load_service_model(service, "service-2")
        trimmed = ServiceModel(trim.service_model(whole, operations))
        names = [param.name for param in ServiceModel(whole).client_context_parameters]
        assert [param.name for param in trimmed.client_context_parameters] == names


def test_names_of_shapes_finds_those_of_members_and_lists(trim: ModuleType) -> None:
    assert trim.names_of_shapes(
        {"a": [{"shape": "X"}, {"member": {"shape": "Y"}}], "shape": {"shape": "Z"}}
    ) == [
        "X",
        "Y",
        "Z",
    ]


def test_without_documentation_keeps_a_member_of_that_name(trim: ModuleType) -> None:
    described = {"documentation": "<p>text</p>", "members": {"documentation": {"shape": "S"}}}
    assert trim.without_documentation(described) == {"members": {"documentation": {"shape": "S"}}}


@pytest.mark.story
@pytest.mark.parametrize("built", [HERE], indirect=True)
def test_trimmed_clients_are_as_whole_ones(built: Built, trim: ModuleType) -> None:
    """Endpoints in four partitions, signatures, paginators, and the shapes and errors of each operation."""

    def described(packages: str) -> dict[str, dict[str, object]]:
        done = subprocess.run(
            [sys.executable, "-B", "-c", DESCRIBED, packages, json.dumps(trim.OPERATIONS)],
            env={"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, dict[str, object]] = json.loads(done.stdout)
        return found

    trimmed, whole = described(str(built.packages)), described("")
    for service, operations in trim.OPERATIONS.items():
        assert trimmed[service].pop("all") == len(operations)
        assert whole[service].pop("all") != len(operations)
        assert trimmed[service] == whole[service]


@pytest.mark.story
@pytest.mark.parametrize("built", [HERE], indirect=True)
def test_calls_of_the_trimmed_botocore_are_those_of_the_whole_one(built: Built, trim: ModuleType) -> None:
    """Method, address, headers and body of each operation with all members, and the error of a refusal.

    So are those of the session of functions/, which has fewer handlers and another reader of the data.
    """

    def called(*by: str, **path: str) -> dict[str, list[list[object]]]:
        done = subprocess.run(
            [sys.executable, "-B", str(CALLED), json.dumps(trim.OPERATIONS), *by],
            env={**dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "x"), **path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, list[list[object]]] = json.loads(done.stdout)
        return found

    trimmed, whole = called(PYTHONPATH=str(built.packages)), called()
    assert trimmed == whole
    assert called("functions", PYTHONPATH=os.pathsep.join(map(str, (built.code, built.packages)))) == whole
    assert len(trimmed) == sum(map(len, trim.OPERATIONS.values()))
    assert [name for name, (*sent, _) in trimmed.items() if len(sent) != 1] == []
