"""Every window in which a page of ours must be accessible: narrow and wide, light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

BACKGROUNDS: Final[dict[Literal["light", "dark"], str]] = {
    "light": "rgb(244, 245, 247)",
    "dark": "rgb(14, 17, 22)",
}
"""The colour of the page's body by the colours that the reader prefers."""


def windows(page: Page, widths: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Give the page each width, in light and in dark; yields the width and the two as a text.

    A page is opened once for all of them. To open it anew takes as long as to look at it.
    """
    for scheme, background in BACKGROUNDS.items():
        page.emulate_media(media="null", color_scheme=scheme)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            window = f"{width} pixels, {scheme}"
            # our style applies
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background, window
            yield width, window


def assert_accessible(page: Page, window: str) -> None:
    """axe finds no violation. The debugger injects its script, so the page's policy does not apply to it."""
    found = Axe().run(page)
    assert found.violations_count == 0, f"{window}: {found.generate_report()}"
    assert found.response["passes"], window
