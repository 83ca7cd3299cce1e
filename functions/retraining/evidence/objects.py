"""What the evidence says of objects in S3: the files of the batch, and the model that was registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final

from botocore.exceptions import ClientError

from retraining import report_keys
from retraining.aws.refusals import is_refusal
from retraining.evidence.sources import Document, Sources, read_document
from retraining.facts.package import Package

Json = Mapping[str, Any]

MAX_FILES: Final = 500
"""Files of a batch that the evidence lists, the first by key. Its manifest, of which the evidence has the
hash, lists all of them; a batch has at most 200,000."""

MAX_MANIFEST: Final = 8_000_000
"""Bytes of a manifest that is parsed: about 25,000 files. Of a larger one only the hash is noted."""


def data_of(
    sources: Sources, model: str, execution_id: str, batch: str | None, missing: list[str]
) -> dict[str, Any]:
    """The batch, its files, its manifest, and what the data report says of it.

    A start in SageMaker names the batch `latest`; only the report tells which one that was. `manifest` is
    null while there is none.
    """
    name = f"models/{model}/{execution_id}/data_report.json"
    report = read_document(sources, name, missing, each=_first_files())
    told = report.content if report else {}
    batch = told.get("batch") or batch
    manifest = read_document(sources, f"batches/{model}/{batch}/manifest.json", missing, most=MAX_MANIFEST)
    listed = manifest.content.get("objects", []) if manifest else []
    read = told.get("files", [])
    without = ("batch", "files")
    return {
        "batch": batch,
        **_named("manifest", manifest),
        "fileCount": len(read or listed) if read or listed else None,
        "files": _files(read, listed),
        **_named("report", report),
        **report_keys.camel_case({key: value for key, value in told.items() if key not in without}),
    }


def _first_files() -> Callable[[dict[str, Any]], dict[str, Any] | None]:
    """Keeps the first MAX_FILES files of a data report while it is read, and None in place of the others.

    200,000 of them would not fit beside everything else in the memory of a function.
    """
    seen = count()

    def kept(item: dict[str, Any]) -> dict[str, Any] | None:
        is_file = isinstance(item.get("key"), str) and ("rows" in item or "bytes" in item)
        return item if not is_file or next(seen) < MAX_FILES else None

    return kept


def _named(name: str, document: Document | None) -> dict[str, Any]:
    """The address, version and hash of a document under keys that begin with `name`."""
    return {
        name: document.uri if document else None,
        f"{name}VersionId": document.version_id if document else None,
        f"{name}Sha256": document.sha256 if document else None,
    }


def _files(read: Sequence[Json | None], listed: Sequence[Json]) -> list[dict[str, Any]]:
    """The first files of the batch: those that were read, with S3's checksums from the manifest.

    Before they are read, they are those that the manifest lists. The reports of version 0.1 name no version.
    """
    checksums = {(item["key"], item.get("versionId")): item.get("checksum") for item in listed}
    return [
        {
            "key": item["key"],
            "versionId": item.get("versionId"),
            "etag": item.get("etag"),
            "size": item["size"] if "size" in item else item.get("bytes"),
            "checksum": checksums.get((item["key"], item.get("versionId"))),
            "sha256": item.get("sha256"),
            "rows": item.get("rows"),
            **report_keys.camel_case({key: value for key, value in item.items() if key in _HOW_READ}),
        }
        for item in (read or listed)[:MAX_FILES]
        if item is not None
    ]


_HOW_READ: Final = (
    *("bytes", "blank_lines", "format"),
    *("compression", "encoding", "delimiter", "quotes"),
)
"""Keys of a file in the data report that say how it was read."""


def artifact_of(
    sources: Sources, package: Package | None, evaluated: Json, missing: list[str]
) -> dict[str, Any] | None:
    """The model that the package names: its version in S3 now, and the digest that the evaluation took.

    Of a model in another bucket only its address is known.
    """
    if package is None or package.model_uri is None:
        return None
    head: Json = {}
    inside = f"s3://{sources.bucket}/"
    if package.model_uri.startswith(inside):
        head = _head(sources, package.model_uri.removeprefix(inside), missing)
    return {
        "uri": package.model_uri,
        "versionId": head.get("VersionId"),
        "sha256": evaluated.get("sha256"),
        "bytes": head.get("ContentLength"),
    }


def _head(sources: Sources, key: str, missing: list[str]) -> Json:
    """What S3 says of an object without its bytes; empty where it is not there, which `missing` says."""
    try:
        return sources.s3.head_object(Bucket=sources.bucket, Key=key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if not is_refusal(error):
            raise
        why = "there is no such object" if code in ("404", "NoSuchKey") else code
        missing.append(f"s3://{sources.bucket}/{key}: {why}")
        return {}
