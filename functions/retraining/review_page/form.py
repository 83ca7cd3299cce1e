"""`POST /review`: the page's form decides, if it comes from our page, is complete, and comes in time."""

from __future__ import annotations

import time
from typing import Final

from retraining.aws.observability import logger
from retraining.candidates import decisions
from retraining.candidates.decision_actions import Standing
from retraining.collaborators import Collaborators
from retraining.errors import NotReady
from retraining.facts.candidates import Status
from retraining.html.wording import plain
from retraining.links import Links
from retraining.review_page.http import Refused, Request, Response, answer, fields, form_body, from_our_page
from retraining.review_page.link import Opened, open_link
from retraining.review_page.show import MAX_NAME, MAX_REASON, Alert, Entered, candidate_page
from retraining.review_page.view import decided

MAX_FORM: Final = 16 * 1024
"""Bytes of a form that are read."""

PATIENCE: Final = (0.3, 0.6, 1.2)
"""Seconds between attempts to decide while another decision on the model is being written."""

TOO_OLD: Final = Alert(
    403,
    "Nothing was recorded: the page had been open for too long, or this form is of another page",
    "Look again at what the page says now.",
)
"""The form does not carry a value that we gave out for this link within the last hour."""

SET_BACK: Final = Alert(
    409,
    "Nothing was recorded: since the page was shown, a decision was set back to pending in AWS",
    "Look again at what the page says now, choose, and send it once more.",
)
"""The form is from an earlier state of the candidate."""

BUSY: Final = Alert(
    409,
    "Nothing was recorded: another decision on this model is being written right now",
    "Look at what the page says now. If the candidate still waits, send the form again in a minute.",
)
"""Another decision holds the lease of the model's group for longer than PATIENCE."""


def decide(request: Request, using: Collaborators, links: Links) -> Response:
    """Record the decision and lead back to the page, or show the page and say why nothing was recorded."""
    from_our_page(request)
    found = fields(form_body(request, MAX_FORM))
    opened = open_link(found.get("t", ""), using, links, fresh=True)
    if opened.read_only:
        raise Refused(403, "This page decides nothing", opened.read_only)
    entered = Entered(*(plain(found.get(name, "")) for name in ("decision", "name", "reason")))
    state = links.shown(found.get("form", ""), opened.token)
    if state is None or (opened.waits and state != opened.state):
        alert = TOO_OLD if state is None else SET_BACK
        return candidate_page(opened, using, links, alert=alert, entered=entered._replace(decision=""))
    if errors := _errors(entered):
        alert = Alert(422, "Nothing was recorded yet: something needs correcting", fields=errors)
        return candidate_page(opened, using, links, alert=alert, entered=entered)
    return _record(opened, entered, using, links)


def _errors(entered: Entered) -> dict[str, str]:
    """What is missing or too long, by field, in the order of the form."""
    errors = {}
    if entered.decision not in ("Approved", "Rejected"):
        errors["decision"] = "Choose whether to approve or to reject"
    texts = (
        ("name", "Your name", entered.name, MAX_NAME),
        ("reason", "The reason", entered.reason, MAX_REASON),
    )
    for field, words, text, limit in texts:
        if not text:
            errors[field] = f"{words} is missing"
        elif len(text) > limit:
            errors[field] = f"{words} has {len(text)} characters; at most {limit} fit"
    return errors


def _record(opened: Opened, entered: Entered, using: Collaborators, links: Links) -> Response:
    arn = opened.package.arn
    back = answer(303, location=f"review?t={opened.token}")  # first: no decision without an answer
    try:
        stands = _decided(arn, entered, using)
    except NotReady:
        return candidate_page(
            open_link(opened.token, using, links), using, links, alert=BUSY, entered=entered
        )
    logger.info("decision by link", package=arn, status=stands.status, by=stands.by, ours=stands.ours)
    if stands.ours:
        return back
    opened = open_link(opened.token, using, links)
    return candidate_page(opened, using, links, alert=_not_recorded(opened, stands))


def _decided(arn: str, entered: Entered, using: Collaborators) -> Standing:
    """Decide. Of two clicks the second waits for the first, and then shows what the first has done.

    Raises NotReady if another decision on the model takes longer than PATIENCE.
    """
    status: Status = "Approved" if entered.decision == "Approved" else "Rejected"

    def attempt() -> Standing:
        return decisions.decide(arn, status, by="link", who=entered.name, why=entered.reason, using=using)

    for pause in PATIENCE:
        try:
            return attempt()
        except NotReady:
            time.sleep(pause)
    return attempt()


def _not_recorded(opened: Opened, stands: Standing) -> Alert:
    """Which decision stands in place of the one that was sent, or why the candidate cannot be approved."""
    if opened.waits:
        return Alert(409, "Your decision was not recorded: the candidate cannot be approved", stands.why)
    other = decided(opened.decision or stands)
    why = f": “{other.why}”" if other.why else "."
    return Alert(
        409,
        "Your decision was not recorded: the candidate is decided already",
        f"It was {other.status.lower()} by {other.by}{why}",
    )
