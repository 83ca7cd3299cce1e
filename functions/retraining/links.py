"""Links to the review page: signed, bound to one package or one model, of one kind, and dated.

Each kind has its own signature: a token of one kind is none of another.

A link proves that its holder was given it, not who the holder is. Its age is checked when it is read: a
config that shortens `link_expires_after` also shortens the lives of links that were sent before.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from retraining.errors import HandsoffError

Kind = Literal["review", "look", "model"]
"""What a link opens: a candidate to decide on, a candidate to read, or a model's history to read. The word is
the salt that separates the signatures of the kinds."""

CANDIDATE: Final[tuple[Kind, ...]] = ("review", "look")
"""The kinds of links that lead to a candidate."""

FORM_SALT: Final = "form"
"""Separates signatures of forms from those of links."""

FORM_MAX_AGE: Final = timedelta(hours=1)
"""The time for which a form that was shown may be sent."""

MAX_TOKEN: Final = 1000
"""Characters of the longest token that is read. Tokens of handsoff have about 150."""

_SIGNED: Final = re.compile(r"\.?[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")
"""What itsdangerous writes: payload (compressed if it begins with a dot), time, signature, in base64url."""


class LinkInvalid(HandsoffError):
    """The token was not made by this deployment, or it was changed. The message does not say which."""

    def __init__(self) -> None:
        super().__init__("this link is not one that handsoff has sent")


class LinkExpired(HandsoffError):
    """The token was made by this deployment at `at`, for `subject`, and is too old."""

    def __init__(self, subject: str, at: datetime) -> None:
        super().__init__(f"this link was made at {at.isoformat()} and has expired")
        self.subject = subject
        self.at = at


class Links:
    """Makes and reads links. `base` is the Function URL, which ends with a slash; `secret` signs them."""

    def __init__(self, secret: str, base: str) -> None:
        if not secret:
            raise ValueError("links need a secret: without one anybody could make them")
        self._base = base
        self._signers = {kind: URLSafeTimedSerializer(secret, salt=kind) for kind in get_args(Kind)}
        self._forms = URLSafeTimedSerializer(secret, salt=FORM_SALT)

    def url(self, arn: str) -> str:
        """A link, made now, to the page on which this package is decided."""
        return f"{self._base}review?t={self.token(arn)}"

    def look_url(self, arn: str) -> str:
        """A link, made now, to the same page; it decides nothing."""
        return f"{self._base}review?t={self.token(arn, 'look')}"

    def model_url(self, model: str) -> str:
        """A link, made now, to the page with a model's history; it decides nothing."""
        return f"{self._base}models/{model}?t={self.token(model, 'model')}"

    def token(self, subject: str, kind: Kind = "review") -> str:
        """The signed part of a link: letters, digits, `-`, `_` and `.` only.

        `subject` is the ARN of a package, or the name of a model.
        """
        return _text(self._signers[kind].dumps(subject))

    def kind(self, token: str, among: Sequence[Kind] = CANDIDATE) -> Kind:
        """The kind of a token, which is one of `among`, however old it is. Raises LinkInvalid."""
        for kind in among:
            with suppress(LinkInvalid):
                self.subject(token, kind)
                return kind
        raise LinkInvalid

    def subject(self, token: str, kind: Kind = "review") -> str:
        """What a token of this kind was made for, however old it is. Raises LinkInvalid."""
        found = _load(self._signers[kind], token)
        if not isinstance(found, str):
            raise LinkInvalid
        return found

    def read(self, token: str, max_age: timedelta, kind: Kind = "review") -> str:
        """What a token of this kind is for. Raises LinkExpired or LinkInvalid."""
        subject = self.subject(token, kind)
        try:
            self._signers[kind].loads(token, max_age=int(max_age.total_seconds()))
        except SignatureExpired as error:
            raise LinkExpired(subject, error.date_signed or datetime.fromtimestamp(0, UTC)) from None
        return subject

    def made(self, token: str, kind: Kind = "review") -> datetime:
        """When a token that has been read was made: in whole seconds, rounded down."""
        _, at = self._signers[kind].loads(token, return_timestamp=True)
        made: datetime = at
        return made

    def form(self, token: str, state: str) -> str:
        """A signed text that the form must send back. It proves that this deployment showed the form lately.

        `state` names the candidate's state at that time: the form decides in no later state.
        """
        return _text(self._forms.dumps([_digest(token), state]))

    def shown(self, form: str, token: str) -> str | None:
        """The state with which this form was shown under this token; None if it was not, or too long ago."""
        try:
            said = _load(self._forms, form, FORM_MAX_AGE)
        except (LinkInvalid, SignatureExpired):
            return None
        match said:
            case [digest, str(state)] if digest == _digest(token):
                return state
        return None


def _load(signer: URLSafeTimedSerializer, text: str, max_age: timedelta | None = None) -> object:
    """What was signed. Raises LinkInvalid, and SignatureExpired where `max_age` has passed.

    Only the text that was signed is accepted, character by character. itsdangerous alone would accept other
    spellings of the signature: base64 ignores line breaks and the last bits.
    """
    if len(text) > MAX_TOKEN or not _SIGNED.fullmatch(text):
        raise LinkInvalid
    value, _, signature = text.rpartition(".")
    if not hmac.compare_digest(signature.encode(), signer.make_signer(signer.salt).get_signature(value)):
        raise LinkInvalid
    try:
        return signer.loads(text, max_age=int(max_age.total_seconds()) if max_age else None)
    except SignatureExpired:
        raise
    except (BadData, ValueError, OverflowError):
        raise LinkInvalid from None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _text(signed: str | bytes) -> str:
    return signed if isinstance(signed, str) else signed.decode()
