"""Reads the text of a pipeline definition (Version 2020-12-01) and checks that the engine can run it.

This happens when the pipeline is created. An error names the step.
"""

import json
import re
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local.sagemaker.errors import SerializationException, ValidationException
from local.sagemaker.pipelines.definition import (
    KEYS,
    MISSING,
    STEP_TYPES,
    Definition,
    Parameter,
    RetryPolicy,
    Step,
    parts_of,
    references,
)
from local.sagemaker.protocol import validation
from local.types import Json

VERSION: Final = "2020-12-01"
"""The version of the definition's schema."""

PARAMETER_TYPES: Final[dict[str, type]] = {"String": str, "Integer": int, "Float": float, "Boolean": bool}
"""The types of parameters, and the Python type of their defaults."""

EXECUTION_VARIABLES: Final = frozenset(
    [
        "StartDateTime",
        "CurrentDateTime",
        "PipelineName",
        "PipelineArn",
        "PipelineExecutionId",
        "PipelineExecutionArn",
        "TrainingJobName",
        "ProcessingJobName",
    ]
)
"""The names that may follow `Execution.` in a reference."""

RETRYABLE: Final = frozenset(
    [
        "Step.SERVICE_FAULT",
        "Step.THROTTLING",
        "SageMaker.JOB_INTERNAL_ERROR",
        "SageMaker.CAPACITY_ERROR",
        "SageMaker.RESOURCE_LIMIT",
    ]
)
"""The ExceptionTypes of retry policies."""

DEFAULT_ATTEMPTS: Final = 5
"""Retries of a policy that names neither MaxAttempts nor ExpireAfterMin."""

_STEP_MEMBERS: Final = frozenset(
    ["Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description", "RetryPolicies", "CacheConfig"]
)
"""The members that a step may have."""


class DefinitionError(ValidationException):
    """The engine cannot run the definition."""

    def __init__(self, message: str, step: str | None = None) -> None:
        where = f"Step '{step}': " if step else ""
        super().__init__(f"Unable to parse pipeline definition. {where}{message}")

    @property
    def code(self) -> str:
        return "ValidationException"


def parse(text: str) -> Definition:
    """Read and check a definition. Raises DefinitionError."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DefinitionError(f"It is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("Version") != VERSION:
        raise DefinitionError(f"Version must be {VERSION}")
    parameters = [_parameter(item) for item in _list(document, "Parameters")]
    items = _list(document, "Steps")
    if not items:
        raise DefinitionError("At least one step must be present")
    names = [str(item.get("Name")) for item in items if isinstance(item, dict)]
    for collection, kind in (([p.name for p in parameters], "parameter"), (names, "step")):
        if twice := sorted({name for name in collection if collection.count(name) > 1}):
            raise DefinitionError(f"There are two {kind}s named '{twice[0]}'")
    steps = [_step(item, frozenset(names)) for item in items]
    definition = Definition(text, {p.name: p for p in parameters}, {step.name: step for step in steps})
    for step in definition.steps.values():
        _check_references(step, definition)
        _check_arguments(step)
    _check_order(definition.steps)
    return definition


def _list(document: Json, member: str) -> list[Any]:
    items = document.get(member) or []
    if not isinstance(items, list):
        raise DefinitionError(f"{member} must be a list")
    return items


def _parameter(item: Json) -> Parameter:
    name = item.get("Name") if isinstance(item, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9\-_]{1,256}", name):
        raise DefinitionError(f"A parameter has no proper Name: {name!r}")
    kind = item.get("Type")
    if kind not in PARAMETER_TYPES:
        raise DefinitionError(f"Parameter '{name}' has the unknown type {kind!r}")
    enum = tuple(item["EnumValues"]) if item.get("EnumValues") else None
    default = item.get("DefaultValue", MISSING)
    if default is not MISSING:
        expected = (int, float) if kind == "Float" else PARAMETER_TYPES[kind]
        if not isinstance(default, expected) or (isinstance(default, bool) and kind != "Boolean"):
            raise DefinitionError(f"Parameter '{name}' is of type {kind}, its default is {default!r}")
        if enum is not None and default not in enum:
            raise DefinitionError(f"Parameter '{name}' has a default that is not among its EnumValues")
    return Parameter(name, kind, default, enum)


def _step(item: Json, names: frozenset[str]) -> Step:
    name = item.get("Name") if isinstance(item, dict) else None
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9\-_]{1,64}", name):
        raise DefinitionError(f"A step has no proper Name: {name!r}")
    kind = item.get("Type")
    if kind not in STEP_TYPES:
        raise DefinitionError(f"Type {kind!r} is not supported (supported: {', '.join(STEP_TYPES)})", name)
    arguments = item.get("Arguments")
    if not isinstance(arguments, dict):
        raise DefinitionError("Arguments are missing", name)
    if unknown := sorted(set(item) - _STEP_MEMBERS):
        raise DefinitionError(f"{unknown[0]} is not supported", name)
    if (item.get("CacheConfig") or {}).get("Enabled"):
        raise DefinitionError("CacheConfig is not supported", name)
    depends_on = item.get("DependsOn") or []
    if unknown := [other for other in depends_on if other not in names]:
        raise DefinitionError(f"DependsOn names the unknown step '{unknown[0]}'", name)
    referred = {
        get.split(".")[1]
        for get in references(arguments)
        if isinstance(get, str) and get.startswith("Steps.")
    }
    return Step(
        name=name,
        type=kind,
        arguments=arguments,
        needs=frozenset(depends_on) | frozenset(referred),
        retry_policies=tuple(_retry_policy(policy, name) for policy in item.get("RetryPolicies") or []),
        display_name=item.get("DisplayName"),
        description=item.get("Description"),
    )


def _retry_policy(item: Json, step: str) -> RetryPolicy:
    exceptions = item.get("ExceptionType") or []
    exceptions = [exceptions] if isinstance(exceptions, str) else exceptions
    if not exceptions or (unknown := [name for name in exceptions if name not in RETRYABLE]):
        named = f"unknown ExceptionType '{unknown[0]}'" if exceptions else "no ExceptionType"
        raise DefinitionError(f"A retry policy has {named}", step)
    minutes = item.get("ExpireAfterMin")
    attempts = item.get("MaxAttempts")
    return RetryPolicy(
        exceptions=frozenset(exceptions),
        interval=float(item.get("IntervalSeconds", 1)),
        backoff=float(item.get("BackoffRate", 2.0)),
        max_attempts=DEFAULT_ATTEMPTS if attempts is None and minutes is None else attempts,
        expire_after=None if minutes is None else minutes * 60.0,
    )


def _check_references(step: Step, definition: Definition) -> None:
    _check_functions(step.arguments, step.name)
    for get in references(step.arguments):
        if not isinstance(get, str):
            raise DefinitionError(f"Get takes a name, not {get!r}", step.name)
        root, _, rest = get.partition(".")
        if root == "Parameters" and rest in definition.parameters:
            continue
        if root == "Execution" and rest in EXECUTION_VARIABLES:
            continue
        if root == "Steps" and rest:
            _check_property(step, get, rest, definition.steps)
            continue
        raise DefinitionError(f"Get refers to the unknown '{get}'", step.name)


def _check_property(step: Step, get: str, rest: str, steps: dict[str, Step]) -> None:
    """Raise DefinitionError unless the Describe response of the other step can hold the property."""
    name, _, path = rest.partition(".")
    target = steps.get(name)
    if target is None:
        raise DefinitionError(f"'{get}' refers to the unknown step '{name}'", step.name)
    operation = validation.service_model().operation_model(STEP_TYPES[target.type].describe)
    shape: Shape | None = operation.output_shape
    given: Any = target.arguments  # the response repeats them
    try:
        parts = parts_of(path)
    except KeyError:
        parts = []
    if not parts:
        raise DefinitionError(f"'{get}' names no property", step.name)
    for part in parts:
        if isinstance(shape, StructureShape):
            shape = shape.members.get(str(part))
            given = given.get(part) if isinstance(given, dict) else None
        elif isinstance(shape, ListShape):
            named = {item.get(n) for item in given or [] if isinstance(item, dict) for n in KEYS}
            if isinstance(part, str) and part not in named:
                raise DefinitionError(f"'{get}': step '{name}' has no '{part}'", step.name)
            shape, given = shape.member, None
        elif isinstance(shape, MapShape):
            shape, given = shape.value, None
        else:
            shape = None
        if shape is None:
            raise DefinitionError(f"'{get}': a {target.type} step has no property '{path}'", step.name)


def _check_functions(value: Any, step: str) -> None:
    """Raise DefinitionError if `value` holds a function other than Std:Join, or one with wrong arguments."""
    if isinstance(value, list):
        for item in value:
            _check_functions(item, step)
    if not isinstance(value, dict):
        return
    for key, item in value.items():
        if key.startswith("Std:") and key != "Std:Join":
            raise DefinitionError(f"The function {key} is not supported", step)
        if key == "Std:Join" and not (
            isinstance(item, dict)
            and isinstance(item.get("On"), str)
            and isinstance(item.get("Values"), list)
        ):
            raise DefinitionError("Std:Join takes On (a string) and Values (a list)", step)
        _check_functions(item, step)


def _is_placeholder(value: Any) -> bool:
    """Whether only an execution gives `value` its value."""
    return isinstance(value, dict) and set(value) in ({"Get"}, {"Std:Join"})


def _check_arguments(step: Step) -> None:
    """Check the arguments against the step's Create call. References in them are not checked."""
    kind = STEP_TYPES[step.type]
    shape = validation.input_shape(kind.create)
    arguments = dict(step.arguments)
    if kind.name_member:
        arguments[kind.name_member] = "x"  # SageMaker names the job
    known = _without_placeholders(arguments)
    if unknown := next(validation.unknown_members(shape, known), None):
        raise DefinitionError(f"{kind.create} has no argument '{unknown}'", step.name)
    try:
        error = next(validation.violations(shape, arguments, placeholder=_is_placeholder), None)
    except SerializationException as wrong_type:
        error = str(wrong_type)
    if error:
        raise DefinitionError(error, step.name)


def _without_placeholders(value: Any) -> Any:
    """`value` with each reference replaced by None."""
    if _is_placeholder(value):
        return None
    if isinstance(value, dict):
        return {key: _without_placeholders(item) for key, item in value.items()}
    return [_without_placeholders(item) for item in value] if isinstance(value, list) else value


def _check_order(steps: dict[str, Step]) -> None:
    """Raise DefinitionError, naming the steps, if steps wait for each other."""
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            circle = " -> ".join((*trail[trail.index(name) :], name))
            raise DefinitionError(f"The steps wait for each other: {circle}", name)
        if name not in done:
            for other in sorted(steps[name].needs):
                visit(other, (*trail, name))
            done.add(name)

    for name in steps:
        visit(name, ())
