"""Clients of AWS that are made at their first call, by botocore alone.

An invocation calls three or four of a function's nine services. A client that is never called costs nothing.
boto3 adds to botocore what functions/ does not use, and takes as long to import as all models of the config.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import botocore.session
from botocore.config import Config
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
from botocore.hooks import EventAliaser, HierarchicalEmitter
from botocore.loaders import JSONFileLoader

from retraining.aws.table import PlainTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

SERVICES: Final = frozenset(
    ("dynamodb", "events", "kms", "lambda", "logs", "s3", "sagemaker", "secretsmanager", "sns", "sqs", "ssm")
)
"""The services that functions call, which are those of layers/dependencies/trim.py."""

CLIENTS: Final = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 3},
    max_pool_connections=16,
)
"""A service that does not answer holds a call for a minute, not for the five minutes of botocore's defaults.
16 threads read files at the same time."""

_MAKING: Final = RLock()
"""Held while a client is made: a session may not make two at the same time."""


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


_MADE: Final[dict[str, Any]] = {}
"""Clients that were made before anybody asked for them, by service."""


def make_now(*services: str) -> None:
    """Make the clients of these services. `client` returns these. Nothing is sent."""
    _MADE.update({service: _session().create_client(service, config=CLIENTS) for service in services})


def client(service: str) -> Any:
    """The client of a service, made at its first call. The caller names its type."""
    return _MADE.get(service) or Later(lambda: _session().create_client(service, config=CLIENTS))


def table(name: str) -> Table:
    """A table of DynamoDB. Its client is made at the first call."""
    made: Any = PlainTable(client("dynamodb"), name)
    return made  # type: ignore[no-any-return]


class DictLoader(JSONFileLoader):
    """Reads botocore's data as dicts, which keep their order. botocore's own reader makes OrderedDicts."""

    def load_file(self, file_path: str) -> Any:
        """What the file at this path with .json holds; what botocore reads without such a file."""
        path = Path(f"{file_path}.json")
        return json.loads(path.read_bytes()) if path.is_file() else super().load_file(file_path)


@cache
def _session() -> botocore.session.Session:
    """A session that reads data as dicts, and whose clients have botocore's handlers for SERVICES.

    botocore has 127 handlers, most of them for other services or for documentation, and copies all for
    each client. Credentials come from Lambda's environment: no service that gives out others has handlers.
    """
    emitter = HierarchicalEmitter()
    events = EventAliaser(emitter)
    registering = {REGISTER_FIRST: events.register_first, REGISTER_LAST: events.register_last}
    for name, handler, *order in BUILTIN_HANDLERS:
        event, _, about = name.partition(".")
        if event != "docs" and (not about or about.split(".")[0] in SERVICES):
            registering.get(order[0] if order else None, events.register)(name, handler)
    session = botocore.session.Session(event_hooks=emitter, include_builtin_handlers=False)
    session.register("creating-client-class.s3", _with_copy)
    session.get_component("data_loader").file_loader = DictLoader()
    return session


def _with_copy(**event: Any) -> None:
    """Add boto3's `copy` to the client of S3, which copies a large object in parts."""

    def copy(s3: Any, *given: Any, **named: Any) -> None:
        from boto3.s3 import inject  # only an object of more than 5 GB needs it

        inject.copy(s3, *given, **named)

    event["class_attributes"]["copy"] = copy
