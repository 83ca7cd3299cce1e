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

from handsoff import tools

PLAN: Final = "handsoff.tfplan"

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
class Terraform:
    """A folder with configuration and state, and the workspace of one deployment in it."""

    folder: Path
    workspace: str

    def prepare(self) -> None:
        """Install the providers, reach the backend, and choose the workspace; makes it if it is new."""
        self._run("init", "-input=false")
        if self._run("workspace", "show").strip() != self.workspace:
            self._run("workspace", "select", "-or-create", self.workspace)

    def plan(self, *, destroy: Iterable[str] | None = None) -> Plan:
        """Plan what is missing; with `destroy`, the end of these addresses, or of all if there are none."""
        ends = [] if destroy is None else ["-destroy", *(f"-target={address}" for address in destroy)]
        self._run("plan", "-input=false", "-lock-timeout=60s", f"-out={PLAN}", *ends)
        found = json.loads(self._run("show", "-json", PLAN))
        return read_plan(found)

    def apply(self) -> None:
        """Carry out what was planned last."""
        self._run("apply", "-input=false", "-lock-timeout=60s", PLAN)
        (self.folder / PLAN).unlink()

    def resources(self) -> dict[str, list[str]]:
        """The address of each resource of the state, and what each depends on."""
        root = json.loads(self._run("show", "-json")).get("values", {}).get("root_module", {})
        return {
            item["address"]: item.get("depends_on", [])
            for item in root.get("resources", [])
            if item["mode"] == "managed"
        }

    def _run(self, command: str, *arguments: str) -> str:
        return tools.run(
            f"terraform {command}",
            ["terraform", command, *arguments],
            folder=self.folder,
            environment=surroundings(),
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


def workspace(prefix: str) -> str:
    """The workspace that holds a deployment's state."""
    return "default" if prefix == "handsoff" else prefix
