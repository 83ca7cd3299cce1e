"""The handler notify_slack: its event files, and its client."""

from __future__ import annotations

import json

import pytest

from notify_slack import connected, handler
from retraining.slack import messages
from tests.functions.fakes import ROOT, Context
from tests.functions.world import World
from tests.slack.channel import (
    client,
    using,
)
from tests.slack.stand_in import SIGNING_SECRET, TOKEN, Slack


@pytest.mark.parametrize("name", ["waiting", "failed"])
def test_handler_accepts_the_event_files(titanic: World, app: Slack, name: str) -> None:
    event = json.loads((ROOT / f"events/notify_slack.{name}.json").read_text())
    handler(event, Context(), using=using(titanic), connect=client(app))
    assert len(app.messages()) == 1


def test_connected_uses_the_environments_secret_and_api(app: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    class Secrets:
        def get(self, arn: str, max_age: int) -> str:
            assert (arn, max_age) == ("arn:secret", 60)
            return json.dumps({"botToken": TOKEN, "signingSecret": SIGNING_SECRET})

    monkeypatch.setattr("retraining.aws.settings._secrets", Secrets)
    monkeypatch.setenv("SLACK_SECRET", "arn:secret")
    monkeypatch.setenv("SLACK_API_URL", app.url)
    found = connected(lambda: 1.0)
    assert found.interactive
    found.post("#ml-approvals", messages.of_text("hello"))
    assert [message["text"] for message in app.messages()] == ["hello"]
