"""Whether a model's answers are in the order of its classes, or in the order of the configuration's.

Classifiers in the manner of scikit-learn sort their classes, so a column of `predict_proba` may be that of
another class than the one in its place. Python 3.8; the standard library and numpy.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import numpy as np

from handsoff_answers import AnswerProblem

CLOSE = 1e-3
"""By how much an answer may differ from a number of predict_proba and still be that number, rounded."""


class Watch:
    """While it is entered, it sees what each `predict_proba` of a model with `classes_` returns.

    Nothing of the model is changed: Python itself tells of functions that return (sys.setprofile).
    """

    def __init__(self, classes: tuple[str, ...]) -> None:
        self._classes = classes
        self._seen: list[tuple[list[str], Any]] = []

    def __enter__(self) -> Watch:
        self._before = sys.getprofile()
        sys.setprofile(self._look)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _look(self, frame: FrameType, event: str, value: Any) -> None:
        if event != "return" or value is None or frame.f_code.co_name != "predict_proba":
            return
        try:
            model = frame.f_locals[frame.f_code.co_varnames[0]]
            named = [str(name) for name in np.asarray(model.classes_).tolist()]
            self._seen.append((named, np.asarray(value, dtype=float)))
        except Exception:  # a classifier of another kind, of which nothing is known
            return

    def check(self, found: list[list[float]]) -> None:
        """Raise AnswerProblem if `found`, a request's predictions, are those of other classes.

        They are if they are the numbers that predict_proba returned, taken by the places of `classes`, where
        its own `classes_` have another order, and if they are not the numbers taken by name.
        """
        answer = np.array(found)
        for named, values in self._seen:
            places = _places(named, self._classes)
            if places is None or values.shape != (len(found), len(named)):
                continue
            columns = values[:, places]
            if answer.shape[1] == 1:
                by_name, others = columns[:, 1:], columns[:, :1]
            else:
                by_name, others = columns, values
            if _close(answer, others) and not _close(answer, by_name):
                raise AnswerProblem(
                    f"the model's classes_ are {_listed(named)}, and its columns of predict_proba were "
                    f"answered as those of {_listed(self._classes)}, the order of the configuration: take "
                    "them by name, as with list(model.classes_).index(…), or change the order of `classes`"
                )


def _places(named: list[str], classes: tuple[str, ...]) -> list[int] | None:
    """For each of `classes` its place in `named`; None if these are not the same classes."""
    texts = [_plain(name) for name in named]
    wanted = [_plain(name) for name in classes]
    if sorted(texts) != sorted(wanted) or len(set(texts)) != len(texts):
        return None
    return [texts.index(name) for name in wanted]


def _plain(name: str) -> str:
    """The text of a class: one for all ways to write a number, and for true and false."""
    lower = name.strip().lower()
    if lower in ("true", "false"):
        return lower
    try:
        return repr(float(name))
    except ValueError:
        return name.strip()


def _close(one: Any, other: Any) -> bool:
    return bool(np.abs(one - other).max() <= CLOSE)


def _listed(names: Any) -> str:
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
