"""The settings that a function reads from its environment, and the links that it makes with them."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import (
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from moto import mock_aws

from retraining.aws.parameters import secrets as kept_secrets
from retraining.aws.settings import ModelConfigs, from_environment
from retraining.collaborators import links_of
from retraining.config.schema import dump_model
from retraining.errors import NotReady
from retraining.links import LinkInvalid
from tests.functions.fakes import titanic_config
from tests.functions.memory import refused

NEEDED = {"PREFIX": "p", "DATA_BUCKET": "b", "LEDGER_TABLE": "t", "NOTIFICATIONS_TOPIC": "arn:topic"}
URL = "https://x.lambda-url.us-east-1.on.aws/"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {**NEEDED, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("REVIEW_URL", "LINK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(("url", "secret"), [(None, None), ("", ""), ("", "arn:secret"), (URL, "")])
def test_links_of_without_url_or_secret_is_none(
    environment: pytest.MonkeyPatch, url: str | None, secret: str | None
) -> None:
    for name, value in (("REVIEW_URL", url), ("LINK_SECRET", secret)):
        if value is not None:
            environment.setenv(name, value)
    assert links_of(from_environment()) is None


def test_links_of_signs_with_the_secret(environment: pytest.MonkeyPatch) -> None:
    with mock_aws():
        made = boto3.client("secretsmanager").create_secret(Name="links", SecretString="s" * 64)
        environment.setenv("REVIEW_URL", URL)
        environment.setenv("LINK_SECRET", made["ARN"])
        links = links_of(from_environment())
        assert links is not None
        url = links.url("arn:package")
    assert url.startswith(f"{URL}review?t=")
    assert links.read(url.split("?t=")[1], timedelta(minutes=1)) == "arn:package"


def test_links_of_uses_a_new_secret_after_a_minute(environment: pytest.MonkeyPatch) -> None:
    with mock_aws():
        secrets = boto3.client("secretsmanager")
        made = secrets.create_secret(Name="links", SecretString="s" * 64)
        environment.setenv("REVIEW_URL", URL)
        environment.setenv("LINK_SECRET", made["ARN"])
        provider = kept_secrets(secrets)
        environment.setattr("retraining.aws.settings._secrets", lambda: provider)
        before = links_of(from_environment())
        secrets.put_secret_value(SecretId=made["ARN"], SecretString="n" * 64)
        kept = links_of(from_environment())
        provider._kept.clear()  # as a minute does
        after = links_of(from_environment())
    assert before is not None
    assert kept is not None
    assert after is not None
    assert before.subject(kept.token("arn:package")) == "arn:package"
    with pytest.raises(LinkInvalid):
        before.subject(after.token("arn:package"))


def test_get_forgets_unknown_models_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody who may write to the bucket names models: a function that lives for days must not keep all."""
    asked: list[str] = []

    def get(name: str, **_: Any) -> str:
        asked.append(name.rsplit("/", 1)[-1])
        raise refused("ParameterNotFound", "GetParameter")

    times = SimpleNamespace(now=0.0)
    monkeypatch.setattr("retraining.aws.settings.time", SimpleNamespace(monotonic=lambda: times.now))
    configs = ModelConfigs("handsoff", "data", cast("Any", None), cast("Any", SimpleNamespace(get=get)))
    for times.now, model in ((0.0, "a"), (30.0, "b"), (59.0, "a"), (61.0, "c"), (62.0, "b"), (91.0, "b")):
        assert configs.get(model) is None
    assert asked == ["a", "b", "c", "b"]
    assert list(configs._unknown) == ["c", "b"]


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDenied", "GetObject"),
        EndpointConnectionError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        ResponseStreamingError(error="reset"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("late", [False, True], ids=["call", "body"])
def test_get_of_a_config_in_s3_that_does_not_answer_raises_not_ready(error: Exception, late: bool) -> None:
    def fail(**_: Any) -> None:
        raise error

    def answer(**_: Any) -> Any:
        return {"Body": SimpleNamespace(read=fail)} if late else fail()

    named = '{"config":"code/' + "a" * 64 + '/config.json"}'
    ssm = SimpleNamespace(get=lambda *_, **__: named)
    configs = ModelConfigs(
        "handsoff", "data", cast("Any", SimpleNamespace(get_object=answer)), cast("Any", ssm)
    )
    with pytest.raises(NotReady, match=r"s3://data/code/a{64}/config\.json cannot be read now"):
        configs.get("titanic")


def test_names_keep_the_configs_of_all_models_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep reads the configs of ten models by one request, and asks for none of them again."""
    now, asked = [1000.0], list[str]()
    texts = {"ant": dump_model(titanic_config()), "bee": dump_model(titanic_config())}

    class Ssm:
        def get_multiple(self, path: str, **_: Any) -> dict[str, str]:
            assert path == "/p/models"
            return dict(texts)

        def get(self, name: str, **_: Any) -> str:
            asked.append(name)
            return texts[name.rsplit("/", 1)[-1]]

    monkeypatch.setattr("retraining.aws.settings.time.monotonic", lambda: now[0])
    configs = ModelConfigs("p", "b", cast("Any", None), cast("Any", Ssm()))
    assert configs.names() == ["ant", "bee"]
    assert configs.get("ant") == configs.get("bee") == titanic_config()
    assert asked == []
    paused = titanic_config().model_copy(update={"target": "other"})
    texts["ant"] = dump_model(paused)
    assert configs.get("ant", fresh=True) == paused
    assert configs.get("ant") == paused  # not the older text that was listed
    assert configs.get("bee") == titanic_config()
    now[0] += 60
    assert configs.get("bee") == titanic_config()
    assert asked == ["/p/models/ant", "/p/models/ant", "/p/models/bee"]
