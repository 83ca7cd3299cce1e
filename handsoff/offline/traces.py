"""Where own code has failed: from the tracebacks that a program of the trial wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_FRAME: Final = re.compile(r'^\s*File "(?P<file>[^"\n]+)", line (?P<line>\d+)', re.MULTILINE)
"""A line of a traceback that names a file."""


def place(output: str, files: Iterable[str], source: Path) -> str | None:
    """File and line of own code that the last traceback with own code names; None where there is none.

    `files` are those of own code by their paths in `source`, the folder that people know. A job has them
    elsewhere, in its folder of the code or beside the model.
    """
    known = sorted(files, key=len, reverse=True)
    for frame in reversed(list(_FRAME.finditer(output))):
        path = frame["file"].replace("\\", "/")
        if "/site-packages/" in path or "/lib/python" in path:
            continue
        for name in known:
            if path == name or path.endswith((f"/sourcedir/{name}", f"/code/{name}")):
                return f"{source / name}, line {frame['line']}"
    return None


def keep(output: str, folder: Path, stage: str) -> Path:
    """Write what a program of the trial said to a file below the folder of handsoff.yaml; that file."""
    path = folder / ".handsoff" / f"check-{stage}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(output, encoding="utf-8", errors="replace")
    return path
