"""S3's checksums of the objects of a batch: one HEAD request for each version, as no listing tells them.

start_retraining reads them for the batches that it starts. tests/wall/ holds both to the same answers.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import HeadObjectOutputTypeDef

ALGORITHMS: Final = ("CRC64NVME", "SHA256", "SHA1", "CRC32C", "CRC32")
"""S3's checksum algorithms. Of an object that has several the first one counts."""

POLYNOMIALS: Final = {"CRC32C": 0x82F63B78, "CRC32": 0xEDB88320}
"""The polynomials of S3's CRCs of 32 bits, reflected: the highest bit stands for x^0. Of these the
checksums of an upload's parts make that of the whole object."""

MAX_PARTS: Final = 200
"""Parts of an upload whose checksums are read, one request each. Of an object with more the ETag counts."""

NO_ANSWER: Final = frozenset({"400", "403", "404", "405"})
"""Codes with which HeadObject refuses to answer. It has no body, so the code is the HTTP status."""


def checksum(s3: S3Client, bucket: str, key: str, version_id: str, size: int) -> str | None:
    """S3's checksum of this version with its algorithm, as `CRC64NVME:…`.

    "" if S3 has none of the whole object; None if it does not answer for this version. Raises ClientError.
    """
    try:
        head = s3.head_object(Bucket=bucket, Key=key, VersionId=version_id, ChecksumMode="ENABLED")
        if head.get("ChecksumType") == "FULL_OBJECT":
            return next((f"{name}:{value}" for name in ALGORITHMS if (value := _value(head, name))), "")
        name = next((name for name in POLYNOMIALS if _value(head, name)), None)
        return "" if name is None else _of_parts(s3, bucket, key, version_id, size, name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in NO_ANSWER:
            raise
        return None


def _of_parts(s3: S3Client, bucket: str, key: str, version_id: str, size: int, name: str) -> str:
    """The checksum of the whole object, made of those of its parts; "" if S3 does not tell them all."""
    parts: list[tuple[str, int]] = []
    count = 1
    while len(parts) < count <= MAX_PARTS:
        part = s3.head_object(
            Bucket=bucket, Key=key, VersionId=version_id, PartNumber=len(parts) + 1, ChecksumMode="ENABLED"
        )
        value, count = _value(part, name), part.get("PartsCount", 0)
        if value is None or "-" in value:  # "-" and a number of parts: S3 tells that of all parts
            return ""
        parts.append((value, part["ContentLength"]))
    whole = sum(length for _, length in parts) == size
    return f"{name}:{joined(name, parts)}" if parts and whole else ""


def _value(head: HeadObjectOutputTypeDef, name: str) -> str | None:
    values: Mapping[str, object] = head
    value = values.get(f"Checksum{name}")
    return str(value) if value else None


# ---- the CRC of texts in a row ---------------------------------------------------------------------------


def joined(name: str, parts: Sequence[tuple[str, int]]) -> str:
    """The CRC of texts in a row, made of each one's (CRC, size in bytes). CRCs are big-endian, in base64.

    n zero bytes behind a text multiply its CRC, as a polynomial, by x^(8n). The CRC of two texts in a row is
    that product of the first one's CRC, plus the CRC of the second. Source: crc32_combine of zlib
    (https://github.com/madler/zlib/blob/develop/crc32.c).
    """
    polynomial, total = POLYNOMIALS[name], 0
    for value, size in parts:
        crc = int.from_bytes(base64.b64decode(value), "big")
        total = _product(_power(8 * size, polynomial), total, polynomial) ^ crc
    return base64.b64encode(total.to_bytes(4, "big")).decode()


def _product(left: int, right: int, polynomial: int) -> int:
    """left · right modulo the polynomial."""
    product = 0
    for bit in range(31, -1, -1):
        if left >> bit & 1:
            product ^= right
        right = right >> 1 ^ polynomial if right & 1 else right >> 1
    return product


@lru_cache(maxsize=64)
def _power(exponent: int, polynomial: int) -> int:
    """x^exponent modulo the polynomial."""
    power, square = 1 << 31, 1 << 30
    while exponent:
        if exponent & 1:
            power = _product(square, power, polynomial)
        square = _product(square, square, polynomial)
        exponent >>= 1
    return power
