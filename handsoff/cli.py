"""The operator's command line. All but `demo` and `local` works on whatever AWS the environment names."""

from __future__ import annotations

import json
import signal
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from handsoff import project, show
from handsoff.demo import run as run_demo
from handsoff.demo import uninterrupted
from handsoff.deploy import FOREIGN, deploy, point_at
from handsoff.deployment import Deployment, NothingThere, landing_name
from handsoff.verdicts import WrongCall, replay
from local import server
from local.errors import CloudError
from retraining import decisions, pipelines, registry
from retraining.errors import HandsoffError, NotReady
from retraining.pipelines import Execution
from retraining.registry import Package

FOLLOW_TIMEOUT = 24 * 3600
"""Seconds for which `status --watch` follows one execution."""

GRACE = timedelta(seconds=12)
"""For how long it waits for what was just landed or asked for."""

RECENT = timedelta(minutes=1)
"""A refusal this old is what somebody who watches now wants to hear."""

app = typer.Typer(
    help="Retrains models on AWS with nobody at the wheel.\n\n"
    "Try it on this machine: `handsoff demo`. Or keep AWS on this machine running: `handsoff local up "
    '--detach`, then `eval "$(handsoff local env)"`, and every other command works against it.',
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    context_settings={"help_option_names": ["-h", "--help"]},
)
local_app = typer.Typer(help="AWS on this machine: start, stop, and how to reach it.", no_args_is_help=True)
app.add_typer(local_app, name="local")


class TooLate(HandsoffError):
    """Somebody, or the rules, decided before."""


out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


class _Options:
    config = Path("handsoff.yaml")


@app.callback()
def options(
    config: Annotated[Path, typer.Option(help="The file that names the models.")] = Path("handsoff.yaml"),
) -> None:
    _Options.config = config


def _project() -> project.Project:
    return project.load(_Options.config)


def _deployment() -> Deployment:
    return Deployment(_project().config)


def main() -> None:
    """Run the command line; what goes wrong becomes one clear line and exit code 1.

    TERM and HUP unwind as Ctrl-C does, so that whatever a command started ends with it.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        app()
    except (HandsoffError, CloudError, TimeoutError) as error:
        _fail(str(error))
    except ClientError as error:
        _fail(f"AWS refused {error.operation_name}: {error.response['Error'].get('Message', error)}")
    except BotoCoreError as error:
        _fail(
            f"AWS cannot be reached: {str(error).rstrip('.')}. Is the environment set? For AWS on this "
            'machine: `handsoff local up --detach`, then `eval "$(handsoff local env)"`'
        )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _fail(message: str) -> None:
    err.print(f"[red]handsoff:[/] {escape(message)}", soft_wrap=True)
    sys.exit(1)


# ---- the demo, and AWS on this machine ----------------------------------------------------------------


@app.command()
def demo() -> None:
    """Show the whole loop on this machine: the Titanic lands, a vetted model lands in the registry.

    Starts an AWS of its own on a free port, deploys to it, and stops it at the end. Exit code 0 only if a
    model package was registered and decided. The evidence stays in .handsoff/evidence.json.
    """
    if not run_demo(_project(), out):
        raise typer.Exit(1)


@local_app.command()
def up(
    detach: Annotated[bool, typer.Option(help="Return when it is ready, and leave it running.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it listens, on 127.0.0.1.")] = 4566,
    region: Annotated[str, typer.Option(help="The region that it plays.")] = "us-east-1",
) -> None:
    """Start AWS on this machine and deploy the project to it. Without --detach it runs until Ctrl-C."""
    where = _project()
    where.sam()  # a tool that is missing is missed before anything runs
    with show.step(err, "starting AWS on this machine"):
        cloud = server.start(where.local, port=port, region=region, outlives_us=detach)
    try:
        point_at(cloud)
        with show.step(err, "deploying template.yaml and publishing the pipelines"):
            deploy(where, cloud)
    except BaseException:
        server.stop(where.local)
        raise
    own = where.folder / ".venv" / "bin" / "handsoff"
    command = ".venv/bin/handsoff" if own.exists() and where.folder == Path.cwd() else "handsoff"
    err.print(
        f'ready at {cloud.endpoint}. To use it from a shell: eval "$({command} local env)"', soft_wrap=True
    )
    if detach:
        return
    err.print("Ctrl-C stops it")
    try:
        while server.running(where.local):
            time.sleep(0.5)
        raise HandsoffError("AWS on this machine ended by itself")
    except KeyboardInterrupt:
        pass
    finally:
        with uninterrupted(), err.status("stopping AWS on this machine"):
            server.stop(where.local)
    err.print("stopped")


@local_app.command()
def down() -> None:
    """Stop AWS on this machine. Its state is gone with it."""
    if not server.stop(_project().local):
        err.print("AWS on this machine was not running")


@local_app.command()
def env() -> None:
    """Print the lines that point a shell's AWS clients at AWS on this machine."""
    cloud = server.running(_project().local)
    if cloud is None:
        raise HandsoffError("AWS on this machine is not running: `handsoff local up --detach`")
    typer.echo(f"unset {' '.join(FOREIGN)}")
    for name, value in cloud.environment().items():
        typer.echo(f"export {name}={value}")


# ---- operating ----------------------------------------------------------------------------------------


@app.command("publish")
def publish_command(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
) -> None:
    """Upload the step code, bring the pipelines up to date with it, and the models' configs in SSM."""
    where = _project()
    deployment = Deployment(where.config)
    for name in [where.model(model)] if model else where.config.models:
        published, changed = deployment.publish(name)
        rules = "rules and settings updated" if changed else "rules and settings unchanged"
        code = published.code_sha256[:12]
        out.print(
            f"{name}: pipeline {published.change}, {rules}, code {code}, {published.pipeline_arn}",
            soft_wrap=True,
        )


@app.command()
def land(
    model: Annotated[str, typer.Argument(help="Whose data it is.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="train.csv, validation.csv, …")],
    split: Annotated[
        str | None, typer.Option("--as", help="train or validation, for files of other names.")
    ] = None,
    marker: Annotated[bool, typer.Option(help="Land the marker last, which completes the batch.")] = True,
) -> None:
    """Land files in S3 as a model's data, and last the marker that says they are complete."""
    where = _project()
    where.model(model)
    if split not in (None, "train", "validation"):
        raise HandsoffError(f"--as takes train or validation, not {split}")
    for path in files:
        if not path.is_file():
            raise NothingThere(f"{path} is no file: nothing was landed")
        if not path.stat().st_size:
            raise NothingThere(f"{path} is empty: nothing was landed")
    named = [(path, landing_name(path, split)) for path in files]
    names = [name for _, name in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise NothingThere(f"two files would land as {twice[0]}: nothing was landed")
    deployment = Deployment(where.config)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks = {path: progress.add_task(str(path), total=path.stat().st_size) for path, _ in named}
        deployment.land(
            model, named, marker=marker, progress=lambda path, sent: progress.advance(tasks[path], sent)
        )
    for path, name in named:
        line = f"{escape(str(path))} → s3://{deployment.bucket}/curated/{model}/{escape(name)}"
        out.print(line, soft_wrap=True)
    if where.config.models[model].retrain.ready.when != "marker":
        out.print("`handsoff status --watch` shows what follows")
    elif marker:
        out.print("the marker has landed: `handsoff status --watch` shows what follows")
    else:
        out.print("no marker has landed, so nothing starts yet")


@app.command()
def start(model: Annotated[str, typer.Argument(help="Which model to retrain.")]) -> None:
    """Retrain a model on the data that lies in S3, though it may have been trained on it before."""
    where = _project()
    Deployment(where.config).request(where.model(model))
    out.print("asked for: `handsoff status --watch` shows what follows")


@app.command()
def release(
    model: Annotated[str, typer.Argument(help="Whose file it is.")],
    key: Annotated[
        str | None, typer.Argument(help="The file in quarantine; without it, list what is there and why.")
    ] = None,
) -> None:
    """Put a file back from quarantine, on your word that it is good; its first rows are not checked again."""
    where = _project()
    deployment = Deployment(where.config)
    if key is None:
        reports = deployment.quarantined(where.model(model))
        for report in reports:
            replaced = " (has landed again since)" if report["replaced"] else ""
            out.print(
                f"{escape(report['quarantineKey'])}{replaced}\n  {escape(report['text'])}", soft_wrap=True
            )
        if not reports:
            out.print(f"nothing of {model} is in quarantine")
        return
    back = deployment.release(where.model(model), key)
    out.print(f"{escape(back)} is back: `handsoff status --watch` shows what follows", soft_wrap=True)


@app.command()
def status(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
    watch: Annotated[bool, typer.Option(help="Follow the newest execution to its end and decision.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=50, help="Executions to show of each model.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> None:
    """Show the newest executions of each model, their steps, and what became of the model packages."""
    where = _project()
    deployment = Deployment(where.config)
    names = [where.model(model)] if model else list(where.config.models)
    if watch and as_json:
        raise HandsoffError("--watch is for people: take --json without it, again and again")
    if watch:
        _watch(deployment, names)
        return
    found = {
        name: [(execution, deployment.package(execution)) for execution in deployment.executions(name, limit)]
        for name in names
    }
    states = {name: deployment.state(name) for name in names}
    held = {
        name: [report for report in deployment.quarantined(name) if not report["replaced"]] for name in names
    }
    champions = {
        name: registry.champion(deployment.sagemaker, deployment.resource_name(name)) for name in names
    }
    if as_json:
        shown = {
            name: {
                **states[name].model_dump(mode="json", by_alias=True),
                "champion": champion.arn if (champion := champions[name]) else None,
                "quarantined": [report["quarantineKey"] for report in held[name]],
                "executions": [_brief(*pair) for pair in pairs],
            }
            for name, pairs in found.items()
        }
        typer.echo(json.dumps(shown, indent=1))
        return
    for name, pairs in found.items():
        out.print(f"[bold]{name}[/]" + ("" if pairs else ": nothing has been executed yet"))
        if line := show.answer(states[name], datetime.now(UTC)):
            out.print(f"  {line}", soft_wrap=True)
        if champion := champions[name]:
            line = f"{champion.name}, approved {show.moment(champion.approved_at)}"
            out.print(f"  champion: {escape(line)}", soft_wrap=True)
        for report in held[name]:
            line = f"[red]in quarantine:[/] {escape(report['quarantineKey'])}: {escape(report['text'])}"
            out.print(f"  {line}", soft_wrap=True)
        if held[name]:
            out.print(f"  to put one back: `handsoff release {name} KEY`", soft_wrap=True)
        for execution, package in pairs:
            out.print(f"  started {execution.start_time.astimezone():%Y-%m-%d %H:%M:%S}")
            out.print(show.state(execution, package))


def _brief(execution: Execution, package: Package | None) -> dict[str, object]:
    return {
        "pipelineExecutionArn": execution.arn,
        "pipelineExecutionStatus": execution.status,
        "startTime": execution.start_time.isoformat(),
        "steps": {step.name: step.status for step in execution.steps},
        "modelPackageArn": package.arn if package else None,
        "modelApprovalStatus": package.approval_status if package else None,
    }


def _watch(deployment: Deployment, models: list[str]) -> None:
    """Follow the newest execution that runs; wait for one while somebody wants it or may have just asked."""
    execution = _awaited(deployment, models)
    if execution is None:
        return

    def look() -> tuple[Execution, Package | None]:
        now = pipelines.describe(deployment.sagemaker, execution.arn)
        return now, deployment.package(now)

    ended, package = show.follow(out, look, deployment.settled, timeout=FOLLOW_TIMEOUT)
    if package is not None and package.pending:
        name = escape(package.name.removeprefix(f"{deployment.prefix}-"))
        out.print(
            f'it waits for a person\'s decision: `handsoff approve {name} --reason "…"`, or reject',
            soft_wrap=True,
        )
    out.print(f"`handsoff evidence {ended.identity}` has the rest", soft_wrap=True)
    if ended.status != "Succeeded":
        raise typer.Exit(1)


def _awaited(deployment: Deployment, models: list[str]) -> Execution | None:
    """The execution to follow: one that runs, or else the first to start while one is to be expected.

    Says why it waits, and why nothing comes: whoever lands the same bytes twice should learn so.
    """
    began = datetime.now(UTC)
    seen = {item.arn for name in models for item in deployment.executions(name, 1)}
    said: set[str] = set()
    with err.status("looking for an execution (Ctrl-C leaves it to itself)"):
        while True:
            now = datetime.now(UTC)
            newest = [item for name in models for item in deployment.executions(name, 1)]
            states = {name: deployment.state(name) for name in models}
            for name, state in states.items():
                recent = bool(state.answered_at and now - state.answered_at < RECENT)
                line = show.answer(state, now)
                before = "" if state.waiting or (state.answered_at or now) >= began else "earlier, "
                if line and (state.waiting or recent) and (text := f"{name}: {before}{line}") not in said:
                    out.print(text, soft_wrap=True)
                    said.add(text)
            new = [item for item in newest if item.arn not in seen or not _over(deployment, item)]
            if new:
                return max(new, key=lambda item: item.start_time)
            if any(state.waiting for state in states.values()):
                time.sleep(show.POLL)
                continue
            refused = [s.answered_at for s in states.values() if s.answer == "refuse" and s.answered_at]
            if any(at >= began for at in refused):
                return None
            if now - began > GRACE:
                if any(began - at < RECENT for at in refused):
                    return None
                out.print("nothing is under way, and nobody waits for a start; the newest:")
                return max(newest, key=lambda item: item.start_time, default=None)
            time.sleep(show.POLL)


def _over(deployment: Deployment, execution: Execution) -> bool:
    return deployment.settled(execution, deployment.package(execution))


@app.command()
def evidence(
    execution: Annotated[
        str | None, typer.Argument(help="An execution's ARN or id; without it, the newest of any model.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole of it, for scripts.")] = False,
) -> None:
    """Show the evidence of an execution: steps, logs, data, model package, decision, and why."""
    deployment = _deployment()
    found = deployment.evidence(deployment.execution(execution))
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        show.evidence(out, found)


# ---- judging ------------------------------------------------------------------------------------------


PACKAGE = "Its ARN, or model and version, such as titanic/3."


@app.command()
def judge(
    package: Annotated[str | None, typer.Argument(metavar="PACKAGE", help=PACKAGE)] = None,
    evaluation: Annotated[
        str | None, typer.Option(metavar="FILE", help="An evaluation.json to replay; - reads it from stdin.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="By whose rules to replay it.")] = None,
    without_champion: Annotated[
        bool, typer.Option("--without-champion", help="Put the champion aside, on your word.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it is recorded with your name.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole verdict, for scripts.")] = False,
) -> None:
    """Try rules on an evaluation that you have, or judge a held candidate again without its champion.

    `handsoff judge --evaluation FILE --model M` says what the rules in your handsoff.yaml make of an
    evaluation.json: change a rule, replay history, see what it would have decided. It needs no AWS and
    changes nothing; the champion is the one that the file names. The exit code is 0 whatever the verdict is.

    Past evaluations lie at models/M/EXECUTION/evaluation.json in the data bucket:
    `aws s3 cp s3://… - | handsoff judge --evaluation - --model M`

    `handsoff judge PACKAGE --without-champion --reason "…"` is the way out of a champion that can no longer
    be compared with: its file is gone, or it was made by another scikit-learn. The rules that are published
    decide again and leave out what compares with the champion; the result is written to the registry. Who
    asked for that, when and why is recorded, and the earlier verdict is kept.
    """
    where = _project()
    if (package is None) == (evaluation is None):
        raise WrongCall(
            "either --evaluation FILE --model M, or PACKAGE --without-champion --reason: see --help"
        )
    if evaluation is not None:
        if without_champion or reason is not None:
            raise WrongCall("--without-champion and --reason go with PACKAGE, not with --evaluation")
        if model is None:
            raise WrongCall("--evaluation needs --model: by whose rules?")
        verdict = replay(evaluation, where.model(model), where.config.models[model])
    else:
        if model is not None:
            raise WrongCall("--model goes with --evaluation; PACKAGE names its model itself")
        if not without_champion:
            raise WrongCall(
                "PACKAGE is judged by itself when it is registered; to judge it again, say --without-champion"
            )
        if not (reason or "").strip():
            raise WrongCall('--without-champion needs --reason "…": it is recorded')
        deployment = Deployment(where.config)
        found = deployment.find_package(package or "")
        verdict = deployment.judge_without_champion(found, reason or "")
    if as_json:
        typer.echo(json.dumps(verdict.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False))
    else:
        show.show_verdict(out, verdict)


@app.command()
def explain(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    as_json: Annotated[bool, typer.Option("--json", help="The whole of it, for scripts.")] = False,
) -> None:
    """Show why a model package was approved, rejected or held: every rule with its numbers, and who decided.

    The table has a line for each question that a rule asked: what was observed, what was needed, on how many
    validation rows, and what came of it. What a comparison observed is the gain that is certain at the rule's
    confidence, not the bare difference. `fail → hold` means that the rule did not hold, and that this alone
    leaves the decision to a person.
    """
    deployment = _deployment()
    found = deployment.judgement(deployment.find_package(package))
    if as_json:
        typer.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        show.explanation(out, found)


# ---- deciding -----------------------------------------------------------------------------------------


REASON = "Why, in one line; it is recorded with your name."


@app.command()
def approve(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    reason: Annotated[str, typer.Option(help=REASON)],
    as_json: Annotated[bool, typer.Option("--json", help="The decision that stands, for scripts.")] = False,
) -> None:
    """Approve a model package that waits: it becomes the champion. Older ones that wait are superseded.

    Your name is the ARN of the AWS identity that you use. If somebody else has decided already, that decision
    stands, and you are told whose it is; the exit code is 1 then. Your own decision again changes nothing.
    """
    _decide(package, "Approved", reason, as_json)


@app.command()
def reject(
    package: Annotated[str, typer.Argument(metavar="PACKAGE", help=PACKAGE)],
    reason: Annotated[str, typer.Option(help=REASON)],
    as_json: Annotated[bool, typer.Option("--json", help="The decision that stands, for scripts.")] = False,
) -> None:
    """Reject a model package that waits. A champion is taken back in AWS: the refusal says by which command.

    Your name is the ARN of the AWS identity that you use. If somebody else has decided already, that decision
    stands, and you are told whose it is; the exit code is 1 then. Your own decision again changes nothing.
    """
    _decide(package, "Rejected", reason, as_json)


def _decide(package: str, status: decisions.Status, reason: str, as_json: bool) -> None:
    why = decisions.reason(reason)
    deployment = _deployment()
    found = deployment.find_package(package)
    try:
        standing = deployment.decide(found, status, why)
    except NotReady:
        raise NotReady(
            "a candidate of this model is being decided by somebody else right now; try again in two minutes"
        ) from None
    if as_json:
        shown = {
            "modelPackageArn": found.arn,
            "modelApprovalStatus": standing.status,
            "ours": standing.ours,
            "decidedBy": standing.by,
            "decidedWho": standing.who,
            "decidedAt": standing.at,
            "decidedWhy": standing.why,
        }
        typer.echo(json.dumps(shown, indent=1, ensure_ascii=False))
        if not standing.ours:
            raise typer.Exit(1)
        return
    said = f"{standing.status} {decisions.said_by({'by': standing.by, 'who': standing.who})}"
    if not standing.ours:
        why = f": {standing.why}" if standing.why else ""
        back = ""
        if (status, standing.status) == ("Rejected", "Approved"):
            back = (
                f". To take it back: aws sagemaker update-model-package --model-package-arn {found.arn} "
                '--model-approval-status Rejected --approval-description "…"'
            )
        raise TooLate(f"{found.name} is {said} already, since {standing.at}{why}{back}")
    out.print(f"{found.name}: {show.escape(said)}", soft_wrap=True)
