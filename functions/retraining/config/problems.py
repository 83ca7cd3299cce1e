"""How a file that does not validate is explained: pydantic's errors as sentences for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from retraining.config.fields import RULE_TAGS

MAX_SHOWN: Final = 80
"""Characters of a wrong value that an explanation shows."""

_MAPPING: Final = "a mapping, such as {{key: value}}"

_EXPECTED: Final[Mapping[str, str]] = {
    "unexpected": "{expected}",
    "string_type": "text",
    "string_too_short": "text of at least {min_length} character",
    "string_too_long": "text of at most {max_length} characters",
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
}
"""What was expected, by pydantic's type of error. Its context fills the braces in `str.format`."""


def explain(error: ValidationError, source: str) -> str:
    """Explain why `source`, a file or a parameter, is not valid: a line for each wrong key.

    A line names the key's path, what was expected there, and what was found or what to do.
    """
    lines = [f"  {_path(problem)}: {_sentence(problem)}" for problem in error.errors(include_url=False)]
    return "\n".join([f"{source} is not valid:", *lines])


def _path(problem: ErrorDetails) -> str:
    """Where the wrong key is: `models.titanic.approval.rules, number 1, min`."""
    path, numbered = "", False
    at, kind = problem["loc"], problem["type"]
    for index, part in enumerate(at):
        # pydantic adds the form of a rule or of `ready` that it chose, and [key] if a key itself is wrong.
        if part in (*RULE_TAGS, "[key]") or (index and at[index - 1] == "ready"):
            continue
        wrong_key = at[index + 1 :] == ("[key]",) or (kind == "invalid_key" and part == at[-1])
        is_key = isinstance(part, str) or wrong_key
        if is_key:
            path += f"{', ' if numbered else '.'}{part}"
        else:
            path += f", number {int(part) + 1}"
        numbered = not is_key
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        path += ".when"
    return path.lstrip(",. ") or "the whole"


def _sentence(problem: ErrorDetails) -> str:
    """What is wrong at the key, and what was expected."""
    kind, context = problem["type"], problem.get("ctx", {})
    if kind in ("missing", "union_tag_not_found"):
        return "the key is required, and it is missing"
    if kind in ("extra_forbidden", "invalid_key"):
        return "no such key: remove it, or correct its spelling"
    if kind == "value_error":
        return str(context["error"])
    if kind == "json_invalid":
        return f"expected JSON: {context['error']}"
    found = context["tag"] if kind == "union_tag_invalid" else problem["input"]
    return f"expected {_EXPECTED.get(kind, 'another value').format(**context)}, not {_shown(found)}"


def _shown(value: object) -> str:
    """A value as YAML writes it, cut to MAX_SHOWN characters."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value!r:.{MAX_SHOWN}}"
