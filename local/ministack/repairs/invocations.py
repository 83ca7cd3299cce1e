"""Repairs of how events reach Lambda functions."""

import functools
import json
import types

from ministack.services import eventbridge, lambda_svc, sns

from local.types import Json


def rules_invoke_asynchronously() -> None:
    """EventBridge and Scheduler → Lambda.

    AWS: an asynchronous invocation: two retries, then the OnFailure destination.
    ministack: runs the function once in a thread and drops its result; a throttled event is lost.
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
    ministack: runs the function within the publish and drops its result; a throttled message is lost.
    """
    asynchronous = types.ModuleType("lambda_svc", "The part of the Lambda service that sns calls.")
    asynchronous.__dict__.update(
        _get_func_record_for_ref=lambda_svc._get_func_record_for_ref,
        _execution_record_for_config=lambda_svc._execution_record_for_config,
        _execute_function_with_config_scope=lambda *call: lambda_svc.invoke_async_with_retry(*call),
    )
    sns._lambda_svc = asynchronous


def alias_keeps_its_invoke_config() -> None:
    """EventInvokeConfig of an alias or a version (SAM's AutoPublishAlias puts it on the alias).

    AWS: the invoked qualifier decides retries and OnFailure.
    ministack: reads the invoked version's record, which has no such config, so OnFailure is lost. It does not
    pass the qualifier on. This repair takes the alias that points to the invoked version, else $LATEST.
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
