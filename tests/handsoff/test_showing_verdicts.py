"""How a verdict is printed: each outcome has its word, and an interval its end that decides."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from handsoff.showing.verdicts import DECIDE, PAGES, show_verdict
from retraining.config.rules import Approval
from retraining.verdicts.evaluation import Evaluation, FoundSlice, Lookalikes, Measured
from retraining.verdicts.judge import judge
from retraining.verdicts.verdict import Verdict
from tests.functions.verdicts.evaluations import CHAMPION, evaluation, rules


def cells(verdict: Verdict) -> list[str]:
    """The cells of the first rule's row."""
    console = Console(file=io.StringIO(), width=200)
    show_verdict(console, verdict)
    assert isinstance(console.file, io.StringIO)
    row = next(line for line in console.file.getvalue().splitlines() if verdict.rules[0].rule in line)
    return re.split(r" {2,}", row.strip())[1:]


@pytest.mark.parametrize(
    ("versus", "row"),
    [
        ((0.0, 0.01), ["gain ≥ −0.01645", "≥ −0.03", "262", "pass"]),
        ((0.0, 0.03), ["gain −0.04935 to 0.04935", "≥ −0.03", "262", "undecided → hold"]),
        ((-0.2, 0.01), ["gain ≤ −0.1836", "≥ −0.03", "262", "worse → reject"]),
        ((float("nan"), 0.01), ["262", "cannot be judged → hold"]),
    ],
)
def test_comparison_is_met_worse_undecided_or_cannot_be_judged(
    versus: tuple[float, float], row: list[str]
) -> None:
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    assert cells(judge(evaluation(versus=versus), asked, CHAMPION)) == row


def test_leap_shows_the_measured_gain() -> None:
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_gain": 0.1}})
    found = judge(evaluation(versus=(0.12, 0.01)), asked, CHAMPION)
    assert cells(found) == ["gain 0.12", "≤ 0.1", "262", "suspicious leap → hold"]


@pytest.mark.parametrize(
    "margin", [{"max_loss": 0}, {"max_loss": 0.0}, {"min_gain": 0}, {"max_loss": 0, "relative": True}]
)
def test_margin_of_zero_has_no_sign(margin: dict[str, float]) -> None:
    verdict = judge(
        evaluation(versus=(0.05, 0.01)), rules({"metric": "roc_auc", "versus_champion": margin}), CHAMPION
    )
    assert cells(verdict)[1] == "≥ 0"
    assert "−0," not in verdict.texts[0]
    assert "−0 " not in verdict.texts[0]


@pytest.mark.parametrize(
    ("question", "limit", "row"),
    [
        ("min", 0.7, ["≥ 0.75", "≥ 0.7", "262", "pass"]),
        ("min", 0.8, ["0.75 to 0.84", "≥ 0.8", "262", "undecided → hold"]),
        ("min", 0.9, ["≤ 0.84", "≥ 0.9", "262", "fail → reject"]),
        ("max", 0.9, ["≤ 0.84", "≤ 0.9", "262", "pass"]),
        ("max", 0.7, ["≥ 0.75", "≤ 0.7", "262", "fail → reject"]),
    ],
)
def test_limit_with_a_confidence_shows_the_end_that_decides(
    question: str, limit: float, row: list[str]
) -> None:
    measured = Measured(value=0.8, bounds={"0.95": (0.75, 0.84)})
    found = evaluation()
    candidate = found.candidate.model_copy(
        update={"metrics": {**found.candidate.metrics, "accuracy": measured}}
    )
    asked = rules({"metric": "accuracy", question: limit, "confidence": 0.95})
    assert cells(judge(found.model_copy(update={"candidate": candidate}), asked, None)) == row


def lines(verdict: Verdict) -> list[str]:
    """What is printed, a line each, with single spaces."""
    console = Console(file=io.StringIO(), width=200)
    show_verdict(console, verdict)
    assert isinstance(console.file, io.StringIO)
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_look_alike_rows_have_a_row_a_reason_and_a_page() -> None:
    found = evaluation({"accuracy": 0.9})
    copied = Lookalikes(n=262, equal=131, share=0.5, train_share=0.2, z=7.7771, train_n=1047)
    verdict = judge(
        found.model_copy(update={"lookalikes": copied}), rules({"metric": "accuracy", "min": 0.5}), None
    )
    assert verdict.decision == "HOLD"
    shown = lines(verdict)
    assert "lookalike rows always on → hold" in shown
    assert any(line.startswith("- look-alike rows: 131 of") and line.endswith(" → hold") for line in shown)
    assert "- accuracy: 0.9, needs ≥ 0.5 → pass" in shown
    assert "what to do: docs/how-to/tell-rows-apart.md#when-lookalikes-hold-a-candidate" in shown


def test_champion_that_cannot_be_compared_with_is_said_once() -> None:
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    shown = lines(judge(evaluation(problem="it is gone"), asked, CHAMPION))
    assert "champion not comparable always on → hold" in shown
    assert [line for line in shown if "cannot be compared with" in line] == [
        "- roc_auc: the champion cannot be compared with: it is gone → cannot be judged"
    ]


@pytest.mark.parametrize(("key", "decision"), [("hold", "HOLD"), ("warn", "REJECT")])
def test_worse_slice_has_a_row_only_if_it_holds(key: str, decision: str) -> None:
    asked = {"hold": 0.5, "warn": 0.95}[key]
    found = evaluation({"accuracy": 0.9}, versus=(0.01, 0.001))
    part = FoundSlice(
        column="region",
        value="islands",
        range=None,
        n=93,
        clusters=93,
        loss="log_loss",
        difference=0.4213,
        standard_error=0.1,
        p=0.0001,
        p_holm=0.001,
    )
    assert found.comparison is not None
    comparison = found.comparison.model_copy(update={"found_slices": (part,), "slices_tested": 14})
    approval = Approval.model_validate({"rules": [{"metric": "accuracy", "min": asked}], "worse_slice": key})
    verdict = judge(found.model_copy(update={"comparison": comparison}), approval, CHAMPION)
    assert verdict.decision == decision
    shown = lines(verdict)
    assert ("slice worse always on → hold" in shown) is (key == "hold")
    assert any(line.startswith("- worse than the champion") and line.endswith(f"→ {key}") for line in shown)
    assert any(line.startswith("- roc_auc: candidate") and line.endswith("→ pass") for line in shown)


def test_every_page_that_is_named_has_its_heading() -> None:
    for page in {*PAGES.values(), f"{DECIDE}#read-why-it-is-held"}:
        path, heading = page.split("#")
        titles = re.findall(r"^## (.*)$", Path(path).read_text(), re.MULTILINE)
        assert heading in [title.lower().replace(" ", "-") for title in titles], page


def grouped(versus: tuple[float, float] | None, clusters: int) -> Evaluation:
    """An evaluation on 354 rows in so many clusters."""
    found = evaluation({"accuracy": 0.9}, versus=versus, n=354)
    candidate = found.candidate.model_copy(update={"clusters": clusters})
    comparison = found.comparison and found.comparison.model_copy(update={"clusters": clusters})
    return found.model_copy(update={"candidate": candidate, "comparison": comparison})


def test_limits_and_guessing_show_clusters_where_they_are_fewer_than_rows() -> None:
    shown = lines(judge(grouped(None, 140), rules({"metric": "accuracy", "min": 0.5}), None))
    assert "accuracy min 0.5 0.9 ≥ 0.5 354 (140 clusters) pass" in shown
    assert "better than guessing gain ≥ 0.2767 > 0 354 (140 clusters) pass" in shown
    assert "- accuracy: 0.9 (354 rows in 140 clusters), needs ≥ 0.5 → pass" in shown
    assert any(line.endswith("needs > 0 on 354 rows (140 clusters) → pass") for line in shown)
    assert [line for line in shown if line.startswith("clusters:")] == [
        "clusters: independent groups of rows (one data.group, or equal rows); minimum numbers count them"
    ]
    assert not any("cluster" in line for line in lines(judge(evaluation(), rules(), None)))


def test_one_cluster_is_no_plural() -> None:
    shown = lines(judge(grouped(None, 1), rules({"metric": "accuracy", "min": 0.5}), None))
    assert any("354 (1 cluster)" in line for line in shown)
    assert not any("1 clusters" in line for line in shown)


@pytest.mark.parametrize(
    ("clusters", "said"),
    [
        (354, "standard error 0.03 on 354 rows; an equally good candidate passes in four of five cases "
         "with about 2,200 rows"),
        (140, "standard error 0.03 on 140 clusters; an equally good candidate passes in four of five cases "
         "with about 860 clusters"),
    ],
)  # fmt: skip
def test_undecided_margin_says_how_many_rows_it_needs(clusters: int, said: str) -> None:
    """((1.645 + 0.84) · 0.03 / 0.03)² = 6.17 times as many."""
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    shown = lines(judge(grouped((0.0, 0.03), clusters), asked, CHAMPION))
    assert f"roc_auc max_loss 0.03, confidence 0.95: {said}" in shown
    passed = lines(judge(grouped((0.0, 0.001), clusters), asked, CHAMPION))
    assert not any("four of five" in line for line in passed)


def test_validation_rows_say_that_a_comparison_has_fewer() -> None:
    found = evaluation({"accuracy": 0.9}, versus=(0.0, 0.001), n=651)
    assert found.comparison is not None
    fewer = found.comparison.model_copy(update={"n": 354, "excluded": 297})
    asked = rules({"metric": "roc_auc", "versus_champion": {"max_loss": 0.03}})
    shown = lines(judge(found.model_copy(update={"comparison": fewer}), asked, CHAMPION))
    assert (
        "validation rows 651; comparisons have fewer, and their lines say how many were left out and why"
        in shown
    )
    assert any("on 354 rows (left out: 297 that the champion was trained on)" in line for line in shown)
