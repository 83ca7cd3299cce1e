"""Items are taken once, states only advance, and a claim is free once its lease has ended."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retraining.aws.items import Items
from retraining.aws.ledger import Ledger, alone, once
from retraining.errors import NotReady
from retraining.facts import keys
from tests.functions.memory import MemoryItems
from tests.functions.world import World

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
LEASE = timedelta(seconds=90)


@pytest.fixture(params=[pytest.param("dynamodb", marks=pytest.mark.slow), "table", "memory"])
def ledger(request: pytest.FixtureRequest) -> Any:
    """The items in moto's DynamoDB, in the fake table, and in a dict."""
    if request.param == "memory":
        return MemoryItems()
    return request.getfixturevalue("moto_world" if request.param == "dynamodb" else "world").items


def test_take_twice_keeps_the_first_values(ledger: Any) -> None:
    assert ledger.take("start#1", {"batch": "a", "parts": ["x", 1.5], "none": None}) is None
    assert ledger.take("start#1", {"batch": "b"}) == {"fact": "start#1", "batch": "a", "parts": ["x", 1.5]}
    ledger.mark("start#1", {"executionArn": "arn"})
    assert ledger.get("start#1") == {
        "fact": "start#1",
        "batch": "a",
        "parts": ["x", 1.5],
        "executionArn": "arn",
    }
    assert ledger.get("start#2") is None


def test_get_all_reads_those_that_are_there(ledger: Any) -> None:
    assert ledger.get_all([]) == {}
    names = [f"start#{number}" for number in range(120)]
    for name in names[::2]:
        ledger.take(name, {"batch": name, "parts": [1.5], "number": 7})
    found = ledger.get_all([*names, names[0]])
    assert sorted(found) == sorted(names[::2])
    assert found["start#118"] == {"fact": "start#118", "batch": "start#118", "parts": [1.5], "number": 7}


@pytest.mark.parametrize("together", [1, 40, 99])
def test_get_all_asks_again_for_what_an_answer_leaves_out(world: World, together: int) -> None:
    names = [f"start#{number}" for number in range(120)]
    for name in names:
        world.items.take(name, {"batch": name})
    world.table.together = together  # type: ignore[attr-defined]
    assert sorted(world.items.get_all(names)) == sorted(names)


def test_advance_in_any_order_ends_in_the_newest_state(ledger: Any) -> None:
    states = [
        ("1", "Executing", False),
        ("2", "Executing", False),
        ("3", "Failed", True),
        ("4", "Executing", False),  # a retry of the failed execution
        ("5", "Succeeded", True),
    ]
    for seed in range(20):
        seen = states * 2
        random.Random(seed).shuffle(seen)
        for version, status, final in seen:
            ledger.advance(f"execution#{seed}", {"status": status}, version=version, final=final)
        assert ledger.get(f"execution#{seed}")["status"] == "Succeeded"


def test_advance_at_the_same_version_keeps_a_final_state(ledger: Any) -> None:
    assert ledger.advance("execution#1", {"status": "Executing"}, version="1", final=False)
    assert ledger.advance("execution#1", {"status": "Failed"}, version="1", final=True)
    assert not ledger.advance("execution#1", {"status": "Executing"}, version="1", final=False)
    assert ledger.get("execution#1")["status"] == "Failed"


def test_claim_is_refused_until_its_lease_ends_and_once_it_is_done(ledger: Any) -> None:
    assert ledger.claim("notification#1", now=NOW, lease=LEASE)
    with pytest.raises(NotReady, match="another invocation"):
        ledger.claim("notification#1", now=NOW + LEASE, lease=LEASE)
    assert ledger.claim("notification#1", now=NOW + LEASE + timedelta(seconds=1), lease=LEASE)
    ledger.done("notification#1", now=NOW)
    assert not ledger.claim("notification#1", now=NOW + timedelta(days=1), lease=LEASE)


def test_claim_after_release_succeeds(ledger: Any) -> None:
    assert ledger.claim("notification#1", now=NOW, lease=LEASE)
    ledger.release("notification#1")
    assert ledger.claim("notification#1", now=NOW, lease=LEASE)


def test_mark_and_release_with_where_need_these_texts(ledger: Any) -> None:
    ledger.mark("decision#1", {"status": "Approved", "at": "1"})
    assert not ledger.mark("decision#1", {"doneAt": "3"}, where={"at": "2"})
    assert not ledger.release("decision#1", where={"at": "2"})
    assert not ledger.mark("decision#2", {"doneAt": "3"}, where={"at": "1"})
    assert ledger.get("decision#2") is None
    assert ledger.mark("decision#1", {"at": "4", "status": None}, where={"at": "1"})
    assert ledger.get("decision#1") == {"fact": "decision#1", "at": "4"}
    assert ledger.release("decision#1", where={"at": "4"})
    assert ledger.get("decision#1") is None


def test_once_runs_again_only_after_a_failure(ledger: Any) -> None:
    did: list[str] = []

    def fails() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        once(Ledger(ledger), keys.rollback("1"), fails, now=NOW)
    assert once(Ledger(ledger), keys.rollback("1"), lambda: did.append("it"), now=NOW)
    assert not once(Ledger(ledger), keys.rollback("1"), lambda: did.append("it"), now=NOW)
    assert did == ["it"]


def test_alone_is_refused_until_the_holder_ends_or_its_lease_ends(ledger: Any) -> None:
    with alone(Ledger(ledger), keys.group_lease("g"), now=NOW):
        with pytest.raises(NotReady), alone(Ledger(ledger), keys.group_lease("g"), now=NOW):
            pass
        with alone(Ledger(ledger), keys.group_lease("other"), now=NOW):
            pass
    with pytest.raises(ConnectionError), alone(Ledger(ledger), keys.group_lease("g"), now=NOW):
        raise ConnectionError
    ledger.claim("lease#g", now=NOW, lease=LEASE)
    with alone(Ledger(ledger), keys.group_lease("g"), now=NOW + LEASE + timedelta(seconds=1)):
        pass


def test_swap_with_another_version_writes_nothing(ledger: Any) -> None:
    assert not ledger.swap("model#m", {"state": {"a": 1}}, version=1)
    assert ledger.swap("model#m", {"state": {"a": 1}}, version=0)
    assert not ledger.swap("model#m", {"state": {"a": 2}}, version=0)
    assert ledger.swap("model#m", {"state": {"a": 2}}, version=1)
    assert ledger.get("model#m") == {"fact": "model#m", "state": {"a": 2}, "version": 2}


texts = st.text(st.characters(codec="utf-8"), max_size=20)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.dictionaries(st.sampled_from(["a", "b", "c"]), anything))
@pytest.mark.slow
def test_get_returns_what_mark_wrote(ledger: Any, values: dict[str, Any]) -> None:
    """A text that looks like JSON stays a text."""
    ledger.release("start#x")
    ledger.mark("start#x", {"a": [1], "b": "old", "c": {}})
    ledger.mark("start#x", {"a": None, "b": None, "c": None, **values})
    kept = {name: value for name, value in values.items() if value is not None}
    assert ledger.get("start#x") == {"fact": "start#x", **kept}


# ---- answers that were lost ------------------------------------------------------------------------------


@pytest.fixture(params=[pytest.param("dynamodb", marks=pytest.mark.slow), "table"])
def losing(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Items]]:
    """Makes items: the answer to the first call of an operation is lost, and botocore sends it again."""
    to_lose: list[list[Any]] = []

    def in_memory(operation: str) -> Items:
        repeats = Repeats(request.getfixturevalue("world").table, operation)
        to_lose.append(repeats.left)
        return Items(repeats)  # type: ignore[arg-type]

    def in_moto(operation: str) -> Items:
        table, left = request.getfixturevalue("moto_world").table, [0.0]
        to_lose.append(left)
        name = operation.title().replace("_", "")

        def again(**_: Any) -> float | None:
            return left.pop() if left else None  # seconds until the retry, as after a ReadTimeout

        table.meta.client.meta.events.register_first(f"needs-retry.dynamodb.{name}", again)
        return Items(table)

    yield in_moto if request.param == "dynamodb" else in_memory
    assert to_lose == [[]], "no answer was lost"


class Repeats:
    """Wraps a table; the first call of this operation is made twice, and only the second answer arrives."""

    def __init__(self, table: Any, operation: str) -> None:
        self._table, self.left = table, [operation]

    def __getattr__(self, name: str) -> Any:
        if name in self.left:
            self.left.remove(name)

            def twice(**call: Any) -> Any:
                getattr(self._table, name)(**call)
                return getattr(self._table, name)(**call)

            return twice
        return getattr(self._table, name)


def test_claim_whose_answer_was_lost_is_ours(losing: Any) -> None:
    items = losing("put_item")
    assert items.claim("lease#g", now=NOW, lease=LEASE)
    with pytest.raises(NotReady):
        items.claim("lease#g", now=NOW, lease=LEASE)


def test_once_whose_claim_lost_its_answer_acts(losing: Any) -> None:
    did: list[str] = []
    assert once(Ledger(losing("put_item")), keys.rollback("1"), lambda: did.append("it"), now=NOW)
    assert did == ["it"]


def test_take_whose_answer_was_lost_is_ours(losing: Any) -> None:
    items = losing("put_item")
    assert items.take("decision#1", {"at": "1"}) is None
    assert items.take("decision#1", {"at": "1"}) == {"fact": "decision#1", "at": "1"}


def test_swap_whose_answer_was_lost_says_that_it_wrote(losing: Any) -> None:
    items = losing("update_item")
    assert items.swap("model#m", {"state": {"a": 1}}, version=0)
    assert not items.swap("model#m", {"state": {"a": 1}}, version=0)
    assert items.get("model#m") == {"fact": "model#m", "state": {"a": 1}, "version": 1}


def test_replace_whose_answer_was_lost_says_that_it_wrote(losing: Any) -> None:
    items = losing("put_item")
    items.mark("decision#1", {"at": "1"})
    assert items.replace("decision#1", {"at": "2"}, where={"at": "1"})
    assert not items.replace("decision#1", {"at": "3"}, where={"at": "1"})


def test_advance_whose_answer_was_lost_says_that_it_wrote(losing: Any) -> None:
    items = losing("update_item")
    assert items.advance("execution#1", {"status": "Failed"}, version="1", final=True)
    assert not items.advance("execution#1", {"status": "Failed"}, version="1", final=True)


def test_mark_with_where_whose_answer_was_lost_says_that_it_wrote(losing: Any) -> None:
    items = losing("update_item")
    items.take("decision#1", {"at": "1"})
    assert items.mark("decision#1", {"at": "2"}, where={"at": "1"})
    assert not items.mark("decision#1", {"at": "3"}, where={"at": "1"})
    assert items.get("decision#1") == {"fact": "decision#1", "at": "2"}


def test_release_whose_answer_was_lost_says_that_nothing_stands_there(losing: Any) -> None:
    items = losing("delete_item")
    items.take("decision#1", {"at": "1"})
    assert items.release("decision#1", where={"at": "1"})
    assert items.get("decision#1") is None


def test_release_of_what_does_not_stand_says_that_nothing_stands_there(ledger: Any) -> None:
    assert ledger.release("decision#1", where={"at": "1"})
    assert ledger.release("decision#1")
