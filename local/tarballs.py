"""Unpacks tar archives into a folder and nowhere else."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path


def extract(packed: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive into `folder` by tarfile's filter `data`. Raises tarfile.TarError.

    Python before 3.11.4 has no filters: only files and folders that lie inside are unpacked then.
    """
    if hasattr(tarfile, "data_filter"):
        packed.extractall(folder, filter="data")  # nosec B202
        return
    inside = os.path.join(os.path.realpath(folder), "")
    for entry in packed:
        lies_inside = os.path.join(os.path.realpath(folder / entry.name), "").startswith(inside)
        if not lies_inside or not (entry.isfile() or entry.isdir()):
            raise tarfile.TarError(f"{entry.name!r} would be extracted outside the destination")
        packed.extract(entry, folder, set_attrs=False)
