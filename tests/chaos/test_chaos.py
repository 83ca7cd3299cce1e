"""The harness itself: a seed replays exactly, and what it counts and checks is what it says."""

from __future__ import annotations

from tests.chaos.runner import Run


def _played(seed: int) -> Run:
    run = Run(seed, keep=100_000)
    run.play()
    return run


def test_play_the_same_seed_twice_does_the_same() -> None:
    first, second = _played(8), _played(8)
    assert list(first.last) == list(second.last)
    assert _without_nonces(first) == _without_nonces(second)
    assert first.fault_counts() == second.fault_counts()


def _without_nonces(run: Run) -> dict[str, dict[str, object]]:
    """The ledger's items without the mark of each write, which no two writes share."""
    return {
        fact: {name: value for name, value in item.items() if name != "nonce"}
        for fact, item in run.account.table.items.items()
    }
