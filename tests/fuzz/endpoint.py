"""Odd requests, as bytes, to AWS on this machine with the application deployed to it."""

from __future__ import annotations

import random
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import Session

from handsoff.deploying.local import deploy
from handsoff.project import Project
from local import server
from local.server import Cloud
from retraining.config.schema import parse_config
from tests.fuzz.cases import JUNK
from tests.fuzz.playing import Found
from tests.loop.conftest import ROOT, pointed_at

TITANIC: Final = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
TIMEOUT: Final = 20.0
"""Seconds for which an answer may take."""

OPERATIONS: Final = tuple(Session().get_service_model("sagemaker").operation_names)
ORIGINS: Final = (
    "http://[",
    "http://[::1",
    "null",
    "",
    "https://evil.example",
    "http://localhost",
    "://",
    "a b",
)
BODIES: Final = (
    b"", b"{}", b"[]", b"null", b"1", b'"x"', b"{", b"\xff\xfe", b"[" * 5000, b'{"ModelPackageName": null}',
    b'{"ModelPackageName": 1}', b'{"ModelPackageName": {"a": []}}', b'{"PipelineName": "\\u0000"}',
    b'{"PipelineName": "' + b"p" * 5000 + b'"}', b'{"MaxResults": 1e400}', b'{"Tags": "x"}',
    b'{"ResourceArn": "arn:x", "Tags": [{}]}', b'{"NextToken": "x"}', b"a=1&a=2", b"%", b"\x00" * 100,
)  # fmt: skip


HOSTS: Final = (
    "{id}.lambda-url.us-east-1.localhost", "x.lambda-url.us-east-1.localhost", "127.0.0.1", "localhost",
    ".lambda-url.us-east-1.localhost", "{id}.lambda-url.us-east-1.localhost.", "bucket.localhost",
    "{upper}.lambda-url.us-east-1.localhost", "{id}x.lambda-url.us-east-1.localhost", "s3.localhost",
    "x.{id}.lambda-url.us-east-1.localhost", "{other}.lambda-url.us-east-1.localhost", "sqs.localhost",
    "{id}.LAMBDA-URL.us-east-1.localhost",
)  # fmt: skip
"""Hosts of unsigned requests: that of the page and others like it. `other` is the id of no function."""

PREFIXES: Final = (
    "", "", "", "/_aws/lambda-url/{id}", "/_aws/lambda-url", "/_aws/lambda-url/", "/_aws/lambda-url//",
    "/_aws/lambda-url/x", "/_aws/lambda-url/{upper}", "/_aws/lambda-url/{other}", "/_aws/lambda-url/{id}%2f",
    "/_aws/lambd%61-url/{id}", "//_aws/lambda-url/{id}", "http://{id}.lambda-url.us-east-1.localhost",
    "http://127.0.0.1", "/_aws/lambda-url/%2e%2e",
)  # fmt: skip
"""What stands before the path of an unsigned request."""

PATHS: Final = (
    "/", "//", "/eve", "/2015-03-31/functions", "/2015-03-31/functions/", "/schedules/eve", "/review",
    "/_ministack/reset", "/_ministack/config", "/iceberg/v1/config", "/v2/eve/blobs/uploads/", "/Execute",
    "/v20180820/accesspoint/eve", "/_aws/sqs/messages", "/slack",
)  # fmt: skip

ACTIONS: Final = (
    "Action=CreateUser&UserName=eve&Version=2010-05-08", "Action=ListUsers&Version=2010-05-08",
    "Action=CreateQueue&QueueName=eve", "Action=ListQueues", "Action=GetCallerIdentity&Version=2011-06-15",
)  # fmt: skip

OTHER_TARGETS: Final = (
    "DynamoDB_20120810.ListTables", "secretsmanager.ListSecrets", "AWSEvents.ListRules",
    "SageMaker.ListPipelines", "AmazonSQS.ListQueues",
)  # fmt: skip

LEAKS: Final = (
    b"UserId", b"TableNames", b"SecretList", b"PipelineSummaries", b"QueueUrl", b"ListAllMyBuckets",
    b"Functions\"", b"ResponseMetadata", b"\"Rules\"", b"reset", b"<Arn>",
)  # fmt: skip
"""What stands in the answers of services, and on no page of the application."""


def play(seed: int, go_on: Callable[[int], bool], found: Found) -> None:
    """Start AWS on this machine, deploy, send requests while `go_on` says so, and stop it."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, deployed(Path(folder)) as (cloud, review_url):
        address = ("127.0.0.1", urlsplit(cloud.endpoint).port or 0)
        page = urlsplit(review_url).netloc
        begun, before = sum(found.requests.values()), state(cloud)
        while go_on(sum(found.requests.values()) - begun):
            route, sent = one(chance, page, cloud.administrator)
            found.requests[route] += 1
            answer = answered(address, sent)
            status = _status(answer)
            if route == "local unsigned" and any(leak in answer for leak in LEAKS):
                found.served.append(f"seed {seed}, {route}: {answer[:200]!r} to {sent[:300]!r}")
            if status is None or status >= 500:
                number = sum(found.requests.values())
                found.failures.append(f"seed {seed}, request {number}, {route}: {status}, {sent[:300]!r}")
        if (after := state(cloud)) != before:
            found.served.append(f"seed {seed}, the endpoint: {after}, and before the requests {before}")


def state(cloud: Cloud) -> dict[str, list[str]]:
    """What is there in services that no signed request of the fuzz calls."""
    return {
        "users": [one["UserName"] for one in cloud.client("iam").list_users()["Users"]],
        "roles": [one["RoleName"] for one in cloud.client("iam").list_roles()["Roles"]],
        "functions": [one["FunctionName"] for one in cloud.client("lambda").list_functions()["Functions"]],
        "buckets": [one["Name"] for one in cloud.client("s3").list_buckets()["Buckets"]],
        "queues": cloud.client("sqs").list_queues().get("QueueUrls", []),
        "tables": cloud.client("dynamodb").list_tables()["TableNames"],
        "schedules": [one["Name"] for one in cloud.client("scheduler").list_schedules()["Schedules"]],
    }


@contextmanager
def deployed(folder: Path) -> Iterator[tuple[Cloud, str]]:
    """AWS on this machine on a free port, with the application; and the URL of its page."""
    project = Project(ROOT, parse_config(TITANIC, source="the fuzz"), folder / "work")
    cloud = server.start(folder / "aws", port=None)
    try:
        with pointed_at(cloud):
            yield cloud, deploy(project, cloud).outputs["ReviewUrl"]
    finally:
        server.stop(folder / "aws")


def one(chance: random.Random, page: str, key: tuple[str, str]) -> tuple[str, bytes]:
    """A request as bytes, with the route that it is counted under. Most of those to SageMaker are signed."""
    if chance.random() < 0.4:
        return "local unsigned", unsigned(chance, page, key)
    if chance.random() < 0.5:
        method = chance.choice(("GET", "POST", "HEAD", "PUT", "OPTIONS", "BREW"))
        path = chance.choice(
            (
                "/review",
                "/models/titanic",
                "/slack",
                "/",
                "/review/",
                "/%2e%2e/review",
                "/%00",
                "/" + "a" * 3000,
            )
        )
        query = chance.choice(
            ("", "?t=x", f"?t={_junk(chance)}", "?t=%0d%0aset-cookie:%20a=b", "?%", "?t=a&t=b")
        )
        return "local page", _request(chance, method, path + query, page, {})
    operation = chance.choice((*OPERATIONS, "Nothing", "", "a.b", _junk(chance)))
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    signed_with = key if chance.random() < 0.9 else None
    return "local SageMaker", _request(chance, "POST", "/", "127.0.0.1", headers, signed_with)


def unsigned(chance: random.Random, page: str, key: tuple[str, str]) -> bytes:
    """A request without a valid signature, to what may and what may not be a function's page."""
    label, _, rest = page.partition(".")
    port = rest.rpartition(":")[2]
    names = {"id": label, "upper": label.upper(), "other": "a" * 32}
    target = (chance.choice(PREFIXES) + chance.choice(PATHS)).format(**names)
    target += chance.choice(("", "", "?" + chance.choice(ACTIONS)))
    body = chance.choice(("", "{}", chance.choice(ACTIONS)))
    hosts = [f"{chance.choice(HOSTS).format(**names)}:{port}" for _ in range(chance.choice((1, 1, 1, 2)))]
    service = chance.choice(("iam", "lambda", "s3", "sqs", "sts", "scheduler", "dynamodb"))
    named = chance.choice((key[0], "123456789012", "test"))
    credential = f"Credential={named}/20261130/us-east-1/{service}/aws4_request"
    more = {
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0",
        "X-Amz-Target": chance.choice(OTHER_TARGETS),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    lines = [f"{chance.choice(('GET', 'POST', 'PUT', 'DELETE', 'HEAD'))} {target} HTTP/1.1"]
    lines += [f"Host: {host}" for host in hosts]
    lines += [f"{name}: {value}" for name, value in more.items() if chance.random() < 0.5]
    lines += ["Connection: close", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body.encode()


def _request(
    chance: random.Random,
    method: str,
    target: str,
    host: str,
    headers: dict[str, str],
    key: tuple[str, str] | None = None,
) -> bytes:
    body = chance.choice(BODIES)
    if key:
        asked = AWSRequest(method, f"http://{host}{target}", headers=headers, data=body)
        SigV4Auth(Credentials(*key), "sagemaker", "us-east-1").add_auth(asked)
        headers = dict(asked.headers)
    more = {
        "Origin": chance.choice(ORIGINS),
        "Content-Type": chance.choice(("application/x-www-form-urlencoded", "text/plain", "x", "")),
        "X-Slack-Signature": "v0=00",
        "X-Slack-Request-Timestamp": chance.choice(("1", "x", "9" * 100)),
        "Cookie": "a" * chance.choice((1, 5000)),
        "Authorization": chance.choice(("x", "AWS4-HMAC-SHA256 Credential=a/b", "Basic !")),
        "Sec-Fetch-Site": chance.choice(("same-origin", "cross-site", "x")),
        "X-Forwarded-For": _junk(chance),
        "Expect": "x",
    }
    chosen = {name: more[name] for name in more if chance.random() < 0.3}
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in {**chosen, **headers}.items()]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + body


def _junk(chance: random.Random) -> str:
    """A text that fits into one line of a request."""
    return quote(chance.choice(JUNK).encode(errors="replace"))[:4000]


def answered(address: tuple[str, int], sent: bytes) -> bytes:
    """The answer; empty if there is none."""
    got = b""
    with socket.create_connection(address, timeout=TIMEOUT) as connection:
        connection.sendall(sent)
        try:
            while part := connection.recv(65536):
                got += part
        except (TimeoutError, ConnectionResetError):
            return got
    return got


def _status(answer: bytes) -> int | None:
    """The status of an answer; None if there is none."""
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
