"""Repairs of CloudWatch metrics and alarms."""

import functools
import json
import time
import types
from typing import Any, Final

from ministack.services import cloudwatch, lambda_svc, sqs

from local.ministack.repairs.concurrency import waits
from local.types import Json


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
    """Record the metrics of one log line. A line that is not in embedded metric format has none."""
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

    AWS: every invocation counts, and an alarm evaluates it within its period.
    ministack: only synchronous invocations count, so a failing event-driven function causes no Errors. Alarms
    are evaluated only at a call of PutMetricData.
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
        # ministack's own call after a synchronous invocation (the one with a duration) would count it twice.
        # It also counts a throttle as an invocation, which AWS does not.
        if throttle and not duration_ms and not waits.get():
            cloudwatch.record_metric("AWS/Lambda", "Throttles", 1, "Count", {"FunctionName": function_name})

    lambda_svc._execute_function_dispatch = measured
    lambda_svc._emit_lambda_metrics = only_throttles


def alarms_mind_dimensions() -> None:
    """Alarms on one of several metrics that share a name.

    AWS: an alarm watches the metric with exactly its dimensions.
    ministack: evaluates all metrics of that name together, so the errors of one function raise the alarms of
    all functions. This repair runs ministack's function on the alarm's own metric only.
    """
    original = cloudwatch._evaluate_alarm

    @functools.wraps(original)
    def evaluate(alarm: Json) -> None:
        dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        meant = {key: points for key, points in cloudwatch._metrics.items() if key[2] == dimensions}
        types.FunctionType(original.__code__, {**original.__globals__, "_metrics": meant})(alarm)

    cloudwatch._evaluate_alarm = evaluate


TREATED: Final = {"notBreaching": "OK", "breaching": "ALARM"}
"""The state of an alarm whose metric has no data, by TreatMissingData. Other values leave the state."""


def missing_data_is_treated() -> None:
    """Alarms on a metric without data in the periods that they evaluate.

    AWS: TreatMissingData says what they are then. ministack: they keep their state for ever.
    """
    original = cloudwatch._evaluate_alarm

    @functools.wraps(original)
    def evaluate(alarm: Json) -> None:
        state, now = TREATED.get(alarm.get("TreatMissingData") or ""), time.time()
        begin = now - alarm.get("Period", 60) * alarm.get("EvaluationPeriods", 1)
        dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
        points = cloudwatch._metrics.get((alarm.get("Namespace"), alarm.get("MetricName"), dimensions)) or []
        if any(point["Timestamp"] >= begin for point in points):
            original(alarm)
        elif state not in (None, alarm["StateValue"]) and (
            state == "OK" or alarm.get("AlarmConfigurationUpdatedTimestamp", now) < begin
        ):
            _change(alarm, state, "no data in the periods that are evaluated")

    cloudwatch._evaluate_alarm = evaluate


def _change(alarm: Json, state: str, reason: str) -> None:
    """Put an alarm into another state, and call its actions, as ministack does after a data point."""
    before = alarm["StateValue"]
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)


def queues_are_measured() -> None:
    """Metrics of AWS/SQS: how many messages a queue shows, and how old the oldest one is.

    AWS: measures each queue each minute, so that alarms watch them.
    ministack: measures none. This repair measures all queues before alarms are evaluated.
    """
    original = cloudwatch._evaluate_all_alarms
    had_messages: set[str] = set()

    @functools.wraps(original)
    def evaluate() -> None:
        now = time.time()
        with sqs._queues_lock:
            found = {queue["name"]: _waiting_since(queue, now) for queue in sqs._queues.values()}
        for name, since in found.items():
            if since or name in had_messages:  # an empty queue is measured once more, which ends its alarm
                _measure(name, len(since), now - min(since, default=now))
        had_messages.clear()
        had_messages.update(name for name, since in found.items() if since)
        original()

    cloudwatch._evaluate_all_alarms = evaluate


def _measure(queue: str, visible: int, age: float) -> None:
    """Record two metrics of a queue: its visible messages, and the age of the oldest in seconds."""
    dimensions = {"QueueName": queue}
    cloudwatch.record_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", visible, "Count", dimensions)
    cloudwatch.record_metric("AWS/SQS", "ApproximateAgeOfOldestMessage", age, "Seconds", dimensions)


def _waiting_since(queue: Json, now: float) -> list[float]:
    """When each visible message of a queue was sent."""
    for message in queue["messages"]:
        sqs._ensure_msg_fields(message)
    return [message["sent_at"] for message in queue["messages"] if message["visible_at"] <= now]
