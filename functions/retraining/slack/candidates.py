"""The one message of each candidate in its model's channel: what it shows, and where it is."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from retraining.aws import registry
from retraining.aws.ledger import alone
from retraining.aws.observability import logger
from retraining.aws.settings import Settings
from retraining.candidates.state import BeingDecided, Waits, candidate_state
from retraining.candidates.telling import review_link
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig
from retraining.errors import EvaluationError, HandsoffError
from retraining.facts import keys
from retraining.facts.candidates import SlackMessage
from retraining.facts.package import Package
from retraining.report.read import pictures_of
from retraining.slack import messages
from retraining.slack.client import Place, SlackClient
from retraining.slack.messages import Candidate
from retraining.verdicts.evaluation import Evaluation

_PACKAGE: Final = re.compile(
    r"arn:[\w-]+:sagemaker:[\w-]+:\d{12}:model-package/([a-z0-9-]+)/[1-9]\d*", re.ASCII
)
"""The ARN of a model package; the group is its group."""


METRICS: Final = "metrics"
"""The id of the picture of the metrics in pictures.json."""


class Shown(NamedTuple):
    """What became of the message: it is new, it was changed, or it showed the candidate's state already.

    `place` is where it is, None with a webhook. `candidate` is what it shows.
    """

    how: Literal["posted", "updated", "same"]
    place: Place | None
    candidate: Candidate


def model_of(arn: str, settings: Settings) -> str | None:
    """The model whose candidate has this ARN, by this deployment's names; None where it is none of them."""
    found = _PACKAGE.fullmatch(arn)
    if found is None:
        return None
    model = settings.model_of(found[1])
    return model if settings.resource_name(model) == found[1] else None


def link(arn: str, using: Collaborators) -> str | None:
    """A link to the candidate's page, made now; None where there is no page, or its secret cannot be read.

    A link that somebody else names is never shown.
    """
    return review_link(arn, using)[0]


def show(
    arn: str,
    model: str,
    config: ModelConfig,
    using: Collaborators,
    client: SlackClient,
    *,
    renew: bool = False,
    also: Place | None = None,
) -> Shown:
    """Make the candidate's message show the present state; post the message if there is none.

    The state is read here, under a lease. So the order of notifications does not matter, and an invocation
    that read an older state cannot write it later. With `renew`, a message that shows that the candidate
    waits gets a new link. `also` is another message about this candidate, which is updated too. Raises
    NotReady while another invocation holds the lease.
    """
    key = keys.slack_message(arn)
    with alone(using.ledger, keys.slack_lease(arn), now=using.clock()):
        known = using.ledger.get(key) or SlackMessage()
        seen = candidate(arn, model, config, using, client)
        digest = messages.of_candidate(seen).digest
        message = messages.of_candidate(seen._replace(review_url=link(arn, using)))
        place = Place(known.channel, known.ts) if known.channel and known.ts else also
        if also and also != place:
            client.update(also, message)
        if known.shows == digest and not (renew and place and seen.decided is None):
            if known.review_url:
                using.ledger.mark(key, review_url=None)
            return Shown("same", place, seen)
        how: Literal["posted", "updated"] = "updated"
        if place is None or not client.update(place, message):
            how, place = "posted", client.post(str(config.approvers.slack_channel), message)
        channel, ts = (place.channel, place.ts) if place else (known.channel, known.ts)
        using.ledger.mark(key, channel=channel, ts=ts, shows=digest, review_url=None)
        return Shown(how, place, seen)


def candidate(
    arn: str,
    model: str,
    config: ModelConfig,
    using: Collaborators,
    client: SlackClient,
) -> Candidate:
    """What the registry, the ledger and the evaluation say of a candidate now; without a link to its page."""
    package = registry.package(using.sagemaker, arn)
    judged = using.ledger.get(keys.verdict(arn))
    decision = using.ledger.get(keys.decision(arn))
    state = candidate_state(package, decision, using.clock())
    evaluation, problem = _evaluation(package, using)
    return Candidate(
        model=model,
        arn=arn,
        decided=None if isinstance(state, Waits) else state.decision,
        written=not isinstance(state, BeingDecided),
        rolled_back=package.approval_status == "Rejected" and package.noted_approval is not None,
        reasons=judged.verdict.texts if judged else (),
        evaluation=evaluation,
        problem=problem,
        picture=_picture(package, model, using),
        review_url=None,
        # Slack sends what is pressed to the page's URL, which some regions do not have.
        may_decide=client.interactive
        and bool(config.approvers.slack_users)
        and using.settings.review_url is not None,
    )


def _picture(package: Package, model: str, using: Collaborators) -> str | None:
    """The text alternative of the picture of the metrics; None where there is none."""
    execution_id = (package.execution or "").rsplit("/", 1)[-1]
    try:
        drawn = pictures_of(using.s3, using.settings.bucket, model, execution_id)
    except HandsoffError:
        return None
    except Exception:
        logger.exception("picture could not be read", package=package.arn)
        return None
    return next((picture.alt for picture in drawn.pictures if picture.id == METRICS), None)


def _evaluation(package: Package, using: Collaborators) -> tuple[Evaluation | None, str | None]:
    """The evaluation, or why there is none: a package without one can be decided all the same."""
    try:
        return registry.evaluation(using.s3, package), None
    except EvaluationError as error:
        return None, str(error)
    except Exception:  # the address comes from the registry, where anything may stand
        logger.exception("evaluation could not be read", package=package.arn)
        return None, "the evaluation could not be read; the log of notify_slack says why"
