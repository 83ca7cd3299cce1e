"""Clients that are made at their first call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace

from retraining.aws.clients import Later


def test_later_makes_nothing_before_an_attribute_is_read() -> None:
    made: list[str] = []

    def make() -> SimpleNamespace:
        made.append("client")
        return SimpleNamespace(meta="meta", exceptions="exceptions")

    later = Later(make)
    assert made == []
    assert (later.meta, later.exceptions) == ("meta", "exceptions")
    assert made == ["client"]


def test_later_makes_one_client_for_threads_that_ask_at_once() -> None:
    made: list[str] = []
    ready = Barrier(8)

    def make() -> SimpleNamespace:
        made.append("client")
        return SimpleNamespace(meta="meta")

    later = Later(make)

    def ask(_: int) -> object:
        ready.wait()
        return later.meta

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == ["meta"] * 8
    assert made == ["client"]
