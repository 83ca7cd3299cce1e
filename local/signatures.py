"""Who signed a request. Every request must be signed with a secret that this endpoint has given out.

Else any user of this machine could run programs as the owner of the endpoint: a job and a function are
programs. Imports ministack, so only a server imports this, after its environment is set.
"""

import hashlib
import hmac
import re
import time
import uuid
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from botocore.auth import HmacV1Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from ministack.core import iam_evaluator, sigv4
from ministack.core.iam_actions import access_denied_response
from ministack.core.iam_evaluator import CredentialResolutionError
from ministack.core.router import extract_access_key_id

from local import function_urls, scopes
from local.account import ACCOUNT, administrator
from local.asgi import read_body, replay, respond
from local.callers import refuse
from local.function_urls import raw_path
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
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_CHUNKS: Final = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_OWN_OF_2: Final = frozenset(("AWSAccessKeyId", "Signature", "Expires"))
_SIGNED_BY_2: Final = re.compile(r"x-amz-[a-z0-9-]+|content-md5|content-type")
"""Parameters of an address of version 2 that stand for headers: they are signed as such."""

_SINGLE: Final = frozenset(
    ("host", "authorization", "content-type", "date", "x-amz-content-sha256", "x-amz-date")
) | {"x-amz-security-token", "x-amz-target"}
"""Headers that choose who serves a request and as whom. Sent twice, two readers may choose differently."""

MAX_SECONDS: Final = 604800
"""The longest time for which an address may be signed, as in S3: seven days."""


def signed(app: App, pages: App) -> App:
    """An app that passes on what is signed with a key of this endpoint, and answers all else itself.

    `pages` serves function URLs that are public, and gets nothing else.
    """

    async def checked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope["type"] == "http" and is_health_check(scope)):
            return await app(scope, receive, send)
        if scope["type"] != "http":  # nothing here is served over a websocket
            return await refuse(scope, send)
        if function_urls.page(scope):
            return await pages(scope, receive, send)
        body = b""
        if reads_body(scope):
            body = await read_body(receive)
            receive = replay(body, receive)
        if answer := refusal(scope, body):
            return await respond(send, *answer)
        await app(scope, receive, send)

    return checked


def is_health_check(scope: Scope) -> bool:
    """Whether a request asks only if the endpoint is there."""
    return bool(scope["method"] == "GET" and scope["path"] in OPEN_PATHS)


def reads_body(scope: Scope) -> bool:
    """Whether the body must be known to verify a request: unless the signer left it unsigned.

    The body of a form is always read: its action may choose the service.
    """
    headers = _headers(scope)
    if scopes.is_form(headers):
        return True
    said = headers.get("x-amz-content-sha256", "")
    return not said or said.startswith(_CHUNKS) or _SHA256.fullmatch(said) is not None


def refusal(scope: Scope, body: bytes) -> Answer | None:
    """AWS's answer to a request without a valid signature; None if the signature is valid.

    `scope` is the request as it was sent. `body` may be empty unless `reads_body`. A signature must be one of
    the last minutes, and of an address one that has not expired; and it must be for the service that serves
    the request.
    """
    headers = _headers(scope)
    query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    try:
        failure = _repeated(scope) or _failure(scope, headers, query, body)
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
        return _version_2(scope, headers, query, body)
    signature = sigv4.parse_header_signature(headers) if given else sigv4.parse_query_signature(query)
    if isinstance(signature, tuple):
        return signature[0], signature[1]
    key = signature.access_key_id
    if key != extract_access_key_id(headers, query) or signature.region_set is not None:
        return _UNREADABLE
    token = headers.get("x-amz-security-token", "") if given else _first(query, "X-Amz-Security-Token")
    secret = _secret(key, token)
    if isinstance(secret, CredentialResolutionError):
        return secret.code, secret.message
    found: Failure | None = sigv4.header_signature_failure(
        signature, secret, scope["method"], raw_path(scope), query, headers, body, presigned=not given
    )
    return (
        found
        or _unsigned_part(signature, headers, body, presigned=not given)
        or (_stale(signature) if given else _late(signature, query))
        or _misdirected(signature.service, scope, headers, query, body, presigned=not given)
    )


def _repeated(scope: Scope) -> Failure | None:
    """What is wrong with a request that says twice who it is for or from, or is meant for a proxy."""
    names = [name.decode("latin-1").lower() for name, _ in scope["headers"]]
    if any(names.count(name) > 1 for name in _SINGLE) or not raw_path(scope).startswith("/"):
        return _UNREADABLE
    return None


def _unsigned_part(
    signature: sigv4.HeaderSignature, headers: Headers, body: bytes, *, presigned: bool
) -> Failure | None:
    """What AWS wants signed and is not: the host, headers `x-amz-*`, the body whose hash is signed."""
    names = set(signature.signed_headers.split(";"))
    if "host" not in names:
        return "SignatureDoesNotMatch", sigv4.SIGNATURE_MISMATCH
    left_out = sorted(name for name in headers if name.startswith("x-amz-") and name not in names)
    if left_out:
        return (
            "AccessDenied",
            f"There were headers present in the request which were not signed: {', '.join(left_out)}",
        )
    said = headers.get("x-amz-content-sha256", "")
    if not presigned and _SHA256.fullmatch(said) and said != hashlib.sha256(body).hexdigest():
        return (
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
    return None


def _stale(signature: sigv4.HeaderSignature) -> Failure | None:
    """What is wrong with the time of a signature: AWS accepts 15 minutes, and of most services 5."""
    if sigv4._amz_datetime(signature.amz_date) is None:  # ministack would accept it for ever
        return _UNREADABLE
    failure: Failure | None = sigv4.request_time_failure(signature)
    return failure


def _late(signature: sigv4.HeaderSignature, query: Query) -> Failure | None:
    """What is wrong with the time of a presigned request: it has expired, or is not valid yet."""
    seconds = _first(query, "X-Amz-Expires")
    if not seconds.isdecimal() or not 1 <= int(seconds) <= MAX_SECONDS:
        return "AccessDenied", f"X-Amz-Expires must be between 1 and {MAX_SECONDS} seconds"
    if sigv4.presigned_request_is_expired(signature.amz_date, seconds):
        return "AccessDenied", "Request has expired"
    early = _stale(signature)
    return early if early and "expired" not in early[1] else None


def _misdirected(
    service: str, scope: Scope, headers: Headers, query: Query, body: bytes, *, presigned: bool
) -> Failure | None:
    """What is wrong with a request that another service would serve than the one that it is signed for."""
    asked = scopes.Asked(scope["method"], scope["path"], headers, query, body)
    if (presigned and service == "s3" and asked.names_action) or not scopes.serves(service, asked):
        return "SignatureDoesNotMatch", "Credential should be scoped to the service that serves the request."
    return None


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


def _version_2(scope: Scope, headers: Headers, query: Query, body: bytes) -> Failure | None:
    """What is wrong with an address that was signed by version 2, which boto3 still does for S3.

    Such an address holds the headers that are signed, too. It may hold nothing that is not signed.
    """
    key = _first(query, "AWSAccessKeyId")
    secret = _secret(key, _first(query, "x-amz-security-token"))
    if isinstance(secret, CredentialResolutionError):
        return secret.code, secret.message
    if not _first(query, "Expires").isdecimal() or int(_first(query, "Expires")) < time.time():
        return "AccessDenied", "Request has expired"
    said = {name: values[0] for name, values in query.items() if _SIGNED_BY_2.fullmatch(name)}
    for name in query.keys() - said.keys() - _OWN_OF_2:
        if name not in HmacV1Auth.QSAOfInterest:
            return "AccessDenied", f"The parameter {name} is not signed: version 2 cannot sign it"
    if any(headers.get(name, value) != value for name, value in said.items()):
        return "SignatureDoesNotMatch", sigv4.SIGNATURE_MISMATCH
    bucket, before, _ = headers.get("host", "").partition(".localhost")
    path = f"/{bucket}{raw_path(scope)}" if before else raw_path(scope)
    pairs = [(name, value) for name, values in query.items() for value in values]
    address = urlsplit(f"http://host{path}?{urlencode(pairs)}")
    signer = _Version2(Credentials(key, secret), _first(query, "Expires"))
    signed_headers = HTTPHeaders.from_dict({**headers, **said})
    expected = signer.get_signature(scope["method"], address, signed_headers)  # type: ignore[arg-type]
    if not hmac.compare_digest(_first(query, "Signature").encode(), expected.encode()):
        return "SignatureDoesNotMatch", sigv4.SIGNATURE_MISMATCH
    return _misdirected("s3", scope, headers, query, body, presigned=True)


class _Version2(HmacV1Auth):
    """Signs with the time at which an address expires in place of the date."""

    def __init__(self, credentials: Credentials, expires: str) -> None:
        super().__init__(credentials)
        self._expires = expires

    def _get_date(self) -> str:
        return self._expires


def _first(query: Query, name: str) -> str:
    return query.get(name, [""])[0]


def _headers(scope: Scope) -> Headers:
    """Headers by lower-case name; values of a name that is sent twice are joined as version 4 signs them."""
    found: Headers = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), sigv4.decode_header_value(value)
        found[key] = f"{found[key]},{text}" if key in found else text
    return found
