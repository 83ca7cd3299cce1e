"""The picture of permutation importance of own code, from what ScoreCandidate asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

import handsoff_shuffles
import pictures_importance
import shuffled
from job import parse_config
from pictures_importance import answered
from predicted import Predicted
from shuffled import NotAsked, read_shuffled
from tests.pipeline_def.helpers import PENGUINS, PRICES, SMALL, land
from tests.pipeline_def.own_code import OwnRun, artifact
from tests.pipeline_def.showing import shown
from tests.pipeline_def.test_shuffles import code

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow

TASKS: dict[str, tuple[dict[str, Any], str, list[Any], list[Any]]] = {
    "probability": (SMALL, "probability", [0.25, 0.75], [0, 1]),
    "label": (SMALL, "label", [0, 1], [0, 1]),
    "value": (PRICES, "value", [10.0, 20.0], [10, 20]),
    "probabilities of classes": (
        PENGUINS,
        "probability",
        [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]],
        PENGUINS["classes"],
    ),
    "labels of classes": (PENGUINS, "label", PENGUINS["classes"], PENGUINS["classes"]),
}
"""By what is answered: the config, `returns`, the answer for each x, and the target."""


def executed(
    s3: S3Client, folder: Path, task: str, *, shuffle: bool = True, before: str = "    pass", **asked: Any
) -> dict[str, Any]:
    """pictures.json of a model that looks at x alone, and is always right."""
    config, returns, answers, targets = TASKS[task]
    config = {**config, "training": {}}

    def lines(n: int, others: str) -> str:
        kinds = len(targets)
        rows = (f"{at % kinds},{others[at % 7 % 2]},{targets[at % kinds]}" for at in range(n))
        return "x,c,y\n" + "\n".join(rows) + "\n"

    land(s3, "curated/small/train.csv", lines(30, "de"))
    land(s3, "curated/small/validation.csv", lines(300, "ab"))
    run = OwnRun(folder / "own", s3, config, "bbbbbbbbbbbb")
    assert run.preprocess() == 0
    files = code(answers, header=asked.get("header", False), before=before)
    run.put(artifact(folder / "artifact", files, config=config, returns=returns, **asked))
    assert run.score().code == 0
    if not shuffle:
        for name in ("shuffled.json", "shuffled.npz"):
            (run.folder / "predictions" / "candidate" / name).unlink()
    run.evaluate_predictions()
    found: dict[str, Any] = json.loads((run.output / "evaluation" / "pictures.json").read_text())
    return found


def importance(found: dict[str, Any]) -> dict[str, Any]:
    """The picture of importance."""
    (picture,) = (each for each in found["pictures"] if each["id"] == "importance")
    return dict(picture)


JSON: dict[str, Any] = {"content_type": "application/json", "accept": "application/json"}


HALF = ["+0.4933", "+0.4733 to +0.5200"]
"""How much worse guessing between two classes is than being right, on 300 rows in five orders."""

LOST: dict[str, tuple[str, list[str]]] = {
    "probability": ("roc auc is worse by 0.4933", HALF),
    "label": ("balanced accuracy is worse by 0.4933", HALF),
    "value": ("rmse is worse by 7.023", ["+7.023", "+6.88 to +7.211"]),  # 10 times the root of 0.4933
    "probabilities of classes": ("roc auc ovr is worse by 0.4950", ["+0.4950", "+0.4550 to +0.5275"]),
    "labels of classes": ("balanced accuracy is worse by 0.6600", ["+0.6600", "+0.6067 to +0.7033"]),
}
"""By what is answered, what a model that looks at x alone loses without x."""

MADE = (
    "Each feature's values were shuffled 5 times among 300 validation rows; a line holds all 5 results. Of "
    "features that say the same, each may look unimportant. ScoreCandidate asked the candidate's own code; "
    "champion and anchor were not asked."
)
"""The note of the picture."""


@pytest.mark.parametrize(
    ("task", "contract"),
    [
        ("probability", {}),
        ("probability", {"header": True}),
        ("probability", JSON),
        ("probability", {**JSON, "header": True}),
        ("label", {}),
        ("label", JSON),
        ("value", {}),
        ("value", JSON),
        ("probabilities of classes", JSON),
        ("labels of classes", {}),
    ],
)
def test_only_the_column_that_a_model_uses_is_important(
    s3: S3Client, tmp_path: Path, task: str, contract: dict[str, Any]
) -> None:
    found = importance(executed(s3, tmp_path, task, **contract))

    said, row = LOST[task]
    assert found["title"] == f"The candidate leans most on x: shuffled, {said}"
    assert found["table"] == {
        "columns": ["feature", "candidate: mean", "candidate: lowest to highest"],
        "rows": [["x", *row], ["c", "+0.0000", "+0.0000 to +0.0000"]],
    }
    assert found["note"] == MADE


def why_missing(found: dict[str, Any]) -> str:
    """Why there is no picture of importance."""
    return {each["id"]: str(each["why"]) for each in found["missing"]}["importance"]


def test_outputs_of_an_earlier_version_have_no_importance(s3: S3Client, tmp_path: Path) -> None:
    assert why_missing(executed(s3, tmp_path, "probability", shuffle=False)) == (
        "own code is known by its predictions; it was not asked again with shuffled features"
    )


def test_columns_that_are_refused_are_told_in_the_note(s3: S3Client, tmp_path: Path) -> None:
    # 300 rows are asked in one request: of scoring, of 20 and of 2 rows, twice as they are, then x shuffled
    before = "    global CALLS\n    CALLS = globals().get('CALLS', 0) + 1\n"
    refuses = "    if CALLS == 6: raise ValueError('no such row')"
    found = importance(executed(s3, tmp_path, "probability", before=before + refuses))

    assert found["title"] == "No feature clearly matters for the candidate on these rows"
    assert [row[0] for row in found["table"]["rows"]] == ["c"]
    assert found["note"] == f"{MADE} Its code refused shuffled values of x."


def test_code_that_refuses_all_columns_has_no_importance(s3: S3Client, tmp_path: Path) -> None:
    before = "    global CALLS\n    CALLS = globals().get('CALLS', 0) + 1\n"
    refuses = "    if CALLS > 5: raise ValueError('no such row')"

    assert why_missing(executed(s3, tmp_path, "probability", before=before + refuses)) == (
        "its code refused the shuffled values of 2 features"
    )


def written(folder: Path, places: list[int], answers: Any, base: Any, **about: Any) -> Predicted:
    """A model with these answers: features x repeats x rows; base: rows."""
    config = parse_config({**SMALL, "training": {}})
    (folder / "scoring.json").write_text(json.dumps({"returns": "probability"}))
    handsoff_shuffles.write_description(
        str(folder), **{"rows": places, "features": ["x"], "of": 3, "repeats": 2, "seconds": 15.2, **about}
    )
    np.savez(folder / "shuffled.npz", base=np.array(base)[:, None], answers=np.array(answers)[..., None])
    return Predicted(config, np.zeros(9), {}, folder)


def test_rows_that_the_candidate_was_trained_on_do_not_count(tmp_path: Path) -> None:
    rows = pd.DataFrame({"x": [0.0] * 4, "c": ["a"] * 4, "y": [0, 1, 0, 1]})
    of = shown({**SMALL, "training": {}}, rows, np.array([0.1, 0.9, 0.1, 0.9]), tmp_path)
    of = replace(of, rows=of.rows.set_axis([2, 3, 5, 7]))
    base = [0.1, 0.9, 0.5, 0.9, 0.1]  # of rows 2, 3, 4, 7 and 5
    answers = [[[0.9, 0.1, 0.5, 0.1, 0.9], [0.1, 0.9, 0.7, 0.9, 0.1]]]

    found = answered(written(tmp_path, [2, 3, 4, 7, 5], answers, base), of, "roc_auc")

    assert (found.worse, found.rows) == ({"x": [1.0, 0.0]}, 4)
    assert found.note == (
        " ScoreCandidate asked the candidate's own code; champion and anchor were not asked. "
        "1 of 3 columns were asked about in 15 seconds, the first ones; 2 were not."
    )


@pytest.mark.parametrize(
    ("about", "why"),
    [
        ({"schema_version": 2}, "shuffled.json has version 2, which is not read here"),
        ({"problem": "the model's process ended"}, "the model's process ended"),
        ({"features": []}, "no feature could be asked about within 15 seconds"),
        ({"features": [], "refused": ["x"]}, "its code refused the shuffled values of 1 features"),
    ],
)
def test_what_was_not_asked_is_told(tmp_path: Path, about: dict[str, Any], why: str) -> None:
    with pytest.raises(NotAsked, match=f"^{why}$"):
        read_shuffled(written(tmp_path, [0], [[[0.5], [0.5]]], [0.5], **about))


def test_files_that_do_not_fit_are_an_error(tmp_path: Path) -> None:
    model = written(tmp_path, [0, 1], [[[0.5], [0.5]]], [0.5])

    with pytest.raises(ValueError, match=r"^shuffled\.npz and shuffled\.json do not fit$"):
        read_shuffled(model)


def test_bounds_are_those_of_models_of_our_own() -> None:
    ours = (pictures_importance.MAX_ROWS, pictures_importance.MIN_ROWS, pictures_importance.REPEATS)
    theirs = (handsoff_shuffles.MAX_ROWS, handsoff_shuffles.MIN_ROWS, handsoff_shuffles.REPEATS)
    assert ours == theirs == (2000, 500, 5)
    assert pictures_importance.SECONDS == handsoff_shuffles.SECONDS == 15.0
    assert pictures_importance.MIN_REPEATS == handsoff_shuffles.MIN_REPEATS == 2
    assert shuffled.SCHEMA_VERSION == handsoff_shuffles.SCHEMA_VERSION == 1
