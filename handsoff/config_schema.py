"""The JSON Schema of handsoff.yaml, for editors: from the models and the docstrings below their fields."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final, get_args

from pydantic import BaseModel

from retraining.config.fields import ALONE, ALSO
from retraining.config.schema import MAX_CLASSES, Config
from retraining.config.tasks import ESTIMATORS, METRICS, Range, Task

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
"""The version of JSON Schema."""

_Schema = dict[str, Any]

ONE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "MetricRule": ("min", "max", "versus_champion", "versus_anchor"),
    "DataRule": ("min", "max"),
    "VersusChampion": ("max_loss", "min_gain", "max_gain"),
}
"""Sections that need at least one of these keys."""

TOGETHER: Final[Mapping[str, tuple[str, ...]]] = {
    "Training": ("source_dir", "entry_point", "image"),
    "Aws": ("subnets", "security_groups"),
}
"""Keys of sections that stand together or not at all."""


_REACHES: Final = sorted({reach for task in METRICS.values() for reach in task.values()})
"""The ranges that metrics have."""

RETURNS: Final[Mapping[Task, tuple[str, ...]]] = {
    "binary_classification": ("probability", "label"),
    "multiclass_classification": ("probability", "label"),
    "regression": ("value",),
}
"""What own code may return for a row, by task."""


def config_schema() -> _Schema:
    """The schema. It accepts what the parser accepts, and refuses most of what the parser refuses.

    A schema cannot compare keys with each other: that the target is no feature, say.
    """
    sections = {section.__name__: section for section in _sections(Config)}
    whole = plain_schema(Config)
    for name, schema in (("Config", whole), *whole["$defs"].items()):
        meanings = docstrings(sections[name])
        for key, property_ in schema.get("properties", {}).items():
            schema["properties"][key] = _property(property_, meanings.get(key), whole["$defs"])
        _complete(name, schema)
    return {"$schema": DIALECT, "title": "handsoff.yaml", **_plain(whole)}


def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstrings below the fields of a model and of the models that it extends, each on one line.

    pydantic's `use_attribute_docstrings` would read them in each cold start of a function.
    """
    found = {}
    for kind in reversed(model.__mro__[: model.__mro__.index(BaseModel)]):
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        for pair in pairwise(tree.body if isinstance(tree, ast.ClassDef) else []):
            match pair:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = " ".join(text.split())
    return found


def plain_schema(model: type[BaseModel]) -> _Schema:
    """The schema that pydantic makes of a model, which builds each model at its first use.

    A default that is a section is written by that section's model, so all are built first.
    """
    for section in _sections(model):
        section.model_rebuild()
    return model.model_json_schema()


def _sections(kind: object) -> Iterator[type[BaseModel]]:
    """The models in a type, and those in their fields."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
        for field in kind.model_fields.values():
            yield from _sections(field.annotation)
    else:
        for argument in get_args(kind):
            yield from _sections(argument)


def _property(property_: _Schema, meaning: str | None, sections: Mapping[str, _Schema]) -> _Schema:
    """A key's schema with its meaning, and what is expected where that has a form."""
    expected = _expected(property_)
    text = meaning or next((_first(sections[name]) for name in _referred(property_)), "")
    if expected:
        text += f" Expected: {expected}."
    default = property_.get("default")
    shown = not isinstance(default, dict | list | None) and property_.get("format") != "duration"
    left_out = ("description", "title", *(() if shown else ("default",)))
    return {"description": text, **{key: value for key, value in property_.items() if key not in left_out}}


def _expected(property_: _Schema) -> str | None:
    found = [each.get("description") for each in (property_, *property_.get("anyOf", []))]
    return next((text for text in found if text), None)


def _referred(property_: _Schema) -> Iterator[str]:
    for each in (property_, *property_.get("anyOf", []), *property_.get("allOf", [])):
        if "$ref" in each:
            yield each["$ref"].rpartition("/")[2]


def _first(section: _Schema) -> str:
    """The first paragraph of a section's docstring."""
    return " ".join(str(section.get("description", "")).split("\n\n")[0].split())


def _complete(name: str, schema: _Schema) -> None:
    """Add what the models check themselves, as far as a schema can say it."""
    if keys := ONE_OF.get(name):
        schema["anyOf"] = [
            {"required": [key], "properties": {key: {"not": {"type": "null"}}}} for key in keys
        ]
    if together := TOGETHER.get(name):
        schema["dependentRequired"] = {key: [each for each in together if each != key] for key in together}
    if name == "Features":
        listed = [key for key, value in schema["properties"].items() if value.get("type") == "array"]
        schema["anyOf"] = [{"required": [key], "properties": {key: {"minItems": 1}}} for key in listed]
    if name == "Training":
        own = {"required": ["source_dir"], "properties": {"source_dir": {"type": "string"}}}
        schema["allOf"] = [{"if": own, "then": {"properties": {"estimator": {"type": "null"}}}}]
    if name == "MetricRule":
        schema["allOf"] = [_limits(reach) for reach in _REACHES]

        schema["properties"]["metric"]["enum"] = list(
            dict.fromkeys(each for task in METRICS.values() for each in task)
        )
    if name == "ModelConfig":
        schema["allOf"] = [_of_task(task) for task in METRICS]


def _limits(reach: Range) -> _Schema:
    """The limits that a rule may set on the metrics that lie within `reach`."""
    metrics = [name for task in METRICS.values() for name, each in task.items() if each == reach]
    lowest, highest = (bound if math.isfinite(bound) else None for bound in reach)
    limits = {
        "min": {"exclusiveMinimum": lowest, "maximum": highest},
        "max": {"minimum": lowest, "exclusiveMaximum": highest},
    }
    said = {
        key: {word: bound for word, bound in each.items() if bound is not None}
        for key, each in limits.items()
    }
    of_them = {"properties": {"metric": {"enum": list(dict.fromkeys(metrics))}}, "required": ["metric"]}
    return {"if": of_them, "then": {"properties": said}}


def _of_task(task: Task) -> _Schema:
    """What holds for the models of one task: its classes, metrics and estimators."""
    classes: Mapping[Task, _Schema] = {
        "binary_classification": {"minItems": 2, "maxItems": 2},
        "multiclass_classification": {"minItems": 3, "maxItems": MAX_CLASSES},
        "regression": {"maxItems": 0},
    }
    metric = {"properties": {"metric": {"enum": list(METRICS[task])}}}
    then: _Schema = {
        "properties": {
            "classes": classes[task],
            "approval": {"properties": {"rules": {"items": metric}}},
            "training": {"properties": {"estimator": {"enum": [*sorted(ESTIMATORS[task]), None]}}},
            "inference": {"properties": {"returns": {"enum": [*RETURNS[task], None]}}},
        }
    }
    if task == "multiclass_classification":
        then["required"] = ["classes"]
    return {"if": {"properties": {"task": {"const": task}}, "required": ["task"]}, "then": then}


def _plain(value: Any) -> Any:
    """A schema without pydantic's titles and our own marks."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _plain(each) for key, each in value.items() if key not in (ALSO, ALONE, "discriminator")}
    if isinstance(found.get("title"), str):
        del found["title"]
    if found.get("format") == "duration":
        del found["format"]
    if (also := value.get(ALSO)) and "type" in found:
        found["type"] = [found["type"], *also]
    if "patternProperties" in found:
        found.setdefault("additionalProperties", False)
    if value.get(ALONE):
        said = {key: found.pop(key) for key in ("description", "default") if key in found}
        return {**said, "anyOf": [found["items"], found]}
    return found
