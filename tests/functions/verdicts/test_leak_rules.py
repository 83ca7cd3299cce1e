"""Rules on validation rows that were seen in training, each at its edge."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retraining.verdicts.evaluation import Evaluation, Lookalikes
from retraining.verdicts.judge import judge
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules

A_TENTH: Final = Lookalikes(n=262, equal=81, share=81 / 262, train_n=1073, train_share=218 / 1073, z=3.8227)
HONEST: Final = Lookalikes(n=262, equal=55, share=55 / 262, train_n=1047, train_share=218 / 1047, z=0.0610)


def found(own: Lookalikes | None, of_champion: Lookalikes | None = None, **changes: Any) -> Evaluation:
    """An evaluation with these tests; `changes` are of its other fields."""
    compared = evaluation({"accuracy": 0.9}, versus=(0.01, 0.001), champion=CHAMPION)
    assert compared.comparison
    comparison = compared.comparison.model_copy(update={"lookalikes": of_champion})
    return compared.model_copy(update={"lookalikes": own, "comparison": comparison} | changes)


@pytest.mark.parametrize(
    ("own", "of_champion", "limit", "outcome"),
    [
        (A_TENTH, None, 3.8227, "pass"),
        (A_TENTH, None, 3.8226, "fail"),
        (HONEST, A_TENTH, 3.8227, "pass"),
        (HONEST, A_TENTH, 3.8226, "fail"),
        (A_TENTH, HONEST, 3, "fail"),
        (HONEST, None, 3, "pass"),
        (None, HONEST, 3, "unknown"),
    ],
)
def test_rule_on_lookalikes_asks_about_both_models(
    own: Lookalikes | None, of_champion: Lookalikes | None, limit: float, outcome: str
) -> None:
    asked = rules({"data": "lookalikes", "max": limit})
    assert judge(found(own, of_champion), asked, CHAMPION).rules[0].outcome == outcome


def test_rule_on_lookalikes_does_not_ask_about_a_champion_that_was_put_aside() -> None:
    asked = rules({"data": "lookalikes", "max": 3})
    verdict = judge(found(HONEST, A_TENTH), asked, CHAMPION, without_champion="it was wrong")
    assert verdict.rules[0].outcome == "pass"


def test_rule_on_lookalikes_says_both_shares() -> None:
    asked = rules({"data": "lookalikes", "max": 3, "on_fail": "hold"})
    (result, _) = judge(found(A_TENTH), asked, CHAMPION).rules
    assert result.text == (
        "lookalikes: 30.9% of 262 validation rows look like a row that the candidate was trained on, 20.3% "
        "of its training rows look like another one; z: 3.823, needs ≤ 3 → fail"
    )
    assert (result.rule, result.effect) == ("lookalikes max 3", "hold")


@pytest.mark.parametrize(("limit", "outcome"), [(41, "fail"), (42, "pass")])
def test_rule_on_lookalikes_asks_about_copies_within_validation(limit: int, outcome: str) -> None:
    few = Lookalikes(n=786, equal=165, share=165 / 786, train_n=1047, train_share=218 / 1047, z=0.09)
    every = Lookalikes(n=786, equal=786, share=1.0, train_n=1047, train_share=218 / 1047, z=41.319)
    measured = found(few).model_copy(update={"copies": every})
    (result, _) = judge(measured, rules({"data": "lookalikes", "max": limit}), CHAMPION).rules
    assert result.outcome == outcome
    said = (
        "100.0% of 786 validation rows look like another one of them, 20.8% are expected from train; z: 41.32"
    )
    assert said in result.text


@pytest.mark.parametrize(("own", "why"), [({}, "not measured"), ({"n": 0}, "no validation row is left")])
def test_rule_on_lookalikes_holds_without_the_test(own: dict[str, int], why: str) -> None:
    nothing = found(None)
    nothing = nothing.model_copy(update={"candidate": nothing.candidate.model_copy(update=own)})
    (result, _) = judge(nothing, rules({"data": "lookalikes", "max": 3}), CHAMPION).rules
    assert (result.effect, result.text) == ("hold", f"lookalikes: {why} → cannot be judged")


@pytest.mark.parametrize(
    ("leaked", "same_group", "limit", "outcome"),
    [
        (0, 0, 0.0, "pass"),
        (1, 0, 0.0, "fail"),
        (38, 0, 0.1267, "pass"),  # 38 of 300
        (30, 8, 0.1266, "fail"),
        (0, 38, 0.1266, "fail"),
    ],
)
def test_rule_on_the_leaked_share_at_its_edge(
    leaked: int, same_group: int, limit: float, outcome: str
) -> None:
    one = found(HONEST, leaked=leaked, same_group=same_group)
    (result, _) = judge(one, rules({"data": "leaked_share", "max": limit}), CHAMPION).rules
    assert result.outcome == outcome


def test_rule_on_the_leaked_share_says_how_many_rows() -> None:
    one = found(HONEST, leaked=30, same_group=8)
    (result, _) = judge(one, rules({"data": "leaked_share", "max": 0.1}), CHAMPION).rules
    assert result.text == (
        "share of validation rows that are in train (38 of 300 rows): 0.1267, needs ≤ 0.1 → fail"
    )


@pytest.mark.parametrize(
    ("rule", "decision"),
    [
        ({"metric": "accuracy", "min": 0.6}, "HOLD"),
        ({"data": "lookalikes", "max": 8}, "APPROVE"),
        ({"data": "lookalikes", "max": 7, "on_fail": "warn"}, "APPROVE"),
        ({"data": "lookalikes", "max": 7, "on_fail": "hold"}, "HOLD"),
        ({"data": "lookalikes", "max": 7}, "REJECT"),
    ],
)
def test_rule_on_lookalikes_is_in_place_of_the_limit_of_four(rule: dict[str, Any], decision: str) -> None:
    fifth = Lookalikes(n=262, equal=105, share=105 / 262, train_n=1099, train_share=221 / 1099, z=7.2459)
    asked = rules({"metric": "accuracy", "min": 0.5}, rule)
    assert judge(found(fifth, fifth), asked, CHAMPION).decision == decision
