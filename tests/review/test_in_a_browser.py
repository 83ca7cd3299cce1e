"""The page as people use it, in headless Chromium: mouse, keyboard, phone, dark, without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.functions.fakes import titanic_config
from tests.review.accessible import assert_accessible, windows
from tests.review.conftest import Site
from tests.review.stage import CANDIDATE, NOW, Stage

pytestmark = pytest.mark.story


def fill(
    page: Page, decision: str, name: str = "Ada Lovelace", reason: str = "better on every slice"
) -> None:
    page.get_by_label(decision, exact=True).check()
    page.get_by_label("Your name").fill(name)
    page.get_by_label("Reason").fill(reason)


def send(page: Page) -> int:
    """Send the form; the status of the response."""
    with page.expect_navigation() as navigation:
        page.get_by_role("button", name="Record the decision").click()
    response = navigation.value
    assert response is not None
    return response.status


@pytest.mark.parametrize(("choice", "status"), [("Approve", "Approved"), ("Reject", "Rejected")])
def test_form_decides_and_shows_the_decision(site: Site, page: Page, choice: str, status: str) -> None:
    page.goto(site.url())
    assert page.title() == "titanic version 7: Waits for a decision · handsoff"
    fill(page, choice)
    assert send(page) == 200
    assert site.statuses == [("GET", 200), ("POST", 303), ("GET", 200)]
    assert page.title() == f"titanic version 7: {status} · handsoff"
    expect(
        page.get_by_text("by Ada Lovelace, through a review link (the name as typed)").first
    ).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    assert site.stage.status == status
    page.reload()  # the form is not sent again
    assert site.statuses[-1] == ("GET", 200)


def test_form_decides_without_javascript(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.url())
    assert send(page) == 422
    expect(page.get_by_role("alert")).to_contain_text("Your name is missing")
    fill(page, "Reject")
    assert send(page) == 200
    assert site.stage.status == "Rejected"
    context.close()


def focused(page: Page) -> str:
    """The name of the focused element, or its role and text where it has no name."""
    return str(page.evaluate("document.activeElement.name || document.activeElement.id"))


def test_form_decides_by_keyboard_alone(site: Site, page: Page) -> None:
    page.goto(site.url())
    for _ in range(30):
        page.keyboard.press("Tab")
        if focused(page) == "decision":
            break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"  # the focus is visible
    page.keyboard.press("Tab")
    assert focused(page) == "name"
    page.keyboard.press("Enter")  # sends the empty form, which approves nothing
    page.wait_for_url("**/review")
    assert site.statuses[-1] == ("POST", 422)
    assert focused(page) == "alert"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first of the errors: the choice
    page.keyboard.press("Tab")
    assert focused(page) == "decision"
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("Grace")
    page.keyboard.press("Tab")
    page.keyboard.type("recall of women fell")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    decision = site.stage.decision
    assert decision
    assert (decision["status"], decision["who"], decision["why"]) == (
        "Rejected",
        "Grace",
        "recall of women fell",
    )


def test_page_on_a_phone_scrolls_tables_only(site: Site, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 375, "height": 760})
    page = context.new_page()
    page.goto(site.url())
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    regions = page.get_by_role("region").filter(has=page.locator("> table"))
    assert regions.count() == 8
    metrics = regions.nth(2)
    metrics.focus()
    page.keyboard.press("ArrowRight")
    for _ in range(50):  # the page's policy forbids what wait_for_function does
        if scrolled := page.evaluate("document.activeElement.scrollLeft"):
            break
        page.wait_for_timeout(50)
    assert scrolled > 0
    context.close()


def test_double_click_decides_once(site: Site, page: Page) -> None:
    page.goto(site.url())
    fill(page, "Approve")
    page.get_by_role("button").dblclick()
    expect(
        page.get_by_text("by Ada Lovelace, through a review link (the name as typed)").first
    ).to_be_visible()
    assert len(site.stage.sagemaker.updates) == 1
    expect(page.get_by_role("heading", level=1)).to_have_text("titanic, version 7")
    assert all(status < 400 for _, status in site.statuses)


def test_form_sent_again_after_going_back_shows_the_decision(site: Site, page: Page) -> None:
    page.goto(site.url())
    fill(page, "Approve")
    send(page)
    page.go_back()
    if page.get_by_role("button").count():  # Chromium may show the page from its cache
        fill(page, "Reject", name="Eve")
        assert send(page) == 409
        expect(page.get_by_role("alert")).to_contain_text("It was approved by Ada Lovelace")
    assert site.stage.status == "Approved"
    assert len(site.stage.sagemaker.updates) == 1


def test_form_on_another_site_decides_nothing(site: Site, page: Page) -> None:
    form = site.stage.form()
    inputs = {**form, "decision": "Approved", "name": "Eve", "reason": "mine"}
    fields = "".join(f"<input name='{name}' value='{value}'>" for name, value in inputs.items())
    action = f"http://127.0.0.1:{site.server_port}/review"
    page.route(
        "http://evil.example/",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f"<form method=post action='{action}'>{fields}<button>Win</button></form>",
        ),
    )
    page.goto("http://evil.example/")
    with page.expect_navigation() as navigation:
        page.get_by_role("button").click()
    response = navigation.value
    assert response is not None
    assert response.status == 403
    assert site.stage.decision is None


# ---- every page, by axe ----------------------------------------------------------------------------------


def waiting(_site: Site, page: Page) -> None:
    expect(page.get_by_role("button")).to_be_visible()


def with_errors(_site: Site, page: Page) -> None:
    assert send(page) == 422


def decided(_site: Site, page: Page) -> None:
    fill(page, "Approve")
    assert send(page) == 200


def used(site: Site, page: Page) -> None:
    site.happens = lambda: rejected(site.stage)
    fill(page, "Approve")
    assert send(page) == 409
    expect(page.get_by_role("alert")).to_contain_text("It was rejected by U0123ABCD (grace), in Slack")


def rejected(stage: Stage) -> None:
    """Reject the candidate in another way."""
    stage.put(CANDIDATE, "Rejected", NOW, decidedAt=NOW.isoformat())
    stage.decided(CANDIDATE, "Rejected", "slack", "U0123ABCD (grace)", "recall of women fell")


def expired(site: Site, page: Page) -> None:
    approval = titanic_config().approval.model_copy(update={"link_expires_after": timedelta(seconds=1)})
    url = site.url()
    site.stage.configs.known["titanic"] = titanic_config().model_copy(update={"approval": approval})
    made = datetime.now(UTC).timestamp()
    page.wait_for_timeout(2100 - (datetime.now(UTC).timestamp() - made) * 1000)
    response = page.goto(url)
    assert response
    assert response.status == 410
    expect(page.get_by_role("heading", level=1)).to_have_text("This link has expired")


def tampered(site: Site, page: Page) -> None:
    response = page.goto(site.url(site.stage.token[:-3] + "abc"))
    assert response
    assert response.status == 403
    expect(page.get_by_role("heading", level=1)).to_have_text("This link is not valid")


def nothing_known(site: Site, page: Page) -> None:
    site.stage = Stage(None)
    page.goto(site.url())
    expect(page.get_by_text("The metrics are not known.")).to_be_visible()


def read_only(site: Site, page: Page) -> None:
    approval = titanic_config().approval.model_copy(update={"review_page": "read_only"})
    site.stage.configs.known["titanic"] = titanic_config().model_copy(update={"approval": approval})
    page.goto(site.url())
    expect(page.get_by_text("This page only shows")).to_be_visible()


@pytest.mark.parametrize(
    "arrive", [waiting, with_errors, decided, used, expired, tampered, nothing_known, read_only]
)
def test_page_has_no_accessibility_violation(
    site: Site, clean_page: Page, arrive: Callable[[Site, Page], None]
) -> None:
    clean_page.goto(site.url())
    arrive(site, clean_page)
    for _, window in windows(clean_page, (375, 1280)):
        assert_accessible(clean_page, window)
