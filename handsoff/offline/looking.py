"""Runs the scripts of pipeline_def/offline with the packages of SageMaker's scikit-learn image."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handsoff.errors import NotFound, UsageError
from handsoff.project import APP
from local.images.environments import Environments
from local.images.table import IMAGES
from retraining.starts.names import split_of

STEPS_IMAGE: Final = IMAGES[0]
"""The image in which the steps run."""


@dataclass(frozen=True)
class DataFiles:
    """Files with the names that they would have below a model's prefix."""

    files: Sequence[tuple[Path, str]]

    @property
    def split_by_name(self) -> bool:
        """Whether the names say which rows are for training and which for validation."""
        return {split_of(name) for _, name in self.files} == {"train", "validation"}


def data_files(paths: Sequence[Path]) -> DataFiles:
    """The data files that are named, or that lie in folders that are named.

    Raises NotFound where nothing is there, and UsageError for a file beside a folder with both splits.
    """
    found: list[tuple[Path, str]] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.is_file() and each.stat().st_size)
            names = [(each, each.relative_to(path).as_posix()) for each in inside]
            found += [(each, name) for each, name in names if _is_data(name)]
        elif path.is_file():
            found.append((path, path.name))
        else:
            raise NotFound(f"{path} does not exist: name a CSV or Parquet file, or a folder with such files")
    if not found:
        raise NotFound(f"no data in {', '.join(map(str, paths))}: name CSV or Parquet files, or their folder")
    splits = {split_of(name) for _, name in found}
    if splits != {"train", "validation"} and len(splits - {None}) == 1 and len(found) > 1:
        (only,) = splits - {None}
        raise UsageError(f"only {only} is named among the files: name the files of both splits, or of none")
    return DataFiles(found)


def _is_data(name: str) -> bool:
    """Whether the name of a file in a folder is not one of those that are passed over."""
    if any(part.startswith((".", "_")) for part in Path(name).parts):
        return False
    return split_of(name) is not None or Path(name).suffix.lower() in (
        ".csv",
        ".gz",
        ".parquet",
        ".tsv",
        ".txt",
    )


def look(files: DataFiles, target: str, say: Callable[[str], None]) -> Mapping[str, Any]:
    """What the columns of the files hold, as pipeline_def/offline/look.py says it. Raises UsageError."""
    request = {"files": [[str(path), name] for path, name in files.files], "target": target}
    answer: Mapping[str, Any] = json.loads(run("look.py", json.dumps(request), say))
    if problem := answer.get("problem"):
        raise UsageError(f"the files cannot be read: {problem}")
    return answer


def run(script: str, given: str, say: Callable[[str], None]) -> str:
    """The output of a script of pipeline_def/offline with this input. Raises UsageError if it breaks."""
    python = Environments().environment(STEPS_IMAGE, say) / "bin" / "python"
    folder = APP / "pipeline_def"
    done = subprocess.run(
        [str(python), str(folder / "offline" / script)],
        input=given,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder / "steps"), "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise UsageError(f"{script} failed: {last[0]}")
    return done.stdout
