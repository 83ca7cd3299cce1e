"""Pipeline definitions: what is refused with which message, and how references are resolved. Pure."""

import json
from typing import Any

import pytest

from local.sagemaker.errors import ValidationException
from local.sagemaker.pipelines.definition import property_at, resolve
from local.sagemaker.pipelines.parsing import DefinitionError, parse
from local.types import Json
from tests.local.support import definition, processing, register, training

NO_OUTPUT = {"Get": "Steps.A.ProcessingOutputConfig.Outputs['test'].S3Output.S3Uri"}
MODEL = {"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}


def test_parse_collects_needs_from_references_and_depends_on() -> None:
    parsed = parse(
        definition(
            processing("A", outputs={"train": "s3://bucket/a"}),
            training(
                channels={"train": {"Get": "Steps.A.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"}}
            ),
            processing("Free"),
            register(model=MODEL, DependsOn=["Free"]),
        )
    )
    assert {name: set(step.needs) for name, step in parsed.steps.items()} == {
        "A": set(),
        "Train": {"A"},
        "Free": set(),
        "Register": {"Train", "Free"},
    }


def without(step: Json, *path: str) -> Json:
    copy: Json = json.loads(json.dumps(step))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return copy


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([{**processing("Odd"), "Type": "Lambda"}], "Step 'Odd': Type 'Lambda' is not supported"),
        ([processing("Odd", PropertyFiles=[{}])], "Step 'Odd': PropertyFiles is not supported"),
        ([processing("Odd", CacheConfig={"Enabled": True})], "Step 'Odd': CacheConfig is not supported"),
        (
            [processing("Odd", inputs={"x": {"Get": "Parameters.Nope"}})],
            "Step 'Odd': Get refers to the unknown 'Parameters.Nope'",
        ),
        (
            [processing("Odd", inputs={"x": {"Get": "Execution.Nope"}})],
            "Step 'Odd': Get refers to the unknown 'Execution.Nope'",
        ),
        (
            [processing("Odd", inputs={"x": MODEL})],
            "ModelArtifacts.S3ModelArtifacts' refers to the unknown step 'Train'",
        ),
        ([processing("Odd", DependsOn=["Nope"])], "Step 'Odd': DependsOn names the unknown step 'Nope'"),
        (
            [training(), processing("Odd", inputs={"x": {"Get": "Steps.Train.Model.Uri"}})],
            "Step 'Odd': 'Steps.Train.Model.Uri': a Training step has no property 'Model.Uri'",
        ),
        (
            [
                processing("A", outputs={"train": "s3://bucket/a"}),
                processing("Odd", inputs={"x": NO_OUTPUT}),
            ],
            "step 'A' has no 'test'",
        ),
        (
            [processing("Odd", inputs={"x": {"Std:JsonGet": {}}})],
            "Step 'Odd': The function Std:JsonGet is not supported",
        ),
        ([processing("Odd", inputs={"x": {"Std:Join": {"On": 1}}})], "Step 'Odd': Std:Join takes On"),
        (
            [processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"])],
            "Step 'A': The steps wait for each other: A -> B -> A",
        ),
        ([processing("A"), processing("A")], "There are two steps named 'A'"),
        ([processing("A b")], "A step has no proper Name: 'A b'"),
        (
            [without(processing("Odd"), "Arguments", "RoleArn")],
            "Step 'Odd': Value null at 'roleArn' failed to satisfy constraint",
        ),
        (
            [processing("Odd", arguments={"Enviroment": {}})],
            "Step 'Odd': CreateProcessingJob has no argument 'Enviroment'",
        ),
        (
            [processing("Odd", arguments={"Environment": {"A": 1}})],
            "Step 'Odd': int value at 'environment.A' can not be converted to a String",
        ),
        (
            [processing("Odd", RetryPolicies=[{"ExceptionType": ["Nope"]}])],
            "Step 'Odd': A retry policy has unknown ExceptionType 'Nope'",
        ),
        ([], "At least one step must be present"),
    ],
)
def test_parse_refuses_a_step_that_cannot_run_and_names_it(steps: list[Json], message: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        parse(definition(*steps))
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"Name": "P", "Type": "Text"}, "Parameter 'P' has the unknown type 'Text'"),
        (
            {"Name": "P", "Type": "Integer", "DefaultValue": "3"},
            "Parameter 'P' is of type Integer, its default is '3'",
        ),
        (
            {"Name": "P", "Type": "String", "EnumValues": ["a"], "DefaultValue": "b"},
            "not among its EnumValues",
        ),
    ],
)
def test_parse_refuses_a_wrong_parameter(parameter: Json, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        parse(definition(processing(), parameters=[parameter]))


@pytest.mark.parametrize("text", ["no json", "[]", '{"Version": "2019"}'])
def test_parse_refuses_text_that_is_no_definition(text: str) -> None:
    with pytest.raises(DefinitionError, match="Unable to parse pipeline definition"):
        parse(text)


PARAMETERS: list[Json] = [
    {"Name": "S", "Type": "String", "DefaultValue": "a", "EnumValues": ["a", "b"]},
    {"Name": "I", "Type": "Integer", "DefaultValue": 1},
    {"Name": "F", "Type": "Float", "DefaultValue": 0.5},
    {"Name": "B", "Type": "Boolean", "DefaultValue": False},
]


def test_values_are_typed_and_include_defaults() -> None:
    parsed = parse(definition(processing(), parameters=PARAMETERS))
    assert parsed.values([]) == {"S": "a", "I": 1, "F": 0.5, "B": False}
    given = [{"Name": n, "Value": v} for n, v in (("S", "b"), ("I", "2"), ("F", "3"), ("B", "true"))]
    assert parsed.values(given) == {"S": "b", "I": 2, "F": 3.0, "B": True}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("X", "1", r"Parameter \[X\] is not defined"),
        ("I", "x", r"Parameter \[I\] value \[x\] is not of type \[Integer\]"),
        ("B", "1", r"Parameter \[B\] value \[1\] is not of type \[Boolean\]"),
        ("S", "c", r"Parameter \[S\] value \[c\] is not one of the allowed values \[a, b\]"),
    ],
)
def test_values_refuse_a_wrong_value_and_name_the_parameter(name: str, value: str, message: str) -> None:
    parsed = parse(definition(processing(), parameters=PARAMETERS))
    with pytest.raises(ValidationException, match=message):
        parsed.values([{"Name": name, "Value": value}])


def test_values_refuse_a_missing_parameter_without_default() -> None:
    parsed = parse(definition(processing(), parameters=[{"Name": "P", "Type": "String"}]))
    with pytest.raises(ValidationException, match=r"Parameter \[P\] has no default and was not set"):
        parsed.values([])


def test_resolve_replaces_references_and_joins() -> None:
    known: dict[str, Any] = {"Parameters.I": 3, "Parameters.B": True, "Parameters.S": "x"}
    value = {
        "a": [{"Get": "Parameters.I"}],
        "b": {
            "Std:Join": {
                "On": "/",
                "Values": ["s3:/", {"Get": "Parameters.S"}, {"Get": "Parameters.I"}, {"Get": "Parameters.B"}],
            }
        },
    }
    assert resolve(value, known.__getitem__) == {"a": [3], "b": "s3://x/3/true"}


def test_property_at_finds_by_name_and_by_index() -> None:
    description: Json = {
        "Outputs": [{"OutputName": "a", "Uri": 1}, {"OutputName": "b", "Uri": 2}],
        "M": {"x": "y"},
    }
    assert property_at(description, "Outputs['b'].Uri") == 2
    assert property_at(description, "Outputs[0].Uri") == 1
    assert property_at(description, "M.x") == "y"
    with pytest.raises(KeyError):
        property_at(description, "Outputs['c'].Uri")
