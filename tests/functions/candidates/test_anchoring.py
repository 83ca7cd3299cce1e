"""The anchor is the first approved package until a person moves it, whatever comes twice, late or never."""

from __future__ import annotations

import contextlib
import json
from datetime import timedelta
from typing import Any

import pytest

from retraining.aws import registry
from retraining.candidates import anchoring, decisions
from retraining.candidates.anchoring import CannotBeAnchor
from retraining.candidates.sweep import sweep
from retraining.collaborators import Collaborators
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.anchors import MAX_EARLIER, AnchorFact, EarlierAnchor
from tests.functions.candidates.test_judge_candidate import judge, status
from tests.functions.candidates.test_record_decision import by_person, come
from tests.functions.fakes import START, Before, Died, Mortal, arn_of, evaluation, in_console, register
from tests.functions.fakes import titanic_config as config
from tests.functions.world import World

ALL = ("sagemaker", "s3", "sns", "events", "table")
GROUP = "handsoff-titanic"
ANA = "arn:aws:iam::123456789012:user/ana"
RULES: list[dict[str, Any]] = [
    {"metric": "accuracy", "min": 0.78},
    {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}},
]


def using(world: World, **wrapped: Any) -> Collaborators:
    return world.using(Collaborators, **wrapped)


@pytest.fixture
def asking(world: World) -> World:
    """An account whose model has a rule that asks for the anchor."""
    approval = type(config().approval).model_validate({"rules": RULES})
    world.configs.known["titanic"] = config().model_copy(update={"approval": approval})
    return world


def anchor(world: World) -> str | None:
    """The version that is the anchor."""
    found = world.ledger.get(keys.anchor(GROUP))
    return found.package.rsplit("/", 1)[-1] if found else None


def move(world: World, version: int, why: str = "new sensors", **wrapped: Any) -> AnchorFact:
    package = registry.package(using(world).sagemaker, arn_of(version))
    return anchoring.move("titanic", package, who=ANA, why=why, using=using(world, **wrapped))


def beside(world: World, version: int, of: int | None, *, gain: float = 0.0, champion: int = 1) -> None:
    """Register a candidate whose evaluation compares it with champion and anchor."""
    register(world, version, champion=arn_of(champion))
    key = f"models/titanic/e{version - 1}/evaluation.json"
    body = json.loads(world.s3.get_object(Bucket="data", Key=key)["Body"].read())
    comparison = evaluation(champion="x", gain=gain)["handsoff"]["comparison"]
    found = {"package": arn_of(of), "problem": None, "comparison": comparison} if of else None
    body["handsoff"]["anchor"] = found
    world.s3.put_object(Bucket="data", Key=key, Body=json.dumps(body).encode())


def first_is_approved(world: World) -> None:
    register(world, 1)
    judge(world, 1)
    come(world, 1)


# ---- how it is set ---------------------------------------------------------------------------------------


def test_first_approval_by_rules_sets_the_anchor(asking: World) -> None:
    first_is_approved(asking)
    assert (status(asking), anchor(asking)) == ("Approved", "1")
    fact = asking.ledger.get(keys.anchor(GROUP))
    assert fact
    assert (fact.by, fact.who, fact.earlier) == ("first", None, ())


@pytest.mark.parametrize("by", ["link", "slack", "operator"])
def test_first_approval_by_a_person_sets_the_anchor(world: World, by: str) -> None:
    register(world, 1, accuracy=0.1)
    decisions.decide(arn_of(1), "Approved", by=by, who="Ana", why="w", using=using(world))
    come(world, 1)
    assert anchor(world) == "1"


def test_first_approval_in_the_console_sets_the_anchor(world: World) -> None:
    register(world, 1)
    by_person(world, 1, "Approved")
    assert anchor(world) == "1"


def test_rejection_sets_no_anchor(world: World) -> None:
    register(world, 1)
    by_person(world, 1, "Rejected")
    assert anchor(world) is None


def test_later_approvals_leave_the_anchor(world: World) -> None:
    for version in (1, 2, 3):
        register(world, version)
        by_person(world, version, "Approved", minutes=60 + version)
    assert anchor(world) == "1"


def test_events_in_the_wrong_order_set_the_package_that_was_approved_first(world: World) -> None:
    for version, minutes in ((1, 70), (2, 60)):
        register(world, version)
        in_console(world, arn_of(version), "Approved", minutes)
    come(world, 1)
    come(world, 2)
    assert anchor(world) == "2"


def test_the_sweep_sets_an_anchor_whose_event_was_lost(world: World) -> None:
    register(world, 1)
    in_console(world, arn_of(1), "Approved", 60)
    sweep("titanic", using(world))
    assert anchor(world) == "1"


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("calls", range(1, 16))
def test_the_anchor_is_set_wherever_the_first_record_dies(world: World, calls: int, after: bool) -> None:
    register(world, 1)
    in_console(world, arn_of(1), "Approved", 60)
    left = [calls]
    with contextlib.suppress(Died):
        come(world, 1, **{name: Mortal(getattr(world, name), left, after=after) for name in ALL})
    register(world, 2)
    in_console(world, arn_of(2), "Approved", 65)
    with contextlib.suppress(NotReady):  # a message is being sent by the process that died
        come(world, 1)
    come(world, 2)
    assert anchor(world) == "1"


def test_a_deployment_without_anchor_derives_it_when_a_candidate_is_judged(asking: World) -> None:
    for version in (1, 2):
        register(asking, version)
        in_console(asking, arn_of(version), "Approved", 60 + version)
    register(asking, 3, champion=arn_of(2))
    judge(asking, 3)
    assert anchor(asking) == "1"
    found = asking.ledger.get(keys.verdict(arn_of(3)))
    assert found
    assert (found.verdict.decision, found.verdict.anchor) == ("HOLD", arn_of(1))
    assert "did not compare with the anchor" in found.verdict.texts[0]


def test_a_deployment_whose_first_package_is_gone_derives_the_oldest_that_exists(world: World) -> None:
    for version in (1, 2, 3):
        register(world, version)
        in_console(world, arn_of(version), "Approved", 60 + version)
    del world.sagemaker.packages[arn_of(1)]
    assert anchoring.current(GROUP, using(world))
    assert anchor(world) == "2"


def test_a_package_of_a_lost_ledger_is_the_anchor_again(asking: World) -> None:
    first_is_approved(asking)
    asking.lose_the_ledger()
    sweep("titanic", using(asking))
    assert anchor(asking) == "1"


# ---- how it is judged ------------------------------------------------------------------------------------


def test_a_candidate_beside_the_anchor_is_approved(asking: World) -> None:
    first_is_approved(asking)
    beside(asking, 2, 1)
    judge(asking, 2)
    assert status(asking, 2) == "Approved"


def test_a_candidate_worse_than_the_anchor_is_rejected(asking: World) -> None:
    first_is_approved(asking)
    beside(asking, 2, 1, gain=-0.2)
    judge(asking, 2)
    assert status(asking, 2) == "Rejected"


def test_a_candidate_is_held_if_the_anchor_moved_since_its_evaluation(asking: World) -> None:
    first_is_approved(asking)
    beside(asking, 2, 1)
    judge(asking, 2)
    come(asking, 2)
    beside(asking, 3, 1, champion=2)
    move(asking, 2)
    judge(asking, 3)
    found = asking.ledger.get(keys.verdict(arn_of(3)))
    assert found
    assert (found.verdict.reasons[0].code, found.verdict.reasons[0].effect) == ("anchor_changed", "hold")
    assert status(asking, 3) == "PendingManualApproval"


def test_a_candidate_is_held_if_the_anchor_moves_between_verdict_and_approval(asking: World) -> None:
    first_is_approved(asking)
    beside(asking, 2, 1)
    with contextlib.suppress(Died):
        judge(asking, 2, table=Mortal(asking.table, [1], after=True, only="put_item"))
    other = EarlierAnchor(package=arn_of(9), by="operator", at=START, who=ANA, why="w")
    known = asking.ledger.get(keys.anchor(GROUP))
    assert known
    assert asking.ledger.replace(keys.anchor(GROUP), known.moved(other), where={"at": known.at})
    judge(asking, 2)
    found = asking.ledger.get(keys.verdict(arn_of(2)))
    assert found
    assert (found.verdict.decision, found.verdict.reasons[0].code) == ("HOLD", "anchor_changed")
    assert found.verdict.reasons[0].effect == "hold"
    assert (status(asking, 2), asking.ledger.get(keys.decision(arn_of(2)))) == ("PendingManualApproval", None)


@pytest.mark.parametrize("became", ["Rejected", "PendingManualApproval", None])
@pytest.mark.parametrize("champion", [1, 2])
def test_a_candidate_is_held_if_the_anchor_is_taken_back_between_verdict_and_approval(
    asking: World, became: str | None, champion: int
) -> None:
    first_is_approved(asking)
    if champion == 2:
        beside(asking, 2, 1)
        judge(asking, 2)
        come(asking, 2)
    beside(asking, 3, 1, champion=champion)
    with contextlib.suppress(Died):
        judge(asking, 3, table=Mortal(asking.table, [1], after=True, only="put_item"))
    if became:
        by_person(asking, 1, became, minutes=90)
    else:
        del asking.sagemaker.packages[arn_of(1)]
    judge(asking, 3)
    found = asking.ledger.get(keys.verdict(arn_of(3)))
    assert found
    codes = {1: "champion_changed", 2: "anchor_gone"}
    assert (found.verdict.decision, found.verdict.reasons[0].code) == ("HOLD", codes[champion])
    if champion == 2:
        assert found.verdict.texts[0] == (
            f"the anchor, {arn_of(1)}, is not approved any more: it is no measure any more. Move the anchor "
            'to an approved package: handsoff anchor titanic titanic/VERSION --reason "…". '
            "If none is approved, a person must approve one first"
        )
    assert (status(asking, 3), asking.ledger.get(keys.decision(arn_of(3)))) == ("PendingManualApproval", None)


@pytest.mark.parametrize(("became", "said"), [("Rejected", "is Rejected"), (None, "was deleted")])
def test_an_anchor_that_is_approved_no_more_holds_and_stays(
    asking: World, became: str | None, said: str
) -> None:
    first_is_approved(asking)
    beside(asking, 2, 1)
    judge(asking, 2)
    come(asking, 2)
    if became:
        by_person(asking, 1, became, minutes=90)
    else:
        del asking.sagemaker.packages[arn_of(1)]
    beside(asking, 3, 1, champion=2)
    judge(asking, 3)
    found = asking.ledger.get(keys.verdict(arn_of(3)))
    assert found
    assert found.verdict.decision == "HOLD"
    assert found.verdict.texts[-1 if became is None else 1] == (
        f"the anchor, {arn_of(1)}, {said}: it is no measure any more. Move the anchor to an approved "
        'package: handsoff anchor titanic titanic/VERSION --reason "…". '
        "If none is approved, a person must approve one first"
    )
    assert anchor(asking) == "1"


def test_approvers_are_told_when_the_anchor_is_taken_back(asking: World) -> None:
    first_is_approved(asking)
    asking.messages()
    by_person(asking, 1, "Rejected", minutes=90)
    told = {message["kind"]: message["reasons"] for message in asking.messages()}
    expected = "it is the anchor, so versus_anchor holds every candidate of titanic. Move the anchor to"
    assert any(reason.startswith(expected) for reason in told["rejected"])


def test_approvers_of_a_model_without_such_a_rule_are_told_nothing_of_it(world: World) -> None:
    first_is_approved(world)
    world.messages()
    by_person(world, 1, "Rejected", minutes=90)
    assert "anchor" not in json.dumps(world.messages())


# ---- how a person moves it -------------------------------------------------------------------------------


def two_approved(world: World) -> None:
    for version in (1, 2):
        register(world, version)
        by_person(world, version, "Approved", minutes=60 + version)
    world.messages()


def test_a_move_is_recorded_with_who_when_from_to_and_why(world: World) -> None:
    two_approved(world)
    fact = move(world, 2, clock=lambda: START + timedelta(hours=3))
    assert fact == world.ledger.get(keys.anchor(GROUP))
    assert (fact.package, fact.by, fact.who, fact.why) == (arn_of(2), "operator", ANA, "new sensors")
    assert fact.at == START + timedelta(hours=3)
    assert [(item.package, item.by) for item in fact.earlier] == [(arn_of(1), "first")]
    (told,) = world.messages()
    assert (told["kind"], told["modelPackageArn"], told["decidedWho"]) == ("anchor_moved", arn_of(2), ANA)
    assert told["reasons"] == [
        "new sensors",
        f"the anchor was {arn_of(1)}; candidates are compared with {arn_of(2)} now",
    ]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("calls", range(1, 8))
def test_a_move_that_dies_is_finished_by_the_same_command(world: World, calls: int, after: bool) -> None:
    two_approved(world)
    left = [calls]
    dying: dict[str, Any] = {name: Mortal(getattr(world, name), left, after=after) for name in ALL}
    with contextlib.suppress(Died):
        move(world, 2, **dying)
    with contextlib.suppress(NotReady):  # the message is being sent by the process that died
        move(world, 2)
    later = START + timedelta(days=3650)
    fact = move(world, 2, clock=lambda: later)
    assert (anchor(world), len(fact.earlier)) == ("2", 1)
    assert len({message["notificationId"] for message in world.messages()}) == 1


def test_evidence_names_the_anchor_and_those_before_it(world: World) -> None:
    two_approved(world)
    move(world, 2, clock=lambda: START + timedelta(hours=3))
    register(world, 3)
    by_person(world, 3, "Rejected", minutes=200)
    body = world.s3.get_object(Bucket="data", Key="evidence/titanic/e2/evidence.json")["Body"].read()
    found = json.loads(body)["anchor"]
    (before,) = found.pop("earlier")
    assert found == {
        "modelPackageArn": arn_of(2),
        "setBy": "operator",
        "setWho": ANA,
        "setAt": "2026-11-23T09:00:00+00:00",
        "setWhy": "new sensors",
    }
    assert (before["modelPackageArn"], before["setBy"], before["setWho"]) == (arn_of(1), "first", None)


def test_moving_to_the_anchor_itself_changes_and_tells_nothing(world: World) -> None:
    two_approved(world)
    before = world.ledger.get(keys.anchor(GROUP))
    assert move(world, 1) == before
    assert world.messages() == []


def test_two_moves_at_once_leave_one_and_refuse_the_other(world: World) -> None:
    two_approved(world)
    register(world, 3)
    by_person(world, 3, "Approved", minutes=70)
    with pytest.raises(NotReady, match="somebody has just moved the anchor of titanic; look again"):
        move(world, 3, table=Before(world.table, "put_item", lambda: move(world, 2)))
    assert anchor(world) == "2"


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        ("Rejected", "handsoff-titanic/2 is Rejected, and only an approved package may be the anchor"),
        (
            "PendingManualApproval",
            "handsoff-titanic/2 waits for a decision, and only an approved package may",
        ),
    ],
)
def test_a_package_that_is_not_approved_is_refused(world: World, status: str, refusal: str) -> None:
    first_is_approved(world)
    register(world, 2, status=status)
    with pytest.raises(CannotBeAnchor, match=refusal):
        move(world, 2)
    assert anchor(world) == "1"


def test_a_package_of_another_model_is_refused(world: World) -> None:
    two_approved(world)
    package = registry.package(using(world).sagemaker, arn_of(2))
    with pytest.raises(CannotBeAnchor, match="handsoff-titanic/2 is no package of penguins"):
        anchoring.move("penguins", package, who=ANA, why="w", using=using(world))


@pytest.mark.parametrize("why", ["", " ", "x" * 301])
def test_a_move_without_a_reason_is_refused(world: World, why: str) -> None:
    two_approved(world)
    with pytest.raises(decisions.NoReason):
        move(world, 2, why=why)


def test_a_hundred_moves_keep_the_first_anchor_and_the_last_ones() -> None:
    fact = AnchorFact(package="p0", by="first", at=START)
    for number in range(1, 101):
        fact = fact.moved(EarlierAnchor(package=f"p{number}", by="operator", at=START, who=ANA, why="w"))
    assert (fact.package, len(fact.earlier)) == ("p100", MAX_EARLIER)
    assert [item.package for item in fact.earlier][:2] == ["p0", "p91"]
