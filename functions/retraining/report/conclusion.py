"""Pure: what a report says first: what was decided, why, by whom, and what to do now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from retraining.facts.package import PENDING
from retraining.history import Version
from retraining.html.wording import Said, decider, moment_text, plain, spaced, version_of
from retraining.report.told import Told, Verdict
from retraining.text import shorten

MAX_REASONS: Final = 12
"""Reasons that are shown; the table of rules has all results."""

MAX_REASON: Final = 600
"""Characters of a reason."""

_HOLDS: Final = ("rule_passed", "rule_skipped")
"""Codes of reasons that say nothing against a candidate."""

_BESIDE: Final = ("rule_warned", "asks_nothing", "data_note")
"""Codes of reasons that decide nothing, whatever the verdict is."""

_NOT_YET: Final = ("Executing", "Stopping")


@dataclass(frozen=True)
class Conclusion:
    """What became of the execution, why, and what to do now. `commands` are lines that a person may run.

    `beside` is what a person should know, and what decided nothing.
    """

    said: Said
    reasons: tuple[str, ...]
    earlier: tuple[str, ...]
    todo: str
    commands: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()


def conclusion(model: str, told: Told, versions: Sequence[Version], leap: str = "") -> Conclusion:
    """The conclusion of an execution; `versions` are the model's, as far as they are known.

    `leap` says that the gain over the champion is a leap; empty if it is none.
    """
    found = _conclusion(model, told, versions)
    return replace(found, beside=(*filter(None, (leap,)), *_warnings(told.verdict)))


def _conclusion(model: str, told: Told, versions: Sequence[Version]) -> Conclusion:
    if told.model_package_arn is None:
        return _without_package(model, told)
    if told.model_approval_status is None:
        text = "Nothing. Its model package was deleted from the registry, or could not be read."
        return Conclusion(Said("The model package is gone", "open"), _reasons(told.verdict), (), text)
    if told.model_approval_status == PENDING:
        return _waiting(model, told)
    return _decided(told, versions)


def _without_package(model: str, told: Told) -> Conclusion:
    status = told.pipeline_execution_status
    why = (told.failure_reason,) if told.failure_reason else ()
    steps = tuple(
        f"{step.name}: {step.failure_reason}"
        for step in told.steps
        if step.status == "Failed" and step.failure_reason
    )
    reasons = tuple(shorten(text, MAX_REASON) for text in (*steps, *why))
    if status in _NOT_YET:
        return Conclusion(
            Said("The execution has not ended yet", "open"),
            reasons,
            (),
            "Wait. This report is written again when the execution ends.",
        )
    if status == "Succeeded":
        return Conclusion(
            Said("The execution registered no model", "open"),
            reasons,
            (),
            "Nothing. The champion stays as it is.",
        )
    return Conclusion(
        Said(
            f"The execution {'was stopped' if status == 'Stopped' else 'failed'}, so there is no new model",
            "bad",
        ),
        reasons,
        (),
        "The champion stays as it is. Read the log of the step, mend the cause, and start another execution.",
        (f"handsoff logs {plain(told.execution_id)}", f"handsoff start {plain(model)}"),
    )


def _waiting(model: str, told: Told) -> Conclusion:
    name = f"{plain(model)}/{plain(version_of(told.model_package_arn or ''))}"
    if told.verdict is None:
        return Conclusion(
            Said("The rules have not judged the candidate yet", "open"),
            (),
            _earlier(told),
            "Wait. The rules judge a candidate within minutes, and this report is written again.",
        )
    return Conclusion(
        Said("The candidate waits for a person", "open"),
        _reasons(told.verdict),
        _earlier(told),
        "Read the reasons and the pictures. Then decide, by the link in the notification or by a command:",
        tuple(f'handsoff {verb} {name} --reason "…"' for verb in ("approve", "reject")),
    )


def _decided(told: Told, versions: Sequence[Version]) -> Conclusion:
    approved = told.model_approval_status == "Approved"
    by = f" by {decider(told.decided_by, told.decided_who)}" if told.decided_by else ""
    at = f" on {moment_text(told.decided_at)}" if told.decided_at else ""
    word = "Approved" if approved else "Rejected"
    why: tuple[str, ...] = ()
    if told.decided_why and told.decided_by != "rules":
        why = (f"“{shorten(told.decided_why, MAX_REASON)}”",)
    return Conclusion(
        Said(f"{word}{by}{at}", "good" if approved else "bad"),
        (*why, *_reasons(told.verdict)),
        _earlier(told),
        _now(told, versions, approved=approved),
    )


def _now(told: Told, versions: Sequence[Version], *, approved: bool) -> str:
    """What is the champion now, as far as that is known."""
    champion = next((version for version in versions if version.is_champion), None)
    if champion is None:
        return "Nothing." if versions else "Nothing. Which version is the champion now is not known here."
    if champion.package.arn == told.model_package_arn:
        return f"Nothing. It has been the champion since {moment_text(champion.reigns[-1].since)}."
    instead = f"Version {champion.number} is the champion now"
    return f"Nothing. {instead}." if approved else f"Nothing. It is not used. {instead}."


def _reasons(verdict: Verdict | None) -> tuple[str, ...]:
    """What decided, without rules that hold: their number comes last, and the table of rules has them."""
    if verdict is None:
        return ()
    decided = [text for text, code in _coded(verdict) if not _is_beside(verdict, code)]
    met = sum(rule.outcome == "pass" for rule in verdict.rules)
    skipped = sum(rule.outcome == "skipped" for rule in verdict.rules)
    rules = f"Rules that are met: {met}" + (f"; that were not asked: {skipped}." if skipped else ".")
    return (*_shown(decided), *((rules,) if verdict.rules else ()))


def _warnings(verdict: Verdict | None) -> tuple[str, ...]:
    """Warnings and notes. Of a verdict that approves, every reason beside rules that hold is one."""
    if verdict is None:
        return ()
    return _shown([text for text, code in _coded(verdict) if _is_beside(verdict, code)])


def _coded(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """The reasons with their codes, without those of rules that hold."""
    codes = [*verdict.reason_codes, *[""] * len(verdict.reasons)]
    pairs = zip(verdict.reasons, codes, strict=False)
    return ((text, code) for text, code in pairs if code not in _HOLDS)


def _is_beside(verdict: Verdict, code: str) -> bool:
    return verdict.decision == "APPROVE" or code in _BESIDE


def _shown(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(spaced(shorten(text, MAX_REASON)) for text in texts[:MAX_REASONS])


def _earlier(told: Told) -> tuple[str, ...]:
    """Decisions that were set back, oldest first."""
    return tuple(
        f"{'Set back to pending' if item.status == PENDING else item.status}"
        f"{f' on {moment_text(item.at)}' if item.at else ''} by {decider(item.by, item.who)}"
        + (f": “{shorten(item.why, MAX_REASON)}”" if item.why else "")
        for item in told.earlier_decisions[-MAX_REASONS:]
    )
