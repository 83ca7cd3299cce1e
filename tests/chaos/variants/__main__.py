"""Proves the harness: applies each broken variant to a copy of the project, where something must catch it.

`python -m tests.chaos.variants [NAME …]`. A variant is a patch beside this file. Its first line says what it
breaks. It is caught by the first seed of chaos in which an invariant does not hold. A second line
`caught by NODE` names a test instead, for what no seed can play: then this test must fail.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
SEEDS: Final = 120
"""Seeds that are played at most for one variant."""

CAUGHT_BY: Final = "caught by "
"""Begins the second line of a patch that a test catches."""

LEFT_OUT: Final = shutil.ignore_patterns(".*", "__pycache__", "variants")
"""What a copy of the project does without."""

CAUGHT: Final = re.compile(r"seed \d+: |[1-9]\d* failed")
"""Begins the last line of chaos or pytest if the variant was caught. Otherwise they have not run."""


def variants() -> list[Path]:
    """The patches, by name."""
    return sorted(HERE.glob("*.patch"))


def description(patch: Path) -> str:
    """The first line of a patch: what it breaks."""
    return patch.read_text().splitlines()[0]


def failing_test(patch: Path) -> str | None:
    """The test that catches a variant; None if seeds of chaos do."""
    second = patch.read_text().splitlines()[1]
    return second.removeprefix(CAUGHT_BY) if second.startswith(CAUGHT_BY) else None


def applies(patch: Path) -> bool:
    """Whether a patch applies to the project, which is not changed."""
    return not subprocess.run(["git", "apply", "--check", str(patch)], cwd=ROOT, check=False).returncode


def applied(patch: Path, folder: Path) -> None:
    """A copy of the project in the folder, with the patch. Raises CalledProcessError if it does not apply."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT, dirs_exist_ok=True)
    subprocess.run(["git", "apply", str(patch)], cwd=folder, check=True)


def caught(patch: Path) -> str | None:
    """What catches the variant: a seed with the invariants that do not hold, or a test. None if nothing does.

    Raises RuntimeError if seeds or test could not be run.
    """
    test = failing_test(patch)
    command = (
        ["pytest", "-q", "-x", "-p", "no:cacheprovider", test]
        if test
        else ["tests.chaos", "--until-broken", "--seeds", str(SEEDS)]
    )
    with tempfile.TemporaryDirectory() as name:
        applied(patch, folder := Path(name))
        path = os.pathsep.join([str(folder / "functions"), str(folder)])
        found = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    if not found.returncode:
        return None
    last = found.stdout.strip().splitlines()[-1:] or [""]
    if not CAUGHT.match(last[0]):
        raise RuntimeError(f"{patch.name}: {found.stdout[-2000:]}{found.stderr[-2000:]}")
    return test or last[0]


def main(names: list[str]) -> int:
    """Play the variants of these names, or all; how many were not caught."""
    chosen = [patch for patch in variants() if not names or patch.stem in names]
    missed, began = 0, time.monotonic()
    for patch in chosen:
        said = caught(patch)
        missed += said is None
        print(f"{patch.stem:<28} {description(patch)}", flush=True)
        print(f"    caught by {said}" if said else "    NOT CAUGHT", flush=True)
    seconds = time.monotonic() - began
    print(f"{len(chosen) - missed} of {len(chosen)} broken variants caught, in {seconds:.0f} s")
    return missed


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
