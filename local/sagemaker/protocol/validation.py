"""Checks requests against botocore's model of SageMaker and words errors as AWS does.

botocore's own validator, which runs in the client, checks required members, types and lower bounds. Only AWS
and this module check upper bounds, patterns and enums.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, Final

import botocore.session
import regex  # type: ignore[import-untyped]  # supports \p{…}, which AWS's patterns use
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape

from local.sagemaker.errors import SerializationException, ValidationException
from local.types import Json

_CONSTRAINT: Final = "to satisfy constraint"
"""The middle of each message about a breach."""

MAX_SHOWN: Final = 256
"""Characters of a value in a message."""

_JSON_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float),
    "blob": (str,),
}
"""The Python types that JSON values of each type of shape have."""


@functools.cache
def service_model() -> ServiceModel:
    """botocore's model of SageMaker."""
    return botocore.session.Session().get_service_model("sagemaker")


def input_shape(operation: str) -> StructureShape:
    """The shape of the request of `operation`."""
    shape = service_model().operation_model(operation).input_shape
    assert isinstance(shape, StructureShape)  # nosec B101 # noqa: S101 - all operations have one
    return shape


def output_members(operation: str) -> frozenset[str]:
    """The top-level members of the response of `operation`."""
    shape = service_model().operation_model(operation).output_shape
    return frozenset(shape.members) if shape else frozenset()


def validate(shape: StructureShape, value: Json) -> None:
    """Raise SerializationException or ValidationException unless `value` fits `shape`."""
    errors = list(violations(shape, value))
    if errors:
        noun = "error" if len(errors) == 1 else "errors"
        raise ValidationException(f"{len(errors)} validation {noun} detected: {'; '.join(errors)}")


def never(_value: object) -> bool:
    """No value is a placeholder."""
    return False


def violations(
    shape: Shape, value: Any, path: str = "", *, placeholder: Callable[[Any], bool] = never
) -> Iterator[str]:
    """A message for each breach of `shape` in `value`. Values for which `placeholder` is true pass.

    Raises SerializationException if a value has the wrong JSON type.
    """
    if placeholder(value):
        return
    _check_type(shape, value, path)
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if value.get(name) is None:
                yield f"Value null at '{_join(path, name)}' failed {_CONSTRAINT}: Member must not be null"
        for name, member in value.items():
            if name in shape.members and member is not None:
                yield from violations(shape.members[name], member, _join(path, name), placeholder=placeholder)
    elif isinstance(shape, ListShape):
        yield from _broken(path, value, _length(shape, len(value)))
        for number, item in enumerate(value, start=1):
            yield from violations(shape.member, item, f"{path}.{number}.member", placeholder=placeholder)
    elif isinstance(shape, MapShape):
        yield from _broken(path, value, _length(shape, len(value)))
        for key, item in value.items():
            if faults := _scalar(shape.key, key):
                yield from _broken(path, value, [f"Map keys must {_CONSTRAINT[3:]}: [{', '.join(faults)}]"])
            if isinstance(shape.value, StructureShape | ListShape | MapShape):
                yield from violations(shape.value, item, f"{path}.{key}.member", placeholder=placeholder)
            elif not placeholder(item):
                _check_type(shape.value, item, f"{path}.{key}")
                if faults := _scalar(shape.value, item):
                    yield from _broken(
                        path, value, [f"Map value must {_CONSTRAINT[3:]}: [{', '.join(faults)}]"]
                    )
    else:
        yield from _broken(path, value, _scalar(shape, value))


def unknown_members(shape: Shape, value: Any, path: str = "") -> Iterator[str]:
    """The path of each member of `value` that `shape` does not have."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, member in value.items():
            if name not in shape.members:
                yield f"{path}.{name}".lstrip(".")
            else:
                yield from unknown_members(shape.members[name], member, f"{path}.{name}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for number, item in enumerate(value):
            yield from unknown_members(shape.member, item, f"{path}[{number}]")


def _check_type(shape: Shape, value: Any, path: str) -> None:
    expected = _JSON_TYPES[shape.type_name]
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        where = f" at '{path}'" if path else ""
        raise SerializationException(
            f"{type(value).__name__} value{where} can not be converted to a {shape.type_name.capitalize()}"
        )


def _broken(path: str, value: Any, faults: list[str]) -> Iterator[str]:
    for fault in faults:
        yield f"Value '{_shown(value)}' at '{path}' failed {_CONSTRAINT}: {fault}"


def _scalar(shape: Shape, value: Any) -> list[str]:
    faults = []
    if shape.type_name == "string":
        faults += _length(shape, len(value))
        pattern = shape.metadata.get("pattern")
        if pattern and (compiled := _compile(pattern)) and not compiled.fullmatch(value):
            faults.append(f"Member must satisfy regular expression pattern: {pattern}")
        allowed = shape.metadata.get("enum")
        if allowed and value not in allowed:
            faults.append(f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    elif shape.type_name in ("integer", "long", "float", "double"):
        if value < shape.metadata.get("min", value):
            faults.append(f"Member must have value greater than or equal to {shape.metadata['min']}")
        if value > shape.metadata.get("max", value):
            faults.append(f"Member must have value less than or equal to {shape.metadata['max']}")
    return faults


def _length(shape: Shape, length: int) -> list[str]:
    faults = []
    if length < shape.metadata.get("min", 0):
        faults.append(f"Member must have length greater than or equal to {shape.metadata['min']}")
    if length > shape.metadata.get("max", length):
        faults.append(f"Member must have length less than or equal to {shape.metadata['max']}")
    return faults


@functools.cache
def _compile(pattern: str) -> "regex.Pattern[str] | None":
    """A pattern of the service model. None for the few in Java's syntax that Python cannot read."""
    try:
        # "(…)*${1,256}" repeats the end of the text. Java permits that, and it has no effect.
        return regex.compile(regex.sub(r"\$\{\d+,\d+\}$", "", pattern))
    except regex.error:
        return None


def _join(path: str, name: str) -> str:
    name = name[:1].lower() + name[1:]
    return f"{path}.{name}" if path else name


def _shown(value: Any) -> str:
    text = (
        "{" + ", ".join(f"{k}={v}" for k, v in value.items()) + "}" if isinstance(value, dict) else str(value)
    )
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
