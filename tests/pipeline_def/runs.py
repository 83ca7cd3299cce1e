"""A champion's execution and a candidate's, on data of two columns."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.pipeline_def.helpers import SMALL, Run, land

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CSV = "x,c,y\n" + "".join(
    f"{number % 7},{'ab'[number % 3 == 0]},{int(number % 7 > 3)}\n" for number in range(60)
)


@dataclass(frozen=True)
class Kept:
    """Folders of executions of `small` that ended. Each is computed once; later tests get a copy of it."""

    folder: Path

    def run(self, s3: S3Client, folder: Path, execution: str) -> Run:
        """The execution after its first two steps on the landed files, which are the same for all tests."""
        kept = self.folder / execution
        if not kept.exists():
            run = done(Run(folder, s3, {**SMALL}, execution))
            shutil.copytree(folder, kept)
            return run
        shutil.copytree(kept, folder)
        run = Run(folder, s3, {**SMALL}, execution)
        run.upload_report()
        run.upload_model()
        return run


def champions_run(s3: S3Client, folder: Path, kept: Kept) -> Run:
    """The execution that trained the champion."""
    land(s3, "curated/small/train.csv", CSV)
    land(s3, "curated/small/validation.csv", "x,c,y\n1,z,0\n6,z,1\n")
    return kept.run(s3, folder, "aaaaaaaaaaaa")


def candidates_run(s3: S3Client, folder: Path, kept: Kept) -> Run:
    """The execution that trained the candidate. The champion was trained on 2 of its 6 validation rows."""
    land(s3, "curated/small/train.csv", CSV.replace("a", "d").replace("b", "d"))
    land(s3, "curated/small/validation.csv", "x,c,y\n0,b,0\n6,a,1\n1.5,a,0\n5.5,a,1\n0.5,a,0\n6.5,a,1\n")
    return kept.run(s3, folder, "bbbbbbbbbbbb")


def done(run: Run) -> Run:
    """The run after its first two steps."""
    assert run.preprocess() == 0
    run.train()
    return run
