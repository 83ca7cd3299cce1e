"""Triggered by notifications, and by review_candidate when somebody has pressed a button in Slack.
Changes: the one message of each candidate in its model's channel; with a button, the decision.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any, Final, Literal

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError

from retraining.aws import registry
from retraining.aws.ledger import alone, once
from retraining.aws.observability import logger, metrics
from retraining.aws.registry import Package
from retraining.aws.settings import secret
from retraining.candidates import decisions
from retraining.candidates.decisions import NoReason
from retraining.candidates.state import Waits, before, candidate_state
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig
from retraining.errors import EvaluationError, NotReady
from retraining.facts import keys
from retraining.facts.candidates import EarlierDecision, SlackMessage, Status
from retraining.slack import messages, requests
from retraining.slack.client import Place, SlackClient
from retraining.slack.messages import Candidate, Decided, Message, Notice
from retraining.slack.requests import Interaction
from retraining.slack.secret import parse_secret
from retraining.verdicts.evaluation import Evaluation

STATUS: Final[dict[str, Status]] = {requests.APPROVE: "Approved", requests.REJECT: "Rejected"}

OF_CANDIDATES: Final = frozenset({"waiting", "approved", "rejected", "overdue", "rolled_back"})
CALLS: Final = frozenset({"overdue", "rolled_back"})
"""Kinds for which a change of an old message would be seen by nobody: they are said below it, too."""

PRESS_LIVES: Final = timedelta(minutes=15)
"""For how long a press decides: one that is sent again days later, out of the failure queue, does not."""

SPARE: Final = 5.0
"""Seconds of the function's time that are not spent on waiting for Slack."""

Shown = Literal["posted", "updated", "same"]
Connect = Callable[[Callable[[], float]], SlackClient]


@metrics.log_metrics
@logger.inject_lambda_context
def handler(
    event: dict[str, Any],
    context: LambdaContext,
    *,
    using: Collaborators | None = None,
    connect: Connect | None = None,
) -> None:
    """Tell what a notification says, or decide as a button says."""
    using = using or Collaborators.real()
    client = (connect or connected)(lambda: context.get_remaining_time_in_millis() / 1000 - SPARE)
    if "slackDecision" in event:
        Pressed(Interaction.model_validate(event["slackDecision"]), using, client).decide()
        return
    for record in event["Records"]:
        tell(Notice.model_validate_json(record["Sns"]["Message"]), using, client)


def connected(patience: Callable[[], float]) -> SlackClient:
    """The client of the function that this runs in."""
    arn = os.environ["SLACK_SECRET"]
    found = parse_secret(secret(arn), source=f"the secret {arn}")
    return SlackClient(found, api_url=os.environ.get("SLACK_API_URL") or None, patience=patience)


# ---- notifications --------------------------------------------------------------------------------------


def tell(notice: Notice, using: Collaborators, client: SlackClient) -> None:
    """Bring the fact into its model's channel, once."""
    config = using.configs.get(notice.model)
    channel = config.approvers.slack_channel if config else None
    if config is None or channel is None:
        logger.info("model has no Slack channel", model=notice.model, notification=notice.notification_id)
        return

    def say() -> None:
        arn = notice.model_package_arn
        if arn is None or notice.kind not in OF_CANDIDATES:
            client.post(channel, messages.of_fact(notice))
            return
        shown, place = show(arn, notice.model, config, using, client, review_url=notice.review_url)
        if notice.kind == "rolled_back" or (notice.kind == "overdue" and shown != "posted"):
            client.post(channel, messages.of_fact(notice), under=place)

    did = once(using.ledger, keys.slack_notification(notice.notification_id), say, now=using.clock())
    logger.info("told in Slack" if did else "told in Slack before", kind=notice.kind, model=notice.model)


def show(
    arn: str,
    model: str,
    config: ModelConfig,
    using: Collaborators,
    client: SlackClient,
    *,
    review_url: str | None = None,
    also: Place | None = None,
) -> tuple[Shown, Place | None]:
    """Let the candidate's message show what stands now, whatever came before; post it if there is none.

    So it does not matter which notification comes first, or twice. Nobody else is at it meanwhile: who read
    an older state could not write it later. `also` is another message of it that is known to be there.
    Raises NotReady while another invocation is at it.
    """
    key = keys.slack_message(arn)
    with alone(using.ledger, keys.slack_lease(arn), now=using.clock()):
        known = using.ledger.get(key) or SlackMessage()
        url = review_url or known.review_url
        message = messages.of_candidate(candidate(arn, model, config, using, client, url))
        place = Place(known.channel, known.ts) if known.channel and known.ts else also
        if also and also != place:
            client.update(also, message)
        if known.shows == message.digest:
            return "same", place
        shown: Shown = "updated"
        if place is None or not client.update(place, message):
            shown, place = "posted", client.post(str(config.approvers.slack_channel), message)
        channel, ts = (place.channel, place.ts) if place else (known.channel, known.ts)
        using.ledger.mark(key, channel=channel, ts=ts, shows=message.digest, review_url=url)
        return shown, place


def candidate(
    arn: str,
    model: str,
    config: ModelConfig,
    using: Collaborators,
    client: SlackClient,
    review_url: str | None,
) -> Candidate:
    """What is known of a candidate now."""
    package = registry.package(using.sagemaker, arn)
    judged = using.ledger.get(keys.verdict(arn))
    evaluation, problem = _evaluation(package, using)
    return Candidate(
        model=model,
        arn=arn,
        decided=_decided(package, using),
        rolled_back=package.approval_status == "Rejected" and package.noted_approval is not None,
        reasons=judged.verdict.texts if judged else (),
        evaluation=evaluation,
        problem=problem,
        review_url=review_url,
        may_decide=client.interactive and bool(config.approvers.slack_users),
    )


def _evaluation(package: Package, using: Collaborators) -> tuple[Evaluation | None, str | None]:
    try:
        return registry.evaluation(using.s3, package), None
    except EvaluationError as error:
        return None, str(error)
    except Exception:  # whatever somebody has put there: the candidate waits all the same
        logger.exception("evaluation could not be read", package=package.arn)
        return None, "the evaluation could not be read; the log of notify_slack says why"


def _decided(package: Package, using: Collaborators) -> Decided | None:
    """The decision that stands; None while the candidate waits, also again."""
    fact = using.ledger.get(keys.decision(package.arn))
    state = candidate_state(package, fact, None, using.clock())
    return None if isinstance(state, Waits) else _said(state.decision)


def _said(decision: EarlierDecision) -> Decided:
    at = decision.at.isoformat()
    return Decided(decision.status, decision.by, decision.who or "", decision.why, at)


# ---- buttons --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pressed:
    """A button that somebody pressed. Who he is Slack has signed; what he may is looked up now."""

    by: Interaction
    using: Collaborators
    client: SlackClient

    def decide(self) -> None:
        """Decide if he may, tell him what stands, and show it to all. Repeating it changes nothing."""
        by, using = self.by, self.using
        model = self._model()
        config = using.configs.get(model, fresh=True) if model else None
        package = self._package() if model and config else None
        if model is None or config is None or package is None:
            return self._refuse("This is no candidate of this deployment. Nothing was decided.")
        if by.user_id not in config.approvers.slack_users:
            return self._refuse(
                f"You ({by.user_id}) are not among the approvers of {model} (approvers.slack_users in its "
                "config), so nothing was decided."
            )
        if late := self._late(package):
            self._refuse(late)
            return self._show(model, config)
        try:
            why = decisions.reason(by.reason)
        except NoReason as error:
            return self._answer(f"Nothing was decided: {error}. Write it above the buttons and press again.")
        standing = decisions.decide(
            by.package_arn, STATUS[by.action], by="slack", who=by.who, why=why, using=using
        )
        decided = _said(standing)
        own = "That stands now" if standing.ours else "That stood already, and yours changed nothing"
        self._answer(f"{own}: {messages.decision_text(decided)}")
        return self._show(model, config)

    def _model(self) -> str | None:
        """The model whose candidate the button names, by this deployment's names."""
        found = re.fullmatch(
            r"arn:[\w-]+:sagemaker:[\w-]+:\d{12}:model-package/([a-z0-9-]+)/[1-9]\d*",
            self.by.package_arn,
            re.ASCII,
        )
        group = found[1] if found else ""
        model = self.using.settings.model_of(group)
        return model if found and self.using.settings.resource_name(model) == group else None

    def _package(self) -> Package | None:
        """What the registry knows under just this name."""
        try:
            found = registry.package(self.using.sagemaker, self.by.package_arn)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ValidationException":
                raise
            return None
        return found if found.arn == self.by.package_arn else None

    def _late(self, package: Package) -> str | None:
        """Why the press came too late to decide. What stands already is told however late it comes."""
        fact, now = self.using.ledger.get(keys.decision(package.arn)), self.using.clock()
        state = candidate_state(package, fact, None, now)
        if not isinstance(state, Waits):
            return None
        if before(self.by.pressed_at, state.set_back_at):
            why = "a decision on the candidate has been set back to pending in AWS since"
        elif now - self.by.pressed_at > PRESS_LIVES:
            why = "that is too long ago to count now"
        else:
            return None
        at = f"{self.by.pressed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return (
            f"Nothing was decided: you pressed at {at}, and {why}. "
            "Look at the message, and press again if you still mean it."
        )

    def _show(self, model: str, config: ModelConfig) -> None:
        """Let all see it. Where another is at the message, the notification to come does so after him."""
        also = Place(self.by.channel, self.by.message_ts)
        try:
            show(self.by.package_arn, model, config, self.using, self.client, also=also)
        except NotReady:
            logger.info("message is being written by another", package=self.by.package_arn)

    def _refuse(self, text: str) -> None:
        logger.warning("refused in Slack", user=self.by.user_id, package=self.by.package_arn, why=text)
        self._answer(text)

    def _answer(self, text: str) -> None:
        message: Message = messages.of_text(text)
        if not self.client.answer(self.by.response_url, message):
            logger.warning("too late for an answer in Slack", user=self.by.user_id, text=text)
