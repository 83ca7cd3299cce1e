"""How a file that does not validate is explained: pydantic's errors as sentences for people."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError

_PLAINLY: Final = {
    "tuple_type": "a list, such as [one, another]",
    "dict_type": "a mapping, such as {key: value}",
    "model_type": "a mapping, such as {key: value}",
}


def explain(error: ValidationError, source: str) -> str:
    """A line per wrong key: where it is, what was expected, what stands there."""
    lines = [f"{source} is not valid:"]
    for problem in error.errors(include_url=False):
        at = problem["loc"]
        # pydantic names the form of a rule, and of `ready`, that it chose, which is no key of the file.
        parts = [
            str(part)
            for index, part in enumerate(at)
            if str(part) not in ("<metric>", "<data>") and (not index or at[index - 1] != "ready")
        ]
        key = re.sub(r"\.(\d+)\.?", lambda at: f", number {int(at[1]) + 1}, ", ".".join(parts)).rstrip(", ")
        key = key.replace(".[key]", "") or "(the whole)"
        message = re.sub(r"^(Value error|Assertion failed), ", "", problem["msg"])
        message = _PLAINLY.get(problem["type"], message)
        shown = "" if problem["type"] in ("missing", "value_error") else f", not {problem['input']!r:.80}"
        if problem["type"] == "extra_forbidden":
            message, shown = "no such key", ""
        lines.append(f"  {key}: {message}{shown}")
    return "\n".join(lines)
