"""A function's environment, how its clients wait for AWS, the models' configs, and secrets."""

from __future__ import annotations

import hashlib
import os
import time
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from retraining.aws.clients import client
from retraining.aws.parameters import Kept, Parameters, secrets
from retraining.aws.signing import Lock
from retraining.config.schema import ModelConfig, parse_model
from retraining.config.storing import config_key, sha256_named
from retraining.errors import ConfigError, NotReady

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONFIG_MAX_AGE = 60
"""Seconds for which a function keeps a model's config before it reads SSM again."""

SECRET_MAX_AGE: Final = 60
"""Seconds for which a function keeps a secret. It is the same for all functions, because a link is only valid
under the secret that signed it."""


class Settings(NamedTuple):
    """`prefix` names all of this deployment, `bucket` its data, `table` the ledger, `topic` an ARN.

    `review_url` is the Function URL of the review page, for functions that send links to it, and
    `link_secret_arn` the secret that signs them. `signing_key` is the ARN of the KMS key that signs evidence
    records, None where none does, and `lock` how long S3 keeps the records.
    """

    prefix: str
    bucket: str
    table: str
    topic: str
    review_url: str | None = None
    link_secret_arn: str | None = None
    signing_key: str | None = None
    lock: Lock | None = None

    def resource_name(self, model: str) -> str:
        """The name that a model's pipeline and its model package group share."""
        return f"{self.prefix}-{model}"

    def model_of(self, resource_name: str) -> str:
        """The inverse of `resource_name`."""
        return resource_name.removeprefix(f"{self.prefix}-")

    def model_in(self, arn: str) -> str:
        """The model that the ARN of an execution or of a model package names."""
        return self.model_of(arn.split(":", 5)[-1].split("/")[1])


def from_environment() -> Settings:
    """The settings of the running function. Raises KeyError for a variable that is not set."""
    return Settings(
        prefix=os.environ["PREFIX"],
        bucket=os.environ["DATA_BUCKET"],
        table=os.environ["LEDGER_TABLE"],
        topic=os.environ["NOTIFICATIONS_TOPIC"],
        review_url=os.environ.get("REVIEW_URL") or None,
        link_secret_arn=os.environ.get("LINK_SECRET") or None,
        signing_key=os.environ.get("SIGNING_KEY") or None,
        lock=Lock.parse(os.environ.get("EVIDENCE_LOCK", "")),
    )


def secret(arn: str) -> str:
    """The value in Secrets Manager. It is read again after a minute, so that a new value is soon used."""
    return _secrets().get(arn, max_age=SECRET_MAX_AGE)


@cache
def _secrets() -> Kept:
    return secrets(client("secretsmanager"))


class ModelConfigs:
    """Model configs from SSM, or from an object of the data bucket that SSM names. Each is kept a minute."""

    def __init__(self, prefix: str, bucket: str, s3: S3Client, ssm: Parameters | None = None) -> None:
        self._path = f"/{prefix}/models"
        self._bucket = bucket
        self._s3 = s3
        self._objects: dict[str, tuple[str, str]] = {}  # the last one of each model, by its SHA-256
        self._listed: dict[str, str] = {}  # the parameters' texts by model, as `names` has read them
        self._listed_until = 0.0
        # Until then SSM is not asked again for a model that does not exist. The earliest time comes first.
        self._unknown: dict[str, float] = {}
        self._ssm = ssm or Parameters(client("ssm"))

    def names(self) -> list[str]:
        """All models of this deployment, sorted; read from SSM each time, together with their configs."""
        found = self._ssm.get_multiple(self._path)
        self._listed = {name: str(text) for name, text in found.items()}
        self._listed_until = time.monotonic() + CONFIG_MAX_AGE
        return sorted(self._listed)

    def get(self, model: str, *, fresh: bool = False) -> ModelConfig | None:
        """The model's config, or None where there is no such model.

        Raises ConfigError if it is not valid, and NotReady while SSM or S3 does not answer.
        `fresh` reads SSM now: old rules never decide.
        """
        text = self._text(model, fresh=fresh)
        if text is None:
            return None
        source = f"SSM parameter {self._path}/{model}"
        if (sha256 := sha256_named(text)) is not None:
            known, text = self._objects.get(model, ("", ""))
            if known != sha256:
                text = self._read(sha256, source)
                self._objects[model] = (sha256, text)
            source = f"s3://{self._bucket}/{config_key(sha256)}"
        return parse_model(text, source=source)

    def _text(self, model: str, *, fresh: bool) -> str | None:
        """The text of the model's parameter, at most a minute old; None where there is no such model."""
        if fresh:
            self._listed.pop(model, None)  # what is read now is newer
        now, name = time.monotonic(), f"{self._path}/{model}"
        if now < self._listed_until and model in self._listed:
            return self._listed[model]
        if self._unknown.get(model, 0.0) > now and not fresh:
            return None
        try:
            return self._ssm.get(name, max_age=CONFIG_MAX_AGE, force_fetch=fresh)
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == "ParameterNotFound":
                self._keep_unknown(model)
                return None
            raise NotReady(f"SSM parameter {name} cannot be read now: {error}") from error

    def _read(self, sha256: str, source: str) -> str:
        """The JSON in the object that a parameter names."""
        key = config_key(sha256)
        uri = f"s3://{self._bucket}/{key}"
        try:
            data = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] == "NoSuchKey":
                raise ConfigError(
                    f"{source} names {uri}, which does not exist: `handsoff publish` uploads it"
                ) from None
            raise NotReady(f"{uri} cannot be read now: {error}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ConfigError(f"{uri} has other bytes than its name says: delete it, then `handsoff publish`")
        return str(data, "utf-8")

    def _keep_unknown(self, model: str) -> None:
        """Note that a model does not exist, and forget those of which that was noted too long ago."""
        now = time.monotonic()
        self._unknown.pop(model, None)
        while self._unknown and self._unknown[first := next(iter(self._unknown))] <= now:
            del self._unknown[first]
        self._unknown[model] = now + CONFIG_MAX_AGE
