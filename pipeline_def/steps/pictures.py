"""pictures.json: what approvers look at, drawn from the validation rows and from evaluation.json.

Pictures hold no value of a single row: they show metrics, bins, shares and quantiles. A picture that cannot
be drawn is named with the reason; it never ends the step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from job import Json, Task
from picture import NotDrawn, Picture, Shown
from pictures_data import drift, missing
from pictures_errors import confusion, predicted_actual, residuals
from pictures_importance import importance
from pictures_metrics import difference, metrics
from pictures_probability import calibration, scores
from pictures_ranking import precision_recall, roc
from pictures_slices import slices
from reasons import print_error

SCHEMA_VERSION: Final = 1
"""The version of pictures.json. A change that breaks a reader raises it."""

SIZE_LIMIT: Final = 200 * 1024
"""Bytes of pictures.json. Pictures beyond it are left out, those of the end first."""

Draw = Callable[[Shown], Picture | Iterable[Picture]]
"""Draws one picture or several. Raises NotDrawn if there is nothing to draw."""

OF_CLASSES: Final[Mapping[str, Draw]] = {
    "roc": roc,
    "precision_recall": precision_recall,
    "calibration": calibration,
    "confusion": confusion,
    "scores": scores,
}
"""The pictures of a classifier's predictions, by their ids, in the order of pages."""

OF_NUMBERS: Final[Mapping[str, Draw]] = {"predicted_actual": predicted_actual, "residuals": residuals}
"""The same of a regression."""


OF_DATA: Final[Mapping[str, Draw]] = {
    "slices": slices,
    "importance": importance,
    "drift": drift,
    "missing": missing,
}
"""The pictures of features and of parts of the rows."""


def drawn_of(task: Task) -> Mapping[str, Draw]:
    """What draws the pictures of a task, by their ids, in the order of pages."""
    predictions = OF_NUMBERS if task == "regression" else OF_CLASSES
    return {"metrics": metrics, "difference": difference, **predictions, **OF_DATA}


def pictures(shown: Shown) -> Json:
    """pictures.json: the pictures, and of those that are `missing` the id and the reason."""
    found: list[Json] = []
    missing: list[Json] = []
    for name, draw in drawn_of(shown.config.task).items():
        try:
            made = draw(shown)
            each = [made] if isinstance(made, Picture) else list(made)
            found += [picture.as_json() for picture in each]
        except NotDrawn as reason:
            missing.append({"id": name, "why": str(reason)})
        except Exception as error:  # a picture is never worth the evaluation
            print_error(error, show=shown.config.show_values)
            why = f"drawing failed with {type(error).__name__}; the log of ModelEvaluation says where"
            missing.append({"id": name, "why": why})
    return bounded({"schemaVersion": SCHEMA_VERSION, "pictures": found, "missing": missing})


def bounded(found: Json, limit: int = SIZE_LIMIT) -> Json:
    """The same within `limit` bytes: pictures of the end are missing until it fits."""
    kept, missing = list(found["pictures"]), list(found["missing"])
    while kept and len(as_text({**found, "pictures": kept, "missing": missing}).encode()) > limit:
        why = f"all pictures together would have more than {limit // 1024} KB"
        missing.append({"id": kept.pop()["id"], "why": why})
    return {**found, "pictures": kept, "missing": missing}


def as_text(found: Json) -> str:
    """Strict JSON in UTF-8, without spaces, which are a tenth of it."""
    return json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def write_pictures(shown: Shown, folder: Path) -> None:
    """Write pictures.json to the folder, and say in the log what is in it."""
    found = pictures(shown)
    text = as_text(found)
    (folder / "pictures.json").write_text(text, encoding="utf-8")
    print(f"pictures.json: {len(found['pictures'])} pictures, {len(text.encode()) / 1024:.0f} KB")
    for each in found["missing"]:
        print(f"  without {each['id']}: {each['why']}")
