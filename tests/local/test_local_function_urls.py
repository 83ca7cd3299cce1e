"""Without a signature a function's page is served, and by no way of asking is any other service reached."""

import functools
import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from local.server import Cloud
from tests.local.support import ask_raw

pytestmark = pytest.mark.slow

UNKNOWN = "abcdefghijklmnopqrstuvwxyz012345"
SERVED = b"the page of "
CODE = """
def handler(event, context):
    return {"statusCode": 200, "body": "the page of " + event["rawPath"]}
"""
FORGED = (
    "AWS4-HMAC-SHA256 Credential={key}/20261130/us-east-1/{service}/aws4_request,"
    "SignedHeaders=host,Signature=0"
)


@pytest.fixture(scope="module")
def url_id(cloud: Cloud) -> Iterator[str]:
    """The id of a function URL for everybody."""
    yield from function(cloud, "page", "NONE")


@pytest.fixture(scope="module")
def closed_id(cloud: Cloud) -> Iterator[str]:
    """The id of a function URL whose callers must sign."""
    yield from function(cloud, "closed", "AWS_IAM")


def function(cloud: Cloud, name: str, auth: str) -> Iterator[str]:
    lambdas, iam = cloud.client("lambda"), cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("page.py", CODE)
    lambdas.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=role,
        Handler="page.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    url = lambdas.create_function_url_config(FunctionName=name, AuthType=auth)["FunctionUrl"]
    yield url.partition("//")[2].partition(".")[0]
    lambdas.delete_function_url_config(FunctionName=name)
    lambdas.delete_function(FunctionName=name)
    iam.delete_role(RoleName=name)


def ask(
    cloud: Cloud, target: str, hosts: list[str], method: str = "POST", body: str = "", **more: str
) -> bytes:
    """What the server answers to this request, of which it gets this target and these hosts unchanged."""
    port = int(cloud.endpoint.rpartition(":")[2])
    lines = [f"{method} {target} HTTP/1.1", *(f"Host: {host.format(port=port)}" for host in hosts)]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "Connection: close", "", body])
    return ask_raw(cloud, text.encode("latin-1"))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@functools.cache
def client(cloud: Cloud, name: str) -> Any:
    return cloud.client(name)


def left(cloud: Cloud) -> dict[str, Any]:
    """What a request could have changed."""
    return {
        "users": client(cloud, "iam").list_users()["Users"],
        "functions": [one["FunctionName"] for one in client(cloud, "lambda").list_functions()["Functions"]],
        "buckets": client(cloud, "s3").list_buckets()["Buckets"],
        "queues": client(cloud, "sqs").list_queues().get("QueueUrls"),
    }


HOST = "{id}.lambda-url.us-east-1.localhost:{{port}}"


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("/review", HOST),
        ("/2015-03-31/functions/", HOST),
        ("/_ministack/reset", HOST),
        ("/iceberg/v1/config", HOST),
        ("/v2/x/blobs/uploads/", HOST),
        ("/ExecuteStatement", HOST),
        ("//bucket/key", HOST),
        ("/?Action=CreateUser&UserName=eve&Version=2010-05-08", HOST),
        ("/_aws/lambda-url/{id}/review", "127.0.0.1:{{port}}"),
        ("/_aws/lambda-url/{id}", "127.0.0.1:{{port}}"),
        ("/_aws/lambda-url/{id}//bucket/key", "127.0.0.1:{{port}}"),
        ("/_aws/lambda-url/{id}/?Action=ListUsers", "localhost"),
        ("/_aws/lambda-url/{id}/%2e%2e/%2e%2e/2015-03-31/functions", "localhost"),
    ],
)
@pytest.mark.parametrize("service", ["", "iam", "lambda", "s3"])
def test_request_for_a_page_is_served_by_the_function_alone(
    cloud: Cloud, url_id: str, target: str, host: str, service: str
) -> None:
    before = left(cloud)
    headers = {"Content_Type": "application/x-www-form-urlencoded"}
    if service:
        headers["Authorization"] = FORGED.format(key="123456789012", service=service)
        headers["X_Amz_Target"] = "DynamoDB_20120810.ListTables"
    form = "Action=CreateUser&UserName=eve&Version=2010-05-08"
    answer = ask(cloud, target.format(id=url_id), [host.format(id=url_id)], body=form, **headers)
    assert SERVED in answer, answer
    assert left(cloud) == before


NO_PAGES = [
    ("/", ["x.lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["UNKNOWN.lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["UPPER.lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["ID.lambda-url.us-east-1.localhost.:{port}"]),
    ("/", ["ID.lambda-url.us-east-1.localhost..:{port}"]),
    ("/", ["ID..lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["IDx.lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["x.ID.lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["ID.lambda-url.us-east-1.evil.example.localhost:{port}"]),
    ("/", ["ID.LAMBDA-URL.us-east-1.localhost:{port}"]),
    ("/", [".lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["user@ID.lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["CLOSED.lambda-url.us-east-1.localhost:{port}"]),
    ("/", ["ID.lambda-url.us-east-1.localhost:{port}", "127.0.0.1"]),
    ("/", ["127.0.0.1", "ID.lambda-url.us-east-1.localhost:{port}"]),
    ("http://ID.lambda-url.us-east-1.localhost/", ["ID.lambda-url.us-east-1.localhost:{port}"]),
    ("http://ID.lambda-url.us-east-1.localhost/", ["127.0.0.1"]),
    ("http://127.0.0.1/_aws/lambda-url/ID/", ["127.0.0.1"]),
    ("/_aws/lambda-url/", ["127.0.0.1"]),
    ("/_aws/lambda-url//", ["127.0.0.1"]),
    ("/_aws/lambda-url//ID/", ["127.0.0.1"]),
    ("//_aws/lambda-url/ID/", ["127.0.0.1"]),
    ("/_aws/lambda-url/x/", ["127.0.0.1"]),
    ("/_aws/lambda-url/UNKNOWN/", ["127.0.0.1"]),
    ("/_aws/lambda-url/UPPER/", ["127.0.0.1"]),
    ("/_aws/lambda-url/CLOSED/", ["127.0.0.1"]),
    ("/_aws/lambda-url/IDx/", ["127.0.0.1"]),
    ("/_aws/lambda-url/ID%2f", ["127.0.0.1"]),
    ("/_aws/lambda-url%2fID/", ["127.0.0.1"]),
    ("/%5faws/lambda-url/ID/", ["127.0.0.1"]),
    ("/_aws/lambd%61-url/ID/", ["127.0.0.1"]),
    ("/_aws/x/../lambda-url/ID/", ["127.0.0.1"]),
    ("/_AWS/lambda-url/ID/", ["127.0.0.1"]),
]
"""Targets and hosts that name no page. ID is the id of a page, UPPER the same in capitals, CLOSED the id of
a page whose callers must sign, UNKNOWN the id of none."""

WAYS: list[tuple[str, str, dict[str, str]]] = [
    ("?Action=CreateUser&UserName=eve&Version=2010-05-08", "", {}),
    ("", "Action=CreateUser&UserName=eve", {"Content_Type": "application/x-www-form-urlencoded"}),
    ("", "{}", {"X_Amz_Target": "DynamoDB_20120810.ListTables"}),
    ("", "{}", {"X_Amz_Target": "SageMaker.ListPipelines"}),
]
"""What such a request asks for: more of the target, a body and headers."""


@pytest.mark.parametrize(("target", "hosts"), NO_PAGES)
@pytest.mark.parametrize("key", ["", "123456789012", "administrator"])
def test_request_that_names_no_page_reaches_nothing(
    cloud: Cloud, url_id: str, closed_id: str, target: str, hosts: list[str], key: str
) -> None:
    before = left(cloud)

    def named(text: str) -> str:
        names = {"UNKNOWN": UNKNOWN, "UPPER": url_id.upper(), "CLOSED": closed_id, "ID": url_id}
        return re.sub("|".join(names), lambda found: names[found[0]], text)

    for more, body, headers in WAYS:
        sent = dict(headers)
        if key:
            identity = cloud.administrator[0] if key == "administrator" else key
            sent["Authorization"] = FORGED.format(key=identity, service="iam")
        answer = ask(cloud, named(target) + more, [named(host) for host in hosts], body=body, **sent)
        assert status(answer) in (400, 403), answer
        assert SERVED not in answer
    assert left(cloud) == before


def test_deleted_page_is_no_page(cloud: Cloud) -> None:
    made = function(cloud, "gone", "NONE")
    host = f"{next(made)}.lambda-url.us-east-1.localhost:{{port}}"
    assert SERVED in ask(cloud, "/", [host])
    assert list(made) == []
    assert status(ask(cloud, "/", [host])) == 403
