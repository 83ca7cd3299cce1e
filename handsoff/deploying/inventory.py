"""What taking a deployment down removes and what remains, in words, with the command for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from handsoff.deploying.account import find_bucket, find_stack
from handsoff.deploying.deploy import packages
from handsoff.deploying.site import Site
from handsoff.deploying.terraform import State
from handsoff.location import bucket_name

PURGE: Final = "handsoff destroy --purge"
"""The command that removes data, too."""

DELETE_LOGS: Final = "aws logs delete-log-group --log-group-name"
"""The command that deletes a log group, without its name."""

SAM_STACK: Final = "aws-sam-cli-managed-default"
"""The stack of the SAM CLI's own bucket, which all stacks of the account share."""

JOB_LOGS: Final = ("/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TrainingJobs")
"""Log groups of SageMaker's jobs, which all jobs of the account share."""


@dataclass(frozen=True)
class Inventory:
    """What a deployment has that Terraform and CloudFormation do not simply remove."""

    stack: bool
    """Whether the stack exists."""

    pipelines: tuple[str, ...]
    """Names of the pipelines that Terraform made."""

    ledgers: tuple[str, ...]
    """Names of the ledger's table and of tables that earlier deployments left."""

    bucket: str | None
    """The data bucket's name; None where there is none."""

    objects: str
    """How many objects and versions the bucket holds, in words."""

    own_bucket: bool
    """Whether Terraform made the bucket."""

    packages: Mapping[str, int]
    """Number of model packages by group, of groups that Terraform made."""


def take_inventory(site: Site, state: State) -> Inventory:
    """Look at what exists now."""
    session, config = site.deployment.session, site.project.config
    made = state.values("aws_s3_bucket", "bucket")
    name = made[0] if made else bucket_name(config, site.deployment.location)
    there = find_bucket(session, name, site.deployment.account).state == "ours"
    return Inventory(
        stack=find_stack(session, site.prefix) is not None,
        pipelines=tuple(state.values("aws_sagemaker_pipeline", "pipeline_name")),
        ledgers=tuple(ledgers(site)),
        bucket=name if there else None,
        objects=_count(site, name) if there else "no",
        own_bucket=bool(made),
        packages={group: len(arns) for group, arns in packages(site, state).items() if arns},
    )


def removed(found: Inventory, *, purge: bool) -> list[str]:
    """What `destroy` removes, in words."""
    lines = []
    if found.stack:
        lines.append(
            "the stack: functions, rules, queues with their messages, topics with their subscriptions"
        )
    lines.append("resources of Terraform without data: pipelines, schedules, parameters, policies")
    if purge and found.bucket and found.own_bucket:
        lines.append(f"the bucket {found.bucket} with {found.objects} objects and versions")
    if purge:
        lines += [f"model packages of {group}: {number}" for group, number in found.packages.items()]
        lines += [f"{_ledger(name)}; the evidence in the bucket has a copy" for name in found.ledgers]
    return lines


def remaining(found: Inventory, *, purge: bool) -> list[tuple[str, str]]:
    """What `destroy` leaves, in words, each with the command that removes or shows it."""
    lines = []
    if found.bucket and not found.own_bucket:
        lines.append((f"the bucket {found.bucket}, which existed before", f"aws s3 ls s3://{found.bucket}/"))
    elif found.bucket and not purge:
        lines.append(
            (f"the bucket {found.bucket} with {found.objects} objects and versions, and its policy", PURGE)
        )
    if not purge:
        lines += [(f"model packages of {group}: {number}", PURGE) for group, number in found.packages.items()]
        lines += [
            (f"{_ledger(name)}. The next deployment makes an empty one and does not read this one", PURGE)
            for name in found.ledgers
        ]
    lines += [
        (f"the logs of all SageMaker jobs of the account: {group}", f"{DELETE_LOGS} {group}")
        for group in JOB_LOGS
    ]
    lines.append(
        (f"the SAM CLI's bucket, which all stacks share: stack {SAM_STACK}", "it costs almost nothing")
    )
    return lines


def left_over(found: Inventory) -> list[tuple[str, str]]:
    """What still exists after `destroy`, in words, each with the command that removes or shows it."""
    again = "handsoff destroy"
    lines = [("the stack: functions, rules, queues, topics", again)] if found.stack else []
    lines += [(f"the pipeline {name}", again) for name in found.pipelines]
    return lines + remaining(found, purge=False)


def _ledger(name: str) -> str:
    return f"the ledger {name}: training data, decisions, reasons"


def _count(site: Site, bucket: str) -> str:
    page = site.deployment.s3.list_object_versions(Bucket=bucket, MaxKeys=1000)
    number = len(page.get("Versions", [])) + len(page.get("DeleteMarkers", []))
    return "more than 1,000" if page["IsTruncated"] else f"{number:,}"


def ledgers(site: Site) -> list[str]:
    """The ledgers of this and earlier deployments, by CloudFormation's tags: deleting a stack keeps them."""
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
