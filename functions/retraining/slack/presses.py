"""What a press of a button in Slack does. Slack has signed who pressed; what they may do is looked up now.

A press decides once: a repetition finds the decision, and a press from before a set-back or from more than
MAX_AGE ago decides nothing.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Final, NamedTuple

from retraining.aws import registry
from retraining.aws.observability import about, logger
from retraining.candidates import decisions
from retraining.candidates.decisions import NoReason
from retraining.candidates.state import Waits, before, candidate_state
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig
from retraining.errors import NotReady
from retraining.facts import keys
from retraining.facts.candidates import Status
from retraining.facts.package import Package
from retraining.slack import messages, requests
from retraining.slack.candidates import model_of, show
from retraining.slack.client import Place, SlackClient
from retraining.slack.requests import Interaction

STATUS: Final[dict[str, Status]] = {requests.APPROVE: "Approved", requests.REJECT: "Rejected"}
"""The decision that each button asks for."""

MAX_AGE: Final = timedelta(minutes=15)
"""Age up to which a press decides. A press that comes days later, from the dead-letter queue, does not."""


class Press(NamedTuple):
    """A button that a person pressed, and what is needed to act on it."""

    by: Interaction
    using: Collaborators
    client: SlackClient

    def decide(self) -> None:
        """Decide if this person may, answer them, and show the result to all. Repeating changes nothing."""
        by, using = self.by, self.using
        model = model_of(by.package_arn, using.settings)
        about(model=model, package=by.package_arn)
        config = using.configs.get(model, fresh=True) if model else None
        package = self._package() if model and config else None
        about(execution=package.execution if package else None)
        logger.info("button pressed in Slack", user=by.user_id)
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
        stands = decisions.decide(
            by.package_arn, STATUS[by.action], by="slack", who=by.who, why=why, using=using
        )
        outcome = "Recorded" if stands.ours else "Your press changed nothing; this decision stands"
        self._answer(f"{outcome}: {messages.decision_text(stands)}")
        return self._show(model, config)

    def _package(self) -> Package | None:
        """The package that the registry has under exactly this ARN; None where it has none."""
        found = registry.find(self.using.sagemaker, self.by.package_arn)
        return found if found and found.arn == self.by.package_arn else None

    def _late(self, package: Package) -> str | None:
        """Why the press is too late to decide; None where it is not, or where a decision stands already."""
        fact, now = self.using.ledger.get(keys.decision(package.arn)), self.using.clock()
        state = candidate_state(package, fact, now)
        if not isinstance(state, Waits):
            return None
        if before(self.by.pressed_at, state.set_back_at):
            why = "a decision on the candidate has been set back to pending in AWS since"
        elif now - self.by.pressed_at > MAX_AGE:
            why = "that is too long ago to count now"
        else:
            return None
        at = f"{self.by.pressed_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return (
            f"Nothing was decided: you pressed at {at}, and {why}. "
            "Look at the message, and press again if you still mean it."
        )

    def _show(self, model: str, config: ModelConfig) -> None:
        """Show the state to all. While another invocation does so, the notification to come will."""
        also = Place(self.by.channel, self.by.message_ts)
        try:
            show(self.by.package_arn, model, config, self.using, self.client, also=also)
        except NotReady:
            logger.info("message is being written by another invocation")

    def _refuse(self, text: str) -> None:
        logger.warning("refused in Slack", user=self.by.user_id, why=text)
        self._answer(text)

    def _answer(self, text: str) -> None:
        """Tell the person who pressed, and nobody else."""
        if not self.client.answer(self.by.response_url, messages.of_text(text)):
            logger.warning("too late for an answer in Slack", user=self.by.user_id, text=text)
