"""The anchor of a model: read from the ledger, and noted there once a package of the model is approved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.aws import registry
from retraining.aws.observability import logger
from retraining.facts import keys
from retraining.facts.anchors import AnchorFact

if TYPE_CHECKING:
    from datetime import datetime

    from mypy_boto3_sagemaker import SageMakerClient

    from retraining.aws.ledger import Ledger


def settled(sagemaker: SageMakerClient, ledger: Ledger, group: str, *, now: datetime) -> AnchorFact | None:
    """The anchor of the package group; None where no package was ever approved.

    Where none is noted, the first approved package that exists is noted. That is so after the first approval,
    in a deployment of a version without anchors, and after a ledger was lost. Once noted, only a person moves
    it. Safe to repeat.
    """
    known = ledger.get(keys.anchor(group))
    if known is not None:
        return known
    first = registry.first_approved(sagemaker, group)
    if first is None:
        return None
    fresh = AnchorFact(package=first.arn, by="first", at=now)
    taken = ledger.take(keys.anchor(group), fresh)
    if taken is None:
        logger.info("anchor noted", anchor=first.arn)
    return taken or fresh
