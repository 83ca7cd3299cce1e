"""A pipeline definition as data: its parameters, its steps and how references are resolved. Pure.

parsing.py makes one from text.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from local.sagemaker.errors import ValidationException
from local.types import Json

MISSING: Final = object()
"""The default of a parameter that has none."""


@dataclass(frozen=True)
class StepType:
    """The calls that a step of this type makes.

    `name_member` is the argument that holds the job's name, which SageMaker sets. None if there is no job.
    """

    create: str
    describe: str
    name_member: str | None


STEP_TYPES: Final = {
    "Processing": StepType("CreateProcessingJob", "DescribeProcessingJob", "ProcessingJobName"),
    "Training": StepType("CreateTrainingJob", "DescribeTrainingJob", "TrainingJobName"),
    "RegisterModel": StepType("CreateModelPackage", "DescribeModelPackage", None),
}
"""The types of steps that the engine runs."""

KEYS: Final = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")
"""Members by which a reference such as `Outputs['train']` finds its element in a list of structures."""

_PATH: Final = re.compile(r"\.?([A-Za-z0-9_]+)|\[(?:'([^']*)'|\"([^\"]*)\"|(\d+))\]")
"""One part of a property's path: `.member`, `['name']` or `[0]`."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a pipeline. `default` is MISSING if each start must set it."""

    name: str
    type: str
    default: Any
    enum: tuple[Any, ...] | None

    def value(self, text: str) -> Any:
        """The typed value of a text from the API. Raises ValidationException, which names the parameter."""
        try:
            value = _READ[self.type](text)
        except (KeyError, ValueError):
            raise ValidationException(
                f"Parameter [{self.name}] value [{text}] is not of type [{self.type}]"
            ) from None
        if self.enum is not None and value not in self.enum:
            allowed = ", ".join(map(to_text, self.enum))
            raise ValidationException(
                f"Parameter [{self.name}] value [{text}] is not one of the allowed values [{allowed}]"
            )
        return value


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "String": str,
    "Integer": int,
    "Float": float,
    "Boolean": lambda text: {"true": True, "false": False}[text.lower()],
}
"""How the text of each type of parameter is read."""


@dataclass(frozen=True)
class RetryPolicy:
    """Which failures a step retries, how often and how soon.

    `exceptions` are ExceptionTypes. `interval` is the delay before the first retry in seconds, multiplied by
    `backoff` before each further one. `expire_after` is in seconds. None means no limit.
    """

    exceptions: frozenset[str]
    interval: float
    backoff: float
    max_attempts: int | None
    expire_after: float | None


@dataclass(frozen=True)
class Step:
    """One step. `needs` holds the names of the steps in its DependsOn and in its references."""

    name: str
    type: str
    arguments: Json
    needs: frozenset[str]
    retry_policies: tuple[RetryPolicy, ...]
    display_name: str | None
    description: str | None


@dataclass(frozen=True)
class Definition:
    """A definition that the engine can run. `parameters` and `steps` are by name."""

    text: str
    parameters: dict[str, Parameter]
    steps: dict[str, Step]

    def values(self, given: list[Json]) -> Json:
        """The value of each parameter in an execution that is started with `given` ([{"Name":…, "Value":…}]).

        Raises ValidationException, which names the parameter that is unknown, set twice, not set, or of a
        wrong type.
        """
        values = {name: p.default for name, p in self.parameters.items() if p.default is not MISSING}
        seen = set()
        for pair in given:
            name = pair["Name"]
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise ValidationException(
                    f"Parameter [{name}] is not defined in the pipeline (it has: {known})"
                )
            if name in seen:
                raise ValidationException(f"Parameter [{name}] is set twice")
            seen.add(name)
            values[name] = self.parameters[name].value(pair["Value"])
        if absent := [name for name in self.parameters if name not in values]:
            raise ValidationException(f"Parameter [{absent[0]}] has no default and was not set")
        return values


def references(value: Any) -> Iterator[str]:
    """The name in each `Get` within `value`."""
    if isinstance(value, dict):
        if set(value) == {"Get"}:
            yield value["Get"]
        else:
            for item in value.values():
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolve(value: Any, get: Callable[[str], Any]) -> Any:
    """`value` with every `Get` replaced by the result of `get`, and every Std:Join joined."""
    if isinstance(value, list):
        return [resolve(item, get) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Get"}:
        return get(value["Get"])
    if set(value) == {"Std:Join"}:
        join = value["Std:Join"]
        return join["On"].join(to_text(resolve(item, get)) for item in join["Values"])
    return {key: resolve(item, get) for key, item in value.items()}


def to_text(value: Any) -> str:
    """A value as text, as Std:Join and the API write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def property_at(description: Json, path: str) -> Any:
    """The value at `path` (`ModelArtifacts.S3ModelArtifacts`, `…Outputs['train']…`) in a Describe response.

    Raises KeyError if there is none.
    """
    found: Any = description
    for part in parts_of(path):
        if isinstance(found, list) and isinstance(part, str):
            found = next((item for item in found if any(item.get(name) == part for name in KEYS)), None)
        else:
            try:
                found = found[part]
            except (IndexError, TypeError):
                found = None
        if found is None:
            raise KeyError(path)
    return found


def parts_of(path: str) -> list[str | int]:
    """The members, names and indices of a property's path. Raises KeyError if it is not one."""
    parts: list[str | int] = []
    end = 0
    while end < len(path):
        match = _PATH.match(path, end)
        if not match:
            raise KeyError(path)
        member, single, double, index = match.groups()
        parts.append(
            int(index) if index else next(text for text in (member, single, double) if text is not None)
        )
        end = match.end()
    return parts
