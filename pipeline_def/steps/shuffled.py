"""What own code answered in ScoreCandidate for rows with shuffled values: shuffled.json and shuffled.npz.

Both may be missing: an earlier version did not write them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from job import Array, read_json
from predicted import Predicted, as_predicted, read_scoring

SCHEMA_VERSION: Final = 1
"""The version of shuffled.json that is read."""


class NotAsked(Exception):
    """There are no answers. The message is why."""


@dataclass(frozen=True)
class Shuffled:
    """The answers for some of the validation rows, whose `places` these are.

    `base` are the predictions of the rows as they are, `answers` those of each repeat with a feature's values
    shuffled. `of` is how many columns the model gets; it refused the shuffled values of the `refused`.
    """

    places: Array
    base: Array
    answers: dict[str, list[Array]]
    of: int
    refused: Sequence[str]
    seconds: float


def read_shuffled(model: Predicted) -> Shuffled:
    """What score.py wrote to the model's folder. Raises NotAsked, or ValueError for files that do not fit."""
    folder = model.folder or Path()
    if model.folder is None or not (folder / "shuffled.json").exists():
        raise NotAsked("own code is known by its predictions; it was not asked again with shuffled features")
    found = read_json(folder / "shuffled.json")
    if found["schema_version"] != SCHEMA_VERSION:
        raise NotAsked(f"shuffled.json has version {found['schema_version']}, which is not read here")
    if found["problem"]:
        raise NotAsked(found["problem"])
    if not found["features"]:
        refused = len(found["refused"])
        raise NotAsked(
            f"its code refused the shuffled values of {refused:,} features"
            if refused
            else f"no feature could be asked about within {found['seconds']:.0f} seconds"
        )
    returns = read_scoring(folder)["returns"]
    with np.load(folder / "shuffled.npz", allow_pickle=False) as arrays:
        base, answers = arrays["base"], arrays["answers"]
    if answers.shape != (len(found["features"]), found["repeats"], len(found["rows"]), base.shape[1]):
        raise ValueError("shuffled.npz and shuffled.json do not fit")
    return Shuffled(
        places=np.array(found["rows"]),
        base=as_predicted(base, returns, model.config),
        answers={
            name: [as_predicted(each, returns, model.config) for each in some]
            for name, some in zip(found["features"], answers, strict=True)
        },
        of=found["of"],
        refused=found["refused"],
        seconds=found["seconds"],
    )
