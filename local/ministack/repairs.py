"""What ministack 1.5.33 gets wrong in the places this project leans on, and what mends it. One function each.

Every repair replaces functions of ministack in this process. tests/local/test_local_repairs.py runs each
defect against ministack as it comes and says "delete it" once a newer release needs the repair no more.
"""

import contextvars
import functools
import inspect
import json
import os
import time
import types
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudwatch, eventbridge, lambda_svc, scheduler, sns, sqs
from ministack.services.cloudformation import provisioners

Json = dict[str, Any]
WAIT_FOR_SLOT = 0.05  # seconds between two tries to get a free slot
SCHEDULER_TICK = 1.0  # seconds

# True in the thread of an asynchronous or queue invocation; ministack copies the context into it.
_may_wait: contextvars.ContextVar[bool] = contextvars.ContextVar("may_wait", default=False)
# True while such an invocation tries again, so that one wait counts as one throttle.
_waits: contextvars.ContextVar[bool] = contextvars.ContextVar("waits", default=False)


def apply() -> None:
    """Mend ministack in this process. Once, before serving; the order does not matter."""
    rules_invoke_asynchronously()
    topics_invoke_asynchronously()
    alias_keeps_its_invoke_config()
    throttled_calls_wait()
    queue_batches_and_windows()
    template_reserves_concurrency()
    versions_share_the_reservation()
    reserved_is_reserved()
    function_urls_lead_here()
    updated_schedule_fires_again()
    schedule_fills_its_placeholders()
    printed_metrics_count()
    every_invocation_is_measured()
    alarms_mind_dimensions()


def rules_invoke_asynchronously() -> None:
    """EventBridge and Scheduler → Lambda.

    AWS: an asynchronous invocation: two retries, then the OnFailure destination.
    ministack: runs the function once in a thread and forgets how it went; a throttle drops the event.
    """

    def dispatch(arn: str, payload: str) -> None:
        try:
            event = json.loads(payload)
        except (ValueError, TypeError):
            event = {"body": payload}
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            eventbridge.logger.warning("EventBridge -> Lambda: function %s not found", name)
            return
        lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), event)

    eventbridge._dispatch_to_lambda = dispatch


def topics_invoke_asynchronously() -> None:
    """SNS → Lambda.

    AWS: an asynchronous invocation: two retries, then the OnFailure destination.
    ministack: runs the function within the publish and forgets how it went; a throttle drops the message.
    """
    asynchronous = types.ModuleType("lambda_svc", "What sns takes for the Lambda service.")
    asynchronous.__dict__.update(
        _get_func_record_for_ref=lambda_svc._get_func_record_for_ref,
        _execution_record_for_config=lambda_svc._execution_record_for_config,
        _execute_function_with_config_scope=lambda *call: lambda_svc.invoke_async_with_retry(*call),
    )
    sns._lambda_svc = asynchronous


def alias_keeps_its_invoke_config() -> None:
    """EventInvokeConfig of an alias or a version (SAM's AutoPublishAlias puts it on the alias).

    AWS: the qualifier that is invoked decides retries and OnFailure.
    ministack: asks the invoked version's record, which has none, so OnFailure is lost. It does not pass the
    qualifier on; we take the alias that points to the invoked version, then $LATEST, as AWS would for them.
    """
    original = lambda_svc.invoke_async_with_retry

    @functools.wraps(original)
    def invoke(function: Json, event: Json) -> None:
        config = function.get("config") or function
        chosen = invoke_config(
            lambda_svc._functions.get(config.get("FunctionName", "")) or {}, config.get("Version", "")
        )
        original({**function, "event_invoke_config": chosen} if chosen else function, event)

    lambda_svc.invoke_async_with_retry = invoke


def invoke_config(base: Json, version: str) -> Json | None:
    """The EventInvokeConfig for `version` of the function `base` (ministack's record), None without one."""
    configs: dict[str, Json] = base.get("event_invoke_configs") or {}
    aliases = [
        name for name, alias in (base.get("aliases") or {}).items() if alias.get("FunctionVersion") == version
    ]
    for qualifier in (*aliases, version, "", "$LATEST"):
        if qualifier in configs:
            return configs[qualifier]
    return base.get("event_invoke_config")


def throttled_calls_wait() -> None:
    """Asynchronous and queue invocations at the concurrency limit.

    AWS: a throttled asynchronous event goes back to the queue for up to six hours; a throttled batch is tried
    again without having been seen.
    ministack: a throttle burns one of three attempts, or makes the batch invisible for a visibility timeout
    and counts towards its dead letter queue. Here such calls wait for a slot; synchronous ones still get 429.
    """
    execute = lambda_svc._execute_function

    @functools.wraps(execute)
    def patient(function: Json, event: Json) -> Json:
        result: Json = execute(function, event)
        token = _waits.set(True)
        try:
            while _may_wait.get() and isinstance(result, dict) and result.get("throttle"):
                time.sleep(WAIT_FOR_SLOT)
                result = execute(function, event)
        finally:
            _waits.reset(token)
        return result

    lambda_svc._execute_function = patient
    lambda_svc.invoke_async_with_retry = _waiting(lambda_svc.invoke_async_with_retry)
    lambda_svc._run_sqs_batch = _waiting(lambda_svc._run_sqs_batch)


def _waiting(call: Callable[..., None]) -> Callable[..., None]:
    """`call`, its invocations and the threads that it starts allowed to wait for a slot."""

    @functools.wraps(call)
    def marked(*arguments: Any) -> None:
        token = _may_wait.set(True)
        try:
            call(*arguments)
        finally:
            _may_wait.reset(token)

    return marked


def queue_batches_and_windows() -> None:
    """Event source mappings on SQS: BatchSize above 10 and MaximumBatchingWindowInSeconds.

    AWS: up to 10,000 messages a batch; a batch that is not full waits until its oldest message has waited for
    the window.
    ministack: at most 10, at once: 2,000 messages are 198 invocations.
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

    AWS: all versions of a function draw on its one reservation.
    ministack: counts them together, but looks for the limit in the version's record, which has none.
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
    """Functions with ReservedConcurrentExecutions, while others use up the account's concurrency.

    AWS: what is reserved for a function is taken from the account's limit beforehand and is there for it.
    ministack: refuses it at the account's limit like any other: the review page answers 429 while others run.
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


def function_urls_lead_here() -> None:
    """Function URLs.

    AWS: the URL leads to the function, and a request names in `host` what the browser asked for.
    ministack: serves the URL's path and id, but names it https://….on.aws/, where nobody of ours is, in
    FunctionUrl (so in links that are sent) and in each request (so no page could compare it with an Origin).
    Here it is a name below localhost, which browsers and curl resolve to this machine by themselves.
    """
    create, build = lambda_svc._create_function_url_config, lambda_svc._build_function_url_event

    @functools.wraps(create)
    def created(name: str, data: Json, qualifier: str | None) -> Any:
        answer = create(name, data, qualifier)
        known = lambda_svc._function_urls.get(lambda_svc._url_config_key(name, qualifier))
        if answer[0] != 201 or known is None:
            return answer
        label = lambda_svc._function_url_id(known["FunctionUrl"])
        port = os.environ.get("GATEWAY_PORT", "4566")
        known["FunctionUrl"] = f"http://{label}.lambda-url.{get_region()}.localhost:{port}/"
        return lambda_svc.json_response(known, status=201)

    @functools.wraps(build)
    def event(*arguments: Any, **named: Any) -> Json:
        built: Json = build(*arguments, **named)
        sent: Json = inspect.signature(build).bind(*arguments, **named).arguments["headers"]
        host = next((value for name, value in sent.items() if name.lower() == "host"), "")
        if ".lambda-url." in host:
            built["headers"]["host"] = host
            built["requestContext"]["domainName"] = host.partition(":")[0]
        return built

    lambda_svc._create_function_url_config, lambda_svc._build_function_url_event = created, event


def updated_schedule_fires_again() -> None:
    """EventBridge Scheduler.

    AWS: fires to the second or so, and an at() that was updated fires at its new time.
    ministack: sweeps every 10 s and never fires an at() twice, whatever became of it.
    """
    original = scheduler._update_schedule

    @functools.wraps(original)
    def update(name: str, body: Json) -> Any:
        response = original(name, body)
        # Only at(): a rate() that forgot its last time would fire at once.
        if response[0] == 200 and body["ScheduleExpression"].strip().startswith("at("):
            key = (get_account_id(), get_region(), f"{body.get('GroupName', 'default')}/{name}")
            scheduler._schedule_last_fired.pop(key, None)
        return response

    scheduler._update_schedule = update
    scheduler._SCHEDULE_TICK_INTERVAL = SCHEDULER_TICK


def schedule_fills_its_placeholders() -> None:
    """`<aws.scheduler.…>` in a schedule's Input.

    AWS: replaced by the time that was scheduled, the schedule's ARN, the attempt's id and number.
    ministack: sent as they stand, so every firing looks the same.
    """
    original = eventbridge._invoke_target

    @functools.wraps(original)
    def invoke(target: Json, event: Json, *more: Any, **named: Any) -> Any:
        if event.get("Source") == "aws.scheduler" and "<aws.scheduler." in (target.get("Input") or ""):
            scheduled = datetime.fromtimestamp(event["Time"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            text = target["Input"]
            for name, value in (
                ("scheduled-time", scheduled),
                ("schedule-arn", event["Resources"][0]),
                ("execution-id", event["EventId"]),
                ("attempt-number", "1"),
            ):
                text = text.replace(f"<aws.scheduler.{name}>", value)
            target = {**target, "Input": text}
        return original(target, event, *more, **named)

    eventbridge._invoke_target = invoke


def printed_metrics_count() -> None:
    """Metrics in embedded metric format (what Powertools prints).

    AWS: CloudWatch Logs turns such lines into metrics.
    ministack: keeps them as log lines only.
    """
    original = lambda_svc._emit_lambda_logs

    @functools.wraps(original)
    def emit(function: Json, request_id: str, text: str, *more: Any, **named: Any) -> None:
        original(function, request_id, text, *more, **named)
        for line in (text or "").splitlines():
            if '"_aws"' in line:
                record_printed_metrics(line)

    lambda_svc._emit_lambda_logs = emit


def record_printed_metrics(line: str) -> None:
    """Record the metrics of one log line; one that is not in embedded metric format is just a log line."""
    try:
        printed = json.loads(line[line.index("{") :])
        for block in printed["_aws"]["CloudWatchMetrics"]:
            for names in block.get("Dimensions") or [[]]:
                dimensions = {name: str(printed[name]) for name in names}
                for metric in block["Metrics"]:
                    values = printed[metric["Name"]]
                    for value in values if isinstance(values, list) else [values]:
                        cloudwatch.record_metric(
                            block["Namespace"],
                            metric["Name"],
                            float(value),
                            metric.get("Unit", "None"),
                            dimensions,
                        )
    except (ValueError, KeyError, TypeError):
        return


def every_invocation_is_measured() -> None:
    """Metrics of AWS/Lambda, and alarms.

    AWS: every invocation counts, and an alarm sees it within its period.
    ministack: only synchronous ones count, so a failing event-driven function raises no Errors; alarms are
    looked at only when somebody calls PutMetricData.
    """
    measure = lambda_svc._emit_lambda_metrics
    dispatch = lambda_svc._execute_function_dispatch

    @functools.wraps(dispatch)
    def measured(function: Json, config: Json, event: Json, request_id: str, started: float) -> Json:
        result: Json = dispatch(function, config, event, request_id, started)
        failed = isinstance(result, dict) and bool(result.get("error"))
        name = config.get("FunctionName", "unknown")
        measure(name, duration_ms=(time.time() - started) * 1000, error=failed, throttle=False)
        cloudwatch._evaluate_all_alarms()
        return result

    @functools.wraps(measure)
    def only_throttles(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:  # noqa: ARG001
        # ministack's own call after a synchronous invocation (the one with a duration) would count it twice,
        # and it counts a throttle as an invocation, which AWS does not.
        if throttle and not duration_ms and not _waits.get():
            cloudwatch.record_metric("AWS/Lambda", "Throttles", 1, "Count", {"FunctionName": function_name})

    lambda_svc._execute_function_dispatch = measured
    lambda_svc._emit_lambda_metrics = only_throttles


def alarms_mind_dimensions() -> None:
    """Alarms on one of several metrics of a name.

    AWS: an alarm watches the metric with exactly its dimensions.
    ministack: takes all metrics of that name together, so the errors of one function raise the alarms of all.
    Its function is kept and shown only the metric that the alarm means.
    """
    original = cloudwatch._evaluate_alarm

    @functools.wraps(original)
    def evaluate(alarm: Json) -> None:
        dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        meant = {key: points for key, points in cloudwatch._metrics.items() if key[2] == dimensions}
        types.FunctionType(original.__code__, {**original.__globals__, "_metrics": meant})(alarm)

    cloudwatch._evaluate_alarm = evaluate
