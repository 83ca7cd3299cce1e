"""Repairs of S3: reading a part of an object, and the checksum of the whole."""

import functools
import re
from contextvars import ContextVar
from typing import Any, Final
from uuid import uuid4
from xml.etree.ElementTree import register_namespace  # nosec B405 # noqa: RUF100 - parses nothing

import anycrc
from ministack.services import s3

from local.types import Json

RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")
"""A header Range with one range: from one byte to another, from one on, or the last bytes."""

CRC64NVME: Final = anycrc.Model("CRC64-NVME")
"""CRC-64/NVME by a compiled library: ministack's own takes 0.6 s for each MB."""

Answer = tuple[int, Json, bytes]
"""ministack's answer to a request: HTTP status, headers, body."""

Checksums = dict[str, str]
"""Base64 values by the name of their algorithm, such as CRC64NVME."""


def reads_of_a_part_are_cut() -> None:
    """Range and partNumber of GetObject and HeadObject.

    AWS: 206 with these bytes of any version; 416 if the object has none of them. A Range that S3 cannot read
    counts as absent. If-Match and the other conditions decide first. The checksum is that of the part.
    ministack: the whole object if the request names a version, or is a HEAD; 416 for a Range it cannot read.
    """
    get, head = s3._get_object, s3._head_object

    @functools.wraps(get)
    def got(bucket: str, key: str, headers: Json, query: Json | None = None) -> Answer:
        return _cut(get(bucket, key, *_of_the_whole(headers, query)), bucket, key, headers, query or {})

    @functools.wraps(head)
    def headed(bucket: str, key: str, headers: Json | None = None, query: Json | None = None) -> Answer:
        whole = head(bucket, key, *_of_the_whole(headers or {}, query))
        return _cut(whole, bucket, key, headers or {}, query or {})

    s3._get_object, s3._head_object = got, headed


def _of_the_whole(headers: Json, query: Json | None) -> tuple[Json, Json]:
    """The request without Range and partNumber."""
    return (
        {name: value for name, value in headers.items() if name != "range"},
        {name: value for name, value in (query or {}).items() if name != "partNumber"},
    )


def _cut(answer: Answer, bucket: str, key: str, headers: Json, query: Json) -> Answer:
    """What was asked for, of the answer with the whole object."""
    status, told, body = answer
    number, asked = s3._qp(query, "partNumber"), headers.get("range", "").strip()
    if status != 200 or not (number or asked):
        return answer
    size = int(told["Content-Length"])
    more: Json = {}
    span: range | None
    if number:
        span, more = _part(_record(bucket, key, s3._qp(query, "versionId")), int(number), size)
        if headers.get("x-amz-checksum-mode", "").upper() != "ENABLED":
            more = {name: value for name, value in more.items() if "checksum" not in name}
    elif (span := _span(asked, size)) is None:
        return answer
    if not span:
        told = {"Content-Type": "application/xml", "Content-Range": f"bytes */{size}"}
        return 416, told, s3._xml_body(s3._range_error_xml(bucket, key))
    told = {name: value for name, value in told.items() if not name.startswith("x-amz-checksum-")} | more
    told["Content-Length"] = str(len(span))
    told["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    return 206, told, body[span.start : span.stop]


def _span(asked: str, size: int) -> range | None:
    """The bytes of a Range, none if the object has none of them; None if S3 cannot read the Range."""
    found = RANGE.fullmatch(asked)
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(int(last) + 1, size) if last else size)


def _part(record: Json, number: int, size: int) -> tuple[range, Json]:
    """The bytes of a part and its headers; an object that was put whole is its own first part."""
    parts: list[Json] = record.get("parts") or [{"PartNumber": 1, "Size": size}]
    begin = 0
    for part in parts:
        if part["PartNumber"] == number:
            headers = {f"x-amz-checksum-{name.lower()}": it for name, it in part.get("checksums", {}).items()}
            if record.get("parts"):
                headers["x-amz-mp-parts-count"] = str(len(parts))
            return range(begin, begin + part["Size"]), headers
        begin += part["Size"]
    return range(0), {}


def _record(bucket: str, key: str, version: str) -> Json:
    """ministack's record of a version of an object, or of the object as it is."""
    versions: list[Json] = s3._object_versions.get((bucket, key), [])
    current: Json = s3._ensure_bucket(bucket)["objects"].get(key, {})
    return next((one for one in versions if one["version_id"] == version), current)


# ---- checksums -------------------------------------------------------------------------------------------

_uploaded: ContextVar[Json | None] = ContextVar("_uploaded", default=None)
"""The upload in parts that is being completed."""


def every_object_has_a_checksum() -> None:
    """Checksums of objects.

    AWS: an object whose client sent none has a CRC64NVME of all its bytes, also if it was uploaded in parts.
    An upload in parts has a checksum of the whole object if it asks for one (ChecksumType FULL_OBJECT), and
    for CRC64NVME, else one of its parts' checksums (COMPOSITE). A copy has one of the whole object, by the
    source's algorithm. Lists name the algorithm and the type. Under SSE-KMS an ETag tells nothing.
    ministack: no checksum unless the client sends one, uploads in parts have COMPOSITE ones only, versions
    forget the type, copies of COMPOSITE ones keep them, lists name neither. An ETag is always an MD5.
    """
    record, entry, object_of = (
        s3._record_object_version,
        s3._version_entry_from_record,
        s3._object_record_from_version,
    )

    @functools.wraps(record)
    def recorded(bucket: str, key: str, prior: Json | None, made: Json, data: bytes) -> Any:
        made["checksums"], made["checksum_type"] = _checksums(made, data)
        encryption = made.get("preserved_headers", {}).get("x-amz-server-side-encryption", "")
        if encryption.startswith("aws:kms") and "parts" not in made:
            made["etag"] = f'"{uuid4().hex}"'
        return record(bucket, key, prior, made, data)

    @functools.wraps(entry)
    def kept(made: Json, version: str, data: Any) -> Json:
        return {**entry(made, version, data), "checksum_type": made.get("checksum_type")}

    @functools.wraps(object_of)
    def restored(version: Json) -> Json:
        more = {name: version.get(name) for name in ("checksum_type", "parts")}
        return {**object_of(version), **more}

    s3._record_object_version, s3._version_entry_from_record = recorded, kept
    s3._object_record_from_version = restored
    s3._crc64nvme = CRC64NVME.calc
    _uploads_have_a_type()
    _puts_tell_the_checksum()
    _lists_name_the_checksum()


def _checksums(made: Json, data: bytes) -> tuple[Checksums, str]:
    """The checksums of a new object and their type. `made` is ministack's record of it."""
    upload = _uploaded.get()
    if upload is not None:
        for part in made["parts"]:
            part["checksums"] = upload["parts"][part["PartNumber"]].get("checksums") or {}
    known: Checksums = made.get("checksums") or {}
    if known and upload is not None:
        return known, "COMPOSITE"
    if known and all("-" not in value for value in known.values()):
        return known, "FULL_OBJECT"
    names = known or [(upload or {}).get("whole_checksum") or "CRC64NVME"]
    return {name: s3._compute_s3_checksum(name, data) for name in names}, "FULL_OBJECT"


def _uploads_have_a_type() -> None:
    create, complete = s3._create_multipart_upload, s3._complete_multipart_upload

    @functools.wraps(create)
    def created(bucket: str, key: str, headers: Json) -> Answer:
        status, told, body = create(bucket, key, headers)
        name = told.get("x-amz-checksum-algorithm", "CRC64NVME")
        whole = name == "CRC64NVME" or headers.get("x-amz-checksum-type", "").upper() == "FULL_OBJECT"
        if status == 200 and whole:
            identity = s3.fromstring(body).findtext(f"{{{s3.S3_NS}}}UploadId")
            s3._multipart_uploads[identity] |= {"checksum_algorithm": None, "whole_checksum": name}
            told |= {"x-amz-checksum-algorithm": name, "x-amz-checksum-type": "FULL_OBJECT"}
        return status, told, body

    @functools.wraps(complete)
    def completed(bucket: str, key: str, body: bytes, query: Json, headers: Json | None = None) -> Answer:
        upload = s3._multipart_uploads.get(s3._qp(query, "uploadId"))
        name = (upload or {}).get("whole_checksum", "")
        expected = (headers or {}).get(f"x-amz-checksum-{name.lower()}")
        if upload and expected and expected != s3._compute_s3_checksum(name, _joined(upload, body)):
            text = f"The {name} you specified did not match the calculated checksum."
            refused: Answer = s3._error("BadDigest", text, 400, f"/{bucket}/{key}")
            return refused
        token = _uploaded.set(upload)
        try:
            answer: Answer = complete(bucket, key, body, query, headers)
        finally:
            _uploaded.reset(token)
        return answer

    s3._create_multipart_upload, s3._complete_multipart_upload = created, completed


def _joined(upload: Json, body: bytes) -> bytes:
    """The bytes of the parts that a CompleteMultipartUpload names."""
    numbers = sorted(int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body))
    return b"".join(upload["parts"].get(number, {"body": b""})["body"] for number in numbers)


def _puts_tell_the_checksum() -> None:
    put = s3._put_object

    @functools.wraps(put)
    def told(bucket: str, key: str, body: bytes, headers: Json) -> Answer:
        status, answer, empty = put(bucket, key, body, headers)
        if status == 200:
            made = _record(bucket, key, answer.get("x-amz-version-id", ""))
            answer |= {f"x-amz-checksum-{name.lower()}": it for name, it in made["checksums"].items()}
            answer |= {"x-amz-checksum-type": made["checksum_type"], "ETag": made["etag"]}
        return status, answer, empty

    s3._put_object = told


def _lists_name_the_checksum() -> None:
    listed = s3._list_object_versions
    register_namespace("", s3.S3_NS)

    @functools.wraps(listed)
    def named(bucket: str, query: Json) -> Answer:
        status, headers, body = listed(bucket, query)
        if status != 200:
            return status, headers, body
        root = s3.fromstring(body)
        for version in root.iter(f"{{{s3.S3_NS}}}Version"):
            found = {child.tag.rpartition("}")[2]: child.text for child in version}
            made = _record(bucket, found["Key"], found["VersionId"])
            for name in made.get("checksums") or {}:
                s3.SubElement(version, f"{{{s3.S3_NS}}}ChecksumAlgorithm").text = name
                s3.SubElement(version, f"{{{s3.S3_NS}}}ChecksumType").text = made["checksum_type"]
        return status, headers, s3._xml_body(root)

    s3._list_object_versions = named
