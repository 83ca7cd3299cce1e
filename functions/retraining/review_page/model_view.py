"""Pure: what the page of a model shows, as text in order, from what is known of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from retraining.config.schema import ModelConfig
from retraining.facts.model_state import ModelState
from retraining.facts.starts import ExecutionFact
from retraining.history import Version
from retraining.html.pictures import Picture
from retraining.html.wording import Said, interval, moment_text, number, plain, spaced, toned
from retraining.review_page.view import Decided, Earlier

TRIGGERS: Final = {
    "landing": "new data",
    "schedule": "the schedule",
    "request": "a person",
    "manual": "by hand in SageMaker",
}
"""What started an execution, in words."""


@dataclass(frozen=True)
class Started:
    """An execution in the listing: its id, status and start, and what the ledger knows of it."""

    identity: str
    status: str
    at: datetime
    fact: ExecutionFact | None = None


@dataclass(frozen=True)
class KnownModel:
    """What was read about a model. `unknown` says, by section, why a part could not be read.

    `metrics` are those of its rules; the history is told by the first. `pause` says why nothing starts: "" if
    nothing holds starts back, None if that is not known.
    """

    model: str
    config: ModelConfig | None
    state: ModelState | None = None
    pause: str | None = None
    metrics: tuple[str, ...] = ()
    versions: Sequence[Version] = ()
    picture: Picture | None = None
    executions: Sequence[Started] = ()
    next_start: str = ""
    unknown: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VersionRow:
    """One version in the table. `champion` says when it was champion; `others` are the rules' further
    metrics."""

    number: str
    registered: datetime
    said: Said
    value: str
    interval: str
    others: str
    champion: str
    decided: Decided | None


@dataclass(frozen=True)
class ExecutionRow:
    """One execution in the table. `came_of_it` is its version, or the step that failed."""

    identity: str
    status: Said
    at: datetime
    trigger: str
    came_of_it: str


@dataclass(frozen=True)
class ModelPage:
    """The page."""

    model: str
    champion: VersionRow | None
    waiting: tuple[VersionRow, ...]
    facts: tuple[tuple[str, str], ...]
    metric: str
    picture: Picture | None
    versions: tuple[VersionRow, ...]
    executions: tuple[ExecutionRow, ...]
    unknown: Mapping[str, str]


def model_page(known: KnownModel) -> ModelPage:
    """The page about what is known of a model."""
    metric, *others = known.metrics or ("",)
    rows = [(version, _version(version, metric, others)) for version in known.versions]
    return ModelPage(
        model=known.model,
        champion=next((row for version, row in rows if version.is_champion), None),
        waiting=tuple(row for version, row in rows if version.package.pending),
        facts=_facts(known),
        metric=spaced(metric),
        picture=known.picture,
        versions=tuple(row for _, row in rows),
        executions=tuple(_execution(started, known.versions) for started in known.executions),
        unknown=known.unknown,
    )


def _version(version: Version, metric: str, others: Sequence[str]) -> VersionRow:
    package, measured = version.package, version.metrics.get(metric)
    shown = Earlier(package.arn, package.approval_status, package.created_at, version.decision)
    reigns = (
        f"{moment_text(reign.since)} to {moment_text(reign.until) if reign.until else 'now'}"
        for reign in version.reigns
    )
    further = (
        f"{spaced(name)} {number(found.value)}" for name in others if (found := version.metrics.get(name))
    )
    return VersionRow(
        number=shown.version,
        registered=package.created_at,
        said=Said("Champion", "good") if version.is_champion else shown.said,
        value=number(measured.value) if measured else "—",
        interval=interval(*measured.interval) if measured else "",
        others=", ".join(further) or plain(version.problem or ""),
        champion="; ".join(reigns),
        decided=shown.decided,
    )


def _execution(started: Started, versions: Sequence[Version]) -> ExecutionRow:
    fact = started.fact or ExecutionFact()
    made = (
        version
        for version in versions
        if (version.package.execution or "").rsplit("/", 1)[-1] == started.identity
    )
    failed = [name for name, status in fact.steps.items() if status == "Failed"]
    version = next(made, None)
    return ExecutionRow(
        identity=started.identity,
        status=toned(started.status),
        at=started.at,
        trigger=TRIGGERS.get(fact.trigger or "manual", str(fact.trigger)),
        came_of_it=f"version {version.number}"
        if version
        else f"{', '.join(failed)} failed"
        if failed
        else "",
    )


def _facts(known: KnownModel) -> tuple[tuple[str, str], ...]:
    """What runs, what waits and for what, and when the next start is due."""
    config, state = known.config, known.state
    if config is None:
        return (("Configuration", "The model has no valid configuration now."),)
    facts = [("Runs", _running(state)), ("Waits", _pending(state)), ("Paused", _paused(known.pause))]
    schedule = config.retrain.schedule
    said = f"{schedule}, time zone {config.retrain.schedule_timezone}" if schedule else "none"
    facts += [("Schedule", said), ("Next start by the schedule", known.next_start)]
    return tuple((name, plain(text)) for name, text in facts if text)


def _paused(pause: str | None) -> str:
    return "" if pause is None else pause or "no"


def _running(state: ModelState | None) -> str:
    if state is None:
        return ""
    if state.running is None:
        return "no execution"
    arn = state.running.execution_arn
    return f"execution {arn.rsplit('/', 1)[-1]}" if arn else "an execution is being made"


def _pending(state: ModelState | None) -> str:
    """Why a start that was asked for has not happened; "" if none waits."""
    if state is None:
        return ""
    if state.blocked and (state.pending or state.unmade or state.bad_files):
        return f"blocked since {moment_text(state.blocked.since)}: {state.blocked.reason}"
    return (state.reason or "a start request, not looked at yet") if state.pending else ""
