"""Make docs/images/review-page.png: python docs/make/review_page.py

The picture shows the candidate of the review page's tests, whose evaluation is tests/samples/evaluation.json,
in headless Chromium. Names, numbers and times are the same each time. Pixels depend on the machine's fonts.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from unittest.mock import patch

from playwright.sync_api import Page

from docs.make.browser import photograph
from tests.review import stage
from tests.review.conftest import Site

PICTURE: Final = Path(__file__).parents[1] / "images" / "review-page.png"

MOMENT: Final = datetime(2026, 11, 23, 7, tzinfo=UTC)
"""The time at which the page is shown."""

WIDTH: Final = 1240
"""CSS pixels, at which the form stands beside the verdict."""

HEIGHT: Final = 1560
"""CSS pixels: the verdict, the form, and whether the numbers can be trusted."""


def fill_in(page: Page) -> None:
    """Fill in the form of the page, as an approver does."""
    page.get_by_label("Approve", exact=True).check()
    page.get_by_label("Your name").fill("Ada Lovelace")
    page.get_by_label("Reason").fill("0.91 is enough for the ferry line.")
    page.locator("h1").click()  # so that no field shows a cursor


def main() -> int:
    """Write the picture; the exit code."""
    with patch.object(stage, "NOW", MOMENT):
        site = Site()
        site.stage.using = replace(site.stage.using, clock=lambda: MOMENT)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        PICTURE.write_bytes(photograph(site.url(), WIDTH, HEIGHT, before=fill_in))
        site.shutdown()
        site.server_close()
    print(f"{PICTURE.name} is written, {PICTURE.stat().st_size // 1000} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
