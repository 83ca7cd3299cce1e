"""The page of a model in headless Chromium: narrow and wide, light, dark and on paper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from playwright.sync_api import Page, expect

from retraining.facts import keys
from tests.review.accessible import assert_accessible, windows
from tests.review.conftest import Site

pytestmark = pytest.mark.story


def url(site: Site, token: str | None = None) -> str:
    token = token or site.stage.links.token("titanic", "model")
    return f"http://127.0.0.1:{site.server_port}/models/titanic?t={token}"


def full(site: Site, page: Page) -> None:
    """A model with versions, a candidate that waits, and executions of every result."""
    sagemaker = site.stage.sagemaker
    for name, status in (
        ("one", "Succeeded"),
        ("two", "Failed"),
        ("three", "Executing"),
        ("four", "Stopped"),
    ):
        arn = sagemaker.start_bare(name)
        sagemaker.end(arn, status)
        steps = {"TrainModel": status}
        site.stage.using.ledger.mark(keys.execution(arn), trigger="landing", steps=steps)
    page.goto(url(site))
    expect(page.get_by_role("heading", name="titanic", exact=True)).to_be_visible()


def empty(site: Site, page: Page) -> None:
    site.stage.sagemaker.packages.clear()
    page.goto(url(site))
    expect(page.get_by_text("No version has been registered yet.")).to_be_visible()


def nothing_known(site: Site, page: Page) -> None:
    def fails(**_: Any) -> None:
        raise ConnectionError

    site.stage.configs.broken = True
    site.stage.sagemaker.list_model_packages = fails  # type: ignore[method-assign, assignment]
    site.stage.sagemaker.list_pipeline_executions = fails  # type: ignore[method-assign, assignment]
    page.goto(url(site))
    expect(page.get_by_text("The history is not known.")).to_be_visible()


def expired(site: Site, page: Page) -> None:
    token = site.stage.links.token("titanic", "model")
    later = datetime.now(UTC).timestamp() + timedelta(days=4).total_seconds()
    with patch("time.time", lambda: later):
        page.goto(url(site, token))
    expect(page.get_by_role("heading", name="This link has expired")).to_be_visible()


@pytest.mark.parametrize("arrive", [full, empty, nothing_known, expired])
def test_page_has_no_accessibility_violation_and_scrolls_in_tables_only(
    site: Site, clean_page: Page, arrive: Callable[[Site, Page], None]
) -> None:
    arrive(site, clean_page)
    for width, window in windows(clean_page, (360, 1280)):
        assert_accessible(clean_page, window)
        assert clean_page.evaluate("document.documentElement.scrollWidth") <= width, window


def test_picture_of_the_history_is_shown_with_its_numbers(site: Site, page: Page) -> None:
    full(site, page)
    picture = page.get_by_role("img")
    expect(picture).to_have_count(1)
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 360
    assert (picture.get_attribute("alt") or "").startswith("accuracy by version: version 2 0.8053; ")


def test_page_on_paper_shows_every_section_and_the_numbers_behind_the_picture(site: Site, page: Page) -> None:
    full(site, page)
    numbers = page.get_by_role("columnheader", name="Registered")
    expect(numbers).to_be_hidden()
    page.emulate_media(media="print")
    for name in ("Now", "Versions", "Executions"):
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    expect(page.get_by_role("img")).to_be_visible()
    assert page.evaluate("document.querySelector('details td').checkVisibility()")
