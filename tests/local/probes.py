"""Probes whether ministack behaves as AWS, one probe for each repair. Prints {repair: bool} as JSON.

    python -m tests.local.probes [repaired]

It runs in a process of its own, because repairs cannot be undone.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

os.environ |= {
    "MINISTACK_TEST_NO_AUTOSTART": "1",
    "MINISTACK_ACCOUNT_ID": "123456789012",
    "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.01",
    "DOCKER_HOST": "unix:///nowhere",
    "GATEWAY_PORT": "4650",
}

from botocore.session import Session
from ministack.core import lambda_runtime, router
from ministack.services import cloudwatch, cloudwatch_logs, eventbridge, lambda_svc, s3, scheduler, sns, sqs
from ministack.services.cloudformation import provisioners, stacks

from local.ministack import repairs
from local.types import Json

ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:"
runs: list[Json] = []
failures: list[str] = []
answers: dict[str, Json] = {}


def executor(function: Json, event: Json, _request_id: str) -> Json:
    """Stands in for the Lambda worker: records the event, and returns what `answers` holds."""
    runs.append(event)
    return answers.get(function["config"]["FunctionName"], {"body": {}, "log": ""})


def function(name: str, **changes: Any) -> Json:
    """A record of a function as ministack stores it."""
    config = {"FunctionName": name, "FunctionArn": ARN + name, "Runtime": "python3.12", "Version": "$LATEST"}
    record = {"config": config, "aliases": {}, "versions": {}, "concurrency": None, **changes}
    lambda_svc._functions[name] = record
    return record


def soon(condition: Callable[[], bool], timeout: float = 1.0) -> bool:
    """Whether `condition` becomes true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def rules_invoke_asynchronously() -> bool:
    function("rule")
    answers["rule"] = {"error": True, "body": {}, "log": ""}
    eventbridge._dispatch_to_lambda(ARN + "rule", "{}")
    return soon(lambda: len(runs) == 3)


def topics_invoke_asynchronously() -> bool:
    function("topic")
    answers["topic"] = {"error": True, "body": {}, "log": ""}
    topic = "arn:aws:sns:us-east-1:123456789012:t"
    sns._deliver_to_lambda(ARN + "topic", '{"Message": "m"}', topic, topic + ":s", "id", "m", {})
    return soon(lambda: len(runs) == 3) and runs[0]["Records"][0]["Sns"] == {"Message": "m"}


def alias_keeps_its_invoke_config() -> bool:
    config = {
        "FunctionName": "alias",
        "FunctionArn": ARN + "alias:1",
        "Runtime": "python3.12",
        "Version": "1",
    }
    function(
        "alias",
        versions={"1": {"config": config}},
        aliases={"live": {"FunctionVersion": "1"}},
        event_invoke_configs={
            "live": {
                "MaximumRetryAttempts": 0,
                "DestinationConfig": {"OnFailure": {"Destination": QUEUE + "failed"}},
            }
        },
    )
    answers["alias"] = {"error": True, "body": {}, "log": ""}
    record, found, _ = lambda_svc._get_func_record_for_ref(ARN + "alias:live")
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(record, found), {})
    return soon(lambda: failures == [QUEUE + "failed"])


def throttled_calls_wait() -> bool:
    record = function("busy", concurrency=1, event_invoke_config={"MaximumRetryAttempts": 0})
    slot, _ = lambda_svc._acquire_execution_slot(record, record["config"])
    lambda_svc.invoke_async_with_retry(record, {})
    time.sleep(0.15)
    lambda_svc._release_execution_slot(slot)
    return soon(lambda: len(runs) == 1)


def queue_batches_and_windows() -> bool:
    url = sqs._act_create_queue({"QueueName": "batches"}, "")["QueueUrl"]
    lambda_svc._esms["m"] = {
        "EventSourceArn": QUEUE + "batches",
        "MaximumBatchingWindowInSeconds": 0.3,
        "UUID": "m",
    }
    for number in range(25):
        sqs._act_send_message({"MessageBody": str(number)}, url)
    full = sqs._receive_messages_for_esm(url, 20)
    early = sqs._receive_messages_for_esm(url, 20)
    time.sleep(0.3)
    late = sqs._receive_messages_for_esm(url, 20)
    return (len(full), len(early), len(late)) == (20, 0, 5)


def template_reserves_concurrency() -> bool:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    old = {"FunctionName": "made", "Code": {"ZipFile": "def handler(e, c): pass"}, "Handler": "index.handler"}
    new = {**old, "ReservedConcurrentExecutions": 2}
    handlers["create"]("Made", new, "stack")
    created = lambda_svc._functions["made"].get("concurrency")
    handlers["update"]("made", new, old, "stack", logical_id="Made")
    return bool(created == 2 and lambda_svc._functions["made"].get("concurrency") is None)


def versions_share_the_reservation() -> bool:
    config = {"FunctionName": "versions", "FunctionArn": ARN + "versions:1", "Version": "1"}
    function("versions", concurrency=1, versions={"1": {"config": config}})
    record = {"config": config}
    first, _ = lambda_svc._acquire_execution_slot(record, config)
    second, _ = lambda_svc._acquire_execution_slot(record, config)
    for slot in (first, second):
        lambda_svc._release_execution_slot(slot)
    return first is not None and second is None


def reserved_is_reserved() -> bool:
    others, page = function("others"), function("page", concurrency=1)
    cap, lambda_svc._ACCOUNT_CONCURRENCY_CAP = lambda_svc._ACCOUNT_CONCURRENCY_CAP, 1
    try:
        taken = [
            lambda_svc._acquire_execution_slot(item, item["config"])[0]
            for item in (others, page, page, others)
        ]
    finally:
        lambda_svc._ACCOUNT_CONCURRENCY_CAP = cap
    for slot in taken:
        lambda_svc._release_execution_slot(slot)
    return [slot is not None for slot in taken] == [True, True, False, False]


def function_urls_lead_here() -> bool:
    function("open")
    lambda_svc._create_function_url_config("open", {"AuthType": "NONE"}, None)
    url = lambda_svc._function_urls["open"]["FunctionUrl"]
    label, _, rest = url.removeprefix("http://").partition(".")
    asked = {"Host": f"{label}.lambda-url.us-east-1.localhost:4650"}
    event = lambda_svc._build_function_url_event(
        label, "123456789012", "us-east-1", "GET", "/", asked, b"", {}
    )
    return bool(
        rest == "lambda-url.us-east-1.localhost:4650/"
        and event["headers"]["host"] == asked["Host"]
        and event["requestContext"]["domainName"] == f"{label}.lambda-url.us-east-1.localhost"
        and lambda_svc.resolve_function_url(label)[2] == "open"
    )


def updated_schedule_fires_again() -> bool:
    at = time.strftime("at(%Y-%m-%dT%H:%M:%S)", time.gmtime(time.time() - 1))
    function("scheduled")
    body = {
        "ScheduleExpression": at,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": ARN + "scheduled", "RoleArn": "arn:aws:iam::123456789012:role/r"},
    }
    scheduler._create_schedule("s", dict(body))
    scheduler._tick_schedules()
    scheduler._tick_schedules()
    once = soon(lambda: len(runs) == 1)
    scheduler._update_schedule("s", dict(body))
    scheduler._tick_schedules()
    return once and soon(lambda: len(runs) == 2) and scheduler._SCHEDULE_TICK_INTERVAL <= 1


def rate_schedule_starts_as_it_says() -> bool:
    function("rated")
    body = {
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": ARN + "rated", "RoleArn": "arn:aws:iam::123456789012:role/r"},
    }
    later = {"StartDate": time.time() + 0.5}
    refused = scheduler._create_schedule("past", {**body, "StartDate": time.time() - 301})[0]
    scheduler._create_schedule("now", dict(body))
    scheduler._create_schedule("later", {**body, **later})
    scheduler._tick_schedules()
    scheduler._tick_schedules()
    at_once = soon(lambda: len(runs) == 1) and not soon(lambda: len(runs) > 1, 0.1)
    time.sleep(max(0.0, later["StartDate"] - time.time()) + 0.01)
    scheduler._tick_schedules()
    scheduler._tick_schedules()
    then = soon(lambda: len(runs) == 2) and not soon(lambda: len(runs) > 2, 0.1)
    refuses = scheduler._update_schedule("now", {**body, "StartDate": time.time() - 301})[0]
    return at_once and then and (refused, refuses) == (400, 400)


SCHEDULED = {
    "EventId": "an-id",
    "Source": "aws.scheduler",
    "DetailType": "Scheduled Event",
    "Detail": "{}",
    "Time": 1795413600,
    "Resources": ["arn:of-the-schedule"],
    "Account": "123456789012",
    "Region": "us-east-1",
}
"""The event of a schedule on 2026-11-23 at 06:00 UTC, as ministack hands it to a target."""


def schedule_without_queue_uses_its_failure_queue() -> bool:
    target = {
        "Arn": QUEUE + "no-such-queue",
        "Input": '{"at": "<aws.scheduler.scheduled-time>"}',
        "DeadLetterConfig": {"Arn": QUEUE + "schedule-failures"},
    }
    eventbridge._invoke_target(target, dict(SCHEDULED), {})  # neither queue exists: the message is lost
    sqs._act_create_queue({"QueueName": "schedule-failures"}, "")
    eventbridge._invoke_target(target, dict(SCHEDULED), {})
    queue = sqs._queue_by_arn(QUEUE + "schedule-failures")
    return [message["body"] for message in queue["messages"]] == ['{"at": "2026-11-23T06:00:00Z"}']


def schedule_fills_its_placeholders() -> bool:
    function("scheduled")
    text = '{"at": "<aws.scheduler.scheduled-time>", "of": "<aws.scheduler.schedule-arn>"}'
    eventbridge._invoke_target({"Arn": ARN + "scheduled", "Input": text}, dict(SCHEDULED), {})
    return soon(lambda: runs == [{"at": "2026-11-23T06:00:00Z", "of": "arn:of-the-schedule"}])


def conditions_know_the_region() -> bool:
    conditions = {
        "Here": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
        "Elsewhere": {"Fn::Not": [{"Fn::Or": [{"Condition": "Here"}, {"Condition": "Aws"}]}]},
        "Aws": {"Fn::Equals": [{"Ref": "AWS::Partition"}, "aws"]},
    }
    found = stacks._evaluate_conditions({"Conditions": conditions}, {})
    return bool(found == {"Here": True, "Aws": True, "Elsewhere": False})


def printed_metrics_count() -> bool:
    line = {
        "_aws": {
            "CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [["d"]], "Metrics": [{"Name": "m"}]}]
        },
        "d": "x",
        "m": [1, 2],
    }
    lambda_svc._emit_lambda_logs(function("prints"), "id", f"hello\n{json.dumps(line)}\n", False, 1)
    points = [
        point
        for (space, name, _), points in cloudwatch._metrics.items()
        if (space, name) == ("N", "m")
        for point in points
    ]
    return [(point["Value"], point["Dimensions"]) for point in points] == [
        (1.0, {"d": "x"}),
        (2.0, {"d": "x"}),
    ]


def alarm(name: str, function_name: str) -> None:
    """Make an alarm on one error of a function."""
    request = {
        "AlarmName": name,
        "Namespace": "AWS/Lambda",
        "MetricName": "Errors",
        "Dimensions": [{"Name": "FunctionName", "Value": function_name}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    cloudwatch._put_metric_alarm({}, request, False, is_json=True)


def every_invocation_is_measured() -> bool:
    alarm("measured", "measured")
    record = function("measured")
    answers["measured"] = {"error": True, "body": {}, "log": ""}
    lambda_svc._execute_function(record, {})
    counted = [points for (_, name, _), points in cloudwatch._metrics.items() if name == "Invocations"]
    return bool(sum(map(len, counted)) == 1 and cloudwatch._alarms["measured"]["StateValue"] == "ALARM")


def alarms_look_at_periods() -> bool:
    return alarms_mind_dimensions() and missing_data_is_treated() and errors_in_one_period_are_one()


def alarms_mind_dimensions() -> bool:
    alarm("other", "other")
    cloudwatch.record_metric("AWS/Lambda", "Errors", 1, "Count", {"FunctionName": "this"})
    cloudwatch._evaluate_all_alarms()
    return bool(cloudwatch._alarms["other"]["StateValue"] == "INSUFFICIENT_DATA")


def missing_data_is_treated() -> bool:
    states = {}
    for treatment in ("notBreaching", "breaching", "ignore"):
        alarm(treatment, treatment)
        known = cloudwatch._alarms[treatment]
        known.update(TreatMissingData=treatment, AlarmConfigurationUpdatedTimestamp=0)
        cloudwatch._evaluate_all_alarms()
        states[treatment] = known["StateValue"]
    return states == {"notBreaching": "OK", "breaching": "ALARM", "ignore": "INSUFFICIENT_DATA"}


def errors_in_one_period_are_one() -> bool:
    """An alarm that wants two of three minutes; then its newest minute has no error any more."""
    alarm("often", "often")
    known, states = cloudwatch._alarms["often"], []
    known.update(EvaluationPeriods=3, DatapointsToAlarm=2, TreatMissingData="notBreaching")
    for ages in ([10, 20, 30], [10, 20, 130], [70, 130], [130, 190]):
        points = [{"Timestamp": time.time() - age, "Value": 1.0} for age in ages]
        cloudwatch._metrics["AWS/Lambda", "Errors", cloudwatch._dims_key({"FunctionName": "often"})] = points
        cloudwatch._evaluate_all_alarms()
        states.append(known["StateValue"])
    return states == ["OK", "ALARM", "ALARM", "OK"]


def queues_are_measured() -> bool:
    sqs._act_create_queue({"QueueName": "watched"}, "")
    request = {
        "AlarmName": "old",
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": "watched"}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 3600,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    cloudwatch._put_metric_alarm({}, request, False, is_json=True)
    queue = sqs._get_q(sqs._queue_url("watched"))
    sqs._act_send_message({"QueueUrl": sqs._queue_url("watched"), "MessageBody": "x"}, "")
    queue["messages"][0]["sent_at"] = queue["messages"][0]["visible_at"] = time.time() - 3601
    cloudwatch._evaluate_all_alarms()
    return bool(cloudwatch._alarms["old"]["StateValue"] == "ALARM")


def alarms_need_no_call() -> bool:
    """An alarm on a function that is not called any more."""
    alarm("silent", "silent")
    cloudwatch._alarms["silent"].update(TreatMissingData="breaching", AlarmConfigurationUpdatedTimestamp=0)
    return soon(lambda: bool(cloudwatch._alarms["silent"]["StateValue"] == "ALARM"), timeout=10)


def put(key: str, body: bytes) -> str:
    """Put an object into a versioned bucket. Returns its version."""
    s3._create_bucket("objects", b"", {})
    s3._bucket_versioning["objects"] = "Enabled"
    version: str = s3._put_object("objects", key, body, {})[1]["x-amz-version-id"]
    return version


def reads_of_a_part_are_cut() -> bool:
    query = {"versionId": [put("read", b"0123456789")]}
    got = s3._get_object("objects", "read", {"range": "bytes=-3"}, query)
    headed = s3._head_object("objects", "read", {"range": "bytes=2-4"}, query)
    whole = s3._get_object("objects", "read", {"range": "lines=1-2"}, {})
    return bool(
        (got[0], got[1].get("Content-Range"), got[2]) == (206, "bytes 7-9/10", b"789")
        and (headed[0], headed[1]["Content-Length"]) == (206, "3")
        and (whole[0], whole[2]) == (200, b"0123456789")
    )


def every_object_has_a_checksum() -> bool:
    query = {"versionId": [put("checked", b"123456789")]}
    headed = s3._head_object("objects", "checked", {"x-amz-checksum-mode": "ENABLED"}, query)[1]
    told = {name: headed.get(f"x-amz-checksum-{name}") for name in ("crc64nvme", "type")}
    return bool(told == {"crc64nvme": "rosUhgp5mIg=", "type": "FULL_OBJECT"})


class Sleeper:
    """A worker whose process only waits."""

    def __init__(self, *_: object) -> None:
        self.process = self._proc = subprocess.Popen(["sleep", "60"])

    def _discard_tmpdir(self) -> None:
        """It has none."""


def elsewhere(call: Callable[[Any], Any], argument: object) -> None:
    """Make the call in another thread, as another request does."""
    thread = threading.Thread(target=call, args=(argument,))
    thread.start()
    thread.join()


def updates_let_invocations_end() -> bool:
    lambda_runtime._worker_class_for = lambda _config: Sleeper
    config = function("updated")["config"]
    running, _ = lambda_svc.acquire_worker("updated", config, b"")
    free, _ = lambda_svc.acquire_worker("updated", config, b"")
    lambda_svc.release_worker(free)
    elsewhere(lambda_svc.invalidate_worker, "updated")
    found = [running.process.poll() is None, free.process.poll() is not None]
    new, _ = lambda_svc.acquire_worker("updated", config, b"")
    elsewhere(lambda_svc.release_worker, running)
    found += [running.process.poll() is not None, new not in (running, free), new.process.poll() is None]
    lambda_svc.invalidate_worker("updated")  # as the invocation does whose worker is broken
    found.append(new.process.poll() is not None)
    return all(found)


def events_are_filtered_by_stream_prefix() -> bool:
    cloudwatch_logs._create_log_group({"logGroupName": "jobs"})
    for stream in ("one-TrainModel", "two-TrainModel"):
        name = {"logGroupName": "jobs", "logStreamName": stream}
        cloudwatch_logs._create_log_stream(name)
        now = int(time.time() * 1000)
        cloudwatch_logs._put_log_events({**name, "logEvents": [{"timestamp": now, "message": stream}]})
    found = []
    for prefix in ("one-", "three-"):
        asked = {"logGroupName": "jobs", "logStreamNamePrefix": prefix}
        events = json.loads(cloudwatch_logs._filter_log_events(asked)[2])["events"]
        found.append([event["message"] for event in events])
    return found == [["one-TrainModel"], []]


def unknown_services_are_known_by_name() -> bool:
    credential = "Credential=key/20260101/us-east-1/{}/"
    with mock.patch.object(Session, "get_service_model", side_effect=LookupError) as description:
        found = [
            router.detect_service("GET", "/", {"authorization": credential.format(name)}, {})
            for name in ("glacier", "email", "sagemaker", "nothing")
        ]
    return found == ["glacier", "email", "sagemaker", "s3"] and not description.called


PROBES = (
    rules_invoke_asynchronously,
    topics_invoke_asynchronously,
    alias_keeps_its_invoke_config,
    throttled_calls_wait,
    queue_batches_and_windows,
    template_reserves_concurrency,
    versions_share_the_reservation,
    reserved_is_reserved,
    function_urls_lead_here,
    updated_schedule_fires_again,
    rate_schedule_starts_as_it_says,
    schedule_without_queue_uses_its_failure_queue,
    schedule_fills_its_placeholders,
    conditions_know_the_region,
    printed_metrics_count,
    every_invocation_is_measured,
    alarms_look_at_periods,
    queues_are_measured,
    alarms_need_no_call,
    reads_of_a_part_are_cut,
    every_object_has_a_checksum,
    updates_let_invocations_end,
    events_are_filtered_by_stream_prefix,
    unknown_services_are_known_by_name,
)


def main() -> None:
    lambda_svc._execute_function_warm = executor
    lambda_svc._route_async_failure = lambda target, *_: failures.append(target)
    if "repaired" in sys.argv:
        repairs.apply()
    behaves = {}
    for probe in PROBES:
        runs.clear()
        cloudwatch._metrics.clear()
        behaves[probe.__name__] = probe()
    print(json.dumps(behaves))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
