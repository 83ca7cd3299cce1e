"""What a training script says about itself: arguments and imports, read from its syntax; it never runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handsoff.errors import NotFound, UsageError
from handsoff.offline import saved
from retraining.config.training import IMAGES

SCALARS: Final = (bool, int, float, str)
"""Types of values that a hyperparameter may have."""

SERVING: Final = ("model_fn", "input_fn", "predict_fn", "output_fn")
"""The functions by which a model is asked."""

TRANSFORM: Final = "transform_fn"
"""The function that stands in the place of the last three."""

_IMAGE_OF: Final = {
    "xgboost": "xgboost",
    "torch": "pytorch",
    "pytorch_lightning": "pytorch",
    "sklearn": "scikit-learn",
}
"""Images by the module that code imports, those that decide first."""

_ENVIRONMENT: Final = "SM_"
"""The beginning of the names of variables that SageMaker sets: defaults from them are no hyperparameters."""


@dataclass(frozen=True)
class Script:
    """A training script. `hyperparameters` are its arguments with constant defaults."""

    path: Path
    image: str
    why_image: str
    hyperparameters: Mapping[str, bool | int | float | str]
    functions: tuple[str, ...]
    """The serving functions that it defines."""

    reads_channels: bool
    """Whether it names a channel or the folder of the model, as script mode gives them."""

    reads_csv: bool
    """Whether it reads CSV, and names Parquet nowhere."""

    model_file: str | None
    """The file that it writes to the model's folder, where the script names it by a literal."""

    pickles: bool
    """Whether it writes that file by pickle."""


def read_script(path: Path) -> Script:
    """Read a script. Raises NotFound, and UsageError where it is no Python."""
    if not path.is_file():
        raise NotFound(f"{path} does not exist: name a training script")
    try:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise UsageError(
            f"{path}{line} is no Python: {getattr(error, 'msg', 'it is not text in UTF-8')}"
        ) from None
    image, why = _image(_reached(path), tree)
    return Script(
        path,
        image,
        why,
        dict(_arguments(tree)),
        tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in SERVING),
        _ENVIRONMENT in text,
        reads_csv([path]),
        *(saved.saved_file(tree) or (None, False)),
    )


def reads_csv(paths: Iterable[Path]) -> bool:
    """Whether modules read CSV, but for the bodies of requests, and none of them names Parquet."""
    texts = [path.read_text(encoding="utf-8") for path in paths]
    if any("parquet" in text.lower() for text in texts):
        return False
    return any(_reads_csv(node) for text in texts for node in _outside_serving(ast.parse(text)))


def _reads_csv(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.fullmatch(r"[^\s]*\.csv", node.value) is not None
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in ("read_csv", "genfromtxt", "loadtxt")


def _outside_serving(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are not within a serving function."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.FunctionDef) and node.name in (*SERVING, TRANSFORM)):
            yield node
            yield from _outside_serving(node)


def defined_functions(path: Path) -> tuple[str, ...]:
    """The serving functions that a module defines or imports; all, if it imports names that it does not list.

    Raises SyntaxError and UnicodeDecodeError.
    """
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
    return tuple(name for name in (*SERVING, TRANSFORM) if name in names or "*" in names)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _reached(script: Path) -> dict[str, set[str]]:
    """The modules that are imported, by the file beside the script that does it: of those that the script
    imports, directly or by others of them."""
    found: dict[str, set[str]] = {}
    waiting = [script]
    while waiting:
        path = waiting.pop(0)
        name = path.relative_to(script.parent).as_posix()
        if name in found:
            continue
        modules = set(_modules_of(path, script.parent))
        found[name] = {module.partition(".")[0] for module in modules}
        for module in sorted(modules):
            below = script.parent.joinpath(*module.split("."))
            waiting += [each for each in (below.with_suffix(".py"), below / "__init__.py") if each.is_file()]
    return found


def _modules_of(path: Path, root: Path) -> Iterator[str]:
    """The dotted names that a file may import, of relative ones from `root` on; none if it is no Python."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.relative_to(root).parts[: -node.level] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ([module] if module else [])
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names if alias.name != "*")


def _image(reached: Mapping[str, set[str]], tree: ast.AST) -> tuple[str, str]:
    """The image whose framework the script imports, or a module that it imports, and why."""
    for who, names in (("the code", set(_imports(tree))), *reached.items()):
        for module, image in _IMAGE_OF.items():
            if module in names:
                found = next(alias for alias in IMAGES if alias.startswith(f"{image}:"))
                return found, f"{who} imports {module}"
    return IMAGES[0], "the code imports no framework that an image is known for"


def _arguments(tree: ast.AST) -> Iterator[tuple[str, bool | int | float | str]]:
    """The names and constant defaults of argparse arguments; those that SageMaker sets are left out."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr != "add_argument":
            continue
        options = [
            each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)
        ]
        name = next((each.removeprefix("--") for each in options if each.startswith("--")), None)
        default = next((each.value for each in node.keywords if each.arg == "default"), None)
        value = _constant(default)
        if name and isinstance(value, SCALARS) and not any(each.arg == "action" for each in node.keywords):
            yield name, value


def _constant(node: ast.expr | None) -> object:
    """The value of a constant, also a negative one; None for anything else."""
    try:
        return ast.literal_eval(node) if node is not None else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def argument_names(path: Path) -> frozenset[str]:
    """The names of all arguments that a script defines by add_argument, without dashes."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            options = (each.value for each in node.args if isinstance(each, ast.Constant))
            if node.func.attr == "add_argument":
                names |= {str(option).lstrip("-") for option in options}
    return frozenset(names)
