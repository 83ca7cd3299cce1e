"""`GET /review`: the page about a candidate. It decides nothing, because mail scanners follow links."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from retraining.aws.observability import logger
from retraining.candidates import decisions
from retraining.collaborators import Collaborators
from retraining.links import Links
from retraining.review_page.gather import gather
from retraining.review_page.http import Request, Response, fields, page
from retraining.review_page.link import Opened, open_link
from retraining.review_page.view import review

MAX_NAME: Final = 80
"""Characters of a name that the form takes."""

MAX_REASON: Final = decisions.MAX_WHY
"""Characters of a reason that the form takes."""


class Entered(NamedTuple):
    """What a person has entered in the form. `decision` should be Approved or Rejected."""

    decision: str = ""
    name: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Alert:
    """Why nothing was recorded, with the HTTP status. `fields` has a text for each field to correct."""

    status: int
    title: str
    text: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """The form as it is shown: the two values that it must bring back, and what had been entered."""

    token: str
    nonce: str
    entered: Entered
    errors: Mapping[str, str]


def show(request: Request, using: Collaborators, links: Links) -> Response:
    """The page that the link in the query leads to."""
    found = fields(request.query.encode(errors="replace"))
    opened = open_link(found.get("t", ""), using, links)
    logger.info("review page shown", package=opened.package.arn)
    return candidate_page(opened, using, links)


def candidate_page(
    opened: Opened,
    using: Collaborators,
    links: Links,
    *,
    alert: Alert | None = None,
    entered: Entered | None = None,
) -> Response:
    """The page about a candidate, with the form where the link may still decide."""
    known = gather(opened, using)
    form = None
    if opened.waits and opened.read_only is None:
        nonce = links.form(opened.token, opened.state)
        form = Form(opened.token, nonce, entered or Entered(), alert.fields if alert else {})
    return page(
        alert.status if alert else 200,
        "review.html",
        review=review(known),
        form=form,
        alert=alert,
        read_only=opened.read_only,
        max_name=MAX_NAME,
        max_reason=MAX_REASON,
    )
