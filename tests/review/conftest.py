"""Fixtures of the review page: a candidate in memory, a loopback server that calls the handler, Chromium."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.review.stage import Stage, request

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Site(ThreadingHTTPServer):
    """Serves the handler's responses about a stage. `happens` is called once, before a form is handled."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.stage = Stage()
        self.statuses: list[tuple[str, int]] = []
        self.happens: Callable[[], None] | None = None
        self.alone = threading.Lock()  # the account in memory is not safe for threads

    def url(self, token: str | None = None) -> str:
        return f"http://127.0.0.1:{self.server_port}/review?t={token or self.stage.token}"


class _Passing(BaseHTTPRequestHandler):
    """Passes requests on as a Function URL does."""

    server: Site

    def _pass(self) -> None:
        site, place = self.server, urlsplit(self.path)
        if self.command == "POST" and site.happens:
            happens, site.happens = site.happens, None
            happens()
        event = request(
            self.command,
            place.path,
            query=place.query,
            body=self.rfile.read(int(self.headers.get("content-length") or 0)),
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        with site.alone:
            answer = site.stage.answer(event)
        site.statuses.append((self.command, answer["statusCode"]))
        body = answer["body"].encode()
        self.send_response(answer["statusCode"])
        for name, value in answer["headers"].items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stage() -> Stage:
    """A candidate that waits, in an account in memory."""
    return Stage()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, where the machine has one."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine (apt-get install chromium): no test used a browser")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in its own context. A message on its console fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text) if _matters(said.text) else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def reused_page(browser: Browser) -> Iterator[Page]:
    """A page for many tests: Chromium starts two processes for each new context, and ends them again.

    A test sets size and colours itself, and each `Site` is another origin. `clean_page` is for the tests.
    """
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.fixture
def clean_page(reused_page: Page) -> Iterator[Page]:
    """The reused page, whose test must leave nothing in the browser that the next one could find."""
    yield reused_page
    assert reused_page.context.cookies() == []
    assert reused_page.evaluate("localStorage.length + sessionStorage.length") == 0


def _matters(text: str) -> bool:
    """Whether a console message fails the test. Chromium reports statuses from 400, which tests expect."""
    return "the server responded with a status of 4" not in text
