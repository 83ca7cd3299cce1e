"""Links to the review page: signed, bound to one package, and dated.

A link proves that its holder was given it, not who that is. How long one lives is said when it is read, not
when it is made: a config that shortens `link_expires_after` shortens the lives of links that are out already.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from retraining.errors import HandsoffError

SALT: Final = "review"
FORM_SALT: Final = "form"
FORM_LIVES: Final = timedelta(hours=1)
"""For how long a form that was shown may be sent."""

MOST_TOKEN: Final = 1000
"""Characters of a token that are looked at: ours are about 150, and nobody signs for longer ones."""


class LinkInvalid(HandsoffError):
    """The token was not made here, or has been changed. It does not say what is wrong with it."""

    def __init__(self) -> None:
        super().__init__("this link is not one that handsoff has sent")


class LinkExpired(HandsoffError):
    """The token was made here, `at` this time, for the package `arn`, and is too old."""

    def __init__(self, arn: str, at: datetime) -> None:
        super().__init__(f"this link was made at {at.isoformat()} and has expired")
        self.arn = arn
        self.at = at


class Links:
    """Makes and reads links. `base` is the Function URL, which ends with a slash; `secret` signs."""

    def __init__(self, secret: str, base: str) -> None:
        if not secret:
            raise ValueError("links need a secret: without one anybody could make them")
        self._base = base
        self._signer = URLSafeTimedSerializer(secret, salt=SALT)
        self._forms = URLSafeTimedSerializer(secret, salt=FORM_SALT)

    def url(self, arn: str) -> str:
        """A link, made now, to the page on which this package is decided."""
        return f"{self._base}review?t={self.token(arn)}"

    def token(self, arn: str) -> str:
        """What makes the link: letters, digits, `-`, `_` and `.` only."""
        return _text(self._signer.dumps(arn))

    def arn(self, token: str) -> str:
        """The ARN of the package that the token was made for, however old it is. Raises LinkInvalid."""
        arn = _load(self._signer, token)
        if not isinstance(arn, str):
            raise LinkInvalid
        return arn

    def read(self, token: str, max_age: timedelta) -> str:
        """The ARN of the package that the token is for. Raises LinkExpired or LinkInvalid."""
        arn = self.arn(token)
        try:
            self._signer.loads(token, max_age=int(max_age.total_seconds()))
        except SignatureExpired as error:
            raise LinkExpired(arn, error.date_signed or datetime.fromtimestamp(0, UTC)) from None
        return arn

    def made(self, token: str) -> datetime:
        """When a token that has been read was made: in whole seconds, rounded down."""
        _, at = self._signer.loads(token, return_timestamp=True)
        made: datetime = at
        return made

    def form(self, token: str, state: str) -> str:
        """What a form that is shown under this token must bring back: it was we who showed it, lately.

        `state` names the candidate's state then: a form that was sent once decides in no later one.
        """
        return _text(self._forms.dumps([_digest(token), state]))

    def shown(self, form: str, token: str) -> str | None:
        """The state with which we showed this form under this token; None if we did not, or too long ago."""
        try:
            said = _load(self._forms, form, FORM_LIVES)
        except (LinkInvalid, SignatureExpired):
            return None
        match said:
            case [digest, str(state)] if digest == _digest(token):
                return state
        return None


def _load(signer: URLSafeTimedSerializer, text: str, max_age: timedelta | None = None) -> object:
    """What was signed. Raises LinkInvalid, and SignatureExpired where `max_age` has passed."""
    if not text.isascii() or len(text) > MOST_TOKEN:
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
