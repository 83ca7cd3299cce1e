"""Triggered by HTTP requests to the Function URL: people with a signed link, and presses of Slack's buttons.
Changes: the decision that a person takes on the page; hands a press in Slack to notify_slack. Logs no token.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from retraining.aws.observability import handling, logger
from retraining.aws.settings import secret
from retraining.collaborators import Collaborators
from retraining.links import Links
from retraining.review_page import snapshot
from retraining.review_page.form import decide
from retraining.review_page.http import Refused, Request, Response, answer, respond
from retraining.review_page.show import show
from retraining.slack.endpoint import Endpoint
from retraining.slack.requests import Refusal

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

if snapshot.is_being_taken():
    snapshot.make_ready()


@logger.inject_lambda_context
def handler(
    event: dict[str, Any],
    _context: LambdaContext,
    *,
    using: Collaborators | None = None,
    links: Links | None = None,
    endpoint: Endpoint | None = None,
) -> Response:
    """Answer one request. The status is below 500 whatever the request is; a failure of AWS is raised."""

    def on(do: Callable[[Request, Collaborators, Links], Response]) -> Callable[[Request], Response]:
        # Made for the page only: Slack waits three seconds. Links are read here, so they need no base.
        return lambda request: do(
            request, using or Collaborators.real(), links or Links(secret(os.environ["LINK_SECRET"]), "")
        )

    with handling():
        return respond(
            Request.of(event),
            {
                "/review": {"GET": on(show), "POST": on(decide)},
                "/models/*": {"GET": on(_show_model)},
                "/slack": {"POST": lambda request: press(request, endpoint or Endpoint.from_environment())},
            },
        )


def _show_model(request: Request, using: Collaborators, links: Links) -> Response:
    from retraining.review_page.model_page import show_model  # it draws; the candidate's page shows pictures

    return show_model(request, using, links)


def press(request: Request, endpoint: Endpoint | None) -> Response:
    """Answer Slack, which shows the person nothing of it: notify_slack tells them the result."""
    if endpoint is None:
        raise Refused(404, "There is nothing here", "This deployment of handsoff is not connected to Slack.")
    pressed = endpoint.receive(request.headers, request.body or b"")
    if isinstance(pressed, Refusal):
        raise Refused(pressed.status, "This request was refused", pressed.why)
    return answer(200)
