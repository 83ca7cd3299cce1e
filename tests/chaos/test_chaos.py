"""Twenty seeds of chaos hold, a seed replays exactly, and every broken variant applies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.chaos.__main__ import play, report
from tests.chaos.runner import Run
from tests.chaos.variants.__main__ import ROOT, applies, description, failing_test, variants

REPLAYED: Final = 7
"""The seed that is played twice: 172 faults of 27 kinds, and among the quickest of the twenty."""


@pytest.mark.slow
@pytest.mark.parametrize("seed", [seed for seed in range(1, 21) if seed != REPLAYED])
def test_play_a_seed_breaks_nothing(seed: int) -> None:
    outcome = play(seed)
    assert not outcome.broken, f"{report(outcome)}\nreplay it: python -m tests.chaos --seed {seed} --trace"


def _played(seed: int) -> Run:
    run = Run(seed, keep=100_000)
    run.play()
    return run


@pytest.mark.slow
def test_play_the_same_seed_twice_breaks_nothing_and_does_the_same() -> None:
    first, second = _played(REPLAYED), _played(REPLAYED)
    assert not first.broken
    assert list(first.last) == list(second.last)
    assert _without_nonces(first) == _without_nonces(second)
    assert first.fault_counts() == second.fault_counts()


def _without_nonces(run: Run) -> dict[str, dict[str, object]]:
    """The ledger's items without the mark of each write, which no two writes share."""
    return {
        fact: {name: value for name, value in item.items() if name != "nonce"}
        for fact, item in run.account.table.items.items()
    }


@pytest.mark.parametrize("patch", variants(), ids=lambda patch: patch.stem)
def test_broken_variant_applies_and_says_what_it_breaks(patch: Path) -> None:
    assert applies(patch)
    assert description(patch).endswith(".")
    if node := failing_test(patch):
        path, name = node.split("::")
        assert f"def {name}(" in (ROOT / path).read_text()
