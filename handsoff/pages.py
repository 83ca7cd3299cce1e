"""Where a page of the docs lies that a message names."""

from __future__ import annotations

from pathlib import Path
from typing import Final

INSTALLED: Final = Path(__file__).parent / "app"
"""The folder with handsoff's own files where it is installed; a checkout has none."""


def page(path: str, app: Path = INSTALLED) -> str:
    """`path`, such as docs/how-to/serve.md#ask, as readers find it: in a checkout, or as installed."""
    return str(app / path) if (app / path.partition("#")[0]).is_file() else path
