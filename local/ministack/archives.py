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
from typing import Any

from ministack.core import lambda_runtime


def unpack_once(folder: Path) -> None:
    """Let ministack's workers share what is unpacked below `folder`. Call it once, before serving."""
    folder.mkdir(parents=True, exist_ok=True)
    alone = threading.Lock()

    class Shared(zipfile.ZipFile):
        """An archive whose files are linked to, not written, where all of them are unpacked."""

        def extractall(self, path: Any = None, members: Any = None, pwd: bytes | None = None) -> None:
            target = Path(path)
            with alone:
                unpacked = folder / hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
                if not unpacked.exists():
                    fresh = tempfile.mkdtemp(dir=folder)
                    super().extractall(fresh, members, pwd)
                    Path(fresh).rename(unpacked)
            target.rmdir()
            os.symlink(unpacked, target, target_is_directory=True)

    lambda_runtime.zipfile = types.SimpleNamespace(**{**vars(zipfile), "ZipFile": Shared})
