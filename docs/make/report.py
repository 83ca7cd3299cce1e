"""Make docs/images/report.png and report-phone.png: python docs/make/report.py

They show the report of the candidate of the review page's tests in headless Chromium. Names, numbers and
times are the same each time. Pixels depend on the machine's fonts.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal
from unittest.mock import patch

from playwright.sync_api import sync_playwright

from tests.report import cases
from tests.review import stage
from tests.review.conftest import ARGUMENTS

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


def photograph(address: str, chromium: str, shot: Shot) -> bytes:
    """The beginning of the report at `address`, as PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        size = {"width": shot.width, "height": shot.height}
        page = browser.new_page(viewport=size, color_scheme=shot.scheme)  # type: ignore[arg-type]
        page.goto(address)
        picture = page.screenshot()
        browser.close()
    return picture


def main() -> int:
    """Write the pictures; the exit code."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("there is no chromium on this machine: apt-get install chromium", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as scratch, patch.object(stage, "NOW", MOMENT):
        path = Path(scratch, "report.html")
        path.write_text(cases.page_of(cases.held()), encoding="utf-8")
        for shot in SHOTS:
            (IMAGES / shot.name).write_bytes(photograph(path.as_uri(), chromium, shot))
            print(f"{shot.name} is written, {(IMAGES / shot.name).stat().st_size // 1000} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
