"""Types that all of AWS on this machine shares."""

from collections.abc import Awaitable, Callable
from typing import Any

Json = dict[str, Any]
"""A JSON object, such as the request or the response of an AWS call."""

Scope = dict[str, Any]
"""A connection as ASGI describes it: its type, path, headers, client and server."""

Receive = Callable[[], Awaitable[Any]]
"""Returns the next ASGI message of the caller."""

Send = Callable[[Any], Awaitable[None]]
"""Sends an ASGI message to the caller."""

Answer = tuple[int, dict[str, str], bytes]
"""The status, the headers and the body of a response."""

App = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application."""
