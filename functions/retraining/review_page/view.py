"""Pure: what the review page shows of a candidate, as text in order, from what is known about it.

The template only lays out. What could not be read is named in `unknown`, by section, and the rest is shown.
Text in here is not escaped yet, but free of what could steer a screen: see `plain`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from retraining.aws.pipelines import Execution
from retraining.aws.registry import PENDING, Package, one_line
from retraining.config.rules import Approval, MetricRule
from retraining.config.tasks import DECISIVE, LOWER_IS_BETTER, METRICS, NOT_COMPARED
from retraining.facts.candidates import EarlierDecision
from retraining.verdicts.evaluation import Comparison, Difference, Evaluation, Measured, Paired
from retraining.verdicts.verdict import RuleResult, Verdict

Tone = Literal["good", "bad", "open", "plain"]
"""How something reads: as good, bad, not settled, or neither. Never told by colour alone."""

SOME_DRIFT: Final = 0.1
MUCH_DRIFT: Final = 0.25
"""From which population stability index drift is commonly called some, and much."""

MOST_SLICES: Final = 30
MOST_COLUMNS: Final = 60
"""Slices and features that are shown; how many more there are is said."""

_STATUSES: Final = {"Approved": "Approved", "Rejected": "Rejected", PENDING: "Waits for a decision"}
_TONES: Final[Mapping[str, Tone]] = {
    "Approved": "good", "Rejected": "bad", PENDING: "open",
    "pass": "good", "fail": "bad", "unknown": "open", "skipped": "plain",
    "Succeeded": "good", "Failed": "bad", "Stopped": "bad", "Executing": "open",
}  # fmt: skip
_OUTCOMES: Final = {
    "pass": "Met",
    "fail": "Not met",
    "unknown": "Cannot be told",
    "skipped": "Not asked",
}
_VERDICTS: Final = {
    "APPROVE": "The rules approve this candidate",
    "REJECT": "The rules reject this candidate",
    "HOLD": "The rules leave this candidate to a person",
}
_EFFECTS: Final = {
    "none": "",
    "warn": "only a warning",
    "hold": "so a person decides",
    "reject": "so it is rejected",
}


_NAMES: Final = re.compile(
    rf"\b(?:{'|'.join(sorted({n for names in METRICS.values() for n in names}))}|max_loss|min_gain)\b"
)


def plain(value: object) -> str:
    """`value` as one line of text without anything invisible: no controls, no overrides of direction."""
    return one_line(str(value))


@dataclass(frozen=True)
class Said:
    """A word or two, and how they read."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True)
class Decided:
    """The decision that stands. `written` says whether the registry shows it already."""

    status: str
    by: str
    why: str
    at: datetime | None
    written: bool = True

    @property
    def said(self) -> Said:
        return Said(_STATUSES.get(self.status, self.status), _TONES.get(self.status, "plain"))


@dataclass(frozen=True)
class Row:
    """One metric, on all rows or those of a slice (`where`). Empty text is what is not there."""

    metric: str
    where: str
    rows: str
    candidate: str
    interval: str
    shared: str
    champion: str
    difference: str
    bounds: str
    reading: Said


@dataclass(frozen=True)
class Rule:
    """One rule of the verdict: what it asks, what came of it, what that means, and the numbers."""

    asks: str
    outcome: Said
    effect: str
    numbers: str


@dataclass(frozen=True)
class Feature:
    """One feature's missing shares and drift."""

    name: str
    train: str
    validation: str
    drift: str
    reading: Said


@dataclass(frozen=True)
class Step:
    """One step of the execution."""

    name: str
    status: Said
    began: datetime | None
    took: str
    problem: str


@dataclass(frozen=True)
class Earlier:
    """A package of the group: `decision` is the one in the ledger, if there is one."""

    arn: str
    status: str
    registered: datetime | None
    decision: EarlierDecision | None

    @property
    def version(self) -> str:
        return version_of(self.arn)

    @property
    def said(self) -> Said:
        word = "Waits" if self.status == PENDING else self.status
        return Said(word, _TONES.get(self.status, "plain"))

    @property
    def decided(self) -> Decided | None:
        return decided(self.decision) if self.decision and self.status != PENDING else None


@dataclass(frozen=True)
class Plot:
    """A picture: its https address, what it shows, and the same in words for who does not see it."""

    source: str
    title: str
    words: str


@dataclass(frozen=True)
class Review:
    """The page."""

    model: str
    version: str
    name: str
    status: Said
    pending: bool
    registered: datetime
    decided: Decided | None
    champion: str
    verdict: Said | None
    reasons: tuple[str, ...]
    rules: tuple[Rule, ...]
    rows: str
    shared_rows: str
    excluded: int
    metrics: tuple[Row, ...]
    slices: tuple[Row, ...]
    slices_left: int
    train_rows: str
    validation_rows: str
    data_notes: tuple[str, ...]
    features: tuple[Feature, ...]
    features_left: int
    drift_against: str
    facts: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    history: tuple[Earlier, ...]
    plots: tuple[Plot, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Known:
    """What was read about a candidate. None is what is not there; `unknown` says of what, and why.

    `verdict` and `decision` are facts of the ledger, `evidence` what `evidence.gather` says.
    """

    package: Package
    model: str
    approval: Approval
    verdict: Verdict | None = None
    decision: EarlierDecision | None = None
    evaluation: Evaluation | None = None
    execution: Execution | None = None
    evidence: Mapping[str, Any] | None = None
    history: Sequence[Earlier] = ()
    plots: Sequence[Plot] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)


def review(known: Known) -> Review:
    """The page about what is known."""
    package, evaluation, verdict = known.package, known.evaluation, known.verdict
    comparison = evaluation.comparison if evaluation else None
    features = _features(evaluation) if evaluation else []
    slices = _slices(evaluation, known.approval) if evaluation else []
    return Review(
        model=known.model,
        version=version_of(package.arn),
        name=package.name,
        status=Said(
            _STATUSES.get(package.approval_status, package.approval_status),
            _TONES.get(package.approval_status, "plain"),
        ),
        pending=package.pending,
        registered=package.created_at,
        decided=decided(known.decision, written=not package.pending) if known.decision else None,
        champion=_champion(evaluation),
        verdict=_said(verdict) if verdict else None,
        reasons=_reasons(verdict) if verdict else (),
        rules=tuple(_rule(result) for result in verdict.rules) if verdict else (),
        rows=f"{evaluation.candidate.n:,}" if evaluation else "",
        shared_rows=f"{comparison.n:,}" if comparison else "",
        excluded=comparison.excluded if comparison else 0,
        metrics=tuple(_metrics(evaluation, known.approval)) if evaluation else (),
        slices=tuple(slices[:MOST_SLICES]),
        slices_left=max(0, len(slices) - MOST_SLICES),
        train_rows=f"{evaluation.data.train.rows:,}" if evaluation else "",
        validation_rows=f"{evaluation.data.validation.rows:,}" if evaluation else "",
        data_notes=_data_notes(evaluation, known.evidence),
        features=tuple(features[:MOST_COLUMNS]),
        features_left=max(0, len(features) - MOST_COLUMNS),
        drift_against=f"version {version_of(evaluation.drift.reference)}"
        if evaluation and evaluation.drift
        else "",
        facts=_facts(known),
        steps=tuple(_steps(known.execution)) if known.execution else (),
        history=tuple(known.history),
        plots=tuple(plot for plot in known.plots if plot.source.startswith("https://")),
        unknown=known.unknown,
    )


def version_of(arn: str) -> str:
    """The last part of a package's ARN, which is its version."""
    return arn.rsplit("/", 1)[-1]


# ---- decisions -------------------------------------------------------------------------------------------


def decided(decision: EarlierDecision, *, written: bool = True) -> Decided:
    """A decision of the ledger in words. Whoever decided by a link typed a name, which proves nothing."""
    who = plain(decision.who or "")
    by = {
        "rules": "the rules",
        "superseded": "handsoff, as a newer candidate was approved",
        "expired": "handsoff, as nobody decided in time",
        "link": f"{who or 'somebody'}, through a review link (the name as typed)",
        "slack": f"{who or 'somebody'}, in Slack",
        "operator": f"{who or 'somebody'}, on the command line",
        "person": f"{who or 'somebody'}, in AWS",
    }
    return Decided(
        status=decision.status,
        by=by.get(decision.by, plain(decision.by)),
        why=plain(decision.why),
        at=decision.at,
        written=written,
    )


# ---- numbers ---------------------------------------------------------------------------------------------


def number(value: float, sign: str = "") -> str:
    """A metric in four digits, or all before the point; — where there is none."""
    if not math.isfinite(value):
        return "—"
    form = ",.0f" if abs(value) >= 1e4 else ".4g" if abs(value) >= 1 else ".4f"
    text = format(value, sign + form)
    return text.replace("-", "−")


def _interval(low: float, high: float, sign: str = "") -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{number(low, sign)} to {number(high, sign)}"


def share(value: float) -> str:
    """A share of rows in percent."""
    return f"{100 * value:.1f} %" if math.isfinite(value) else "—"


def _words(text: str) -> str:
    """`text` with the names of metrics, and of what is asked about them, as people write them."""
    return _NAMES.sub(lambda found: found[0].replace("_", " "), text)


# ---- metrics ---------------------------------------------------------------------------------------------


def _champion(evaluation: Evaluation | None) -> str:
    if evaluation is None or evaluation.champion is None:
        return ""
    return version_of(evaluation.champion)


def _asked(approval: Approval) -> list[str]:
    """The metrics that rules ask about, each once."""
    return list(dict.fromkeys(rule.metric for rule in approval.rules if isinstance(rule, MetricRule)))


def _metrics(evaluation: Evaluation, approval: Approval) -> list[Row]:
    """All metrics: first those that the rules ask about, then the one that decides, then the others."""
    first = [*_asked(approval), DECISIVE[evaluation.task]]
    names = [*dict.fromkeys([*first, *evaluation.candidate.metrics])]
    measured = evaluation.candidate.metrics
    return [
        _row(name, measured[name], evaluation.comparison, rows=evaluation.candidate.n)
        for name in names
        if name in measured
    ]


def _slices(evaluation: Evaluation, approval: Approval) -> list[Row]:
    """Every slice in the metrics that rules ask about slices, or in the one that decides."""
    asked = [
        rule.metric for rule in approval.rules if isinstance(rule, MetricRule) and rule.slice is not None
    ]
    names = list(dict.fromkeys([*asked, DECISIVE[evaluation.task]]))
    comparison: Comparison | None = evaluation.comparison
    rows = []
    for part in evaluation.slices:
        paired = (
            next((item for item in comparison.slices if item.where == part.where), None)
            if comparison
            else None
        )
        where = " and ".join(f"{column} = {value}" for column, value in part.where.items())
        rows += [
            _row(name, part.metrics[name], paired, rows=part.n, where=where)
            for name in names
            if name in part.metrics
        ]
    return rows


def _row(name: str, measured: Measured, paired: Paired | None, *, rows: int, where: str = "") -> Row:
    nan = Measured(value=math.nan)
    none = Difference(value=math.nan, standard_error=math.nan)
    ours = paired.candidate.get(name, nan) if paired else nan
    theirs = paired.champion.get(name, nan) if paired else nan
    difference = paired.differences.get(name, none) if paired else none
    return Row(
        metric=_words(name),
        where=where,
        rows=f"{rows:,}",
        candidate=number(measured.value),
        interval=_interval(*measured.interval),
        shared=number(ours.value) if paired else "",
        champion=number(theirs.value) if paired else "",
        difference=number(difference.value, "+") if paired else "",
        bounds=_interval(*difference.bounds, "+"),
        reading=reading(name, difference) if paired else Said(""),
    )


def reading(metric: str, difference: Difference) -> Said:
    """Better or worse, by the metric's own direction, where chance alone does not explain the difference."""
    low, high = difference.bounds
    if metric in NOT_COMPARED:
        return Said("not compared")
    if not (math.isfinite(low) and math.isfinite(high)):
        return Said("not known", "open")
    if low <= 0 <= high:
        return Said("no clear difference")
    better = (low > 0) != (metric in LOWER_IS_BETTER)
    return Said("better", "good") if better else Said("worse", "bad")


# ---- verdict ---------------------------------------------------------------------------------------------


def _rule(result: RuleResult) -> Rule:
    return Rule(
        asks=_words(result.rule),
        outcome=Said(_OUTCOMES[result.outcome], _TONES[result.outcome]),
        effect=_EFFECTS[result.effect],
        numbers=_words(result.numbers or result.text),
    )


def _said(verdict: Verdict) -> Said:
    tones: dict[str, Tone] = {"APPROVE": "good", "REJECT": "bad", "HOLD": "open"}
    return Said(_VERDICTS[verdict.decision], tones[verdict.decision])


def _reasons(verdict: Verdict) -> tuple[str, ...]:
    """Why, without the rules that hold: those stand in the table."""
    hold = ("rule_passed", "rule_skipped")
    return tuple(_words(reason.text) for reason in verdict.reasons if reason.code not in hold)


# ---- data ------------------------------------------------------------------------------------------------


def _features(evaluation: Evaluation) -> list[Feature]:
    """All features, those that drifted most first, then by name. Drift is what is beyond chance."""
    train, validation = evaluation.data.train.missing_share, evaluation.data.validation.missing_share
    moved = evaluation.drift.columns if evaluation.drift else {}
    drift = {name: item.psi - item.by_chance for name, item in moved.items()}

    def order(name: str) -> tuple[float, str]:
        value = drift.get(name, math.nan)
        return (-value if math.isfinite(value) else 0.0, name)

    return [
        Feature(
            name=name,
            train=share(train.get(name, math.nan)),
            validation=share(validation.get(name, math.nan)),
            drift=number(drift[name]) if name in drift else "",
            reading=_drift(drift[name]) if name in drift else Said(""),
        )
        for name in sorted({*train, *validation, *drift}, key=order)
    ]


def _drift(value: float) -> Said:
    if not math.isfinite(value):
        return Said("not known", "open")
    if value >= MUCH_DRIFT:
        return Said("much", "bad")
    return Said("some", "open") if value >= SOME_DRIFT else Said("little")


def _data_notes(evaluation: Evaluation | None, evidence: Mapping[str, Any] | None) -> tuple[str, ...]:
    notes = []
    if evaluation and evaluation.leaked:
        notes.append(
            f"{evaluation.leaked:,} validation rows are among the training rows, too: they are left out of "
            "every number on this page."
        )
    if evaluation and evaluation.candidate.unusable:
        notes.append(f"{evaluation.candidate.unusable:,} predictions are no finite numbers.")
    if evaluation and evaluation.champion_problem:
        notes.append(f"The champion could not be compared: {evaluation.champion_problem}")
    data = evidence.get("data") if evidence else None
    ignored = data.get("ignoredColumns") if isinstance(data, Mapping) else None
    if isinstance(ignored, list) and ignored:
        notes.append(f"Columns that landed and are not used: {', '.join(map(str, ignored))}.")
    return tuple(notes)


# ---- execution -------------------------------------------------------------------------------------------

_KINDS: Final = {
    "landing": "New data landed",
    "schedule": "The model's schedule",
    "request": "A person asked for it",
    "manual": "Somebody started the pipeline by hand",
}


def _facts(known: Known) -> tuple[tuple[str, str], ...]:
    """What started the execution, on which batch, and what came of it."""
    evidence, execution = known.evidence or {}, known.execution
    trigger = evidence.get("trigger")
    trigger = trigger if isinstance(trigger, Mapping) else {}
    kind = trigger.get("kind") or (execution.parameters.get("Trigger", "manual") if execution else None)
    data = evidence.get("data")
    batch = data.get("batch") if isinstance(data, Mapping) else known.package.metadata.get("batch")
    facts = (
        ("Started by", _KINDS.get(str(kind), kind)),
        ("Asked for by", trigger.get("requestedBy")),
        ("Cause", trigger.get("cause")),
        ("Batch", batch),
        ("Execution", execution.arn if execution else known.package.execution),
        ("Execution status", execution.status if execution else None),
        ("Why it failed", execution.failure_reason if execution else None),
        ("Model package", known.package.arn),
    )
    return tuple((name, plain(value)) for name, value in facts if value)


def _steps(execution: Execution) -> list[Step]:
    return [
        Step(
            name=step.name,
            status=Said(step.status, _TONES.get(step.status, "plain")),
            began=step.start_time,
            took=_duration(step.end_time - step.start_time) if step.start_time and step.end_time else "",
            problem=plain(step.failure_reason or ""),
        )
        for step in execution.steps
    ]


def _duration(took: timedelta) -> str:
    seconds = max(0.0, took.total_seconds())
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
