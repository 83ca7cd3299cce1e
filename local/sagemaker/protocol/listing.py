"""Filters by time, sorting and pages, which all of SageMaker's List operations share."""

import base64
import binascii
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from local.sagemaker.errors import ValidationException
from local.types import Json

T = TypeVar("T")
PAGE_SIZE: Final = 10
"""Items on a page if the request does not set MaxResults, as in AWS."""


def now() -> datetime:
    """The present time in UTC, in whole milliseconds as in AWS."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def within(request: Json, *fields: tuple[str, datetime | None]) -> bool:
    """Whether each (prefix, time) is between the request's members <prefix>After and <prefix>Before."""
    for prefix, moment in fields:
        after, before = request.get(prefix + "After"), request.get(prefix + "Before")
        if (after is not None or before is not None) and moment is None:
            return False
        if after is not None and moment is not None and moment.timestamp() <= after:
            return False
        if before is not None and moment is not None and moment.timestamp() >= before:
            return False
    return True


def page(
    items: Iterable[T],
    request: Json,
    *,
    identity: Callable[[T], str],
    keys: dict[str, Callable[[T], Any]],
    descending: bool,
) -> tuple[list[T], Json]:
    """One page of `items` in the order that `request` names, and {"NextToken": …} if there are more.

    `keys` maps SortBy to a sort key; the first is the default. Ties keep the order of `items`. The token
    names the last item of the page, so that new items neither repeat nor hide any. Raises
    ValidationException if the token is invalid.
    """
    key = keys[request.get("SortBy") or next(iter(keys))]
    order = request.get("SortOrder")
    reverse = order == "Descending" if order else descending
    ordered = sorted(enumerate(items), key=lambda pair: (key(pair[1]), pair[0]), reverse=reverse)
    found = [item for _, item in ordered]
    if token := request.get("NextToken"):
        ids = [identity(item) for item in found]
        try:
            last = base64.urlsafe_b64decode(token.encode()).decode()
            found = found[ids.index(last) + 1 :]
        except (ValueError, binascii.Error):
            raise ValidationException("Invalid NextToken") from None
    size = request.get("MaxResults") or PAGE_SIZE
    shown = found[:size]
    if len(found) <= size:
        return shown, {}
    return shown, {"NextToken": base64.urlsafe_b64encode(identity(shown[-1]).encode()).decode()}
