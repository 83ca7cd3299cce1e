"""Champions of own code whose image the next deployment would take from the jobs' role."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml
from botocore.exceptions import ClientError

from handsoff.deploying import champions
from handsoff.deployment import Deployment
from handsoff.errors import NotDeployed
from handsoff.location import Location
from retraining.aws import registry
from retraining.config.schema import Config, parse_config
from retraining.facts.package import Package
from tests.terraform.conftest import ROOT

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
OLD = f"{HOST}/churn-a:1"
ROLE = "arn:aws:iam::123456789012:role/pipelines"


def config(image: str, anchor: bool = False, **aws: Any) -> Config:
    values = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
    titanic = values["models"]["titanic"]
    if anchor:
        rules = [*titanic["approval"]["rules"], {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}}]
        titanic["approval"]["rules"] = rules
    titanic["training"] = {"source_dir": "src", "entry_point": "train.py", "image": image}
    return parse_config({**values, "aws": aws}, source="handsoff.yaml")


def lost(
    settings: Config, monkeypatch: pytest.MonkeyPatch, champion: str | None = OLD, anchor: str | None = None
) -> list[tuple[str, str]]:
    def package(version: int, image: str) -> Any:
        return SimpleNamespace(arn=f"arn:…:model-package/handsoff-titanic/{version}", image=image)

    monkeypatch.setattr(registry, "champion", lambda *_: champion and package(3, champion))
    monkeypatch.setattr(registry, "find", lambda *_: anchor and package(1, anchor))
    deployment = SimpleNamespace(
        config=settings,
        location=Location("123456789012", "eu-west-1", "aws"),
        resource_name=lambda model: f"handsoff-{model}",
        sagemaker=None,
        ledger=SimpleNamespace(get=lambda _key: anchor and SimpleNamespace(package="anchor")),
    )
    return list(champions.without_image(cast("Deployment", deployment), ["handsoff-titanic"]))


@pytest.mark.parametrize("image", [f"{HOST}/churn-b:1", "xgboost:3.0-5", f"{HOST}/churn-a/b:1"])
def test_a_champion_of_another_repository_loses_its_image(
    image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lost(config(image), monkeypatch) == [("titanic/3, the champion", OLD)]
    named = config(image, image_repositories=[f"{HOST}/churn-a"])
    assert lost(named, monkeypatch) == []
    assert lost(config(image, pipeline_role=ROLE), monkeypatch) == []  # it keeps its own permissions


@pytest.mark.parametrize(
    "champion",
    [None, f"{HOST}/churn-b:7", "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:1.7-1"],
)
def test_a_champion_of_a_repository_that_is_pulled_from_keeps_it(
    champion: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lost(config(f"{HOST}/churn-b:1"), monkeypatch, champion) == []


def test_an_anchor_counts_where_a_rule_asks_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    new = f"{HOST}/churn-b:1"
    assert lost(config(new), monkeypatch, new, OLD) == []
    assert lost(config(new, anchor=True), monkeypatch, new, OLD) == [("titanic/1, the anchor", OLD)]


@pytest.mark.parametrize(
    "error",
    [
        NotDeployed("there is no stack handsoff here"),
        ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetItem"),  # of a role that only plans
    ],
)
def test_an_anchor_that_cannot_be_read_stops_no_deployment(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        config = config(f"{HOST}/churn-b:1", anchor=True)
        location = Location("123456789012", "eu-west-1", "aws")
        sagemaker = None

        def resource_name(self, model: str) -> str:
            return f"handsoff-{model}"

        @property
        def ledger(self) -> None:
            raise error

    monkeypatch.setattr(registry, "champion", lambda *_: None)
    assert list(champions.without_image(cast("Deployment", Gone()), ["handsoff-titanic"])) == []


@pytest.mark.parametrize("address", [f"{HOST}/churn:1", "docker.io/a/b", "xgboost:3.0-5"])
def test_further_repositories_are_addresses_without_a_tag(address: str) -> None:
    with pytest.raises(Exception, match="the address of a repository in ECR without a tag"):
        config(OLD, image_repositories=[address])


@pytest.mark.parametrize(
    ("image", "aws", "warned"),
    [
        (f"{HOST}/churn-b:1", {}, True),
        (OLD, {}, False),
        (f"{HOST}/churn-b:1", {"image_repositories": [f"{HOST}/churn-a"]}, False),
        (f"{HOST}/churn-b:1", {"pipeline_role": ROLE}, False),
    ],
)
def test_warning_before_a_version_becomes_champion_whose_image_no_job_may_pull(
    image: str, aws: dict[str, Any], warned: bool
) -> None:
    deployment = SimpleNamespace(
        config=config(image, **aws), location=Location("123456789012", "eu-west-1", "aws")
    )
    found = champions.warning(
        cast("Deployment", deployment), "titanic", cast("Package", SimpleNamespace(image=OLD))
    )
    assert found == (
        (
            f"executions will fail in ModelEvaluation, as no job may pull its image {OLD}; "
            "add its repository to aws.image_repositories in handsoff.yaml, then run `handsoff deploy`"
        )
        if warned
        else None
    )
