"""What `handsoff publish` will change of a model: values before and after, read from AWS. Changes nothing.

`compare` is pure: a function of what AWS has and of what would be published.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from botocore.exceptions import ClientError

from handsoff.deploying import render
from handsoff.deploying.publishing import MISSING, find_schedule, refuse_other_bucket
from handsoff.deployment import Deployment, no_pipeline
from handsoff.location import pipeline_role_arn
from pipeline_def.source import read_source
from retraining.config.schema import ModelConfig, dump_model, parse_model
from retraining.config.storing import config_key, sha256_named
from retraining.errors import ConfigError

NULL: Final = "null"
"""A null that is written where leaving the key out means something else."""

SPELLING: Final = "config"
"""The key of a change of a config's JSON that changes no value."""

Json = dict[str, Any] | list[Any] | str | int | float | bool | None
"""A value of a config or of a definition."""

AT_ONCE: Final = ("approval.", "approvers.", "retrain.", SPELLING)
"""Beginnings of keys that count as soon as they are published: no training reads them."""


@dataclass(frozen=True)
class Change:
    """A value that differs: its key, as `training.estimator`, and the value before and after.

    None is a value that is not there.
    """

    key: str
    before: Json
    after: Json


@dataclass(frozen=True)
class Published:
    """What AWS has of a model: its config's JSON (None if none is there), its pipeline and its schedule."""

    config: str | None
    definition: Mapping[str, Any]
    role: str
    schedule: str | None
    timezone: str | None


@dataclass(frozen=True)
class PublishPlan:
    """What publishing a model changes."""

    model: str

    settings: tuple[Change, ...]
    """Changes of the config: rules, data, training, schedule, …"""

    code: Change
    """The step code's SHA-256 before and after; equal where the code is the same."""

    pipeline: tuple[Change, ...]
    """Changes of the pipeline's definition and role, but for the code's SHA-256."""

    schedule: Change | None
    """The schedule on AWS and the config's, if they differ. `handsoff deploy` changes it, publishing does
    not."""

    files: Mapping[str, int] = field(default_factory=dict)
    """The files of own code that are stored with each model, with their sizes in bytes."""

    @property
    def code_changed(self) -> bool:
        """Whether steps or own training code differ."""
        return self.code.before != self.code.after

    @property
    def changes(self) -> bool:
        """Whether publishing would change anything."""
        return bool(self.settings or self.pipeline or self.code_changed)

    @property
    def needs_training(self) -> bool:
        """Whether something changes that counts only once a model is trained with it."""
        trained = [change for change in self.settings if not change.key.startswith(AT_ONCE)]
        return bool(trained or self.pipeline or self.code_changed)


def plan(deployment: Deployment, model: str) -> PublishPlan:
    """What `publish_model` would change of a model.

    Raises NotDeployed where there is no pipeline, or the data lies in another bucket.
    """
    refuse_other_bucket(deployment)
    config = deployment.config.models[model]
    definition = render.definition(deployment.config, model, deployment.location, deployment.folder)
    role = pipeline_role_arn(deployment.config, deployment.location)
    found = compare(model, _published(deployment, model), config, json.loads(definition), role)
    if not config.training.own_code:
        return found
    files = read_source(config.model_dump(mode="json", exclude_none=True), deployment.folder)
    return replace(found, files={name: len(content) for name, content in files.items()})


def compare(
    model: str, before: Published, config: ModelConfig, definition: Mapping[str, Any], role: str
) -> PublishPlan:
    """What differs between what AWS has and what would be published. Pure."""
    codes = (code_of(before.definition), code_of(definition))
    old = {"role": before.role, **_without_code(before.definition, codes[0])}
    new = {"role": role, **_without_code(definition, codes[1])}
    known = (before.schedule, before.timezone if before.schedule else None)
    wanted = config.retrain
    asked = (wanted.schedule, wanted.schedule_timezone if wanted.schedule else None)
    return PublishPlan(
        model,
        tuple(_settings(before.config, config)),
        Change("code", *codes),
        tuple(_differences(old, new)),
        None if known == asked else Change("schedule", _words(*known), _words(*asked)),
    )


def as_json(found: PublishPlan) -> dict[str, Any]:
    """A plan as `handsoff publish --json` prints it."""
    return {
        "model": found.model,
        "changes": found.changes,
        "settings": [asdict(change) for change in found.settings],
        "code": asdict(found.code),
        "files": dict(found.files),
        "pipeline": [asdict(change) for change in found.pipeline],
        "schedule": asdict(found.schedule) if found.schedule else None,
        "retrainWith": f"handsoff start {found.model}" if found.needs_training else None,
    }


def code_of(definition: Mapping[str, Any]) -> str | None:
    """The SHA-256 of the step code that a definition names; None for a definition that names none."""
    for step in definition.get("Steps", ()):
        metadata = step.get("Arguments", {}).get("CustomerMetadataProperties", {})
        if sha256 := metadata.get("codeSha256"):
            return str(sha256)
    return None


def _published(deployment: Deployment, model: str) -> Published:
    try:
        pipeline = deployment.sagemaker.describe_pipeline(PipelineName=deployment.resource_name(model))
    except ClientError as error:
        if error.response["Error"]["Code"] not in MISSING:
            raise
        raise no_pipeline(deployment, model) from None
    schedule, timezone = find_schedule(deployment, model)
    return Published(
        _published_config(deployment, model),
        json.loads(pipeline["PipelineDefinition"]),
        pipeline["RoleArn"],
        schedule,
        timezone,
    )


def _published_config(deployment: Deployment, model: str) -> str | None:
    """The JSON of a model's config on AWS, from SSM or from the object that SSM names; None if it is none."""
    name = f"/{deployment.prefix}/models/{model}"
    known = deployment.ssm.get_parameters(Names=[name])["Parameters"]
    if not known:
        return None
    text = known[0]["Value"]
    if (sha256 := sha256_named(text)) is None:
        return text
    try:
        answer = deployment.s3.get_object(Bucket=deployment.bucket, Key=config_key(sha256))
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return None
    return answer["Body"].read().decode()


def _settings(before: str | None, config: ModelConfig) -> Iterator[Change]:
    """The changes of a config. Values that are not written count as their defaults.

    A config that this version cannot read, as one of a newer version, is compared as it is written.
    """
    if before is None:
        yield from _differences({}, _dumped(config))
        return
    try:
        old = _dumped(parse_model(before, source="the published config"))
    except ConfigError:
        yield from _differences(json.loads(before), json.loads(dump_model(config)))
        return
    found = list(_differences(old, _dumped(config)))
    yield from found
    if not found and before != dump_model(config):
        yield Change(SPELLING, "as another version wrote it", "the same values, as this version writes them")


def _dumped(config: ModelConfig) -> dict[str, Any]:
    """The values of a config; of a rule only those that are no defaults. A null that says something is NULL.

    A hyperparameter of null is no limit, and a `remind_after` of null never reminds: neither is the default.
    """
    found: dict[str, Any] = config.model_dump(mode="json", exclude_none=True)
    found["training"]["hyperparameters"] = dict(config.training.hyperparameters)
    for section in (found["approval"], found["training"]["hyperparameters"]):
        section.update({key: NULL for key, value in section.items() if value is None})
    rules = [rule.model_dump(mode="json", exclude_defaults=True) for rule in config.approval.rules]
    # What a rule is about comes first, as people write it.
    found["approval"]["rules"] = [
        dict(sorted(rule.items(), key=lambda item: item[0] not in ("metric", "data"))) for rule in rules
    ]
    return found


def _differences(before: Any, after: Any, key: str = "") -> Iterator[Change]:
    """The values that differ, by dotted keys. Lists of named things are compared by name, others whole.

    Of a package's list of one container the values of that container are compared.
    """
    before, after = _by_name(before), _by_name(after)
    if _is_one_container(before) and _is_one_container(after):
        before, after = before[0], after[0]
    if isinstance(before, dict) and isinstance(after, dict):
        for name in {**before, **after}:
            inner = f"{key}.{name}" if key else str(name)
            yield from _differences(before.get(name), after.get(name), inner)
    elif before != after:
        yield Change(key, before, after)


def _is_one_container(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and "Image" in value[0]


def _by_name(value: Any) -> Any:
    """A list of named things, such as steps or inputs, as a mapping; other values as they are."""
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        return value
    for name in ("Name", "InputName", "OutputName", "ChannelName"):
        if all(name in item for item in value):
            return {item[name]: {key: inner for key, inner in item.items() if key != name} for item in value}
    return value


def _without_code(definition: Mapping[str, Any], sha256: str | None) -> dict[str, Any]:
    """The definition with `CODE` in place of the SHA-256 of its step code."""
    text = json.dumps(definition)
    found: dict[str, Any] = json.loads(text.replace(sha256, "CODE") if sha256 else text)
    return found


def _words(schedule: str | None, timezone: str | None) -> str | None:
    return f"{schedule} {timezone}" if schedule else None
