"""slack/telling.py when Slack fails, or when the function dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from slack_sdk.errors import SlackApiError

from retraining.slack.client import SlackRefused
from tests.functions.fakes import Died, Mortal
from tests.functions.world import World
from tests.slack.channel import (
    APPROVED,
    ARN,
    WAITS,
    approvers,
    by,
    press,
    stored,
    tell,
    titles,
)
from tests.slack.stand_in import TOKEN, Channel, Slack


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "drop"])
def test_tell_retries_temporary_failures(titanic: World, app: Slack, kind: str) -> None:
    app.play(kind)
    tell(titanic, app)
    assert titles(app) == [WAITS]


def test_tell_waits_as_long_as_slack_says(titanic: World, app: Slack, naps: list[float]) -> None:
    app.play("rate_limit", 3, retry_after="7")
    tell(titanic, app)
    assert titles(app) == [WAITS]
    assert [int(nap) for nap in naps] == [7, 7, 7]


def test_tell_raises_an_outage_and_succeeds_when_retried(titanic: World, app: Slack) -> None:
    app.play("server_error", 3)
    with pytest.raises(SlackApiError):
        tell(titanic, app)
    assert app.messages() == []
    tell(titanic, app)
    assert titles(app) == [WAITS]


def test_tell_raises_a_wait_beyond_the_functions_time(titanic: World, app: Slack, naps: list[float]) -> None:
    app.play("rate_limit", retry_after="54")  # the function has 60 seconds left, of which 55 for waiting
    with pytest.raises(SlackApiError, match="ratelimited"):
        tell(titanic, app)
    assert naps == []
    tell(titanic, app)
    assert titles(app) == [WAITS]


@pytest.mark.parametrize("retry_after", ["soon", "-1", "9" * 5000])
def test_tell_raises_on_a_malformed_time_to_wait(titanic: World, app: Slack, retry_after: str) -> None:
    app.play("rate_limit", retry_after=retry_after)
    with pytest.raises(SlackApiError, match="ratelimited"):
        tell(titanic, app)


def test_tell_after_a_lost_answer_keeps_the_last_message(titanic: World, app: Slack) -> None:
    app.play("drop_after")
    tell(titanic, app)
    assert titles(app) == [WAITS, WAITS]
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    assert titles(app) == [WAITS, APPROVED]
    press(titanic, app)
    assert titles(app) == [APPROVED, APPROVED]
    assert app.answers[0]["text"].startswith(
        "Your press changed nothing; this decision stands: Approved through its link by somebody"
    )


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        ("#none", "Slack has no channel #none that the app may see"),
        ("#far", "the app is not in the channel #far: /invite it there"),
        ("#old", "the channel #old is archived"),
    ],
)
def test_tell_raises_final_refusals_with_remedy(titanic: World, app: Slack, channel: str, text: str) -> None:
    app.channels |= {"old": Channel("C0OLD", archived=True), "far": Channel("C0FAR", joined=False)}
    approvers(titanic, slack_channel=channel)
    with pytest.raises(SlackRefused, match=text):
        tell(titanic, app)


def test_tell_raises_invalid_tokens_with_a_remedy(titanic: World, app: Slack) -> None:
    app.token = "another"
    with pytest.raises(SlackRefused, match=r"put a valid one into the secret \(invalid_auth\)") as caught:
        tell(titanic, app)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("life", range(1, 14))
def test_tell_dying_anywhere_ends_in_one_message_with_the_decision(
    titanic: World, app: Slack, life: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    tell(titanic, app)
    by(titanic, "Approved", "link", "Ana")
    lives = [life]
    wrapped = {
        name: Mortal(getattr(titanic, name), lives, after=after) for name in ("sagemaker", "s3", "table")
    }
    try:
        tell(titanic, app, "approved", wrapped=wrapped)
    except Died:
        tell(titanic, app, "approved")
    assert titles(app) == [APPROVED]
    assert titanic.items.get(f"lease#slack#{ARN}") is None


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("life", range(1, 14))
def test_tell_dying_before_the_first_message_posts_at_least_once(
    titanic: World, app: Slack, life: int, after: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retraining.aws.ledger.LEASE", timedelta(seconds=-1))
    lives = [life]
    wrapped = {
        name: Mortal(getattr(titanic, name), lives, after=after) for name in ("sagemaker", "s3", "table")
    }
    try:
        tell(titanic, app, wrapped=wrapped)
    except Died:
        tell(titanic, app)
    assert 1 <= len(app.messages()) <= 2
    assert stored(titanic, f"slack#{ARN}")["ts"] == app.messages()[-1]["ts"]
    by(titanic, "Approved", "link", "Ana")
    tell(titanic, app, "approved")
    assert titles(app)[-1] == APPROVED
