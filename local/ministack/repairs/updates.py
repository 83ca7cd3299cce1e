"""Repair of how a function is updated while it runs."""

import contextvars
import functools
import threading
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

_updating: contextvars.ContextVar[bool] = contextvars.ContextVar("updating", default=False)
"""True while the workers of a function's earlier code are put away."""


def updates_let_invocations_end() -> None:
    """An update of a function, or its deletion, while it runs.

    AWS: the invocation ends with the earlier code; later ones run the new code.
    ministack: kills the worker, so that the invocation fails. Here its worker is killed once it is free.
    """
    acquire, release = lambda_svc.acquire_worker, lambda_svc.release_worker
    invalidate, kill = lambda_svc.invalidate_worker, lambda_runtime.kill_workers
    own = threading.local()  # a worker that failed is put away by the thread of its own invocation
    retired: list[Any] = []

    @functools.wraps(acquire)
    def acquired(*arguments: Any, **options: Any) -> Any:
        own.worker, reason = acquire(*arguments, **options)
        return own.worker, reason

    @functools.wraps(release)
    def released(worker: Any) -> None:
        own.worker = None
        release(worker)
        with lambda_runtime._lock:
            ended = [one for one in retired if one is worker]
            retired[:] = [one for one in retired if one is not worker]
        kill(ended)

    @functools.wraps(kill)
    def spared(workers: Any) -> None:
        with lambda_runtime._lock:
            own_worker = getattr(own, "worker", None)
            running = [one for one in workers if _updating.get() and one.in_use and one is not own_worker]
            retired.extend(running)
        kill([one for one in workers if one not in running])

    @functools.wraps(invalidate)
    def invalidated(*arguments: Any, **scope: Any) -> None:
        token = _updating.set(True)
        try:
            invalidate(*arguments, **scope)
        finally:
            _updating.reset(token)

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquired, released
    lambda_svc.invalidate_worker, lambda_runtime.kill_workers = invalidated, spared
