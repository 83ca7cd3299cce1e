"""Writes the file that Terraform reads: handsoff.yaml as values, and the pipelines' definitions.

The file lists the checksums of the files it was made from. Terraform refuses it where one of them has changed
since, and where it was made for another account or region.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from handsoff.deploying import working_folder
from handsoff.location import Location, bucket_name, pipeline_role_arn
from handsoff.project import Project
from pipeline_def import images, publish
from pipeline_def.source import read_source
from retraining.config.evidence import CREATE
from retraining.config.schema import Config
from retraining.config.storing import stored
from retraining.errors import ConfigError

NAME: Final = "handsoff.auto.tfvars.json"
"""The file in terraform/; Terraform finds it by this name."""

MIN_START_MINUTES: Final = 60
"""Minutes from the making of a schedule to its first start request, at least. By then its first deployment
has made the queue and the function."""

MADE_FROM: Final = ("pipeline_def/**/*.py", "functions/retraining/config/*.py")
"""Patterns of the files that definitions and configs are made from; handsoff.yaml is another one, and so is
each file of own code.

terraform/main.tf looks for new files of the first pattern, too."""


def code(config: Config, model: str, location: Location, folder: Path = Path()) -> dict[str, bytes]:
    """The files of a model's code by path, own code as it is now. `folder` is that of handsoff.yaml.

    Raises ConfigError if the region has no image for the model, or its own code cannot be published.
    """
    try:
        return publish.code_files(_plain(config, model), model, folder=folder, region=location.region)
    except ValueError as error:
        raise ConfigError(f"{model}: {error}") from None


def definition(config: Config, model: str, location: Location, folder: Path = Path()) -> str:
    """A model's pipeline, as SageMaker gets it, with its code as it is now. Raises as `code`."""
    return definition_of(code(config, model, location, folder), config, model, location)


def definition_of(files: Mapping[str, bytes], config: Config, model: str, location: Location) -> str:
    """A model's pipeline that runs these files, which `code` has read. Raises ConfigError as `code`."""
    try:
        return publish.render(
            model,
            _plain(config, model),
            files,
            prefix=config.prefix,
            bucket=bucket_name(config, location),
            role_arn=pipeline_role_arn(config, location),
            region=location.region,
            subnets=config.aws.subnets,
            security_groups=config.aws.security_groups,
            kms_key=config.aws.kms_key,
        )
    except ValueError as error:
        raise ConfigError(f"{model}: {error}") from None


def _plain(config: Config, model: str) -> dict[str, Any]:
    """A model's config as plain data, without what it leaves out."""
    return config.models[model].model_dump(mode="json", exclude_none=True)


def values(config: Config, location: Location, folder: Path = Path()) -> dict[str, Any]:
    """The values of Terraform's variables, by their names. Own training code is read from `folder`."""
    models = {
        name: {
            "definition": definition(config, name, location, folder),
            "config": stored(model).parameter,
            "schedule": model.retrain.schedule,
            "timezone": model.retrain.schedule_timezone,
            "starts_after_minutes": starts_after(model.retrain.schedule),
        }
        for name, model in sorted(config.models.items())
    }
    return {
        "prefix": config.prefix,
        "account": location.account,
        "region": location.region,
        "images": repositories(config, location),
        **config.aws.model_dump(mode="json", exclude={"image_repositories"}),
        **_evidence(config),
        "models": models,
    }


def _evidence(config: Config) -> dict[str, Any]:
    """What Terraform makes for the proof of evidence: a key, or permissions for one of the user's; a lock."""
    key = config.evidence.signing_key
    return {
        "create_signing_key": key == CREATE,
        "signing_key": None if key == CREATE else key,
        "earlier_keys": list(config.evidence.earlier_keys),
        "object_lock": config.evidence.object_lock is not None,
    }


def repositories(config: Config, location: Location) -> list[str]:
    """The ARNs of the repositories from which the jobs' role may pull images: the steps' and the models'.

    Where a model has own code, those of every framework image of the region are among them: its champion may
    be of another one than the model that is trained now. So are those that the config names for such a
    champion. Raises ConfigError if a region has no such image.
    """
    own = {model.training.image for model in config.models.values() if model.training.image}
    hosted = {name for name, image in images.ALIASES.items() if location.region in image.accounts}
    try:
        arns = {
            arn
            for image in {images.BUILT_IN, *own, *(hosted if own else ()), *config.aws.image_repositories}
            for arn in images.repository_arns(image, location.region, location.partition)
        }
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return sorted(arns)


def starts_after(schedule: str | None) -> int | None:
    """Minutes from the making of a rate() schedule to its first start request; None for any other schedule.

    A rate() schedule without a start date asks at once (EventBridge Scheduler's User Guide, "Schedule
    types"). The first request comes one interval after the making, and not before MIN_START_MINUTES.
    """
    found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule or "")
    if found is None:
        return None
    return max(int(found[1]) * {"minute": 1, "hour": 60, "day": 24 * 60}[found[2]], MIN_START_MINUTES)


def made_from(project: Project, folder: Path) -> dict[str, str]:
    """The SHA-256 of each file that the values are made from, by its path from the parent of `folder`.

    `folder` is the one that Terraform works in. Files of own code are among them. Raises ConfigError if those
    cannot be published.
    """
    files = {path: path.read_bytes() for pattern in MADE_FROM for path in project.app.glob(pattern)}
    if project.file is not None:
        files[project.file] = project.file.read_bytes()
    for name, model in project.config.models.items():
        if model.training.source_dir is not None:
            source = project.folder / model.training.source_dir
            try:
                found = read_source(_plain(project.config, name), project.folder)
            except ValueError as error:
                raise ConfigError(f"{name}: {error}") from None
            files |= {source / path: content for path, content in found.items()}
    base = folder.parent.resolve()
    return {
        Path(os.path.relpath(path.resolve(), base)).as_posix(): hashlib.sha256(content).hexdigest()
        for path, content in sorted(files.items())
    }


def write(
    project: Project, location: Location, folder: Path | None = None, path: Path | None = None
) -> tuple[Path, bool]:
    """Write the file that Terraform reads, whole or not at all. Returns its path and whether it changed.

    `folder` is the one that Terraform works in, by default the project's; Terraform's configuration is laid
    out there. Without `path` the file goes there, too. Raises ConfigError where the configuration is missing.
    """
    folder = folder or project.terraform
    working_folder.lay_out(project, folder)
    path = path or folder / NAME
    # First: of a file that is saved meanwhile the checksum is the earlier one, which Terraform refuses.
    sources = made_from(project, folder)
    rendered = {**values(project.config, location, project.folder), "rendered_from": sources}
    text = json.dumps(rendered, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return path, working_folder.replace(path, text.encode())
