"""The file that a training script writes its model to, read from its syntax."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Final

SAVERS: Final = ("save_model", "dump", "save", "to_pickle")
"""The names of functions that write a model to a file."""


def saved_file(tree: ast.AST) -> tuple[str, bool] | None:
    """The name of the file in the model's folder, and whether pickle writes it; None if no literal says it.

    A path that names the model's folder is meant rather than another one that is saved to.
    """
    values = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: list[tuple[bool, str, bool]] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not _writes(node):
            continue
        for given in [*node.args, *(each.value for each in node.keywords)]:
            path = _value(given, values)
            if name := _last_part(path):
                text = ast.unparse(path).lower().replace("-", "_")
                pickles = _name(node.func) == "open" or "pickle" in ast.unparse(node.func).lower()
                found.append(("model_dir" in text or "/opt/ml/model" in text, name, pickles))
    named = [(name, pickles) for in_folder, name, pickles in found if in_folder]
    saved = [(name, pickles) for _, name, pickles in found]
    return next(iter([*named, *saved]), None)


def _writes(call: ast.Call) -> bool:
    name = _name(call.func)
    if name == "open":  # what a pickle is written to; metrics are written as text
        return any(isinstance(each, ast.Constant) and each.value == "wb" for each in _given(call))
    return name in SAVERS


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(each.value for each in call.keywords)]


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _value(node: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """The expression that a variable was set to, where it is one."""
    for _ in values:
        if not isinstance(node, ast.Name) or node.id not in values:
            break
        node = values[node.id]
    return node


def _last_part(node: ast.expr) -> str:
    """The last part of a path that ends with a literal, such as os.path.join(folder, "model.json")."""
    end: ast.expr | None = None
    if isinstance(node, ast.Call) and _name(node.func) == "join" and node.args:
        end = node.args[-1]
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div | ast.Add):
        end = node.right
    elif isinstance(node, ast.JoinedStr) and node.values:
        end = node.values[-1]
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "/" in node.value:
        end = node
    elif isinstance(node, ast.Call) and _name(node.func) in ("str", "Path") and node.args:
        return _last_part(node.args[-1])
    text = end.value if isinstance(end, ast.Constant) else ""
    return text.rpartition("/")[2] if isinstance(text, str) else ""
