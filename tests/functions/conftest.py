"""Fixtures of the tests of functions/: the account that handlers work in, and what Lambda passes to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.evidence_form import misfits
from tests.functions.fakes import Context
from tests.functions.logged import Logged
from tests.functions.models import Models
from tests.functions.world import Clients, World, emptied, on_moto


@pytest.fixture
def world() -> Iterator[World]:
    """An empty account in memory. All evidence that is written there must fit its JSON Schema."""
    made = World.empty()
    yield made
    assert [found for body in made.evidence_written() for found in misfits(json.loads(body))] == []


@pytest.fixture
def models() -> Models:
    """Three models in one account in memory."""
    return Models()


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """moto's clients, made once per module: making them takes longer than most tests."""
    with Clients.mocked() as made:
        yield made


@pytest.fixture
def moto_world(clients: Clients) -> Iterator[World]:
    """An empty account in moto, with evidence that fits."""
    made = on_moto(clients)
    yield made
    assert [found for body in made.evidence_written() for found in misfits(json.loads(body))] == []


@pytest.fixture
def moto_s3_world(clients: Clients) -> Iterator[World]:
    """An empty account in memory whose S3 is moto's, with evidence that fits. moto's tables are slow.

    A module whose tests all need it has a fixture `world` that returns it.
    """
    made = replace(World.empty(), s3=emptied(clients).s3)
    yield made
    assert [found for body in made.evidence_written() for found in misfits(json.loads(body))] == []


@pytest.fixture
def context() -> Context:
    """The second argument of a handler."""
    return Context()


@pytest.fixture
def logged() -> Iterator[Logged]:
    """What the functions log during the test."""
    with Logged.collected() as found:
        yield found
