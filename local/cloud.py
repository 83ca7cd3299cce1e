"""The server process: python -m local.cloud --port N --folder DIR [--region R] [--enforce-iam] [--bridge A].

One ASGI app on the loopback interface, with --bridge on Docker's bridge, too: SageMaker is ours
(local/sagemaker), all else is ministack with our repairs. State is in memory. TERM, INT and HUP stop jobs and
workers, delete the folder and exit 0.
"""

import argparse
import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from local import folder as folders
from local.account import ACCOUNT
from local.errors import CloudError, NoBridge, PortInUse
from local.server import process_environment

if TYPE_CHECKING:
    from local.ministack.iam.authority import Iam

App = Callable[
    [dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]
log = logging.getLogger("local.cloud")

LOOPBACK: Final = "127.0.0.1"
CONTAINERS_CALL_US: Final = "host.docker.internal"


def environment(folder: Path, port: int, region: str, *, enforce_iam: bool = False) -> dict[str, str]:
    """All that the server, ministack and functions see of the environment. Set before ministack is imported.

    ministack hands its own environment to functions, so nothing of the caller's may stay in it.
    """
    return process_environment(dict(os.environ), folder) | {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": region,
        "MINISTACK_HOST": "localhost",
        "MOTO_ACCOUNT_ID": ACCOUNT,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "STATE_DIR": str(folder / "tmp/state"),
        "S3_DATA_DIR": str(folder / "tmp/s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker",  # there is none: ministack never asks
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_WARM_TTL_SECONDS": "20",
        "LAMBDA_ACCOUNT_CONCURRENCY": "4",  # workers: processes on, say, 2 cores; the rest waits
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.5",
        "PYTHONWARNINGS": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
        **({"AUTH": "true"} if enforce_iam else {}),
    }


def build_app(
    folder: Path,
    port: int,
    region: str,
    *,
    enforce_iam: bool = False,
    bridge: IPv4Interface | None = None,
) -> tuple[App, Callable[[], None]]:
    """The ASGI app and what ends the processes behind it. Imports ministack, so the environment is set."""
    from ministack.app import app as ministack
    from ministack.core import lambda_runtime

    from local.ministack import repairs
    from local.sagemaker.front import sagemaker

    repairs.apply()
    iam = enforced(folder, region) if enforce_iam else None
    ours = sagemaker(
        folder,
        endpoint=f"http://127.0.0.1:{port}",
        account=ACCOUNT,
        region=region,
        authority=iam,
        admit=iam.admit if iam else None,
    )

    async def app(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] != "lifespan":
            asked = admitted(scope, bridge)
            if asked is None:
                return await refuse(scope, send)
            scope = asked
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "http" and headers.get(b"x-amz-target", b"").startswith(b"SageMaker."):
            await ours.app(scope, receive, send)
        else:
            await ministack(scope, receive, send)

    def close() -> None:
        ours.close()
        lambda_runtime.reset()

    return app, close


def enforced(folder: Path, region: str) -> "Iam":
    """IAM that says who may do what, in ministack as in SageMaker, and writes it down in `folder`."""
    from local.ministack.iam import journal as iam_journal
    from local.ministack.iam import services
    from local.ministack.iam.authority import Iam, watch

    journal = iam_journal.Journal(folder / iam_journal.NAME)
    watch(journal)
    authority = Iam(ACCOUNT, region, journal)
    services.apply(authority)
    return authority


def from_this_machine(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request names us by a local name, and comes from no page of another site.

    Nobody checks credentials here and a job is any program, so a page that a developer happens to visit must
    not get through: neither by its own Origin nor by a name of its own that resolves to this machine.
    """
    if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        return False
    asked = [headers.get(b"host", b"").decode("latin-1")]
    for name in (b"origin", b"referer"):
        if page := headers.get(name):
            asked.append(page.decode("latin-1").partition("://")[2] or "nowhere")
    names = [urlsplit(f"//{one}").hostname or "" for one in asked]
    return all(name in ("127.0.0.1", "localhost") or name.endswith(".localhost") for name in names)


def admitted(scope: dict[str, Any], bridge: IPv4Interface | None) -> dict[str, Any] | None:
    """The request as a program on this machine makes it; None if it comes from anywhere else."""
    if bridge and scope["server"][0] == str(bridge.ip):
        # Linux takes packets for its addresses on any interface: where they come from tells who asks.
        client = IPv4Address(scope["client"][0])
        if client not in bridge.network and not client.is_loopback:
            return None
        scope = {**scope, "headers": [(name, _ours(name, value)) for name, value in scope["headers"]]}
    return scope if from_this_machine(dict(scope["headers"])) else None


def _ours(name: bytes, value: bytes) -> bytes:
    """A header of a container's request, with our own name for us; a bucket's may stand before it."""
    return value.replace(CONTAINERS_CALL_US.encode(), b"localhost") if name == b"host" else value


async def refuse(scope: dict[str, Any], send: Callable[[Any], Awaitable[None]]) -> None:
    """Answer 403 to what is not from this machine."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = b"AWS on this machine answers this machine only\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve(app: App, listeners: Sequence[socket.socket], on_ready: Callable[[], None]) -> None:
    """Serve until a signal comes. `on_ready` runs once the socket accepts."""
    from hypercorn.asyncio import serve as hypercorn
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.fileno()}" for listener in listeners]
    config.graceful_timeout = 0.5
    config.shutdown_timeout = 2
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn")
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)

    async def until_signal() -> None:
        await ended.wait()

    async def ready_app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def sending(message: dict[str, Any]) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                on_ready()

        await app(scope, receive, sending if scope["type"] == "lifespan" else send)

    await hypercorn(ready_app, config, shutdown_trigger=until_signal)  # type: ignore[arg-type]


def listen(port: int, address: str = LOOPBACK) -> socket.socket:
    """The listening socket; bound before all else, so that nobody takes the port meanwhile."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRNOTAVAIL:
            raise NoBridge(f"{address} is no address of this machine") from None
        raise PortInUse(f"port {port} is in use: choose another with --port") from None
    listener.listen(1024)
    return listener


def end_with_standard_input() -> None:
    """Ask ourselves to stop when whoever holds the other end of standard input has gone."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="starter", daemon=True).start()


def run(
    folder: Path,
    port: int,
    region: str,
    *,
    enforce_iam: bool = False,
    bridge: IPv4Interface | None = None,
) -> None:
    """Serve in `folder` until a signal comes, then leave nothing behind."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(0))
    close: Callable[[], None] = lambda: None  # noqa: E731 - replaced as soon as there is something to close
    lock = folders.claim(folder)
    try:
        listeners = [listen(port)]
        port = listeners[0].getsockname()[1]
        if bridge and str(bridge.ip) != LOOPBACK:
            listeners.append(listen(port, str(bridge.ip)))
        os.environ.clear()
        os.environ.update(environment(folder, port, region, enforce_iam=enforce_iam))
        tempfile.tempdir = os.environ["TMPDIR"]
        os.chdir(folder)
        app, close = build_app(folder, port, region, enforce_iam=enforce_iam, bridge=bridge)

        def ready() -> None:
            folders.write_record(folder, port=port, region=region)
            log.info("ready on http://127.0.0.1:%d", port)

        asyncio.new_event_loop().run_until_complete(serve(app, listeners, ready))
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not stop the tidying
        failed = sys.exc_info()[0] not in (None, SystemExit)
        with contextlib.suppress(Exception):
            close()
        folders.end_strays(folder, grace=1)
        os.chdir("/")
        for path in folder.iterdir():
            if path.name not in (folders.LOG, folders.LOCK):
                folders.delete(path)
        if not (failed and (folder / folders.LOG).exists()):  # who started us wants to read why
            folders.delete(folder)
        os.close(lock)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.cloud", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="0 takes any free one")
    parser.add_argument("--folder", type=Path, required=True, help="made, and deleted at the end")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--attached", action="store_true", help="stop when standard input ends")
    parser.add_argument("--enforce-iam", action="store_true", help="let nobody do what IAM does not allow")
    parser.add_argument("--bridge", type=IPv4Interface, help="containers there may ask, too: 172.17.0.1/16")
    options = parser.parse_args()
    if options.attached:
        end_with_standard_input()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("botocore").setLevel(logging.WARNING)
    code = 0
    try:
        run(
            options.folder.resolve(),
            options.port,
            options.region,
            enforce_iam=options.enforce_iam,
            bridge=options.bridge,
        )
    except CloudError as error:
        print(error, file=sys.stderr)
        code = 1
    except SystemExit:
        pass
    except BaseException:
        logging.getLogger("local.cloud").exception("the server failed")
        code = 1
    # ministack leaves threads that wait for ever; there is nothing to wait for.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
