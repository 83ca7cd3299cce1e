"""Fixtures of the tests of functions/: the account in memory, and what Lambda passes to a handler."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.functions.fakes import Context
from tests.functions.world import Clients, World


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """moto's clients, made once per module: making them takes longer than most tests."""
    with Clients.mocked() as made:
        yield made


@pytest.fixture
def world(clients: Clients) -> World:
    """An empty account with the bucket, the ledger, and a topic whose messages end in an inbox."""
    return World.empty(clients)


@pytest.fixture
def context() -> Context:
    """The second argument of a handler."""
    return Context()
