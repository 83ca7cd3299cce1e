"""Lands files in the data bucket, where the deployment finds them as new data of a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handsoff.deployment import Deployment
from handsoff.errors import NotFound
from handsoff.operating.executions import require_pipeline
from retraining.starts.batches import ROOT
from retraining.starts.names import ENDING, NOT_DATA, ignored_as, misplaced, split_of

Progress = Callable[[Path, int], None]
"""Called with a file and the number of its bytes that were uploaded since the last call."""


def land(
    deployment: Deployment, model: str, files: list[tuple[Path, str]], *, progress: Progress, marker: bool
) -> None:
    """Upload each file to its name below the model's prefix; then the marker, if `marker` is true.

    Raises NotDeployed where the model has no pipeline: no execution would follow.
    """
    require_pipeline(deployment, model)
    for path, name in files:

        def tell(sent: int, path: Path = path) -> None:
            progress(path, sent)

        deployment.s3.upload_file(str(path), deployment.bucket, f"{ROOT}{model}/{name}", Callback=tell)
    if marker:
        land_marker(deployment, model)


def land_marker(deployment: Deployment, model: str) -> None:
    """Put the model's marker, which says that the batch is complete; nothing where the model uses none."""
    ready = deployment.config.models[model].retrain.ready
    if ready.when == "marker":
        key = f"{ROOT}{model}/{ready.marker}"
        deployment.s3.put_object(Bucket=deployment.bucket, Key=key, Body=b"")


def landing_names(files: list[Path], split: str | None, *, whole: bool = False) -> list[tuple[Path, str]]:
    """Each file with the name that it gets below its model's prefix.

    `split` is `train`, `validation`, or None where the files' own names say it. `whole` says that the model's
    files hold the rows of both splits. Raises NotFound where a file is missing, empty or no data by its name,
    and where two files would get one name.
    """
    for path in files:
        if not path.is_file():
            raise NotFound(f"{path} is no file: nothing was landed")
        if not path.stat().st_size:
            raise NotFound(f"{path} is empty: nothing was landed")
    named = [(path, _landing_name(path, split, whole=whole)) for path in files]
    names = [name for _, name in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise NotFound(f"two files would land as {twice[0]}: nothing was landed")
    return named


def _landing_name(path: Path, split: str | None, *, whole: bool) -> str:
    name = f"{split}/{path.name}" if split else path.name
    if ignored_as(name, whole=whole) in (*NOT_DATA, ENDING):
        raise NotFound(f"{path} would land as {name}, which is no data by its name: give it another name")
    if whole:
        if said := misplaced([name], ""):
            raise NotFound(f"{said}: nothing was landed")
        return name
    if split_of(name) is None:
        raise NotFound(
            f"{path}: its name says neither train nor validation (train.csv, validation.parquet, …). Say "
            "which by --as"
        )
    return name
