"""Decides whether Terraform may change anything. Pure: a function of state, plan and what AWS has.

Refused are a state of another account, region or prefix, a state that is lost, a plan that removes data, and
one after which jobs may no longer pull the image of a champion.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from handsoff.deploying.terraform import Plan, State
from handsoff.pages import page

GROUP: Final = "aws_sagemaker_model_package_group"
"""Terraform's type of a model package group."""

HOLDS_DATA: Final = ("aws_s3_bucket", GROUP, "aws_kms")
"""Beginnings of Terraform's types for resources that hold data, or that protect such resources."""


@dataclass(frozen=True)
class Here:
    """A deployment's name and place, and what AWS has of it."""

    prefix: str
    account: str
    region: str
    folder: Path
    workspace: str

    things: tuple[str, ...] = ()
    """What exists and only a deployment makes, in words."""

    packages: Mapping[str, int] | None = None
    """Number of model packages by group."""

    compared: Mapping[str, str] = field(default_factory=dict)
    """The images of champions and anchors that no job could pull once the plan is applied, by their names."""

    stand_in: bool = False
    """Whether this is AWS on this machine, where `handsoff local up` deploys without Terraform."""


def holds_data(address: str) -> bool:
    """Whether the resource at a Terraform address holds data, or protects a resource that does."""
    return address.split(".")[0].startswith(HOLDS_DATA)


def refusals(here: Here, state: State, plan: Plan | None = None) -> list[str]:
    """The lines of a refusal; empty where state and plan may be used."""
    return (
        _of_another(here, state)
        or _lost(here, state)
        or _ends_data(here, state, plan or Plan({}))
        or _ends_comparisons(here)
    )


def _of_another(here: Here, state: State) -> list[str]:
    ours = {"account": here.account, "region": here.region, "prefix": here.prefix}
    made = {name: state.outputs[name] for name in ours if name in state.outputs}
    if made == {name: ours[name] for name in made}:
        return []
    words = [" ".join(f"{name} {value}" for name, value in found.items()) for found in (made, ours)]
    return [
        f"Terraform's state in {here.folder}, workspace {here.workspace}, is of {words[0]}, and this is "
        f"{words[1]}. Use the credentials and the region that the state was made with. Another account or "
        "region needs a state of its own: another prefix, or another backend "
        f"({page('docs/how-to/deploy-from-github.md')})"
    ]


def _lost(here: Here, state: State) -> list[str]:
    if state.resources or not here.things:
        return []
    there = ", ".join(here.things)
    if here.stand_in:
        return [
            f"{there}: made by `handsoff local up`, not by Terraform. `handsoff local update` brings it up "
            "to date, `handsoff local down` removes it. To try Terraform: `handsoff local down`, then "
            "`handsoff local up --detach --no-deploy`"
        ]
    return [
        f"{there}: exists, but Terraform's state in {here.folder}, workspace {here.workspace}, is empty. "
        f"Use the state that it was made with ({page('docs/how-to/deploy-from-github.md')}). If that "
        "state is lost, "
        "`terraform import` what exists, or delete it by hand"
    ]


def _ends_data(here: Here, state: State, plan: Plan) -> list[str]:
    held = here.packages or {}
    doomed = {}
    for address, sign in plan.changes.items():
        if sign not in "-±" or not holds_data(address):
            continue
        doomed[address] = f"{sign} {address}"
        if address.startswith(f"{GROUP}."):
            number = held.get(state.resources[address].values["model_package_group_name"], 0)
            doomed[address] += f", which holds {number} model packages"
            if number == 0 and sign == "-":
                del doomed[address]
    if not doomed:
        return []
    return [
        "Terraform would remove resources that hold or protect data:",
        *(f"  {line}" for line in doomed.values()),
        "Restore their names in handsoff.yaml. Or keep the resources, without Terraform from now on:",
        f"  TF_WORKSPACE={here.workspace} terraform -chdir={shlex.quote(str(here.folder))} state rm "
        + shlex.join(doomed),
        "Or delete the model packages first; or delete everything, data too: handsoff destroy --purge",
    ]


def _ends_comparisons(here: Here) -> list[str]:
    if not here.compared:
        return []
    repositories = sorted({re.split("[:@]", image)[0] for image in here.compared.values()})
    return [
        "Candidates are compared with these, each in its own image, which no job could pull any more:",
        *(f"  {name}: {image}" for name, image in here.compared.items()),
        f"Write into handsoff.yaml: aws: {{image_repositories: [{', '.join(repositories)}]}}, beside those "
        "that it names. Take it out once a model of another image is champion (and anchor)",
    ]
