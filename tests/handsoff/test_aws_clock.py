"""The clock by which commands record: AWS's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, cast

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from handsoff.aws_clock import AwsClock
from handsoff.deployment import Deployment


def answer(at: datetime | str | None) -> dict[str, Any]:
    date = at if isinstance(at, str) or at is None else format_datetime(at, usegmt=True)
    return {"ResponseMetadata": {"HTTPHeaders": {"date": date} if date else {}}}


@pytest.mark.parametrize("ahead", [timedelta(minutes=4), timedelta(minutes=-4), timedelta(days=400)])
def test_clock_that_is_wrong_is_set_by_an_answer(ahead: timedelta) -> None:
    clock = AwsClock()
    clock.answered(answer(datetime.now(UTC) - ahead), model=None)
    assert abs(datetime.now(UTC) - ahead - clock.now()) < timedelta(seconds=3)


@pytest.mark.parametrize("stated", [None, "", "yesterday", "Mon, 99 Foo 2026 10:00:00 GMT"])
def test_answer_without_a_date_leaves_the_clock(stated: str | None) -> None:
    clock = AwsClock(ahead=timedelta(hours=1))
    clock.answered(answer(stated))
    clock.answered({})
    assert clock.ahead == timedelta(hours=1)


def test_difference_within_the_headers_precision_is_none() -> None:
    clock = AwsClock(ahead=timedelta(hours=1))
    clock.answered(answer(datetime.now(UTC)))
    assert clock.ahead == timedelta(0)


def test_each_client_of_a_deployment_sets_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    deployment = Deployment.__new__(Deployment)
    date = format_datetime(datetime.now(UTC) - timedelta(minutes=7), usegmt=True)

    class Raw:
        def stream(self) -> list[bytes]:
            return [b'{"TableNames": []}']

    headers = HTTPHeaders()
    headers["date"] = date
    client = deployment.session.client("dynamodb")
    client.meta.events.register(
        "before-send", cast("Any", lambda **_: AWSResponse("https://dynamodb", 200, headers, Raw()))
    )
    client.list_tables()
    assert abs(datetime.now(UTC) - timedelta(minutes=7) - deployment.clock.now()) < timedelta(seconds=3)
