"""Does ministack refuse what AWS refuses? One probe for each repair in local/ministack/iam, as {name: bool}.

    python -m tests.iam.probes [repaired]

In a process of its own, because they change ministack for good.
"""

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

os.environ |= {
    "AUTH": "true",
    "MINISTACK_TEST_NO_AUTOSTART": "1",
    "MINISTACK_ACCOUNT_ID": "123456789012",
    "DOCKER_HOST": "unix:///nowhere",
    "GATEWAY_PORT": "4651",
}

from ministack import app
from ministack.core import iam_actions, iam_evaluator
from ministack.services import cloudwatch_logs, dynamodb, eventbridge, lambda_svc, sns, sqs
from ministack.services import iam as iam_svc
from ministack.services.cloudformation import provisioners

from local.ministack.iam import deliveries, requests
from local.ministack.iam.authority import Iam
from local.ministack.iam.journal import Journal
from local.ministack.repairs.invocations import topics_invoke_asynchronously

Json = dict[str, Any]
ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/nothing"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
KEY = "AKIAIOSFODNN7EXAMPLE"
runs: list[Json] = []


def asked(**changes: Any) -> iam_evaluator.EvalContext:
    values = {
        "principal_arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s",
        "principal_type": "AssumedRole",
        "principal_account": ACCOUNT,
        "action": "s3:GetObject",
        "resource_arn": "*",
        "region": REGION,
    }
    return iam_evaluator.EvalContext(**(values | changes))


def loopback_is_secure() -> bool:
    app.pin_request_origin("127.0.0.1", False)
    here = asked().secure_transport
    app.pin_request_origin("192.0.2.1", False)
    return here and not asked().secure_transport


def principal_of_a_session_is_its_role() -> bool:
    found = iam_evaluator._resolve_condition_key("aws:PrincipalArn", asked())
    return bool(found == f"arn:aws:iam::{ACCOUNT}:role/r")


def policies_know_their_user() -> bool:
    found = iam_evaluator.resolve_principal(KEY, ACCOUNT)
    return bool(found.policies[0][0].resources == [f"arn:aws:iam::{ACCOUNT}:user/u"])


def parameters_are_resources() -> bool:
    def resource(action: str, body: Json) -> str:
        headers = {"x-amz-target": f"AmazonSSM.{action}"}
        text = json.dumps(body).encode()
        return str(iam_actions.extract_resource_arn("ssm", "POST", "/", headers, text, {}, REGION, ACCOUNT))

    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a/b"
    return (
        resource("GetParameters", {"Names": ["/a/b"]}) == parameter
        and resource("GetParametersByPath", {"Path": "/a/b"}) == parameter
    )


def listed_alarms_are_resources() -> bool:
    form = urlencode({"Action": "DescribeAlarms", "AlarmNamePrefix": "a-", "StateValue": "ALARM"}).encode()
    found = iam_actions.extract_resource_arn("monitoring", "POST", "/", {}, form, {}, REGION, ACCOUNT)
    return bool(found == f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*")


def secrets_are_referred_to_by_arn() -> bool:
    made, _ = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]["create"]("S", {}, "stack")
    return str(made).startswith("arn:aws:secretsmanager:")


def events_have_a_source() -> bool:
    body = json.dumps({"Entries": [{"Source": "handsoff"}]}).encode()
    return bool(
        iam_actions.request_tag_context("events", "events:PutEvents", body, {}).get("events:source")
        == "handsoff"
    )


def uploads_say_their_preconditions() -> bool:
    found = iam_actions.s3_service_context("s3:PutObject", {}, "/bucket/key", {"if-none-match": "*"})
    without = iam_actions.s3_service_context("s3:PutObject", {}, "/bucket/key", {})
    return bool(found.get("s3:if-none-match") == "*" and "s3:if-none-match" not in without)


def items_have_leading_keys() -> bool:
    dynamodb._tables["ledger"] = {"KeySchema": [{"AttributeName": "fact", "KeyType": "HASH"}]}
    body = json.dumps({"TableName": "ledger", "Key": {"fact": {"S": "model#page"}}}).encode()
    found = iam_actions.request_tag_context("dynamodb", "dynamodb:GetItem", body, {})
    return bool(found.get("dynamodb:LeadingKeys") == ["model#page"])


def missing_objects_need_list_bucket() -> bool:
    handler = app.SERVICE_HANDLERS["s3"]
    signed = {"authorization": f"AWS4-HMAC-SHA256 Credential={KEY}/20261123/{REGION}/s3/aws4_request"}
    asyncio.run(handler("PUT", "/bucket", {}, b"", {}))
    return bool(asyncio.run(handler("GET", "/bucket/none", signed, b"", {}))[0] == 403)


def rules_ask_their_targets() -> bool:
    rule = {"Name": "r", "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/r"}
    return not delivered(lambda: eventbridge._invoke_target({"Arn": QUEUE}, event("my.app"), rule))


def schedules_act_as_their_role() -> bool:
    schedule = {"Arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/s"}
    target = {"Arn": QUEUE, "RoleArn": ROLE}
    return not delivered(lambda: eventbridge._invoke_target(target, event("aws.scheduler"), schedule))


def topics_ask_functions() -> bool:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:t"
    sns._deliver_to_lambda(FUNCTION, '{"Message": "m"}', topic, topic + ":s", "id", "m", {})
    return not runs


def queues_are_read_as_the_function() -> bool:
    url = sqs._queue_url("q")
    lambda_svc._esms["e"] = {"UUID": "e", "FunctionName": "f", "EventSourceArn": QUEUE, "BatchSize": 10}
    eventbridge_queue()["messages"].append({"id": "i", "body": "b", "sent_at": 0.0, "visible_at": 0.0})
    return not sqs._receive_messages_for_esm(url, 10)


def destinations_are_reached_as_the_function() -> bool:
    return not delivered(lambda: lambda_svc._route_async_failure(QUEUE, "f", {}, {}))


def functions_log_as_themselves() -> bool:
    lambda_svc._emit_lambda_logs(lambda_svc._functions["f"], "id", "text", False, 1.0)
    return "/aws/lambda/f" not in cloudwatch_logs._log_groups


def event(source: str) -> Json:
    return {
        "Source": source,
        "DetailType": "d",
        "Detail": "{}",
        "Time": 0,
        "EventId": "e",
        "Resources": ["r"],
    }


def eventbridge_queue() -> Json:
    queue: Json = sqs._queues[sqs._queue_url("q")]
    return queue


def delivered(act: Any) -> bool:
    """Whether the queue has a message more after `act`."""
    before = len(eventbridge_queue()["messages"])
    act()
    return len(eventbridge_queue()["messages"]) > before


def world() -> None:
    """A queue, a function whose role may do nothing, and a user who may do nothing but look at herself."""
    sqs._act_create_queue({"QueueName": "q"}, "")
    config = {"FunctionName": "f", "FunctionArn": FUNCTION, "Role": ROLE, "Version": "$LATEST"}
    policy = {"Version": "2012-10-17", "Statement": []}
    lambda_svc._functions["f"] = {"config": config, "aliases": {}, "versions": {}, "policy": policy}
    lambda_svc._execute_function_with_config_scope = lambda *call: runs.append({"call": call})
    lambda_svc.invoke_async_with_retry = lambda *call: runs.append({"call": call})
    iam_svc._users["u"] = {"UserName": "u", "Arn": f"arn:aws:iam::{ACCOUNT}:user/u", "UserId": "AIDA"}
    own = {
        "Effect": "Allow",
        "Action": "iam:GetUser",
        "Resource": "arn:aws:iam::123456789012:user/${aws:username}",
    }
    iam_svc._user_inline_policies["u"] = {"p": json.dumps({"Version": "2012-10-17", "Statement": [own]})}
    iam_svc._access_keys[KEY] = {"UserName": "u", "Status": "Active", "SecretAccessKey": "s"}


PROBES = (
    loopback_is_secure,
    principal_of_a_session_is_its_role,
    policies_know_their_user,
    parameters_are_resources,
    listed_alarms_are_resources,
    secrets_are_referred_to_by_arn,
    events_have_a_source,
    uploads_say_their_preconditions,
    items_have_leading_keys,
    missing_objects_need_list_bucket,
    rules_ask_their_targets,
    schedules_act_as_their_role,
    topics_ask_functions,
    queues_are_read_as_the_function,
    destinations_are_reached_as_the_function,
    functions_log_as_themselves,
)


def main() -> None:
    world()
    if "repaired" in sys.argv:
        topics_invoke_asynchronously()
        with tempfile.TemporaryDirectory() as folder:
            requests.apply()
            deliveries.apply(Iam(ACCOUNT, REGION, Journal(Path(folder) / "iam.jsonl")))
            print(json.dumps({probe.__name__: probe() for probe in PROBES}))
    else:
        print(json.dumps({probe.__name__: probe() for probe in PROBES}))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
