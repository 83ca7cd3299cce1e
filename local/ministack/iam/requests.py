"""Repairs of how ministack 1.5.33 checks the permissions of a request. One function each.

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
from ministack.services import dynamodb, s3, secretsmanager
from ministack.services.cloudformation import provisioners

from local.types import Json

log = logging.getLogger(__name__)


def apply() -> None:
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
