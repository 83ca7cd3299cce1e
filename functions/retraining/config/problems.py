"""How a file that does not validate is explained: pydantic's errors as sentences for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from retraining.config.fields import TAGS, BareWord, Problems
from retraining.config.nearest import instead_of

MAX_SHOWN: Final = 80
"""Characters of a wrong value that an explanation shows."""

_MAPPING: Final = "a mapping, such as {{key: value}}"

_EXPECTED: Final[Mapping[str, str]] = {
    "unexpected": "{expected}",
    "string_type": "text",
    "string_too_short": "text of at least {min_length} character",
    "string_too_long": "text of at most {max_length} characters",
    "string_unicode": "text in UTF-8",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "literal_error": "{expected}",
    "union_tag_invalid": "one of {expected_tags}",
    "tuple_type": "a list, such as [one, another]",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "too_short": "at least {min_length} entry",
    "too_long": "at most {max_length} entries",
    "recursion_loop": "a value that does not contain itself",
}
"""What was expected, by pydantic's type of error. Its context fills the braces in `str.format`."""


class Where(Protocol):
    """Where in a file a value, or its key, stands: line and column from 1; None if that is not known."""

    def __call__(self, path: Sequence[str | int], *, key: bool = False) -> tuple[int, int] | None: ...


class Found(NamedTuple):
    """One problem of a file."""

    at: tuple[str | int, ...]
    """The path of the wrong value, or of the section that lacks a key, as the file has it."""

    shown: str
    """That path for people: `models.titanic.approval.rules, number 1, min`."""

    said: str
    """What is wrong, what was expected, and what to do."""

    on_key: bool = False
    """Whether the key itself is wrong, and not its value."""


def explain(
    error: ValidationError, source: str, *, root: type[BaseModel] | None = None, where: Where | None = None
) -> str:
    """Explain why `source`, a file or a parameter, is not valid: a line for each wrong key.

    A line names the key's path, what was expected there, and what was found or what to do. `root`, the class
    that did not validate, finds the right spelling of keys; `where` the lines of a file.
    """
    return explained(found_in(error, root), source, where)


def explained(found: Sequence[Found], source: str, where: Where | None = None) -> str:
    """The explanation of these problems, in the order of the file."""
    placed = [((where(each.at, key=each.on_key) if where else None) or (0, 0), each) for each in found]
    lines = [
        f"  {f'line {line}, column {column}: ' if line else ''}{each.shown}: {each.said}"
        for (line, column), each in sorted(placed, key=lambda one: one[0])
    ]
    return "\n".join([f"{source} is not valid:", *lines])


def found_in(error: ValidationError, root: type[BaseModel] | None) -> list[Found]:
    """The problems that pydantic found; a key that is missing because it is misspelt is one problem."""
    details = error.errors(include_url=False)
    meant = {
        (*problem["loc"][:-1], instead_of(root, problem["loc"])[0])
        for problem in details
        if root and problem["type"] == "extra_forbidden"
    }
    found = []
    for problem in details:
        if problem["type"] == "missing" and problem["loc"] in meant:
            continue
        context = problem.get("ctx", {}).get("error")
        if isinstance(context, Problems):
            at = real_path(problem)
            paths = [(*at, *path) for path, _ in context.found]
            found += [
                Found(path, _words(path), said) for path, (_, said) in zip(paths, context.found, strict=True)
            ]
        else:
            found.append(_found(problem, root))
    return list(dict.fromkeys(found))


def _found(problem: ErrorDetails, root: type[BaseModel] | None) -> Found:
    kind, at = problem["type"], real_path(problem)
    wrong_key = kind in ("extra_forbidden", "invalid_key") or problem["loc"][-1:] == ("[key]",)
    lacking = kind in ("missing", "union_tag_not_found")
    shown = _words(at, keys=1 if wrong_key else 0) + (".when" if kind.startswith("union_tag") else "")
    return Found(at[:-1] if kind == "missing" else at, shown, _sentence(problem, root), wrong_key or lacking)


def real_path(problem: ErrorDetails) -> tuple[str | int, ...]:
    """The path as the file has it.

    pydantic adds the form of a rule, a range or of `ready` that it chose, and [key] if a key is wrong.
    """
    at, added = problem["loc"], (*TAGS, "[key]")
    return tuple(
        part
        for index, part in enumerate(at)
        if part not in added and at[max(index - 2, 0) : index] != ("retrain", "ready")
    )


def _words(at: Sequence[str | int], keys: int = 0) -> str:
    """A path for people; of its last `keys` parts, numbers are keys, too."""
    path, numbered = "", False
    for index, part in enumerate(at):
        is_key = isinstance(part, str) or index >= len(at) - keys
        path += f"{', ' if numbered else '.'}{part}" if is_key else f", number {int(part) + 1}"
        numbered = not is_key
    return path.lstrip(",. ") or "the whole"


def _sentence(problem: ErrorDetails, root: type[BaseModel] | None) -> str:
    """What is wrong at the key, and what was expected."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in ("missing", "union_tag_not_found"):
        return "the key is required, and it is missing"
    if kind in ("extra_forbidden", "invalid_key"):
        instead = instead_of(root, problem["loc"])[1] if root else "remove it, or correct its spelling"
        return f"no such key: {instead}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("ambiguous", "refused"):
        return problem["msg"]
    if kind == "json_invalid":
        return f"expected JSON: {context['error']}"
    found = context["tag"] if kind == "union_tag_invalid" else problem["input"]
    said = f"expected {_EXPECTED.get(kind, 'another value').format(**context)}, not {shown(found)}"
    if found is None and _EXPECTED.get(kind) == _MAPPING:
        said += ": write keys below it, or remove it"
    return said


def shown(value: object) -> str:
    """A value as YAML writes it, cut to MAX_SHOWN characters."""
    text = _yaml(value)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def _yaml(value: object, depth: int = 0) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, BareWord):
        return str(value)
    if depth > 3:
        return "…"
    if isinstance(value, Mapping):
        inner = (f"{_plain(key)}: {_yaml(each, depth + 1)}" for key, each in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, list | tuple | set):
        return f"[{', '.join(_yaml(each, depth + 1) for each in value)}]"
    return f"'{_plain(value)}'"


def _plain(value: object) -> str:
    """Text in one line that controls no terminal."""
    return "".join(sign if sign.isprintable() else "�" for sign in str(value))
