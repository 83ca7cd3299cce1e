"""The secret with which handsoff talks to Slack, as Secrets Manager holds it."""

import re
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from retraining.errors import ConfigError

_VISIBLE: Final = re.compile(r"[!-~]+")
"""A token or a signing secret: no space and no line break, which HTTP would refuse by quoting the whole."""

_URL: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?", re.ASCII | re.IGNORECASE)
"""The address of a webhook."""


class Secret(BaseModel):
    """Either a bot token with the app's signing secret, or the URL of an incoming webhook."""

    model_config = ConfigDict(
        defer_build=True,
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    bot_token: SecretStr | None = None
    signing_secret: SecretStr | None = None
    webhook_url: SecretStr | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        app = bool(self.bot_token and self.signing_secret)
        if app == bool(self.webhook_url) or bool(self.bot_token) != bool(self.signing_secret):
            raise ValueError("either botToken and signingSecret, or webhookUrl")
        for form, value in (
            (_VISIBLE, self.bot_token),
            (_VISIBLE, self.signing_secret),
            (_URL, self.webhook_url),
        ):
            if value and not form.fullmatch(value.get_secret_value()):
                raise ValueError("a value holds a space, a line break or another sign, or is no URL")
        return self


def parse_secret(text: str, *, source: str) -> Secret:
    """The secret in this JSON. Raises ConfigError, which names `source` and shows nothing of the text.

    The address of a webhook is a secret, so it must begin with https.
    """
    try:
        found: Secret | None = Secret.model_validate_json(text)
    except ValidationError:
        found = None
    url = found.webhook_url.get_secret_value() if found and found.webhook_url else "https://"
    if found is None or not url.startswith("https://"):
        raise ConfigError(
            f'{source} must hold {{"botToken": "xoxb-…", "signingSecret": "…"}} or '
            '{"webhookUrl": "https://…"}, each value without spaces and line breaks; put one of the two there'
        )
    return found
