"""S3 on this machine: reads of a part of an object, and checksums of the whole, as AWS answers them."""

from __future__ import annotations

import base64
import zlib
from typing import Any, Final

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.server import Cloud
from local.types import Json

pytestmark = pytest.mark.story

BUCKET: Final = "objects"
MB: Final = 1 << 20
LARGE: Final = bytes(range(256)) * (12 * MB // 256)
"""12 MB: two or three parts of an upload."""


@pytest.fixture(scope="module")
def s3(cloud: Cloud) -> Any:
    """A client of S3, with a versioned bucket."""
    client = cloud.client("s3")
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return client


@pytest.fixture(scope="module", params=["of a version", "of the newest one"])
def named(request: pytest.FixtureRequest, s3: Any) -> Json:
    """The names of an object of ten bytes: by its version, which is not the newest, or without one."""
    first = s3.put_object(Bucket=BUCKET, Key="digits", Body=b"0123456789")["VersionId"]
    if request.param == "of the newest one":
        return {"Bucket": BUCKET, "Key": "digits"}
    s3.put_object(Bucket=BUCKET, Key="digits", Body=b"other bytes")
    return {"Bucket": BUCKET, "Key": "digits", "VersionId": first}


@pytest.mark.parametrize(
    ("asked", "content", "body"),
    [
        ("bytes=0-3", "bytes 0-3/10", b"0123"),
        ("bytes=4-4", "bytes 4-4/10", b"4"),
        ("bytes=7-", "bytes 7-9/10", b"789"),
        ("bytes=7-100", "bytes 7-9/10", b"789"),
        ("bytes=-3", "bytes 7-9/10", b"789"),
        ("bytes=-100", "bytes 0-9/10", b"0123456789"),
    ],
)
def test_get_and_head_range_is_cut(s3: Any, named: Json, asked: str, content: str, body: bytes) -> None:
    got = s3.get_object(**named, Range=asked)
    assert (got["ResponseMetadata"]["HTTPStatusCode"], got["ContentRange"]) == (206, content)
    assert (got["Body"].read(), got["ContentLength"]) == (body, len(body))
    head = s3.head_object(**named, Range=asked)
    assert (head["ResponseMetadata"]["HTTPStatusCode"], head["ContentRange"]) == (206, content)
    assert head["ContentLength"] == len(body)
    assert got["ETag"] == head["ETag"] == '"781e5e245d69b566979b86e28d23f2c7"'


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=-0"])
def test_get_and_head_range_behind_the_end_is_refused(s3: Any, named: Json, asked: str) -> None:
    with pytest.raises(ClientError) as got:
        s3.get_object(**named, Range=asked)
    assert got.value.response["Error"]["Code"] == "InvalidRange"
    assert got.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416
    with pytest.raises(ClientError) as head:
        s3.head_object(**named, Range=asked)
    assert head.value.response["ResponseMetadata"]["HTTPStatusCode"] == 416


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "lines=0-1"])
def test_get_and_head_range_that_cannot_be_read_counts_as_absent(s3: Any, named: Json, asked: str) -> None:
    got, head = s3.get_object(**named, Range=asked), s3.head_object(**named, Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == head["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert (got["Body"].read(), head["ContentLength"]) == (b"0123456789", 10)


def test_get_range_of_an_empty_object_is_refused(s3: Any) -> None:
    version = s3.put_object(Bucket=BUCKET, Key="empty", Body=b"")["VersionId"]
    for asked in ("bytes=0-", "bytes=-8"):
        with pytest.raises(ClientError, match="InvalidRange"):
            s3.get_object(Bucket=BUCKET, Key="empty", VersionId=version, Range=asked)


def test_get_range_conditions_decide_first(s3: Any, named: Json) -> None:
    etag = s3.head_object(**named)["ETag"]
    assert s3.get_object(**named, Range="bytes=0-3", IfMatch=etag)["Body"].read() == b"0123"
    for condition, status in (({"IfMatch": '"other"'}, 412), ({"IfNoneMatch": etag}, 304)):
        for read in (s3.get_object, s3.head_object):
            with pytest.raises(ClientError) as refused:
                read(**named, Range="bytes=100-", **condition)
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_get_range_tells_no_checksum_of_the_whole(s3: Any, named: Json) -> None:
    head = s3.head_object(**named, Range="bytes=0-3", ChecksumMode="ENABLED")
    assert "ChecksumType" not in head
    assert s3.get_object(**named, Range="bytes=0-3", ChecksumMode="ENABLED")["Body"].read() == b"0123"


# ---- checksums -------------------------------------------------------------------------------------------


def crc32(body: bytes) -> str:
    return base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()


def upload(s3: Any, key: str, part: int, body: bytes = LARGE, **more: str) -> Json:
    """Upload an object in parts of this size. Returns the answer to the last call."""
    asked = {"Bucket": BUCKET, "Key": key}
    identity = s3.create_multipart_upload(**asked, **more)["UploadId"]
    parts = []
    for number, begin in enumerate(range(0, len(body), part), start=1):
        content = body[begin : begin + part]
        put = s3.upload_part(**asked, UploadId=identity, PartNumber=number, Body=content)
        parts.append({"PartNumber": number, "ETag": put["ETag"]})
    done: Json = s3.complete_multipart_upload(
        **asked, UploadId=identity, MultipartUpload={"Parts": parts},
        **{name: value for name, value in more.items() if name == "ChecksumType"},
    )  # fmt: skip
    return done


def checksums(s3: Any, key: str, **more: Any) -> Json:
    """What HeadObject and ListObjectVersions tell of an object's checksum: both say the same of it."""
    head = s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED", **more)
    told = {name: value for name, value in head.items() if name.startswith("Checksum")}
    versions = s3.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]
    listed = next(one for one in versions if one["VersionId"] == head["VersionId"])
    assert [f"Checksum{name}" for name in listed["ChecksumAlgorithm"]] == [*(told.keys() - {"ChecksumType"})]
    assert listed["ChecksumType"] == told["ChecksumType"]
    return told


def without_checksum(cloud: Cloud) -> Any:
    """A client that sends no checksum, as tools from before 2025 do."""
    config = Config(request_checksum_calculation="when_required", s3={"addressing_style": "path"}, proxies={})
    return cloud.session().client("s3", endpoint_url=cloud.endpoint, config=config)


def test_object_without_a_checksum_of_its_client_has_crc64nvme(cloud: Cloud, s3: Any) -> None:
    old = without_checksum(cloud)
    version = old.put_object(Bucket=BUCKET, Key="old", Body=b"123456789")["VersionId"]
    assert checksums(s3, "old", VersionId=version) == {
        "ChecksumCRC64NVME": "rosUhgp5mIg=",
        "ChecksumType": "FULL_OBJECT",
    }
    assert s3.get_object(Bucket=BUCKET, Key="old", VersionId=version)["ChecksumCRC64NVME"] == "rosUhgp5mIg="


def test_object_keeps_the_checksum_of_its_client(s3: Any) -> None:
    answer = s3.put_object(Bucket=BUCKET, Key="new", Body=b"123456789")
    told = {"ChecksumCRC32": "y/Q5Jg==", "ChecksumType": "FULL_OBJECT"}
    assert {name: answer[name] for name in told} == told
    assert checksums(s3, "new") == told


def test_upload_in_parts_has_the_same_crc64nvme_whatever_the_parts(cloud: Cloud, s3: Any) -> None:
    old = without_checksum(cloud)
    old.put_object(Bucket=BUCKET, Key="one", Body=LARGE)
    upload(old, "five", 5 * MB)
    upload(old, "eight", 8 * MB)
    upload(s3, "asked", 5 * MB, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    told = checksums(s3, "one")
    assert told["ChecksumType"] == "FULL_OBJECT"
    assert checksums(s3, "five") == checksums(s3, "eight") == told
    assert checksums(s3, "asked") == {"ChecksumCRC32": crc32(LARGE), "ChecksumType": "FULL_OBJECT"}
    etags = {s3.head_object(Bucket=BUCKET, Key=key)["ETag"] for key in ("one", "five", "eight")}
    assert len(etags) == 3


def test_upload_of_crc32_has_that_of_its_parts(s3: Any) -> None:
    upload(s3, "composite", 5 * MB, ChecksumAlgorithm="CRC32")
    told = checksums(s3, "composite")
    assert told["ChecksumType"] == "COMPOSITE"
    assert told["ChecksumCRC32"].endswith("-3")
    version = s3.head_object(Bucket=BUCKET, Key="composite")["VersionId"]
    s3.put_object(Bucket=BUCKET, Key="composite", Body=b"newer")
    assert checksums(s3, "composite", VersionId=version) == told
    head = s3.head_object(
        Bucket=BUCKET, Key="composite", VersionId=version, PartNumber=3, ChecksumMode="ENABLED"
    )
    assert (head["ContentLength"], head["PartsCount"]) == (2 * MB, 3)
    assert head["ContentRange"] == f"bytes {10 * MB}-{12 * MB - 1}/{12 * MB}"
    assert head["ChecksumCRC32"] == crc32(LARGE[10 * MB :])


def test_upload_with_a_wrong_checksum_of_the_whole_is_refused(s3: Any) -> None:
    asked = {"Bucket": BUCKET, "Key": "wrong"}
    made = s3.create_multipart_upload(**asked, ChecksumAlgorithm="CRC32", ChecksumType="FULL_OBJECT")
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == ("CRC32", "FULL_OBJECT")
    identity = made["UploadId"]
    put = s3.upload_part(**asked, UploadId=identity, PartNumber=1, Body=b"123456789")
    parts = {"Parts": [{"PartNumber": 1, "ETag": put["ETag"]}]}
    with pytest.raises(ClientError, match="BadDigest"):
        s3.complete_multipart_upload(
            **asked, UploadId=identity, MultipartUpload=parts, ChecksumCRC32="AAAAAA=="
        )
    s3.complete_multipart_upload(**asked, UploadId=identity, MultipartUpload=parts, ChecksumCRC32="y/Q5Jg==")
    assert checksums(s3, "wrong") == {"ChecksumCRC32": "y/Q5Jg==", "ChecksumType": "FULL_OBJECT"}


def test_copy_has_a_checksum_of_the_whole(s3: Any) -> None:
    upload(s3, "parts", 5 * MB, ChecksumAlgorithm="CRC32")
    version = s3.head_object(Bucket=BUCKET, Key="parts")["VersionId"]
    s3.copy_object(
        Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "parts", "VersionId": version}
    )
    assert checksums(s3, "copy") == {"ChecksumCRC32": crc32(LARGE), "ChecksumType": "FULL_OBJECT"}


def test_same_bytes_under_sse_kms_have_another_etag_and_the_same_checksum(cloud: Cloud, s3: Any) -> None:
    key = cloud.client("kms").create_key()["KeyMetadata"]["KeyId"]
    asked = {"Bucket": BUCKET, "Key": "encrypted", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    plain = s3.put_object(Bucket=BUCKET, Key="plain", Body=b"123456789")
    etags = [s3.put_object(**asked, Body=b"123456789")["ETag"] for _ in range(2)]
    assert len({plain["ETag"], *etags}) == 3
    assert s3.head_object(Bucket=BUCKET, Key="encrypted")["ETag"] == etags[1]
    assert checksums(s3, "plain") == checksums(s3, "encrypted")
