"""Which messages the landings queue may carry, whatever else an event holds."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from retraining.aws.landings import LANDING_MESSAGE, ObjectCreated, RetrainingRequested

LANDED = '{"source": "aws.s3", "detail": {"bucket": {"name": "data"}, "object": {"key": "curated/a b"%s}}}'
ASKED = (
    '{"source": "handsoff", "detail": {"model": "titanic", "cause": "c", "trigger": "request", '
    '"requestedBy": "arn:somebody"}}'
)


@pytest.mark.parametrize(
    ("more", "version"), [("", None), (', "version-id": "v1"', "v1"), (', "version-id": null', None)]
)
def test_landing_message_is_an_object_with_its_version(more: str, version: str | None) -> None:
    message = LANDING_MESSAGE.validate_json(LANDED % more)
    assert isinstance(message, ObjectCreated)
    assert (message.detail.object.key, message.detail.object.version_id) == ("curated/a b", version)


def test_landing_message_is_a_request_by_its_source() -> None:
    message = LANDING_MESSAGE.validate_json(ASKED)
    assert isinstance(message, RetrainingRequested)
    assert (message.detail.model, message.detail.requested_by) == ("titanic", "arn:somebody")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "7",
        '"aws.s3"',
        "[]",
        "{}",
        '{"source": null}',
        '{"source": ["aws.s3"]}',
        '{"source": {"aws.s3": 1}}',
        '{"source": 1, "detail": {}}',
        '{"source": "aws.sqs", "detail": {"bucket": {"name": "data"}, "object": {"key": "k"}}}',
        '{"detail": {"bucket": {"name": "data"}, "object": {"key": "k"}}}',
        '{"source": "aws.s3"}',
        '{"source": "aws.s3", "detail": null}',
        '{"source": "aws.s3", "detail": {"bucket": {"name": "data"}, "object": {"key": 7}}}',
        '{"source": "aws.s3", "detail": {"bucket": {"name": "data"}, "object": {}}}',
        '{"source": "handsoff", "detail": {"bucket": {"name": "data"}, "object": {"key": "k"}}}',
        LANDED % ', "version-id": 7',
        LANDED[:-1] % "",
        "{} {}",
    ],
)
def test_landing_message_of_another_form_is_refused(body: str) -> None:
    with pytest.raises(ValidationError):
        LANDING_MESSAGE.validate_json(body)
