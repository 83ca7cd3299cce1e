"""Deploys the project to the AWS that the environment names: Terraform, then the SAM CLI.

Each step may be repeated and changes nothing that is as it should be: after a failure the same command goes
on. Code is uploaded before a definition names it, and what runs comes after what it needs.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from rich.console import Console

from handsoff import show
from handsoff.deploying import doctor, render, sam, terraform
from handsoff.deploying.local import this_machine
from handsoff.deploying.refusals import GROUP, Here, refusals
from handsoff.deploying.terraform import Plan, State, Terraform
from handsoff.deployment import Deployment
from handsoff.project import Project
from local import server
from retraining.errors import HandsoffError

OURS: Final = ("Prefix", "DataBucket", "PermissionsBoundary", "DataKey")
"""Parameters of the template that follow from handsoff.yaml."""


class StepFailed(HandsoffError):
    """A step of a deployment failed; the message names it, says why, and how it goes on."""


class NotAgreed(HandsoffError):
    """Nobody said yes."""


class Refused(HandsoffError):
    """Going on would harm what is there; the message says what, and the way out."""


@dataclass(frozen=True)
class Site:
    """One deployment with the tools at work on it."""

    project: Project
    seen: Project
    """The project as Terraform sees it: itself, or a copy."""

    deployment: Deployment
    terraform: Terraform
    endpoint: str | None
    """The endpoint, where it is not AWS's own."""

    given: Mapping[str, str]
    """Parameters of the template that somebody wants from now on."""

    @property
    def prefix(self) -> str:
        return self.project.config.prefix

    @property
    def build(self) -> Path:
        """Nobody else's: the SAM CLI notes beside it what its cache has, and removes the rest."""
        return self.project.work / "deploy" / self.prefix / "build"


def site(project: Project, given: Mapping[str, str] | None = None) -> Site:
    """Where the project is deployed. Against an endpoint that is not AWS, Terraform works in a copy."""
    deployment = Deployment(project.config)
    endpoint = doctor.endpoint(deployment.session)
    seen = project if endpoint is None else apart(project, endpoint)
    work = (project.work if endpoint is None else seen.folder) / "plan"
    return Site(
        project,
        seen,
        deployment,
        Terraform(seen.terraform, terraform.workspace(project.config.prefix), work),
        endpoint,
        given or {},
    )


def parse_parameters(texts: list[str], template: Path) -> dict[str, str]:
    """`NAME=VALUE` as typed. The SAM CLI would pass over a name that the template does not have."""
    known = [name for name in sam.defaults(template) if name not in OURS]
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise HandsoffError(f"--parameter takes NAME=VALUE, not {text}; names are {', '.join(known)}")
        found[name] = value
    return found


def deploy(site: Site, console: Console, *, agreed: Callable[[Plan], bool]) -> None:
    """Bring everything up to date with the project. `agreed` is asked before something is changed."""
    with tempfile.TemporaryDirectory(prefix="handsoff-") as scratch:
        state = prepare(site, console)
        refuse(site, state)
        _build(site, console, scratch)
        plan = _plan(site, console)
        refuse(site, state, plan)
        if plan.changes:
            if not agreed(plan):
                raise NotAgreed("nothing was changed")
            if _bucket_is_there(site):
                with step(console, "step code is uploaded"):
                    for model in site.project.config.models:
                        site.deployment.upload(model)
            with step(console, f"Terraform applies: {plan}"):
                site.terraform.apply()
        with step(console, "pipelines and configs are published"):
            for model in site.project.config.models:
                site.deployment.publish(model)
        with step(console, f"the stack {site.prefix} is deployed"):
            clear_unborn(site)
            _sam_deploy(site, scratch)


def show_changes(site: Site, console: Console, out: Console) -> None:
    """Show what `deploy` would change, and change nothing."""
    state = prepare(site, console)
    refuse(site, state)
    plan = _plan(site, console)
    show_plan(out, plan)
    refuse(site, state, plan)
    stack = doctor.find_stack(site.deployment.session, site.prefix)
    if stack is None or stack.status in doctor.UNBORN:
        out.print(f"stack {site.prefix}: would be made")
        return
    with tempfile.TemporaryDirectory(prefix="handsoff-") as scratch:
        _build(site, console, scratch)
        with step(console, "CloudFormation compares"):
            changes = _stack_changes(site, scratch)
    out.print(f"stack {site.prefix}: {len(changes) or 'nothing'} to change")
    for line in changes:
        out.print(f"  {show.escape(line)}", soft_wrap=True)


def show_plan(out: Console, plan: Plan) -> None:
    out.print(f"Terraform: {plan}")
    for address, sign in plan.changes.items():
        style = "red" if sign in "-±" else "green" if sign == "+" else "yellow"
        out.print(f"  [{style}]{sign}[/] {show.escape(address)}", soft_wrap=True)


def apart(project: Project, endpoint: str) -> Project:
    """A copy of what Terraform reads, for an endpoint that is not AWS: its state is never the user's own.

    AWS on this machine keeps it in its folder, and it ends with it.
    """
    cloud = server.running(project.local)
    if cloud is not None and cloud.endpoint == endpoint.rstrip("/"):
        folder = project.local / "terraform"
    else:
        folder = project.work / "terraform" / re.sub(r"[^\w.]+", "-", urlsplit(endpoint).netloc)
    shutil.rmtree(folder / "pipeline_def", ignore_errors=True)
    for name in render.made_from(project):
        _copy(project.folder / name, folder / name)
    target = folder / "terraform"
    for old in (*target.glob("*.tf"), *target.glob("policies/*")):
        old.unlink()
    for path in (*project.terraform.glob("*.tf"), *project.terraform.glob("policies/*")):
        if not path.name.endswith("override.tf"):  # the backend of the user's own state
            _copy(path, target / path.relative_to(project.terraform))
    if (lock := project.terraform / ".terraform.lock.hcl").exists():
        _copy(lock, target / lock.name)
    return replace(project, folder=folder, file=project.file and folder / project.file.name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


@contextmanager
def step(console: Console, text: str) -> Iterator[None]:
    try:
        with show.step(console, text):
            yield
    except (HandsoffError, ClientError, BotoCoreError) as error:
        raise StepFailed(
            f"{text}: {error}\nWhat was done before stands. Mend the cause; the same command goes on"
        ) from error


def prepare(site: Site, console: Console) -> State:
    """Write what Terraform reads, let it get ready; what it has made so far."""
    with step(console, f"{render.NAME} is written, Terraform gets ready"):
        render.write(site.seen, site.deployment.where)
        site.terraform.prepare()
        render.write(site.seen, site.deployment.where, site.terraform.variables)
        return site.terraform.state()


def _plan(site: Site, console: Console) -> Plan:
    with step(console, "Terraform plans"):
        return site.terraform.plan()


def _bucket_is_there(site: Site) -> bool:
    deployment = site.deployment
    name = render.bucket_name(deployment.config, deployment.where)
    return doctor.find_bucket(deployment.session, name, deployment.account).state == "ours"


def refuse(site: Site, state: State, plan: Plan | None = None) -> None:
    """Raise Refused where Terraform would harm what is there."""
    here = Here(
        site.prefix,
        site.deployment.account,
        site.deployment.where.region,
        site.terraform.folder,
        site.terraform.workspace,
        things=() if state.resources else tuple(_things(site)),
        packages={group: len(arns) for group, arns in packages(site, state).items()} if plan else {},
        stand_in=site.endpoint is not None,
    )
    if found := refusals(here, state, plan):
        raise Refused("\n".join([*found, "Nothing was changed"]))


def _things(site: Site) -> Iterator[str]:
    """What only a deployment makes, as far as it is there."""
    if site.project.config.aws.bucket is None and _bucket_is_there(site):
        yield f"the bucket {render.bucket_name(site.deployment.config, site.deployment.where)}"
    if doctor.find_stack(site.deployment.session, site.prefix) is not None:
        yield f"the stack {site.prefix}"
    ours = {site.deployment.resource_name(model) for model in site.project.config.models}
    paginator = site.deployment.sagemaker.get_paginator("list_pipelines")
    for page in paginator.paginate(PipelineNamePrefix=site.prefix):
        for item in page["PipelineSummaries"]:
            if item["PipelineName"] in ours:
                yield f"the pipeline {item['PipelineName']}"


def packages(site: Site, state: State) -> dict[str, list[str]]:
    """The ARNs of all model packages in the groups that Terraform made and that are there, by group."""
    sagemaker = site.deployment.sagemaker
    there = {
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
        if group in there
    }


def parameters(site: Site) -> dict[str, str]:
    """What the stack is given. What is not in here keeps its value, such as a secret given long ago."""
    aws = site.project.config.aws
    runtime, architecture = this_machine()
    return {
        **({"Runtime": runtime, "Architecture": architecture} if site.endpoint else {}),
        **site.given,
        "Prefix": site.prefix,
        "DataBucket": f"/{site.prefix}/data-bucket",
        "PermissionsBoundary": aws.permissions_boundary or "",
        "DataKey": aws.kms_key or "",
    }


def _build(site: Site, console: Console, scratch: str) -> None:
    """Build for the runtime and the architecture that the stack is going to have."""
    stack = doctor.find_stack(site.deployment.session, site.prefix)
    wanted = {
        **sam.defaults(site.project.template),
        **(stack.parameters if stack else {}),
        **parameters(site),
    }
    runtime, architecture = wanted["Runtime"], wanted["Architecture"]
    with step(console, f"functions and layer are built for {runtime} on {architecture}"):
        sam.build(
            site.project,
            site.build,
            cache=site.build.with_name(f"cache-{runtime}-{architecture}"),
            environment={
                "HANDSOFF_RUNTIME": runtime,
                "HANDSOFF_ARCHITECTURE": architecture,
                "TMPDIR": scratch,
            },
        )


def _sam_deploy(site: Site, scratch: str, *arguments: str) -> str:
    return sam.deploy(
        site.project,
        site.build,
        *arguments,
        parameters=parameters(site),
        tags=site.project.config.aws.tags,
        environment={"TMPDIR": scratch, **({"SAM_CLI_POLL_DELAY": "0.3"} if site.endpoint else {})},
    )


def _stack_changes(site: Site, scratch: str) -> list[str]:
    """What a change set of the stack says; it is removed again."""
    said = _sam_deploy(site, scratch, "--no-execute-changeset")
    found = re.search(r"arn:[\w-]+:cloudformation:[^\s]*:changeSet/[\w/-]+", said)
    if found is None:
        return []
    client = site.deployment.session.client("cloudformation")
    changes = [
        change["ResourceChange"]
        for page in client.get_paginator("describe_change_set").paginate(ChangeSetName=found[0])
        for change in page.get("Changes", [])
    ]
    client.delete_change_set(ChangeSetName=found[0])
    return [
        f"{item['Action']} {item['LogicalResourceId']} ({item['ResourceType']})"
        + (", replaced" if item.get("Replacement") == "True" else "")
        for item in changes
    ]


def clear_unborn(site: Site) -> None:
    """Remove what is left of a stack whose creation failed: nothing can be deployed over it.

    Raises Refused if somebody is about to create it: until then it looks the same.
    """
    stack = doctor.find_stack(site.deployment.session, site.prefix)
    if stack is None or stack.status not in doctor.UNBORN:
        return
    client = site.deployment.session.client("cloudformation")
    found = client.get_paginator("list_change_sets").paginate(StackName=site.prefix)
    for item in (item for page in found for item in page["Summaries"]):
        if stack.status == "REVIEW_IN_PROGRESS" and item["Status"].startswith("CREATE_"):
            raise Refused(
                f"somebody else seems to create {site.prefix}: a change set of it is {item['Status']}. Wait "
                "until the stack is there. If it is left over: aws cloudformation delete-change-set "
                f"--change-set-name {item['ChangeSetId']}"
            )
    delete_stack(site)


def delete_stack(site: Site) -> None:
    """Delete the stack and wait until it is gone. Raises StepFailed with CloudFormation's reason."""
    client = site.deployment.session.client("cloudformation")
    client.delete_stack(StackName=site.prefix)
    try:
        client.get_waiter("stack_delete_complete").wait(
            StackName=site.prefix, WaiterConfig={"Delay": 1 if site.endpoint else 5, "MaxAttempts": 720}
        )
    except WaiterError:
        (stack,) = client.describe_stacks(StackName=site.prefix)["Stacks"]
        why = stack.get("StackStatusReason", "CloudFormation gives no reason")
        raise StepFailed(f"the stack {site.prefix} is {stack['StackStatus']}: {why}") from None
