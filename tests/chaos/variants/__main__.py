"""Proves the harness: applies each broken variant to a copy of functions/ and plays seeds until it is caught.

`python -m tests.chaos.variants [NAME …]`. A variant is a patch beside this file; its first line says what it
breaks. It is caught by the first seed in which an invariant does not hold.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
SEEDS: Final = 120
"""Seeds that are played at most for one variant."""


def variants() -> list[Path]:
    """The patches, by name."""
    return sorted(HERE.glob("*.patch"))


def description(patch: Path) -> str:
    """The first line of a patch: what it breaks."""
    return patch.read_text().splitlines()[0]


def applied(patch: Path, folder: Path) -> None:
    """A copy of functions/ in the folder, with the patch. Raises CalledProcessError if it does not apply."""
    shutil.copytree(ROOT / "functions", folder / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", str(patch)], cwd=folder, check=True)


def caught(patch: Path) -> str | None:
    """The seed that catches the variant and the invariants that it breaks; None if no seed does."""
    with tempfile.TemporaryDirectory() as folder:
        applied(patch, Path(folder))
        path = os.pathsep.join([str(Path(folder) / "functions"), str(ROOT)])
        found = subprocess.run(
            [sys.executable, "-m", "tests.chaos", "--until-broken", "--seeds", str(SEEDS)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if found.returncode not in (0, 1):
        raise RuntimeError(f"{patch.name}: {found.stderr}")
    return found.stdout.strip().splitlines()[-1] if found.returncode else None


def main(names: list[str]) -> int:
    """Play the variants of these names, or all; how many were not caught."""
    chosen = [patch for patch in variants() if not names or patch.stem in names]
    missed = 0
    for patch in chosen:
        said = caught(patch)
        missed += said is None
        print(
            f"{patch.stem:<28} {said or f'NOT CAUGHT in {SEEDS} seeds'}\n    {description(patch)}", flush=True
        )
    print(f"{len(chosen) - missed} of {len(chosen)} broken variants caught")
    return missed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
