"""Repairs of permission checks: where ministack 1.5.33 differs from AWS under AUTH. One function each.

Each replaces functions of ministack in this process. Only a server that enforces IAM applies them, after
those of local/ministack/repairs. tests/iam/test_iam_services.py fails once a newer release no longer needs
one of them.
"""

import contextvars
import functools
import ipaddress
import json
import logging
from typing import Any

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.core.router import extract_access_key_id
from ministack.services import dynamodb, eventbridge, lambda_svc, s3, secretsmanager, sns, sqs
from ministack.services.cloudformation import provisioners

from local.ministack.iam.authority import Iam
from local.sagemaker.permissions import Call
from local.types import Json

log = logging.getLogger(__name__)


def apply(iam: Iam) -> None:
    """Repair ministack in this process. Call it once, after repairs.apply and before serving."""
    loopback_is_secure()
    principal_of_a_session_is_its_role()
    policies_know_their_user()
    parameters_are_resources()
    listed_alarms_are_resources()
    secrets_are_referred_to_by_arn()
    events_have_a_source()
    uploads_say_their_preconditions()
    items_have_leading_keys()
    missing_objects_need_list_bucket()
    rules_ask_their_targets(iam)
    schedules_act_as_their_role(iam)
    topics_ask_functions(iam)
    queues_are_read_as_the_function(iam)
    destinations_are_reached_as_the_function(iam)
    functions_log_as_themselves(iam)


def loopback_is_secure() -> None:
    """aws:SecureTransport.

    AWS: true over TLS.
    Here: true also over the loopback interface, which cannot be listened to from outside, and for calls of
    services. So statements that refuse requests without TLS have no effect here. tests/iam/test_policies.py
    reads those statements instead.
    """
    origin: contextvars.ContextVar[tuple[str, bool]] = contextvars.ContextVar(
        "request_origin", default=("127.0.0.1", True)
    )

    def pin(source_ip: str, secure_transport: bool) -> None:
        origin.set((source_ip, secure_transport or ipaddress.ip_address(source_ip).is_loopback))

    iam_evaluator._request_origin = origin
    iam_evaluator.pin_request_origin = app.pin_request_origin = pin


def principal_of_a_session_is_its_role() -> None:
    """aws:PrincipalArn of an assumed role.

    AWS: the role's ARN.
    ministack: the session's.
    """
    original = iam_evaluator._resolve_condition_key

    @functools.wraps(original)
    def resolve(key: str, asked: Any) -> Any:
        found = original(key, asked)
        if key.lower() != "aws:principalarn" or ":assumed-role/" not in str(found):
            return found
        account, name = found.split(":")[4], found.split("/")[1]
        return f"arn:aws:iam::{account}:role/{name}"

    iam_evaluator._resolve_condition_key = resolve


def policies_know_their_user() -> None:
    """The policy variable ${aws:username} in resources.

    AWS: the user's name.
    ministack: ordinary text, so a statement about a user's own resources matches no user.
    """
    original = iam_evaluator.resolve_principal

    @functools.wraps(original)
    def resolve(*arguments: Any, **named: Any) -> Any:
        found = original(*arguments, **named)
        name = getattr(found, "keys", {}).get("aws:username")
        for statements in (getattr(found, "policies", None) or []) if name else []:
            for statement in statements:
                statement.resources = [r.replace("${aws:username}", name) for r in statement.resources]
        return found

    iam_evaluator.resolve_principal = resolve


def parameters_are_resources() -> None:
    """ssm:GetParameters and ssm:GetParametersByPath.

    AWS: the resource is each parameter, or the path.
    ministack: the resource is *. Here it is the first parameter.
    """
    original = iam_actions.extract_resource_arn

    @functools.wraps(original)
    def extract(service: str, method: str, path: str, headers: Json, body: bytes, *more: Any) -> str:
        found: str = original(service, method, path, headers, body, *more)
        if service != "ssm" or found != "*":
            return found
        request = json.loads(body or b"{}")
        name = (request.get("Names") or [request.get("Path")])[0]
        if not name:
            return found
        return f"arn:aws:ssm:{get_region()}:{get_account_id()}:parameter/{name.strip('/')}"

    iam_actions.extract_resource_arn = extract


def listed_alarms_are_resources() -> None:
    """cloudwatch:DescribeAlarms without the name of an alarm.

    AWS: the resource is alarm:*, whatever prefix the call names. ministack: the resource is *.
    """
    original = iam_actions.extract_resource_arn

    @functools.wraps(original)
    def extract(service: str, *more: Any) -> str:
        found: str = original(service, *more)
        if service == "monitoring" and found == "*":
            return f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:*"
        return found

    iam_actions.extract_resource_arn = extract


def secrets_are_referred_to_by_arn() -> None:
    """Ref of an AWS::SecretsManager::Secret in a template.

    AWS: its ARN, which policies name.
    ministack: its name, which matches no resource of a policy.
    """
    handlers = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    create, update, delete = handlers["create"], handlers["update"], handlers["delete"]

    def named(arn: str) -> str:
        return next((name for name, item in secretsmanager._secrets.items() if item["ARN"] == arn), arn)

    @functools.wraps(create)
    def created(*arguments: Any) -> Any:
        _, attributes = create(*arguments)
        return attributes["Arn"], attributes

    @functools.wraps(update)
    def updated(physical_id: str, *more: Any, **given: Any) -> Any:
        _, attributes = update(named(physical_id), *more, **given)
        return attributes.get("Arn", physical_id), attributes

    @functools.wraps(delete)
    def deleted(physical_id: str, *more: Any) -> Any:
        return delete(named(physical_id), *more)

    handlers.update(create=created, update=updated, delete=deleted)


def events_have_a_source() -> None:
    """The condition keys events:source and events:detail-type of PutEvents.

    AWS: the values of the event.
    ministack: they do not exist. Here they are the values of a call's events, if all are equal.
    """
    original = iam_actions.request_tag_context

    @functools.wraps(original)
    def context(service: str, action: str, body: bytes, *more: Any) -> Json:
        found: Json = original(service, action, body, *more)
        if action == "events:PutEvents":
            entries = json.loads(body).get("Entries", [])
            for key, member in (("events:source", "Source"), ("events:detail-type", "DetailType")):
                if len(values := {entry.get(member) for entry in entries}) == 1:
                    found = {**found, key: values.pop()}
        return found

    iam_actions.request_tag_context = context


def uploads_say_their_preconditions() -> None:
    """The condition keys s3:if-none-match and s3:if-match of PutObject.

    AWS: the value of the header. Parts of a multipart upload have none; its completion has it.
    ministack: they do not exist.
    """
    original = iam_actions.s3_service_context

    @functools.wraps(original)
    def context(action: str, query: Json, path: str = "", headers: Json | None = None) -> Json:
        found: Json = original(action, query, path, headers)
        if action == "s3:PutObject":
            for name in ("if-none-match", "if-match"):
                if said := (headers or {}).get(name):
                    found = {**found, f"s3:{name}": said}
        return found

    iam_actions.s3_service_context = context


def items_have_leading_keys() -> None:
    """The condition key dynamodb:LeadingKeys of GetItem, PutItem, UpdateItem and DeleteItem.

    AWS: the partition keys of the items that a call names.
    ministack: it does not exist. Here it is the partition key of the one item.
    """
    original = iam_actions.request_tag_context
    single = {f"dynamodb:{name}Item" for name in ("Get", "Put", "Update", "Delete")}

    @functools.wraps(original)
    def context(service: str, action: str, body: bytes, *more: Any) -> Json:
        found: Json = original(service, action, body, *more)
        if action not in single:
            return found
        request = json.loads(body or b"{}")
        table = dynamodb._tables.get(request.get("TableName", "").rpartition("/")[2]) or {}
        item = request.get("Key") or request.get("Item") or {}
        keys = [one["AttributeName"] for one in table.get("KeySchema", []) if one["KeyType"] == "HASH"]
        values = [text for name in keys for text in item.get(name, {}).values()]
        return {**found, "dynamodb:LeadingKeys": values} if values else found

    iam_actions.request_tag_context = context


def missing_objects_need_list_bucket() -> None:
    """GetObject and HeadObject of a key that does not exist.

    AWS: 404 for callers with s3:ListBucket, 403 for others.
    ministack: 404 for all callers.
    """
    original = app.SERVICE_HANDLERS["s3"]

    async def handler(method: str, path: str, headers: Json, body: bytes, query: Json) -> Any:
        answer = await original(method, path, headers, body, query)
        bucket, _, key = path.lstrip("/").partition("/")
        if method not in ("GET", "HEAD") or answer[0] != 404 or not key or bucket not in s3._buckets:
            return answer
        asked = extract_access_key_id(headers, query)
        if iam_evaluator.enforce(asked, "s3:ListBucket", "s3", get_region(), f"arn:aws:s3:::{bucket}"):
            text = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
            return 403, {"Content-Type": "application/xml"}, b"" if method == "HEAD" else text
        return answer

    app.SERVICE_HANDLERS["s3"] = handler


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
