"""The secret with which handsoff talks to Slack, as Secrets Manager holds it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from retraining.errors import ConfigError


class Secret(BaseModel):
    """Either a bot token with the app's signing secret, or the URL of an incoming webhook."""

    model_config = ConfigDict(
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
        return self


def parse_secret(text: str, *, source: str) -> Secret:
    """The secret in this JSON. Raises ConfigError, which names `source` and shows nothing of the text."""
    try:
        return Secret.model_validate_json(text)
    except ValidationError:
        raise ConfigError(
            f'{source} must hold {{"botToken": "xoxb-…", "signingSecret": "…"}} or '
            '{"webhookUrl": "https://…"}; put one of the two there'
        ) from None
