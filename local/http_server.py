"""Serves an ASGI app over HTTP until a signal arrives."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from typing import Final
from urllib.parse import unquote

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from local.errors import CloudError
from local.types import App

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that stop the server."""

IDLE: Final = 100
"""Seconds after which the server closes a connection without requests.

The clients close theirs first, AWS's SDK for Go after 90 seconds. A server that closes first may meet the
next request: the SDK then sends it again, and what was created is refused as existing.
"""


def serve(app: App, listeners: Sequence[socket.socket], on_ready: Callable[[], None]) -> None:
    """Serve until a signal arrives. `on_ready` is called once the app has started. Raises CloudError."""
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        proxy_headers=False,  # otherwise a header of a request would say where it comes from
        server_header=False,
        date_header=False,  # ministack sends one
        timeout_graceful_shutdown=1,
        timeout_keep_alive=IDLE,
    )
    loop = uvloop.new_event_loop()
    loop.run_until_complete(_Server(config, on_ready).serve(list(listeners)))


class _Protocol(HttpToolsProtocol):
    """Gives an app the path as it was sent. uvicorn takes the host of an absolute address away."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()  # the app is called later, and gets this scope
        path, _, query = self.url.partition(b"?")
        self.scope["path"], self.scope["raw_path"] = unquote(path.decode("latin-1")), path
        self.scope["query_string"] = query


class _Server(uvicorn.Server):
    """Stops at SIGNALS, and leaves the handlers of this process alone."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, setattr, self, "should_exit", True)
        try:
            await super().startup(sockets)
        except SystemExit:
            raise CloudError("ministack has not started: the lines above say why") from None
        self._on_ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
