"""Tells AWS's refusals, which come again, from answers that say nothing: throttled, failed, or lost."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import ClientError

PASSING: Final = frozenset(
    {"ConflictException", "ExpiredToken", "InternalFailure", "InternalServerError", "InternalServerException"}
    | {"LimitExceededException", "RequestLimitExceeded", "RequestThrottled", "RequestTimeout"}
    | {"RequestTimeoutException", "RequestTimeTooSkewed", "ResourceLimitExceeded", "ServiceUnavailable"}
    | {"SlowDown", "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException"}
)
"""Error codes after which the same call may succeed. Source: SageMaker's API reference (common errors, and
those of StartPipelineExecution), and botocore's list of codes that it retries."""


def is_refusal(error: ClientError) -> bool:
    """Whether AWS has understood the call and refused it. It does so again until something changes."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    code = error.response["Error"]["Code"]
    return status < 500 and code not in PASSING and not code.startswith("KMS.Throttling")
