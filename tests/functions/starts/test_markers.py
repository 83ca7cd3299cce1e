"""Which deliveries the versions of the root's marker and of the splits' markers complete."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from retraining.facts.model_state import ModelState
from retraining.facts.starts import Marker, StartRequest
from retraining.starts.markers import completed, waits_for


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
        ("TRV", ["V2+T0", "R1"], None),
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
