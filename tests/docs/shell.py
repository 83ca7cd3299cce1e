"""Takes the commands out of a page and runs them, as a reader does who pastes one block after the other."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(page: Path, language: str = "sh") -> list[str]:
    """The content of a page's fenced blocks of this language, in order."""
    found = re.findall(
        r"^```([a-z]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [body for said, body in found if said == language]


def clean_environment(home: Path, *tools: Path) -> dict[str, str]:
    """The environment of a new user: an empty home, no AWS profile and no configuration.

    `tools` come first on the PATH. Each is linked into a folder of its own, so that no other program of the
    tool's folder is found.
    """
    own = home / "tools"
    own.mkdir(parents=True, exist_ok=True)
    for tool in tools:
        (own / tool.name).symlink_to(tool)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "TF_")) and name not in ("VIRTUAL_ENV", "HOME")
    }
    path = f"{own}:{os.environ['PATH']}"
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")  # of images' environments
    kept["XDG_CACHE_HOME"] = caches
    return {**kept, "HOME": str(home), "PATH": path, "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}


def run(
    script: str, environment: Mapping[str, str], folder: Path, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a script in one bash, which stops at the first command that fails. `timeout` is in seconds."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
