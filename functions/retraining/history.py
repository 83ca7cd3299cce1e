"""The history of a model: its versions, what was measured and decided, and when each was champion.

Read from registry, ledger and stored evaluations. Command line, report and the model's page show the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from retraining.aws import registry
from retraining.config.rules import Approval, MetricRule
from retraining.config.tasks import DECISIVE, Task
from retraining.errors import EvaluationError
from retraining.facts import keys
from retraining.facts.candidates import DecisionFact, VerdictFact
from retraining.facts.package import Package
from retraining.verdicts.evaluation import Evaluation, Measured

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient

    from retraining.aws.ledger import Ledger


class Reads(Protocol):
    """The clients that a history is read by: those of evidence.Sources, and of Collaborators."""

    @property
    def sagemaker(self) -> SageMakerClient: ...
    @property
    def s3(self) -> S3Client: ...
    @property
    def ledger(self) -> Ledger: ...


BETWEEN_CALLS: Final = timedelta(seconds=1)
"""A champion for less than this is none: it stood between the calls of a roll-back."""


class Reign(NamedTuple):
    """A time in which a version was champion. `until` is None for the champion of now."""

    since: datetime
    until: datetime | None


class Version(NamedTuple):
    """One registered package of a model.

    `evaluation` is what was measured, in units of each metric; None where it cannot be read, and `problem`
    says why. `verdict` and `decision` are the ledger's; None where it has none. `reigns` are the times in
    which it was champion, oldest first.
    """

    package: Package
    evaluation: Evaluation | None = None
    problem: str | None = None
    verdict: VerdictFact | None = None
    decision: DecisionFact | None = None
    reigns: tuple[Reign, ...] = ()

    @property
    def number(self) -> int:
        """Its number in the group, from 1."""
        return int(self.package.arn.rsplit("/", 1)[-1])

    @property
    def metrics(self) -> Mapping[str, Measured]:
        """Each metric's value and 95 % interval on its own validation rows; empty without an evaluation."""
        return self.evaluation.candidate.metrics if self.evaluation else {}

    @property
    def is_champion(self) -> bool:
        """Whether it is the champion now."""
        return bool(self.reigns) and self.reigns[-1].until is None

    @property
    def was_approved(self) -> bool:
        """Whether it is approved, or was."""
        return any(status == "Approved" for _, status in changes(self.package, self.decision))


def versions(sources: Reads, group: str, limit: int) -> tuple[Version, ...]:
    """The `limit` newest versions of the package group, newest first; last the champion, if it is older.

    Raises ClientError where AWS gives no clear answer.
    """
    arns = [item.arn for item in reversed(registry.newest(sources.sagemaker, group)[-limit:])]
    champion = registry.champion(sources.sagemaker, group)
    if champion and champion.arn not in arns:
        arns.append(champion.arn)
    found = [version for arn in arns if (version := read(sources, arn))]
    return with_reigns(found)


def read(sources: Reads, arn: str) -> Version | None:
    """One version without its reigns, which depend on the others; None if the package does not exist."""
    package = registry.find(sources.sagemaker, arn)
    if package is None:
        return None
    evaluation, problem = None, None
    try:
        evaluation = registry.evaluation(sources.s3, package)
    except EvaluationError as error:
        problem = str(error)
    return Version(
        package,
        evaluation,
        problem,
        verdict=sources.ledger.get(keys.verdict(arn)),
        decision=sources.ledger.get(keys.decision(arn)),
    )


def main_metric(task: Task, approval: Approval) -> str:
    """Pure: the metric that tells a model's history in one number.

    It is that of the first rule on all rows that a bad model would fail; without one, the decisive metric.
    """
    for rule in approval.rules:
        if isinstance(rule, MetricRule) and rule.slice is None and rule.asks_for_quality:
            return rule.metric
    return DECISIVE[task]


# ---- when each was champion -------------------------------------------------------------------------------


def with_reigns(found: Iterable[Version]) -> tuple[Version, ...]:
    """Pure: the versions with the times in which each was champion.

    The champion at a time is the version that was approved last among those that are approved then.
    """
    known = tuple(found)
    terms = [(since, until, version.package.arn) for version in known for since, until in _approvals(version)]
    reigns: dict[str, list[Reign]] = {}
    for since, until, arn in terms:
        reigns.setdefault(arn, []).extend(_left(since, until, [term for term in terms if term[2] != arn]))
    return tuple(
        version._replace(reigns=tuple(sorted(reigns.get(version.package.arn, ()), key=lambda it: it.since)))
        for version in known
    )


def changes(package: Package, decision: DecisionFact | None) -> list[tuple[datetime, str]]:
    """Pure: when the package took which approval status, oldest first, as far as that is known.

    The ledger keeps the last decisions; what a package shows and no decision says was done in AWS.
    """
    decided = [*decision.earlier, *([decision] if decision.done_at else [])] if decision else []
    found: list[tuple[datetime, str]] = [(fact.at, fact.status) for fact in decided]
    noted = package.noted_approval
    if noted and not any(status == "Approved" for _, status in found):
        found = sorted([*found, (noted, "Approved")])
    if package.approval_status == "Approved":
        if found and found[-1][1] == "Approved":
            found.pop()
        return [*found, (package.approved_at, "Approved")]
    if found and found[-1][1] != package.approval_status:
        found.append((package.changed_at, package.approval_status))
    return found


def _approvals(version: Version) -> list[tuple[datetime, datetime | None]]:
    """From when until when the version was approved."""
    seen = changes(version.package, version.decision)
    ends = [*(at for at, _ in seen[1:]), None]
    return [(at, end) for (at, status), end in zip(seen, ends, strict=False) if status == "Approved"]


def _left(
    since: datetime, until: datetime | None, others: Sequence[tuple[datetime, datetime | None, str]]
) -> list[Reign]:
    """The parts of an approval in which no later approval of another version stood."""
    later = sorted(((start, end) for start, end, _ in others if start > since), key=lambda term: term[0])
    found, at = [], since
    for start, end in later:
        if until is not None and start >= until:
            break
        if start - at >= BETWEEN_CALLS:
            found.append(Reign(at, start))
        if end is None:
            return found
        at = max(at, end)
    if until is None or until - at >= BETWEEN_CALLS:
        found.append(Reign(at, until))
    return found
