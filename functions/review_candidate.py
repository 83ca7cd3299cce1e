"""Triggered by HTTP requests to the Function URL: people with a signed link, and Slack's buttons.
Changes: a person's decision, through decisions.decide; a button of Slack's is handed to notify_slack.

    GET  /review?t=…   the page about a candidate: shows, never decides (mail scanners follow links)
    POST /review       the page's form: decides
    POST /slack        a button in Slack: checked, handed on, answered

Whatever is wrong with a request is answered with a page that says what to do. Tokens are never logged.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from retraining import evidence
from retraining.aws import pipelines, registry
from retraining.aws.observability import logger
from retraining.aws.registry import Package
from retraining.aws.settings import secret
from retraining.candidates import decisions
from retraining.candidates.decision_actions import Standing
from retraining.candidates.state import CandidateState, Waits, before, candidate_state
from retraining.collaborators import Collaborators
from retraining.config.rules import Approval
from retraining.config.schema import ModelConfig
from retraining.errors import ConfigError, HandsoffError, NotReady
from retraining.facts import keys
from retraining.facts.candidates import EarlierDecision, Status
from retraining.links import LinkExpired, LinkInvalid, Links
from retraining.review_page.view import Earlier, Known, decided, plain, review
from retraining.slack import requests
from retraining.slack.secret import parse_secret
from retraining.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

Response = dict[str, Any]
T = TypeVar("T")

MOST_NAME: Final = 80
MOST_REASON: Final = decisions.MAX_WHY
MOST_FORM: Final = 16 * 1024
MOST_SLACK: Final = 256 * 1024
"""Bytes of a body: of our form, and of what Slack sends, in which the whole message stands again."""

PATIENCE: Final = (0.3, 0.6, 1.2)
"""Seconds between tries to decide while another decision on the group is being written."""

HISTORY: Final = 10
"""Packages of the group that are listed."""

PAGES: Final = Path(__file__).parent / "retraining" / "review_page" / "pages"


# ---- requests and answers --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """A request in payload format 2.0. Header names are in lower case; `body` is None if it is no base64."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes | None

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        body: bytes | None = (event.get("body") or "").encode(errors="replace")
        if event.get("isBase64Encoded") and body:
            try:
                body = base64.b64decode(body, validate=True)
            except ValueError:
                body = None
        return cls(
            method=event["requestContext"]["http"]["method"],
            path=event.get("rawPath") or "/",
            query=event.get("rawQueryString") or "",
            headers={name.lower(): value for name, value in (event.get("headers") or {}).items()},
            body=body,
        )


class Refused(Exception):
    """The request is answered with a message, and nothing was done. `headers` are added to the usual ones."""

    def __init__(self, status: int, title: str, *texts: str, **headers: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.texts = texts
        self.headers = headers


@dataclass(frozen=True)
class Door:
    """How presses of Slack's buttons come in: the secret that signs them, and who does what they ask for."""

    signing_secret: str
    hand_on: Callable[[Mapping[str, Any]], None]
    api_url: str | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)


@logger.inject_lambda_context
def handler(
    event: dict[str, Any],
    _context: LambdaContext,
    *,
    using: Collaborators | None = None,
    links: Links | None = None,
    door: Door | None = None,
) -> Response:
    """Answer one request. Below 500 whatever the request is; AWS itself failing is raised."""
    request = Request.of(event)
    try:
        answers = ROUTES.get(request.path)
        if answers is None:
            raise Refused(404, "There is nothing here", "Open the link from the message as a whole.")
        method = "GET" if request.method == "HEAD" else request.method
        if method not in answers:
            allowed = ", ".join(answers) + (", HEAD" if "GET" in answers else "")
            raise Refused(
                405, "This is not how it is asked", "Open the link from the message.", allow=allowed
            )
        response = answers[method](request, Desk(using, links, door))
    except Refused as refused:
        logger.info("request refused", status=refused.status, why=refused.title, method=request.method)
        response = _page(refused.status, "message.html", title=refused.title, texts=refused.texts)
        response["headers"] |= refused.headers
    return {**response, "body": ""} if request.method == "HEAD" else response


class Desk:
    """What an answer is made with. The real ones are made when asked for: Slack does not wait long."""

    def __init__(self, using: Collaborators | None, links: Links | None, door: Door | None) -> None:
        self._using, self._links, self._door = using, links, door

    @property
    def using(self) -> Collaborators:
        return self._using or Collaborators.real()

    @property
    def links(self) -> Links:
        """Where these links lead does not matter here, and a function cannot know its own URL."""
        return self._links or Links(secret(os.environ["LINK_SECRET"]), "")

    @property
    def door(self) -> Door | None:
        """The way in for Slack, if there is one."""
        if self._door:
            return self._door
        return _door(os.environ.get("SLACK_SECRET") or "", os.environ.get("SLACK_FUNCTION") or "")


# ---- the link --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """A link that is good, and what it leads to. `read_only` says why nothing can be decided, if so.

    `candidate` is the candidate's state.
    """

    token: str
    package: Package
    model: str
    approval: Approval
    candidate: CandidateState
    read_only: str | None

    @property
    def waits(self) -> bool:
        return isinstance(self.candidate, Waits)

    @property
    def state(self) -> str:
        """What the state in which it waits is known by. A set-back makes another one."""
        at = self.candidate.set_back_at if isinstance(self.candidate, Waits) else None
        return at.isoformat() if at else "none"


def _open(token: str, desk: Desk, *, fresh: bool = False) -> Opened:
    """What the token leads to; `fresh` with the config of now. Refuses what is not ours, too old, or gone."""
    using = desk.using
    if not token:
        raise Refused(
            400, "This link is not complete", "Open it as a whole: some programs cut long links in two lines."
        )
    try:
        arn = desk.links.arn(token)
        model = using.settings.model_of(_group(arn))
        config = _config(model, using, fresh=fresh)
        approval = config.approval if config else Approval()
        desk.links.read(token, approval.link_expires_after)
    except LinkInvalid:
        raise Refused(
            403,
            "This link is not valid",
            "It was not made by this deployment of handsoff, or it was changed on its way. Open it from the "
            "message as it is.",
        ) from None
    except LinkExpired as expired:
        raise Refused(
            410,
            "This link has expired",
            f"It led to {plain(model)}, version {plain(arn.rsplit('/', 1)[-1])}, and was made on "
            f"{expired.at:%d %B %Y at %H:%M} UTC.",
            "A reminder about the candidate, if one came since, carries a new link. Otherwise ask whoever "
            "runs handsoff: the commands handsoff approve and handsoff reject decide without a link.",
        ) from None
    try:
        package = registry.package(using.sagemaker, arn)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        raise Refused(
            404, "This model package is gone", "It has been deleted, so there is nothing to decide any more."
        ) from None
    fact = using.ledger.get(keys.decision(arn))
    state = candidate_state(package, fact, None, using.clock())
    used = _used(desk.links.made(token), state) if isinstance(state, Waits) else None
    return Opened(token, package, model, approval, state, _read_only(config) or used)


def _group(arn: str) -> str:
    return arn.split(":model-package/")[-1].rsplit("/", 1)[0]


def _config(model: str, using: Collaborators, *, fresh: bool) -> ModelConfig | None:
    """The model's config; None where there is none, or one that is not valid."""
    try:
        return using.configs.get(model, fresh=fresh)
    except ConfigError:
        logger.exception("config is not valid", model=model)
        return None


def _read_only(config: ModelConfig | None) -> str | None:
    if config is None:
        return "The model has no valid configuration now, so this page only shows. Ask whoever runs handsoff."
    if config.approval.review_page == "read_only":
        return (
            "This page only shows: decisions on this model are taken in Slack, or by the command handsoff "
            "approve or handsoff reject."
        )
    return None


def _used(made: datetime, state: Waits) -> str | None:
    """Why a link of that time does not decide any more: a decision has fallen since, and was set back."""
    back = state.set_back_at
    if back is None or not before(made, back):
        return None
    return (
        f"This link, made on {made:%d %B %Y at %H:%M} UTC, decides no more: the candidate was decided since, "
        f"and set back to pending in AWS on {back.astimezone(UTC):%d %B %Y at %H:%M} UTC. The message that "
        "it waits again carries a new link; the commands handsoff approve and handsoff reject need none."
    )


# ---- GET /review -----------------------------------------------------------------------------------------


def show(request: Request, desk: Desk) -> Response:
    """The page. It decides nothing."""
    found = _values(request.query.encode(errors="replace"))
    opened = _open(found.get("t", ""), desk)
    logger.info("review page shown", package=opened.package.arn)
    return _review(200, opened, desk)


@dataclass(frozen=True)
class Form:
    """The form as it is shown: what it must bring back, what was typed, and what is wrong with that."""

    token: str
    nonce: str
    decision: str = ""
    name: str = ""
    reason: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Alert:
    """Why nothing was recorded. `fields` has a text for each field that is to be mended."""

    title: str
    text: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


def _review(
    status: int,
    opened: Opened,
    desk: Desk,
    *,
    alert: Alert | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    """The page about a candidate, with the form where it may still be decided."""
    known = _known(opened, desk.using)
    errors = alert.fields if alert else {}
    form = None
    if opened.waits and opened.read_only is None:
        nonce = desk.links.form(opened.token, opened.state)
        form = Form(opened.token, nonce, **(typed or {}), errors=errors)
    return _page(
        status,
        "review.html",
        review=review(known),
        form=form,
        alert=alert,
        read_only=opened.read_only,
        most_name=MOST_NAME,
        most_reason=MOST_REASON,
    )


def _known(opened: Opened, using: Collaborators) -> Known:
    """Everything about the candidate that can be read now. What cannot is named, and hides nothing else."""
    package, model = opened.package, opened.model
    unknown: dict[str, str] = {}

    def read(section: str, look: Callable[[], T]) -> T | None:
        try:
            return look()
        except HandsoffError as error:
            unknown[section] = registry.shorten(str(error), 300)
        except Exception:  # whatever somebody has put there: the rest is shown all the same
            logger.exception("part of the page could not be read", section=section, package=package.arn)
            unknown[section] = "It could not be read; the function's log says why."
        return None

    def execution() -> pipelines.Execution:
        if not package.execution:
            raise HandsoffError("The package does not say which execution registered it.")
        return pipelines.describe(using.sagemaker, package.execution)

    ran = read("execution", execution)
    return Known(
        package=package,
        model=model,
        approval=opened.approval,
        verdict=read("verdict", lambda: _verdict(package.arn, using)),
        decision=_standing(opened),
        evaluation=read("evaluation", lambda: registry.evaluation(using.s3, package)),
        execution=ran,
        evidence=read("evidence", lambda: evidence.gather(using.sources, model, ran)) if ran else None,
        history=read("history", lambda: _history(package.group, using)) or (),
        unknown=unknown,
    )


def _verdict(arn: str, using: Collaborators) -> Verdict:
    known = using.ledger.get(keys.verdict(arn))
    if known is None:
        raise HandsoffError("The rules have not judged it yet; that comes by itself within a minute or two.")
    return known.verdict


def _standing(opened: Opened) -> EarlierDecision | None:
    """The decision that stands, as a fact of the ledger, whoever took it; None while the package waits."""
    state = opened.candidate
    return None if isinstance(state, Waits) else state.decision


def _history(group: str, using: Collaborators) -> list[Earlier]:
    """The newest packages of the group, newest first."""
    return [
        Earlier(found.arn, found.status, found.created_at, using.ledger.get(keys.decision(found.arn)))
        for found in registry.newest(using.sagemaker, group)[: -HISTORY - 1 : -1]
    ]


# ---- POST /review ----------------------------------------------------------------------------------------


def decide(request: Request, desk: Desk) -> Response:
    """The form decides, if it comes from our page, whole, and in time; the page then says what stands."""
    _from_our_page(request)
    found = _values(_body(request, MOST_FORM))
    opened = _open(found.get("t", ""), desk, fresh=True)
    if opened.read_only:
        raise Refused(403, "This page decides nothing", opened.read_only)
    typed = {name: plain(found.get(name, "")) for name in ("decision", "name", "reason")}
    state = desk.links.shown(found.get("form", ""), opened.token)
    if state is None:
        alert = Alert(
            "Nothing was recorded: the page had been open for too long, or this form is of another page",
            "Look again at what it says now.",
        )
        return _review(403, opened, desk, alert=alert, typed={**typed, "decision": ""})
    if opened.waits and state != opened.state:
        alert = Alert(
            "Nothing was recorded: since the page was shown, a decision was set back to pending in AWS",
            "Look again at what it says now, choose, and send it once more.",
        )
        return _review(409, opened, desk, alert=alert, typed={**typed, "decision": ""})
    if errors := _errors(typed):
        alert = Alert("Nothing was recorded yet: something needs correcting", fields=errors)
        return _review(422, opened, desk, alert=alert, typed=typed)
    status: Status = "Approved" if typed["decision"] == "Approved" else "Rejected"
    arn = opened.package.arn
    try:
        standing = _decided(arn, status, typed, desk.using)
    except NotReady:
        alert = Alert(
            "Nothing was recorded: somebody is deciding on a candidate of this model right now",
            "Look at what the page says now; if it still waits, send it again in a minute.",
        )
        return _review(409, _open(opened.token, desk), desk, alert=alert, typed=typed)
    logger.info("decision by link", package=arn, status=standing.status, by=standing.by, ours=standing.ours)
    if not standing.ours:
        opened = _open(opened.token, desk)
        stands = decided(_standing(opened) or standing)
        why = f": “{stands.why}”" if stands.why else "."
        alert = Alert(
            "Your decision was not recorded: the candidate is decided already",
            f"It was {stands.status.lower()} by {stands.by}{why}",
        )
        if opened.waits:  # decisions.decide has refused to approve it, and says why
            alert = Alert("Your decision was not recorded: the candidate cannot be approved", standing.why)
        return _review(409, opened, desk, alert=alert)
    return _answer(303, "", location=f"review?t={opened.token}")


def _decided(arn: str, status: Status, typed: Mapping[str, str], using: Collaborators) -> Standing:
    """Decide, with a little patience: of two clicks the second waits for the first, and is shown its page.

    Raises NotReady where somebody else is at it for longer.
    """
    for pause in PATIENCE:
        try:
            return decisions.decide(
                arn, status, by="link", who=typed["name"], why=typed["reason"], using=using
            )
        except NotReady:
            time.sleep(pause)
    return decisions.decide(arn, status, by="link", who=typed["name"], why=typed["reason"], using=using)


def _from_our_page(request: Request) -> None:
    """Refuses what a page of another site has sent, which browsers say in headers."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    host = request.headers.get("host", "")
    if site not in (None, "same-origin") or (origin is not None and _place(origin) != host.lower()):
        raise Refused(
            403,
            "This did not come from the review page",
            "Nothing was recorded. Open the link from the message, and decide there.",
        )


def _place(origin: str) -> str | None:
    """Host and port of an Origin; None where it is none."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _errors(typed: Mapping[str, str]) -> dict[str, str]:
    """What is missing or too long, by field, in the order of the form."""
    errors = {}
    if typed["decision"] not in ("Approved", "Rejected"):
        errors["decision"] = "Choose whether to approve or to reject"
    for name, words, most in (("name", "Your name", MOST_NAME), ("reason", "The reason", MOST_REASON)):
        if not typed[name]:
            errors[name] = f"{words} is missing"
        elif len(typed[name]) > most:
            errors[name] = f"{words} has {len(typed[name])} characters; at most {most} fit"
    return errors


def _body(request: Request, most: int) -> bytes:
    """The body of a form that is not too large."""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(
            415, "This is no form", "Nothing was done. Open the link from the message, and decide there."
        )
    if request.body is None:
        raise Refused(400, "This form cannot be read", "Nothing was done. Go back, and send it again.")
    if len(request.body) > most:
        raise Refused(413, "This form is too large", f"Nothing was done: at most {most} bytes are read.")
    return request.body


def _values(text: bytes) -> dict[str, str]:
    """The fields of a form or a query, each at most once."""
    try:
        pairs = parse_qsl(text.decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise Refused(
            400, "This request cannot be read", "Nothing was done. Open the link from the message."
        ) from None
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Refused(
            400, "This request says something twice", "Nothing was done. Open the link from the message."
        )
    return values


# ---- POST /slack -----------------------------------------------------------------------------------------


def press(request: Request, desk: Desk) -> Response:
    """A button in Slack: signature and age are checked before anything is read, then notify_slack is asked.

    It looks up whether that person may decide, by the config of then, and tells everybody what came of it.
    """
    door = desk.door
    if door is None:
        raise Refused(404, "There is nothing here", "This deployment of handsoff is not connected to Slack.")
    body = request.body or b""
    if len(body) > MOST_SLACK:
        raise Refused(413, "This is too large", f"Nothing was done: at most {MOST_SLACK} bytes are read.")
    pressed = requests.interaction(
        request.headers, body, door.signing_secret, door.clock(), api_url=door.api_url
    )
    if isinstance(pressed, requests.Refusal):
        raise Refused(pressed.status, "This request was refused", pressed.why)
    door.hand_on(pressed.as_event())
    logger.info("button pressed in Slack", user=pressed.user_id, package=pressed.package_arn)
    return _answer(200, "")


def _door(secret_arn: str, function: str) -> Door | None:
    """The way in for Slack; None where this deployment has none, or only a webhook, which has no buttons."""
    if not secret_arn or not function:
        return None
    found = parse_secret(secret(secret_arn), source=secret_arn)
    if not found.signing_secret:
        return None

    def hand_on(event: Mapping[str, Any]) -> None:
        _lambda().invoke(FunctionName=function, InvocationType="Event", Payload=json.dumps(event).encode())

    return Door(
        found.signing_secret.get_secret_value(), hand_on, api_url=os.environ.get("SLACK_API_URL") or None
    )


@cache
def _lambda() -> LambdaClient:
    return boto3.client("lambda")


ROUTES: Final[Mapping[str, Mapping[str, Callable[[Request, Desk], Response]]]] = {
    "/review": {"GET": show, "POST": decide},
    "/slack": {"POST": press},
}


# ---- pages -----------------------------------------------------------------------------------------------


@cache
def _environment() -> Environment:
    """Jinja2 for our pages. All that is not our own markup is escaped, and cleared of what is invisible."""
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else plain(value),
    )
    environment.filters["moment"] = _moment
    environment.globals["style"] = Markup((PAGES / "style.css").read_text())  # nosec B704 # noqa: S704 - our own file
    return environment


def _moment(at: datetime) -> Markup:
    """A time for people and for programs, in UTC."""
    utc = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds"), f"{utc.day} {utc:%b %Y, %H:%M} UTC"
    )


@cache
def _headers() -> dict[str, str]:
    """What every answer says: nothing is loaded, framed, kept, or sent elsewhere."""
    style = hashlib.sha256(str(_environment().globals["style"]).encode()).digest()
    policy = (
        "default-src 'none'",
        f"style-src 'sha256-{base64.b64encode(style).decode()}'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
    return {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "; ".join(policy),
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cache-control": "no-store",
        "strict-transport-security": "max-age=63072000",
        "cross-origin-opener-policy": "same-origin",
        "x-robots-tag": "noindex",
    }


def _page(status: int, template: str, **values: Any) -> Response:
    return _answer(status, _environment().get_template(template).render(values))


def _answer(status: int, body: str, **headers: str) -> Response:
    return {
        "statusCode": status,
        "headers": {**_headers(), **headers},
        "body": body,
        "isBase64Encoded": False,
    }
