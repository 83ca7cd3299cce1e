"""Requests to the Function URL and responses to them, in Lambda's payload format 2.0.

The format: https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypedDict
from urllib.parse import parse_qsl, urlsplit

from retraining.aws.observability import logger
from retraining.html.render import content_security_policy, render

MAX_FIELDS: Final = 20
"""Fields of a form or of a query that are read. The form has five."""

HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=63072000",
    "cross-origin-opener-policy": "same-origin",
    "x-robots-tag": "noindex",
}
"""Headers of every response, beside the content security policy: no browser may keep, frame or index it."""


class Response(TypedDict):
    """What the function returns."""

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


class Request(NamedTuple):
    """A request. Names of headers are in lower case; `body` is None where it is not valid base64."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes | None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        """The request that an event describes. A part that is missing, or of another type, is empty."""
        body: bytes | None = _text(event.get("body")).encode(errors="replace")
        if event.get("isBase64Encoded") and body:
            try:
                body = base64.b64decode(body, validate=True)
            except ValueError:
                body = None
        http = _mapping(_mapping(event.get("requestContext")).get("http"))
        headers = _mapping(event.get("headers"))
        return cls(
            method=_text(http.get("method")),
            path=_text(event.get("rawPath")) or "/",
            query=_text(event.get("rawQueryString")),
            headers={str(name).lower(): _text(value) for name, value in headers.items()},
            body=body,
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: object) -> Mapping[object, object]:
    return value if isinstance(value, Mapping) else {}


class Refused(Exception):
    """The request is refused, and nothing was done. The page says `title`, and `texts` below it.

    `headers` are added to the usual ones.
    """

    def __init__(self, status: int, title: str, *texts: str, **headers: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.texts = texts
        self.headers = headers


Routes = Mapping[str, Mapping[str, Callable[[Request], Response]]]
"""What answers a request, by path and method. HEAD is answered as GET, without the body.

A path that ends in `/*` stands for all paths with one more part in its place.
"""


def respond(request: Request, routes: Routes) -> Response:
    """The response of the route that the request asks for, or a page that says why it is refused."""
    try:
        response = _route(request, routes)(request)
    except Refused as refused:
        logger.info("request refused", status=refused.status, why=refused.title, method=request.method)
        body = render("message.html", title=refused.title, texts=refused.texts)
        response = answer(refused.status, body, **refused.headers)
    if request.method == "HEAD":
        response["body"] = ""
    return response


def _route(request: Request, routes: Routes) -> Callable[[Request], Response]:
    folder, _, name = request.path.rpartition("/")
    methods = routes.get(request.path) or (routes.get(f"{folder}/*") if name else None)
    if methods is None:
        raise Refused(404, "There is nothing here", "Open the link from the message as a whole.")
    method = "GET" if request.method == "HEAD" else request.method
    if method not in methods:
        allowed = ", ".join(methods) + (", HEAD" if "GET" in methods else "")
        raise Refused(
            405, "This address does not take such a request", "Open the link from the message.", allow=allowed
        )
    return methods[method]


def page(status: int, template: str, **values: Any) -> Response:
    """A response whose body is this template."""
    return answer(status, render(template, **values))


def answer(status: int, body: str = "", **headers: str) -> Response:
    """A response with the usual headers and these. Raises ValueError for a header that HTTP cannot carry."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the header {name} would hold a character that no header may hold")
    return {
        "statusCode": status,
        "headers": {**HEADERS, "content-security-policy": content_security_policy(), **headers},
        "body": body,
        "isBase64Encoded": False,
    }


def from_our_page(request: Request) -> None:
    """Refuse a form that a page of another site has sent. Browsers say the site in two headers."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    host = request.headers.get("host", "")
    if site not in (None, "same-origin") or (origin is not None and _host(origin) != host.lower()):
        raise Refused(
            403,
            "This did not come from the review page",
            "Nothing was recorded. Open the link from the message, and decide there.",
        )


def _host(origin: str) -> str | None:
    """Host and port of an Origin header; None where there are none in it."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def form_body(request: Request, max_bytes: int) -> bytes:
    """The body of a form. A body that is not a form, or that has more than `max_bytes`, is refused."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(
            415, "This is no form", "Nothing was done. Open the link from the message, and decide there."
        )
    if request.body is None:
        raise Refused(400, "This form cannot be read", "Nothing was done. Go back, and send it again.")
    if len(request.body) > max_bytes:
        raise Refused(413, "This form is too large", f"Nothing was done: at most {max_bytes} bytes are read.")
    return request.body


def fields(text: bytes) -> dict[str, str]:
    """The fields of a form or of a query by name. A field that stands there twice is refused."""
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise Refused(
            400, "This request cannot be read", "Nothing was done. Open the link from the message."
        ) from None
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Refused(
            400, "This request has a field twice", "Nothing was done. Open the link from the message."
        )
    return values
