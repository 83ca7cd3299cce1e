"""Triggered each minute.
Changes: finds landings and ends whose events were lost, starts what is due, goes on with starts and decisions
that are half done, judges and records candidates whose events were lost, reminds of candidates that wait and
expires them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from retraining import turns
from retraining.aws.observability import logger
from retraining.candidates import idle, sweep
from retraining.collaborators import Collaborators
from retraining.starts import lost_ends, starting

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

SWEEP_TIME: Final = timedelta(seconds=45)
"""Time in which turns begin. The last one has ended when the next minute's sweep comes."""

WORK: Final[Mapping[str, turns.Work]] = {
    idle.STARTS: starting.sweep,
    idle.ENDS: idle.noted(idle.ENDS, lost_ends.find_ends),
    idle.CANDIDATES: idle.noted(idle.CANDIDATES, sweep.sweep),
}
"""What is done for each model, by kind: a turn each."""


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: LambdaContext, *, using: Collaborators | None = None) -> None:
    """Look at the starts and the packages of every model. A failure of one does not stop the others."""
    using = (using or Collaborators.real()).within(SWEEP_TIME)
    models = using.configs.names()
    outcome = turns.sweep(models, WORK, using, idle.Checks(models, using).by_kind)
    if outcome is None:
        logger.info("another sweep runs")
    elif outcome.failures:
        raise ExceptionGroup("models that could not be looked at", outcome.failures)
