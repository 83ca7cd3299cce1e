"""The candidate beside the model's anchor, which is loaded and compared as a champion is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from champion import ChampionProblem, Columns
from comparison import ChampionSource, against_champion, fetched
from job import Array, Json, StepConfig, one_line


def anchor_part(
    anchor: ChampionSource | None,
    beside: Mapping[str, Any],
    config: StepConfig,
    rows: pd.DataFrame,
    candidate: Array,
    *,
    columns: Columns,
    profile: Mapping[str, Any],
    unknown: Mapping[str, Array],
) -> Json | None:
    """What evaluation.json says about the anchor: its ARN, and the problem or the comparison.

    None where there is no anchor to compare with. `beside` is what evaluation.json says about the champion:
    an anchor that is the champion is neither loaded nor compared again. The rest is as `against_champion`
    takes it.
    """
    if anchor is None:
        return None
    if anchor.package == beside["champion"]:
        problem, found = beside["champion_problem"], beside["comparison"]
        return {"package": anchor.package, "problem": problem, "comparison": found}
    try:
        compared, _, _ = against_champion(
            fetched(anchor, config),
            anchor.package,
            config,
            rows,
            candidate,
            columns=columns,
            profile=profile,
            unknown=unknown,
        )
    except ChampionProblem as error:
        return {"package": anchor.package, "problem": one_line(error), "comparison": None}
    return {"package": anchor.package, "problem": None, "comparison": compared}
