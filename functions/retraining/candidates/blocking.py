"""Candidates with which nothing goes on: approvers are told once, and the work is tried ever less often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from retraining.aws import registry
from retraining.aws.observability import logger
from retraining.candidates import judging, telling
from retraining.collaborators import Collaborators
from retraining.errors import EvaluationError
from retraining.facts import keys
from retraining.facts.candidates import Trouble
from retraining.starts.back_off import with_back_off

TELL_AFTER: Final = timedelta(hours=1)
"""The time after which approvers are told of a candidate whose work keeps failing. An evaluation that cannot
be read does not mend itself: they are told of it at once."""


def settled(arn: str, work: Callable[[], object], using: Collaborators, *, at_once: bool = False) -> bool:
    """Do the work for a candidate, unless it has failed lately and `at_once` is false. Says whether it is
    done.

    A failure is raised until approvers have been told of it. It then stands in `handsoff status`.
    """

    def blocked(error: Exception, row: Trouble) -> bool:
        if row.told is None:
            lasts = row.last - row.first >= TELL_AFTER
            package = (
                registry.find(using.sagemaker, arn) if lasts or isinstance(error, EvaluationError) else None
            )
            if package is None:
                return False
            telling.tell_blocked(package, row.why, row.first, using)
            using.ledger.mark(keys.trouble(arn), told=using.clock())
        logger.warning("candidate is blocked", package=arn, why=row.why, exc_info=True)
        return True

    return with_back_off(work, keys.trouble(arn), using, blocked, at_once=at_once)


def judged(arn: str, using: Collaborators) -> bool:
    """Judge a candidate, once. Says whether there was anything to do, also if it is blocked.

    An event asks for this. It comes once, or somebody has sent it again, so it does not wait.
    """
    did: list[bool] = []
    done = settled(arn, lambda: did.append(judging.settle(arn, using)), using, at_once=True)
    return not done or did[0]
