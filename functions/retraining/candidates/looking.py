"""Counts the looks at validation rows: which candidate this is in which a rule looks for a gain on them."""

from __future__ import annotations

from retraining.aws.ledger import MAX_SWAPS
from retraining.collaborators import Collaborators
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.anchors import LooksFact
from retraining.facts.package import Package
from retraining.verdicts.evaluation import Evaluation

UNKNOWN = "unknown"
"""The identity of validation rows of which an earlier version has noted none. They count as the same rows."""


def look(candidate: Package, evaluation: Evaluation, using: Collaborators) -> int:
    """The number of this look, counted from 1 and noted in the ledger. A package keeps its number.

    Raises NotReady if other candidates of the model are counted all the time.
    """
    verdict = using.ledger.get(keys.verdict(candidate.arn))
    if verdict and verdict.verdict.look is not None:
        return verdict.verdict.look
    key = keys.looks(candidate.group, evaluation.validation or UNKNOWN)
    for _ in range(MAX_SWAPS):
        known = using.ledger.get(key) or LooksFact()
        if candidate.arn in known.recent:
            return known.recent[candidate.arn]
        number, recent = known.counted(candidate.arn)
        if using.ledger.swap(key, version=known.version, count=number, recent=recent):
            return number
    raise NotReady(f"looks at the validation rows of {candidate.name} are being counted; try again")
