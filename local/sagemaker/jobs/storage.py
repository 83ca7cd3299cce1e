"""Copies between S3 and a job's folder, as SageMaker makes them."""

import hashlib
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import botocore.exceptions

from local.sagemaker.errors import ClientError
from local.tarballs import extract

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

MAX_KEPT: Final = 1 << 20
"""Bytes of the largest object that is kept for later jobs."""

_ALONE: Final = threading.Lock()
"""Held while an object is read that is then kept: jobs that start together mostly want the same code."""


def split(uri: str) -> tuple[str, str]:
    """(bucket, key or prefix) of s3://bucket/key."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


def download(
    s3: "S3Client",
    uri: str,
    target: Path,
    role: str,
    region: str,
    *,
    optional: bool = False,
    kept: Path | None = None,
) -> None:
    """Copy all objects whose key begins with `uri` to the folder `target`.

    A single object becomes a file with its base name. `s3` has the credentials of the job's role; `role` and
    `region` are for the error. The folder `kept` holds small objects for later jobs, which mostly get the
    same code; it is for roles that may all read everything. Raises ClientError if S3 refuses, or there is no
    object and it is not `optional`.
    """
    bucket, prefix = split(uri)
    target.mkdir(parents=True, exist_ok=True)
    found = False
    try:
        for item in _objects(s3, bucket, prefix):
            key, found = item["Key"], True
            if key.endswith("/"):
                continue  # an empty object that stands for a folder
            path = target / relative(prefix, key)
            if not path.resolve().is_relative_to(target.resolve()):
                raise ClientError(f"Failed to download data. The key {key} leads out of its folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            _copy(s3, bucket, item, path, kept)
    except botocore.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise ClientError(f"Failed to download data from {uri}. {error}") from error
    if not found and not optional:
        raise ClientError(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the '
            f"bucket exists in the selected region ({region}), that objects exist under that S3 prefix, and "
            f'that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".'
        )


def relative(prefix: str, key: str) -> PurePosixPath:
    """The path of the object `key` below the folder of an input from `prefix`."""
    if key == prefix:
        return PurePosixPath(PurePosixPath(key).name)
    if not prefix or prefix.endswith("/") or key.startswith(prefix + "/"):
        return PurePosixPath(key[len(prefix) :].lstrip("/"))
    return PurePosixPath(key[len(prefix.rpartition("/")[0]) :].lstrip("/"))  # "train" also matches train-2/…


def _objects(s3: "S3Client", bucket: str, prefix: str) -> Iterator["ObjectTypeDef"]:
    for answer in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from answer.get("Contents", [])


def _copy(s3: "S3Client", bucket: str, item: "ObjectTypeDef", path: Path, kept: Path | None) -> None:
    """Copy an object to the file `path`: from `kept` if it is there as it is listed, which is by its ETag."""
    listed = f"{bucket}/{item['Key']}/{item['ETag']}/{item['LastModified']}"
    known = kept / hashlib.sha256(listed.encode()).hexdigest() if kept and item["Size"] <= MAX_KEPT else None
    if known is None:
        _read(s3, bucket, item["Key"], path)
        return
    with _ALONE:
        if known.exists():
            shutil.copyfile(known, path)
        elif _read(s3, bucket, item["Key"], path) == item["ETag"]:
            known.parent.mkdir(parents=True, exist_ok=True)
            draft = known.with_suffix(".new")
            shutil.copyfile(path, draft)
            os.replace(draft, known)


def _read(s3: "S3Client", bucket: str, key: str, path: Path) -> str:
    """Write an object to the file `path`; its ETag."""
    answer = s3.get_object(Bucket=bucket, Key=key)
    with path.open("wb") as file:
        shutil.copyfileobj(answer["Body"], file, 1 << 20)
    return answer["ETag"]


def upload(s3: "S3Client", source: Path, uri: str) -> None:
    """Copy every file below the folder `source`, or the file `source`, to `uri`. Raises ClientError."""
    bucket, prefix = split(uri)
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    for path in files:
        key = (
            prefix
            if source.is_file()
            else f"{prefix.rstrip('/')}/{path.relative_to(source).as_posix()}".lstrip("/")
        )
        try:
            with path.open("rb") as file:
                s3.put_object(Bucket=bucket, Key=key, Body=file)
        except botocore.exceptions.ClientError as error:
            raise ClientError(f"Failed to upload output to s3://{bucket}/{key}. {error}") from error


def pack(folder: Path, archive: Path) -> None:
    """Pack the contents of `folder` into the tar.gz `archive`."""
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar.gz into `folder`. Raises ClientError if it cannot, or a member points out of `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(archive) as tar:
            extract(tar, folder)
    except (tarfile.TarError, OSError) as error:
        raise ClientError(f"Failed to unpack {archive.name}: {error}") from error
