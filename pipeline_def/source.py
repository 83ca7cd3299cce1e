"""Reads own training code from its folder: all its files but those that no job needs.

Left out are names that begin with a dot (.git, .venv, .idea, .ipynb_checkpoints, .env), `__pycache__` and
compiled files, virtual environments of any name, node_modules, *.egg-info, editors' backups (`x~`, `#x#`,
`x.swp`), and what a deployment leaves beside handsoff.yaml, which names the hash of the code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

SIZE_LIMIT: Final = 50 * 1024 * 1024
"""Bytes that the files of own code may have together. Each training job downloads them."""

FILES_LIMIT: Final = 1000
"""Files that own code may have."""

OURS: Final = frozenset({"handsoff_entry", "handsoff_entry.py", "handsoff.json"})
"""Names in the first folder of the code that publishing needs for files of its own."""

_LEFT_OUT: Final = re.compile(
    r"\..*|__pycache__|node_modules|.*\.(?:pyc|pyo|swp|egg-info)|.*~|#.*#"
    r"|handsoff-terraform|handsoff\.auto\.tfvars\.json|.*\.tfstate(?:\..*)?"
)
_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\\]")


class SourceError(ValueError):
    """Own code cannot be published. The message names the folder or the file, and what to do."""


def read_source(model: Mapping[str, Any], folder: Path) -> dict[str, bytes]:
    """The files of a model's own code, by their paths in `source_dir` with slashes.

    `model` is a ModelConfig as plain data, `folder` that of its handsoff.yaml. Raises SourceError if a file
    or the folder is missing, lies outside `folder`, has a name of ours, or is too large.
    """
    training = model["training"]
    where, root = training["source_dir"], folder.resolve()
    source = root / where
    if not source.is_dir():
        raise SourceError(f"training.source_dir {where} is no folder beside handsoff.yaml in {folder}")
    files: dict[str, bytes] = {}
    size = 0
    for path in _files(source, root, ()):
        name = path.relative_to(source).as_posix()
        if name.partition("/")[0] in OURS:
            raise SourceError(f"{where}/{name}: this name is needed beside the code, rename yours")
        size += path.stat().st_size
        if size > SIZE_LIMIT:
            raise SourceError(
                f"the code in {where} has more than {SIZE_LIMIT // 1024**2} MB, reached at {name}: move data "
                "and models out of training.source_dir"
            )
        files[name] = path.read_bytes()
        if len(files) > FILES_LIMIT:
            raise SourceError(
                f"the code in {where} has more than {FILES_LIMIT:,} files, reached at {name}: move data out "
                "of training.source_dir"
            )
    scripts = {"training": training["entry_point"]}
    if named := model.get("inference", {}).get("entry_point"):
        scripts["inference"] = named
    for key, script in scripts.items():
        if script not in files:
            known = ", ".join(sorted(name for name in files if name.endswith(".py"))[:10]) or "none"
            raise SourceError(f"{key}.entry_point {script} is not in {where}; its Python files: {known}")
    return files


def _files(folder: Path, root: Path, above: tuple[Path, ...]) -> Iterator[Path]:
    """The files in a folder and below it that are not left out, sorted. Links may not lead out of `root`."""
    real = folder.resolve()
    if not real.is_relative_to(root):
        raise SourceError(f"{folder.relative_to(root)} leads out of {root}: code must lie inside that folder")
    if real in above:
        raise SourceError(f"{folder.relative_to(root)} is a link to a folder that it lies in: remove it")
    for path in sorted(folder.iterdir()):
        if _LEFT_OUT.fullmatch(path.name):
            continue
        if _UNPRINTABLE.search(path.name):
            raise SourceError(
                f"{path.relative_to(root)!r:.200}: the name has a character that no job can read"
            )
        if not path.resolve().is_relative_to(root):
            raise SourceError(
                f"{path.relative_to(root)} leads out of {root}: code must lie inside that folder"
            )
        if path.is_dir():
            if not (path / "pyvenv.cfg").exists():
                yield from _files(path, root, (*above, real))
        elif path.is_file():
            yield path
        else:
            raise SourceError(
                f"{path.relative_to(root)} is no file and no folder, or a broken link: remove it"
            )
