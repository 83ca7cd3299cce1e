"""What must hold once faults have ended and only sweeps have run. Each invariant yields what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from tests.chaos.invariants import anchors, bounds, candidates, records, starts, steering

if TYPE_CHECKING:
    from tests.chaos.runner import Run

Invariant = Callable[["Run"], Iterator[str]]

INVARIANTS: Final[tuple[Invariant, ...]] = (
    starts.every_marker_version_is_answered,
    starts.no_execution_reads_a_mixture,
    starts.every_landing_without_marker_is_answered,
    starts.one_execution_for_each_start,
    starts.no_landing_starts_the_same_bytes_twice,
    starts.every_end_is_recorded,
    starts.files_stay_as_they_were_left,
    starts.nothing_waits_untold,
    starts.a_faulty_model_delays_no_other,
    candidates.every_candidate_is_judged_or_told,
    candidates.no_candidate_waits_for_ever,
    candidates.every_decision_is_recorded,
    candidates.only_approvers_decide_in_slack,
    candidates.nothing_expires_without_a_reminder,
    candidates.one_id_for_each_fact,
    candidates.all_that_is_told_reaches_slack,
    candidates.what_is_approved_has_earned_it,
    anchors.an_anchor_never_moves_without_a_person,
    anchors.the_anchor_is_the_first_approved_package,
    records.evidence_fits_its_schema,
    records.evidence_only_gains_facts,
    records.evidence_tells_the_decision,
    steering.every_roll_back_is_whole,
    steering.nothing_is_taken_while_paused,
    bounds.an_idle_minute_is_cheap,
    bounds.no_item_is_large,
    bounds.every_write_is_recognised,
    bounds.secrets_stay_where_they_belong,
)
"""Checked at the end of a run."""

AFTER_REDRIVING: Final[tuple[Invariant, ...]] = (
    bounds.every_failure_can_be_redriven,
    starts.one_execution_for_each_start,
    starts.no_landing_starts_the_same_bytes_twice,
)
"""Checked once the failure queues have been sent again."""


def broken(run: Run, which: tuple[Invariant, ...]) -> dict[str, list[str]]:
    """The invariants of `which` that do not hold, and what breaks each."""
    found = {invariant.__name__: list(invariant(run)) for invariant in which}
    return {name: facts for name, facts in found.items() if facts}
