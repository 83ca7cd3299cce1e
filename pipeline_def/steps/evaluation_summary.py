"""The evaluation as a table for the job's log."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from job import Json, listed
from scoring import TASKS

MAX_DRIFTED: Final = 5
"""Features that the log names, those that drifted furthest."""

MAX_SLICE_METRICS: Final = 4
"""Metrics of a slice that the log shows, the first of the task."""

WORSE: Final = 0.05
"""The corrected p-value below which the log names a slice as worse."""


def summary(evaluation: Mapping[str, Any]) -> str:
    """Candidate, guessing, slices, champion, anchor and drift, one line for each fact."""
    ours = evaluation["handsoff"]
    beside = [*_champion(ours), *_anchor(ours)]
    return "\n".join([*_candidate(ours), *_slices(ours), *_unknown(ours), *beside, *_drift(ours)])


def _candidate(ours: Json) -> list[str]:
    candidate, baseline = ours["candidate"], ours["baseline"]
    lines = [f"candidate on {candidate['n']} rows"]
    if candidate["clusters"] < candidate["n"]:
        lines[0] += f" in {candidate['clusters']} clusters"
    if ours["leaked"]:
        lines[0] += f"; left out: {ours['leaked']} validation rows that it was trained on"
    if ours["same_group"]:
        lines[0] += f"; left out: {ours['same_group']} validation rows of groups that it was trained on"
    lines += _lookalikes(ours["lookalikes"], "the candidate")
    if found := ours["copies"]:
        lines.append(
            f"{found['equal']} of {found['n']} different validation rows look like another validation row: "
            f"z = {found['z']:.2f}"
        )
    if candidate["unusable"]:
        lines.append(
            f"warning: {candidate['unusable']} predictions are no finite numbers, or no probabilities, "
            "so no metric is defined"
        )
    lines.append(f"  {'':26} {'value':>10}   {'deviation':>9}   guessing {baseline['predicts']}")
    for name, metric in candidate["metrics"].items():
        guessed = baseline["metrics"][name]["value"]
        lines.append(
            f"  {name:26} {metric['value']:10.4f} ± {metric['standard_deviation']:9.4f}   {guessed:.4f}"
        )
    return lines


def _lookalikes(found: Json | None, model: str) -> list[str]:
    if not found:
        return []
    return [
        f"{found['equal']} of {found['n']} different validation rows look like a training row of {model}, "
        f"and {found['train_share']:.1%} of its {found['train_n']} different training rows look like another "
        f"training row: z = {found['z']:.2f}"
    ]


def _slices(ours: Json) -> list[str]:
    names = TASKS[ours["task"]].METRICS[:MAX_SLICE_METRICS]
    lines = []
    for item in ours["slices"]:
        values = ", ".join(f"{name} {item['metrics'][name]['value']:.4f}" for name in names)
        where = ", ".join(f"{column}={value}" for column, value in item["where"].items())
        lines.append(f"where {where}: {item['n']} rows, {values}")
    return lines


def _unknown(ours: Json) -> list[str]:
    """The features whose categories the candidate or the champion does not know in some rows."""
    compared = (ours["comparison"] or {}).get("unknown", {})
    lines = []
    for who, found in (("the candidate", ours["unknown"]), ("the champion", compared)):
        shares = [f"{name} {item['share']:.1%}" for name, item in found.items() if item["share"]]
        if shares:
            lines.append(f"rows with categories that {who} does not know: {listed(shares)}")
    return lines


def _champion(ours: Json) -> list[str]:
    if not ours["champion"]:
        return ["there is no champion"]
    if ours["champion_problem"]:
        return [f"champion {ours['champion']} not compared: {ours['champion_problem']}"]
    found = ours["comparison"]
    lines = _against("champion", ours["champion"], found)
    if agreed := found["agreement"]:
        lines.append(
            f"  right: both {agreed['both_right']}, only the candidate {agreed['only_candidate']}, "
            f"only the champion {agreed['only_champion']}, none {agreed['both_wrong']}; "
            f"McNemar p = {agreed['mcnemar_p']:.4f}"
        )
    return lines + [_worse(item) for item in found["found_slices"] if item["p_holm"] < WORSE]


def _worse(found: Json) -> str:
    """One of the slices in which the candidate is worse."""
    where = f"= {found['value']}" if found["value"] is not None else "without a value"
    if found["range"]:
        where = f"from {found['range'][0]:g} to {found['range'][1]:g}"
    return (
        f"worse where {found['column']} {where}: {found['loss']} {found['difference']:+.4f} "
        f"(margin {found['margin']:.4f}) on {found['n']} rows, p = {found['p_holm']:.4f}"
    )


def _anchor(ours: Json) -> list[str]:
    anchor = ours["anchor"]
    if not anchor:
        return []
    if anchor["package"] == ours["champion"]:
        return ["the anchor is the champion"]
    if anchor["problem"]:
        return [f"anchor {anchor['package']} not compared: {anchor['problem']}"]
    return _against("anchor", anchor["package"], anchor["comparison"])


def _against(model: str, package: str, found: Json) -> list[str]:
    """The comparison with the champion or the anchor: its rows, and the differences of the metrics."""
    lines = [f"against {model} {package} on {found['n']} rows, {found['excluded']} excluded"]
    if found["excluded_groups"]:
        lines[0] += f", {found['excluded_groups']} more of groups that it was trained on"
    lines += _lookalikes(found["lookalikes"], f"the {model}")
    for name, metric in found["differences"].items():
        lines.append(f"  {name:26} {metric['value']:+10.4f} ± {metric['standard_error']:9.4f}")
    return lines


def _drift(ours: Json) -> list[str]:
    if not ours["drift"]:
        return []
    beyond = {name: item["psi"] - item["by_chance"] for name, item in ours["drift"]["columns"].items()}
    worst = sorted(beyond.items(), key=lambda item: (math.isnan(item[1]), -item[1]))[:MAX_DRIFTED]
    features = ", ".join(f"{name} {value:.3f}" for name, value in worst)
    return [f"drift since the champion, beyond chance: {features}"]
