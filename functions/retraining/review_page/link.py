"""What a link to the review page leads to, and why a link no longer decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from retraining.aws import registry
from retraining.aws.observability import about, logger
from retraining.candidates.state import CandidateState, Waits, before, candidate_state
from retraining.collaborators import Collaborators
from retraining.config.rules import Approval
from retraining.config.schema import ModelConfig
from retraining.errors import ConfigError
from retraining.facts import keys
from retraining.facts.candidates import EarlierDecision
from retraining.facts.package import Package
from retraining.html.wording import plain, version_of
from retraining.links import Kind, LinkExpired, LinkInvalid, Links
from retraining.review_page.http import Refused

NOT_COMPLETE: Final = (
    400,
    "This link is not complete",
    "Open it as a whole: some programs cut long links in two lines.",
)
"""The refusal of a link without a token: status, title and text."""

NOT_VALID: Final = (
    403,
    "This link is not valid",
    "Another deployment of handsoff made it, or it was changed on its way. Open it from the message as it "
    "is.",
)
"""The refusal of a token that is none of this deployment and kind: status, title and text."""

DECIDE_WITHOUT: Final = (
    "A later reminder about the candidate carries a new link. Without one, ask the operator of handsoff: the "
    "commands handsoff approve and handsoff reject decide without a link."
)
"""What to do where a link to a candidate has expired."""

LOOKS: Final = (
    "This link only shows: it was made for reading. Who may decide has another link, from a notification or "
    "from the operator of handsoff."
)
"""Why a link of the kind `look` decides nothing."""


class Opened(NamedTuple):
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
        raise Refused(*NOT_COMPLETE)
    kind, arn, model, config = _read(token, using, links, fresh=fresh)
    about(model=model, package=arn)
    package = _package(arn, using)
    about(execution=package.execution)
    fact = using.ledger.get(keys.decision(arn))
    state = candidate_state(package, fact, using.clock())
    used = _used(links.made(token, kind), state) if isinstance(state, Waits) else None
    approval = config.approval if config else Approval()
    looks = LOOKS if kind == "look" else None
    return Opened(token, package, model, approval, state, looks or _read_only(config) or used)


def _read(
    token: str, using: Collaborators, links: Links, *, fresh: bool
) -> tuple[Kind, str, str, ModelConfig | None]:
    """The token's kind, the ARN of its package, its model, and the model's config, by which links expire."""
    try:
        kind = links.kind(token)
        arn = links.subject(token, kind)
        model = using.settings.model_of(arn.split(":model-package/")[-1].rsplit("/", 1)[0])
        config = config_of(model, using, fresh=fresh)
        links.read(token, lifetime(config), kind)
    except LinkInvalid:
        raise Refused(*NOT_VALID) from None
    except LinkExpired as old:
        raise expired(f"{plain(model)}, version {plain(version_of(arn))}", old, DECIDE_WITHOUT) from None
    return kind, arn, model, config


def lifetime(config: ModelConfig | None) -> timedelta:
    """How long links to a model live, by its config."""
    return (config.approval if config else Approval()).link_expires_after


def expired(to: str, old: LinkExpired, way_out: str) -> Refused:
    """The refusal of a link that led to `to` and is too old."""
    said = f"It led to {to}, and was made on {old.at:%d %B %Y at %H:%M} UTC."
    return Refused(410, "This link has expired", said, way_out)


def config_of(model: str, using: Collaborators, *, fresh: bool) -> ModelConfig | None:
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
