"""Notifications and rollback events: their texts, their JSON form, and how they are sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from retraining.collaborators import Collaborators
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.notifications.messages import SUBJECT_LIMIT, Kind, Notification, Rollback
from retraining.notifications.publish import announce, notify
from tests.functions.fakes import Down
from tests.functions.world import World


def message(kind: Kind = "waiting", **changes: Any) -> Notification:
    values: dict[str, Any] = {
        "model": "titanic",
        "reasons": ["accuracy: 0.5, needs ≥ 0.78 → fail"],
        "execution_arn": "arn:execution",
        "package_arn": "arn:package",
        "decision": "HOLD",
        **changes,
    }
    return Notification.about("arn:package", kind, **values)


def test_as_json_has_the_keys_of_the_contract() -> None:
    assert list(json.loads(message().as_json())) == [
        "notificationId",
        "kind",
        "model",
        "executionArn",
        "modelPackageArn",
        "decision",
        "reasons",
        "reviewUrl",
        "evidenceUri",
        "decidedBy",
        "decidedWho",
        "numbers",
    ]


def test_notification_read_from_json_is_equal_except_for_the_log() -> None:
    written = message("rejected", by="slack", who="U1 (ana)", log_lines=["a line of the log"])
    read = Notification.model_validate_json(written.as_json())
    assert read == written.model_copy(update={"log_lines": ()})
    assert (read.model_package_arn, read.decided_by, read.decided_who) == ("arn:package", "slack", "U1 (ana)")


def test_notification_reads_unknown_kinds_and_keys() -> None:
    read = Notification.model_validate_json('{"notificationId": "1", "kind": "new", "model": "m", "more": 1}')
    assert (read.kind, read.reasons) == ("new", ())


LONGEST = "m" * 61
"""The longest model's name that fits into a pipeline's name with a prefix of one letter."""


@pytest.mark.parametrize(
    ("kind", "by", "headline"),
    [
        ("approved", "rules", "m: approved by rules. Nothing to do."),
        ("approved", "link", "m: approved by a person. Nothing to do."),
        ("approved", "person", "m: approved by a person. Nothing to do."),
        ("rejected", "rules", "m: rejected by rules. Nothing to do."),
        ("rejected", "slack", "m: rejected by a person. Nothing to do."),
        ("rejected", "superseded", "m: rejected, superseded. Nothing to do."),
        ("rejected", "expired", "m: rejected, expired. Nothing to do."),
        ("waiting", None, "m: a new model waits for you to decide."),
        ("overdue", None, "m: it still waits for you to decide."),
        ("rolled_back", "person", "m: champion taken back. Please look."),
        ("execution_failed", None, "m: retraining failed. Please look."),
        ("execution_stopped", None, "m: retraining was stopped. Please look."),
        ("quarantined", None, "m: bad file put aside. Please look."),
        ("start_blocked", None, "m: retraining is blocked. Please look."),
        ("candidate_blocked", None, "m: candidate is blocked. Please look."),
    ],
)
def test_as_text_first_hundred_characters_are_the_whole_headline(
    kind: Kind, by: str | None, headline: str
) -> None:
    short, long = message(kind, model="m", by=by), message(kind, model=LONGEST, by=by)
    assert short.as_text().splitlines()[0] == short.as_subject() == headline
    assert long.as_text()[:100].splitlines()[0] == LONGEST + headline[1:]
    assert len(long.as_subject()) <= SUBJECT_LIMIT
    assert long.as_subject() == LONGEST + headline[1:]


def test_as_subject_of_each_kind_is_ascii() -> None:
    for kind in get_args(Kind):
        assert message(kind, model="m").as_subject().isascii()


def test_as_text_has_one_line_of_reason_then_the_link_then_all_details() -> None:
    told = message(
        reasons=["roc_auc: worse\nthan it was", "recall: 0.7"],
        review_url="https://x.example/review?t=abc",
        evidence_uri="s3://b/e.json",
    )
    assert told.as_text() == (
        "titanic: a new model waits for you to decide.\n"
        "\n"
        "Why: roc_auc: worse than it was (and 1 more)\n"
        "Decide: https://x.example/review?t=abc\n"
        "\n"
        "In full:\n"
        "- roc_auc: worse than it was\n"
        "- recall: 0.7\n"
        "\n"
        "Model package: arn:package\n"
        "Execution: arn:execution\n"
        "Evidence: s3://b/e.json\n"
        f"Notification: {told.notification_id}"
    )
    assert json.loads(told.as_json())["reviewUrl"] == "https://x.example/review?t=abc"


@pytest.mark.parametrize("kind", ["waiting", "overdue"])
def test_as_text_without_a_page_names_the_command_that_decides(kind: Kind) -> None:
    told = message(
        kind, package_arn="arn:aws:sagemaker:eu-south-2:123456789012:model-package/handsoff-titanic/3"
    )
    assert told.as_text().splitlines()[3] == (
        "Decide: handsoff approve arn:aws:sagemaker:eu-south-2:123456789012:model-package/handsoff-titanic/3 "
        '--reason "…" (or reject)'
    )
    assert "handsoff approve" not in message("approved").as_text()


def test_as_text_of_a_decision_names_the_person_and_links_to_the_page() -> None:
    told = message("approved", by="link", who="Ana", reasons=["good"], review_url="https://x.example/r")
    assert told.as_text().splitlines()[:6] == [
        "titanic: approved by a person. Nothing to do.",
        "",
        "Why: good",
        "See: https://x.example/r",
        'To do: nothing; `handsoff rollback titanic --reason "…"` makes the earlier champion champion again',
        "",
    ]
    assert told.as_text().splitlines()[6] == "Decided by: Ana (link)"
    found = json.loads(told.as_json())
    assert (found["decidedBy"], found["decidedWho"]) == ("link", "Ana")


ARN = "arn:aws:sagemaker:eu-south-2:123456789012:model-package/handsoff-titanic/3"
URL = "https://x.example/r"


@pytest.mark.parametrize(
    ("kind", "url", "expected"),
    [
        ("waiting", URL, [f"Decide: {URL}"]),
        ("waiting", None, [f'Decide: handsoff approve {ARN} --reason "…" (or reject)']),
        ("overdue", URL, [f"Decide: {URL}"]),
        (
            "approved",
            None,
            [
                'To do: nothing; `handsoff rollback titanic --reason "…"` '
                "makes the earlier champion champion again"
            ],
        ),
        ("rejected", None, [f"To do: nothing; `handsoff explain {ARN}` shows each rule with its numbers"]),
        (
            "rolled_back",
            URL,
            [
                f"See: {URL}",
                "To do: check what serves the model; `handsoff status` names the champion of now",
            ],
        ),
        (
            "execution_failed",
            None,
            ["To do: read `handsoff logs abc`, correct the cause, then `handsoff start titanic`"],
        ),
        (
            "execution_stopped",
            None,
            ["To do: `handsoff start titanic` trains on the newest batch, if that is wanted"],
        ),
        (
            "quarantined",
            None,
            [
                "To do: land a corrected file under the same name; "
                "if it is right, `handsoff release titanic`",
            ],
        ),
        (
            "start_blocked",
            None,
            ["To do: do what the reason says; `handsoff status` says whether it runs again"],
        ),
        (
            "candidate_blocked",
            None,
            [f'To do: do what the reason says, or decide by `handsoff approve {ARN} --reason "…"`'],
        ),
        ("anchor_moved", None, [f"To do: nothing; `handsoff explain {ARN}` shows what the anchor measured"]),
    ],
)
def test_to_do_by_kind_has_the_link_or_a_command_to_paste(
    kind: Kind, url: str | None, expected: list[str]
) -> None:
    told = message(kind, package_arn=ARN, execution_arn="arn:x/execution/abc", review_url=url)
    assert told.to_do == expected
    assert told.as_text().splitlines()[3 : 3 + len(expected)] == expected


def test_to_do_of_each_kind_is_said() -> None:
    for kind in get_args(Kind):
        assert message(kind, package_arn=ARN).to_do


def test_as_text_has_the_numbers_below_what_to_do_and_json_has_them_too() -> None:
    told = message(review_url=URL, numbers=["roc_auc 0.87", "no champion", "worst slice: x"])
    assert told.as_text().splitlines()[2:9] == [
        "Why: accuracy: 0.5, needs ≥ 0.78 → fail",
        f"Decide: {URL}",
        "",
        "Numbers:",
        "- roc_auc 0.87",
        "- no champion",
        "- worst slice: x",
    ]
    assert json.loads(told.as_json())["numbers"] == ["roc_auc 0.87", "no champion", "worst slice: x"]


def test_as_text_long_reason_is_cut_in_its_line_and_whole_below() -> None:
    text = message(reasons=["x" * 400, "y"]).as_text().splitlines()
    assert text[2] == "Why: " + "x" * 286 + "… (and 1 more)"
    assert text[6] == "- " + "x" * 400


def test_as_text_without_a_reason_says_so() -> None:
    assert message(reasons=[]).as_text().splitlines()[2] == "Why: no reason was given"


def rollback(**changes: Any) -> Rollback:
    values: dict[str, Any] = {
        "model": "titanic",
        "group": "handsoff-titanic",
        "rejected": "arn:p/handsoff-titanic/3",
        "rejected_approved_at": datetime(2026, 11, 23, 6, 3, tzinfo=UTC),
        "champion": "arn:p/handsoff-titanic/2",
        "champion_approved_at": datetime(2026, 11, 23, 6, 2, tzinfo=UTC),
        "at": datetime(2026, 11, 23, 7, tzinfo=UTC),
        "why": "it guesses",
        **changes,
    }
    return Rollback(**values)


def test_rollback_names_the_rejected_version_and_the_new_champion() -> None:
    assert rollback().reasons == (
        "version 3, approved 2026-11-23 06:03 UTC, was rejected: it guesses",
        "version 2, approved 2026-11-23 06:02 UTC, is champion again",
    )
    assert json.loads(rollback().event.model_dump_json(by_alias=True)) == {
        "model": "titanic",
        "modelPackageGroupName": "handsoff-titanic",
        "rejected": "arn:p/handsoff-titanic/3",
        "champion": "arn:p/handsoff-titanic/2",
        "approvedAt": "2026-11-23T06:02:00+00:00",
        "at": "2026-11-23T07:00:00+00:00",
    }


def test_rollback_of_a_champion_set_back_to_pending_says_so() -> None:
    assert rollback(how="set back to pending", why="").reasons[0] == (
        "version 3, approved 2026-11-23 06:03 UTC, was set back to pending"
    )


def test_rollback_without_another_approved_version_says_so() -> None:
    nothing = rollback(champion=None, champion_approved_at=None, why="")
    assert nothing.reasons == (
        "version 3, approved 2026-11-23 06:03 UTC, was rejected",
        "no approved version is left, so there is no champion now",
    )
    assert (nothing.event.champion, nothing.event.approved_at) == (None, None)


def test_announce_refused_by_the_bus_is_sent_on_retry(world: World) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    world.events.refuses = 1
    event, key, bus = rollback().event, keys.rollback("it"), world.using(Collaborators).events
    with pytest.raises(NotReady, match="InternalFailure: try again"):
        announce(bus, world.ledger, event, key, now=now)
    assert announce(bus, world.ledger, event, key, now=now)
    assert not announce(bus, world.ledger, rollback(at=now).event, key, now=now)
    ((source, kind, detail),) = world.events.taken
    assert (source, kind, detail["model"]) == ("handsoff", "Champion Rolled Back", "titanic")


def test_notification_id_differs_by_kind_and_occurrence_only() -> None:
    assert message().notification_id == message(reasons=["other words"]).notification_id
    assert message().notification_id != message("approved").notification_id
    assert message(occurrence="1").notification_id != message(occurrence="2").notification_id


def test_notify_twice_publishes_once(world: World) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert notify(world.sns, world.ledger, world.settings.topic, message(), now=now)
    assert not notify(world.sns, world.ledger, world.settings.topic, message(), now=now)
    (told,) = world.messages()
    assert told["reasons"] == ["accuracy: 0.5, needs ≥ 0.78 → fail"]


def test_notify_after_a_failure_publishes_at_once(world: World) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    with pytest.raises(ConnectionError):
        notify(Down(), world.ledger, world.settings.topic, message(), now=now)  # type: ignore[arg-type]
    assert notify(world.sns, world.ledger, world.settings.topic, message(), now=now)
    assert len(world.messages()) == 1
