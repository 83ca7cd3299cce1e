"""Runs Terraform, and reads its plan and its state, both JSON. Its own output is shown only on failure."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from handsoff.deploying import tools
from handsoff.errors import ToolFailed, ToolMissing

SIGNS: Final = {
    ("create",): "+",
    ("delete",): "-",
    ("update",): "~",
    ("delete", "create"): "±",
    ("create", "delete"): "±",
}
"""The sign of each combination of actions in a plan: make, remove, change, replace."""

SIGNS_OF_MESSAGES: Final = {"create": "+", "delete": "-", "update": "~", "replace": "±"}
"""The same of the actions in the messages of `terraform plan -json`. Others change nothing that exists.
https://developer.hashicorp.com/terraform/internals/machine-readable-ui#planned-change"""

CHANGES: Final = 2
"""Exit code of `terraform plan -detailed-exitcode` if the plan is not empty.
https://developer.hashicorp.com/terraform/cli/commands/plan"""

SCHEDULE: Final = "aws_scheduler_schedule"
"""Terraform's type of a model's schedule."""

TOLD_OF_SCHEDULE: Final = ("state", "schedule_expression", "schedule_expression_timezone")
"""What a person may change of a schedule by hand, and a deployment sets again."""


@dataclass(frozen=True)
class Plan:
    """What Terraform would do with each resource, by address."""

    changes: Mapping[str, str]
    """One of + - ~ ± by address."""

    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Lines for people by address: values before and after, and what they mean."""

    def __str__(self) -> str:
        if not self.changes:
            return "nothing to change"
        counted = {sign: list(self.changes.values()).count(sign) for sign in "+~±-"}
        words = {"+": "to make", "~": "to change", "±": "to replace", "-": "to remove"}
        return ", ".join(f"{number} {words[sign]}" for sign, number in counted.items() if number)


@dataclass(frozen=True)
class Resource:
    """A resource in the state: its values, and the addresses of the resources that it depends on."""

    values: Mapping[str, Any]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """Terraform's state: outputs by name, and managed resources by address."""

    outputs: Mapping[str, Any]
    resources: Mapping[str, Resource]

    def values(self, of: str, name: str) -> list[str]:
        """The value `name` of each resource of the type `of`."""
        return [
            resource.values[name]
            for address, resource in self.resources.items()
            if address.split(".")[0] == of
        ]


@dataclass(frozen=True)
class Terraform:
    """A folder with a Terraform configuration, and one deployment's workspace in it.

    Each command gets the workspace by an environment variable and never selects it; values and plan are in
    `work`. So several environments can be deployed from one folder at the same time.
    """

    folder: Path
    workspace: str
    work: Path
    """Where the values and the plan are written, in files named after the workspace."""

    @property
    def variables(self) -> Path:
        """The file with the values of this deployment; the caller writes it."""
        return self.work / f"{self.workspace}.tfvars.json"

    def prepare(self) -> None:
        """Install the providers and connect to the backend. The first apply makes a new workspace."""
        self.work.mkdir(parents=True, exist_ok=True)
        self._run("init", "-input=false", workspace="default")  # init refuses a workspace that does not exist

    def plan(self, *, destroy: Iterable[str] | None = None) -> Plan:
        """Plan an update; with `destroy`, the removal of these addresses, or of all where it is empty.

        The plan itself is read only for the values of schedules that change: Terraform would start the
        providers again for it.
        """
        ends = [] if destroy is None else ["-destroy", *(f"-target={address}" for address in destroy)]
        values = f"-var-file={self.variables}"
        options = ("-input=false", "-lock-timeout=60s", f"-out={self._plan}", values, *ends)
        code, said = self._answer("plan", "-detailed-exitcode", "-json", *options, codes=(0, CHANGES))
        if code != CHANGES:
            return Plan({})
        plan = read_messages(said)
        if any(sign in "~±" and address.startswith(f"{SCHEDULE}.") for address, sign in plan.changes.items()):
            return read_plan(json.loads(self._run("show", "-json", str(self._plan))))
        return plan

    def apply(self) -> None:
        """Apply the last plan."""
        self._run("apply", "-input=false", "-lock-timeout=60s", str(self._plan))
        self._plan.unlink()

    def state(self) -> State:
        """Read the state. Unlike `terraform show`, this starts no provider."""
        return read_state(self._run("state", "pull"))

    @property
    def _plan(self) -> Path:
        return self.work / f"{self.workspace}.tfplan"

    def _run(self, command: str, *arguments: str, workspace: str | None = None) -> str:
        return self._answer(command, *arguments, workspace=workspace)[1]

    def _answer(
        self, command: str, *arguments: str, workspace: str | None = None, codes: Collection[int] = (0,)
    ) -> tuple[int, str]:
        return tools.answer(
            f"terraform {command}",
            ["terraform", command, *arguments],
            folder=self.folder,
            environment={**environment(), "TF_WORKSPACE": workspace or self.workspace},
            codes=codes,
            readable=readable,
        )


def environment() -> dict[str, str | None]:
    """Environment variables for Terraform without a person; one that names a missing file is removed."""
    named = os.environ.get("TF_CLI_CONFIG_FILE")
    return {
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "NO_COLOR": "1",
        **({"TF_CLI_CONFIG_FILE": None} if named and not Path(named).exists() else {}),
    }


def program_version() -> str | None:
    """The version of the Terraform on the PATH; None where there is none."""
    try:
        said = tools.run(
            "terraform version",
            ["terraform", "version", "-json"],
            folder=Path.cwd(),
            environment=environment(),
        )
    except (ToolFailed, ToolMissing):
        return None
    return str(json.loads(said)["terraform_version"])


def read_messages(said: str) -> Plan:
    """The changes of a plan, by address, of the messages that `terraform plan -json` printed."""
    changes = [message["change"] for message in _messages(said) if message.get("type") == "planned_change"]
    signs = {change["resource"]["addr"]: SIGNS_OF_MESSAGES.get(change["action"]) for change in changes}
    return Plan({address: sign for address, sign in sorted(signs.items()) if sign})


def readable(said: str) -> str:
    """What Terraform printed, for people: of messages only the diagnostics, other lines as they are."""
    lines = []
    for message in _messages(said):
        if "text" in message:
            lines.append(message["text"])
        elif found := message.get("diagnostic"):
            place = found.get("range")
            where = f" ({place['filename']}, line {place['start']['line']})" if place else ""
            lines += [f"{message['@message']}{where}", *found["detail"].splitlines()]
    return "\n".join(lines)


def _messages(said: str) -> Iterator[dict[str, Any]]:
    """The messages of Terraform's output; a line that is none has the key `text` alone."""
    for line in said.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        yield found if isinstance(found, dict) and "@message" in found else {"text": line}


def read_plan(found: Mapping[str, Any]) -> Plan:
    """The changes in a plan that `terraform show -json` printed, without outputs and data sources."""
    items = [
        item
        for item in found.get("resource_changes", [])
        if tuple(item["change"]["actions"]) in SIGNS and item["mode"] == "managed"
    ]
    changes = {item["address"]: SIGNS[tuple(item["change"]["actions"])] for item in items}
    notes = {item["address"]: lines for item in items if (lines := _notes(item))}
    return Plan(changes, notes)


def _notes(item: Mapping[str, Any]) -> tuple[str, ...]:
    """What is told of a resource's change: a schedule's values before and after, where they differ."""
    before, after = item["change"].get("before"), item["change"].get("after")
    if item.get("type") != SCHEDULE or not before or not after:
        return ()
    lines = [
        f"{name}: {before[name]} → {after[name]}"
        for name in TOLD_OF_SCHEDULE
        if before.get(name) and after.get(name) and before[name] != after[name]
    ]
    if before.get("state") == "DISABLED" and after.get("state") == "ENABLED":
        model = item.get("index", item["address"])
        lines.append(
            f"the schedule of {model} was disabled by hand, and asks for retraining again. To keep it off, "
            "set retrain.paused: true (nothing starts), or remove retrain.schedule"
        )
    return tuple(lines)


def read_state(pulled: str) -> State:
    """The state that `terraform state pull` printed, without data sources and modules.

    It prints nothing where there is no state yet, else version 4 of the format of Terraform's state files:
    https://github.com/hashicorp/terraform/blob/main/internal/states/statefile/version4.go
    """
    found = json.loads(pulled or "{}")
    return State(
        {name: output["value"] for name, output in found.get("outputs", {}).items()},
        {
            _address(item, instance): Resource(
                instance["attributes"], tuple(instance.get("dependencies", []))
            )
            for item in found.get("resources", [])
            if item["mode"] == "managed" and "module" not in item
            for instance in sorted(item["instances"], key=lambda one: "deposed" not in one)
        },
    )


def _address(item: Mapping[str, Any], instance: Mapping[str, Any]) -> str:
    """The address of a resource's instance: TYPE.NAME, TYPE.NAME[0] or TYPE.NAME["KEY"]."""
    index = instance.get("index_key")
    return f"{item['type']}.{item['name']}" + ("" if index is None else f"[{json.dumps(index)}]")


def workspace(prefix: str) -> str:
    """The workspace of a deployment: `default` for the prefix handsoff, else named after the prefix."""
    return "default" if prefix == "handsoff" else prefix
