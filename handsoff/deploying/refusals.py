"""What is refused before Terraform changes something: its state is another's or lost, or its plan ends data.

Pure: a function of the state, the plan, and what AWS has.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from handsoff.deploying.terraform import Plan, State

GROUP: Final = "aws_sagemaker_model_package_group"

HOLDS_DATA: Final = ("aws_s3_bucket", GROUP)
"""How the types of those of Terraform's resources begin that hold data, or protect what does."""


@dataclass(frozen=True)
class Here:
    """What is deployed and where, and what of it AWS has."""

    prefix: str
    account: str
    region: str
    folder: Path
    workspace: str

    things: tuple[str, ...] = ()
    """What only a deployment makes, in words."""

    packages: Mapping[str, int] | None = None
    """How many model packages there are, by group."""

    stand_in: bool = False
    """Whether this is AWS on this machine, which `handsoff local up` can fill without Terraform."""


def holds_data(address: str) -> bool:
    return address.split(".")[0].startswith(HOLDS_DATA)


def refusals(here: Here, state: State, plan: Plan | None = None) -> list[str]:
    """Why nothing may be done with this state, or this plan of a deployment; empty if all is well."""
    return _of_another(here, state) or _lost(here, state) or _ends_data(here, state, plan or Plan({}))


def _of_another(here: Here, state: State) -> list[str]:
    ours = {"account": here.account, "region": here.region, "prefix": here.prefix}
    made = {name: state.outputs[name] for name in ours if name in state.outputs}
    if made == {name: ours[name] for name in made}:
        return []
    words = [" ".join(f"{name} {value}" for name, value in found.items()) for found in (made, ours)]
    return [
        f"Terraform's state in {here.folder}, workspace {here.workspace}, is of {words[0]}, and this is "
        f"{words[1]}. Take the credentials and the region that it was made with. Another account or region "
        "needs a state of its own: another prefix, or another backend (docs/how-to/deploy-from-github.md)"
    ]


def _lost(here: Here, state: State) -> list[str]:
    if state.resources or not here.things:
        return []
    there = ", ".join(here.things)
    if here.stand_in:
        return [
            f"{there}: made by `handsoff local up`, not by Terraform. `handsoff local update` brings it up "
            "to date, `handsoff local down` ends it. To try Terraform: `handsoff local down`, then "
            "`handsoff local up --detach --no-deploy`"
        ]
    return [
        f"{there}: there, and Terraform's state in {here.folder}, workspace {here.workspace}, knows of "
        "nothing. Reach the state that it was made with (docs/how-to/deploy-from-github.md). If it is lost, "
        "`terraform import` what is there, or delete it by hand"
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
        "Terraform would remove what holds data, or guards it:",
        *(f"  {line}" for line in doomed.values()),
        "Put back into handsoff.yaml what named it. Or let it stay, unknown to Terraform from now on:",
        f"  TF_WORKSPACE={here.workspace} terraform -chdir={shlex.quote(str(here.folder))} state rm "
        + shlex.join(doomed),
        "Or delete the model packages first; or all there is, data too: handsoff destroy --purge",
    ]
