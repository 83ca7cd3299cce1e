"""Trims botocore's data in the layer to what functions/ calls: python -I -S trim.py FOLDER_OF_THE_PACKAGES

A client is made from its service's whole description. SageMaker's has 400 operations, of which functions/
calls ten. From the trimmed descriptions clients are made in a fifth of the time. How a call is signed,
serialized, retried and paginated, and which errors it has, stays as it is. A call of another operation fails
with AttributeError; tests/artefacts/test_trimmed.py compares OPERATIONS with the code.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

OPERATIONS: Final = {
    "dynamodb": [
        "BatchGetItem",
        "DeleteItem",
        "DescribeEndpoints",
        "DescribeTable",
        "GetItem",
        "PutItem",
        "UpdateItem",
    ],
    "events": ["PutEvents"],
    "kms": ["Sign"],
    "lambda": ["Invoke"],
    "logs": ["DescribeLogStreams", "GetLogEvents"],
    "s3": [
        *("CopyObject", "DeleteObject", "GetObject", "HeadBucket", "HeadObject", "ListObjectVersions"),
        *("ListObjectsV2", "PutObject", "PutObjectRetention"),
        *("AbortMultipartUpload", "CompleteMultipartUpload", "CreateMultipartUpload", "UploadPartCopy"),
        *("GetObjectAnnotation", "GetObjectTagging", "ListObjectAnnotations"),
        *("PutObjectAnnotation", "PutObjectTagging"),
    ],
    "sagemaker": [
        *("DescribeModelPackage", "DescribePipelineDefinitionForExecution", "DescribePipelineExecution"),
        *("ListModelPackages", "ListPipelineExecutions"),
        *("ListPipelineExecutionSteps", "ListPipelineParametersForExecution", "StartPipelineExecution"),
        *("UpdateModelPackage",),
    ],
    "secretsmanager": ["GetSecretValue"],
    "sns": ["Publish"],
    "sqs": ["ChangeMessageVisibility"],
    "ssm": ["GetParameter", "GetParametersByPath"],
}
"""By service: what functions/ calls, and what boto3's `copy` and botocore call for it."""


def main(packages: Path) -> None:
    """Trim the data of the botocore and the boto3 that lie in this folder."""
    sys.path.insert(0, str(packages))
    from botocore.loaders import Loader

    data = packages / "botocore" / "data"
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    prefixes = set()
    for service, operations in OPERATIONS.items():
        model = loader.load_service_model(service, "service-2")
        files = {
            "service-2": service_model(model, operations),
            "endpoint-rule-set-1": loader.load_service_model(service, "endpoint-rule-set-1"),
            "paginators-1": paginators(loader.load_service_model(service, "paginators-1"), operations),
        }
        prefixes.add(model["metadata"]["endpointPrefix"])
        version = loader.determine_latest_version(service, "service-2")
        shutil.rmtree(data / service)
        for name, content in files.items():
            write(data / service / version / f"{name}.json", content)
    for folder in (*data.iterdir(), *(packages / "boto3" / "data").iterdir()):
        if folder.is_dir() and folder.name not in OPERATIONS:
            shutil.rmtree(folder)
    endpoints = json.loads((data / "endpoints.json").read_text("utf-8"))
    write(data / "endpoints.json", only_services(endpoints, prefixes))


def service_model(model: Json, operations: list[str]) -> Json:
    """The description of these operations, of their shapes and of all errors, without documentation."""
    kept = {name: model["operations"][name] for name in operations}
    shapes: Json = {}
    # A service also answers with errors that the operation does not declare.
    errors = [name for name, shape in model["shapes"].items() if shape.get("exception")]
    waiting = [*names_of_shapes(kept), *errors]
    while waiting:
        name = waiting.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            waiting += names_of_shapes(shapes[name])
    ordered = {name: shape for name, shape in model["shapes"].items() if name in shapes}
    trimmed = {**model, "operations": kept, "shapes": ordered}
    without: Json = without_documentation(trimmed)
    asked = (
        "clientContextParams"  # botocore reads their documentation when it looks for the endpoint of a call
    )
    return {**without, **({asked: model[asked]} if asked in model else {})}


def names_of_shapes(value: object) -> list[str]:
    """The shapes that a part of a description names."""
    if isinstance(value, list):
        return [name for one in value for name in names_of_shapes(one)]
    if not isinstance(value, dict):
        return []
    own = [value["shape"]] if isinstance(value.get("shape"), str) else []
    return own + [name for one in value.values() for name in names_of_shapes(one)]


def without_documentation(value: Any) -> Any:
    """The same without texts for people."""
    if isinstance(value, list):
        return [without_documentation(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        key: without_documentation(one)
        for key, one in value.items()
        if not (key in ("documentation", "documentationUrl") and isinstance(one, str))
    }


def paginators(model: Json, operations: list[str]) -> Json:
    """The paginators of these operations."""
    return {"pagination": {name: how for name, how in model["pagination"].items() if name in operations}}


def only_services(endpoints: Json, prefixes: set[str]) -> Json:
    """The endpoints of these services, in all regions and partitions."""
    parts = [
        {**part, "services": {name: how for name, how in part["services"].items() if name in prefixes}}
        for part in endpoints["partitions"]
    ]
    return {**endpoints, "partitions": parts}


def write(path: Path, content: Json) -> None:
    """Write JSON, the same bytes for the same content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
