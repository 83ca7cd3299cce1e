"""Rules that are valid and probably not what was meant. A file with one is refused.

Configurations that were stored are not: an earlier version may have accepted them. The verdict does not rely
on this check.
"""

from __future__ import annotations

from collections.abc import Iterator

from retraining.config.fields import Problem
from retraining.config.rules import COMPARED_ROWS, Approval, MetricRule
from retraining.config.tasks import LOWER_IS_BETTER


def doubts(approval: Approval) -> Iterator[Problem]:
    """Why the rules are probably not what was meant, and what to write instead."""
    about = [(number, rule) for number, rule in enumerate(approval.rules) if isinstance(rule, MetricRule)]
    for number, rule in about:
        if found := _too_few_samples(rule) or _percent(rule) or _wrong_limit(rule):
            yield ("rules", number), found
    if about and not any(rule.asks_for_quality for _, rule in about):
        yield (
            ("rules",),
            "no rule asks for a good model, as they only limit what is too good: name a max of a loss, a min "
            "of another metric, or max_loss or min_gain",
        )


def _too_few_samples(rule: MetricRule) -> str | None:
    """A comparison needs COMPARED_ROWS whatever `min_samples` says."""
    asked = rule.min_samples or COMPARED_ROWS
    if not rule.compares or asked >= COMPARED_ROWS:
        return None
    return (
        f"a comparison needs at least {COMPARED_ROWS} rows, so min_samples {asked} has no effect: remove it, "
        f"or ask for more than {COMPARED_ROWS}"
    )


def _percent(rule: MetricRule) -> str | None:
    """A limit of mape seems to be in percent. It is a share, of which 1 is 100 %."""
    if rule.metric != "mape":
        return None
    limits = {"min": rule.min, "max": rule.max}
    if (versus := rule.versus_champion) and not versus.relative:
        limits |= {"max_loss": versus.max_loss, "min_gain": versus.min_gain, "max_gain": versus.max_gain}
    if (anchor := rule.versus_anchor) and not anchor.relative:
        limits["max_loss"] = max(anchor.max_loss, limits.get("max_loss") or 0.0)
    for name, limit in limits.items():
        if limit is not None and limit > 1:
            return (
                f"mape is a share, so {name} {limit:g} means {100 * limit:g} %: "
                f"write {limit / 100:g} for {limit:g} %"
            )
    return None


def _wrong_limit(rule: MetricRule) -> str | None:
    """Of a loss, `min` alone rejects only what is good."""
    lone = rule.min is not None and rule.metric in LOWER_IS_BETTER and not rule.asks_for_quality
    if not lone or rule.on_fail != "reject":
        return None
    return (
        f"{rule.metric} is better the lower it is, and min alone rejects only what is good: write max, or "
        "on_fail: hold if it asks about a value that is too good to be true"
    )
