"""What Terraform reads: handsoff.yaml as values, the pipelines' definitions, and what they were made from.

Terraform takes the file by its name, and refuses one that is older than what it was made from or that was
made for another account or region.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handsoff.project import Project
from pipeline_def import images, publish
from retraining.config.schema import Config, dump_model
from retraining.errors import ConfigError

NAME: Final = "handsoff.auto.tfvars.json"

MADE_FROM: Final = ("pipeline_def/**/*.py", "functions/retraining/config/*.py")
"""What makes the definitions and the models' configs, besides the handsoff.yaml. terraform/main.tf looks for
new files of the first pattern, too."""


@dataclass(frozen=True)
class Where:
    """Which AWS a deployment is rendered for."""

    account: str
    region: str
    partition: str


def bucket_name(config: Config, where: Where) -> str:
    """The data bucket: the existing one that the config names, or the one that Terraform makes."""
    return config.aws.bucket or f"{config.prefix}-data-{where.account}-{where.region}"


def role_arn(config: Config, where: Where) -> str:
    """The role that pipelines and their jobs run as."""
    own = f"arn:{where.partition}:iam::{where.account}:role/{config.prefix}-pipeline"
    return config.aws.pipeline_role or own


def definition(config: Config, model: str, where: Where) -> str:
    """A model's pipeline, as SageMaker gets it. Raises ConfigError if the region has no image for it."""
    try:
        return publish.render(
            model,
            config.models[model].model_dump(mode="json", exclude_none=True),
            prefix=config.prefix,
            bucket=bucket_name(config, where),
            role_arn=role_arn(config, where),
            region=where.region,
            subnets=config.aws.subnets,
            security_groups=config.aws.security_groups,
            kms_key=config.aws.kms_key,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def values(config: Config, where: Where) -> dict[str, Any]:
    """All that Terraform has to know, by the names of its variables. Pure."""
    models = {
        name: {
            "definition": definition(config, name, where),
            "config": dump_model(model),
            "schedule": model.retrain.schedule,
            "timezone": model.retrain.schedule_timezone,
        }
        for name, model in sorted(config.models.items())
    }
    return {
        "prefix": config.prefix,
        "account": where.account,
        "region": where.region,
        "image": images.repository_arn(where.region, where.partition),
        **config.aws.model_dump(mode="json"),
        "models": models,
    }


def made_from(project: Project) -> dict[str, str]:
    """The SHA-256 of each file that the values are made from, by its path from the project's folder."""
    files = {path for pattern in MADE_FROM for path in project.folder.glob(pattern)}
    if project.file is not None:
        files.add(project.file)
    return {
        Path(os.path.relpath(path, project.folder)).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }


def write(project: Project, where: Where, path: Path | None = None) -> tuple[Path, bool]:
    """Write the file that Terraform reads, whole or not at all; where it is, and whether that changed it.

    Terraform finds it by its name, unless it is to be at `path`.
    """
    if not project.terraform.is_dir():
        raise ConfigError(f"{project.terraform} does not exist: there is nothing to render for")
    path = path or project.terraform / NAME
    rendered = {**values(project.config, where), "rendered_from": made_from(project)}
    text = json.dumps(rendered, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return path, False
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
    return path, True
