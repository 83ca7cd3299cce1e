"""Only what is signed with a key of the endpoint is served: its callers run programs as its owner."""

import os
import subprocess
import sys
from typing import Any

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local import folder as folders
from local import server
from local.server import Cloud
from tests.local.support import ask_raw

pytestmark = pytest.mark.slow

STRANGERS = [("test", "test"), ("123456789012", "test"), ("000000000000", "test"), ("AKIASTRANGER", "x")]


def client(cloud: Cloud, name: str, key: str, secret: str, token: str | None = None, **config: Any) -> Any:
    """A client with this key."""
    return boto3.Session(key, secret, token, region_name="us-east-1").client(  # type: ignore[call-overload]
        name,
        endpoint_url=cloud.endpoint,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, **config),
    )


CALLS: list[tuple[str, str, dict[str, Any], str]] = [
    ("sagemaker", "list_pipelines", {}, "UnrecognizedClientException"),
    ("s3", "list_buckets", {}, "InvalidAccessKeyId"),
    ("lambda", "list_functions", {}, "UnrecognizedClientException"),
    ("dynamodb", "list_tables", {}, "UnrecognizedClientException"),
    ("sqs", "list_queues", {}, "InvalidClientTokenId"),
    ("sts", "get_caller_identity", {}, "InvalidClientTokenId"),
    ("cloudformation", "list_stacks", {}, "InvalidClientTokenId"),
    ("events", "list_rules", {}, "UnrecognizedClientException"),
    ("iam", "list_users", {}, "InvalidClientTokenId"),
]


@pytest.mark.parametrize(("service", "operation", "request_", "code"), CALLS, ids=[row[0] for row in CALLS])
def test_key_of_another_is_refused_as_aws_does(
    cloud: Cloud, service: str, operation: str, request_: dict[str, Any], code: str
) -> None:
    for key, secret in (("test", "test"), ("AKIASTRANGER", "x")):
        with pytest.raises(ClientError) as refused:
            getattr(client(cloud, service, key, secret), operation)(**request_)
        assert refused.value.response["Error"]["Code"] == code
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)


@pytest.mark.parametrize(("service", "operation"), [(row[0], row[1]) for row in CALLS])
def test_id_without_its_secret_is_refused(cloud: Cloud, service: str, operation: str) -> None:
    for key in (cloud.administrator[0], "123456789012"):
        with pytest.raises(ClientError) as refused:
            getattr(client(cloud, service, key, "guessed"), operation)()
        assert refused.value.response["Error"]["Code"] in (
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
        )


@pytest.mark.parametrize(("service", "operation"), [(row[0], row[1]) for row in CALLS])
def test_key_of_the_administrator_is_served(cloud: Cloud, service: str, operation: str) -> None:
    assert getattr(client(cloud, service, *cloud.administrator), operation)()


def test_keys_that_the_endpoint_has_given_out_are_served(cloud: Cloud) -> None:
    iam, sts = cloud.client("iam"), cloud.client("sts")
    iam.create_user(UserName="ana")
    key = iam.create_access_key(UserName="ana")["AccessKey"]
    own = (key["AccessKeyId"], key["SecretAccessKey"])
    assert client(cloud, "sts", *own).get_caller_identity()["Arn"].endswith(":user/ana")
    role = "arn:aws:iam::123456789012:role/any"
    given = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
    session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert client(cloud, "s3", *session).list_buckets()
    given = sts.get_session_token()["Credentials"]
    session = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    assert "PipelineSummaries" in client(cloud, "sagemaker", *session).list_pipelines()
    iam.delete_access_key(UserName="ana", AccessKeyId=own[0])
    with pytest.raises(ClientError):
        client(cloud, "s3", *own).list_buckets()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_address_is_served_and_another_is_not(cloud: Cloud, bucket: str, version: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="a b/ü.txt", Body=b"what is there")
    asked = {"Bucket": bucket, "Key": "a b/ü.txt"}
    own = client(cloud, "s3", *cloud.administrator, signature_version=version)
    url = own.generate_presigned_url("get_object", Params=asked)
    assert requests.get(url, timeout=10).content == b"what is there"
    assert requests.get(url.replace("a%20b", "a%20c"), timeout=10).status_code == 403
    late = own.generate_presigned_url("get_object", Params=asked, ExpiresIn=-1)
    assert requests.get(late, timeout=10).status_code in (400, 403)
    for key, secret in STRANGERS:
        other = client(cloud, "s3", key, secret, signature_version=version)
        url = other.generate_presigned_url("get_object", Params=asked)
        assert requests.get(url, timeout=10).status_code == 403


def test_uploads_of_every_kind_are_served(cloud: Cloud, bucket: str) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="checked", Body=b"x" * 100_000, ChecksumAlgorithm="SHA256")
    made = s3.create_multipart_upload(Bucket=bucket, Key="parts")
    part = {"Bucket": bucket, "Key": "parts", "UploadId": made["UploadId"], "PartNumber": 1}
    etag = s3.upload_part(Body=b"y" * 100_000, **part)["ETag"]
    done = s3.complete_multipart_upload(
        Bucket=bucket,
        Key="parts",
        UploadId=made["UploadId"],
        MultipartUpload={"Parts": [{"ETag": etag, "PartNumber": 1}]},
    )
    assert done["Key"] == "parts"
    assert s3.get_object(Bucket=bucket, Key="checked")["Body"].read() == b"x" * 100_000


OPEN = {"Host": "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.localhost:4566"}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/_ministack/health", {}, 200),
        ("POST", "/_ministack/health", {}, 403),
        ("POST", "/_ministack/reset", {}, 403),
        ("POST", "/_ministack/reset", OPEN, 403),
        ("GET", "/", {}, 403),
        ("GET", "/bucket/checked", {}, 403),
        ("GET", "/2015-03-31/functions/", {}, 403),
        ("POST", "/2015-03-31/functions/x/invocations", {}, 403),
        ("POST", "/", {"X-Amz-Target": "SageMaker.ListPipelines"}, 400),
        ("POST", "/", {"X-Amz-Target": "SageMaker.ListPipelines", **OPEN}, 400),
        ("GET", "/iceberg/v1/config", OPEN, 403),
        ("GET", "/review", OPEN, 403),
        ("GET", "/_aws/lambda-url/abcdefghijklmnopqrstuvwxyz012345/review", {}, 403),
    ],
)
def test_request_without_a_signature(
    cloud: Cloud, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    """The health check and pages of functions are served to everybody. No function has the URL of OPEN."""
    answer = requests.request(method, cloud.endpoint + path, headers=headers, data="{}", timeout=10)
    assert answer.status_code == status, answer.text


def signed(cloud: Cloud, key: str, secret: str, query: str = "") -> dict[str, str]:
    """The headers of a signed request for the buckets."""
    asked = AWSRequest(
        "GET", f"{cloud.endpoint}/{query}", headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    )
    SigV4Auth(Credentials(key, secret), "s3", "us-east-1").add_auth(asked)
    return dict(asked.headers)


def test_request_that_names_two_keys_is_refused(cloud: Cloud) -> None:
    """The one is verified here, and ministack might take the other for the caller."""
    own = signed(cloud, *cloud.administrator)
    assert requests.get(cloud.endpoint, headers=own, timeout=10).status_code == 200
    for query in ("?AWSAccessKeyId=test&Signature=x", "?X-Amz-Credential=test/1/2/3/4", "?X-Amz-Signature=x"):
        assert requests.get(f"{cloud.endpoint}/{query}", headers=own, timeout=10).status_code == 400
    first, _, rest = own["Authorization"].partition(" ")
    two = {**own, "Authorization": f"{first} Credential=test/1/us-east-1/s3/aws4_request, {rest}"}
    assert requests.get(cloud.endpoint, headers=two, timeout=10).status_code == 400


MALFORMED = [
    "",
    "AWS4-HMAC-SHA256",
    "AWS4-HMAC-SHA256 ",
    "AWS4-HMAC-SHA256 Credential=,SignedHeaders=,Signature=",
    "AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=host;;,Signature=\xff",
    "AWS4-HMAC-SHA256 Credential=/////,SignedHeaders=host,Signature=0",
    "AWS4-ECDSA-P256-SHA256 Credential=a/b/s3/aws4_request,SignedHeaders=host,Signature=zz",
    "AWS test:x",
    "Basic dGVzdDp0ZXN0",
    "Bearer x",
    "\xe9",
]


@pytest.mark.parametrize("value", MALFORMED)
def test_malformed_signature_is_refused(cloud: Cloud, value: str) -> None:
    for path, target in (
        ("/", "SageMaker.ListPipelines"),
        ("/", "DynamoDB_20120810.ListTables"),
        ("/b/k", ""),
    ):
        headers = {"Authorization": value.encode("latin-1"), "X-Amz-Date": "20261130T000000Z"}
        answer = requests.post(
            cloud.endpoint + path,
            headers={**headers, **({"X-Amz-Target": target} if target else {})},  # type: ignore[dict-item]
            timeout=10,
        )
        assert answer.status_code in (400, 403), answer.text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Origin", "http://["),
        ("Origin", "http://[::1"),
        ("Origin", "\xff\xfe"),
        ("Referer", "http://]"),
        ("Host", "["),
        ("Host", "127.0.0.1:x"),
        ("Host", "]:4566"),
        ("Sec-Fetch-Site", "\xff"),
        ("Content-Type", "\xff"),
        ("X-Amz-Target", "SageMaker."),
        ("X-Amz-Target", "\xff"),
        ("X-Amz-Date", "now"),
        ("Cookie", "\xff=\xff"),
        ("Expect", "x"),
        ("Content-Encoding", "x"),
        ("Content-Length", "-1"),
    ],
)
def test_odd_header_is_no_error_of_the_server(cloud: Cloud, name: str, value: str) -> None:
    for path in ("/", "/_ministack/health", "/_aws/lambda-url/abc/review", "/b/k?x=%ff&y=%"):
        for method in ("GET", "POST"):
            text = f"{method} {path} HTTP/1.1\r\n"
            others = {"Host": "127.0.0.1", "Content-Length": "2", "Connection": "close", name: value}
            text += "".join(f"{key}: {said}\r\n" for key, said in others.items()) + "\r\n{}"
            answer = ask_raw(cloud, text.encode("latin-1"))
            assert answer.startswith(b"HTTP/1.1 ") or not answer
            assert answer[9:10] != b"5", answer[:300]


@pytest.mark.parametrize(
    "query", [b"\xff", b"%ff=%ff", b"X-Amz-Signature=\xff&X-Amz-Credential=%", b"a" * 20_000]
)
def test_odd_query_is_no_error_of_the_server(cloud: Cloud, query: bytes) -> None:
    for path in (b"/b/k", b"/_ministack/health", b"/_aws/lambda-url/abc/x"):
        head = b"GET " + path + b"?" + query + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        answer = ask_raw(cloud, head)
        assert answer[9:10] != b"5", answer[:300]


def test_record_and_folder_are_the_owners_alone(cloud: Cloud) -> None:
    assert cloud.folder.stat().st_mode & 0o777 == 0o700
    assert (cloud.folder / folders.RECORD).stat().st_mode & 0o777 == 0o600
    key, secret = cloud.administrator
    assert key.startswith("AKIA")
    assert len(secret) == 40
    assert cloud.environment()["AWS_ACCESS_KEY_ID"] == key
    assert secret not in repr(cloud)
    assert secret not in (cloud.folder / folders.LOG).read_text()
    assert server.running(cloud.folder) == cloud


def test_key_stands_in_no_command_line(cloud: Cloud) -> None:
    ran = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert not [line for line in ran.stdout.splitlines() if cloud.administrator[1] in line]


def test_environment_of_the_command_is_enough(cloud: Cloud) -> None:
    text = "import boto3; print(boto3.client('s3').list_buckets()['ResponseMetadata']['HTTPStatusCode'])"
    environment = {**cloud.environment(), "PATH": os.environ["PATH"]}
    ran = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
    assert ran.stdout == "200\n", ran.stderr


@pytest.mark.parametrize("operation", ["", "Nothing", "a.b", "%25", "ListTrainingJobs", "DescribeTrial"])
@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"\xff", b'{"MaxResults": 1e400}', b'{"Tags": "x"}'])
def test_odd_request_to_sagemaker_is_no_error_of_the_server(
    cloud: Cloud, operation: str, body: bytes
) -> None:
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    asked = AWSRequest("POST", cloud.endpoint, headers=headers, data=body)
    SigV4Auth(Credentials(*cloud.administrator), "sagemaker", "us-east-1").add_auth(asked)
    answer = requests.post(cloud.endpoint, headers=dict(asked.headers), data=body, timeout=30)
    assert answer.status_code < 500, answer.text
