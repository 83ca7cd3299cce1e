"""`handsoff review` mints links where the caller may read the secret, and otherwise says what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from handsoff import cli
from handsoff.commands import terminal
from handsoff.errors import NotDeployed, NotPermitted
from handsoff.operating.packages import find_package
from handsoff.operating.review_links import mint_for_model, mint_for_package
from retraining.collaborators import Collaborators
from retraining.facts.package import Package
from retraining.links import LinkInvalid, Links
from tests.functions.fakes import arn_of, register, titanic_config
from tests.functions.memory import refused
from tests.functions.world import World

SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:LinkSecret-0a1b2c"
URL = "https://id.lambda-url.us-east-1.on.aws/"
NOON = datetime(2026, 11, 30, 12, 0, 0, 999, tzinfo=UTC)
CALLER = "arn:aws:iam::123456789012:user/data-science-user"
OURS = Links("the secret", URL)
DAY = timedelta(days=1)


class Secrets:
    """Secrets Manager with one secret. `refuses` is the error code of its answer."""

    def __init__(self) -> None:
        self.refuses = ""

    def get_secret_value(self, SecretId: str) -> dict[str, str]:
        if self.refuses:
            raise refused(self.refuses, "GetSecretValue")
        assert SecretId == SECRET
        return {"SecretString": "the secret"}


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def deployment(world: World, secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> Any:
    register(world, 1)
    config = SimpleNamespace(models={"titanic": titanic_config()})
    found = SimpleNamespace(
        prefix="handsoff",
        config=config,
        partition="aws",
        account="123456789012",
        caller=CALLER,
        outputs={"ReviewUrl": URL, "LinkSecret": SECRET},
        session=SimpleNamespace(client=lambda _: secrets, region_name="us-east-1"),
        sagemaker=world.sagemaker,
        collaborators=world.using(Collaborators, clock=lambda: NOON),
        resource_name=lambda name: f"handsoff-{name}",
    )
    monkeypatch.setattr(terminal, "deployment", lambda *_: found)
    return found


def package(deployment: Any) -> Package:
    return find_package(deployment, "titanic/1")


@pytest.mark.parametrize(
    ("read_only", "kind", "other"), [(False, "review", "look"), (True, "look", "review")]
)
def test_mint_makes_a_link_of_one_kind_that_expires_by_the_published_config(
    deployment: Any, read_only: bool, kind: Any, other: Any
) -> None:
    approval = titanic_config().approval.model_copy(update={"link_expires_after": timedelta(hours=5)})
    deployment.collaborators.configs.known["titanic"] = titanic_config().model_copy(
        update={"approval": approval}
    )
    minted = mint_for_package(deployment, package(deployment), read_only=read_only)
    place, _, token = minted.url.partition("?t=")
    assert place == f"{URL}review"
    assert OURS.read(token, DAY, kind) == arn_of(1)
    with pytest.raises(LinkInvalid):
        OURS.read(token, DAY, other)
    assert minted.expires_at == datetime(2026, 11, 30, 17, tzinfo=UTC)


def test_mint_for_a_model_makes_a_link_to_its_history(deployment: Any) -> None:
    minted = mint_for_model(deployment, "titanic")
    place, _, token = minted.url.partition("?t=")
    assert (place, OURS.read(token, DAY, "model")) == (f"{URL}models/titanic", "titanic")


def test_mint_without_the_permission_names_it_and_what_to_do(deployment: Any, secrets: Secrets) -> None:
    secrets.refuses = "AccessDeniedException"
    with pytest.raises(NotPermitted) as caught:
        mint_for_package(deployment, package(deployment), read_only=False)
    said = str(caught.value)
    assert said.startswith(
        f"{CALLER} may not mint links: it lacks secretsmanager:GetSecretValue on {SECRET}. "
        "`handsoff approve` and `handsoff reject` decide without a link, `handsoff explain` shows the rules. "
        "An administrator allows it by aws.link_secret in handsoff.yaml: "
    )
    with pytest.raises(NotPermitted, match="`handsoff status titanic` shows the model without a link"):
        mint_for_model(deployment, "titanic")


@pytest.mark.parametrize(
    ("output", "said"), [("ReviewUrl", "no review page"), ("LinkSecret", "`handsoff deploy`")]
)
def test_mint_where_the_stack_lacks_an_output_says_so(deployment: Any, output: str, said: str) -> None:
    del deployment.outputs[output]
    with pytest.raises(NotDeployed, match=said):
        mint_for_model(deployment, "titanic")


def run(tmp_path: Path, *arguments: str) -> Result:
    config = tmp_path / "handsoff.yaml"
    config.write_text((Path(__file__).parents[2] / "handsoff.yaml").read_text())
    return CliRunner().invoke(cli.app, ["--config", str(config), "review", *arguments])


@pytest.mark.usefixtures("deployment")
def test_review_prints_the_link_alone_and_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def launch(url: str) -> int:
        opened.append(url)
        return 0

    monkeypatch.setattr("typer.launch", launch)
    done = run(tmp_path, "titanic/1", "--open")
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    assert [line] == opened
    assert OURS.read(line.partition("?t=")[2], DAY) == arn_of(1)
    assert "it decides once, and expires at " in done.stderr


@pytest.mark.usefixtures("deployment")
def test_review_as_json_names_kind_and_end(tmp_path: Path) -> None:
    done = run(tmp_path, "--model", "titanic", "--json")
    found = json.loads(done.stdout)
    assert found.pop("url").startswith(f"{URL}models/titanic?t=")
    assert found == {
        "kind": "model",
        "modelPackageArn": None,
        "model": "titanic",
        "expiresAt": "2026-12-03T12:00:00+00:00",
    }


@pytest.mark.parametrize("arguments", [(), ("titanic/1", "--model", "titanic")])
@pytest.mark.usefixtures("deployment")
def test_review_asks_for_a_package_or_a_model(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, *arguments)
    assert done.exit_code == 1
    assert str(done.exception).startswith("give either PACKAGE, such as titanic/3, or --model MODEL")


@pytest.mark.usefixtures("deployment")
def test_review_where_no_browser_opens_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.launch", lambda _: 3)
    done = run(tmp_path, "titanic/1", "--open", "--read-only")
    assert done.exit_code == 0
    assert "it only shows" in done.stderr
    assert "no browser could be opened here" in done.stderr
