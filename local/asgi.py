"""Reads the body of an HTTP request, and answers one, in the messages of ASGI."""

from collections.abc import Mapping

from local.types import Receive, Send


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(body)


def replay(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read before, then what else arrives."""
    left: list[Mapping[str, object]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> object:
        return left.pop() if left else await receive()

    return replayed


async def respond(send: Send, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Answer a request. The length of the body is added to `headers`."""
    named = {**headers, "Content-Length": str(len(body))}
    lines = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
