"""The command that looks, without AWS, whether an execution would work."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.errors import NotFound, Unfit, UsageError
from handsoff.offline.finding import Finding, fails
from handsoff.offline.looking import data_files
from handsoff.offline.proposal import write_schema
from handsoff.offline.rehearsal import Rehearsal
from handsoff.project import Project
from handsoff.showing.console import escape, step
from retraining.errors import ConfigError

SIGNS = {"ok": "[green]✓[/]", "fails": "[red]✗[/]", "note": "[yellow]·[/]"}
"""What stands before a finding."""


def check(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="The model; may be left out if handsoff.yaml has only one."),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="Data files, or a folder with them, as they would land."),
    ] = None,
    quick: Annotated[bool, typer.Option(help="Train and score nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for scripts.")] = False,
) -> None:
    """Say whether an execution would work, without AWS: configuration, own code, data, a trial of training.

    All rows of the files go through DataPreProcessing. A few hundred of them are trained with, scored and
    evaluated, with the packages of the image that would run. The exit code is 1 if something would fail.

    Example: `handsoff check titanic data/titanic`
    """
    try:
        project = terminal.project_to_publish()
    except ConfigError as error:
        if not as_json:
            raise
        _end([fails("config", str(error))], as_json=True)
        return
    name, paths = _chosen(project, model, list(files or []))
    write_schema(project)
    found = []
    rehearsal = Rehearsal(
        project,
        name,
        data_files(paths) if paths else None,
        lambda text: step(err, text),
        lambda text: err.print(escape(text), soft_wrap=True),
    )
    for each in rehearsal.findings(quick=quick):
        found.append(each)
        if not as_json:
            out.print(f"{SIGNS[each.outcome]} {each.stage}: {escape(each.text)}", soft_wrap=True)
    _end(found, as_json=as_json, unseen=rehearsal.unseen(quick=quick))


def _chosen(project: Project, model: str | None, files: list[Path]) -> tuple[str, list[Path]]:
    """The model's name and the files; a first argument that is no model is a file."""
    names = sorted(project.config.models)
    if model is not None and model not in names:
        if not Path(model).exists():
            raise NotFound(f"{model} is neither a model ({', '.join(names)}) nor a file or folder")
        files = [Path(model), *files]
        model = None
    if model is None and len(names) > 1:
        raise UsageError(f"name the model to check: one of {', '.join(names)}")
    return model or names[0], files


def _end(found: list[Finding], *, as_json: bool, unseen: Sequence[str] = ()) -> None:
    """The verdict, and what was not looked at. Raises Unfit, or exits with 1, if something would fail."""
    wrong = [each for each in found if each.outcome == "fails"]
    if as_json:
        findings = [each._asdict() for each in found]
        verdict = "fails" if wrong else "ok"
        terminal.print_json({"verdict": verdict, "findings": findings, "unseen": list(unseen)})
        if wrong:
            raise typer.Exit(1)
    elif wrong:
        raise Unfit(f"an execution would fail: {wrong[0].stage} (see above)")
    elif unseen:
        out.print(f"[yellow]not looked at: {', '.join(unseen)}[/]; nothing else was found that would fail")
    else:
        out.print("[green]nothing was found that would fail[/]")
