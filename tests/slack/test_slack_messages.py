"""slack/messages.py and slack/blocks.py: literal messages, and that all stay within Slack's limits."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining.candidates import decisions
from retraining.errors import ConfigError
from retraining.facts.candidates import ApprovalStatus, EarlierDecision, Status
from retraining.notifications.messages import Notification
from retraining.slack import blocks, requests
from retraining.slack.messages import (
    Candidate,
    Message,
    of_candidate,
    of_fact,
    of_text,
)
from retraining.slack.secret import parse_secret
from retraining.slack.text import cut, escape
from retraining.verdicts.evaluation import Difference, Evaluation, Measured, parse_evaluation
from tests.slack.limits import problems, too_long

ARN = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/3"
URL = "https://abc.lambda-url.us-east-1.on.aws/review?t=a.b-c_d"
SAMPLE = parse_evaluation(
    (Path(__file__).parents[1] / "samples/evaluation.json").read_bytes(), source="sample"
)


def candidate(**changes: Any) -> Candidate:
    values: dict[str, Any] = {
        "model": "titanic",
        "arn": ARN,
        "decided": None,
        "written": True,
        "rolled_back": False,
        "reasons": ("recall where sex is female: 0.71, needs ≥ 0.75 → hold",),
        "evaluation": SAMPLE,
        "problem": None,
        "review_url": URL,
        "may_decide": True,
        **changes,
    }
    return Candidate(**values)


def decided(
    status: Status = "Approved", by: str = "rules", who: str | None = None, why: str = ""
) -> EarlierDecision:
    at = datetime(2026, 11, 23, 6, 10, tzinfo=UTC)
    return EarlierDecision(status=status, by=by, who=who, why=why, at=at)


def lines(message: Message) -> list[str]:
    """The texts of a message from top to bottom."""
    found = []
    for block in message.blocks:
        for part in (block.get("text"), block.get("label"), *block.get("elements", [])):
            if part is not None:
                found.append(part["text"] if isinstance(part.get("text"), str) else part["text"]["text"])
    return found


def markup(message: Message) -> list[str]:
    """The texts in which Slack reads markup."""
    texts = [
        block["text"]["text"] for block in message.blocks if block.get("text", {}).get("type") == "mrkdwn"
    ]
    return [message.text, *texts]


TABLE = """```metric                      candidate  champion  difference
accuracy                        0.813     0.825  -0.012 (-0.035 … +0.011)
balanced_accuracy               0.796     0.804  -0.007 (-0.030 … +0.016)
precision                       0.756     0.788  -0.033 (-0.076 … +0.010)
recall                          0.731     0.720  +0.011 (-0.028 … +0.049)
f1                              0.743     0.753  -0.010 (-0.039 … +0.020)
roc_auc                         0.874     0.872  +0.002 (-0.012 … +0.015)
average_precision               0.840     0.843  -0.002 (-0.019 … +0.014)
log_loss                        0.441     0.436  +0.005 (-0.024 … +0.033)
brier                           0.128     0.129  +0.000 (-0.010 … +0.009)
expected_calibration_error      0.066     0.052  +0.014 (– … –)
calibration_slope               0.684     0.715  -0.031 (– … –)```"""


def test_of_candidate_waiting_asks_for_a_decision() -> None:
    message = of_candidate(candidate())
    assert lines(message) == [
        "titanic: version 3 waits for your decision",
        "Your decision is wanted: approve or reject it, and say why.",
        "On 252 rows, against the champion, version 1; differences have 95 % bounds",
        TABLE,
        "• recall where sex is female: 0.71, needs ≥ 0.75 → hold",
        f"<{URL}|Open its page>",
        "Why",
        "Approve",
        "Reject",
        "Model package handsoff-titanic/3",
    ]
    assert message.text == (
        "titanic: version 3 waits for your decision. "
        "Your decision is wanted: approve or reject it, and say why."
    )
    assert list(problems(message.blocks)) == []


def test_buttons_carry_the_arn_and_approve_confirms() -> None:
    (actions,) = [block for block in of_candidate(candidate()).blocks if block["type"] == "actions"]
    approve, reject = actions["elements"]
    assert (approve["action_id"], approve["value"], approve["style"]) == ("approve", ARN, "primary")
    assert (reject["action_id"], reject["value"], reject["style"]) == ("reject", ARN, "danger")
    assert approve["confirm"]["title"]["text"] == "Approve version 3?"
    assert approve["confirm"]["text"]["text"] == "It becomes the champion of titanic."
    assert "confirm" not in reject


def test_of_candidate_long_picture_is_cut_within_limits() -> None:
    message = of_candidate(candidate(picture="roc auc " * 900))
    assert list(problems(message.blocks)) == []
    (shown,) = [block for block in message.blocks if "roc auc roc auc" in str(block.get("text"))]
    assert len(shown["text"]["text"]) == 2000
    assert shown["text"]["type"] == "plain_text"


def test_of_candidate_without_link_and_buttons_names_the_command() -> None:
    command = 'Decide by command: handsoff approve handsoff-titanic/3 --reason "…" (or reject)'

    def shows(**changes: Any) -> bool:
        blocks = of_candidate(candidate(**changes)).blocks
        return command in [block["text"]["text"] for block in blocks if block["type"] == "section"]

    assert shows(may_decide=False, review_url=None)
    assert not shows(may_decide=False)
    assert not shows(review_url=None)
    assert not shows(may_decide=False, review_url=None, decided=decided())


@pytest.mark.parametrize("change", [{"may_decide": False}, {"decided": decided()}])
def test_of_candidate_without_a_possible_decision_has_no_buttons(change: dict[str, Any]) -> None:
    kinds = {block["type"] for block in of_candidate(candidate(**change)).blocks}
    assert kinds == {"header", "section", "context"}


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (decided(why="APPROVE by rules: all hold"), "Approved by the rules, 2026-11-23 06:10 UTC"),
        (
            decided("Rejected", "superseded", why="superseded by handsoff-titanic/4"),
            "Rejected as a newer one was approved, 2026-11-23 06:10 UTC: superseded by handsoff-titanic/4",
        ),
        (
            decided("Rejected", "expired", why="it waited 14 days"),
            "Rejected as nobody decided in time, 2026-11-23 06:10 UTC: it waited 14 days",
        ),
        (
            decided(by="link", who="Ana", why="fine"),
            "Approved through its link by somebody who gave the name Ana, 2026-11-23 06:10 UTC: fine",
        ),
        (
            decided(by="slack", who="U0123ABCD (ana)", why="fine"),
            "Approved in Slack by U0123ABCD (ana), 2026-11-23 06:10 UTC: fine",
        ),
        (
            decided("Rejected", "operator", "arn:aws:iam::1:user/ana", "leaky"),
            "Rejected on the command line by arn:aws:iam::1:user/ana, 2026-11-23 06:10 UTC: leaky",
        ),
        (decided(by="person"), "Approved in AWS, 2026-11-23 06:10 UTC"),
    ],
)
def test_of_candidate_decided_says_who_how_and_why(decision: EarlierDecision, said: str) -> None:
    message = of_candidate(candidate(decided=decision))
    assert lines(message)[:3] == [
        f"titanic: version 3 was {decision.status.lower()}",
        "Nothing is wanted of you.",
        said,
    ]
    assert list(problems(message.blocks)) == []


def test_of_candidate_being_decided_has_no_buttons_and_says_so() -> None:
    message = of_candidate(candidate(decided=decided(by="link", who="Ana", why="fine"), written=False))
    assert lines(message)[:3] == [
        "titanic: version 3 is being approved",
        "Nothing is wanted of you: the decision is being written to the model registry.",
        "Approved through its link by somebody who gave the name Ana, 2026-11-23 06:10 UTC: fine",
    ]
    assert {block["type"] for block in message.blocks} == {"header", "section", "context"}


def test_of_candidate_taken_back_asks_for_attention() -> None:
    message = of_candidate(candidate(decided=decided("Rejected", "person"), rolled_back=True))
    assert lines(message)[:2] == [
        "titanic: version 3 was taken back",
        "Somebody should look: it had been approved, and may be in use.",
    ]


def test_of_candidate_without_a_champion_shows_its_own_intervals() -> None:
    alone = SAMPLE.model_copy(update={"comparison": None, "champion_problem": "it cannot be read"})
    message = of_candidate(candidate(evaluation=alone))
    assert lines(message)[2] == "On 262 rows, not compared with a champion: it cannot be read"
    assert lines(message)[3].splitlines()[:2] == [
        "```metric                      candidate  95 % interval",
        "accuracy                        0.805  (0.753 … 0.849)",
    ]


def test_of_candidate_without_an_evaluation_says_why() -> None:
    message = of_candidate(candidate(evaluation=None, problem="s3://b/evaluation.json does not exist"))
    assert lines(message)[2] == "No numbers: s3://b/evaluation.json does not exist"


@pytest.mark.parametrize(
    ("kind", "title", "wanted"),
    [
        ("execution_failed", "titanic: retraining FAILED", "Somebody should look."),
        ("execution_stopped", "titanic: retraining was STOPPED", "Somebody should look."),
        (
            "quarantined",
            "titanic: a file that landed is bad, nothing was started",
            "Somebody should look.",
        ),
        ("overdue", "titanic: a new model still waits for your decision", "Your decision is wanted."),
        ("rolled_back", "titanic: the champion was taken back", "Somebody should look."),
        ("start_blocked", "titanic: retraining is blocked", "Somebody should look."),
        (
            "candidate_blocked",
            "titanic: a new model is blocked: it cannot be judged or recorded",
            "Somebody should look.",
        ),
        ("anchor_moved", "titanic: the anchor was moved by a person", "Nothing to do."),
        ("something_new", "titanic: something new", "Somebody should look."),
    ],
)
def test_of_fact_says_what_happened_and_what_is_wanted(kind: str, title: str, wanted: str) -> None:
    notification = Notification(
        notification_id="1",
        kind=kind,
        model="titanic",
        execution_arn="arn:execution",
        reasons=("train.csv: no column survived",),
    )
    message = of_fact(notification, None)
    assert lines(message) == [title, wanted, "• train.csv: no column survived", "arn:execution"]
    assert message.text == f"{title}. {wanted}"
    assert list(problems(message.blocks)) == []


def test_of_candidate_makes_no_markup_of_foreign_text() -> None:
    evil = "<!channel> <@U1> *b* <https://evil|x> & `c` ``` @here #general \u202e"
    measured = {evil: Measured(value=0.5), "```x": Measured(value=0.5)}
    metrics = SAMPLE.candidate.model_copy(update={"metrics": measured})
    numbers = SAMPLE.model_copy(update={"candidate": metrics, "comparison": None, "champion_problem": evil})
    message = of_candidate(
        candidate(
            model=evil,
            reasons=[evil],
            evaluation=numbers,
            decided=decided(by="link", who=evil, why=evil),
            review_url="https://x/?a=1&b=<!channel>",
        )
    )
    _, table = markup(message)  # no link, because the URL does not look like ours
    assert re.findall("<|>", "".join(markup(message))) == []
    assert table.count("`") == 6
    assert "\u202e" not in json.dumps(message.blocks, ensure_ascii=False)
    assert all(
        block["text"].get("verbatim", False) == (block["text"]["type"] == "mrkdwn")
        for block in message.blocks
        if "text" in block
    )


def test_of_candidate_cuts_long_tables_and_lists_and_counts_the_rest() -> None:
    measured = {f"metric_{number:02}": Measured(value=0.5) for number in range(20)}
    scores = SAMPLE.candidate.model_copy(update={"metrics": measured})
    numbers = SAMPLE.model_copy(update={"candidate": scores, "comparison": None})
    message = of_candidate(candidate(evaluation=numbers, reasons=[f"reason {n}" for n in range(25)]))
    table, reasons = lines(message)[3:5]
    assert table.splitlines()[-2:] == ["metric_11      0.500  (– … –)", "… and 8 more```"]
    assert reasons.splitlines()[-2:] == ["• reason 19", "… and 5 more"]


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("😀😀", 4, "😀😀"), ("😀😀a", 4, "😀…"), ("", 3, "")],
)
def test_cut_keeps_the_limit_in_utf_16_units(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("a<b", 6, "a&lt;b"),
        ("a<b", 5, "a…"),
        ("&&", 10, "&amp;&amp;"),
        ("&&", 9, "&amp;…"),
        ("a\nb", 9, "a b"),
    ],
)
def test_escape_cuts_no_entity_in_two(text: str, limit: int, expected: str) -> None:
    assert escape(text, limit) == expected


@pytest.mark.parametrize("text", ["", "\n", "\u202e\n\u202e"])
def test_context_without_visible_text_is_a_dash(text: str) -> None:
    assert blocks.context(text)["elements"] == [{"type": "plain_text", "text": "–", "emoji": False}]


anything = st.text(max_size=400) | st.text("&<>`*_~@#|\u202e\n😀", max_size=4000) | st.just("x" * 9000)
numbers = st.floats() | st.just(1e308)
scores = st.dictionaries(
    anything, st.builds(Measured, value=numbers, interval=st.tuples(numbers, numbers)), max_size=20
)
differences = st.dictionaries(
    anything,
    st.builds(Difference, value=numbers, standard_error=numbers, bounds=st.tuples(numbers, numbers)),
    max_size=20,
)


@st.composite
def evaluations(draw: st.DrawFn) -> Evaluation:
    found = draw(scores)
    assert SAMPLE.comparison
    compared = SAMPLE.comparison.model_copy(
        update={"candidate": found, "champion": {**draw(scores), **found}, "differences": draw(differences)}
    )
    return SAMPLE.model_copy(
        update={
            "candidate": SAMPLE.candidate.model_copy(update={"metrics": found}),
            "comparison": draw(st.none() | st.just(compared)),
            "champion": draw(anything),
            "champion_problem": draw(st.none() | anything),
        }
    )


candidates = st.builds(
    Candidate,
    model=anything,
    arn=anything.filter(bool) | st.just(ARN),
    decided=st.none()
    | st.builds(
        EarlierDecision,
        status=st.sampled_from(get_args(ApprovalStatus)),
        by=anything,
        who=st.none() | anything,
        why=anything,
        at=st.datetimes(timezones=st.timezones()),
    ),
    written=st.booleans(),
    rolled_back=st.booleans(),
    reasons=st.lists(anything, max_size=40),
    evaluation=st.none() | evaluations(),
    problem=st.none() | anything,
    review_url=st.none() | anything | st.builds("https://x/{}".format, anything) | st.just(URL),
    may_decide=st.booleans(),
)
notifications = st.builds(
    Notification,
    notification_id=anything,
    kind=anything,
    model=anything,
    execution_arn=st.none() | anything,
    model_package_arn=st.none() | anything,
    reasons=st.lists(anything, max_size=40).map(tuple),
    review_url=st.none() | anything,
    evidence_uri=st.none() | anything,
)


@given(
    candidates.map(of_candidate)
    | st.builds(of_fact, notifications, st.none() | anything, published=st.none() | st.datetimes())
    | anything.map(of_text)
)
@pytest.mark.slow
def test_messages_stay_within_block_kits_limits(message: Message) -> None:
    assert list(problems(message.blocks)) == []
    body = json.loads(json.dumps({"blocks": message.blocks}))
    assert not too_long(body)
    assert 1 <= len(message.text) <= 1000
    ours = r"<https?://[^<>|\s]+\|Open its page>"
    assert re.findall("[<>]", re.sub(ours, "", "".join(markup(message)))) == []
    json.dumps(message.blocks, ensure_ascii=False).encode()


def test_digest_differs_for_different_messages() -> None:
    one, other = candidate(), candidate()._replace(reasons=("another",))
    assert of_candidate(one).digest == of_candidate(candidate()).digest
    assert of_candidate(one).digest != of_candidate(other).digest


def test_max_reason_is_the_recorded_maximum() -> None:
    assert requests.MAX_REASON == decisions.MAX_WHY


@pytest.mark.parametrize(
    "text",
    [
        '{"botToken": "xoxb-1"}',
        '{"signingSecret": "s"}',
        "{}",
        '{"botToken": "xoxb-1", "signingSecret": "s", "webhookUrl": "https://h"}',
        '{"webhookUrl": "https://h", "signingSecret": "s"}',
        '{"webhookUrl": ""}',
        '{"token": "xoxb-1"}',
        "xoxb-1",
    ],
)
def test_parse_secret_refuses_other_forms_without_showing_them(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_secret(text, source="the secret arn:s")
    assert "xoxb-1" not in str(caught.value)
    assert str(caught.value).startswith("the secret arn:s must hold {")


def test_parse_secret_reads_both_forms() -> None:
    app = parse_secret('{"botToken": "xoxb-1", "signingSecret": "s"}', source="s")
    assert app.bot_token is not None
    assert app.bot_token.get_secret_value() == "xoxb-1"
    assert "xoxb-1" not in repr(app)
    webhook = parse_secret('{"webhookUrl": "https://h"}', source="s")
    assert webhook.bot_token is None
