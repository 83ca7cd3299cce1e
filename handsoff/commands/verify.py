"""The command verify: whether evidence is what was recorded, and which model was champion at a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from botocore.exceptions import BotoCoreError, ClientError

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.deployment import Deployment
from handsoff.errors import NotFound, UsageError
from handsoff.offline.proof import Files, verify_files
from handsoff.operating.packages import package_arn
from handsoff.operating.public_keys import PublicKeys
from handsoff.operating.verifying import Tell, Verified, everything, model_of_execution, verify_model
from handsoff.showing.console import escape
from handsoff.showing.proof import (
    files_as_json,
    reign_as_json,
    show_files,
    show_reign,
    show_verified,
    verified_as_json,
)
from retraining.aws import registry
from retraining.errors import HandsoffError
from retraining.proof.chain import Checked
from retraining.proof.champions import champion_at
from retraining.proof.statement import Record

TARGETS = (
    "A model, a package such as titanic/3, an execution's id or ARN, or files. Without any, every model."
)
AT = "Say which package was the champion then: a date (its end, in UTC) or a time, such as 2026-11-14T09:30Z."
KEY = "A public key in PEM to trust, instead of those that the configuration names. May be given again."


def verify(
    targets: Annotated[list[str] | None, typer.Argument(metavar="TARGET", help=TARGETS)] = None,
    at: Annotated[str | None, typer.Option(metavar="TIME", help=AT)] = None,
    key: Annotated[list[Path] | None, typer.Option(metavar="FILE", help=KEY)] = None,
    print_key: Annotated[
        bool, typer.Option("--print-key", help="Print the public keys that are trusted, in PEM, and exit.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
) -> None:
    """Verify that evidence, models and data are what was recorded, and say what is not.

    Each evidence.json has a record in its model's chain: a statement, signed if `evidence.signing_key` names
    a key, with the digest of the record before it. The whole chain of the model is checked, then the
    evidence, the model artifact, the evaluation and the versions of the data.

    With files nothing of AWS is needed: name records, and beside them evidence.json, model.tar.gz or
    evaluation.json that they tell of.

    The exit code is 0 if everything holds, 1 if something does not, and 2 if that could not be found out, for
    example because an object cannot be read, or signatures were not looked at.

    Example: `handsoff verify titanic/3`

    Example: `handsoff verify titanic --at 2026-11-14`

    Example: `handsoff verify 00000007.json evidence.json model.tar.gz --key key.pem`
    """
    try:
        code = _verify(targets or [], at, key or [], print_key=print_key, as_json=as_json)
    except HandsoffError as error:
        _fail(str(error))
    except ClientError as error:
        _fail(f"AWS refused {error.operation_name}: {error.response['Error'].get('Message', error)}")
    except BotoCoreError as error:
        _fail(f"AWS cannot be reached: {error}")
    if code:
        raise typer.Exit(code)


def _fail(message: str) -> NoReturn:
    err.print(f"[red]handsoff:[/] {escape(message)}", soft_wrap=True)
    raise typer.Exit(2)


def _verify(targets: list[str], at: str | None, files: list[Path], *, print_key: bool, as_json: bool) -> int:
    """Do what the command does; its exit code."""
    given = PublicKeys.of_files(files) if files else None
    if print_key:
        trusted = given or PublicKeys.of_deployment(terminal.deployment())
        if trusted is None:
            raise NotFound("no key is named: evidence.signing_key of handsoff.yaml, or --key FILE")
        out.print(trusted.pem, end="", soft_wrap=True)
        return 0
    paths = [Path(name) for name in targets if _is_file(name)]
    if paths:
        if len(paths) < len(targets) or at:
            raise UsageError("files are verified by themselves: name no model beside them, and no --at")
        return _files(paths, given, as_json=as_json)
    time = _time(at) if at else None
    if time and len(targets) != 1:
        raise UsageError("--at goes with one MODEL: which package was the champion of which model?")
    return _deployed(targets, time, given, as_json=as_json)


def _is_file(name: str) -> bool:
    """Whether an argument is a file: no name of a model, a package or an execution has such a form."""
    return not name.startswith("arn:") and (
        Path(name).is_file() or bool(re.search(r"\.(json|gz|pem)$", name))
    )


def _files(paths: list[Path], given: PublicKeys | None, *, as_json: bool) -> int:
    found = verify_files(paths, given or _configured())
    if as_json:
        terminal.print_json(files_as_json(found))
    else:
        show_files(out, found)
    return _code(found)


def _code(found: Verified | Files) -> int:
    return 1 if found.findings else 0 if found.holds else 2


def _configured() -> PublicKeys | None:
    """The keys that the configuration names. Raises UsageError if that cannot be found out."""
    try:
        return PublicKeys.of_deployment(terminal.deployment())
    except (HandsoffError, BotoCoreError) as error:
        raise UsageError(f"name the public key by --key FILE, as no other key can be read: {error}") from None


def _time(text: str) -> datetime:
    """The time that --at names; the end of a day where it names a day. Raises UsageError."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)
        if not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}", text):
            raise ValueError("a date of another form")
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--at {text} is no time: expected a date such as 2026-11-14, or a time such as 2026-11-14T09:30Z"
        ) from None


def _deployed(targets: list[str], at: datetime | None, given: PublicKeys | None, *, as_json: bool) -> int:
    project = terminal.project()
    deployment = terminal.deployment(project)
    trusted = given or PublicKeys.of_deployment(deployment)
    with err.status("") as status:
        found = [
            _one(deployment, target, at, trusted, lambda text: status.update(escape(text)))
            for target in targets or list(project.config.models)
        ]
    reigns = [champion_at(item.chain.records.values(), at) if at else None for item in found]
    if as_json:
        models = [
            verified_as_json(item) | ({"at": at.isoformat(), "champion": reign_as_json(reign)} if at else {})
            for item, reign in zip(found, reigns, strict=True)
        ]
        terminal.print_json({"holds": all(item.holds for item in found), "models": models})
    else:
        for item, reign in zip(found, reigns, strict=True):
            if at:
                show_reign(out, item.model, at, reign, now=deployment.clock.now())
            show_verified(out, item)
    codes = {_code(item) for item in found}
    return 1 if 1 in codes else max(codes, default=0)


def _one(
    deployment: Deployment, target: str, at: datetime | None, trusted: PublicKeys | None, tell: Tell
) -> Verified:
    """What is found of one target: of a model, all of it, or with `at` its champion then."""
    if target not in deployment.config.models:
        if at:
            raise UsageError(f"--at goes with a model of handsoff.yaml, not with {target}")
        return _of_execution(deployment, target, trusted, tell)
    if at is None:
        return verify_model(deployment, target, trusted, tell)

    def champion(chain: Checked) -> list[Record]:
        reign = champion_at(chain.records.values(), at)
        return _about(chain, reign.approval.package) if reign else []

    return verify_model(deployment, target, trusted, tell, choose=champion)


def _about(chain: Checked, name: str) -> list[Record]:
    """The last record of the execution with this ARN or id, or of the one that registered the package."""
    return [
        record
        for record in everything(chain)
        if name in (record.execution, record.execution_id, record.evidence.get("modelPackageArn"))
    ]


def _of_execution(deployment: Deployment, target: str, trusted: PublicKeys | None, tell: Tell) -> Verified:
    """What is found of one execution, which its ARN, its id or its package names.

    The chain tells of executions and packages that SageMaker does not know any more.
    """
    execution_id: str | None = None
    if re.search(r"^[\w-]+/\d+$|:model-package/", target):
        arn = package_arn(deployment, target)
        model = arn.split("/")[-2].removeprefix(deployment.resource_name(""))
        if package := registry.find(deployment.sagemaker, arn):
            execution_id = (package.execution or "").rsplit("/", 1)[-1] or None
    else:
        arn, execution_id = target, target.rsplit("/", 1)[-1]
        model = model_of_execution(deployment, target)
    found = verify_model(
        deployment, model, trusted, tell, choose=lambda chain: _about(chain, arn), execution_id=execution_id
    )
    if not _about(found.chain, arn) and execution_id is None:
        raise NotFound(f"neither SageMaker nor the records of {model} know {target}")
    return found
