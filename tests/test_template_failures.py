"""What template.yaml says of failures: queues that keep them, alarms, times and retries."""

from __future__ import annotations

import json

from reconcile import SWEEP_TIME
from retraining.facts.sweep import SWEEP_LEASE
from retraining.turns import MIN_SHARE
from start_retraining import ANSWER_TIME
from tests.template import FUNCTIONS, RESOURCES, TEMPLATE


def test_lease_of_the_sweep_outlives_its_function() -> None:
    assert SWEEP_LEASE.total_seconds() > FUNCTIONS["Reconcile"]["Timeout"]


def test_turns_end_before_their_function_does() -> None:
    """The last turn begins at the end of the time, has MIN_SHARE, and may wait for one call: 5 and 20 s."""
    for function, time in (("Reconcile", SWEEP_TIME), ("StartRetraining", ANSWER_TIME)):
        in_turns = (time + MIN_SHARE).total_seconds()
        assert FUNCTIONS[function]["Timeout"] >= in_turns + 25


def test_failures_of_everything_asynchronous_are_kept_and_alarmed() -> None:
    failures = {"Fn::GetAtt": ["Failures", "Arn"]}
    for function in FUNCTIONS.values():
        for source in function.get("Events", {}).values():
            if source["Type"] == "SQS":
                queue = RESOURCES[source["Properties"]["Queue"]["Fn::GetAtt"][0]]["Properties"]
                timeout = function.get("Timeout", TEMPLATE["Globals"]["Function"]["Timeout"])
                assert queue["VisibilityTimeout"] >= 6 * timeout
                kept = source["Properties"]["Queue"]["Fn::GetAtt"][0].replace("Messages", "") + "Failures"
                assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": [kept, "Arn"]}
                assert RESOURCES[kept]["Properties"]["MessageRetentionPeriod"] == 1209600
                assert source["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
            else:
                assert source["Type"] in ("EventBridgeRule", "Schedule")
                assert source["Properties"]["DeadLetterConfig"]["Arn"] == failures
                assert function["EventInvokeConfig"]["MaximumRetryAttempts"] in (0, 2)
                onfailure = function["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
                assert onfailure["Destination"] == failures
    for resource in RESOURCES.values():
        if resource["Type"] == "AWS::Events::Rule":
            assert all(
                target["DeadLetterConfig"]["Arn"] == failures for target in resource["Properties"]["Targets"]
            )
    senders = {
        statement["Principal"]["Service"]: statement["Condition"]
        for statement in RESOURCES["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow" and "Failures" in json.dumps(statement["Resource"])
    }
    assert set(senders) == {"events.amazonaws.com"}


def test_notifications_wait_for_slack_in_a_queue_of_their_own() -> None:
    queue, subscription = (RESOURCES[f"Slack{name}"]["Properties"] for name in ("Messages", "Subscription"))
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert (
        queue["RedrivePolicy"]["maxReceiveCount"] == 120
    )  # tests/slack/test_outage.py says how long that is
    assert subscription["Endpoint"] == {"Fn::GetAtt": ["SlackMessages", "Arn"]}
    assert subscription["RawMessageDelivery"] is True
    assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": {"Fn::GetAtt": ["SlackFailures", "Arn"]}}
    assert "FilterPolicy" not in subscription
    send, _ = RESOURCES["SlackQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert send["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "Notifications"}}}
    assert send["Principal"] == {"Service": "sns.amazonaws.com"}
    assert all(
        RESOURCES[name]["Properties"]["SqsManagedSseEnabled"] for name in ("SlackMessages", "SlackFailures")
    )


def test_what_nobody_would_notice_has_an_alarm() -> None:
    alarms = [r["Properties"] for r in RESOURCES.values() if r["Type"] == "AWS::CloudWatch::Alarm"]

    def queue(name: str) -> list[dict[str, object]]:
        return [{"Name": "QueueName", "Value": {"Fn::GetAtt": [name, "QueueName"]}}]

    def function(name: str) -> list[dict[str, object]]:
        return [{"Name": "FunctionName", "Value": {"Ref": name}}]

    messages, age = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
    more, less = "GreaterThanThreshold", "LessThanThreshold"
    found = [
        (
            alarm["MetricName"],
            alarm["Dimensions"],
            alarm["Statistic"],
            alarm["ComparisonOperator"],
            alarm["Threshold"],
            alarm["TreatMissingData"],
            (alarm["Period"], alarm["EvaluationPeriods"]),
        )
        for alarm in alarms
    ]
    assert found == [
        (messages, queue("LandingsFailures"), "Maximum", more, 0, "notBreaching", (60, 1)),
        (messages, queue("Failures"), "Maximum", more, 0, "notBreaching", (60, 1)),
        (age, queue("LandingsFailures"), "Maximum", more, 3600, "notBreaching", (300, 1)),
        (age, queue("Failures"), "Maximum", more, 3600, "notBreaching", (300, 1)),
        (age, queue("Landings"), "Maximum", more, 900, "notBreaching", (60, 1)),
        ("Invocations", function("Reconcile"), "Sum", less, 1, "breaching", (60, 5)),
        ("Errors", function("ReviewCandidate"), "Sum", more, 0, "notBreaching", (60, 1)),
        ("Throttles", function("ReviewCandidate"), "Sum", more, 0, "notBreaching", (60, 1)),
        *(
            (metric, function(name), "Sum", more, 0, "notBreaching", (300, periods))
            for name in (
                *("StartRetraining", "Reconcile", "TrackExecution"),
                *("JudgeCandidate", "RecordDecision", "NotifySlack"),
            )
            for metric, periods in (("Errors", 3), ("Throttles", 2))
        ),
        *(
            (
                f"{what}Overdue",
                [{"Name": "service", "Value": {"Ref": "Prefix"}}],
                "Maximum",
                more,
                0,
                "notBreaching",
                (300, 1),
            )
            for what in ("Executions", "Successes", "Landings", "Candidates")
        ),
        (messages, queue("SlackFailures"), "Maximum", more, 0, "notBreaching", (60, 1)),
        (
            "ApproximateNumberOfMessagesNotVisible",
            queue("SlackMessages"),
            "Minimum",
            more,
            0,
            "notBreaching",
            (300, 12),
        ),
    ]
    for alarm in alarms:
        assert alarm["AlarmActions"] == [{"Ref": "Alarms"}]


def test_a_press_in_slack_is_not_retried_for_hours() -> None:
    assert FUNCTIONS["NotifySlack"]["EventInvokeConfig"]["MaximumEventAgeInSeconds"] == 1800
