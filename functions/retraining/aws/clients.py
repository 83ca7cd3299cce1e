"""Clients of AWS that are made at their first call.

An invocation calls three or four of a function's nine services. A client that is never called costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

CLIENTS: Final = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=16,
)
"""A service that does not answer holds a call for a minute, not for the five minutes of botocore's defaults.
16 threads read files at the same time."""

_MAKING: Final = Lock()
"""Held while a client is made: boto3's session may not make two at the same time."""


class Later:
    """What `make` makes, made when its first attribute is read. It has the attributes of what is made."""

    def __init__(self, make: Callable[[], object]) -> None:
        self._make = make
        self._made: object | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            with _MAKING:
                self._made = self._made or self._make()
        return getattr(self._made, name)


def client(service: str) -> Any:
    """The client of a service, made at its first call. The caller names its type."""
    return Later(lambda: boto3.client(service, config=CLIENTS))  # type: ignore[call-overload]


def table(name: str) -> Table:
    """A table of DynamoDB, made at its first call."""
    made: Any = Later(lambda: boto3.resource("dynamodb", config=CLIENTS).Table(name))
    return made  # type: ignore[no-any-return]
