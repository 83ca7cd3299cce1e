"""Reads what a report needs beside the evidence. Each part survives the failure of the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from retraining import history
from retraining.aws.observability import logger
from retraining.config.tasks import DECISIVE
from retraining.errors import HandsoffError
from retraining.evidence import Sources
from retraining.history import Version
from retraining.html.pictures import Pictures, parse_pictures

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_PICTURES: Final = 400_000
"""Bytes of a pictures.json that are read. Those of ModelEvaluation have at most 200,000."""

MAX_VERSIONS: Final = 12
"""Versions in the history: each costs four calls."""


def pictures_of(s3: S3Client, bucket: str, model: str, execution_id: str) -> Pictures:
    """The pictures of an execution. Raises HandsoffError where there are none, or not in their form."""
    key = f"models/{model}/{execution_id}/pictures.json"
    source = f"s3://{bucket}/{key}"
    try:
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read(MAX_PICTURES + 1)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "AccessDenied"):
            raise
        raise HandsoffError(
            f"{source} does not exist: no candidate was evaluated, or without pictures."
        ) from None
    if len(body) > MAX_PICTURES:
        raise HandsoffError(f"{source} has more than {MAX_PICTURES:,} bytes, so it is not shown.")
    return parse_pictures(body, source=source)


def versions_of(sources: Sources, package_group: str) -> Sequence[Version]:
    """The newest versions of the model. Raises HandsoffError where they cannot be read."""
    try:
        return history.versions(sources, package_group, MAX_VERSIONS)
    except Exception as error:  # anybody may have written packages and evaluations: the report has the rest
        logger.exception("history could not be read", group=package_group)
        raise HandsoffError(f"It could not be read: {type(error).__name__}.") from error


def metric_of(versions: Sequence[Version]) -> str | None:
    """The metric of the history: the decisive one of the newest version's task that it was measured in."""
    for version in versions:
        if version.evaluation:
            return DECISIVE[version.evaluation.task]
    return None
