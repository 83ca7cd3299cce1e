"""Whether the numbers of one evaluation.json agree with each other. Pure.

`checks` goes through the whole evaluation, `metrics` compares metrics with each other, with their
intervals and with SageMaker's part, `confusion` derives metrics from the confusion matrix, and `sentences`
compares two numbers and says how they differ.
"""

from retraining.verdicts.consistency.checks import contradictions, doubts

__all__ = ["contradictions", "doubts"]
