"""Links to the review page: they name a package, cannot be forged, and expire."""

from __future__ import annotations

import string
import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from retraining import links
from retraining.links import Kind, LinkExpired, LinkInvalid, Links

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/3"
DAY = timedelta(days=1)
OURS = Links("secret", "https://id.lambda-url.us-east-1.on.aws/")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that itsdangerous reads, in a list of one. A test may change it."""
    now = [1_800_000_000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


def test_url_leads_to_the_page_and_its_token_to_the_package() -> None:
    base, _, token = OURS.url(ARN).partition("review?t=")
    assert base == "https://id.lambda-url.us-east-1.on.aws/"
    assert OURS.read(token, DAY) == ARN
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@pytest.mark.parametrize(("seconds", "good"), [(0, True), (3600, True), (3601, False)])
def test_read_refuses_a_token_older_than_its_age(clock: list[float], seconds: int, good: bool) -> None:
    token = OURS.token(ARN)
    clock[0] += seconds
    if good:
        assert OURS.read(token, timedelta(hours=1)) == ARN
        return
    with pytest.raises(LinkExpired) as caught:
        OURS.read(token, timedelta(hours=1))
    assert (caught.value.subject, caught.value.at.timestamp()) == (ARN, 1_800_000_000)
    assert OURS.subject(token) == ARN


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
def test_read_and_arn_refuse_a_token_that_is_not_ours(token: str) -> None:
    with pytest.raises(LinkInvalid):
        OURS.read(token, DAY)
    with pytest.raises(LinkInvalid):
        OURS.subject(token)


@given(st.integers(min_value=0), st.characters())
def test_read_refuses_a_token_with_a_changed_character(at: int, character: str) -> None:
    token = OURS.token(ARN)
    at %= len(token)
    changed = token[:at] + character + token[at + 1 :]
    if changed != token:
        with pytest.raises((LinkInvalid, LinkExpired)):
            OURS.read(changed, DAY)


def spellings(text: str) -> list[str]:
    """Other texts that base64 reads as the same signature, or that HTTP might trim to the same token."""
    value, _, signature = text.rpartition(".")
    letters = string.ascii_letters + string.digits + "-_"
    ends = [f"{value}.{signature[:-1]}{letter}" for letter in letters if letter != signature[-1]]
    broken = [f"{value}.{signature[:9]}{junk}{signature[9:]}" for junk in ("\r\n", "\n", " ", "\t", "!", "=")]
    around = [f"{text}\r\n", f"{text}\n", f"{text}=", f"{text}==", f" {text}", f"{text}.", f"{text}\r\nX: y"]
    return [*ends, *broken, *around, f"{value}.{signature.swapcase()}", text.replace("-", "+"), f"{text}\x00"]


def test_arn_and_shown_accept_one_spelling_of_a_signature_only() -> None:
    token = OURS.token(ARN)
    form = OURS.form(token, "none")
    assert (OURS.subject(token), OURS.shown(form, token)) == (ARN, "none")
    for changed in spellings(token):
        if changed != token:
            with pytest.raises(LinkInvalid):
                OURS.subject(changed)
    assert [changed for changed in spellings(form) if changed != form and OURS.shown(changed, token)] == []


def test_arn_reads_a_long_name_whose_token_is_compressed() -> None:
    token = OURS.token("a" * 400)
    assert token.startswith(".")
    assert OURS.read(token, DAY) == "a" * 400


@given(st.text())
def test_arn_and_shown_refuse_any_text(token: str) -> None:
    with pytest.raises(LinkInvalid):
        OURS.subject(token)
    assert OURS.shown(token, "t") is None


def test_shown_accepts_a_form_only_with_its_link_and_up_to_its_age(clock: list[float]) -> None:
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


def test_made_returns_the_second_of_the_token(clock: list[float]) -> None:
    clock[0] += 0.9
    assert OURS.made(OURS.token(ARN)).isoformat() == "2027-01-15T08:00:00+00:00"


KINDS = ("review", "look", "model")


@pytest.mark.parametrize("kind", KINDS)
def test_token_of_one_kind_is_none_of_another(kind: Kind) -> None:
    token = OURS.token("titanic", kind)
    assert OURS.read(token, DAY, kind) == "titanic"
    for other in KINDS:
        if other != kind:
            with pytest.raises(LinkInvalid):
                OURS.read(token, DAY, other)  # type: ignore[arg-type]
    assert OURS.shown(token, token) is None


def test_kind_is_that_of_a_candidates_link_only() -> None:
    assert OURS.kind(OURS.token(ARN)) == "review"
    assert OURS.kind(OURS.token(ARN, "look")) == "look"
    with pytest.raises(LinkInvalid):
        OURS.kind(OURS.token("titanic", "model"))


def test_url_of_each_kind_leads_to_its_page() -> None:
    for url, place, kind in (
        (OURS.look_url(ARN), "review", "look"),
        (OURS.model_url("titanic"), "models/titanic", "model"),
    ):
        base, _, token = url.partition("?t=")
        assert base == f"https://id.lambda-url.us-east-1.on.aws/{place}"
        assert OURS.kind(token, KINDS) == kind  # type: ignore[arg-type]


def test_links_of_an_earlier_version_are_still_valid() -> None:
    before = URLSafeTimedSerializer("secret", salt="review").dumps(ARN)
    assert OURS.read(str(before), DAY) == ARN


def test_links_without_a_secret_are_refused() -> None:
    with pytest.raises(ValueError, match="need a secret"):
        Links("", "https://x/")
