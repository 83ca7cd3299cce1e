"""The command that asks a registered model for predictions, on this machine."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Annotated

import typer

from handsoff.commands import terminal
from handsoff.commands.terminal import err, out
from handsoff.errors import NotServed
from handsoff.operating.predicting import Predictions, Record
from handsoff.operating.predicting import predict as predict_rows
from handsoff.pages import page
from handsoff.showing.console import escape
from local.images import table
from local.images.environments import Environments


def predict(
    package: Annotated[
        str,
        typer.Argument(
            metavar="PACKAGE",
            help="Its ARN, model and version such as titanic/3, or a model for its champion.",
        ),
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows: .csv, .json or .jsonl.")],
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the predictions there.")] = None,
    content_type: Annotated[
        str | None,
        typer.Option(help="What the rows are, if the file's name does not say it.", metavar="TYPE"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of CSV.")] = False,
) -> None:
    """Predict the rows of a file with a registered model, on this machine.

    It fetches the package's artifact, if a training job of the pipeline wrote it. It runs the model's code in
    an environment that holds what the package's image holds, as an endpoint or a batch transform would. There
    is one prediction for each row, in the order of the rows. Nothing in AWS is changed.

    Example: `handsoff predict titanic/3 data/titanic/validation.csv --output predictions.csv`
    """
    with err.status(f"{package} predicts"):
        found = predict_rows(
            terminal.deployment(), package, file, environment=python_of, content_type=content_type
        )
    text = _as_json(found) if as_json else as_csv(found.records)
    if output is None:
        typer.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8")
    name = found.package.split(":model-package/")[-1]
    out.print(f"{len(found.records)} predictions of {name} → {escape(str(output))}", soft_wrap=True)


def python_of(image: str) -> Path:
    """The Python of an environment that holds what an image holds; it is made once. Raises NotServed."""
    known = table.find(image)
    if known is None:
        names = ", ".join(item.name for item in table.IMAGES)
        raise NotServed(
            f"the image {image} is not known on this machine; known are {names}. `docker run` with the image "
            f"itself serves the model: {page('docs/how-to/serve.md')}"
        )
    return Environments().environment(known, lambda line: err.print(line, soft_wrap=True)) / "bin" / "python"


def as_csv(records: list[Record]) -> str:
    """The predictions as CSV with a header. Each of more than two classes has a column."""
    flat = [
        {name: value for name, value in record.items() if name != "probabilities"}
        | {f"probability_{name}": value for name, value in record.get("probabilities", {}).items()}
        for record in records
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(flat[0]) if flat else [], lineterminator="\n")
    if flat:
        writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _as_json(found: Predictions) -> str:
    values = {"modelPackageArn": found.package, "image": found.image, "predictions": found.records}
    return json.dumps(values, indent=1, ensure_ascii=False) + "\n"
