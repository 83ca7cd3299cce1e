"""Repairs of the permissions with which ministack 1.5.33 delivers: one service to another. One function each.

AWS asks the role of a schedule or a function, or the policy of a queue or a function. ministack asks nothing.
Only a server that enforces IAM applies them. tests/iam/test_iam_services.py fails once a newer release no
longer needs one of them.
"""

import functools
import logging
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import eventbridge, lambda_svc, sns, sqs

from local.ministack.iam.authority import Iam
from local.sagemaker.permissions import Call
from local.types import Json

log = logging.getLogger(__name__)


def apply(iam: Iam) -> None:
    """Repair ministack in this process. Call it once, after repairs.apply and before serving."""
    rules_ask_their_targets(iam)
    schedules_act_as_their_role(iam)
    topics_ask_functions(iam)
    queues_are_read_as_the_function(iam)
    destinations_are_reached_as_the_function(iam)
    functions_log_as_themselves(iam)


def rules_ask_their_targets(iam: Iam) -> None:
    """EventBridge rule → queue and → function.

    AWS: the policy of the queue or the function must allow events.amazonaws.com, for this rule.
    ministack: checks no policy.
    """
    original = eventbridge._invoke_target

    @functools.wraps(original)
    def invoke(target: Json, event: Json, rule: Json, *more: Any, **named: Any) -> Any:
        arn, source = target.get("Arn", ""), {"aws:sourcearn": rule.get("Arn", "")}
        if event.get("Source") != "aws.scheduler":
            if ":sqs:" in arn:
                policy = (sqs.queue_policy_for_arn(arn) or ("",))[0]
                call = Call("sqs:SendMessage", arn, source)
            elif ":lambda:" in arn:
                policy = (lambda_svc.function_policy_for_arn(arn) or ("",))[0]
                call = Call("lambda:InvokeFunction", arn, source)
            else:
                return original(target, event, rule, *more, **named)
            if not iam.service_may("events.amazonaws.com", call, policy):
                return log.warning("rule %s may not %s on %s", rule.get("Name"), call.action, arn)
        return original(target, event, rule, *more, **named)

    eventbridge._invoke_target = invoke


def schedules_act_as_their_role(iam: Iam) -> None:
    """EventBridge Scheduler → its target.

    AWS: assumes the schedule's role, which must trust it, and acts with that role's permissions.
    ministack: delivers with any role.
    """
    original = eventbridge._invoke_target
    actions = {"sqs": "sqs:SendMessage", "lambda": "lambda:InvokeFunction", "sns": "sns:Publish"}

    @functools.wraps(original)
    def invoke(target: Json, event: Json, schedule: Json, *more: Any, **named: Any) -> Any:
        if event.get("Source") == "aws.scheduler":
            prefix, _, name = schedule["Arn"].partition(":schedule/")
            group = f"{prefix}:schedule-group/{name.split('/')[0]}"
            role, arn = target.get("RoleArn", ""), target["Arn"]
            call = Call(actions[arn.split(":")[2]], arn)
            trusted = iam.trusts(role, "scheduler.amazonaws.com", group)
            if not trusted or not iam.may(role, name.replace("/", "-")[:64], call):
                return log.warning("%s may not %s on %s as %s", schedule["Arn"], call.action, arn, role)
        return original(target, event, schedule, *more, **named)

    eventbridge._invoke_target = invoke


def topics_ask_functions(iam: Iam) -> None:
    """SNS → function.

    AWS: the function's policy must allow sns.amazonaws.com, for this topic.
    ministack: checks no policy.
    """
    original = sns._deliver_to_lambda

    @functools.wraps(original)
    def deliver(endpoint: str, envelope: str, topic: str, *more: Any, **named: Any) -> Any:
        policy = (lambda_svc.function_policy_for_arn(endpoint) or ("",))[0]
        call = Call("lambda:InvokeFunction", endpoint, {"aws:sourcearn": topic})
        if not iam.service_may("sns.amazonaws.com", call, policy):
            return log.warning("%s may not invoke %s", topic, endpoint)
        return original(endpoint, envelope, topic, *more, **named)

    sns._deliver_to_lambda = deliver


def queues_are_read_as_the_function(iam: Iam) -> None:
    """Event source mappings on SQS.

    AWS: Lambda receives and deletes messages, and reads the queue's attributes, as the function's role.
    ministack: receives and deletes without a permission.
    """
    receive, run = sqs._receive_messages_for_esm, lambda_svc._run_sqs_batch

    def may(function: Json, queue_arn: str, *actions: str) -> bool:
        config = function.get("config") or function
        return iam.may(
            config["Role"], config["FunctionName"], *(Call(f"sqs:{one}", queue_arn) for one in actions)
        )

    @functools.wraps(receive)
    def received(queue_url: str, max_number: int) -> Any:
        here = (get_account_id(), get_region())
        for account, region, mapping in lambda_svc._iter_all_esms():
            arn = mapping.get("EventSourceArn", "")
            if (account, region) == here and sqs._queue_url(arn.rpartition(":")[2]) == queue_url:
                function, _ = lambda_svc._get_func_record_for_qualifier(
                    mapping["FunctionName"], mapping.get("Qualifier")
                )
                if function and not may(function, arn, "ReceiveMessage", "GetQueueAttributes"):
                    return []
        return receive(queue_url, max_number)

    @functools.wraps(run)
    def ran(mapping: Json, function: Json, *more: Any) -> Any:
        if not may(function, mapping["EventSourceArn"], "DeleteMessage"):
            log.warning("%s may not delete the messages that it has handled", mapping["FunctionName"])
            return None
        return run(mapping, function, *more)

    sqs._receive_messages_for_esm, lambda_svc._run_sqs_batch = received, ran


def destinations_are_reached_as_the_function(iam: Iam) -> None:
    """OnFailure of an asynchronous invocation.

    AWS: Lambda sends the event as the function's role.
    ministack: puts it into the queue without a permission.
    """
    original = lambda_svc._route_async_failure

    @functools.wraps(original)
    def route(target_arn: str, name: str, *more: Any) -> Any:
        config = lambda_svc._functions[name]["config"]
        action = "sqs:SendMessage" if ":sqs:" in target_arn else "sns:Publish"
        if not iam.may(config["Role"], name, Call(action, target_arn)):
            return log.warning("%s may not %s on %s", name, action, target_arn)
        return original(target_arn, name, *more)

    lambda_svc._route_async_failure = route


def functions_log_as_themselves(iam: Iam) -> None:
    """A function's log.

    AWS: Lambda makes the stream and writes to it as the function's role. Without permission there is no log.
    ministack: writes with any role.
    """
    original = lambda_svc._emit_lambda_logs

    @functools.wraps(original)
    def emit(function: Json, *more: Any, **named: Any) -> Any:
        config = function.get("config") or function
        name = config.get("FunctionName", "")
        group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{name}"
        stream = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}:log-stream:any"
        calls = (Call("logs:CreateLogStream", stream), Call("logs:PutLogEvents", stream))
        if iam.may(config["Role"], name, *calls):
            original(function, *more, **named)

    lambda_svc._emit_lambda_logs = emit
