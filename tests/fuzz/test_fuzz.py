"""A short run of the fuzz for each seed; and broken variants of the code, which the fuzz must find."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from retraining.links import Links
from retraining.review_page.http import Request
from retraining.slack.requests import Interaction
from tests.fuzz.cases import FORMS, PRESSES, Cases
from tests.fuzz.place import Place
from tests.fuzz.playing import Found, play

CASES = 250
"""Cases of a seed: about two seconds."""

SEEDS = range(1, 7)


def run(seed: int, cases: int = CASES) -> Found:
    return play(seed, lambda done: done < cases)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_fuzz_finds_no_5xx_and_no_decision_that_was_not_asked_for(seed: int) -> None:
    found = run(seed)
    assert found.clean, found.last_lines()
    assert found.decided > 5
    assert set(found.requests) == {"page", "form", "slack", "odd event", "notify_slack"}


@pytest.mark.slow
def test_fuzz_of_a_seed_plays_the_same_cases() -> None:
    def made() -> list[tuple[str, str, str | None]]:
        cases = Cases(random.Random(5), Place())
        return [(case.route, case.what, case.asks) for case in (cases.one() for _ in range(60))]

    assert made() == made()
    assert run(5, 60).last_lines() == run(5, 60).last_lines()


def lax_tokens(patch: pytest.MonkeyPatch) -> None:
    """As until 0.1: itsdangerous alone reads a signature."""
    patch.setattr("retraining.links._load", lambda signer, text, max_age=None: signer.loads(
        text, max_age=int(max_age.total_seconds()) if max_age else None
    ))  # fmt: skip
    patch.setattr("retraining.review_page.form.answer", _answer)


def _answer(status: int, body: str = "", **headers: str) -> dict[str, Any]:
    return {"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": False}


def no_slack_signature(patch: pytest.MonkeyPatch) -> None:
    """Slack's signature is not checked."""
    patch.setattr("retraining.slack.requests._unsigned", lambda *_: None)


def presses_in_plain_words(patch: pytest.MonkeyPatch) -> None:
    """As until 0.1: notify_slack takes the event's word for who pressed."""

    def trusting(event: dict[str, Any], *_: Any, **__: Any) -> Interaction:
        said = event.get("slackDecision") or {}
        return Interaction(
            said["userId"], "", said["action"], said["packageArn"], said["reason"],
            "https://hooks.slack.com/", "C1", "1.1", datetime.now(UTC),
        )  # fmt: skip

    patch.setattr("notify_slack.from_event", trusting)


def forms_of_other_sites(patch: pytest.MonkeyPatch) -> None:
    """A form of another site is taken."""
    patch.setattr("retraining.review_page.form.from_our_page", lambda _request: None)


def forms_without_their_value(patch: pytest.MonkeyPatch) -> None:
    """A form is taken without the value that only our page gives out."""
    patch.setattr(Links, "shown", lambda *_: "none")


def parts_that_must_be_there(patch: pytest.MonkeyPatch) -> None:
    """As until 0.1: an event that lacks a part raises."""
    original = Request.of

    def strict(event: dict[str, Any]) -> Request:
        assert event["requestContext"]["http"]["method"]
        return original(event)

    patch.setattr(Request, "of", strict)


VARIANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    lax_tokens,
    no_slack_signature,
    presses_in_plain_words,
    forms_of_other_sites,
    forms_without_their_value,
    parts_that_must_be_there,
]


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_fuzz_catches_a_broken_variant(
    variant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    variant(monkeypatch)
    for seed in SEEDS:
        if not run(seed).clean:
            return
    pytest.fail("no seed has found it")


def test_fuzz_plays_every_way_to_spoil_a_request() -> None:
    assert (len(FORMS), len(PRESSES)) == (37, 22)
