"""Pure: what a report shows, as texts and pictures in order, from evidence, pictures and history.

The template only lays it out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from retraining.facts.package import PENDING
from retraining.history import Version
from retraining.html.pictures import Picture, Pictures, Section, Table, sections
from retraining.html.rules import Rule, rule_shown
from retraining.html.trust import Trust, trust
from retraining.html.wording import Said, moment_text, number, plain, spaced, toned, version_of
from retraining.report.conclusion import Conclusion, conclusion
from retraining.report.lineage import Link, lineage
from retraining.report.timeline import timeline
from retraining.report.told import Happened, Told
from retraining.report.versions import history
from retraining.text import shorten

MAX_RULES: Final = 60
"""Rules that a report shows."""

MAX_FACTS: Final = 60
"""Facts that a report shows: the newest."""

MAX_MISSING: Final = 20
"""Things that could not be read that a report names."""

MAX_TEXT: Final = 600
"""Characters of a reason, or of what could not be read."""

_KINDS: Final = {
    "landed": "Data landed",
    "requested": "A start was requested",
    "admitted": "The start was admitted",
    "started": "The execution started",
    "stepEnded": "A step ended",
    "ended": "The execution ended",
    "registered": "The model was registered",
    "judged": "The rules judged it",
    "decided": "It was decided",
    "superseded": "It was superseded",
    "setBack": "It was set back to pending",
    "rolledBack": "It was rolled back",
    "anchored": "It became the anchor",
    "notified": "Approvers were notified",
}
"""What happened, by the kind of a fact of the evidence."""

_STATUSES: Final = {PENDING: "Waits for a decision"}


@dataclass(frozen=True)
class Known:
    """What a report is made from. `metric` names the one of the history, None where it is not known.

    `unknown` says, by part, why it could not be read.
    """

    model: str
    told: Told
    evidence_uri: str
    pictures: Pictures = field(default_factory=Pictures)
    versions: Sequence[Version] = ()
    metric: str | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """The report."""

    title: str
    execution: str
    status: Said
    started: str
    conclusion: Conclusion
    rules: tuple[Rule, ...]
    rules_left: int
    metrics: Table
    trust: Trust
    sections: tuple[Section, ...]
    timeline: Picture | None
    lineage: tuple[Link, ...]
    files: Table
    files_left: int
    happened: Table
    history: Picture | None
    missing: tuple[str, ...]
    unknown: Mapping[str, str]
    evidence_uri: str


def report(known: Known) -> Report:
    """The report about what is known."""
    told = known.told
    arn = told.model_package_arn
    name = f"version {version_of(arn)}" if arn else f"execution {told.execution_id}"
    drawn = sections(known.pictures)
    results = told.verdict.rules if told.verdict else ()
    links, files = lineage(told)
    found = trust(next((item.evaluation for item in known.versions if item.package.arn == arn), None))
    return Report(
        title=f"{plain(known.model)}, {plain(name)}",
        execution=plain(told.execution_id),
        status=_status(told),
        started=moment_text(told.start_time) if told.start_time else "",
        conclusion=conclusion(known.model, told, known.versions, found.leap),
        rules=tuple(rule_shown(result) for result in results[:MAX_RULES]),
        rules_left=max(0, len(results) - MAX_RULES),
        metrics=Table() if _has(drawn, "metrics") else _metrics(told),
        trust=found,
        sections=drawn,
        timeline=timeline(told.steps),
        lineage=links,
        files=files,
        files_left=max(0, (told.data.file_count or len(told.data.files)) - len(files.rows)),
        happened=_happened(told.facts),
        history=history(known.versions, known.metric, arn) if known.metric else None,
        missing=tuple(shorten(text, MAX_TEXT) for text in told.missing[:MAX_MISSING]),
        unknown=known.unknown,
        evidence_uri=known.evidence_uri,
    )


def _status(told: Told) -> Said:
    """The package's approval status; the execution's where there is no package."""
    status = told.model_approval_status or told.pipeline_execution_status or "unknown"
    return Said(_STATUSES.get(status, status), toned(status).tone)


def _has(drawn: Iterable[Section], name: str) -> bool:
    return any(picture.id == name for section in drawn for picture in section.pictures)


def _metrics(told: Told) -> Table:
    """The candidate's metrics, for an execution without the picture of them."""
    rows = (
        (spaced(name), number(value) if value is not None else "—") for name, value in told.metrics.items()
    )
    return Table(columns=("Metric", "Candidate"), rows=tuple(rows))


def _happened(facts: Sequence[Happened]) -> Table:
    """What the evidence has recorded, oldest first."""
    return Table(
        columns=("When", "What", "By", "About", "Why"),
        rows=tuple(
            (
                moment_text(fact.at) if fact.at else "—",
                _KINDS.get(fact.kind, plain(fact.kind)) + (f": {plain(fact.status)}" if fact.status else ""),
                plain(" ".join(filter(None, (fact.by, fact.who and f"({fact.who})")))) or "—",
                shorten(fact.subject, MAX_TEXT) if fact.subject else "—",
                shorten(fact.why, MAX_TEXT) if fact.why else "—",
            )
            for fact in facts[-MAX_FACTS:]
        ),
    )
