"""Wall and CPU seconds of `handsoff local update` that adds a model to AWS on this machine.

.venv/bin/python -m bench.local_update
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from bench.row import Row, at_most, measured, print_rows

ROOT: Final = Path(__file__).parents[1]

TIMES: Final = 3
"""Models that are added one after the other; the median counts."""

ENVIRONMENT: Final = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As users have it: byte-code is kept."""

HANDSOFF: Final = str(Path(sys.executable).with_name("handsoff"))
"""The command line."""

ADD: Final = f"""
import subprocess, sys, yaml
with open("handsoff.yaml") as file:
    config = yaml.safe_load(file)
config["models"]["added-" + str(len(config["models"]))] = config["models"]["titanic"]
with open("handsoff.yaml", "w") as file:
    yaml.safe_dump(config, file)
sys.exit(subprocess.run(["{HANDSOFF}", "local", "update"]).returncode)
"""
"""Adds a model to the configuration, and updates what runs."""


def rows() -> list[Row]:
    """The time of an update that adds a model."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("build", "cache"):  # what the checkout has built is not built again
            if (built := ROOT / ".handsoff" / part).exists():
                shutil.copytree(built, folder / ".handsoff" / part, symlinks=True)
        config: dict[str, Any] = yaml.safe_load((ROOT / "handsoff.yaml").read_text())
        (folder / "handsoff.yaml").write_text(yaml.safe_dump(config))
        load = os.getloadavg()[0]
        _run(folder, "local", "up", "--detach", "--port", "4599")
        try:
            use = measured(ADD, TIMES, env=ENVIRONMENT, cwd=folder)
        finally:
            _run(folder, "local", "down")
    return [
        Row(
            "a model added by handsoff local update",
            use.wall,
            "wall s",
            at_most(5),
            "CPU s",
            ours=use.cpu,
            reason=f"The load was {load:.1f} on {os.cpu_count()} cores before it.",
        )
    ]


def _run(folder: Path, *command: str) -> None:
    subprocess.run([HANDSOFF, *command], cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)


if __name__ == "__main__":
    print_rows(rows())
