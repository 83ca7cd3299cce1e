"""Takes a deployment down: first what starts and runs, then what it needs; what holds data only if asked.

What holds data is the bucket, the model packages and the ledger. Whatever these depend on stays with them, so
that a bucket that stays keeps its policy. Each step may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError
from rich.console import Console
from rich.progress import Progress, TextColumn

from handsoff.deploying import doctor, render
from handsoff.deploying.deploy import Site, delete_stack, packages, step
from handsoff.deploying.refusals import holds_data
from handsoff.deploying.terraform import State
from retraining.errors import HandsoffError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

PURGE: Final = "handsoff destroy --purge"

DELETE_LOGS: Final = "aws logs delete-log-group --log-group-name"

SAM_STACK: Final = "aws-sam-cli-managed-default"

JOB_LOGS: Final = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs")


class StillRunning(HandsoffError):
    """Executions run whose pipeline would be taken away."""


@dataclass(frozen=True)
class Inventory:
    """What there is of a deployment that Terraform and CloudFormation do not simply take away."""

    stack: bool
    pipelines: tuple[str, ...]
    ledgers: tuple[str, ...]
    bucket: str | None
    objects: str
    """How many objects and versions lie in it, in words."""

    own_bucket: bool
    """Whether Terraform made it."""

    packages: Mapping[str, int]
    """How many model packages there are, by group; of groups that Terraform made, no others."""


def take_inventory(site: Site, state: State) -> Inventory:
    """What there is now."""
    session, config = site.deployment.session, site.project.config
    made = state.values("aws_s3_bucket", "bucket")
    name = made[0] if made else render.bucket_name(config, site.deployment.where)
    there = doctor.find_bucket(session, name, site.deployment.account).state == "ours"
    return Inventory(
        stack=doctor.find_stack(session, site.prefix) is not None,
        pipelines=tuple(state.values("aws_sagemaker_pipeline", "pipeline_name")),
        ledgers=tuple(_ledgers(site)),
        bucket=name if there else None,
        objects=_count(site, name) if there else "no",
        own_bucket=bool(made),
        packages={group: len(arns) for group, arns in packages(site, state).items() if arns},
    )


def goes(found: Inventory, *, purge: bool) -> list[str]:
    """What `destroy` takes away, in words."""
    lines = []
    if found.stack:
        lines.append(
            "the stack: functions, rules, queues with what waits in them, topics with who subscribed"
        )
    lines.append("what Terraform made and holds no data: pipelines, schedules, parameters, policies")
    if purge and found.bucket and found.own_bucket:
        lines.append(f"the bucket {found.bucket} with {found.objects} objects and versions")
    if purge:
        lines += [f"model packages of {group}: {number}" for group, number in found.packages.items()]
        lines += [f"{_ledger(name)}; the evidence in the bucket has it, too" for name in found.ledgers]
    return lines


def remains(found: Inventory, *, purge: bool) -> list[tuple[str, str]]:
    """What `destroy` leaves, in words, each with the command that removes it."""
    lines = []
    if found.bucket and not found.own_bucket:
        lines.append(
            (f"the bucket {found.bucket}, which was there before", f"aws s3 ls s3://{found.bucket}/")
        )
    elif found.bucket and not purge:
        lines.append(
            (f"the bucket {found.bucket} with {found.objects} objects and versions, and its policy", PURGE)
        )
    if not purge:
        lines += [(f"model packages of {group}: {number}", PURGE) for group, number in found.packages.items()]
        lines += [
            (f"{_ledger(name)}. The next deployment begins an empty one and reads no other", PURGE)
            for name in found.ledgers
        ]
    lines += [
        (f"the jobs' logs, others' among them: {group}", f"{DELETE_LOGS} {group}") for group in JOB_LOGS
    ]
    lines.append((f"the SAM CLI's own bucket, for all stacks: stack {SAM_STACK}", "it costs next to nothing"))
    return lines


def left(found: Inventory) -> list[tuple[str, str]]:
    """What there still is after `destroy`, in words, each with the command that removes it."""
    again = "handsoff destroy"
    lines = [("the stack: functions, rules, queues, topics", again)] if found.stack else []
    lines += [(f"the pipeline {name}", again) for name in found.pipelines]
    return lines + remains(found, purge=False)


def _ledger(name: str) -> str:
    return f"the ledger {name}: which data was trained on, who decided what, and why"


def destroy(site: Site, console: Console, state: State, *, purge: bool) -> None:
    """Take down what the state knows of. Raises StillRunning before anything is touched."""
    _refuse_while_running(site, state)
    if doctor.find_stack(site.deployment.session, site.prefix) is not None:
        with step(console, f"the stack {site.prefix} is deleted"):
            delete_stack(site)
    with step(console, "what the SAM CLI had uploaded is deleted"):
        _delete_artefacts(site)
    if purge:
        _purge(site, console, state)
    with step(console, "Terraform plans"):
        resources = {address: item.needs for address, item in state.resources.items()}
        kept = set() if purge else keeping(resources)
        ending = sorted(set(resources) - kept)
        plan = site.terraform.plan(destroy=ending if kept else ()) if ending else None
    if plan and plan.changes:
        with step(console, f"Terraform removes: {plan}"):
            site.terraform.apply()


def keeping(resources: Mapping[str, Iterable[str]]) -> set[str]:
    """Of resources and what each depends on: those that hold data, and all that these depend on."""
    kept: set[str] = set()
    found = {address for address in resources if holds_data(address)}
    while found:
        kept |= found
        needed = {of for address in found for of in resources[address]}
        found = {
            address for address in resources if address not in kept and {address, _whole(address)} & needed
        }
    return kept


def _whole(address: str) -> str:
    """The address without its index: dependencies name a resource with all its instances."""
    return address.split("[")[0]


def _refuse_while_running(site: Site, state: State) -> None:
    for name in state.values("aws_sagemaker_pipeline", "pipeline_name"):
        try:
            found = site.deployment.sagemaker.list_pipeline_executions(
                PipelineName=name, SortBy="CreationTime", SortOrder="Descending", MaxResults=100
            )
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("ResourceNotFound", "ResourceNotFoundException"):
                raise
            continue
        for item in found["PipelineExecutionSummaries"]:
            if item["PipelineExecutionStatus"] in ("Executing", "Stopping"):
                raise StillRunning(
                    f"an execution of {name} runs. Wait for it, or stop it: aws sagemaker "
                    f"stop-pipeline-execution --pipeline-execution-arn {item['PipelineExecutionArn']}"
                )


def _purge(site: Site, console: Console, state: State) -> None:
    """Delete what lies in what Terraform made; names alone say nothing of whose it is."""
    session = site.deployment.session
    for name in state.values("aws_s3_bucket", "bucket"):
        if doctor.find_bucket(session, name, site.deployment.account).state == "ours":
            with step(console, f"all objects and versions of {name} are deleted"):
                _empty(site, name, "", console)
    with step(console, "the model packages are deleted"):
        for arns in packages(site, state).values():
            for arn in arns:
                site.deployment.sagemaker.delete_model_package(ModelPackageName=arn)
    with step(console, "the ledger is deleted"):
        for table in _ledgers(site):
            session.client("dynamodb").delete_table(TableName=table)


def _empty(site: Site, bucket: str, prefix: str, console: Console) -> None:
    """Delete everything below `prefix`, all versions and markers, a thousand at a time."""
    columns = (TextColumn("{task.completed:,.0f} deleted"),)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        for page in site.deployment.s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=prefix
        ):
            found: list[ObjectIdentifierTypeDef] = [
                {"Key": item["Key"], "VersionId": item["VersionId"]}
                for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            ]
            if not found:
                continue
            done = site.deployment.s3.delete_objects(Bucket=bucket, Delete={"Objects": found, "Quiet": True})
            if errors := done.get("Errors"):
                raise HandsoffError(
                    f"{len(errors)} objects cannot be deleted, {errors[0].get('Key')} among them: "
                    f"{errors[0].get('Message')}"
                )
            progress.advance(task, len(found))


def _count(site: Site, bucket: str) -> str:
    page = site.deployment.s3.list_object_versions(Bucket=bucket, MaxKeys=1000)
    number = len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))
    return "more than 1,000" if page["IsTruncated"] else f"{number:,}"


def _ledgers(site: Site) -> list[str]:
    """The ledger, and those of earlier deployments, which no stack deletes, by AWS's own tags."""
    client = site.deployment.session.client("dynamodb")
    ours = {"aws:cloudformation:stack-name": site.prefix, "aws:cloudformation:logical-id": "Ledger"}
    found = []
    for page in client.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            if not name.startswith(f"{site.prefix}-Ledger-"):
                continue
            arn = client.describe_table(TableName=name)["Table"]["TableArn"]
            tags = {tag["Key"]: tag["Value"] for tag in client.list_tags_of_resource(ResourceArn=arn)["Tags"]}
            if ours.items() <= tags.items():
                found.append(name)
    return found


def _delete_artefacts(site: Site) -> None:
    """Delete the built code in the bucket that the SAM CLI made for itself; no function runs it any more."""
    managed = doctor.find_stack(site.deployment.session, SAM_STACK)
    if managed is not None and (bucket := managed.outputs.get("SourceBucket")):
        for folder in (site.prefix, f"{site.prefix}-plan"):
            _empty(site, bucket, f"{folder}/", Console(quiet=True))
