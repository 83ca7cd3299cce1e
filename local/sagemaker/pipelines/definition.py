"""A pipeline definition as data: what its parameters may be, what its references come to. Pure.

parsing.py makes one from text. Nothing here knows any particular pipeline.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from local.sagemaker.errors import ValidationException
from local.types import Json

MISSING = object()


@dataclass(frozen=True)
class StepType:
    """Which calls a step of this type stands for."""

    create: str
    describe: str
    name_member: str | None  # named by SageMaker, so a step does not say it


STEP_TYPES = {
    "Processing": StepType("CreateProcessingJob", "DescribeProcessingJob", "ProcessingJobName"),
    "Training": StepType("CreateTrainingJob", "DescribeTrainingJob", "TrainingJobName"),
    "RegisterModel": StepType("CreateModelPackage", "DescribeModelPackage", None),
}
# Members by which `Outputs['train']` finds its element in a list of structures.
KEYS = ("OutputName", "InputName", "ChannelName", "MetricName", "Name")
_PATH = re.compile(r"\.?([A-Za-z0-9_]+)|\[(?:'([^']*)'|\"([^\"]*)\"|(\d+))\]")


@dataclass(frozen=True)
class Parameter:
    """What a start may set. `default` is MISSING if a start must."""

    name: str
    type: str
    default: Any
    enum: tuple[Any, ...] | None

    def value(self, text: str) -> Any:
        """The typed value of what the API carries as text. ValidationException names the parameter."""
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


_READ: dict[str, Callable[[str], Any]] = {
    "String": str,
    "Integer": int,
    "Float": float,
    "Boolean": lambda text: {"true": True, "false": False}[text.lower()],
}


@dataclass(frozen=True)
class RetryPolicy:
    """How often to try again after which failures. Times in seconds."""

    exceptions: frozenset[str]
    interval: float
    backoff: float
    max_attempts: int | None
    expire_after: float | None


@dataclass(frozen=True)
class Step:
    """One node of the graph; `needs` holds the steps that it waits for, stated or referred to."""

    name: str
    type: str
    arguments: Json
    needs: frozenset[str]
    retry_policies: tuple[RetryPolicy, ...]
    display_name: str | None
    description: str | None


@dataclass(frozen=True)
class Definition:
    """A definition that can be run."""

    text: str
    parameters: dict[str, Parameter]
    steps: dict[str, Step]

    def values(self, given: list[Json]) -> Json:
        """Each parameter's value in an execution started with `given` ([{"Name":…, "Value":…}]).

        Raises ValidationException naming the parameter that is unknown, set twice, ill-typed or not set.
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
    """Each `Get` in `value`."""
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
    """`value` with every `Get` answered by `get` and every Std:Join joined."""
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
    """A value as Std:Join and the API write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)


def property_at(description: Json, path: str) -> Any:
    """What `path` (`ModelArtifacts.S3ModelArtifacts`, `…Outputs['train']…`) names in a Describe response.

    Raises KeyError if it is not there.
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
