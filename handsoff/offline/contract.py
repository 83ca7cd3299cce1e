"""Whether own training code keeps the contract: its files, functions, requirements, arguments and image."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from handsoff.offline.finding import Finding, fails, fine, note
from handsoff.offline.scripts import SERVING, argument_names, defined_functions
from local.images.table import IMAGES, Image, find
from pipeline_def import publish
from pipeline_def.images import framework
from pipeline_def.source import SourceError, read_source, shown
from retraining.config.schema import ModelConfig

STAGE = "own code"


def check_code(model: ModelConfig, folder: Path) -> Iterator[Finding]:
    """What is wrong or worth knowing about the code of a model; `folder` is that of handsoff.yaml."""
    values = model.model_dump(mode="json")
    try:
        files = read_source(values, folder)
    except SourceError as error:
        yield fails(STAGE, str(error))
        return
    source = folder / str(model.training.source_dir)
    serving = publish.inference(values)["entry_point"]
    broken = list(_broken(files, source))
    yield from broken
    if not broken and serving in files:
        yield from _functions(source / serving, framework(str(model.training.image)))
    if not broken and model.training.entry_point in files:
        yield from _arguments(source / str(model.training.entry_point), model.training.hyperparameters)
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


def _functions(path: Path, of: str | None) -> Iterator[Finding]:
    """The serving functions; scikit-learn's image has no default for model_fn."""
    found = defined_functions(path)
    missing = [name for name in SERVING if name not in found]
    if "model_fn" in missing and of in ("sklearn", None):
        yield fails(STAGE, f"{path} defines no model_fn: write one that loads the model from its folder")
    elif missing:
        yield note(STAGE, f"{path} defines no {', '.join(missing)}: the defaults of the image are used")


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
