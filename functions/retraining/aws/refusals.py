"""Tells AWS's refusals, which come again, from answers that say nothing: throttled, failed, or lost."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import ClientError

PASSING: Final = frozenset({"RequestTimeout", "RequestTimeTooSkewed", "RequestLimitExceeded", "ExpiredToken"})
"""Error codes of the class 4xx after which the same call may succeed, besides those about throttling."""


def is_refusal(error: ClientError) -> bool:
    """Whether AWS has understood the call and refused it. It does so again until something changes."""
    code = error.response["Error"]["Code"]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    passing = code in PASSING or "throttl" in code.lower() or code == "TooManyRequestsException"
    return 400 <= status < 500 and status != 429 and not passing
