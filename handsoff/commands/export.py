"""The command export: a model package in the form that other tools read."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer
from botocore.exceptions import ClientError

from handsoff.commands import terminal
from handsoff.commands.decisions import PACKAGE
from handsoff.commands.terminal import err
from handsoff.deployment import Deployment
from handsoff.errors import NotFound, UsageError
from handsoff.operating.model_card import model_card
from handsoff.operating.packages import find_package
from retraining.evidence import evidence_key
from retraining.facts.package import Package


class Form(StrEnum):
    """What a package is exported as."""

    MLBOM = "mlbom"
    MODEL_CARD = "model-card"


FORM = "`mlbom`: CycloneDX 1.6, JSON. `model-card`: the content of a SageMaker Model Card, JSON."
OUTPUT = "The file to write; without it, standard output."


def export(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    form: Annotated[Form, typer.Option("--format", metavar="mlbom|model-card", help=FORM)],
    output: Annotated[Path | None, typer.Option(metavar="FILE", help=OUTPUT)] = None,
) -> None:
    """Export a model package as an ML-BOM or as a model card, from its evidence and its evaluation.

    Both name the model artifact with its SHA-256, metrics with intervals, data, code, image and the packages
    of the container. The same evidence gives the same file. `handsoff verify` says whether the evidence is
    what was recorded.

    Example: `handsoff export titanic/3 --format mlbom --output titanic-3.cdx.json`
    """
    deployment = terminal.deployment()
    found = find_package(deployment, package)
    evidence, evaluation = _evidence(deployment, found), _evaluation(deployment, found)
    if form is Form.MLBOM:
        from handsoff.operating.mlbom import mlbom  # imported late: it takes 0.3 s

        made = mlbom(evidence, evaluation)
    else:
        made = model_card(evidence, evaluation)
    if output is None:
        typer.echo(made, nl=False)
        return
    try:
        output.write_text(made, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}") from None
    err.print(f"{output} is written", soft_wrap=True)


def _evidence(deployment: Deployment, package: Package) -> dict[str, Any]:
    """The evidence of the package's execution, of this version. Raises NotFound."""
    if package.execution is None:
        raise NotFound(f"{package.name} names no execution: no pipeline of handsoff registered it")
    model = package.group.removeprefix(f"{deployment.prefix}-")
    key = evidence_key(model, package.execution.rsplit("/", 1)[-1])
    found = _read(deployment, deployment.bucket, key)
    if found is None or found.get("schemaVersion", 1) < 3:
        raise NotFound(
            f"s3://{deployment.bucket}/{key} does not exist, or is of an earlier version: evidence is "
            "written when an execution ends, and again when its package is decided"
        )
    return found


def _evaluation(deployment: Deployment, package: Package) -> dict[str, Any]:
    """Our part of the package's evaluation; empty if there is none."""
    place = urlsplit(package.evaluation_uri or "")
    found = _read(deployment, place.netloc, place.path.lstrip("/")) if place.netloc else None
    return (found or {}).get("handsoff") or {}


def _read(deployment: Deployment, bucket: str, key: str) -> dict[str, Any] | None:
    try:
        found = json.loads(deployment.s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "NoSuchBucket", "404"):
            raise
        return None
    except ValueError:
        raise NotFound(f"s3://{bucket}/{key} is no JSON: `handsoff verify` says what was changed") from None
    return found if isinstance(found, dict) else None
