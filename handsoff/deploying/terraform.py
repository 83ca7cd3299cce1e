"""Terraform, run in the project's terraform/ or, against an endpoint that is not AWS, in a copy of it.

What Terraform says is shown only if it fails; what it would do is read from its plan.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handsoff.deploying import tools

SIGNS: Final = {
    ("create",): "+",
    ("delete",): "-",
    ("update",): "~",
    ("delete", "create"): "±",
    ("create", "delete"): "±",
}


@dataclass(frozen=True)
class Plan:
    """What Terraform would do, by address: one of + - ~ ±."""

    changes: Mapping[str, str]

    def __str__(self) -> str:
        if not self.changes:
            return "nothing to change"
        counted = {sign: list(self.changes.values()).count(sign) for sign in "+~±-"}
        words = {"+": "to make", "~": "to change", "±": "to replace", "-": "to remove"}
        return ", ".join(f"{number} {words[sign]}" for sign, number in counted.items() if number)


@dataclass(frozen=True)
class Resource:
    """What the state knows of a resource: its values, and the addresses of what it depends on."""

    values: Mapping[str, Any]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """What Terraform has made: outputs by name, resources by address."""

    outputs: Mapping[str, Any]
    resources: Mapping[str, Resource]

    def values(self, of: str, name: str) -> list[str]:
        """The value `name` of all resources of the type `of`."""
        return [
            resource.values[name]
            for address, resource in self.resources.items()
            if address.split(".")[0] == of
        ]


@dataclass(frozen=True)
class Terraform:
    """A folder with configuration and state, and the workspace of one deployment in it.

    The workspace is named to each command and never selected, the values and the plan are in files of their
    own in `work`: another environment may be deployed from the same folder meanwhile.
    """

    folder: Path
    workspace: str
    work: Path

    @property
    def variables(self) -> Path:
        """Where the values of this deployment are to be."""
        return self.work / f"{self.workspace}.tfvars.json"

    def prepare(self) -> None:
        """Install the providers and reach the backend. A new workspace comes with its first state."""
        self.work.mkdir(parents=True, exist_ok=True)
        self._run("init", "-input=false", workspace="default")  # it refuses one that is not there yet

    def plan(self, *, destroy: Iterable[str] | None = None) -> Plan:
        """Plan what is missing; with `destroy`, the end of these addresses, or of all if there are none."""
        ends = [] if destroy is None else ["-destroy", *(f"-target={address}" for address in destroy)]
        values = f"-var-file={self.variables}"
        self._run("plan", "-input=false", "-lock-timeout=60s", f"-out={self._plan}", values, *ends)
        found = json.loads(self._run("show", "-json", str(self._plan)))
        return read_plan(found)

    def apply(self) -> None:
        """Carry out what was planned last."""
        self._run("apply", "-input=false", "-lock-timeout=60s", str(self._plan))
        self._plan.unlink()

    def state(self) -> State:
        """What was made."""
        return read_state(json.loads(self._run("show", "-json")))

    @property
    def _plan(self) -> Path:
        return self.work / f"{self.workspace}.tfplan"

    def _run(self, command: str, *arguments: str, workspace: str | None = None) -> str:
        return tools.run(
            f"terraform {command}",
            ["terraform", command, *arguments],
            folder=self.folder,
            environment={**surroundings(), "TF_WORKSPACE": workspace or self.workspace},
        )


def surroundings() -> dict[str, str | None]:
    """What Terraform is told: that no person reads along. A settings file that is not there is not named."""
    named = os.environ.get("TF_CLI_CONFIG_FILE")
    return {
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "NO_COLOR": "1",
        **({"TF_CLI_CONFIG_FILE": None} if named and not Path(named).exists() else {}),
    }


def program_version() -> str | None:
    """The version of the Terraform on the PATH; None if there is none."""
    try:
        said = tools.run(
            "terraform version",
            ["terraform", "version", "-json"],
            folder=Path.cwd(),
            environment=surroundings(),
        )
    except (tools.ToolFailed, FileNotFoundError):
        return None
    return str(json.loads(said)["terraform_version"])


def read_plan(found: Mapping[str, Any]) -> Plan:
    """The changes of a plan as `terraform show -json` gives it, outputs and reading excluded."""
    changes = {
        item["address"]: SIGNS[actions]
        for item in found.get("resource_changes", [])
        if (actions := tuple(item["change"]["actions"])) in SIGNS and item["mode"] == "managed"
    }
    return Plan(changes)


def read_state(found: Mapping[str, Any]) -> State:
    """A state as `terraform show -json` gives it, what is only read excluded."""
    values = found.get("values", {})
    return State(
        {name: output["value"] for name, output in values.get("outputs", {}).items()},
        {
            item["address"]: Resource(item["values"], tuple(item.get("depends_on", [])))
            for item in values.get("root_module", {}).get("resources", [])
            if item["mode"] == "managed"
        },
    )


def workspace(prefix: str) -> str:
    """The workspace that holds a deployment's state."""
    return "default" if prefix == "handsoff" else prefix
