"""Examines whether this machine, these credentials and this account fit a deployment. Changes nothing.

The facts come from this module and from `account`; `checks` turns each into a finding.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import boto3

from handsoff import project
from handsoff.deploying import account, checks, function_urls, programs, proof, sam, tools
from handsoff.deploying.account import Problem, Stack, asked
from handsoff.deploying.checks import Finding
from handsoff.deploying.terraform import program_version
from handsoff.errors import ToolFailed, ToolMissing, UsageError
from handsoff.location import Location, bucket_name
from retraining.config.schema import Config
from retraining.errors import ConfigError

SETUP: Final = "run `make setup`"
"""What installs the programs of a checkout."""

INSTALL_AGAIN: Final = "install handsoff again: uv comes with it"
"""What installs the programs of a wheel."""


def examine(config: Path, parameters: Mapping[str, str] | None = None) -> list[Finding]:
    """All findings for a deployment of this configuration file.

    `parameters` are those of the template that the deployment will be given. Where a fact is missing, such as
    the region, the findings that need it are left out.
    """
    read = _read(config)
    app = project.app_of(config.resolve().parent)
    findings = [
        checks.config_is_valid(read if isinstance(read, ConfigError) else read.config),
        *programs_found(app, terraform_wanted(app)),
    ]
    session = asked(boto3.Session)
    if isinstance(session, Problem):
        return [*findings, checks.credentials(session, os.environ.get("AWS_PROFILE"))]
    region = session.region_name
    findings.append(checks.region(region, os.environ))
    if not region:
        return findings
    identity = asked(lambda: session.client("sts").get_caller_identity())
    if isinstance(identity, Problem):
        return [*findings, checks.credentials(identity, os.environ.get("AWS_PROFILE"))]
    who = {"Arn": identity["Arn"], "Account": identity["Account"]}
    findings.append(checks.credentials(who, None))
    if isinstance(read, ConfigError):
        return findings
    location = Location(who["Account"], region, partition=who["Arn"].split(":")[1])
    return findings + _in_account(session, read, location, parameters or {})


def programs_found(app: Path, wanted: str) -> list[Finding]:
    """The findings on programs. `wanted` are the versions of Terraform that `app` accepts."""
    packaged = app == project.PACKAGED
    return [
        checks.terraform(program_version(), wanted),
        _sam(app),
        checks.program("uv", _version(["uv", "--version"]), INSTALL_AGAIN if packaged else SETUP),
        checks.program("make", _version(["make", "--version"]), tools.INSTALLING["make"]),
    ]


def _in_account(
    session: boto3.Session, read: project.Project, location: Location, parameters: Mapping[str, str]
) -> list[Finding]:
    config = read.config
    stack = asked(lambda: account.find_stack(session, config.prefix))
    name = bucket_name(config, location)
    bucket = asked(lambda: account.find_bucket(session, name, location.account))
    findings = [
        checks.stack(config.prefix, stack),
        checks.bucket(name, location.region, bucket, existing=config.aws.bucket is not None),
        checks.review_page(location),
        *_pauses(session, config, stack),
        *checks.volumes(config),
        *proof.check(config, session),
        *checks.own_code(config, read.folder, location.region),
    ]
    try:
        elsewhere = account.endpoint(session)
    except UsageError as error:
        return [*findings, checks.endpoints(error)]
    if elsewhere:
        why = f"{elsewhere} is not AWS: it limits nothing"
        return [
            *findings,
            Finding("instance quotas", "not checked", why),
            Finding("Lambda concurrency", "not checked", why),
        ]
    known = stack.parameters if isinstance(stack, Stack) else {}
    reserved = int({**sam.defaults(read.template), **known, **parameters}["ReviewConcurrency"])
    if function_urls.missing(location):
        reserved = 0  # by the page that is left out
    quotas = asked(lambda: account.find_quotas(session))
    concurrency = asked(lambda: account.find_concurrency(session, config.prefix))
    return [
        *findings,
        *_images(session, config, location),
        *checks.quotas(config, quotas, location.region),
        checks.concurrency(reserved, concurrency),
    ]


def _pauses(session: boto3.Session, config: Config, stack: Stack | Problem | None) -> list[Finding]:
    """Those about paused models. Pauses of the ledger are known where the stack is."""
    table = stack.outputs.get("LedgerTable") if isinstance(stack, Stack) else None
    if table is None:
        return checks.pauses(config, {})
    return checks.pauses(config, asked(lambda: account.find_pauses(session, table, config.models)))


def _images(session: boto3.Session, config: Config, location: Location) -> list[Finding]:
    """Those about images of this account and region that models name. Others cannot be seen."""
    named = {str(model.training.image) for model in config.models.values() if model.training.own_code}
    return [
        checks.image(name, asked(lambda name=name: account.find_image(session, name)))  # type: ignore[misc]
        for name in sorted(named)
        if name.startswith(f"{location.account}.dkr.ecr.{location.region}.")
    ]


def terraform_wanted(app: Path) -> str:
    """The versions of Terraform that handsoff's configuration in `app` accepts, such as `>= 1.9`."""
    text = (app / "terraform" / "versions.tf").read_text(encoding="utf-8")
    found = re.search(r'required_version\s*=\s*"([^"]+)"', text)
    return found[1] if found else ""


def _read(config: Path) -> project.Project | ConfigError:
    try:
        return project.load(config)
    except ConfigError as error:
        return error


def _sam(app: Path) -> Finding:
    """The SAM CLI that is there. An installed wheel installs one where there is none."""
    found = programs.find_sam(app)
    if found is None and app == project.PACKAGED:
        return Finding("SAM CLI", "ok", "none is installed: handsoff installs its own before the first build")
    version = found and _version([str(found), "--version"])
    return checks.program(
        "SAM CLI", version or None, "pipx upgrade aws-sam-cli" if app == project.PACKAGED else SETUP
    )


def _version(command: list[str]) -> str | None:
    """The first line that a program prints about its version; None where it is missing or does not work."""
    try:
        said = tools.run(" ".join(command), command, folder=Path.cwd(), environment={})
    except (ToolFailed, ToolMissing):
        return None
    return said.strip().partition("\n")[0]
