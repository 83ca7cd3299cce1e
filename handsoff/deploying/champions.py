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
    config = deployment.config
    if config.aws.pipeline_role is not None:
        return
    for model, settings in config.models.items():
        group = deployment.resource_name(model)
        if group not in groups or not settings.training.own_code:
            continue
        for role, package in _compared(deployment, group, anchor=settings.approval.asks_anchor):
            if not may_pull(deployment, package):
                yield f"{model}/{package.arn.rsplit('/', 1)[-1]}, the {role}", package.image or ""


def may_pull(deployment: Deployment, package: Package) -> bool:
    """Whether the project's role may pull the package's image, as the configuration is now.

    An image that has no address in ECR is none that jobs ever pulled, and loses nothing.
    """
    config, location = deployment.config, deployment.location
    try:
        needed = repository_arns(package.image or "", location.region, location.partition)
    except ValueError:
        return True
    return set(render.repositories(config, location)).issuperset(needed)


def warning(deployment: Deployment, model: str, package: Package) -> str | None:
    """What will not work with this package of the model as champion, and the way out; None if all will."""
    own = deployment.config.models[model].training.own_code
    if not own or deployment.config.aws.pipeline_role is not None or may_pull(deployment, package):
        return None
    return (
        f"executions will fail in ModelEvaluation, as no job may pull its image {package.image}; "
        "add its repository to aws.image_repositories in handsoff.yaml, then run `handsoff deploy`"
    )


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
