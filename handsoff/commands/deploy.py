"""Bringing what runs on AWS up to date with the project, and taking it down."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Final

import typer

from handsoff import show
from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.deploying import destroy as ending
from handsoff.deploying import doctor as diagnosis
from handsoff.deploying import render as rendering
from handsoff.deploying.deploy import (
    NotAgreed,
    parse_parameters,
    prepare,
    refuse,
    show_changes,
    show_plan,
    site,
)
from handsoff.deploying.deploy import deploy as run_deploy
from handsoff.deploying.terraform import Plan

MARKS: Final = {
    "ok": "[green]✓[/]",
    "warning": "[yellow]![/]",
    "error": "[red]✗[/]",
    "not checked": "[dim]–[/]",
}

PARAMETER: Final = (
    "A parameter of template.yaml, such as SlackSecret=arn:…; the stack keeps it until it is given again."
)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False) -> None:
    """Say whether tools, credentials, region, quotas and names are fit for `handsoff deploy`, and what to do.

    Changes nothing. Exit code 1 if something is wrong; what cannot be looked at is no error.
    """
    findings = diagnosis.examine(terminal.config())
    fit = not any(item.outcome == "error" for item in findings)
    if as_json:
        typer.echo(json.dumps({"fit": fit, "findings": [asdict(item) for item in findings]}, indent=1))
    else:
        _show(findings)
    if not fit:
        raise typer.Exit(1)


def _show(findings: list[diagnosis.Finding]) -> None:
    for item in findings:
        said = "not checked: " if item.outcome == "not checked" else ""
        out.print(
            f"{MARKS[item.outcome]} {show.escape(item.what)}: {said}{show.escape(item.why)}", soft_wrap=True
        )
        if item.way_out:
            out.print(f"    → {show.escape(item.way_out)}", soft_wrap=True)


def render() -> None:
    """Write what Terraform reads: terraform/handsoff.auto.tfvars.json. Then `terraform plan` works there."""
    where = terminal.project()
    path, changed = rendering.write(where, terminal.deployment(where).where)
    out.print(f"{path.relative_to(where.folder)}: {'written' if changed else 'unchanged'}", soft_wrap=True)


def deploy(
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing.")] = False,
    parameter: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=PARAMETER)] = None,
) -> None:
    """Deploy the project to the AWS that the environment names: Terraform, publish, sam build, sam deploy.

    Looks first whether all is fit for it, as `handsoff doctor` does. On AWS it asks before Terraform changes
    something. Each step may be repeated: after a failure the same command goes on. A second run changes
    nothing.
    """
    where = terminal.project()
    given = parse_parameters(parameter or [], where.template)
    with show.step(err, "tools, credentials, region, quotas and names are looked at"):
        findings = diagnosis.examine(terminal.config(), given)
    _show([item for item in findings if item.outcome != "ok"])
    if any(item.outcome == "error" for item in findings):
        raise diagnosis.Unfit("nothing was changed: see above")
    here = site(where, given)
    if plan:
        show_changes(here, err, out)
        return

    def agreed(plan: Plan) -> bool:
        show_plan(out, plan)
        if yes or here.endpoint:
            return True
        if not err.is_terminal:
            raise NotAgreed("nobody is there to be asked, and nothing was changed: say --yes")
        return typer.confirm("Change this, then deploy the stack?", err=True)

    run_deploy(here, err, agreed=agreed)
    for name, value in here.deployment.outputs.items():
        out.print(f"{name:<18} {show.escape(value)}", soft_wrap=True)


def destroy(
    purge: Annotated[
        bool, typer.Option("--purge", help="Data, too: objects, model packages, the ledger.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="The prefix, in place of being asked for it.")
    ] = None,
) -> None:
    """Take the deployment down. Says first what goes and what remains, and has the prefix typed.

    Data remain unless --purge says otherwise: the bucket, the model packages, the ledger. Each step may be
    repeated: after a failure the same command goes on.
    """
    where = terminal.project()
    here = site(where)
    state = prepare(here, err)
    refuse(here, state)
    found = ending.take_inventory(here, state)
    out.print(f"account {here.deployment.account}, {here.deployment.where.region}. These go:")
    for line in ending.goes(found, purge=purge):
        out.print(f"  [red]-[/] {show.escape(line)}", soft_wrap=True)
    _show_remaining(ending.remains(found, purge=purge))
    typed = confirm
    if typed is None:
        if not err.is_terminal:
            raise NotAgreed(f"nobody is there to be asked: say --confirm {here.prefix}; nothing was changed")
        typed = typer.prompt(f"Type the prefix, {here.prefix}, to go on", err=True)
    if typed != here.prefix:
        raise NotAgreed(f"{typed} is not the prefix, which is {here.prefix}: nothing was changed")
    ending.destroy(here, err, state, purge=purge)
    _show_remaining(ending.left(ending.take_inventory(here, here.terraform.state())))


def _show_remaining(lines: list[tuple[str, str]]) -> None:
    out.print("These remain:")
    for what, command in lines:
        out.print(f"  {show.escape(what)}\n    → {show.escape(command)}", soft_wrap=True)


def publish(
    model: Annotated[str | None, typer.Argument(help="Only this model.")] = None,
) -> None:
    """Upload the step code, bring the pipelines up to date with it, and the models' configs in SSM.

    What Terraform reads is written, too, so that its plan stays empty.
    """
    where = terminal.project()
    deployment = terminal.deployment(where)
    for name in [where.model(model)] if model else where.config.models:
        published, changed = deployment.publish(name)
        rules = "rules and settings updated" if changed else "rules and settings unchanged"
        code = published.code_sha256[:12]
        out.print(
            f"{name}: pipeline {published.change}, {rules}, code {code}, {published.pipeline_arn}",
            soft_wrap=True,
        )
        if not deployment.scheduled(name):
            out.print(f"{name}: its schedule on AWS is another one: `handsoff deploy` changes it")
    if where.terraform.is_dir():
        rendering.write(where, deployment.where)
