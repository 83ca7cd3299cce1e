"""Links: whoever has one reads the package in it, nobody can make one, and each has an end."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from retraining import links
from retraining.links import LinkExpired, LinkInvalid, Links

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/3"
DAY = timedelta(days=1)
OURS = Links("secret", "https://id.lambda-url.us-east-1.on.aws/")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that itsdangerous reads; a test moves it."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_a_link_leads_to_the_page_and_back_to_the_package() -> None:
    base, _, token = OURS.url(ARN).partition("review?t=")
    assert base == "https://id.lambda-url.us-east-1.on.aws/"
    assert OURS.read(token, DAY) == ARN
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (3600, True), (3601, False)])
def test_a_link_is_good_up_to_its_age(clock: list[float], seconds: int, good: bool) -> None:
    token = OURS.token(ARN)
    clock[0] += seconds
    if good:
        assert OURS.read(token, timedelta(hours=1)) == ARN
        return
    with pytest.raises(LinkExpired) as caught:
        OURS.read(token, timedelta(hours=1))
    assert (caught.value.arn, caught.value.at.timestamp()) == (ARN, 1_800_000_000)
    assert OURS.arn(token) == ARN


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "ä.b.c",
        "." * 2000,
        Links("another", "").token(ARN),
        URLSafeTimedSerializer("secret", salt="another").dumps(ARN),
        URLSafeTimedSerializer("secret", salt="review").dumps({"arn": ARN}),
        OURS.form("x", "none"),
    ],
)
def test_what_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(LinkInvalid):
        OURS.read(token, DAY)
    with pytest.raises(LinkInvalid):
        OURS.arn(token)


@given(st.integers(min_value=0), st.characters())
def test_no_character_of_a_link_can_be_changed(at: int, character: str) -> None:
    token = OURS.token(ARN)
    at %= len(token) - 1  # base64 leaves the last two bits of the last character unused
    changed = token[:at] + character + token[at + 1 :]
    if changed != token:
        with pytest.raises((LinkInvalid, LinkExpired)):
            OURS.read(changed, DAY)


@given(st.text())
def test_any_text_is_refused(token: str) -> None:
    with pytest.raises(LinkInvalid):
        OURS.arn(token)
    assert OURS.shown(token, "t") is None


def test_a_form_belongs_to_the_link_under_which_it_was_shown(clock: list[float]) -> None:
    mine, other = OURS.token(ARN), OURS.token(ARN[:-1] + "4")
    form = OURS.form(mine, "none")
    assert OURS.shown(form, mine) == "none"
    assert OURS.shown(OURS.form(mine, "2026-11-23T07:00:12.5+00:00"), mine) == "2026-11-23T07:00:12.5+00:00"
    assert OURS.shown(form, other) is None
    assert OURS.shown(mine, mine) is None
    assert Links("another", "").shown(form, mine) is None
    clock[0] += links.FORM_MAX_AGE.total_seconds()
    assert OURS.shown(form, mine) == "none"
    clock[0] += 1
    assert OURS.shown(form, mine) is None


def test_a_link_says_in_which_second_it_was_made(clock: list[float]) -> None:
    clock[0] += 0.9
    assert OURS.made(OURS.token(ARN)).isoformat() == "2027-01-15T08:00:00+00:00"


def test_links_need_a_secret() -> None:
    with pytest.raises(ValueError, match="need a secret"):
        Links("", "https://x/")
