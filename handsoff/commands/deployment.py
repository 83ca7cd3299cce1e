"""Commands about a deployment: examine, render, deploy, destroy."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Final

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.deploying import deploy as deploying
from handsoff.deploying import destroy as destroying
from handsoff.deploying import doctor as examining
from handsoff.deploying import inventory, stack
from handsoff.deploying import render as rendering
from handsoff.deploying.checks import Finding
from handsoff.deploying.site import Site, site
from handsoff.deploying.terraform import Plan
from handsoff.errors import NotConfirmed, Unfit
from handsoff.showing.console import escape, step

MARKS: Final = {
    "ok": "[green]✓[/]",
    "warning": "[yellow]![/]",
    "error": "[red]✗[/]",
    "not checked": "[dim]–[/]",
}
"""The mark before a finding, by its outcome."""

PARAMETER: Final = (
    "A parameter of template.yaml, such as SlackSecret=arn:…; the stack keeps it until it is given again."
)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False) -> None:
    """Check whether tools, credentials, region, quotas and names fit a deployment, and say what to do.

    It changes nothing. The exit code is 1 if a check fails; a check that these credentials may not make is
    shown as not checked and does not count.

    Example: `handsoff doctor`
    """
    findings = examining.examine(terminal.config())
    fit = not any(item.outcome == "error" for item in findings)
    if as_json:
        terminal.print_json({"fit": fit, "findings": [asdict(item) for item in findings]})
    else:
        _show_findings(findings)
    if not fit:
        raise typer.Exit(1)


def _show_findings(findings: list[Finding]) -> None:
    for item in findings:
        said = "not checked: " if item.outcome == "not checked" else ""
        out.print(f"{MARKS[item.outcome]} {escape(item.what)}: {said}{escape(item.why)}", soft_wrap=True)
        if item.way_out:
            out.print(f"    → {escape(item.way_out)}", soft_wrap=True)


def render() -> None:
    """Write the file that Terraform reads, handsoff.auto.tfvars.json.

    Use it to run Terraform yourself; `handsoff deploy` renders by itself. It lies in handsoff-terraform/, the
    folder beside handsoff.yaml in which Terraform works; in a checkout that is terraform/.

    Example: `handsoff render && terraform -chdir=handsoff-terraform plan`
    """
    where = terminal.project_to_publish()
    path, changed = rendering.write(where, terminal.deployment(where).location)
    out.print(f"{path.relative_to(where.folder)}: {'written' if changed else 'unchanged'}", soft_wrap=True)


def deploy(
    plan: Annotated[bool, typer.Option("--plan", help="Show what would change, and change nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before Terraform changes anything.")] = False,
    parameter: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help=PARAMETER)] = None,
) -> None:
    """Deploy the project to the AWS that the environment names: Terraform, publish, sam build, sam deploy.

    It first runs the checks of `handsoff doctor`. On AWS it asks before Terraform changes anything. After a
    failure the same command continues; a second run changes nothing.

    Example: `handsoff deploy --plan`
    """
    where = terminal.project_to_publish()
    given = stack.parse_parameters(parameter or [], where.template)
    with step(err, "tools, credentials, region, quotas and names are checked"):
        findings = examining.examine(terminal.config(), given)
    _show_findings([item for item in findings if item.outcome != "ok"])
    if any(item.outcome == "error" for item in findings):
        raise Unfit("nothing was changed: see the errors above")
    terminal.need_to_build(where)
    here = site(where, given)
    if plan:
        deploying.show_changes(here, err, out)
        return
    deploying.deploy(here, err, confirm=lambda found: _confirm(here, found, yes=yes))
    for name, value in here.deployment.outputs.items():
        out.print(f"{name:<18} {escape(value)}", soft_wrap=True)


def _confirm(here: Site, plan: Plan, *, yes: bool) -> bool:
    """Show the plan, and ask whether to apply it; AWS on this machine is not asked about."""
    deploying.show_plan(out, plan)
    if yes or here.endpoint:
        return True
    if not err.is_terminal:
        raise NotConfirmed("there is no terminal to ask on, and nothing was changed: say --yes")
    return typer.confirm("Change this, then deploy the stack?", err=True)


def destroy(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove data, too: objects, model packages, the ledger.")
    ] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="The prefix, instead of typing it when asked.")
    ] = None,
) -> None:
    """Take the deployment down, after showing what is removed and what remains, and asking for the prefix.

    The bucket, the model packages and the ledger remain, unless --purge removes them. After a failure the
    same command continues.

    Example: `handsoff destroy --confirm handsoff`
    """
    here = site(terminal.project())
    state = deploying.prepare(here, err)
    deploying.refuse(here, state)
    found = inventory.take_inventory(here, state)
    out.print(f"account {here.deployment.account}, {here.deployment.location.region}. To be removed:")
    for line in inventory.removed(found, purge=purge):
        out.print(f"  [red]-[/] {escape(line)}", soft_wrap=True)
    _show_remaining(inventory.remaining(found, purge=purge))
    _confirm_prefix(here.prefix, confirm)
    destroying.destroy(here, err, state, purge=purge)
    _show_remaining(inventory.left_over(inventory.take_inventory(here, here.terraform.state())))


def _confirm_prefix(prefix: str, typed: str | None) -> None:
    """Ask for the prefix unless it is `typed` already. Raises NotConfirmed for another text."""
    if typed is None:
        if not err.is_terminal:
            raise NotConfirmed(f"there is no terminal to ask on: say --confirm {prefix}; nothing was changed")
        typed = typer.prompt(f"Type the prefix, {prefix}, to go on", err=True)
    if typed != prefix:
        raise NotConfirmed(f"{typed} is not the prefix, which is {prefix}: nothing was changed")


def _show_remaining(lines: list[tuple[str, str]]) -> None:
    out.print("These remain:")
    for what, command in lines:
        out.print(f"  {escape(what)}\n    → {escape(command)}", soft_wrap=True)
