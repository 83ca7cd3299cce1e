"""Each candidate takes one look at its validation rows, whatever dies or is judged again."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from retraining.candidates.looking import look
from retraining.collaborators import Collaborators
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.anchors import MAX_RECENT, LooksFact
from retraining.verdicts.evaluation import parse_evaluation
from tests.functions.candidates.test_judge_candidate import judge, status
from tests.functions.candidates.test_record_decision import come
from tests.functions.fakes import Before, Died, Mortal, arn_of, evaluation, register
from tests.functions.fakes import titanic_config as config
from tests.functions.world import World

GROUP = "handsoff-titanic"
SAME = "5" * 64
ALL = ("sagemaker", "s3", "sns", "events", "table")


@pytest.fixture
def gains(world: World) -> World:
    """An account with a champion, whose model asks for a proven gain."""
    rules = [{"metric": "roc_auc", "versus_champion": {"min_gain": 0}, "on_fail": "hold"}]
    approval = type(config().approval).model_validate({"rules": rules})
    register(world, 1)
    judge(world, 1)
    come(world, 1)
    world.configs.known["titanic"] = config().model_copy(update={"approval": approval})
    return world


def candidate(world: World, version: int, validation: str | None = SAME, gain: float = 0.0) -> None:
    """Register a candidate that was measured on these validation rows."""
    register(world, version, champion=arn_of(1), gain=gain)
    key = f"models/titanic/e{version - 1}/evaluation.json"
    body = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    body["handsoff"]["validation"] = validation
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())


def looked(world: World, version: int) -> int | None:
    found = world.ledger.get(keys.verdict(arn_of(version)))
    assert found
    return found.verdict.look


def counted(world: World, validation: str = SAME) -> int:
    found = world.ledger.get(keys.looks(GROUP, validation))
    return found.count if found else 0


def test_each_candidate_on_the_same_rows_is_one_look_more(gains: World) -> None:
    for version in (2, 3, 4):
        candidate(gains, version)
        judge(gains, version)
    assert [looked(gains, version) for version in (2, 3, 4)] == [1, 2, 3]
    verdict = gains.ledger.get(keys.verdict(arn_of(4)))
    assert verdict
    assert "look 3 at these validation rows, so at 99.583 % = 1 − 0.05/(3 · 4)" in verdict.verdict.texts[0]


def test_other_validation_rows_are_counted_for_themselves(gains: World) -> None:
    for version, rows in ((2, SAME), (3, "6" * 64), (4, SAME)):
        candidate(gains, version, rows)
        judge(gains, version)
    assert [looked(gains, version) for version in (2, 3, 4)] == [1, 1, 2]


def test_rows_of_earlier_versions_count_as_the_same_rows(gains: World) -> None:
    for version in (2, 3):
        candidate(gains, version, None)
        judge(gains, version)
    assert [looked(gains, version) for version in (2, 3)] == [1, 2]


def test_a_later_look_needs_a_larger_gain(gains: World) -> None:
    candidate(gains, 2, gain=0.0105)  # 0.0105 − 1.96 · 0.005 = 0.0007
    gains.ledger.take(keys.looks(GROUP, SAME), LooksFact(count=1, version=1))
    judge(gains, 2)
    assert (looked(gains, 2), status(gains, 2)) == (2, "PendingManualApproval")


def test_judging_twice_takes_one_look(gains: World) -> None:
    candidate(gains, 2)
    judge(gains, 2)
    judge(gains, 2)
    assert (looked(gains, 2), counted(gains)) == (1, 1)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("calls", range(1, 20))
def test_a_candidate_keeps_its_look_wherever_judging_dies(gains: World, calls: int, after: bool) -> None:
    candidate(gains, 2)
    candidate(gains, 3)
    left = [calls]
    with contextlib.suppress(Died):
        judge(gains, 2, **{name: Mortal(getattr(gains, name), left, after=after) for name in ALL})
    before = counted(gains)
    judge(gains, 3)
    with contextlib.suppress(NotReady):  # a message is being sent by the process that died
        judge(gains, 2)
    assert (looked(gains, 2), looked(gains, 3)) == ((1, 2) if before else (2, 1))
    assert counted(gains) == 2


def test_two_candidates_at_once_take_different_looks(gains: World) -> None:
    candidate(gains, 2)
    candidate(gains, 3)

    def other() -> None:
        judge(gains, 3)

    judge(gains, 2, table=Before(gains.table, "update_item", other))
    assert sorted([looked(gains, 2), looked(gains, 3)], key=str) == [1, 2]


def test_the_count_of_a_thousand_candidates_stays_small(world: World) -> None:
    body = evaluation(champion="x")
    body["handsoff"]["validation"] = SAME
    found = parse_evaluation(json.dumps(body), source="test")
    using: Any = world.using(Collaborators)
    for version in range(1, 1001):
        package: Any = type("P", (), {"arn": arn_of(version), "group": GROUP, "name": f"t/{version}"})
        assert look(package, found, using) == version
    fact = world.ledger.get(keys.looks(GROUP, SAME))
    assert fact
    assert (fact.count, len(fact.recent)) == (1000, MAX_RECENT)
    assert len(json.dumps(world.stored(f"looks#{GROUP}#{SAME}"))) < 8_000
