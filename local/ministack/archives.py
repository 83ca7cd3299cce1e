"""Unpacks each Lambda archive once: workers with the same code or layer share the files.

ministack unpacks the 2,000 files of the layer for each worker that it starts. On AWS both places are
read-only, so a function that writes there fails on AWS anyway.
"""

import hashlib
import os
import tempfile
import threading
import types
import zipfile
from pathlib import Path
from typing import Self

from ministack.core import lambda_runtime


def unpack_once(folder: Path) -> None:
    """Let ministack's workers share what is unpacked below `folder`. Call it once, before serving."""
    folder.mkdir(parents=True, exist_ok=True)
    alone = threading.Lock()

    class Shared:
        """An archive that is read and unpacked only if no archive of the same bytes is unpacked yet."""

        def __init__(self, path: str) -> None:
            with open(path, "rb") as file:
                self._unpacked = folder / hashlib.file_digest(file, "sha256").hexdigest()
            self._archive = None if self._unpacked.exists() else zipfile.ZipFile(path)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            if self._archive:
                self._archive.close()

        def namelist(self) -> list[str]:
            """The names that ministack checks before it unpacks. Unpacked ones have been checked."""
            return self._archive.namelist() if self._archive else []

        def extractall(self, path: str) -> None:
            """Replace the empty folder `path` with a link to the files. Raises zipfile.BadZipFile."""
            target = Path(path)
            with alone:
                if self._archive and not self._unpacked.exists():
                    fresh = tempfile.mkdtemp(dir=folder)
                    self._archive.extractall(fresh)
                    Path(fresh).rename(self._unpacked)
            target.rmdir()
            os.symlink(self._unpacked, target, target_is_directory=True)

    lambda_runtime.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": Shared})
