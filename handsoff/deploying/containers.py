"""Runs deployed functions in containers, by `sam local invoke` against AWS on this machine.

The SAM CLI reads a function's environment from the template, which has references that it cannot resolve. So
it gets a copy of the built template in which each function has the environment that was deployed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from http.client import HTTPConnection
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, Final

import psutil
from samtranslator.yaml_helper import yaml_parse

from handsoff.deploying import programs
from handsoff.errors import NotInvocable
from handsoff.project import Project
from local.callers import CONTAINER_HOST, LOOPBACK
from local.server import Cloud

TEMPLATE: Final = "containers.json"
"""The copy of the template, beside the built one."""

UP: Final = "`handsoff local up --detach --for-containers`"
"""The command that starts AWS on this machine so that containers reach it."""


def bridge() -> str:
    """The address by which containers reach this machine, with their network: 172.17.0.1/16.

    Docker Desktop runs in a machine of its own and forwards to this one; the address is then the loopback
    interface. Raises NotInvocable.
    """
    (config, *_) = json.loads(_docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}"))
    network = IPv4Network(config["Subnet"])
    address = config.get("Gateway") or str(next(network.hosts()))
    own = IPv4Interface(f"{address}/{network.prefixlen}")
    return str(own) if _is_here(str(own.ip)) else f"{LOOPBACK}/8"


def command(project: Project, cloud: Cloud, function: str, event: Path) -> list[str]:
    """The `sam local invoke` command for a function and an event file. Raises NotInvocable."""
    template = prepare(project, cloud)
    known = sorted(_functions(json.loads(template.read_text())))
    if function not in known:
        raise NotInvocable(f"no function {function or '(none named)'}: FUNCTION is one of {', '.join(known)}")
    file = event if event.is_file() else project.app / event  # such as events/each_minute.json
    if not file.is_file():
        known = sorted(f"events/{path.name}" for path in (project.app / "events").glob("*.json"))
        raise NotInvocable(
            f"no file {event if event.name else '(none named)'}: EVENT may be one of {', '.join(known)}"
        )
    return [*sam(project, cloud, template, "invoke"), function, "--event", str(file)]


def sam(project: Project, cloud: Cloud, template: Path, verb: str) -> list[str]:
    """The `sam local VERB` command for this template, with host names by which containers reach `cloud`."""
    hosts = [CONTAINER_HOST, *(f"{name}.{CONTAINER_HOST}" for name in _buckets(cloud))]
    return [
        *(str(programs.sam(project)), "local", verb, "--template", str(template), "--region", cloud.region),
        *(word for host in hosts for word in ("--add-host", f"{host}:host-gateway")),
        *(["--skip-pull-image"] if _has_image(template) else []),
    ]


def environment(cloud: Cloud) -> dict[str, str]:
    """The environment of `sam local` itself, without credentials, which it would look up in AWS."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **ours,
        "AWS_DEFAULT_REGION": cloud.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
    }


def prepare(project: Project, cloud: Cloud) -> Path:
    """Write the template that `sam local` reads, beside the built one; its path. Raises NotInvocable."""
    _docker("version", "--format", "{{.Server.Version}}")
    if not _reachable(cloud):
        raise NotInvocable(f"containers cannot reach AWS on this machine: `handsoff local down`, then {UP}")
    built = project.work / "build"
    if not (built / "template.yaml").exists():
        raise NotInvocable(f"nothing has been built in {built}: {UP}")
    template: dict[str, Any] = yaml_parse((built / "template.yaml").read_text())
    resources = template["Resources"]
    deployed = _deployed(project, cloud)
    for name, function in _functions(template).items():
        if name not in deployed:  # not deployed: its condition is false
            del resources[name]
            continue
        found = deployed[name]
        template["Parameters"]["Runtime"]["Default"] = found["Runtime"]
        template["Parameters"]["Architecture"]["Default"] = found["Architectures"][0]
        function["Environment"] = {"Variables": _as_seen_in_a_container(found, cloud)}
    target = built / TEMPLATE
    target.write_text(json.dumps(template, indent=1))
    return target


def _as_seen_in_a_container(function: Mapping[str, Any], cloud: Cloud) -> dict[str, str]:
    """The function's environment, with this machine under the name that it has in a container."""
    variables = {**function["Environment"]["Variables"], **cloud.environment()}
    return {
        name: value.replace(f"http://{LOOPBACK}:", f"http://{CONTAINER_HOST}:")
        for name, value in variables.items()
    }


def _deployed(project: Project, cloud: Cloud) -> dict[str, Mapping[str, Any]]:
    """The configuration of each function of the stack, by its name in the template."""
    pages = cloud.client("cloudformation").get_paginator("list_stack_resources")
    functions = cloud.client("lambda")
    return {
        resource["LogicalResourceId"]: functions.get_function_configuration(
            FunctionName=resource["PhysicalResourceId"]
        )
        for page in pages.paginate(StackName=project.config.prefix)
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] == "AWS::Lambda::Function"
    }


def _functions(template: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: resource["Properties"]
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::Serverless::Function"
    }


def _buckets(cloud: Cloud) -> list[str]:
    return [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]


def _reachable(cloud: Cloud) -> bool:
    """Whether `cloud` answers a request as a container sends it."""
    port = cloud.endpoint.rpartition(":")[2]
    connection = HTTPConnection(
        str(IPv4Interface(bridge()).ip), int(port), timeout=5, source_address=(LOOPBACK, 0)
    )
    try:
        connection.request("GET", "/_ministack/health", headers={"Host": f"{CONTAINER_HOST}:{port}"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _has_image(template: Path) -> bool:
    """Whether Docker has the runtime's image; otherwise the SAM CLI pulls it."""
    parameters = json.loads(template.read_text())["Parameters"]
    runtime, architecture = (parameters[name]["Default"] for name in ("Runtime", "Architecture"))
    image = f"public.ecr.aws/lambda/python:{runtime.removeprefix('python')}-{architecture}"
    return bool(_docker("images", "--quiet", image).strip())


def _is_here(address: str) -> bool:
    """Whether an address is one of this machine's interfaces."""
    return address in {one.address for all_ in psutil.net_if_addrs().values() for one in all_}


def _docker(*arguments: str) -> str:
    if shutil.which("docker") is None:
        raise NotInvocable("the program `docker` is missing: install Docker, and start it")
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotInvocable(f"Docker does not run: start it. It said: {done.stderr.strip()}")
    return done.stdout
