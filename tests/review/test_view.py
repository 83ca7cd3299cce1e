"""The page model: review_page/view.py, metrics.py, data.py and wording.py."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from retraining.aws import registry
from retraining.config.rules import Approval
from retraining.facts.candidates import EarlierDecision
from retraining.html.wording import Said, number, plain
from retraining.review_page.metrics import reading
from retraining.review_page.view import Known, decided, review
from retraining.verdicts.evaluation import Difference, parse_evaluation
from retraining.verdicts.judge import judge
from tests.functions.fakes import ROOT
from tests.review.stage import CANDIDATE, SAMPLE, Stage


@pytest.mark.parametrize(
    ("metric", "low", "high", "expected"),
    [
        ("accuracy", 0.001, 0.02, Said("better", "good")),
        ("accuracy", -0.02, -0.001, Said("worse", "bad")),
        ("accuracy", 0.0, 0.02, Said("no clear difference")),
        ("accuracy", -0.02, 0.0, Said("no clear difference")),
        ("log_loss", 0.001, 0.02, Said("worse", "bad")),
        ("rmse", -0.02, -0.001, Said("better", "good")),
        ("accuracy", math.nan, 0.02, Said("not known", "open")),
        ("accuracy", -math.inf, 0.02, Said("not known", "open")),
        ("expected_calibration_error", 0.1, 0.2, Said("not compared")),
    ],
)
def test_reading_follows_the_metrics_direction(metric: str, low: float, high: float, expected: Said) -> None:
    assert reading(metric, Difference(value=0.0, standard_error=0.01, bounds=(low, high))) == expected


@pytest.mark.parametrize(
    ("value", "sign", "text"),
    [
        (0.80534351, "", "0.8053"),
        (0.80534351, "+", "+0.8053"),
        (-0.01190476, "+", "−0.0119"),
        (0.0, "+", "+0.0000"),
        (-0.0, "+", "+0.0000"),
        (-0.0, "", "0.0000"),
        (31.4159, "", "31.42"),
        (123456.7, "", "123,457"),
        (math.nan, "", "—"),
        (-math.inf, "+", "—"),
    ],
)
def test_number_has_four_digits(value: float, sign: str, text: str) -> None:
    assert number(value, sign) == text


def test_plain_removes_invisible_characters() -> None:
    assert plain(" a\n\tb\x00\u202ec\u2066\u200b ") == "a b c"


@pytest.mark.parametrize(
    ("by", "who", "words"),
    [
        ("rules", None, "the rules"),
        ("superseded", None, "handsoff, as a newer candidate was approved"),
        ("expired", None, "handsoff, as nobody decided in time"),
        ("link", "Ada", "Ada, through a review link (the name as typed)"),
        ("slack", "U1 (ada)", "U1 (ada), in Slack"),
        ("operator", "arn:aws:iam::1:user/ada", "arn:aws:iam::1:user/ada, on the command line"),
        ("person", None, "somebody, in AWS"),
        ("a new way", None, "a new way"),
    ],
)
def test_decided_says_who_decided_and_how(by: str, who: str | None, words: str) -> None:
    assert decided(EarlierDecision(status="Approved", by=by, who=who, at=datetime.now(UTC))).by == words


def known(stage: Stage, **changes: object) -> Known:
    package = registry.package(stage.sagemaker, CANDIDATE)  # type: ignore[arg-type]
    return Known(package=package, model="titanic", approval=Approval(), **changes)  # type: ignore[arg-type]


def test_review_shows_decisive_metric_first_without_rules() -> None:
    evaluation = parse_evaluation(SAMPLE, source="sample")
    page = review(known(Stage(), evaluation=evaluation))
    assert [row.metric for row in page.metrics.overall][:2] == [
        "roc auc",
        "accuracy",
    ]  # no rule: what decides, then all
    assert (page.metrics.rows, page.metrics.shared_rows, page.metrics.excluded) == ("262", "252", 10)


def test_review_writes_durations_and_drift_in_words() -> None:
    stage = Stage()
    for seconds, step in zip((0, 59.94, 3599, 3600), stage.sagemaker.steps, strict=True):
        step["EndTime"] = step["StartTime"] + timedelta(seconds=seconds)
    page = stage.get()["body"]
    for took in ("0.0 s", "59.9 s", "1 h 0 min"):
        assert f">{took}<" in page
    for value, word in ((0.0999, "little"), (0.125, "some"), (0.25, "much")):
        moved = json.loads(SAMPLE)
        moved["handsoff"]["drift"]["columns"]["age"] = {"psi": value + 0.5, "by_chance": 0.5}
        evaluation = parse_evaluation(json.dumps(moved), source="sample")
        features = review(known(stage, evaluation=evaluation)).data.features
        assert next(one for one in features if one.name == "age").reading.text == word


def test_review_says_which_look_it_was_and_compares_with_the_anchor() -> None:
    evaluation = parse_evaluation(SAMPLE, source="sample")
    assert evaluation.anchor
    rules = [
        {"metric": "roc_auc", "versus_champion": {"min_gain": 0}, "versus_anchor": {"max_loss": 0.2}},
    ]
    verdict = judge(
        evaluation,
        Approval.model_validate({"rules": rules}),
        evaluation.champion,
        anchor=evaluation.anchor.package,
        look=4,
    )
    gain, anchor, _ = review(known(Stage(), evaluation=evaluation, verdict=verdict)).rules
    assert "look 4 at these validation rows, so at 99.75 % = 1 − 0.05/(4 · 5)" in gain.numbers
    assert anchor.asks == "roc auc max loss 0.2 against the anchor, confidence 0.95"
    assert " − anchor " in anchor.numbers


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_page_shows_every_task(task: str) -> None:
    answer = Stage((ROOT / f"tests/samples/evaluation.{task}.json").read_text()).get()
    assert answer["statusCode"] == 200
    assert "The metrics are not known" not in answer["body"]
    assert "Candidate on" in answer["body"]
