"""Calling a deployed function as a client of AWS does: when there is no free slot, it asks again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.literals import InvocationTypeType

PATIENCE: Final = 120.0
"""Seconds for which an invocation waits for a free slot."""

THROTTLED: Final = "TooManyRequestsException"
"""The error code of Lambda while the account's other functions use up its concurrency."""


def invoke(
    functions: LambdaClient,
    name: str,
    event: bytes = b"{}",
    *,
    kind: InvocationTypeType = "RequestResponse",
) -> bytes:
    """What the function answers; empty for `kind` Event. A function that raises fails the test.

    Functions of the loop run at the same time, and AWS on this machine runs four at once. botocore's own five
    attempts may all meet a full machine, so this one waits for a slot, and gives up after PATIENCE.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = functions.invoke(FunctionName=name, InvocationType=kind, Payload=event)
        except ClientError as error:
            if error.response["Error"]["Code"] != THROTTLED or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
            continue
        body = answer["Payload"].read()
        assert "FunctionError" not in answer, body
        return body
