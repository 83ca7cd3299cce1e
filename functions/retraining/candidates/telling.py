"""What approvers are told of a candidate, each fact once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from retraining import evidence, history
from retraining.aws import registry
from retraining.aws.observability import logger
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.facts.candidates import EarlierDecision
from retraining.facts.package import Package
from retraining.notifications import numbers
from retraining.notifications.messages import Kind, Notification
from retraining.notifications.publish import notify
from retraining.verdicts.verdict import Decision, Verdict

NO_LINK: Final = (
    "there is no link, as the secret that signs links cannot be read: "
    "`handsoff approve` and `handsoff reject` decide"
)
"""What a message says in place of a link."""

RETRIED: Final = "it is tried again, at least once an hour; a person may decide meanwhile"
"""What follows for a candidate that is blocked."""

_KINDS: dict[Decision, Kind] = {"APPROVE": "approved", "REJECT": "rejected", "HOLD": "waiting"}


def tell_verdict(candidate: Package, verdict: Verdict, using: Collaborators) -> None:
    """Tell what the rules made of the candidate."""
    by = None if verdict.decision == "HOLD" else "rules"
    _tell(candidate, _KINDS[verdict.decision], verdict.decision, verdict.texts, using, by=by)


def tell_decision(
    package: Package, decision: EarlierDecision, using: Collaborators, *, more: Sequence[str] = ()
) -> None:
    """Tell of a decision that was not the rules', and what `more` follows from it."""
    approved = package.approval_status == "Approved"
    _tell(
        package,
        "approved" if approved else "rejected",
        "APPROVE" if approved else "REJECT",
        (decision.why or "no reason was given", *more),
        using,
        by=decision.by,
        who=decision.who,
        occurrence=decision.at.isoformat(),
    )


def tell_waiting(
    package: Package, decision: EarlierDecision, using: Collaborators, *, more: Sequence[str] = ()
) -> None:
    """Tell that a candidate waits again, as this decision set it back, and what `more` follows from it."""
    _tell(package, "waiting", "HOLD", (decision.why, *more), using, occurrence=decision.at.isoformat())


def remind(package: Package, reasons: Sequence[str], occurrence: str, using: Collaborators) -> None:
    """Tell that a candidate still waits for a person. `occurrence` tells this reminder from others."""
    _tell(package, "overdue", "HOLD", reasons, using, occurrence=occurrence)


def tell_blocked(package: Package, why: str, at: datetime, using: Collaborators) -> None:
    """Tell that nothing goes on with a candidate until somebody acts. Its row of failures began `at` then."""
    reasons = (f"{package.name} cannot be judged, decided or recorded: {why}", RETRIED)
    _tell(package, "candidate_blocked", None, reasons, using, occurrence=at.isoformat())


def review_link(arn: str, using: Collaborators) -> tuple[str | None, tuple[str, ...]]:
    """A link to the candidate's page, and what is to be said if there should be one and cannot be.

    A message without a link is better than none: a secret may be deleted, or not readable for a while.
    """
    try:
        return (using.links.url(arn) if using.links else None), ()
    except Exception:
        logger.exception("no link can be made", package=arn)
        return None, (NO_LINK,)


def _numbers(candidate: Package, model: str, using: Collaborators) -> tuple[str, ...]:
    """The three numbers that matter; none where they cannot be read: the message goes out all the same."""
    try:
        config = using.configs.get(model)
        if config is None:
            return ()
        evaluation = registry.evaluation(using.s3, candidate)
        judged = using.ledger.get(keys.verdict(candidate.arn))
        metric = history.main_metric(config.task, config.approval)
        return numbers.of_candidate(evaluation, judged.verdict if judged else None, metric)
    except Exception:
        logger.exception("numbers could not be read", package=candidate.arn)
        return ()


def _tell(
    candidate: Package,
    kind: Kind,
    decision: Decision | None,
    reasons: Sequence[str],
    using: Collaborators,
    *,
    by: str | None = None,
    who: str | None = None,
    occurrence: str = "",
) -> None:
    """Publish the notification, with a link to the candidate's page. `occurrence` tells repetitions apart."""
    model = using.settings.model_of(candidate.group)
    url, no_link = review_link(candidate.arn, using)
    execution_id = (candidate.execution or "").rsplit("/", 1)[-1]
    message = Notification.about(
        candidate.arn,
        kind,
        model=model,
        reasons=(*reasons, *no_link),
        execution_arn=candidate.execution,
        package_arn=candidate.arn,
        decision=decision,
        evidence_uri=f"s3://{using.settings.bucket}/{evidence.evidence_key(model, execution_id)}",
        occurrence=occurrence,
        by=by,
        who=who,
        review_url=url,
        numbers=_numbers(candidate, model, using),
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
