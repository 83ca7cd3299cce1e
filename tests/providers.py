"""Terraform's providers in tests: where they come from, and one AWS provider for many commands."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

VERSIONS = Path(__file__).parents[1] / "terraform" / "versions.tf"
UNTIL_CLOSED = '"$0" -debug </dev/null & cat >/dev/null; kill -INT $!; wait $!'
"""Shell: run a provider until standard input is closed, as it also is where this process is killed."""

LESS_COLLECTION = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}
"""Lets Terraform and its provider collect garbage rarely, below a gigabyte: a sixth of their processor time.
https://pkg.go.dev/runtime#hdr-Environment_Variables"""


@functools.cache
def environment() -> dict[str, str]:
    """The environment of a `terraform` that may be initialised here, our own command's included.

    Where TF_CLI_ARGS_init says something already, that counts.
    """
    kept = {name: value for name, value in os.environ.items() if name != "TF_CLI_CONFIG_FILE"}
    if "TF_CLI_ARGS_init" not in kept:
        found = subprocess.run(
            ["find", "/", "-xdev", "-maxdepth", "5", "-type", "d", "-path", "*/hashicorp/aws"],
            capture_output=True,
            text=True,
            check=False,  # some folders may not be read
        ).stdout.splitlines()
        if mirror := first_mirror(Path(path) for path in found):
            kept["TF_CLI_ARGS_init"] = f"-plugin-dir={mirror}"
    return {**LESS_COLLECTION, **kept, "CHECKPOINT_DISABLE": "1"}


def first_mirror(providers: Iterable[Path]) -> Path | None:
    """What -plugin-dir takes, <mirror> of <mirror>/<registry>/hashicorp/aws/<version>/<os>_<arch>."""
    for path in sorted(providers):
        registry = path.parent.parent
        if "." in registry.name.strip(".") and any(path.glob("[0-9]*.[0-9]*.[0-9]*/*_*/")):
            return registry.parent
    return None


@contextmanager
def running(folder: Path, aws: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The AWS provider, started once; the variable by which every `terraform` finds it until the block ends.

    Otherwise Terraform checks and starts its 700 MB for each command, and several times for some. It uses the
    AWS that the variables `aws` name, whatever a command's own say, so each AWS needs its own. `folder`
    is made: `terraform init` installs the provider there.
    """
    folder.mkdir()
    shutil.copy(VERSIONS, folder)
    subprocess.run(
        ["terraform", "init", "-input=false"], cwd=folder, env=environment(), check=True, capture_output=True
    )
    (program,) = folder.glob(".terraform/providers/*/hashicorp/aws/*/*/terraform-provider-aws*")
    ours = {name: value for name, value in environment().items() if not name.startswith("AWS_")}
    with subprocess.Popen(
        ["sh", "-c", UNTIL_CLOSED, str(program)],
        env={**ours, **aws, "TF_LOG_PROVIDER": "OFF", "TF_LOG_SDK": "OFF"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            said = next(line for line in process.stdout if "TF_REATTACH_PROVIDERS=" in line)
            yield {"TF_REATTACH_PROVIDERS": said.partition("=")[2].strip().strip("'")}
        finally:
            process.stdin.close()
