"""What a link to the review page leads to, and why a link no longer decides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from retraining.aws import registry
from retraining.aws.observability import logger
from retraining.candidates.state import CandidateState, Waits, before, candidate_state
from retraining.collaborators import Collaborators
from retraining.config.rules import Approval
from retraining.config.schema import ModelConfig
from retraining.errors import ConfigError
from retraining.facts import keys
from retraining.facts.candidates import EarlierDecision
from retraining.facts.package import Package
from retraining.html.wording import plain, version_of
from retraining.links import LinkExpired, LinkInvalid, Links
from retraining.review_page.http import Refused


@dataclass(frozen=True)
class Opened:
    """A valid link, and the candidate that it leads to.

    `read_only` says why this link decides nothing; None where it may decide.
    """

    token: str
    package: Package
    model: str
    approval: Approval
    candidate: CandidateState
    read_only: str | None

    @property
    def waits(self) -> bool:
        """Whether a person may decide."""
        return isinstance(self.candidate, Waits)

    @property
    def state(self) -> str:
        """Names the state in which the candidate waits: each time that it is set back makes another one."""
        at = self.candidate.set_back_at if isinstance(self.candidate, Waits) else None
        return at.isoformat() if at else "none"

    @property
    def decision(self) -> EarlierDecision | None:
        """The decision that stands or is being written; None while the candidate waits."""
        return None if isinstance(self.candidate, Waits) else self.candidate.decision


def open_link(token: str, using: Collaborators, links: Links, *, fresh: bool = False) -> Opened:
    """What the token leads to; with `fresh`, by the model's present config and not one kept in memory.

    Refuses a token that is missing, changed or too old, and one whose package is deleted.
    """
    if not token:
        raise Refused(
            400, "This link is not complete", "Open it as a whole: some programs cut long links in two lines."
        )
    arn, model, config = _read(token, using, links, fresh=fresh)
    package = _package(arn, using)
    fact = using.ledger.get(keys.decision(arn))
    state = candidate_state(package, fact, using.clock())
    used = _used(links.made(token), state) if isinstance(state, Waits) else None
    approval = config.approval if config else Approval()
    return Opened(token, package, model, approval, state, _read_only(config) or used)


def _read(
    token: str, using: Collaborators, links: Links, *, fresh: bool
) -> tuple[str, str, ModelConfig | None]:
    """The ARN of the package, its model and the model's config. The config says how long links live."""
    try:
        arn = links.arn(token)
        model = using.settings.model_of(arn.split(":model-package/")[-1].rsplit("/", 1)[0])
        config = _config(model, using, fresh=fresh)
        links.read(token, (config.approval if config else Approval()).link_expires_after)
    except LinkInvalid:
        raise Refused(
            403,
            "This link is not valid",
            "Another deployment of handsoff made it, or it was changed on its way. Open it from the message "
            "as it is.",
        ) from None
    except LinkExpired as expired:
        raise Refused(
            410,
            "This link has expired",
            f"It led to {plain(model)}, version {plain(version_of(arn))}, and was made on "
            f"{expired.at:%d %B %Y at %H:%M} UTC.",
            "A later reminder about the candidate carries a new link. Without one, ask the operator of "
            "handsoff: the commands handsoff approve and handsoff reject decide without a link.",
        ) from None
    return arn, model, config


def _config(model: str, using: Collaborators, *, fresh: bool) -> ModelConfig | None:
    """The model's config; None where there is none, or where it is not valid."""
    try:
        return using.configs.get(model, fresh=fresh)
    except ConfigError:
        logger.exception("config is not valid", model=model)
        return None


def _package(arn: str, using: Collaborators) -> Package:
    found = registry.find(using.sagemaker, arn)
    if found is None:
        raise Refused(
            404, "This model package is gone", "It has been deleted, so there is nothing left to decide."
        )
    return found


def _read_only(config: ModelConfig | None) -> str | None:
    """Why the config lets nobody decide on the page; None where it lets them."""
    if config is None:
        return (
            "The model has no valid configuration now, so this page only shows. Ask the operator of handsoff."
        )
    if config.approval.review_page == "read_only":
        return (
            "This page only shows: decisions on this model are taken in Slack, or by the command handsoff "
            "approve or handsoff reject."
        )
    return None


def _used(made: datetime, state: Waits) -> str | None:
    """Why a link made at this time decides no more: a decision taken since then has been set back."""
    back = state.set_back_at
    if back is None or not before(made, back):
        return None
    return (
        f"This link decides no more. It was made on {made:%d %B %Y at %H:%M} UTC; since then the candidate "
        f"was decided, and set back to pending in AWS on {back.astimezone(UTC):%d %B %Y at %H:%M} UTC. The "
        "notification about that carries a new link. The commands handsoff approve and handsoff reject need "
        "no link."
    )
