"""Who signed a request. Every request must be signed with a secret that this endpoint has given out.

Else any user of this machine could run programs as the owner of the endpoint: a job and a function are
programs. Imports ministack, so only a server imports this, after its environment is set.
"""

import hmac
import re
import time
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from botocore.auth import HmacV1Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from ministack.core import iam_evaluator, sigv4
from ministack.core.iam_actions import access_denied_response
from ministack.core.iam_evaluator import CredentialResolutionError
from ministack.core.router import extract_access_key_id

from local.account import ACCOUNT, administrator
from local.callers import refuse
from local.types import Answer, App, Receive, Scope, Send

OPEN_PATHS: Final = ("/_ministack/health",)
"""What everybody may read. `make up` and containers ask it whether the endpoint is there."""

Headers = dict[str, str]
"""The headers of a request, by lower-case name."""

Query = dict[str, list[str]]
"""The parameters of a request's query."""

Failure = tuple[str, str]
"""The code and the message of an error about a signature."""

_UNREADABLE: Final = ("IncompleteSignature", "The request has no signature that can be read.")
_SCOPE: Final = re.compile(r"/\d{8}/[a-z0-9-]+/([a-z0-9-]+)/aws4_request")
_FUNCTION_HOST: Final = re.compile(r"[a-z0-9-]+\.lambda-url\.[a-z0-9-]+\.localhost(?::\d+)?")
_FUNCTION_PATH: Final = "/_aws/lambda-url/"
_OTHER_SERVICES: Final = re.compile(
    r"/(?:_|iceberg|v20180820|v2/|WriteGetObjectResponse|Execute|BatchExecute|\w+Transaction)"
)
"""Paths that ministack gives to a service before it looks whether the host is a function's."""


def signed(app: App) -> App:
    """An app that passes on what is signed with a key of this endpoint, and answers all else itself."""

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and is_open(scope)):
            return await app(scope, receive, send)
        if scope["type"] != "http":  # nothing here is served over a websocket
            return await refuse(scope, send)
        body = b""
        if reads_body(scope):
            body = await read(receive)
            receive = again(body, receive)
        if answer := refusal(scope, body):
            return await respond(send, *answer)
        await app(scope, receive, send)

    return checked


def is_open(scope: Scope) -> bool:
    """Whether AWS serves this request to everybody, too: that of a function's URL. Also the health check."""
    headers, path = dict(scope["headers"]), str(scope["path"])
    if path in OPEN_PATHS:
        return bool(scope["method"] == "GET")
    if b"x-amz-target" in headers:
        return False
    host = headers.get(b"host", b"").decode("latin-1")
    by_host = _FUNCTION_HOST.fullmatch(host) is not None and not _OTHER_SERVICES.match(path)
    return by_host or path.startswith(_FUNCTION_PATH)


def reads_body(scope: Scope) -> bool:
    """Whether the signature is over the body itself. S3's clients sign a header that says its hash."""
    said = dict(scope["headers"]).get(b"x-amz-content-sha256", b"")
    return not said or said.startswith(b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD")


def refusal(scope: Scope, body: bytes) -> Answer | None:
    """AWS's answer to a request without a valid signature; None if the signature is valid.

    `scope` is the request as it was sent. `body` may be empty unless `reads_body`.
    """
    headers = _headers(scope)
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    try:
        failure = _failure(scope, headers, query, body)
    except (ValueError, TypeError, KeyError, IndexError):  # no form that a client would send
        failure = _UNREADABLE
    if failure is None:
        return None
    code, message = failure
    answer: Answer = access_denied_response(
        _service(headers, query), "", "", str(uuid.uuid4()), error_code=code, message=message, headers=headers
    )
    return answer


def _service(headers: Headers, query: Query) -> str:
    """The service in whose protocol a refusal is worded: the one that the request is signed for.

    ministack's own search would load all services first, which takes seconds.
    """
    signed_for = _SCOPE.search(headers.get("authorization", "") or _first(query, "X-Amz-Credential"))
    if signed_for:
        return signed_for[1]
    return "json" if "x-amz-target" in headers else "s3"


def _failure(scope: Scope, headers: Headers, query: Query, body: bytes) -> Failure | None:
    """The code and the message of what is wrong with the signature, None if it is valid.

    A request that names two keys is refused: ministack might take the other one for the caller.
    """
    given = headers.get("authorization", "")
    ways = [bool(given), "X-Amz-Signature" in query or "X-Amz-Credential" in query, "AWSAccessKeyId" in query]
    if not any(ways):
        return "MissingAuthenticationToken", "Request is missing Authentication Token"
    if sum(ways) > 1 or (given and not given.startswith("AWS4-HMAC-SHA256 ")):
        return _UNREADABLE
    if ways[2]:
        return _version_2(scope, headers, query)
    signature = sigv4.parse_header_signature(headers) if given else sigv4.parse_query_signature(query)
    if isinstance(signature, tuple):
        return signature[0], signature[1]
    key = signature.access_key_id
    if key != extract_access_key_id(headers, query):
        return _UNREADABLE
    token = headers.get("x-amz-security-token", "") if given else _first(query, "X-Amz-Security-Token")
    secret = _secret(key, token)
    if isinstance(secret, CredentialResolutionError):
        return secret.code, secret.message
    found: Failure | None = sigv4.header_signature_failure(
        signature, secret, scope["method"], _raw_path(scope), query, headers, body, presigned=not given
    )
    return found


def _secret(key: str, token: str) -> str | CredentialResolutionError:
    """The secret of an access key that the endpoint has given out, or why there is none."""
    if key in (ACCOUNT, administrator()[0]):  # functions have the account's id where IAM is not enforced
        return administrator()[1]
    if iam_evaluator.is_root_access_key(key):  # ministack would take these for the administrator
        return CredentialResolutionError(
            "InvalidClientTokenId", "The security token included in the request is invalid."
        )
    found = iam_evaluator.resolve_credential(key, ACCOUNT, token)
    return found if isinstance(found, CredentialResolutionError) else str(found.secret_access_key)


def _version_2(scope: Scope, headers: Headers, query: Query) -> Failure | None:
    """The same for an address that was signed by version 2, which boto3 still does for S3."""
    key = _first(query, "AWSAccessKeyId")
    secret = _secret(key, _first(query, "x-amz-security-token"))
    if isinstance(secret, CredentialResolutionError):
        return secret.code, secret.message
    if not _first(query, "Expires").isdigit() or int(_first(query, "Expires")) < time.time():
        return "RequestExpired", "Request has expired"
    bucket, before, _ = headers.get("host", "").partition(".localhost")
    path = f"/{bucket}{_raw_path(scope)}" if before else _raw_path(scope)
    pairs = [(name, value) for name, values in query.items() for value in values]
    address = urlsplit(f"http://host{path}?{urlencode(pairs)}")
    signer = _Version2(Credentials(key, secret), _first(query, "Expires"))
    expected = signer.get_signature(scope["method"], address, HTTPHeaders.from_dict(headers))  # type: ignore[arg-type]
    if hmac.compare_digest(_first(query, "Signature").encode(), expected.encode()):
        return None
    return "SignatureDoesNotMatch", sigv4.SIGNATURE_MISMATCH


class _Version2(HmacV1Auth):
    """Signs with the time at which an address expires in place of the date."""

    def __init__(self, credentials: Credentials, expires: str) -> None:
        super().__init__(credentials)
        self._expires = expires

    def _get_date(self) -> str:
        return self._expires


def _first(query: Query, name: str) -> str:
    return query.get(name, [""])[0]


def _raw_path(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return path.decode("latin-1")


def _headers(scope: Scope) -> Headers:
    """Headers by lower-case name; values of a name that is sent twice are joined as version 4 signs them."""
    found: Headers = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), sigv4.decode_header_value(value)
        found[key] = f"{found[key]},{text}" if key in found else text
    return found


async def read(receive: Receive) -> bytes:
    """The whole body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def again(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read before, then what else arrives."""
    left: list[Mapping[str, object]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> object:
        return left.pop() if left else await receive()

    return replayed


async def respond(send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Answer a request."""
    named = {**headers, "Content-Length": str(len(body))}
    lines = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
