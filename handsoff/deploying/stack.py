"""The CloudFormation stack: its parameters, and building, deploying, comparing and deleting it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from botocore.exceptions import WaiterError
from rich.console import Console

from handsoff.deploying import sam
from handsoff.deploying.account import UNBORN, find_stack
from handsoff.deploying.local import this_machine
from handsoff.deploying.proof import proof_parameters, wait_for_key
from handsoff.deploying.site import Site, step
from handsoff.errors import Refused, StepFailed, UsageError

DERIVED: Final = ("Prefix", "DataBucket", "PermissionsBoundary", "DataKey", "SigningKey", "EvidenceLock")
"""Parameters of the template that follow from handsoff.yaml, so that the user cannot give them."""

DELETE_ATTEMPTS: Final = 720
"""Times that the stack is looked at while it is being deleted; an hour on AWS."""


def parse_parameters(texts: list[str], template: Path) -> dict[str, str]:
    """Parameters of the template from `NAME=VALUE`. Raises UsageError for a name that the user cannot give.

    The SAM CLI would ignore a name that the template does not have.
    """
    known = [name for name in sam.defaults(template) if name not in DERIVED]
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise UsageError(f"--parameter takes NAME=VALUE, not {text}; names are {', '.join(known)}")
        found[name] = value
    return found


def parameters(site: Site) -> dict[str, str]:
    """The parameters that the stack is given. Another parameter keeps the value that the stack has."""
    aws = site.project.config.aws
    runtime, architecture = this_machine()
    return {
        **({"Runtime": runtime, "Architecture": architecture} if site.endpoint else {}),
        **site.parameters,
        "Prefix": site.prefix,
        "DataBucket": f"/{site.prefix}/data-bucket",
        "PermissionsBoundary": aws.permissions_boundary or "",
        "DataKey": aws.kms_key or "",
        **proof_parameters(site.deployment),
    }


def build(site: Site, console: Console, scratch: str) -> None:
    """Build functions and layer for the runtime and the architecture that the stack will have.

    `scratch` is a folder for the SAM CLI's temporary files.
    """
    stack = find_stack(site.deployment.session, site.prefix)
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
            target={"HANDSOFF_RUNTIME": runtime, "HANDSOFF_ARCHITECTURE": architecture},
            scratch=scratch,
        )


def deploy(site: Site, scratch: str) -> None:
    """Deploy what was built. `scratch` is a folder for the SAM CLI's temporary files. Raises StepFailed."""
    wait_for_key(site.deployment)
    sam.deploy(
        site.project,
        site.build,
        parameters=parameters(site),
        tags=site.project.config.aws.tags,
        environment=_environment(site, scratch),
    )


def changes(site: Site, scratch: str) -> list[str]:
    """What deploying would change in the stack, a line for each resource. Changes nothing."""
    said = sam.make_change_set(
        site.project,
        site.build,
        parameters=parameters(site),
        tags=site.project.config.aws.tags,
        environment=_environment(site, scratch),
    )
    found = re.search(r"arn:[\w-]+:cloudformation:[^\s]*:changeSet/[\w/-]+", said)
    if found is None:
        return []
    client = site.deployment.session.client("cloudformation")
    items = [
        change["ResourceChange"]
        for page in client.get_paginator("describe_change_set").paginate(ChangeSetName=found[0])
        for change in page.get("Changes", [])
    ]
    client.delete_change_set(ChangeSetName=found[0])
    return [
        f"{item['Action']} {item['LogicalResourceId']} ({item['ResourceType']})"
        + (", replaced" if item.get("Replacement") == "True" else "")
        for item in items
    ]


def _environment(site: Site, scratch: str) -> dict[str, str]:
    return {"TMPDIR": scratch, **({"SAM_CLI_POLL_DELAY": "0.3"} if site.endpoint else {})}


def clear_unborn(site: Site) -> None:
    """Delete a stack whose creation failed: nothing can be deployed over it.

    Raises Refused where another deployment is about to create it, which looks the same at first.
    """
    stack = find_stack(site.deployment.session, site.prefix)
    if stack is None or stack.status not in UNBORN:
        return
    client = site.deployment.session.client("cloudformation")
    found = client.get_paginator("list_change_sets").paginate(StackName=site.prefix)
    for item in (item for page in found for item in page["Summaries"]):
        if stack.status == "REVIEW_IN_PROGRESS" and item["Status"].startswith("CREATE_"):
            raise Refused(
                f"another deployment seems to create {site.prefix}: a change set of it is {item['Status']}. "
                "Wait until the stack exists. If the change set is left over: aws cloudformation "
                f"delete-change-set --change-set-name {item['ChangeSetId']}"
            )
    delete(site)


def delete(site: Site) -> None:
    """Delete the stack and wait until it is gone. Raises StepFailed with CloudFormation's reason."""
    client = site.deployment.session.client("cloudformation")
    client.delete_stack(StackName=site.prefix)
    try:
        client.get_waiter("stack_delete_complete").wait(
            StackName=site.prefix,
            WaiterConfig={"Delay": 1 if site.endpoint else 5, "MaxAttempts": DELETE_ATTEMPTS},
        )
    except WaiterError:
        (stack,) = client.describe_stacks(StackName=site.prefix)["Stacks"]
        why = stack.get("StackStatusReason", "CloudFormation gives no reason")
        raise StepFailed(f"the stack {site.prefix} is {stack['StackStatus']}: {why}") from None
