"""Which deliveries the versions of the root's marker and of the splits' markers complete."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from retraining.facts.model_state import ModelState
from retraining.facts.starts import Marker, StartRequest
from retraining.starts.markers import Deletion, completed, waits_for


def at(minute: int) -> datetime:
    return datetime(2026, 11, 23, 12, minute, tzinfo=UTC)


def versions(text: str) -> tuple[list[Marker], list[Marker], list[Marker]]:
    """Markers that land a minute apart: R at the root, T and V in the folders of train and validation.

    Each is named by its letter and minute, `T0`; the lists are newest first.
    """
    found: dict[str, list[Marker]] = {"R": [], "T": [], "V": []}
    for minute, letter in enumerate(text):
        if letter in found:
            split = {"R": None, "T": "train", "V": "validation"}[letter]
            one = {"version_id": f"{letter}{minute}", "landed_at": at(minute), "split": split}
            found[letter].insert(0, Marker.model_validate(one))
    return found["R"], found["T"], found["V"]


def shown(marker: Marker) -> str:
    return "+".join(marker.versions)


@pytest.mark.parametrize(
    ("landed", "complete", "waiting"),
    [
        ("", [], None),
        ("R", ["R0"], None),
        ("T", [], "T0"),
        ("V", [], "V0"),
        ("TV", ["V1+T0"], None),
        ("VT", ["T1+V0"], None),
        ("TT", [], "T1"),
        ("TTV", ["V2+T1"], None),
        ("TVT", ["V1+T0"], "T2"),
        ("TVTV", ["V3+T2", "V1+T0"], None),
        ("TVVT", ["T3+V2", "V1+T0"], None),
        ("TVR", ["R2", "V1+T0"], None),
        ("RTV", ["V2+T1", "R0"], None),
        ("RT", ["R0"], "T1"),
        ("TR", ["R1"], None),
        ("TRV", ["R1"], "V2"),
        ("VRTV", ["V3+T2", "R1"], None),
        ("TVVRTV", ["V5+T4", "R3", "V1+T0"], None),
        ("RR", ["R1", "R0"], None),
    ],
)
def test_completed_pairs_the_splits_markers_and_lists_them_with_the_roots(
    landed: str, complete: list[str], waiting: str | None
) -> None:
    found = completed(*versions(landed))
    assert [shown(one) for one in found.complete] == complete
    assert (found.waiting and found.waiting.version_id) == waiting
    assert [one.landed_at for one in found.complete] == sorted(
        (one.landed_at for one in found.complete), reverse=True
    )


DAYS = 24 * 60
WEEK = 7 * DAYS


@pytest.mark.parametrize(
    ("landed", "complete", "waiting"),
    [
        # Validation is written again alone, soon or days after its delivery, or hours before the next one.
        (
            [("T1", 0), ("V1", 5), ("V2", 65), ("T3", WEEK), ("V3", WEEK + 5), ("T4", 2 * WEEK)],
            ["V3+T3", "V1+T1"],
            "T4",
        ),
        ([("T1", 0), ("V1", 5), ("V2", 5 * DAYS), ("T3", WEEK), ("V3", WEEK + 5)], ["V3+T3", "V1+T1"], None),
        ([("T1", 0), ("V1", 5), ("V2", WEEK - 60), ("T3", WEEK)], ["V1+T1"], "T3"),
        ([("V1", 0), ("T1", 5), ("T2", 90), ("V3", DAYS), ("T3", DAYS + 5)], ["T3+V3", "T1+V1"], None),
        # Deliveries that overlap: nobody can tell the halves apart, and the next delivery is right again.
        (
            [("T1", 0), ("T2", 1), ("V1", 2), ("V2", 3), ("T3", DAYS), ("V3", DAYS + 5)],
            ["V3+T3", "V1+T2"],
            None,
        ),
        # Within an hour it makes a pair; the one after it is right again.
        (
            [
                *(("T1", 0), ("V1", 5), ("V2", WEEK - 59), ("T3", WEEK), ("V3", WEEK + 5)),
                *(("T4", 2 * WEEK), ("V4", 2 * WEEK + 5), ("T5", 3 * WEEK)),
            ],
            ["V4+T4", "T3+V2", "V1+T1"],
            "T5",
        ),
        # The first split of all was written alone.
        (
            [("V0", 0), ("T1", WEEK), ("V1", WEEK + 5), ("T2", 2 * WEEK), ("V2", 2 * WEEK + 5)],
            ["V2+T2", "T1+V0"],
            None,
        ),
        # A job of the usual order needs hours or days, or is started again by a person.
        (
            [("T1", 0), ("V1", 180), ("T2", 200), ("V2", 380), ("T3", 400), ("V3", 580)],
            ["V3+T3", "V2+T2", "V1+T1"],
            None,
        ),
        ([("T1", 0), ("V1", 5), ("T2", WEEK), ("V2", WEEK + 3 * DAYS)], ["V2+T2", "V1+T1"], None),
        ([("T1", 0), ("V1", 3 * DAYS)], ["V1+T1"], None),
        # The order varies: both jobs run at the same time.
        ([("T1", 0), ("V1", 5), ("V2", WEEK), ("T2", WEEK + 59)], ["T2+V2", "V1+T1"], None),
        # The validation job died, and runs again with the next delivery only.
        (
            [("T1", 0), ("V1", 5), ("T2", WEEK), ("T3", 2 * WEEK), ("V3", 2 * WEEK + 5)],
            ["V3+T3", "V1+T1"],
            None,
        ),
    ],
)
@pytest.mark.parametrize("after_each", [False, True], ids=["at once", "answered"])
def test_completed_leaves_out_a_split_that_was_written_alone(
    landed: list[tuple[str, int]], complete: list[str], waiting: str | None, after_each: bool
) -> None:
    """Names with the minutes when they land. The answered pair is known, or nothing is."""
    train: list[Marker] = []
    validation: list[Marker] = []
    seen: list[str] = []
    answered = found = None
    for name, minute in landed:
        of, split = (train, "train") if name[0] == "T" else (validation, "validation")
        one = {"version_id": name, "landed_at": at(0) + timedelta(minutes=minute), "split": split}
        of.insert(0, Marker.model_validate(one))
        found = completed([], train, validation, answered if after_each else None)
        seen = list(dict.fromkeys([*map(shown, found.complete), *seen]))
        answered = next(iter(found.complete), None)
    assert found is not None
    assert (seen, found.waiting and found.waiting.version_id) == (complete, waiting)


@pytest.mark.parametrize(
    ("landed", "complete", "waiting"),
    [
        ("TtV", [], "V2"),
        ("TtVT", ["T3+V2"], None),
        ("TtTV", ["V3+T2"], None),
        ("TvV", ["V2+T0"], None),
        ("TVtv", ["V1+T0"], None),
        ("TVTtV", ["V1+T0"], "V4"),
    ],
)
def test_completed_counts_no_marker_that_is_deleted_before_its_pair_is_complete(
    landed: str, complete: list[str], waiting: str | None
) -> None:
    deletions = [
        Deletion("train" if letter == "t" else "validation", at(minute))
        for minute, letter in enumerate(landed)
        if letter.islower()
    ]
    found = completed(*versions(landed), deletions=deletions)
    assert [shown(one) for one in found.complete] == complete
    assert (found.waiting and found.waiting.version_id) == waiting


@pytest.mark.parametrize(("newest", "complete"), [(False, ["V1+T0"]), (True, [])])
def test_completed_takes_a_deletion_in_the_markers_own_second_as_the_earlier_unless_it_hides_it(
    newest: bool, complete: list[str]
) -> None:
    found = completed(*versions("TV"), deletions=[Deletion("train", at(0), newest)])
    assert [shown(one) for one in found.complete] == complete


def test_completed_after_an_answered_pair_needs_two_newer_markers() -> None:
    (first,) = completed(*versions("TV")).complete
    assert completed(*versions("TVT"), answered=first).complete == (first,)
    assert completed(*versions("TVV"), answered=first).waiting == versions("TVV")[2][0]
    found = completed(*versions("TVTV"), answered=first)
    assert [shown(one) for one in found.complete] == ["V3+T2", "V1+T0"]


@pytest.mark.parametrize("gone", ["T0", "V1"])
def test_completed_pairs_no_marker_of_an_answered_pair_of_which_the_other_has_expired(gone: str) -> None:
    (first,) = completed(*versions("TV")).complete
    root, train, validation = versions("TVTV")
    train, validation = ([one for one in of if one.version_id != gone] for of in (train, validation))
    found = completed(root, train, validation, first)
    assert [shown(one) for one in found.complete] == ["V3+T2", "V1+T0"]
    assert found.waiting is None


def test_completed_leaves_an_answered_pair_of_another_name_out() -> None:
    (first,) = completed(*versions("TV")).complete
    assert completed([], [], [], answered=first).complete == ()


def test_waits_for_names_both_markers() -> None:
    (train,) = versions("T")[1]
    assert waits_for("_SUCCESS", train) == "train/_SUCCESS has landed, and validation/_SUCCESS is waited for"


def landing(version_id: str) -> StartRequest:
    return StartRequest(
        cause="landing", trigger="landing", requested_by="s3", at=at(9), version_id=version_id
    )


@pytest.mark.parametrize(("version_id", "pending"), [("T0", 0), ("V1", 0), ("T2", 1)])
def test_event_of_either_marker_of_an_answered_pair_changes_nothing(version_id: str, pending: int) -> None:
    (pair,) = completed(*versions("TV")).complete
    state = ModelState().answering("b", pair)
    assert len(state.requested(landing(version_id)).pending) == pending


def test_answering_a_roots_marker_keeps_the_newest_pair_before_it() -> None:
    root, pair = completed(*versions("TVR")).complete
    state = ModelState().answering("b", root, [pair])
    assert (state.answered_marker, state.answered_pair) == (root, pair)
    assert state.superseded_markers == (pair,)


def test_state_with_a_pair_is_stored_and_read_again() -> None:
    (pair,) = completed(*versions("TV")).complete
    state = ModelState().answering("b", pair)
    assert ModelState.model_validate(state.model_dump(by_alias=True, exclude_none=True)) == state


def test_marker_of_the_last_version_is_the_roots() -> None:
    stored = {"versionId": "v3", "landedAt": "2026-11-23T11:00:02+00:00"}
    found = Marker.model_validate(stored)
    assert (found.split, found.other, found.versions) == (None, None, ("v3",))
