"""Pages of functions: what AWS serves to everybody, and so does this endpoint. No other service is reached.

Imports ministack, so only a server imports this, after its environment is set.
"""

import re
from typing import Final
from urllib.parse import parse_qs, quote

from ministack import app as ministack
from ministack.core.responses import set_request_client_ip, set_request_region
from ministack.core.sigv4 import decode_header_value
from ministack.services import lambda_svc

from local.types import Receive, Scope, Send

_ID: Final = r"([a-z0-9]{32}|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"
_HOST: Final = re.compile(_ID + r"\.lambda-url\.[a-z0-9-]+\.localhost(?::[0-9]+)?")
_PATH: Final = re.compile(r"/_aws/lambda-url/" + _ID + r"(?=/|$)")


def page(scope: Scope) -> tuple[str, str] | None:
    """The id of the function URL that a request asks for, and the path that the function is given.

    None unless a function URL of this id exists and its AuthType is NONE. An id is read from the host or,
    if the host names none, from the path as it was sent: ministack's two forms, without any encoding.
    """
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"host"]
    path = str(scope["path"])
    if len(hosts) != 1 or not path.startswith("/"):
        return None
    if by_host := _HOST.fullmatch(hosts[0]):
        return (by_host[1], path) if _is_public(by_host[1]) else None
    by_path, as_sent = _PATH.match(path), _PATH.match(raw_path(scope))
    if by_path is None or as_sent is None or by_path[1] != as_sent[1]:
        return None
    return (by_path[1], path[by_path.end() :] or "/") if _is_public(by_path[1]) else None


def _is_public(url_id: str) -> bool:
    found = lambda_svc.resolve_function_url(url_id)
    return found is not None and found[4].get("AuthType") == "NONE"


def raw_path(scope: Scope) -> str:
    """The path of a request as it was sent."""
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return path.decode("latin-1")


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request for which there is a `page`. Only ministack's handler of function URLs gets it."""
    found = page(scope)
    if found is None:  # the URL was deleted since
        await ministack._send_response(send, 404, {"Content-Type": "application/json"}, b"{}")
        return
    url_id, path = found
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), decode_header_value(value)
        headers[key] = f"{headers[key]}{'; ' if key == 'cookie' else ', '}{text}" if key in headers else text
    query = parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)
    set_request_client_ip((scope.get("client") or ("127.0.0.1",))[0])
    set_request_region(ministack.extract_region({}))
    if ministack.AUTH:
        ministack.pin_request_origin((scope.get("client") or ("127.0.0.1",))[0], False)
        ministack.pin_signed_request(scope["method"], raw_path(scope), query, scope["headers"])
    try:
        body = await ministack._read_request_body(receive, scope["method"], headers)
    except ministack._RequestBodyDisconnected:
        return
    except ministack._IncompleteRequestBody as error:
        body = error.body
    answer = await ministack._handle_lambda_url_request(
        "", f"/_aws/lambda-url/{url_id}{path}", scope["method"], headers, body, query
    )
    await ministack._send_if_handled(ministack._with_date_header(send), answer, receive)
