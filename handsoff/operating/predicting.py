"""Predictions of a registered model on this machine, made in an environment that holds what its image holds.

The model's code runs in a process of its own, without the operator's AWS credentials.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from handsoff.deployment import Deployment
from handsoff.errors import NotFound, NotServed, UsageError
from handsoff.operating import answer
from handsoff.operating.artifacts import OWN_CODE, Artifact, fetch, named_package
from pipeline_def import publish

JSON_LINES: Final = "application/jsonlines"
"""The content type of a JSON record in each line."""

CONTENT_TYPES: Final = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".jsonl": JSON_LINES,
    ".ndjson": JSON_LINES,
}
"""The content type of a file, by the end of its name."""

THRESHOLD: Final = 0.5
"""Of two classes the positive one is predicted where its probability is above this."""

TAIL: Final = 5
"""Last lines of a failed program that are shown."""

ROWS: Final = Path(__file__).with_name("rows.py")
"""The script that writes rows as a model with own training code takes them."""

REFUSED: Final = 64
"""The exit code with which that script says that rows do not fit."""

SCORE: Final = publish.SCORING / "score.py"
"""The script that scores the rows of a model with own training code."""

Record = dict[str, Any]
"""The prediction for a row: `label` and `probability`, and `probabilities` of more than two classes, or
`prediction`."""

Environment = Callable[[str], Path]
"""The Python of an environment that holds what an image holds, by the image's URI."""


@dataclass(frozen=True)
class Predictions:
    """One record for each row, in the order of the rows, and the package that made them."""

    package: str
    image: str
    records: list[Record]


def predict(
    deployment: Deployment,
    name: str,
    file: Path,
    *,
    environment: Environment,
    content_type: str | None = None,
) -> Predictions:
    """The predictions for the rows of a file by the package with this name.

    `name` is an ARN, MODEL/VERSION, or MODEL for its champion. Raises NotFound, NotOurs, NotServed, or
    UsageError.
    """
    kind = content_type or content_type_of(file)
    try:
        body = file.read_bytes()
    except OSError as error:
        raise NotFound(f"{file} cannot be read: {error.strerror}") from None
    package = named_package(deployment, name)
    with tempfile.TemporaryDirectory(prefix="handsoff-") as scratch:
        artifact = fetch(deployment, package, Path(scratch))
        python = environment(artifact.image)
        try:
            made = (
                _score(artifact, python, body, kind)
                if artifact.own_code
                else _ask(artifact, python, body, kind)
            )
        except NotServed as error:
            raise NotServed(f"{package.name} has not answered {file}: {error}") from None
    return Predictions(package.arn, artifact.image, made)


def content_type_of(file: Path) -> str:
    """The content type of a file by its name. Raises UsageError."""
    if found := CONTENT_TYPES.get(file.suffix.lower()):
        return found
    known = ", ".join(CONTENT_TYPES)
    raise UsageError(
        f"{file.name}: a file with rows ends with one of {known}; or say --content-type text/csv"
    )


def _ask(artifact: Artifact, python: Path, body: bytes, content_type: str) -> list[Record]:
    """The answer of a model with a built-in estimator, which takes every form of request."""
    said = _run(
        python, ["-I", answer.__file__, str(artifact.folder), content_type, JSON_LINES], artifact, body
    )
    found = json.loads(said)
    if found["status"] != 200:
        raise NotServed(str(json.loads(found["body"])["error"]))
    return [json.loads(line) for line in found["body"].splitlines()]


def _score(artifact: Artifact, python: Path, body: bytes, content_type: str) -> list[Record]:
    """The answer of a model with own training code, whose rows are sent in requests of its own contract."""
    contract = artifact.contract
    folder = artifact.archive.parent.parent
    written, output = folder / "rows.csv", folder / "predictions"
    contract_file = artifact.folder / OWN_CODE
    _run(
        python,
        ["-I", str(ROWS), str(publish.STEPS), str(contract_file), content_type, str(written)],
        artifact,
        body,
    )
    _run(
        python,
        [
            *(str(SCORE), "--model", str(artifact.archive.parent)),
            *("--rows", str(written), "--output", str(output), "--show-values"),
        ],
        artifact,
    )
    with (output / "predictions.csv").open(newline="", encoding="utf-8") as file:
        return [record_of(row, list(contract["config"]["classes"])) for row in csv.DictReader(file)]


def record_of(row: Mapping[str, str], classes: Sequence[str]) -> Record:
    """The prediction in a line of predictions.csv, in the form in which built-in models answer."""
    if "value" in row:
        return {"prediction": float(row["value"])}
    if "label" in row:
        return {"label": classes[int(float(row["label"]))]}
    if "probability" in row:
        positive = float(row["probability"])
        return {"label": classes[positive > THRESHOLD], "probability": positive}
    shares = {name: float(row[str(at)]) for at, name in enumerate(classes)}
    best = max(shares, key=lambda name: shares[name])
    return {"label": best, "probability": shares[best], "probabilities": shares}


def _run(python: Path, arguments: list[str], artifact: Artifact, body: bytes = b"") -> str:
    """Run the model's code, and return what it said. Raises NotServed with its last lines."""
    scratch = artifact.archive.parent.parent
    done = subprocess.run(
        [str(python), *arguments],
        input=body,
        cwd=artifact.folder,
        env=without_credentials() | {"SAGEMAKER_BASE_DIR": str(scratch)},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        reason = scratch / "output" / "message"  # as score.py writes it
        if reason.exists():
            raise NotServed(reason.read_text(encoding="utf-8"))
        if done.returncode == REFUSED:
            raise NotServed(done.stderr.decode().strip())
        raise NotServed("its code failed:\n" + "\n".join(last_lines(done.stderr)))
    return done.stdout.decode()


def last_lines(output: bytes) -> list[str]:
    """The last TAIL lines that a failed program has written."""
    return output.decode(errors="replace").strip().splitlines()[-TAIL:]


def without_credentials() -> dict[str, str]:
    """The environment variables without those of AWS and of this Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "OMP_WAIT_POLICY": "PASSIVE"}
    return kept | nowhere | dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull)
