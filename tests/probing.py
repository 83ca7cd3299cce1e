"""Asks ministack, in a process of its own, how it behaves: as it comes, or mended."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@functools.cache
def probed(module: str, *arguments: str) -> dict[str, bool]:
    """What the probes of `module` found out, by their names: whether it behaves as AWS does."""
    with tempfile.TemporaryDirectory() as folder:
        found = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONWARNINGS": "ignore",
                "TMPDIR": folder,
                "STATE_DIR": folder,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert found.returncode == 0, found.stderr
    behaves: dict[str, bool] = json.loads(found.stdout.splitlines()[-1])
    return behaves
