"""Pure: what the review page shows of a candidate, as text in order, from what is known about the candidate.

The template only lays it out. `unknown` says, by section, why a part could not be read; the rest is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from retraining.config.rules import Approval
from retraining.facts.candidates import EarlierDecision
from retraining.facts.package import PENDING, Package
from retraining.html.pictures import Pictures, Section, sections
from retraining.html.rules import VERDICTS, Rule, rule_shown
from retraining.html.trust import Trust, trust
from retraining.html.wording import TONES, Said, decider, duration, plain, spaced, toned, version_of
from retraining.review_page.data import Data, data
from retraining.review_page.metrics import Metrics, metrics
from retraining.review_page.searched import Searched, searched
from retraining.verdicts.evaluation import Evaluation
from retraining.verdicts.verdict import Reason, Verdict

if TYPE_CHECKING:
    from retraining.aws.pipelines import Execution

_STATUSES: Final = {"Approved": "Approved", "Rejected": "Rejected", PENDING: "Waits for a decision"}
_TRIGGERS: Final = {
    "landing": "New data landed",
    "schedule": "The model's schedule",
    "request": "A person asked for it",
    "manual": "Somebody started the pipeline by hand",
}


class Decided(NamedTuple):
    """The decision that stands. `written` says whether the registry shows it already."""

    status: str
    by: str
    why: str
    at: datetime | None
    written: bool = True

    @property
    def said(self) -> Said:
        return _status(self.status)


class Step(NamedTuple):
    """One step of the execution."""

    name: str
    status: Said
    began: datetime | None
    took: str
    problem: str


class Earlier(NamedTuple):
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
        return Said("Waits", "open") if self.status == PENDING else toned(self.status)

    @property
    def decided(self) -> Decided | None:
        return decided(self.decision) if self.decision and self.status != PENDING else None


class Review(NamedTuple):
    """The page."""

    model: str
    version: str
    status: Said
    pending: bool
    registered: datetime
    decided: Decided | None
    verdict: Said | None
    reasons: tuple[str, ...]
    beside: tuple[str, ...]
    rules: tuple[Rule, ...]
    trust: Trust
    sections: tuple[Section, ...]
    metrics: Metrics
    searched: Searched
    data: Data
    facts: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    history: tuple[Earlier, ...]
    unknown: Mapping[str, str]


@dataclass(frozen=True)
class Known:
    """What was read about a candidate. None is what is not there; `unknown` says why, by section.

    `decision` is the one that stands, and `evidence` is what evidence.gather returns.
    """

    package: Package
    model: str
    approval: Approval
    verdict: Verdict | None = None
    decision: EarlierDecision | None = None
    evaluation: Evaluation | None = None
    pictures: Pictures | None = None
    execution: Execution | None = None
    evidence: Mapping[str, Any] | None = None
    history: Sequence[Earlier] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)


def review(known: Known) -> Review:
    """The page about what is known."""
    package, evaluation, verdict = known.package, known.evaluation, known.verdict
    found = trust(evaluation)
    return Review(
        model=known.model,
        version=version_of(package.arn),
        status=_status(package.approval_status),
        pending=package.pending,
        registered=package.created_at,
        decided=decided(known.decision, written=not package.pending) if known.decision else None,
        verdict=Said(*VERDICTS[verdict.decision]) if verdict else None,
        reasons=_reasons(verdict) if verdict else (),
        beside=(*filter(None, (found.leap,)), *(_warnings(verdict) if verdict else ())),
        rules=tuple(rule_shown(result) for result in verdict.rules) if verdict else (),
        trust=found,
        sections=sections(known.pictures) if known.pictures else (),
        metrics=metrics(evaluation, known.approval) if evaluation else Metrics(),
        searched=searched(evaluation),
        data=data(evaluation, known.evidence),
        facts=_facts(known),
        steps=tuple(_steps(known.execution)) if known.execution else (),
        history=tuple(known.history),
        unknown=known.unknown,
    )


def decided(decision: EarlierDecision, *, written: bool = True) -> Decided:
    """A decision of the ledger in words. A link proves no name: the page says that the name was typed."""
    return Decided(
        status=decision.status,
        by=decider(decision.by, decision.who),
        why=plain(decision.why),
        at=decision.at,
        written=written,
    )


def _status(status: str) -> Said:
    return Said(_STATUSES.get(status, status), TONES.get(status, "plain"))


def _reasons(verdict: Verdict) -> tuple[str, ...]:
    """What decided, without rules that hold: their number comes last, and the table of rules shows them."""
    decided = (
        spaced(reason.text) for reason in verdict.reasons if not _is_beside(reason) and not _holds(reason)
    )
    met = sum(result.outcome == "pass" for result in verdict.rules)
    return (*decided, f"Rules that are met: {met} of {len(verdict.rules)}.")


def _warnings(verdict: Verdict) -> tuple[str, ...]:
    """Warnings and notes, which decide nothing."""
    return tuple(spaced(reason.text) for reason in verdict.reasons if _is_beside(reason))


def _holds(reason: Reason) -> bool:
    return reason.code in ("rule_passed", "rule_skipped")


def _is_beside(reason: Reason) -> bool:
    return reason.effect == "warn" or reason.code in ("rule_warned", "asks_nothing", "data_note")


def _facts(known: Known) -> tuple[tuple[str, str], ...]:
    """What started the execution, on which batch, and its result: pairs of a name and a text."""
    evidence, execution = known.evidence or {}, known.execution
    trigger = evidence.get("trigger")
    trigger = trigger if isinstance(trigger, Mapping) else {}
    kind = trigger.get("kind") or (execution.parameters.get("Trigger", "manual") if execution else None)
    said = evidence.get("data")
    batch = said.get("batch") if isinstance(said, Mapping) else known.package.metadata.get("batch")
    facts = (
        ("Started by", _TRIGGERS.get(str(kind), kind)),
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
            status=toned(step.status),
            began=step.start_time,
            took=duration(step.end_time - step.start_time) if step.start_time and step.end_time else "",
            problem=plain(step.failure_reason or ""),
        )
        for step in execution.steps
    ]
