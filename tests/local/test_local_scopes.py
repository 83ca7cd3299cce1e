"""A signature serves once and for one service: not late, not for another service, not with unsigned parts."""

import datetime
import hashlib
from typing import Any
from unittest import mock

import boto3
import botocore.auth
import pytest
import requests
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from local.server import Cloud

pytestmark = pytest.mark.slow

FORM = "application/x-www-form-urlencoded"
LIST_USERS = "Action=ListUsers&Version=2010-05-08"
TARGETS = ["DynamoDB_20120810.ListTables", "secretsmanager.ListSecrets", "SageMaker.ListPipelines"]


def presigned(cloud: Cloud, version: str, operation: str = "get_object", **more: Any) -> str:
    """The address of an object's call, signed by the administrator."""
    s3 = boto3.Session(*cloud.administrator, region_name="us-east-1").client(
        "s3",
        endpoint_url=cloud.endpoint,
        config=Config(signature_version=version, s3={"addressing_style": "path"}),
    )
    return str(s3.generate_presigned_url(operation, Params={"Bucket": "scopes", "Key": "k", **more}))


@pytest.fixture(scope="module", autouse=True)
def kept(cloud: Cloud) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="scopes")
    s3.put_object(Bucket="scopes", Key="k", Body=b"hello")


def signed(
    cloud: Cloud,
    service: str,
    method: str = "POST",
    target: str = "/",
    body: bytes = b"",
    late: float = 0,
    **headers: str,
) -> requests.Response:
    """The answer to a request that the administrator signed for a service, `late` minutes ago."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = AWSRequest(method, cloud.endpoint + target, headers=named, data=body)
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=late)
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=now):
        signer(Credentials(*cloud.administrator), service, "us-east-1").add_auth(asked)
    sent = dict(asked.headers)
    return requests.request(method, cloud.endpoint + target, headers=sent, data=body, timeout=20)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize(("operation", "method"), [("get_object", "GET"), ("put_object", "PUT")])
def test_presigned_address_calls_s3_alone(cloud: Cloud, version: str, operation: str, method: str) -> None:
    url = presigned(cloud, version, operation)
    plain = {"Content-Type": "application/x-amz-json-1.1"}
    spoilt: list[tuple[str, dict[str, str], str]] = [
        (f"{url}&{LIST_USERS}", {}, ""),
        (f"{url}&list-type=2", {}, ""),
        (f"{url}&acl", {}, ""),
        (url, {"Content-Type": FORM}, LIST_USERS),
        (url, {"Content-Type": FORM}, "%41ction=Nothing"),
        (url, {"x-amz-acl": "public-read"}, ""),
        (url, {"x-amz-meta-more": "x"}, ""),
        *((url, {"x-amz-target": target, **plain}, "{}") for target in TARGETS),
    ]
    for address, headers, body in spoilt:
        answer = requests.request(method, address, headers=headers, data=body, timeout=20)
        assert answer.status_code in (400, 403), (address, headers, answer.text)
        assert "ignature" in answer.text or "signed" in answer.text
    assert requests.request(method, url, data="" if method == "GET" else "hello", timeout=20).ok


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_upload_with_signed_headers_is_served(cloud: Cloud, version: str) -> None:
    url = presigned(cloud, version, "put_object", ContentType="text/csv", Metadata={"row": "1"})
    headers = {"Content-Type": "text/csv", "x-amz-meta-row": "1"}
    assert requests.put(url, data=b"a,b", headers=headers, timeout=20).status_code == 200
    assert cloud.client("s3").get_object(Bucket="scopes", Key="k")["Body"].read() == b"a,b"
    for name in headers:
        assert requests.put(url, data=b"a,b", headers={**headers, name: "x"}, timeout=20).status_code == 403


def test_presigned_address_of_version_2_signs_a_sessions_token(cloud: Cloud) -> None:
    given = cloud.client("sts").get_session_token()["Credentials"]
    key = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    s3 = boto3.Session(*key, region_name="us-east-1").client(
        "s3",
        endpoint_url=cloud.endpoint,
        config=Config(signature_version="s3", s3={"addressing_style": "path"}),
    )
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "scopes", "Key": "k"})
    assert requests.get(url, timeout=20).status_code == 200
    assert requests.get(
        url.replace("x-amz-security-token=", "x-amz-security-token=a"), timeout=20
    ).status_code in (
        400,
        403,
    )


@pytest.mark.parametrize("service", ["s3", "sts", "dynamodb"])
@pytest.mark.parametrize(
    ("ago", "seconds", "served"),
    [
        (0, 60, True),
        (50, 60, True),
        (61, 60, False),
        (10**7, 60, False),
        (0, 604_801, False),
        (-1200, 60, False),
    ],
)
def test_address_is_served_until_it_expires(
    cloud: Cloud, service: str, ago: float, seconds: int, served: bool
) -> None:
    target = {"s3": "/scopes/k", "sts": "/?Action=GetCallerIdentity&Version=2011-06-15", "dynamodb": "/"}[
        service
    ]
    headers = {"X-Amz-Target": "DynamoDB_20120810.ListTables"} if service == "dynamodb" else {}
    asked = AWSRequest("GET", cloud.endpoint + target, headers=headers)
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=ago)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=now):
        signer = S3SigV4QueryAuth if service == "s3" else SigV4QueryAuth
        signer(Credentials(*cloud.administrator), service, "us-east-1", expires=seconds).add_auth(asked)
    url = str(asked.prepare().url)
    answer = requests.get(url, headers=headers, timeout=20)
    assert (answer.status_code == 200) is served, answer.text
    if not served:
        for target in TARGETS:
            assert requests.get(url, headers={"X-Amz-Target": target}, timeout=20).status_code in (400, 403)


@pytest.mark.parametrize(
    ("service", "late", "served"),
    [
        ("s3", 14, True),
        ("s3", 16, False),
        ("s3", -14, True),
        ("s3", -16, False),
        ("sts", 14, True),
        ("sts", 16, False),
        ("sagemaker", 4, True),
        ("sagemaker", 16, False),
    ],
)
def test_signature_of_a_header_is_valid_for_minutes(
    cloud: Cloud, service: str, late: float, served: bool
) -> None:
    if service == "s3":
        answer = signed(cloud, "s3", "GET", "/scopes/k", late=late)
    elif service == "sts":
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
        answer = signed(cloud, "sts", body=body, late=late, Content_Type=FORM)
    else:
        headers = {"X_Amz_Target": "SageMaker.ListPipelines", "Content_Type": "application/x-amz-json-1.1"}
        answer = signed(cloud, "sagemaker", body=b"{}", late=late, **headers)
    assert (answer.status_code == 200) is served, answer.text
    if service == "s3" and not served:
        assert "RequestTimeTooSkewed" in answer.text


@pytest.mark.parametrize(
    ("service", "target", "headers"),
    [
        ("s3", "/", {"X_Amz_Target": "DynamoDB_20120810.ListTables"}),
        ("s3", "/", {"X_Amz_Target": "SageMaker.ListPipelines"}),
        ("dynamodb", "/", {"X_Amz_Target": "SageMaker.ListPipelines"}),
        ("sagemaker", "/", {"X_Amz_Target": "secretsmanager.ListSecrets"}),
        ("nothing", f"/?{LIST_USERS}", {}),
        ("nothing", "/2015-03-31/functions/", {}),
        ("s3", "/iceberg/v1/config", {}),
        ("iam", "/iceberg/v1/config", {}),
        ("s3", "/_ministack/reset", {}),
        ("iam", "/Execute", {}),
    ],
)
def test_signature_for_one_service_runs_no_other(
    cloud: Cloud, service: str, target: str, headers: dict[str, Any]
) -> None:
    answer = signed(cloud, service, target=target, body=b"{}", **headers)
    assert answer.status_code == 403 or (answer.status_code == 400 and "ignature" in answer.text), answer.text


def test_signature_for_s3_runs_no_iam(cloud: Cloud) -> None:
    for target, body in ((f"/?{LIST_USERS}", b""), ("/", LIST_USERS.encode())):
        answer = signed(cloud, "s3", target=target, body=body, Content_Type=FORM)
        assert "ListUsersResponse" not in answer.text
    answer = signed(cloud, "iam", body=LIST_USERS.encode(), Content_Type=FORM)
    assert "ListUsersResponse" in answer.text


def test_header_that_is_not_signed_is_refused(cloud: Cloud) -> None:
    asked = AWSRequest("GET", f"{cloud.endpoint}/scopes/k")
    S3SigV4Auth(Credentials(*cloud.administrator), "s3", "us-east-1").add_auth(asked)
    sent = dict(asked.headers)
    assert requests.get(str(asked.url), headers=sent, timeout=20).status_code == 200
    assert requests.get(str(asked.url), headers={**sent, "x-amz-meta-x": "1"}, timeout=20).status_code == 403
    other = {**sent, "X-Amz-Target": "DynamoDB_20120810.ListTables"}
    assert requests.get(str(asked.url), headers=other, timeout=20).status_code == 403


def test_body_that_is_not_the_signed_one_is_refused(cloud: Cloud) -> None:
    body = b"signed"
    asked = AWSRequest("PUT", f"{cloud.endpoint}/scopes/body", data=body)
    S3SigV4Auth(Credentials(*cloud.administrator), "s3", "us-east-1").add_auth(asked)
    sent = dict(asked.headers)
    assert sent["X-Amz-Content-SHA256"] == hashlib.sha256(body).hexdigest()
    assert requests.put(str(asked.url), headers=sent, data=b"spoilt", timeout=20).status_code in (400, 403)
    assert requests.put(str(asked.url), headers=sent, data=body, timeout=20).status_code == 200


class Chunked(S3SigV4Auth):
    """Signs a body in chunks, as clients do that upload a stream, and writes the chunks into the request.

    Source: Amazon S3, "Signature calculations for the Authorization header: transferring payload in multiple
    chunks". A chunk is signed with the signature before it; the first with that of the header.
    """

    def payload(self, _request: AWSRequest) -> str:
        return "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

    def chunks(self, asked: AWSRequest, parts: list[bytes]) -> bytes:
        previous = asked.headers["Authorization"].rpartition("Signature=")[2]
        sent = b""
        for part in [*parts, b""]:
            text = "\n".join(
                [
                    "AWS4-HMAC-SHA256-PAYLOAD",
                    asked.context["timestamp"],
                    self.credential_scope(asked),
                    previous,
                    hashlib.sha256(b"").hexdigest(),
                    hashlib.sha256(part).hexdigest(),
                ]
            )
            previous = self.signature(text, asked)
            sent += f"{len(part):x};chunk-signature={previous}\r\n".encode() + part + b"\r\n"
        return sent


def spoil_a_chunk(sent: bytes) -> bytes:
    return sent.replace(b"first", b"worse")


def spoil_the_last_chunk(sent: bytes) -> bytes:
    return sent.replace(b"second", b"latest")


def spoil_a_signature(sent: bytes) -> bytes:
    return sent.replace(b"chunk-signature=", b"chunk-signature=0", 1)


def leave_out_a_chunk(sent: bytes) -> bytes:
    return sent[sent.index(b"6;chunk") :]


def leave_out_the_end(sent: bytes) -> bytes:
    return sent[: sent.index(b"0;chunk")]


def send_no_chunks(sent: bytes) -> bytes:
    return b"x" * len(sent)


@pytest.mark.parametrize(
    "spoil",
    [
        None,
        spoil_a_chunk,
        spoil_the_last_chunk,
        spoil_a_signature,
        leave_out_a_chunk,
        leave_out_the_end,
        send_no_chunks,
    ],
)
def test_upload_in_signed_chunks_is_served_as_signed(cloud: Cloud, spoil: Any) -> None:
    url = f"{cloud.endpoint}/scopes/chunks-{spoil.__name__ if spoil else 'good'}"
    asked = AWSRequest("PUT", url)
    asked.headers["X-Amz-Decoded-Content-Length"] = "11"
    asked.headers["Content-Encoding"] = "aws-chunked"
    signer = Chunked(Credentials(*cloud.administrator), "s3", "us-east-1")
    signer.add_auth(asked)
    sent = signer.chunks(asked, [b"first", b"second"])
    answer = requests.put(url, headers=dict(asked.headers), data=spoil(sent) if spoil else sent, timeout=20)
    assert (answer.status_code == 200) is (spoil is None), answer.text
    found = cloud.client("s3").list_objects_v2(Bucket="scopes", Prefix=url.rpartition("/")[2])
    assert found["KeyCount"] == (0 if spoil else 1)
    if not spoil:
        stored = cloud.client("s3").get_object(Bucket="scopes", Key="chunks-good")
        assert stored["Body"].read() == b"firstsecond"
