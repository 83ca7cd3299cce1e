"""Commands about data: land files, show what would train, release files from quarantine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.deployment import Deployment
from handsoff.errors import UsageError
from handsoff.operating.data import as_json as data_as_json
from handsoff.operating.data import model_data
from handsoff.operating.landing import land as land_files
from handsoff.operating.landing import landing_names
from handsoff.operating.quarantine import QuarantinedFile, quarantined_files, release_all, release_file
from handsoff.operating.states import standing_pause
from handsoff.showing.console import escape
from handsoff.showing.data import show_data


def land(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that the data is for.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files to upload, such as train.csv validation.csv.")
    ],
    split: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="SPLIT", help="train or validation, where the files' names do not say which."
        ),
    ] = None,
    marker: Annotated[
        bool, typer.Option(help="Land the marker last; it says that the batch is complete.")
    ] = True,
) -> None:
    """Upload files as new data of a model, and last the marker that says that they are complete.

    The files go to curated/MODEL/ in the data bucket. Where the model waits for a marker, the marker starts
    an execution; `handsoff status --watch` follows it.

    Example: `handsoff land titanic data/titanic/train.csv data/titanic/validation.csv`
    """
    where = terminal.project()
    whole = where.config.models[where.model(model)].data.whole
    if split not in (None, "train", "validation"):
        raise UsageError(f"--as takes train or validation, not {split}")
    if split and whole:
        raise UsageError(f"data.split divides the rows of {model}: leave --as out")
    named = landing_names(files, split, whole=whole)
    deployment = terminal.deployment(where)
    _upload(deployment, model, named, marker=marker)
    for path, name in named:
        line = f"{escape(str(path))} → s3://{deployment.bucket}/curated/{model}/{escape(name)}"
        out.print(line, soft_wrap=True)
    _tell_start(deployment, model, marker=marker)


def _tell_start(deployment: Deployment, model: str, *, marker: bool) -> None:
    """Say whether a start follows what has landed; `marker` says whether a marker was to land, too."""
    if pause := standing_pause(deployment, model):
        out.print(f"it waits, as the model is {escape(pause.text)}", soft_wrap=True)
        out.print(f"`handsoff resume {escape(model)}` starts what waits", soft_wrap=True)
        return
    if deployment.config.models[model].retrain.ready.when != "marker":
        out.print("`handsoff status --watch` shows what follows")
    elif marker:
        out.print("the marker has landed: `handsoff status --watch` shows what follows")
    else:
        out.print("no marker has landed, so nothing starts yet")


def _upload(deployment: Deployment, model: str, named: list[tuple[Path, str]], *, marker: bool) -> None:
    """Land the files, with a progress bar for each on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        tasks = {path: progress.add_task(str(path), total=path.stat().st_size) for path, _ in named}
        land_files(
            deployment,
            model,
            named,
            marker=marker,
            progress=lambda path, sent: progress.advance(tasks[path], sent),
        )


def data(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model whose data to show.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for scripts.")] = False,
) -> None:
    """Show which files would train now, and what the newest execution found in its data.

    First the batch: its files as of the marker, what was left out and why, and which marker is waited for.
    Then the newest data report: rows, formats, missing values, ranges, categories, and how the data differs
    from the champion's. It shows counts and ranges, never a row. A range goes from the 5th to the 95th
    percentile; with `approvers.show_values` it ends at values of single rows. It changes nothing.

    Example: `handsoff data titanic`
    """
    where = terminal.project()
    where.model(model)
    found = model_data(terminal.deployment(where), model)
    if as_json:
        terminal.print_json(data_as_json(found))
    else:
        show_data(out, found)


def release(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="The model that the file belongs to.")],
    key: Annotated[
        str | None,
        typer.Argument(
            metavar="KEY",
            help="The file in quarantine. Without it, the files there are listed with the reasons.",
        ),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Put all files back, but not those that no job can read.")
    ] = False,
    marker: Annotated[
        bool, typer.Option(help="Land the marker last; it says that the batch is complete.")
    ] = True,
) -> None:
    """Put files back from quarantine; they are not inspected again.

    Use it where a person has looked at the files and finds them good. The release is recorded with your name.
    Where the model waits for a marker, one marker lands after the last file.

    Example: `handsoff release titanic quarantine/titanic/train/2026-11-30.csv`
    """
    where = terminal.project()
    where.model(model)
    if key is not None and everything:
        raise UsageError("KEY and --all exclude each other")
    deployment = terminal.deployment(where)
    if key is None and not everything:
        _list_quarantined(deployment, model)
        return
    if key is not None:
        back = [release_file(deployment, model, key, marker=marker)]
        _tell_released(back, [])
    else:
        back, stay = release_all(deployment, model, marker=marker)
        _tell_released(back, stay)
    if back:
        _tell_start(deployment, model, marker=marker)
    else:
        out.print(f"nothing of {model} was released")


def _tell_released(back: list[str], stay: list[QuarantinedFile]) -> None:
    for name in back:
        out.print(f"{escape(name)} is back", soft_wrap=True)
    for file in stay:
        why = "it has landed again since" if file.replaced else file.text
        out.print(f"{escape(file.quarantine_key)} stays: {escape(why)}", soft_wrap=True)


def _list_quarantined(deployment: Deployment, model: str) -> None:
    files = quarantined_files(deployment, model)
    for file in files:
        replaced = " (has landed again since)" if file.replaced else ""
        out.print(f"{escape(file.quarantine_key)}{replaced}\n  {escape(file.text)}", soft_wrap=True)
    if not files:
        out.print(f"nothing of {model} is in quarantine")
