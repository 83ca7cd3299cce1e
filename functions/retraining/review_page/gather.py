"""Reads everything about a candidate that the page shows. Each part survives the failure of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from retraining import evidence
from retraining.aws import pipelines, registry
from retraining.aws.observability import logger
from retraining.collaborators import Collaborators
from retraining.errors import HandsoffError
from retraining.facts import keys
from retraining.facts.package import Package
from retraining.html.pictures import Pictures
from retraining.report.read import pictures_of
from retraining.review_page.link import Opened
from retraining.review_page.view import Earlier, Known
from retraining.text import shorten
from retraining.verdicts.verdict import Verdict

MAX_HISTORY: Final = 10
"""Packages of the group that the page lists."""

MAX_PROBLEM: Final = 300
"""Characters of an error that the page shows."""

T = TypeVar("T")


class Reader:
    """Reads parts of a page. `unknown` has, by section, why a part could not be read."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self.unknown: dict[str, str] = {}

    def read(self, section: str, look: Callable[[], T]) -> T | None:
        """What `look` returns, or None if it fails."""
        try:
            return look()
        except HandsoffError as error:
            self.unknown[section] = shorten(str(error), MAX_PROBLEM)
        except Exception:  # anybody may have written what is read here: the page shows the rest
            logger.exception("part of the page could not be read", section=section, subject=self._subject)
            self.unknown[section] = "It could not be read; the function's log says why."
        return None


def gather(opened: Opened, using: Collaborators) -> Known:
    """Everything about the candidate that can be read now."""
    package, model = opened.package, opened.model
    reader = Reader(package.arn)
    execution = reader.read("execution", lambda: _execution(package, using))
    return Known(
        package=package,
        model=model,
        approval=opened.approval,
        verdict=reader.read("verdict", lambda: _verdict(package.arn, using)),
        decision=opened.decision,
        evaluation=reader.read("evaluation", lambda: registry.evaluation(using.s3, package)),
        pictures=reader.read("pictures", lambda: _pictures(package, model, using)),
        execution=execution,
        evidence=reader.read("evidence", lambda: evidence.gather(using.sources, model, execution))
        if execution
        else None,
        history=reader.read("history", lambda: _history(package.group, using)) or (),
        unknown=reader.unknown,
    )


def _execution(package: Package, using: Collaborators) -> pipelines.Execution:
    if not package.execution:
        raise HandsoffError("The package does not say which execution registered it.")
    return pipelines.describe(using.sagemaker, package.execution)


def _pictures(package: Package, model: str, using: Collaborators) -> Pictures:
    if not package.execution:
        raise HandsoffError("The package does not say which execution registered it.")
    return pictures_of(using.s3, using.settings.bucket, model, package.execution.rsplit("/", 1)[-1])


def _verdict(arn: str, using: Collaborators) -> Verdict:
    known = using.ledger.get(keys.verdict(arn))
    if known is None:
        raise HandsoffError("The rules have not judged it yet; that happens within a minute or two.")
    return known.verdict


def _history(group: str, using: Collaborators) -> list[Earlier]:
    """The newest packages of the group, newest first."""
    newest = registry.newest(using.sagemaker, group)[-MAX_HISTORY:]
    return [
        Earlier(found.arn, found.status, found.created_at, using.ledger.get(keys.decision(found.arn)))
        for found in reversed(newest)
    ]
