"""Takes a deployment down: first what starts executions, then what it needs; data only if asked.

Data are the bucket, the model packages and the ledger. Resources that they depend on stay with them, so that
a bucket that stays keeps its policy. Every step can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from rich.console import Console
from rich.progress import Progress, TextColumn

from handsoff.deploying import stack
from handsoff.deploying.account import find_bucket, find_stack
from handsoff.deploying.deploy import packages
from handsoff.deploying.inventory import SAM_STACK, ledgers
from handsoff.deploying.proof import refuse_locked
from handsoff.deploying.refusals import holds_data
from handsoff.deploying.site import Site, step
from handsoff.deploying.terraform import State
from handsoff.errors import StillRunning
from retraining.errors import HandsoffError

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef


def destroy(site: Site, console: Console, state: State, *, purge: bool) -> None:
    """Take the deployment down, data only with `purge`. Raises StillRunning before anything is changed."""
    _refuse_while_running(site, state)
    if purge:
        for name in _our_buckets(site, state):
            refuse_locked(site.deployment.s3, name)
    if find_stack(site.deployment.session, site.prefix) is not None:
        with step(console, f"the stack {site.prefix} is deleted"):
            stack.delete(site)
    with step(console, "the SAM CLI's uploads are deleted"):
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
    """The addresses that hold data, with all that they depend on. `resources`: what each depends on."""
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
                    f"an execution of {name} runs. Wait until it ends, or stop it: aws sagemaker "
                    f"stop-pipeline-execution --pipeline-execution-arn {item['PipelineExecutionArn']}"
                )


def _our_buckets(site: Site, state: State) -> list[str]:
    """The buckets that Terraform made, and that belong to this account."""
    session, account = site.deployment.session, site.deployment.account
    names = state.values("aws_s3_bucket", "bucket")
    return [name for name in names if find_bucket(session, name, account).state == "ours"]


def _purge(site: Site, console: Console, state: State) -> None:
    """Delete the data in what Terraform made. A name alone does not prove that a bucket is ours."""
    session = site.deployment.session
    for name in _our_buckets(site, state):
        with step(console, f"all objects and versions of {name} are deleted"):
            _empty(site, name, "", console)
    with step(console, "the model packages are deleted"):
        for arns in packages(site, state).values():
            for arn in arns:
                site.deployment.sagemaker.delete_model_package(ModelPackageName=arn)
    with step(console, "the ledger is deleted"):
        dynamodb = session.client("dynamodb")
        for table in ledgers(site):
            if dynamodb.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
                dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
                dynamodb.get_waiter("table_exists").wait(TableName=table)  # until it is active again
            dynamodb.delete_table(TableName=table)


def _empty(site: Site, bucket: str, prefix: str, console: Console) -> None:
    """Delete everything below `prefix`: all versions and delete markers, a thousand per call."""
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
                    f"{len(errors)} objects of {bucket} cannot be deleted, such as {errors[0].get('Key')}: "
                    f"{errors[0].get('Message')}"
                )
            progress.advance(task, len(found))


def _delete_artefacts(site: Site) -> None:
    """Delete the built code in the SAM CLI's bucket; no function runs it any more."""
    managed = find_stack(site.deployment.session, SAM_STACK)
    if managed is not None and (bucket := managed.outputs.get("SourceBucket")):
        for folder in (site.prefix, f"{site.prefix}-plan"):
            _empty(site, bucket, f"{folder}/", Console(quiet=True))
