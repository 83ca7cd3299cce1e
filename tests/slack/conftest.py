"""Fixtures of the tests of Slack: the account in memory, the stand-in for Slack, and a candidate."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.functions.fakes import register, was_held
from tests.functions.world import World
from tests.slack.channel import (
    ARN,
    approvers,
)
from tests.slack.stand_in import Slack


@pytest.fixture
def world() -> World:
    """An empty account in memory."""
    return World.empty()


@pytest.fixture
def app() -> Iterator[Slack]:
    """The stand-in for Slack, with the app in #ml-approvals."""
    with Slack() as running:
        yield running


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collects the seconds that slack_sdk would wait between attempts; no test waits."""
    found: list[float] = []
    for module in ("handler", "builtin_handlers"):
        monkeypatch.setattr(f"slack_sdk.http_retry.{module}.time", SimpleNamespace(sleep=found.append))
    return found


@pytest.fixture
def titanic(world: World) -> World:
    """An account with a candidate of titanic that the rules held. One approver may decide in Slack."""
    approvers(world, slack_channel="#ml-approvals", slack_users=("U0123ABCD",))
    register(world)
    was_held(world, ARN, reasons=("it is odd",))
    return world
