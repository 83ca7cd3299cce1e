"""Pure: verdicts as handsoff 0.1 stored them, in today's form. Nothing else reads 0.1's English.

0.1 stored reasons as plain texts, and rule results without kind and numbers. Everything that is derived here
follows from the texts that 0.1 wrote. Stored verdicts that have codes and kinds stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_COMPARED: Final = re.compile(r"\b(max_loss|min_gain) [^ ,]+( %)?, confidence [^ ,]+$")
"""How the description of a metric rule ends that compares with the champion."""

_DATA: Final = ("train rows ", "validation rows ", "missing share of ")
"""How the descriptions of data rules begin, apart from drift."""

_CODES: Final = {
    "no rule was met": "no_rule_met",
    "the champion changed": "champion_changed",
    "the champion cannot be compared with": "champion_not_comparable",
    "the champion was put aside": "champion_put_aside",
    "this is the group's first model": "first_model_hold",
    "the task changed": "another_task",
    "the classes changed": "another_classes",
    "the evaluation is of": "evaluation_of_another_execution",
    "its model ": "artifact_elsewhere",
    "its evaluation ": "artifact_elsewhere",
    "drift was measured against": "drift_reference",
    "a person has rejected": "rejected_same_data",
}
"""The code of each reason that is no rule's result, by the words with which its text begins."""

_OUTCOMES: Final = {
    "pass": "rule_passed",
    "skipped": "rule_skipped",
    "fail": "rule_failed",
    "unknown": "rule_unknown",
}
"""The code of the result of a rule, by its outcome."""

_GUESSING: Final = {
    ("fail", "reject"): "not_better_than_guessing",
    ("fail", "hold"): "not_shown_better_than_guessing",
    ("unknown", "hold"): "guessing_unknown",
}
"""The code of the comparison with guessing, by outcome and effect."""


def upgraded(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The stored verdict with a code for each reason, and kind and numbers for each rule result.

    What lacks a field or has a value of another type is left for the validation to report.
    """
    found = dict(stored)
    rules, reasons = found.get("rules"), found.get("reasons")
    codes: dict[str, str] = {}
    if isinstance(rules, list | tuple):
        found["rules"] = rules = [_rule(item) for item in rules]
        codes = _codes_by_text(item for item in rules if isinstance(item, Mapping))
    if isinstance(reasons, list | tuple):
        found["reasons"] = [
            {"code": codes.get(item) or _code(item), "text": item} if isinstance(item, str) else item
            for item in reasons
        ]
    return found


def _rule(stored: Any) -> Any:
    """A rule result with its kind, and with numbers for itself and its findings."""
    if not isinstance(stored, Mapping) or "kind" in stored:
        return stored
    findings = stored.get("findings", ())
    if isinstance(findings, list | tuple):
        findings = [_with_numbers(item) if isinstance(item, Mapping) else item for item in findings]
    kind = _kind(str(stored.get("rule", "")))
    return {**_with_numbers(stored), "kind": kind, "findings": findings}


def _kind(rule: str) -> str:
    """The kind of a rule, by its description."""
    if rule == "better than guessing":
        return "guessing"
    if rule.startswith("drift of "):
        return "drift"
    if rule.startswith(_DATA):
        return "data"
    return "versus_champion" if _COMPARED.search(rule) else "metric"


def _with_numbers(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The result with its text up to the conclusion after the last arrow; all of it if there is no arrow."""
    text = str(stored.get("text", ""))
    return {**stored, "numbers": text.rpartition(" → ")[0] or text}


def _codes_by_text(rules: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The codes of rule results by their texts. Two results of one text differ in their effects at most:
    0.1 listed rejections and holds before warnings, so the warning's code does not count."""
    found: dict[str, str] = {}
    for rule in sorted(rules, key=lambda item: item.get("effect") == "warn"):
        found.setdefault(str(rule.get("text")), _code_of(rule))
    return found


def _code_of(rule: Mapping[str, Any]) -> str:
    """The code of a rule result."""
    outcome, effect = str(rule.get("outcome")), str(rule.get("effect"))
    if rule.get("kind") == "guessing" and (outcome, effect) in _GUESSING:
        return _GUESSING[outcome, effect]
    return "rule_warned" if effect == "warn" else _OUTCOMES.get(outcome, "unspecified")


def _code(text: str) -> str:
    """The code of a reason that is no rule's result."""
    return next((code for begin, code in _CODES.items() if text.startswith(begin)), "unspecified")
