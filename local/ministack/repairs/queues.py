"""A repair of how Lambda reads queues."""

import time

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc, sqs

from local.types import Json


def queue_batches_and_windows() -> None:
    """Event source mappings on SQS: BatchSize above 10 and MaximumBatchingWindowInSeconds.

    AWS: up to 10,000 messages a batch; a batch that is not full waits until its oldest message has waited for
    the window.
    ministack: at most 10 messages, at once: 2,000 messages are 198 invocations.
    """

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
            if not since or (window and len(since) < size and now - min(since) < window):
                return []
            timeout = int(queue["attributes"].get("VisibilityTimeout", "30"))
            batch: list[Json] = sqs._collect_msgs(queue, size, timeout)
            return batch

    sqs._receive_messages_for_esm = receive
