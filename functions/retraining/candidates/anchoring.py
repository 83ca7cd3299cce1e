"""A person moves the anchor of a model to another approved package; approvers are told."""

from __future__ import annotations

from retraining.aws import anchors
from retraining.aws.observability import logger
from retraining.candidates import decisions
from retraining.collaborators import Collaborators
from retraining.errors import ConfigError, HandsoffError, NotReady
from retraining.facts import keys
from retraining.facts.anchors import AnchorFact, EarlierAnchor
from retraining.facts.package import Package
from retraining.notifications.messages import Notification
from retraining.notifications.publish import notify
from retraining.text import shorten
from retraining.verdicts.anchor import way_out


class CannotBeAnchor(HandsoffError):
    """The package may not be the anchor."""


def current(group: str, using: Collaborators) -> AnchorFact | None:
    """The anchor of the package group, noted if it was not; None where no package was ever approved."""
    return anchors.settled(using.sagemaker, using.ledger, group, now=using.clock())


def move(model: str, to: Package, *, who: str, why: str, using: Collaborators) -> AnchorFact:
    """Move the anchor of `model` to this package; the fact that stands then.

    A package that is the anchor already stays so, and nothing is recorded; a message that was not sent is
    sent. Raises NoReason, CannotBeAnchor for what `why_not` says, and NotReady if somebody else has just
    moved the anchor.
    """
    why = decisions.reason(why)
    group = using.settings.resource_name(model)
    if refusal := why_not(to, model, group):
        raise CannotBeAnchor(refusal)
    known = current(group, using)
    if known is None:
        raise NotReady(f"{to.name} is not approved any more; look again")
    if known.package != to.arn:
        moved_to = EarlierAnchor(
            package=to.arn, by="operator", at=using.clock(), who=shorten(who, decisions.MAX_WHO), why=why
        )
        fact = known.moved(moved_to)
        if not using.ledger.replace(keys.anchor(group), fact, where={"at": known.at}):
            raise NotReady(f"somebody has just moved the anchor of {model}; look again")
        logger.info("anchor moved", package=to.arn, before=known.package)
        known = fact
    if known.by == "operator":
        _tell(model, known, using)
    return known


def why_not(to: Package, model: str, group: str) -> str | None:
    """Pure: why the package may not be the anchor of `model`, and the way out; None if it may."""
    if to.group != group:
        return (
            f"{to.name} is no package of {model}: `handsoff status {model}` lists those that are, "
            f"and an anchor must be one of them"
        )
    if to.pending:
        return (
            f"{to.name} waits for a decision, and only an approved package may be the anchor: "
            f'handsoff approve {to.arn} --reason "…" first'
        )
    if to.approval_status != "Approved":
        return (
            f"{to.name} is {to.approval_status}, and only an approved package may be the anchor: "
            "name one that is approved"
        )
    return None


def said_if_lost(gone: Package, using: Collaborators) -> tuple[str, ...]:
    """What is to be said of this package, approved no more, if it is the anchor and a rule asks for that."""
    known = using.ledger.get(keys.anchor(gone.group))
    if known is None or known.package != gone.arn:
        return ()
    model = using.settings.model_of(gone.group)
    try:
        config = using.configs.get(model)
    except ConfigError:  # the decision is recorded whatever the config says
        config = None
    if config is None or not config.approval.asks_anchor:
        return ()
    return (f"it is the anchor, so versus_anchor holds every candidate of {model}. {way_out(model)}",)


def _tell(model: str, known: AnchorFact, using: Collaborators) -> None:
    """Tell approvers of the move, once."""
    before = known.earlier[-1].package if known.earlier else "none"
    message = Notification.about(
        known.package,
        "anchor_moved",
        model=model,
        reasons=(known.why, f"the anchor was {before}; candidates are compared with {known.package} now"),
        package_arn=known.package,
        occurrence=known.at.isoformat(),
        by=known.by,
        who=known.who,
    )
    notify(using.sns, using.ledger, using.settings.topic, message, now=using.clock())
