"""Judges an evaluation.json by the rules of a handsoff.yaml, without AWS."""

from __future__ import annotations

import sys
from pathlib import Path

from retraining.config.schema import ModelConfig
from retraining.errors import EvaluationError
from retraining.verdicts.evaluation import Evaluation, parse_evaluation
from retraining.verdicts.judge import judge, of_another_config
from retraining.verdicts.verdict import Verdict


def replay(file: str, model: str, config: ModelConfig, look: int) -> Verdict:
    """The verdict of `config`'s rules on the evaluation in `file`, or on stdin where `file` is `-`.

    Champion and anchor are those that the evaluation names, and `look` is assumed. Raises EvaluationError
    where the file is missing, not valid, or evaluates another model or task.
    """
    evaluation = _read(file)
    if evaluation.model != model:
        raise EvaluationError(f"{file} is an evaluation of {evaluation.model}, not of {model}")
    if doubt := of_another_config(evaluation, config):
        raise EvaluationError(f"{file}: {doubt.text}")
    anchor = evaluation.anchor.package if evaluation.anchor else None
    return judge(evaluation, config.approval, evaluation.champion, anchor=anchor, look=look)


def _read(file: str) -> Evaluation:
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise EvaluationError(f"{file} cannot be read: {error.strerror}") from None
    try:
        return parse_evaluation(text, source="stdin" if file == "-" else file)
    except EvaluationError as error:
        said, *problems = [line.strip() for line in str(error).splitlines()]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise EvaluationError(f"{said} {problems[0] if problems else ''}{more}") from None
