"""Repairs of throttling and of reserved concurrency."""

import contextvars
import functools
import time
from collections.abc import Callable
from typing import Any, Final

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from local.types import Json

SLOT_RETRY_SECONDS: Final = 0.05
"""Seconds between two tries of a waiting invocation to get a free slot."""

_may_wait: contextvars.ContextVar[bool] = contextvars.ContextVar("may_wait", default=False)
"""True in the thread of an asynchronous or queue invocation, into which ministack copies the context."""

waits: contextvars.ContextVar[bool] = contextvars.ContextVar("waits", default=False)
"""True while an invocation waits for a slot, so that one wait counts as one throttle."""


def throttled_calls_wait() -> None:
    """Asynchronous and queue invocations at the concurrency limit.

    AWS: returns a throttled asynchronous event to its queue for up to six hours, and tries a throttled batch
    again without counting it as received.
    ministack: a throttle uses up one of three attempts, or hides the batch for a visibility timeout and
    counts towards its dead-letter queue. Here such calls wait for a slot; synchronous ones still get 429.
    """
    execute = lambda_svc._execute_function

    @functools.wraps(execute)
    def patient(function: Json, event: Json) -> Json:
        result: Json = execute(function, event)
        token = waits.set(True)
        try:
            while _may_wait.get() and isinstance(result, dict) and result.get("throttle"):
                time.sleep(SLOT_RETRY_SECONDS)
                result = execute(function, event)
        finally:
            waits.reset(token)
        return result

    lambda_svc._execute_function = patient
    lambda_svc.invoke_async_with_retry = _waiting(lambda_svc.invoke_async_with_retry)
    lambda_svc._run_sqs_batch = _waiting(lambda_svc._run_sqs_batch)


def _waiting(call: Callable[..., None]) -> Callable[..., None]:
    """`call`, with its invocations and the threads that it starts allowed to wait for a slot."""

    @functools.wraps(call)
    def marked(*arguments: Any) -> None:
        token = _may_wait.set(True)
        try:
            call(*arguments)
        finally:
            _may_wait.reset(token)

    return marked


def template_reserves_concurrency() -> None:
    """ReservedConcurrentExecutions of AWS::Lambda::Function.

    AWS: set with the function, removed when the template no longer names it.
    ministack: ignored in templates; only PutFunctionConcurrency works.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    original_create, original_update = handlers["create"], handlers["update"]

    def reserve(name: str, properties: Json) -> None:
        reserved = properties.get("ReservedConcurrentExecutions")
        if name in lambda_svc._functions:
            lambda_svc._functions[name]["concurrency"] = None if reserved is None else int(reserved)

    @functools.wraps(original_create)
    def create(logical_id: str, properties: Json, stack_name: str) -> Any:
        created = original_create(logical_id, properties, stack_name)
        reserve(created[0], properties)
        return created

    @functools.wraps(original_update)
    def update(physical_id: str, old: Json, new: Json, stack_name: str, logical_id: str | None = None) -> Any:
        updated = original_update(physical_id, old, new, stack_name, logical_id=logical_id)
        reserve(updated[0], new)
        return updated

    handlers["create"], handlers["update"] = create, update


def versions_share_the_reservation() -> None:
    """Reserved concurrency of a function that is invoked through an alias or a version.

    AWS: all versions of a function share its one reservation.
    ministack: counts them together, but reads the limit from the version's record, which has none.
    """
    original = lambda_svc._reserved_concurrency

    @functools.wraps(original)
    def reserved(function: Json, config: Json) -> int | None:
        limit: int | None = original(
            lambda_svc._functions.get(config.get("FunctionName", "")) or function, config
        )
        return limit

    lambda_svc._reserved_concurrency = reserved


def reserved_is_reserved() -> None:
    """Keep a function's reserved concurrency free for it, as AWS does.

    AWS subtracts the reservation from the account's limit. ministack does not: the review page answers 429
    while other functions use up the limit.
    """
    acquire = lambda_svc._acquire_execution_slot

    @functools.wraps(acquire)
    def reserved(function: Json, config: Json) -> Any:
        limit = lambda_svc._reserved_concurrency(function, config)
        if limit is None:
            return acquire(function, config)
        key = lambda_svc._inflight_key(config)
        with lambda_svc._inflight_lock:
            if lambda_svc._inflight.get(key, 0) >= limit:
                return None, "function"
            lambda_svc._inflight[key] = lambda_svc._inflight.get(key, 0) + 1
            lambda_svc._inflight_total += 1
        return key, None

    lambda_svc._acquire_execution_slot = reserved
