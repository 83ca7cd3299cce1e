"""Invocations wait for a free slot, and for nothing else."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

from tests import invocations

FULL: Final = ("TooManyRequestsException", "Rate Exceeded: account concurrency cap 4 reached")


class Functions:
    """Lambda that gives these answers in turn: an error's code and text, or what the function returns."""

    def __init__(self, *answers: tuple[str, str] | bytes, error: str | None = None) -> None:
        self._answers: Iterator[tuple[str, str] | bytes] = iter(answers)
        self._error = {"FunctionError": error} if error else {}
        self.asked: list[dict[str, Any]] = []

    def invoke(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        answer = next(self._answers)
        if isinstance(answer, tuple):
            raise ClientError({"Error": {"Code": answer[0], "Message": answer[1]}}, "Invoke")
        return {"Payload": io.BytesIO(answer), **self._error}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)


def test_invoke_asks_again_while_no_slot_is_free() -> None:
    functions: Any = Functions(FULL, FULL, b'"done"')
    assert invocations.invoke(functions, "tells", b'{"a": 1}') == b'"done"'
    request = {"FunctionName": "tells", "InvocationType": "RequestResponse", "Payload": b'{"a": 1}'}
    assert functions.asked == [request] * 3


def test_invoke_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invocations, "PATIENCE", -1)
    functions: Any = Functions(FULL, b"")
    with pytest.raises(ClientError, match="account concurrency cap 4 reached"):
        invocations.invoke(functions, "tells")


def test_invoke_raises_other_errors_at_once() -> None:
    functions: Any = Functions(("ResourceNotFoundException", "no such function"), b"")
    with pytest.raises(ClientError, match="no such function"):
        invocations.invoke(functions, "tells")
    assert len(functions.asked) == 1


def test_invoke_fails_when_the_function_raises() -> None:
    functions: Any = Functions(b"division by zero", error="Unhandled")
    with pytest.raises(AssertionError, match="division by zero"):
        invocations.invoke(functions, "tells")
