"""Evaluations and rules for the tests of verdicts, with literal numbers."""

from __future__ import annotations

from typing import Any

from retraining.config.rules import Approval
from retraining.config.tasks import DECISIVE, LOWER_IS_BETTER, Task
from retraining.verdicts.evaluation import (
    Baseline,
    Comparison,
    Data,
    Difference,
    Drift,
    Evaluation,
    Measured,
    Moved,
    Scores,
    SlicePaired,
    SliceScores,
    SplitData,
    Unfamiliar,
    Unknown,
    UnknownToChampion,
)

CHAMPION = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic/1"


DATA = Data(
    train=SplitData(rows=1047, missing_share={"age": 0.2, "fare": 0.0}),
    validation=SplitData(rows=262, missing_share={"age": 0.25, "fare": 0.0}),
)


def paired(metric: str, versus: tuple[float, float], reference: float, deviation: float) -> dict[str, Any]:
    """Both models with this metric; `versus` is candidate minus champion and its standard error."""
    return {
        "candidate": {metric: Measured(value=reference + versus[0], standard_deviation=deviation)},
        "champion": {metric: Measured(value=reference, standard_deviation=deviation)},
        "differences": {metric: Difference(value=versus[0], standard_error=versus[1])},
    }


def evaluation(
    metrics: dict[str, float] | None = None,
    *,
    n: int = 262,
    slices: dict[str, tuple[int, dict[str, float]]] | None = None,
    versus: tuple[float, float] | None = None,
    versus_in: dict[str, tuple[int, tuple[float, float]]] | None = None,
    metric: str = "roc_auc",
    reference: float = 0.85,
    deviation: float = 0.02,
    champion: str | None = None,
    problem: str | None = None,
    task: Task = "binary_classification",
    guessing: tuple[float, float] = (0.3, 0.01),
    drift: dict[str, float] | None = None,
    unknown: dict[str, tuple[float, float]] | None = None,
    unknown_to_champion: dict[str, tuple[float, float]] | None = None,
    unfamiliar: tuple[float, float] | None = None,
) -> Evaluation:
    """An evaluation with these numbers.

    `versus` is candidate minus champion and its standard error, `versus_in` the same in slices of sex;
    `guessing` is the gain over guessing in the decisive metric, and its standard error. `unknown` are the
    unknown share and the part by chance, `unknown_to_champion` the share that the champion does not know and
    the part of it that the candidate knows, by feature. `unfamiliar` are that part over all features and its
    part by chance.
    """
    comparison = None
    if versus is not None:
        comparison = Comparison(
            n=n,
            excluded=0,
            unknown={
                name: UnknownToChampion(share=share, known_to_candidate=known)
                for name, (share, known) in (unknown_to_champion or {}).items()
            },
            unfamiliar=unfamiliar and Unfamiliar(share=unfamiliar[0], by_chance=unfamiliar[1]),
            slices=tuple(
                SlicePaired(n=rows, where={"sex": name}, **paired(metric, numbers, reference, deviation))
                for name, (rows, numbers) in (versus_in or {}).items()
            ),
            **paired(metric, versus, reference, deviation),
        )
    decisive = DECISIVE[task]
    gain = -guessing[0] if decisive in LOWER_IS_BETTER else guessing[0]
    measured = {decisive: Measured(value=0.8)} | {k: Measured(value=v) for k, v in (metrics or {}).items()}
    return Evaluation(
        schema_version=2,
        model="titanic",
        task=task,
        execution="arn",
        batch="b",
        candidate=Scores(n=n, metrics=measured),
        slices=tuple(
            SliceScores(
                where={"sex": name}, n=rows, metrics={k: Measured(value=v) for k, v in values.items()}
            )
            for name, (rows, values) in (slices or {}).items()
        ),
        baseline=Baseline(
            predicts="class 0, 0.62 of the training rows",
            metrics={decisive: Measured(value=0.5)},
            differences={decisive: Difference(value=gain, standard_error=guessing[1])},
        ),
        data=DATA,
        unknown=(
            None
            if unknown is None
            else {name: Unknown(share=share, by_chance=chance) for name, (share, chance) in unknown.items()}
        ),
        champion=champion or (CHAMPION if comparison or problem else None),
        champion_problem=problem,
        comparison=comparison,
        drift=None
        if drift is None
        else Drift(reference=CHAMPION, columns={k: Moved(psi=v, by_chance=0.0) for k, v in drift.items()}),
    )


def rules(*items: dict[str, Any], first_model: str = "rules_only") -> Approval:
    return Approval.model_validate({"first_model": first_model, "rules": items})
