"""Deploys the project to the AWS that the environment names: Terraform, then the SAM CLI.

Every step can be repeated and changes only what is out of date: after a failure the same command continues.
Code is uploaded before a definition names it, and resources are made before the functions that use them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

from rich.console import Console

from handsoff.deploying import champions, render, stack
from handsoff.deploying.account import UNBORN, find_bucket, find_stack
from handsoff.deploying.publishing import publish_model, upload_code
from handsoff.deploying.refusals import GROUP, Here, refusals
from handsoff.deploying.site import Site, step
from handsoff.deploying.terraform import Plan, State
from handsoff.errors import NotConfirmed, Refused
from handsoff.location import bucket_name
from handsoff.showing.console import escape


def deploy(site: Site, console: Console, *, confirm: Callable[[Plan], bool]) -> None:
    """Bring AWS up to date with the project. `confirm` is asked before Terraform changes anything.

    Raises NotConfirmed, Refused or StepFailed.
    """
    with tempfile.TemporaryDirectory(prefix="handsoff-") as scratch:
        state = prepare(site, console)
        refuse(site, state)
        stack.build(site, console, scratch)
        plan = _plan(site, console)
        refuse(site, state, plan)
        if plan.changes:
            _apply(site, console, plan, confirm)
        with step(console, "pipelines and configs are published"):
            for model in site.project.config.models:
                publish_model(site.deployment, model)
        with step(console, f"the stack {site.prefix} is deployed"):
            stack.clear_unborn(site)
            stack.deploy(site, scratch)


def _apply(site: Site, console: Console, plan: Plan, confirm: Callable[[Plan], bool]) -> None:
    if not confirm(plan):
        raise NotConfirmed("nothing was changed")
    if _bucket_exists(site):
        with step(console, "step code is uploaded"):
            for model in site.project.config.models:
                upload_code(site.deployment, model)
    with step(console, f"Terraform applies: {plan}"):
        site.terraform.apply()


def show_changes(site: Site, console: Console, out: Console) -> None:
    """Show on `out` what `deploy` would change. Changes nothing."""
    state = prepare(site, console)
    refuse(site, state)
    plan = _plan(site, console)
    show_plan(out, plan)
    refuse(site, state, plan)
    found = find_stack(site.deployment.session, site.prefix)
    if found is None or found.status in UNBORN:
        out.print(f"stack {site.prefix}: would be made")
        return
    with tempfile.TemporaryDirectory(prefix="handsoff-") as scratch:
        stack.build(site, console, scratch)
        with step(console, "CloudFormation compares"):
            changes = stack.changes(site, scratch)
    out.print(f"stack {site.prefix}: {len(changes) or 'nothing'} to change")
    for line in changes:
        out.print(f"  {escape(line)}", soft_wrap=True)


def show_plan(out: Console, plan: Plan) -> None:
    """Show what Terraform would change: a line for each resource, and its notes below it."""
    out.print(f"Terraform: {plan}")
    for address, sign in plan.changes.items():
        style = "red" if sign in "-±" else "green" if sign == "+" else "yellow"
        out.print(f"  [{style}]{sign}[/] {escape(address)}", soft_wrap=True)
        for note in plan.notes.get(address, ()):
            out.print(f"      {escape(note)}", soft_wrap=True, highlight=False)


def prepare(site: Site, console: Console) -> State:
    """Write what Terraform reads, initialise Terraform, and return its state."""
    with step(console, f"{render.NAME} is written, Terraform is initialised"):
        render.write(site.project, site.deployment.location, site.terraform.folder)
        site.terraform.prepare()
        render.write(site.project, site.deployment.location, site.terraform.folder, site.terraform.variables)
        return site.terraform.state()


def _plan(site: Site, console: Console) -> Plan:
    with step(console, "Terraform plans"):
        return site.terraform.plan()


def _bucket_exists(site: Site) -> bool:
    deployment = site.deployment
    name = bucket_name(deployment.config, deployment.location)
    return find_bucket(deployment.session, name, deployment.account).state == "ours"


def refuse(site: Site, state: State, plan: Plan | None = None) -> None:
    """Raise Refused where Terraform's state or its plan would harm what exists."""
    held = packages(site, state) if plan else {}
    here = Here(
        site.prefix,
        site.deployment.account,
        site.deployment.location.region,
        site.terraform.folder,
        site.terraform.workspace,
        things=() if state.resources else tuple(_traces(site)),
        packages={group: len(arns) for group, arns in held.items()},
        compared=dict(champions.without_image(site.deployment, [group for group in held if held[group]])),
        stand_in=site.endpoint is not None,
    )
    if found := refusals(here, state, plan):
        raise Refused("\n".join([*found, "Nothing was changed"]))


def _traces(site: Site) -> Iterator[str]:
    """What exists and only a deployment makes, in words."""
    if site.project.config.aws.bucket is None and _bucket_exists(site):
        yield f"the bucket {bucket_name(site.deployment.config, site.deployment.location)}"
    if find_stack(site.deployment.session, site.prefix) is not None:
        yield f"the stack {site.prefix}"
    ours = {site.deployment.resource_name(model) for model in site.project.config.models}
    paginator = site.deployment.sagemaker.get_paginator("list_pipelines")
    for page in paginator.paginate(PipelineNamePrefix=site.prefix):
        for item in page["PipelineSummaries"]:
            if item["PipelineName"] in ours:
                yield f"the pipeline {item['PipelineName']}"


def packages(site: Site, state: State) -> dict[str, list[str]]:
    """The ARNs of all model packages by group, for the groups that Terraform made and that exist."""
    sagemaker = site.deployment.sagemaker
    present = {
        item["ModelPackageGroupName"]
        for page in sagemaker.get_paginator("list_model_package_groups").paginate(NameContains=site.prefix)
        for item in page["ModelPackageGroupSummaryList"]
    }
    return {
        group: [
            item["ModelPackageArn"]
            for page in sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
            for item in page["ModelPackageSummaryList"]
        ]
        for group in state.values(GROUP, "model_package_group_name")
        if group in present
    }
