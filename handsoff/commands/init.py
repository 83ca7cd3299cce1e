"""The command that writes a first configuration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.errors import Refused, UsageError
from handsoff.offline.guesses import Guesses, guess
from handsoff.offline.looking import DataFiles, data_files, look
from handsoff.offline.proposal import FEATURES, write_schema, written
from handsoff.offline.scripts import Script, read_script
from handsoff.offline.skeletons import inference_script
from handsoff.project import load
from handsoff.showing.console import escape, step
from handsoff.yaml_file import read_text
from pipeline_def.source import SourceError, read_source
from retraining.config.schema import parse_config


def init(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="CSV or Parquet files, or a folder with such files.")
    ],
    target: Annotated[str, typer.Option(metavar="COLUMN", help="The column that is predicted.")],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The model's name; by default that of the files' folder."),
    ] = None,
    train_script: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A training script of your own. It is read, and not run."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Replace a handsoff.yaml that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, for scripts.")] = False,
) -> None:
    """Write a first handsoff.yaml from data: task, classes, columns, rules to start with, each with a reason.

    The guesses are shown and stand as comments in the file: read them, and correct what is wrong. Nothing is
    uploaded, and AWS is not asked.

    Example: `handsoff init data/ --target left`, or with own code
    `handsoff init data/ --target left --train-script src/churn/train.py`
    """
    config = terminal.config()
    if config.exists() and not force:
        raise Refused(f"{config} exists, and nothing was changed: --force replaces it")
    data = data_files(files)
    script = read_script(train_script) if train_script else None
    source_dir = _source_dir(script, config, data) if script else ""
    guesses = _guesses(data, target)
    name = model or _name(files[0], config)
    text = written(name, guesses, split=not data.split_by_name, script=script, source_dir=source_dir)
    parse_config(read_text(text, source=str(config)).values, source=str(config))
    made = _write(config, text, script, guesses)
    notes = [*_notes(script), *_next(name, files)]
    if as_json:
        terminal.print_json(_as_json(name, guesses, made, notes))
    else:
        _show(name, guesses, made, notes)


def _guesses(data: DataFiles, target: str) -> Guesses:
    """What the files say of their columns. Raises UsageError if no column is left as a feature."""
    with step(err, f"reading {len(data.files)} file{'s' if len(data.files) > 1 else ''}"):
        guesses = guess(look(data, target, lambda text: err.print(escape(text))), target)
    if not any(guesses.of(kind) for kind in FEATURES):
        reasons = "; ".join(f"{each.column}: {each.why}" for each in guesses.columns if each.use != "target")
        raise UsageError(f"no column is left as a feature, so nothing was written ({reasons})")
    return guesses


def _source_dir(script: Script, config: Path, data: DataFiles) -> str:
    """The folder of the script as handsoff.yaml names it.

    Raises UsageError if it lies elsewhere, or is not one of its own: its files are stored with each model.
    """
    folder, root = script.path.resolve().parent, config.resolve().parent
    if not folder.is_relative_to(root):
        raise UsageError(f"{script.path} lies outside {root}: own code must lie below the folder of {config}")
    if folder == root or any(path.resolve().is_relative_to(folder) for path, _ in data.files):
        beside = config.name if folder == root else "the data"
        raise UsageError(
            f"{script.path} lies beside {beside}, and all files of its folder are stored with each model: "
            "move it and the modules that it imports to a folder of their own, such as src/, and say "
            f"--train-script src/{script.path.name}"
        )
    source_dir = folder.relative_to(root).as_posix()
    training = {"source_dir": source_dir, "entry_point": script.path.name}
    try:
        read_source({"training": training}, root)
    except SourceError as error:
        raise UsageError(str(error)) from None
    return source_dir


def _name(path: Path, config: Path) -> str:
    """A model's name from that of the data: of the folder, or of the file unless it only names a split."""
    stem = path.resolve().name if path.is_dir() else path.name.split(".")[0]
    if stem.lower() in ("train", "validation", "data", ""):
        stem = path.resolve().parent.name
    if stem.lower() in ("train", "validation", "data", ""):
        stem = config.resolve().parent.name
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:40].strip("-") or "model"


def _write(config: Path, text: str, script: Script | None, guesses: Guesses) -> list[str]:
    """Write handsoff.yaml, its schema, and inference.py where there is none; returns what was written."""
    config.write_text(text, encoding="utf-8")
    made = [str(config), str(write_schema(load(config)))]
    if script and not script.functions:
        serving = script.path.parent / "inference.py"
        if not serving.exists():
            serving.write_text(_serving(script, guesses), encoding="utf-8")
            made.append(str(serving))
    return made


def _serving(script: Script, guesses: Guesses) -> str:
    columns = [each.column for each in guesses.columns if each.use != "target"]
    whole = all(name.lstrip("-").isdecimal() for name in guesses.classes)  # the channel has integers then
    positive = guesses.classes[-1] if len(guesses.classes) == 2 else None
    return inference_script(
        script.image,
        columns,
        script.model_file,
        pickles=script.pickles,
        positive=int(positive) if positive is not None and whole else positive,
    )


def _notes(script: Script | None) -> list[str]:
    if script is None:
        return []
    notes = [f"{script.path} was read, not run; image {script.image}, as {script.why_image}"]
    if not script.reads_channels:
        notes.append(
            f"{script.path} names no SM_ variable: read the rows from SM_CHANNEL_TRAIN and "
            "SM_CHANNEL_VALIDATION (Parquet files; CSV by data.channel_format), and write the model to "
            "SM_MODEL_DIR"
        )
    if not script.functions:
        notes.append(
            f"{script.path.parent / 'inference.py'} loads and asks the model: check its model_fn and columns"
        )
    return notes


def _next(name: str, files: list[Path]) -> list[str]:
    paths = " ".join(str(path) for path in files)
    return [f"next: `handsoff check {name} {paths}` trains and scores with a few hundred rows, without AWS"]


def _as_json(name: str, guesses: Guesses, made: list[str], notes: list[str]) -> dict[str, Any]:
    return {
        "model": name,
        "task": guesses.task,
        "why": guesses.why,
        "classes": list(guesses.classes),
        "rows": guesses.rows,
        "columns": [{"column": each.column, "use": each.use, "why": each.why} for each in guesses.columns],
        "data": dict(guesses.data),
        "written": made,
        "notes": notes,
    }


def _show(name: str, guesses: Guesses, made: list[str], notes: list[str]) -> None:
    out.print(
        f"[bold]{escape(name)}[/]: {guesses.task} ({escape(guesses.why)}), {guesses.rows:,} rows",
        soft_wrap=True,
    )
    width = max(len(each.column) for each in guesses.columns)
    for each in guesses.columns:
        style = "yellow" if each.use == "left out" else "green"
        column = escape(f"{each.column:<{min(width, 40)}}")
        out.print(f"  {column} [{style}]{each.use:<12}[/] {escape(each.why)}", soft_wrap=True)
    for key, value in guesses.data.items():
        out.print(f"  data.{key}: {escape(str(value))}: so the files are written", soft_wrap=True)
    for path in made:
        out.print(f"written: {escape(path)}", soft_wrap=True)
    for note in notes:
        out.print(escape(note), soft_wrap=True)
