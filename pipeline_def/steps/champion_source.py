"""The champion and the anchor for own code: their packages are found, checked, and laid out to be scored.

Each is scored in its own image by score.py, which has no access to what is known about a model. So its
folder has model.tar.gz if one of our training jobs wrote it, and source.json, which says what it is or why
it is not there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import boto3

from champion import ChampionProblem, download_model, locate, package_of, problems
from job import AWS, Json, one_line, write_json


def write_sources(model: str, given: argparse.Namespace) -> None:
    """Write the folders `models/champion` and `models/anchor`; `given` are the arguments of the step."""
    for name, wanted in (("champion", given.champion), ("anchor", given.anchor)):
        folder = given.output / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        session = boto3.Session()
        package = package_of(session, wanted, given.group)
        found = source(session, package, model, given.bucket, given.role, folder)
        write_json(found, folder / "source.json")
        print(
            f"{name}: {package or 'none'}" + (f": {found['problem']}" if found["problem"] else ""), flush=True
        )


def source(
    session: boto3.Session, package: str | None, model: str, bucket: str, role: str, folder: Path
) -> Json:
    """Copy the package's model.tar.gz to the folder; returns source.json.

    `model` is the model's name, `role` the ARN of the role of our jobs.
    """
    found: Json = {"package": package, "image": None, "problem": None}
    if package is None:
        return found
    try:
        with problems():
            located = locate(session, bucket, package, model, role)
            found["image"] = located.image
            download_model(session.client("s3", config=AWS), located, folder / "model.tar.gz")
    except ChampionProblem as error:
        (folder / "model.tar.gz").unlink(missing_ok=True)
        found["problem"] = one_line(error)
    return found
