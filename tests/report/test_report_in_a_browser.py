"""Reports as people see them, in headless Chromium: on a phone, on a desk, dark, on paper, by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests.report.cases import CASES, held, page_of, put, sample
from tests.review.accessible import assert_accessible, windows
from tests.review.stage import PICTURES

pytestmark = pytest.mark.story

PAPER = "rgb(255, 255, 255)"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the report of each case, as files."""
    folder = tmp_path_factory.mktemp("reports")
    for name, make in CASES.items():
        (folder / f"{name}.html").write_text(page_of(make()))
    return folder


def opened(page: Page, path: Path, width: int, scheme: Literal["light", "dark"] = "light") -> None:
    """Open the report in a window of this size and these colours."""
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(media="null", color_scheme=scheme)
    page.goto(path.as_uri())


@contextmanager
def complaints(page: Page) -> Iterator[list[str]]:
    """What Chromium says on the console, and the addresses that the page asks for beside its own."""
    found: list[str] = []

    def said(message: ConsoleMessage) -> None:
        found.append(message.text)

    def sent(request: Request) -> None:
        if "://" in request.url[5:]:
            found.append(request.url)

    page.on("console", said)
    page.on("request", sent)
    yield found
    page.remove_listener("console", said)
    page.remove_listener("request", sent)


@pytest.mark.parametrize("case", CASES)
def test_report_has_no_accessibility_violation_and_does_not_scroll_sideways(
    reused_page: Page, reports: Path, case: str
) -> None:
    page, path, widths = reused_page, reports / f"{case}.html", (360, 768, 1280)
    with complaints(page) as found:
        opened(page, path, 360)
        for width, window in windows(page, widths):
            assert page.evaluate("document.documentElement.scrollWidth") == width, window
        for summary in page.locator("summary").all():
            summary.click()
        for width, window in windows(page, widths):
            assert page.evaluate("document.documentElement.scrollWidth") == width, window
            assert_accessible(page, window)
            assert page.evaluate(LOADED), window
    assert [text for text in found if text != path.as_uri()] == []


LOADED = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
"""Whether the page shows all of its images."""


def test_text_of_pictures_has_twelve_pixels_on_a_phone(reused_page: Page, reports: Path) -> None:
    page = reused_page
    opened(page, reports / "held.html", 360)
    assert page.evaluate("[...new Set([...document.images].map(image => image.clientWidth))]") == [360]


def test_paper_is_light_and_has_the_tables(reused_page: Page, reports: Path) -> None:
    page = reused_page
    opened(page, reports / "held.html", 800, "dark")
    table = page.locator("details table").first
    assert not table.is_visible()
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor") == PAPER
    assert page.evaluate("getComputedStyle(document.querySelector('img')).colorScheme") == "light"
    assert all(table.is_visible() for table in page.locator("details table").all())


def test_tables_open_and_scroll_by_keyboard(reused_page: Page, reports: Path) -> None:
    page = reused_page
    opened(page, reports / "held.html", 360)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "scroll"
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert page.evaluate("document.activeElement.scrollLeft") > 0


def test_picture_of_anybody_runs_and_loads_nothing(browser: Browser, tmp_path: Path) -> None:
    stage = held()
    evil = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 360 50" onload="alert(1)">'
        "<script>alert(2)</script>"
        '<image href="https://evil.example/x.png"/><style>@import "https://evil.example/x.css";</style></svg>'
    )
    pictures = sample()["pictures"]
    pictures[0] |= {"svg": evil, "alt": '" onerror="alert(3)', "title": "<img src=x onerror=alert(4)>"}
    put(stage, PICTURES, {"schemaVersion": 1, "pictures": pictures})
    path = tmp_path / "report.html"
    path.write_text(page_of(stage))
    page = browser.new_page()
    said: list[str] = []
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.on("request", lambda sent: said.append(sent.url) if sent.url.startswith("http") else None)
    page.goto(path.as_uri())
    page.wait_for_timeout(200)
    assert said == []
    page.close()


OUTSIDE = """width => [...document.querySelectorAll('.stacks th, .stacks td, .stacks svg')]
    .filter(cell => cell.getBoundingClientRect().right > width + 1).length"""
"""The number of cells and drawings of stacked tables that reach over the right edge of the window."""


@pytest.mark.parametrize("case", ["held", "rejected"])
@pytest.mark.parametrize(("width", "display"), [(360, "block"), (499, "block"), (768, "table-cell")])
def test_rules_and_facts_stack_on_a_phone_and_nothing_is_cut(
    reused_page: Page, reports: Path, case: str, width: int, display: str
) -> None:
    page = reused_page
    opened(page, reports / f"{case}.html", width)
    assert page.locator(".stacks").count() == 3  # rules, trust, facts
    assert page.evaluate("getComputedStyle(document.querySelector('.stacks td')).display") == display
    if display == "block":
        assert page.evaluate(OUTSIDE, width) == 0


def test_paper_keeps_headings_with_what_follows_and_breaks_only_between_rows(
    reused_page: Page, reports: Path
) -> None:
    page = reused_page
    opened(page, reports / "held.html", 800)
    page.emulate_media(media="print")
    found = page.evaluate(
        """['h2', 'h3', 'figure', 'img', 'tr', '.plots'].map(name => {
            const style = getComputedStyle(document.querySelector(name));
            return [name, style.breakAfter, style.breakInside];
        })"""
    )
    columns = "getComputedStyle(document.querySelector('.plots')).gridTemplateColumns.split(' ').length"
    assert page.evaluate(columns) == 2
    assert found == [
        ["h2", "avoid", "auto"],
        ["h3", "avoid", "auto"],
        ["figure", "auto", "auto"],
        ["img", "auto", "avoid"],
        ["tr", "auto", "avoid"],
        [".plots", "auto", "auto"],
    ]
