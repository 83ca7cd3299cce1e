"""Photographs pages in headless Chromium, for the pictures of docs and examples."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from typing import Literal

from playwright.sync_api import Page, sync_playwright

from tests.review.conftest import ARGUMENTS


def photograph(
    address: str,
    width: int,
    height: int,
    *,
    scheme: Literal["light", "dark"] = "light",
    before: Callable[[Page], None] = lambda _page: None,
) -> bytes:
    """The beginning of the page at `address` as PNG, of a window of these CSS pixels.

    `before` may fill in the page first. Ends the program where there is no Chromium.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        page.goto(address)
        before(page)
        picture = page.screenshot()
        browser.close()
    return picture
