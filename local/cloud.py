"""The server process: python -m local.cloud --port N --folder DIR [--region R] [--enforce-iam] [--bridge A].

One ASGI app on the loopback interface and, with --bridge, on Docker's bridge. local/sagemaker answers
requests to SageMaker; ministack, with the repairs of local/ministack, answers all others. State is in memory.
TERM, INT and HUP stop jobs and Lambda workers, delete the folder and exit 0.
"""

import argparse
import contextlib
import errno
import functools
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING

import botocore.session

from local import folder as folders
from local.account import ACCOUNT, administrator
from local.callers import LOOPBACK, admitted, refuse
from local.errors import CloudError, NoBridge, PortInUse
from local.http_server import SIGNALS, serve
from local.images import installing
from local.server import process_environment
from local.types import App, Receive, Scope, Send

if TYPE_CHECKING:
    from local.ministack.iam.authority import Iam

log = logging.getLogger("local.cloud")


@dataclass(frozen=True)
class Options:
    """How to serve. `port` 0 takes any free one. `bridge` is Docker's, if containers may call.

    `quotas` are instances that jobs may have at once, by the names of Service Quotas. `prepare` are the names
    of images (images/table.py) whose first job is sure to come.
    """

    folder: Path
    port: int
    region: str
    enforce_iam: bool = False
    bridge: IPv4Interface | None = None
    quotas: Mapping[str, int] = field(default_factory=dict)
    prepare: Sequence[str] = ()


def environment(folder: Path, port: int, region: str, *, enforce_iam: bool = False) -> dict[str, str]:
    """The whole environment of the server, ministack and functions. Set it before ministack is imported.

    ministack passes its own environment on to functions, so nothing of the caller's may stay in it. The
    administrator's key is a new one each time.
    """
    key, secret = f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30)
    return process_environment(dict(os.environ), folder) | {
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{port}",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": region,
        "MINISTACK_HOST": "localhost",
        "MOTO_ACCOUNT_ID": ACCOUNT,
        "GATEWAY_PORT": str(port),
        "BIND_HOST": LOOPBACK,
        "STATE_DIR": str(folder / "tmp/state"),
        "S3_DATA_DIR": str(folder / "tmp/s3"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker",  # does not exist: ministack must not use Docker
        "LAMBDA_EXECUTOR": "local",
        "LAMBDA_WARM_TTL_SECONDS": "120",
        "LAMBDA_ACCOUNT_CONCURRENCY": "4",  # each worker is a process; more would overload two cores
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
    quotas: Mapping[str, int] | None = None,
    installing: Mapping[str, str] | None = None,
    prepare: Sequence[str] = (),
) -> tuple[App, Callable[[], None]]:
    """The ASGI app, and a function that ends its processes. Imports ministack: set the environment first.

    `installing` are the variables by which packages of images are installed. What the jobs of the images
    `prepare` are forked from starts at once.
    """
    # ministack makes a session for each service, and each would read botocore's descriptions again.
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    from ministack.app import app as ministack
    from ministack.core import lambda_runtime

    from local import function_urls, signatures
    from local.images import table
    from local.images.environments import Environments
    from local.images.pythons import Pythons
    from local.ministack import archives, parsing, repairs, workers
    from local.sagemaker.front import in_turn, sagemaker
    from local.sagemaker.jobs import container

    repairs.apply()
    parsing.parse_by_libyaml()
    archives.unpack_once(folder / "tmp" / "unpacked")
    close_workers = workers.fork_workers(folder / "tmp")
    iam = enforced(folder, region) if enforce_iam else None
    pythons = Pythons(folder / "python", Environments(installing or {}))
    for image in (image for image in table.IMAGES if image.name in prepare):
        pythons.prepare(image, container.limits())
    engine = sagemaker(
        folder,
        endpoint=f"http://{LOOPBACK}:{port}",
        account=ACCOUNT,
        region=region,
        authority=iam,
        admit=iam.admit if iam else None,
        quotas=quotas,
        pythons=pythons,
    )

    served = admitting(routed(engine.app, ministack), bridge)
    app = signatures.signed(served, pages=admitting(function_urls.serve, bridge))
    return app, in_turn(engine.close, lambda_runtime.reset, close_workers)


def admitting(app: App, bridge: IPv4Interface | None) -> App:
    """An app that refuses foreign requests and passes the others on."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            accepted = admitted(scope, bridge)
            if accepted is None:
                return await refuse(scope, send)
            scope = accepted
        await app(scope, receive, send)

    return guarded


def routed(sagemaker: App, others: App) -> App:
    """An app that passes requests on to SageMaker or to ministack."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope.get("headers", ()))
        if scope["type"] == "http" and headers.get(b"x-amz-target", b"").startswith(b"SageMaker."):
            await sagemaker(scope, receive, send)
        else:
            await others(scope, receive, send)

    return app


def enforced(folder: Path, region: str) -> "Iam":
    """IAM for ministack and SageMaker. It records its decisions in `folder`."""
    from local.ministack.iam import deliveries, requests
    from local.ministack.iam import journal as journals
    from local.ministack.iam.authority import Iam, watch

    journal = journals.Journal(folder / journals.NAME)
    watch(journal)
    authority = Iam(ACCOUNT, region, journal)
    requests.apply()
    deliveries.apply(authority)
    return authority


def listen(port: int, address: str = LOOPBACK) -> socket.socket:
    """A listening socket. Opened first of all, so that no other program takes the port in the meantime.

    Raises NoBridge if this machine does not have `address`, PortInUse.
    """
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
    """Stop this process when standard input ends, which is when the process that holds it has ended."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="starter", daemon=True).start()


def run(options: Options) -> None:
    """Serve until a signal arrives, then end all processes and delete the folder. Raises CloudError."""
    for number in SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))
    lock = folders.claim(options.folder)
    closers: list[Callable[[], None]] = []
    try:
        _serve(options, closers)
    finally:
        failed = sys.exc_info()[0] not in (None, SystemExit)
        _clear(options.folder, closers, keep_log=failed)
        os.close(lock)


def _serve(options: Options, closers: list[Callable[[], None]]) -> None:
    """Serve in a folder that this process has claimed. Adds what ends its jobs and workers to `closers`."""
    folder, region, bridge = options.folder, options.region, options.bridge
    listeners = [listen(options.port)]
    port = listeners[0].getsockname()[1]
    if bridge and str(bridge.ip) != LOOPBACK:
        listeners.append(listen(port, str(bridge.ip)))
    given = installing.taken_from(os.environ)
    os.environ.clear()
    os.environ.update(environment(folder, port, region, enforce_iam=options.enforce_iam))
    tempfile.tempdir = os.environ["TMPDIR"]
    os.chdir(folder)
    sys.modules["duckdb"] = None  # type: ignore[assignment] # else ministack imports it, for Athena
    app, close = build_app(
        folder,
        port,
        region,
        enforce_iam=options.enforce_iam,
        bridge=bridge,
        quotas=options.quotas,
        prepare=options.prepare,
        installing={**given, "TMPDIR": os.environ["TMPDIR"]},  # so that pip is found as one of ours
    )
    closers.append(close)

    def ready() -> None:
        folders.write_record(folder, port=port, region=region, administrator=administrator())
        log.info("ready on http://%s:%d", LOOPBACK, port)

    serve(app, listeners, ready)


def _clear(folder: Path, closers: Sequence[Callable[[], None]], *, keep_log: bool) -> None:
    """End all processes of the folder and delete it. With `keep_log` its log stays, if it has one."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not interrupt this
    for close in closers:
        with contextlib.suppress(Exception):
            close()
    folders.end_strays(folder, grace=1)
    os.chdir("/")
    for path in folder.iterdir():
        if path.name not in (folders.LOG, folders.LOCK):
            folders.delete(path)
    if not (keep_log and (folder / folders.LOG).exists()):
        folders.delete(folder)


def _options() -> Options:
    """The options on the command line. With --attached, also begin to watch standard input."""
    parser = argparse.ArgumentParser(prog="python -m local.cloud", description=__doc__)
    parser.add_argument("--port", type=int, default=4566, help="0 takes any free one")
    parser.add_argument("--folder", type=Path, required=True, help="made at the start, deleted at the end")
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--attached", action="store_true", help="stop when standard input ends")
    parser.add_argument("--enforce-iam", action="store_true", help="refuse what IAM does not allow")
    parser.add_argument("--bridge", type=IPv4Interface, help="let containers there call: 172.17.0.1/16")
    parser.add_argument("--quota", action="append", default=[], help="ml.m5.large for training job usage=1")
    parser.add_argument("--prepare", action="append", default=[], help="an image: scikit-learn:1.9-0")
    given = parser.parse_args()
    if given.attached:
        end_with_standard_input()
    quotas = {name: int(number) for name, _, number in (item.rpartition("=") for item in given.quota)}
    return Options(
        given.folder.resolve(),
        given.port,
        given.region,
        given.enforce_iam,
        given.bridge,
        quotas,
        given.prepare,
    )


def main() -> None:
    """Serve as the command line says. Exit code 1 after an error."""
    options = _options()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("botocore").setLevel(logging.WARNING)
    code = 0
    try:
        run(options)
    except CloudError as error:
        print(error, file=sys.stderr)
        code = 1
    except SystemExit:
        pass
    except BaseException:
        log.exception("the server failed")
        code = 1
    # ministack leaves threads that never end; os._exit does not wait for them.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
