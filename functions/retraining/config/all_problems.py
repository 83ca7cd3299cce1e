"""All problems of a configuration at once.

pydantic checks whether keys fit together only in sections whose keys are valid. So what is wrong is mended in
a copy, where it is clear how, and the copy is checked again, until nothing new is found.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from retraining.config.nearest import instead_of, nearest
from retraining.config.problems import Found, found_in, real_path
from retraining.config.training import IMAGES, OWN_CODE

At = tuple[str | int, ...]
"""The path of a key or value."""

MAX_ROUNDS: Final = 6
"""Checks of one configuration. Each further one needs a problem that only mending another one showed."""

_NEEDED: Final = ("task", "target", "classes", "features")
"""Keys of a model that the checks of its other keys rely on: their wrong values are not mended."""

_PASSES: Final[Mapping[str, object]] = {"data": "rows", "min": 0}
"""A rule that is valid for each model."""

_OWN_CODE: Final = dict(zip(OWN_CODE, ("src", "train.py", IMAGES[0]), strict=True))
"""Keys of own code that are valid."""


@dataclass
class Mended:
    """What was changed in the copy."""

    left_out: set[At] = field(default_factory=set)
    """The paths of values that were replaced or left out."""

    renamed: dict[At, At] = field(default_factory=dict)
    """The paths of misspelt keys by those that they were renamed to."""

    def touches(self, at: At) -> bool:
        """Whether a problem at this path may come from the mending: something at or below it was left out."""
        return any(path[: len(at)] == at for path in self.left_out)

    def written(self, at: At) -> At:
        """The path as the file has it."""
        for new, old in self.renamed.items():
            if at[: len(new)] == new:
                return (*old, *at[len(new) :])
        return at


def find_all(
    error: ValidationError, values: object, root: type[BaseModel], context: str | None
) -> list[Found]:
    """The problems of `values`, of which `root` raised `error`, in the order in which they were found."""
    found: list[Found] = []
    mended = Mended()
    values = copy.deepcopy(values)
    for _ in range(MAX_ROUNDS):
        new = (each._replace(at=mended.written(each.at)) for each in found_in(error, root))
        found += [each for each in new if each not in found and not mended.touches(each.at)]
        if not any([_mend(values, problem, root, mended) for problem in error.errors(include_url=False)]):
            break
        try:
            root.model_validate(values, context=context)
        except ValidationError as next_error:
            error = next_error
        else:
            break
    return found


def _mend(values: Any, problem: ErrorDetails, root: type[BaseModel], mended: Mended) -> bool:
    """Mend one problem in `values`; whether it could be. What is left out to do so is added to `left_out`."""
    path, kind = real_path(problem), problem["type"]
    below = path[2:] if path[:1] == ("models",) else path  # a model may be called rules, or features
    if below[:2] == ("approval", "rules") and len(below) > 2 and kind != "extra_forbidden":
        rule = path[: len(path) - len(below) + 3]
        return _replace(values, rule, dict(_PASSES), mended)
    parent = _at(values, path[:-1])
    if not path or not isinstance(parent, dict) or path[-1] not in parent:
        return False
    value = parent[path[-1]]
    if kind == "extra_forbidden":
        del parent[path[-1]]
        if near := instead_of(root, problem["loc"])[0]:
            parent.setdefault(near, value)
            mended.renamed[(*path[:-1], near)] = path
        else:
            mended.left_out.add(path)
        return True
    if (meant := _meant(kind, value, problem.get("ctx", {}))) is not None:
        parent[path[-1]] = meant
        mended.left_out.add(path)
        return True
    if (own_code := _own_code(below, value)) is not None and path not in mended.left_out:
        parent[path[-1]] = own_code
        mended.left_out.add(path)
        return True
    needed = not below or below[0] in _NEEDED
    if needed and problem["loc"][-1:] != ("[key]",):
        return False
    del parent[path[-1]]
    mended.left_out.add(path)
    return True


def _own_code(path: At, value: object) -> object:
    """What stands in the place of a section of own code, or of a key of it, so that the model still has own
    code; None for anything else."""
    if path[:-1] == ("training",):
        return _OWN_CODE.get(str(path[-1]))
    if path == ("training",) and isinstance(value, dict) and any(key in value for key in _OWN_CODE):
        return dict(_OWN_CODE)
    return None


def _meant(kind: str, value: object, context: Mapping[str, Any]) -> object:
    """The value that was probably meant; None if that is not clear."""
    if kind == "string_type" and isinstance(value, int | float):
        return str(value)
    if kind == "tuple_type" and isinstance(value, str):
        return [value]
    if kind == "literal_error" and isinstance(value, str):
        return nearest(value, re.findall("'([^']+)'", context["expected"]))
    return None


def _replace(values: Any, path: At, rule: object, mended: Mended) -> bool:
    """Put a rule in the place of another one, once."""
    rules = _at(values, path[:-1])
    if path in mended.left_out or not isinstance(rules, list) or not isinstance(path[-1], int):
        return False
    rules[path[-1]] = rule
    mended.left_out.add(path)
    return True


def _at(values: Any, path: At) -> Any:
    """What stands at the path; None if nothing does."""
    for part in path:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values
