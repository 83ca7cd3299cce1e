"""Champions and anchors whose image no job may pull any more, once a configuration is deployed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from botocore.exceptions import ClientError

from handsoff.deploying import render
from handsoff.deployment import Deployment
from handsoff.errors import NotDeployed
from pipeline_def.images import repository_arns
from retraining.aws import registry
from retraining.facts import keys
from retraining.facts.anchors import AnchorFact
from retraining.facts.package import Package


def without_image(deployment: Deployment, groups: Collection[str]) -> Iterator[tuple[str, str]]:
    """Champions and anchors of these groups by name, such as `churn/3, the champion`, with their images.

    Only those of models of own code: they are asked in their image. A role that is not the project's
    (`aws.pipeline_role`) keeps its permissions, so it loses none.
    """
    config, location = deployment.config, deployment.location
    if config.aws.pipeline_role is not None:
        return
    pulled = set(render.repositories(config, location))
    for model, settings in config.models.items():
        group = deployment.resource_name(model)
        if group not in groups or not settings.training.own_code:
            continue
        for role, package in _compared(deployment, group, anchor=settings.approval.asks_anchor):
            image = package.image or ""
            try:
                needed = repository_arns(image, location.region, location.partition)
            except ValueError:  # no address of ECR, which no job could pull before either
                continue
            if not pulled.issuperset(needed):
                yield f"{model}/{package.arn.rsplit('/', 1)[-1]}, the {role}", image


def _compared(deployment: Deployment, group: str, *, anchor: bool) -> Iterator[tuple[str, Package]]:
    """The packages that the group's next candidate is compared with, by their role."""
    if champion := registry.champion(deployment.sagemaker, group):
        yield "champion", champion
    noted = _noted_anchor(deployment, group) if anchor else None
    if noted and (found := registry.find(deployment.sagemaker, noted.package)):
        yield "anchor", found


def _noted_anchor(deployment: Deployment, group: str) -> AnchorFact | None:
    try:
        return deployment.ledger.get(keys.anchor(group))
    except (NotDeployed, KeyError):  # the stack with the ledger is to be made anew
        return None
    except ClientError as error:  # who only plans may not read the ledger; who deploys is asked again
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return None
