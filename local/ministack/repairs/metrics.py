"""Repairs of CloudWatch metrics and alarms."""

import functools
import json
import operator
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from ministack.core.responses import set_request_account_id, set_request_region
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
    are evaluated only at a call of PutMetricData. Here they are after each invocation, too.
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


COMPARED: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
"""How an alarm compares a period's statistic with its threshold. Bands of anomalies are not evaluated."""

TREATED: Final = {"notBreaching": False, "breaching": True}
"""Whether a period without data breaches, by TreatMissingData. Other values leave the alarm's state."""


def alarms_look_at_periods() -> None:
    """The evaluation of an alarm.

    AWS: an alarm watches the metric with exactly its dimensions. It compares each of its last
    EvaluationPeriods with its threshold, the newest ending now; DatapointsToAlarm of them raise it, all if it
    says nothing. TreatMissingData says what a period without data is.
    ministack: takes the data of all metrics of that name and of all periods together, so one error raises
    the alarms of all functions that want several. Without data an alarm keeps its state for ever.
    """
    alone = threading.RLock()  # an alarm changes its state once, whoever evaluates it

    def evaluate(alarm: Json) -> None:
        if alarm.get("MetricName") and alarm.get("ComparisonOperator") in COMPARED:
            with alone:
                _evaluate(alarm, time.time())

    cloudwatch._evaluate_alarm = evaluate


def _evaluate(alarm: Json, now: float) -> None:
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
    points = cloudwatch._metrics.get((alarm.get("Namespace"), alarm["MetricName"], dimensions)) or []
    period, count = alarm.get("Period", 60), alarm.get("EvaluationPeriods", 1)
    recent = [point for point in points if point["Timestamp"] > now - count * period]  # of days of points
    breaches = []
    for end in (now - number * period for number in range(count)):
        within = [point for point in recent if end - period < point["Timestamp"] <= end]
        breaches.append(_breaches(alarm, within, end - period))
    found, wanted = breaches.count(True), alarm.get("DatapointsToAlarm") or count
    reason = f"{found} of the last {count} periods: {alarm['ComparisonOperator']} {alarm['Threshold']:g}"
    if found >= wanted:
        _change(alarm, "ALARM", f"Threshold Crossed: {reason}")
    elif False in breaches:
        _change(alarm, "OK", f"Threshold not crossed: {reason}")


def _breaches(alarm: Json, points: list[Json], begin: float) -> bool | None:
    """Whether a period breaches; None if it has no data and nothing says what that is.

    A period before the alarm was made has no data for that reason.
    """
    name = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average")
    value = cloudwatch._stat_value(cloudwatch._calc_stats(points), name, points) if points else None
    if value is not None:
        return COMPARED[alarm["ComparisonOperator"]](value, alarm["Threshold"])
    treated = TREATED.get(alarm.get("TreatMissingData") or "")
    return None if treated and begin < alarm.get("AlarmConfigurationUpdatedTimestamp", 0) else treated


def _change(alarm: Json, state: str, reason: str) -> None:
    """Put an alarm into this state, and call its actions if it is a new one."""
    before = alarm["StateValue"]
    if state == before:
        return
    alarm.update(StateValue=state, StateReason=reason, StateUpdatedTimestamp=int(time.time()))
    cloudwatch._record_history(alarm["AlarmName"], before, state, reason)
    cloudwatch._dispatch_alarm_actions(alarm, before, state, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


EVALUATED_EVERY: Final = 2.0
"""Seconds between two evaluations of all alarms. AWS takes a minute; a person who tries it does not."""


def alarms_need_no_call() -> None:
    """When alarms are evaluated.

    AWS: each minute.
    ministack: at a call of PutMetricData, or of a function after every_invocation_is_measured. So the alarm
    that no function runs never rings, and none clears while nothing happens.
    """

    def evaluate() -> None:
        while True:
            time.sleep(EVALUATED_EVERY)
            for account, region in {key[:2] for key in list(cloudwatch._alarms._data)}:
                set_request_account_id(account)
                set_request_region(region)
                cloudwatch._evaluate_all_alarms()

    threading.Thread(target=evaluate, name="alarms", daemon=True).start()


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
