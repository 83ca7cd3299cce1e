"""A repair of how Lambda reads queues."""

import contextvars
import logging
import threading
import time

from ministack.core import lambda_runtime
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc, sqs

from local.types import Json

log = logging.getLogger(__name__)


def queue_batches_and_windows() -> None:
    """Event source mappings on SQS: BatchSize above 10 and MaximumBatchingWindowInSeconds.

    AWS: up to 10,000 messages a batch; a batch that is not full waits until its oldest message has waited for
    the window.
    ministack: at most 10 messages, at once: 2,000 messages are 198 invocations.

    The worker that will take the batch starts within the window, which AWS does not tell.
    """
    starting: dict[str, threading.Thread] = {}

    def receive(queue_url: str, max_number: int) -> list[Json]:
        size = int(max_number or 1)
        mappings = (
            mapping
            for account, region, mapping in lambda_svc._iter_all_esms()
            if (account, region) == (get_account_id(), get_region())
            and sqs._queue_url(mapping.get("EventSourceArn", "").rsplit(":", 1)[-1]) == queue_url
        )
        mapping: Json = next(mappings, {})
        window = float(mapping.get("MaximumBatchingWindowInSeconds") or 0)
        with sqs._queues_lock:
            queue = sqs._get_q(queue_url)
            sqs._expire_retained(queue)
            sqs._dlq_sweep(queue)
            for message in queue["messages"]:
                sqs._ensure_msg_fields(message)
            now = time.time()
            since = [max(m["visible_at"], m["sent_at"]) for m in queue["messages"] if m["visible_at"] <= now]
            if not since:
                return []
            if window and len(since) < size and now - min(since) < window:
                if queue_url not in starting:
                    starting[queue_url] = _start_worker(mapping)
                return []
            if (worker := starting.get(queue_url)) is not None:
                if worker.is_alive():  # another one would only start later
                    return []
                del starting[queue_url]
            timeout = int(queue["attributes"].get("VisibilityTimeout", "30"))
            batch: list[Json] = sqs._collect_msgs(queue, size, timeout)
            return batch

    sqs._receive_messages_for_esm = receive


def _start_worker(mapping: Json) -> threading.Thread:
    """Start a worker of the mapping's function in a thread, unless one waits for work."""
    record, config = lambda_svc._get_func_record_for_qualifier(
        mapping.get("FunctionName", ""), mapping.get("Qualifier")
    )

    def start() -> None:
        if not record or not config or not record.get("code_zip"):
            return
        worker, how = lambda_runtime.acquire_worker(
            config["FunctionName"], config, record["code_zip"], qualifier=config.get("Version", "$LATEST")
        )
        try:
            if worker is not None and how == "spawn":
                lambda_runtime.ensure_spawned(worker)
                worker._cold = True  # for the line that tells of the first invocation
        except Exception as error:  # the invocation tries again, and tells
            log.warning("%s could not be started early: %s", config["FunctionName"], error)
        finally:
            lambda_runtime.release_worker(worker)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(start,), name="early-worker")
    thread.daemon = True
    thread.start()
    return thread
