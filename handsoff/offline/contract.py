"""Whether own training code keeps the contract: its files, functions, requirements, arguments and image."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from packaging.requirements import InvalidRequirement, Requirement

from handsoff.offline.finding import Finding, fails, fine, note
from handsoff.offline.scripts import SERVING, TRANSFORM, argument_names, defined_functions, reads_csv
from local.images.table import IMAGES, Image, find
from pipeline_def import own_model
from pipeline_def.images import framework
from pipeline_def.source import SourceError, read_source, shown
from retraining.config.schema import ModelConfig

STAGE = "own code"

NO_DEFAULT: Final[Mapping[str | None, tuple[str, ...]]] = {
    "sklearn": ("model_fn",),
    "xgboost": ("model_fn",),
    "pytorch": (),
    None: ("model_fn", "predict_fn"),
}
"""The functions that an image does not have itself, by its framework; None is any other image."""

WRITE: Final = {
    "model_fn": "loads the model from its folder",
    "predict_fn": "asks the model about rows",
}
"""What the function does that must be written."""

READS_CSV: Final = (
    "reads CSV, and its channels hold Parquet: set data.channel_format: csv, or read the files with "
    "pandas.read_parquet"
)
"""What is said about a script that reads CSV where it gets Parquet."""


def check_code(model: ModelConfig, folder: Path) -> Iterator[Finding]:
    """What is wrong or worth knowing about the code of a model; `folder` is that of handsoff.yaml."""
    values = model.model_dump(mode="json")
    try:
        files = read_source(values, folder)
    except SourceError as error:
        yield fails(STAGE, str(error))
        return
    source = folder / str(model.training.source_dir)
    serving = own_model.inference(values)["entry_point"]
    broken = list(_broken(files, source))
    yield from broken
    if not broken and serving in files:
        yield from _functions(source / serving, model)
    if not broken and model.training.entry_point in files:
        yield from _arguments(source / str(model.training.entry_point), model.training.hyperparameters)
    if not broken:
        entry = model.training.entry_point
        trains = [name for name in files if name.endswith(".py") and (name != serving or name == entry)]
        yield from _channels(model, source, trains)
    if "requirements.txt" in files:
        yield from _requirements(files["requirements.txt"], source / "requirements.txt")
    if image_of(model) is None:
        yield note(
            STAGE,
            f"the image {model.training.image} is not known on this machine, so nothing is trained here; "
            "with Docker and the image pulled, `handsoff local up` runs its jobs",
        )
    sizes = {name: len(content) for name, content in files.items()}
    yield fine(STAGE, f"{len(files)} files in {source} would be published: {shown(sizes)}")


def image_of(model: ModelConfig) -> Image | None:
    """The image that own code is trained in, if this machine knows what it holds."""
    image = str(model.training.image)
    return next((each for each in IMAGES if each.name == image), None) or find(image)


def _broken(files: Mapping[str, bytes], source: Path) -> Iterator[Finding]:
    for name, content in files.items():
        if name.endswith(".py"):
            try:
                ast.parse(content)
            except (SyntaxError, ValueError) as error:
                line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
                yield fails(STAGE, f"{source / name}{line} is no Python: {getattr(error, 'msg', error)}")


def _functions(path: Path, model: ModelConfig) -> Iterator[Finding]:
    """The serving functions; which of them an image has itself is told in docs/reference/own-code.md."""
    found, image = defined_functions(path), framework(str(model.training.image))
    asked = ("model_fn",) if TRANSFORM in found else SERVING
    missing = [name for name in asked if name not in found]
    needed = [name for name in missing if name in NO_DEFAULT[image]]
    for name in needed:
        what = WRITE[name]
        yield fails(STAGE, f"{path} defines no {name}: write one that {what}; the image has none of its own")
    own = [name for name in missing if name not in needed]
    if own:
        yield note(STAGE, f"{path} defines no {', '.join(own)}: the defaults of the image are used")
    labels = model.inference.returned(model.task) == "probability"
    if image == "sklearn" and labels and "predict_fn" in own:
        yield note(
            STAGE,
            "the image's own predict_fn calls predict, which answers classes for most models: write a "
            "predict_fn that calls predict_proba, or set inference.returns: label",
        )


def _channels(model: ModelConfig, source: Path, names: Iterable[str]) -> Iterator[Finding]:
    """Whether the script reads the format that its channels have."""
    if model.data.channel_format == "parquet" and reads_csv([source / name for name in names]):
        yield note(STAGE, f"{source / str(model.training.entry_point)} {READS_CSV}")


def _arguments(path: Path, hyperparameters: Mapping[str, Any]) -> Iterator[Finding]:
    known = argument_names(path)
    for name in hyperparameters:
        if known and name not in known:
            yield note(STAGE, f"the hyperparameter {name} is no argument that {path} defines")


def _requirements(content: bytes, path: Path) -> Iterator[Finding]:
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        text = line.split(" #")[0].strip().rstrip("\\").strip()
        if not text or text.startswith(("#", "-", ".", "/")) or "://" in text:
            continue
        try:
            Requirement(text.split(" --hash")[0])
        except InvalidRequirement:
            yield fails(
                STAGE, f"{path}, line {number} is no requirement: {text!r}; expected such as xgboost==3.0.5"
            )
