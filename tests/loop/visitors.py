"""What approvers do: open the review page, press a button in Slack."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from tests.loop.conftest import Loop
from tests.slack.stand_in import Slack


@contextmanager
def slack_app(loop: Loop, app: Slack | None = None) -> Iterator[Slack]:
    """The stack with Slack: the secret's ARN as parameter, and a stand-in where Slack's API would be."""
    session = loop.deployment.session
    with app or Slack() as app:
        secret = {"botToken": app.token, "signingSecret": app.signing_secret}
        arn = session.client("secretsmanager").create_secret(
            Name="handsoff-slack", SecretString=json.dumps(secret)
        )["ARN"]
        with_parameters(loop, SlackSecret=arn)
        functions = session.client("lambda")
        for name in ("handsoff-notify-slack", "handsoff-review-candidate"):
            found = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            functions.update_function_configuration(
                FunctionName=name, Environment={"Variables": {**found, "SLACK_API_URL": app.url}}
            )
        version = functions.publish_version(FunctionName="handsoff-review-candidate")["Version"]
        functions.update_alias(  # the page is what the alias names
            FunctionName="handsoff-review-candidate", Name="live", FunctionVersion=version
        )
        yield app


def with_parameters(loop: Loop, **values: str) -> None:
    """Update the stack: the same template, and other values of these parameters."""
    cloudformation = loop.deployment.session.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="handsoff")["Stacks"]
    parameters: list[Any] = [
        {"ParameterKey": name, "ParameterValue": values[name]}
        if name in values
        else {"ParameterKey": name, "UsePreviousValue": True}
        for name in (item["ParameterKey"] for item in stack["Parameters"])
    ]
    cloudformation.update_stack(
        StackName="handsoff",
        UsePreviousTemplate=True,
        Parameters=parameters,
        Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName="handsoff", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def send(loop: Loop, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Any:
    """One request to the Function URL, whose name only browsers resolve: status, headers and text."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(loop.cloud.endpoint).port, timeout=60)
    connection.request(
        method, f"{place.path}?{place.query}", body or None, {"Host": place.netloc, **(headers or {})}
    )
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.getheaders()), text


def fields(page: str) -> dict[str, str]:
    """The hidden inputs of a page."""
    hidden = re.findall(r"<input[^>]*type=\"?hidden[^>]*>", page)
    found = [re.search(r'name="([^"]+)".*?value="([^"]*)"', item) for item in hidden]
    return {item[1]: unescape(item[2]) for item in found if item}
