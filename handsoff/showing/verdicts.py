"""Shows verdicts: the decision, what it rests on, and every rule with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from handsoff.operating.decisions import Judgement, judgement_as_json
from handsoff.pages import page
from handsoff.showing.console import coloured, escape, moment, print_lines
from handsoff.showing.evidence import decision_lines
from retraining.candidates.state import BeingDecided, Decided, Waits, said_by
from retraining.verdicts.verdict import COMPARING, Code, Finding, Reason, RuleResult, Verdict
from retraining.verdicts.wording import number, typeset

SIGNS: Final = {"max": "≤", "max_gain": "≤", "better_than_guessing": ">"}
"""The sign before the limit of a question; ≥ for a question that is not listed."""


POWER: Final = 0.84
"""The normal quantile of four in five: how far above its limit a bound must lie on average."""

DECIDE: Final = "docs/how-to/decide-on-a-candidate.md"
"""The page about candidates that wait for a person."""

PAGES: Final[Mapping[Code, str]] = {
    "lookalike_rows": "docs/how-to/tell-rows-apart.md#when-lookalikes-hold-a-candidate",
    "champion_lookalike_rows": "docs/how-to/tell-rows-apart.md#when-lookalikes-hold-a-candidate",
    "champion_not_comparable": f"{DECIDE}#go-on-after-a-champion-that-cannot-be-compared-with",
    "anchor_changed": f"{DECIDE}#keep-a-model-from-getting-worse-slowly",
    "anchor_gone": f"{DECIDE}#keep-a-model-from-getting-worse-slowly",
    "anchor_sees_unknown": f"{DECIDE}#keep-a-model-from-getting-worse-slowly",
}
"""Where the docs say what to do about a reason that holds whatever the rules say."""


def show_judgement(console: Console, judgement: Judgement) -> None:
    """Print who decided on a package, the verdict on it, and every rule."""
    found = judgement_as_json(judgement)
    lines = [("model package", escape(judgement.package.arn)), ("approval", _approval(judgement))]
    lines += decision_lines(found)
    fact = judgement.verdict
    if fact is None:
        print_lines(console, lines)
        console.print("there is no verdict yet: the package has not been judged")
        return
    lines.append(("judged", moment(fact.taken_at)))
    if fact.again:
        lines.append(("judged again", f"by {escape(fact.again.by)}, because {escape(fact.again.why)}"))
    for earlier in fact.earlier:
        why = escape("; ".join(earlier.verdict.texts[:1]))
        lines.append(("earlier", f"{coloured(earlier.verdict.decision)} {moment(earlier.taken_at)}: {why}"))
    print_lines(console, lines)
    show_verdict(console, fact.verdict, decided=isinstance(judgement.state, Decided))


def _approval(judgement: Judgement) -> str:
    """The approval status of the package, and its state in words."""
    status = coloured(judgement.package.approval_status)
    match judgement.state:
        case Waits():
            waits = "waits for a person" if judgement.verdict else "the rules have not judged it yet"
            return f"{status}: {waits}"
        case BeingDecided(decision):
            being = f"is being {decision.status.lower()} {said_by(decision.by, decision.who)}"
            return f"{status}: {escape(being)}"
        case Decided(decision):
            return f"{status} {escape(said_by(decision.by, decision.who))}"


def show_verdict(console: Console, verdict: Verdict, *, assumed: bool = False, decided: bool = False) -> None:
    """Print a verdict: champion and rows, a table of its rules, and all reasons; what to do, until `decided`.

    `assumed`: its look at the validation rows is not the ledger's.
    """
    lines = [
        ("verdict", coloured(verdict.decision)),
        ("champion", escape(verdict.champion or "none")),
        ("validation rows", _validation_rows(verdict)),
        ("rules sha256", verdict.rules_sha256),
    ]
    if verdict.anchor:
        lines.insert(2, ("anchor", escape(verdict.anchor)))
    if verdict.look:
        lines.append(("look", f"{verdict.look} at these validation rows{' (assumed: --look)' * assumed}"))
    if verdict.first_model:
        lines.append(("first model", f"there was no champion, and first_model is {verdict.first_model}"))
    if verdict.without_champion:
        lines.append(("put aside", f"the champion: {escape(verdict.without_champion)}"))
    print_lines(console, lines)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rule")
    for name in ("observed", "needed", "rows"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("outcome → effect")
    for rule in verdict.rules:
        for row, finding in enumerate(rule.findings or (None,)):
            name = escape(rule.rule) if row == 0 else ""
            table.add_row(name, *_cells(finding), _outcome(rule, finding))
    for reason in _built_in(verdict):
        table.add_row(reason.code.replace("_", " "), "", "", "", f"always on → {coloured(reason.effect)}")
    console.print(table)
    for text in _said(verdict):
        console.print(f"- {escape(text)}", soft_wrap=True)
    for text in _about_rows(verdict):
        console.print(text, soft_wrap=True)
    for path in () if decided else _pages(verdict):
        console.print(f"what to do: {escape(page(path))}", soft_wrap=True)


def _validation_rows(verdict: Verdict) -> str:
    """The rows that the candidate is measured on, and that comparisons leave out more where they do."""
    compared = [
        finding.n
        for rule in verdict.rules
        for finding in rule.findings
        if finding.question in COMPARING and finding.n is not None and "left out: " in finding.text
    ]
    if not compared or max(compared) >= verdict.n:
        return f"{verdict.n:,}"
    return f"{verdict.n:,}; comparisons have fewer, and their lines say how many were left out and why"


def _built_in(verdict: Verdict) -> list[Reason]:
    """The reasons that hold the candidate and belong to no rule."""
    return [reason for reason in verdict.reasons if reason.effect == "hold"]


def _said(verdict: Verdict) -> list[str]:
    """The reasons, the decisive ones first, then all other results of rules.

    A reason that a rule's result has already said is left out.
    """
    rules = [rule.text for rule in verdict.rules]
    said = []
    for reason in verdict.reasons:
        if any(reason.text != text and reason.text in text for text in rules):
            continue
        said.append(f"{reason.text} → {reason.effect}" if reason.effect else reason.text)
    return [*said, *(text for text in rules if text not in verdict.texts)]


def _about_rows(verdict: Verdict) -> list[str]:
    """How many rows an undecided margin needs, and what clusters are, where there are any."""
    found = [(rule, finding) for rule in verdict.rules for finding in rule.findings]
    said = [f"{rule.rule}: {text}" for rule, finding in found if (text := _rows_needed(finding))]
    if any(finding.clusters is not None for _, finding in found):
        said.append(
            "clusters: independent groups of rows (one data.group, or equal rows); minimum numbers count them"
        )
    return said


def _rows_needed(finding: Finding) -> str:
    """About how many rows or clusters an equally good candidate needs to pass in four of five cases.

    Empty for what is no undecided loss. docs/explanation/approval.md has the formula: the standard error of
    the gain shrinks with the root of the rows.
    """
    error, units = finding.standard_error, finding.clusters or finding.n
    if finding.outcome != "undecided" or finding.question != "max_loss" or not finding.limit:
        return ""
    if error is None or units is None or finding.estimate is None or finding.observed is None:
        return ""
    half = finding.estimate - finding.observed
    needed = units * ((half + POWER * error) / finding.limit) ** 2
    unit = "row" if finding.clusters is None else "cluster"
    about = float(f"{needed:.2g}")
    return (
        f"standard error {error:.4g} on {_thousands(units, unit)}; an equally good candidate passes "
        f"in four of five cases with about {_thousands(about, unit)}"
    )


def _thousands(n: float, noun: str) -> str:
    return f"{n:,.0f} {noun}" if n == 1 else f"{n:,.0f} {noun}s"


def _pages(verdict: Verdict) -> list[str]:
    """The pages that say what to do about a candidate that is held, each once."""
    if verdict.decision != "HOLD":
        return []
    named = [PAGES[reason.code] for reason in _built_in(verdict) if reason.code in PAGES]
    return list(dict.fromkeys([f"{DECIDE}#read-why-it-is-held", *named]))


def _cells(finding: Finding | None) -> tuple[str, str, str]:
    """A finding's observed value, limit and rows."""
    if finding is None:
        return "", "", ""
    rows = "" if finding.n is None else f"{finding.n:,}"
    if finding.clusters is not None:
        rows += f" ({_thousands(finding.clusters, 'cluster')})"
    if finding.limit is None:
        return "", "", rows
    if finding.question == "min_samples":
        unit = "rows" if finding.clusters is None else "clusters"
        return "", f"≥ {finding.limit:.0f} {unit}", rows
    needed = f"{SIGNS.get(finding.question, '≥')} {typeset(f'{finding.limit:.4g}')}"
    if finding.observed is None:
        return "not known", needed, rows
    return _observed(finding, finding.observed, finding.limit), needed, rows


def _observed(finding: Finding, value: float, limit: float) -> str:
    """The observed value; of an interval the end that decides, or both where it is undecided."""
    gain = "gain " if finding.question in (*COMPARING, "max_gain", "better_than_guessing") else ""
    if finding.bounds is None:
        sign = "≥ " if finding.question in (*COMPARING, "better_than_guessing") else ""
        return f"{gain}{sign}{number(value, limit)}"
    low, high = (number(end, limit) for end in finding.bounds)
    if finding.outcome == "undecided":
        return f"{gain}{low} to {high}"
    above = (finding.outcome == "pass") != (finding.question == "max")
    return f"{gain}≥ {low}" if above else f"{gain}≤ {high}"


def _outcome(rule: RuleResult, finding: Finding | None) -> str:
    said = coloured((finding or rule).word)
    return f"{said} → {coloured(rule.effect)}" if rule.effect != "none" else said
