"""Make docs/images/report.png and report-phone.png: python docs/make/report.py

They show the report of the candidate of the review page's tests in headless Chromium. Names, numbers and
times are the same each time. Pixels depend on the machine's fonts.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from unittest.mock import patch

from docs.make.browser import photograph
from tests.report import cases
from tests.review import stage

IMAGES: Final = Path(__file__).parents[1] / "images"

MOMENT: Final = datetime(2026, 11, 23, 7, tzinfo=UTC)
"""The time at which the candidate waits."""


@dataclass(frozen=True)
class Shot:
    """A picture of the page's beginning: its size in CSS pixels, and its colours."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"] = "light"


SHOTS: Final = (Shot("report.png", 1100, 1500), Shot("report-phone.png", 360, 1240, "dark"))


def main() -> int:
    """Write the pictures; the exit code."""
    with tempfile.TemporaryDirectory() as scratch, patch.object(stage, "NOW", MOMENT):
        path = Path(scratch, "report.html")
        path.write_text(cases.page_of(cases.held()), encoding="utf-8")
        for shot in SHOTS:
            (IMAGES / shot.name).write_bytes(
                photograph(path.as_uri(), shot.width, shot.height, scheme=shot.scheme)
            )
            print(f"{shot.name} is written, {(IMAGES / shot.name).stat().st_size // 1000} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
