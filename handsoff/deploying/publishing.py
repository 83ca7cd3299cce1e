"""Publishes models: step code to S3, the pipeline's definition to SageMaker, the config to SSM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from botocore.exceptions import ClientError

from handsoff.deploying import render
from handsoff.deployment import Deployment, no_pipeline
from handsoff.errors import NotDeployed
from handsoff.location import bucket_name, pipeline_role_arn
from pipeline_def import publish
from retraining.config.storing import stored

MISSING: Final = ("ResourceNotFound", "ResourceNotFoundException")
"""Error codes of a pipeline, or of a schedule, that does not exist."""


@dataclass(frozen=True)
class PublishedModel:
    """The pipeline as it was published, and whether that changed the config in SSM."""

    pipeline: publish.Published
    config_changed: bool


def upload_code(deployment: Deployment, model: str) -> str:
    """Upload a model's step code and a config that SSM cannot hold, so that a definition and a parameter may
    name them. Returns the code's SHA-256."""
    bucket = bucket_name(deployment.config, deployment.location)
    _upload_config(deployment, model, bucket)
    return publish.upload(_code(deployment, model), bucket=bucket, s3=deployment.s3)


def publish_model(deployment: Deployment, model: str) -> PublishedModel:
    """Upload a model's step code, update its pipeline and its config in SSM.

    What is published equals what Terraform reads, so that a plan afterwards is empty. Raises NotDeployed
    where there is no pipeline, or the data lies in another bucket than handsoff.yaml names.
    """
    refuse_other_bucket(deployment)
    try:
        _upload_config(deployment, model, deployment.bucket)
        files = _code(deployment, model)
        published = publish.publish(
            model,
            files,
            render.definition_of(files, deployment.config, model, deployment.location),
            prefix=deployment.prefix,
            bucket=deployment.bucket,
            role_arn=pipeline_role_arn(deployment.config, deployment.location),
            s3=deployment.s3,
            sagemaker=deployment.sagemaker,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        raise no_pipeline(deployment, model) from None
    return PublishedModel(published, _publish_config(deployment, model))


def _upload_config(deployment: Deployment, model: str, bucket: str) -> None:
    for key, data in stored(deployment.config.models[model]).objects.items():
        folder, name = key.rsplit("/", 1)
        publish.upload_missing(deployment.s3, bucket, f"{folder}/", {name: data})


def _publish_config(deployment: Deployment, model: str) -> bool:
    """Write a model's config to SSM unless it is there already; whether it was written."""
    text = stored(deployment.config.models[model]).parameter
    name = f"/{deployment.prefix}/models/{model}"
    known = deployment.ssm.get_parameters(Names=[name])["Parameters"]
    if [item["Value"] for item in known] == [text]:
        return False
    deployment.ssm.put_parameter(
        Name=name, Value=text, Type="String", Tier="Intelligent-Tiering", Overwrite=True
    )
    return True


def refuse_other_bucket(deployment: Deployment) -> None:
    """Raise NotDeployed where the data lies in another bucket than handsoff.yaml names."""
    named = bucket_name(deployment.config, deployment.location)
    if deployment.bucket != named:
        raise NotDeployed(
            f"the data is in {deployment.bucket} here, handsoff.yaml names {named}: `handsoff deploy` first"
        )


def schedule_is_current(deployment: Deployment, model: str) -> bool:
    """Whether a model's schedule on AWS is the one of its config. Only Terraform changes schedules."""
    wanted = deployment.config.models[model].retrain
    known = find_schedule(deployment, model)
    return known == ((wanted.schedule, wanted.schedule_timezone) if wanted.schedule else (None, None))


def find_schedule(deployment: Deployment, model: str) -> tuple[str | None, str | None]:
    """A model's schedule on AWS and its time zone; two times None where there is none."""
    scheduler = deployment.session.client("scheduler")
    try:
        found = scheduler.get_schedule(Name=deployment.resource_name(model))
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        return None, None
    return found["ScheduleExpression"], found["ScheduleExpressionTimezone"]


def _code(deployment: Deployment, model: str) -> dict[str, bytes]:
    return render.code(deployment.config, model, deployment.location, deployment.folder)
