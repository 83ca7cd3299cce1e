"""What the training toolkit of an image does with a source directory: packages, the command, a failure.

Sources: sagemaker-training 4.8.0 (`entry_point.py`, `modules.py`, `errors.py`, `files.py`), and
sagemaker-containers 2.8.6 in the image of XGBoost, whose `modules.run_module` runs every script as a module,
whose errors have no exit code, and which overwrites the failure file that a script has written.
"""

import fcntl
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from local.images import installing, layers, requirements
from local.images.pythons import Pythons
from local.images.requirements import Kept
from local.images.table import Image
from local.sagemaker.errors import ClientError
from local.sagemaker.jobs import container, processes
from local.sagemaker.jobs.container import ML, Command, Place
from local.sagemaker.jobs.processes import End, Running
from local.types import Json

Kind = Literal["package", "program", "command"]
"""What an entry point is: a module of a package, a Python script, or a program for the shell."""

REQUIREMENTS: Final = "requirements.txt"
"""The file of the source directory that names packages to install."""

_VARIABLE: Final = re.compile(r"\bSM_[A-Z]|SAGEMAKER_BASE_DIR")
"""Finds the name of a variable that holds a path."""

POLL_SECONDS: Final = 0.1
"""Seconds between two looks whether another job has installed the same requirements."""


@dataclass(frozen=True)
class Failure:
    """A program of the toolkit that failed or was ended: the toolkit's error, the command, the exit code."""

    error: str
    command: list[str]
    ended: End
    code: int


def kind_of(code: Path, script: str, image: Image) -> Kind:
    """What the toolkit of `image` takes the entry point `script` of the folder `code` for."""
    if image.toolkit == "sagemaker-containers":
        return "package"
    if script.endswith(".sh"):
        return "command"
    if (code / "setup.py").exists():
        return "package"
    return "program" if script.endswith(".py") else "command"


def script_command(place: Place, script: str, arguments: list[str], image: Image) -> list[str]:
    """The command that runs the entry point. Raises ClientError if the source directory does not have it."""
    code = place.ml / "code"
    if not (code / script).is_file():
        raise ClientError(f"The source directory has no {script} (hyperparameter sagemaker_program)")
    kind = kind_of(code, script, image)
    if kind == "package":
        return [place.python, "-m", script.removesuffix(".py"), *arguments]
    if kind == "program":
        return [place.python, script, *arguments]
    (code / script).chmod(0o777)
    return ["/bin/sh", "-c", f"./{script} {' '.join(arguments)}"]


def script_mode(place: Place, request: Json, image: Image) -> Command:
    """The command of a job in script mode. Writes its configuration files. Raises ClientError."""
    arguments = container.script_arguments(place, container.users_hyperparameters(request))
    command = script_command(place, container.script_of(request), arguments, image)
    return Command(command, container.script_variables(place, request, image.module), place.ml / "code")


def paths_in_code(place: Place) -> list[str]:
    """The scripts that name a path of /opt/ml where no variable of the toolkit stands in for it."""
    code = place.ml / "code"
    return [
        str(path.relative_to(code))
        for path in sorted(code.rglob("*.py"))
        for lines in [path.read_text(errors="replace").splitlines()]
        if any(f"{ML}/" in line and not _VARIABLE.search(line) for line in lines)
    ]


def install(running: Running, script: str, pythons: Pythons) -> Running | Failure:
    """Install what the source directory asks for, with pip's output in the job's log.

    Returns the job with a Python that has it, or what failed.
    """
    code = running.place.ml / "code"
    asks, own_setup = (code / REQUIREMENTS).exists(), (code / "setup.py").exists()
    kind = kind_of(code, script, running.image)
    if kind == "command" or not (asks or (kind == "package" and own_setup)):
        return running
    shown = [*(["."] if kind == "package" else []), *(["-r", REQUIREMENTS] if asks else [])]
    error = "InstallModuleError" if kind == "package" else "InstallRequirementsError"
    # The setup.py that the toolkit writes where there is none installs what is found in this folder anyway.
    wanted = shown if own_setup and kind == "package" else ["-r", REQUIREMENTS]
    command = [running.image.program, "-m", "pip", "install", *shown]
    running.output.say(f"Installing what the source directory asks for: {' '.join(command)}")
    done = _installed(running, wanted, pythons)
    return Failure(error, command, *done) if isinstance(done, tuple) else done


def _installed(running: Running, wanted: list[str], pythons: Pythons) -> Running | tuple[End, int]:
    """The job with a Python that has what `wanted` names, or how pip ended."""
    place, base = running.place, running.python.base
    text = (place.ml / "code" / REQUIREMENTS).read_text(errors="replace") if "." not in wanted else "."
    kept = requirements.kept(installing.cache(pythons.environments.variables), base, text)
    if kept is None:
        ended, code = running.run(_pip(place.python, wanted, place))
        return replace(running, python=replace(running.python, warm=None)) if code == 0 else (ended, code)
    ended, code = _keep(running, kept, wanted, pythons)
    if (ended, code) != ("exited", 0):
        return ended, code
    layers.remake(place.layer, [kept.folder, base], pythons.pip_settings)
    python = replace(running.python, warm=None, below=(kept.folder, base))
    variables = {**running.variables, "PATH": processes.search_path(python)}
    return replace(running, python=python, variables=variables)


def _keep(running: Running, kept: Kept, wanted: list[str], pythons: Pythons) -> tuple[End, int]:
    """Make the environment of requirements, unless an earlier job has; how pip ended."""
    with _locked(kept.lock, running) as ours:
        if not ours:
            return "stopped", -15
        if kept.since:
            running.output.say(
                f"An earlier job has installed it on {kept.since}: delete {kept.folder} to install it again"
            )
            return "exited", 0
        ends: list[tuple[End, int]] = []

        def run_pip(python: Path) -> bool:
            ends.append(running.run(_pip(str(python), wanted, running.place)))
            return ends[-1] == ("exited", 0)

        kept.make(pythons.pip_settings, run_pip)
        return ends[-1]


def _pip(python: str, wanted: list[str], place: Place) -> Command:
    return Command([python, "-m", "pip", "install", *wanted], {}, place.ml / "code")


@contextmanager
def _locked(path: Path, running: Running) -> Iterator[bool]:
    """Hold the lock `path` in the block. False if the job was stopped while another one held it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if running.job.stop_requested.wait(POLL_SECONDS) or time.monotonic() > running.deadline:
                    yield False
                    return
            else:
                yield True
                return


def failed(place: Place, image: Image, failure: Failure) -> int:
    """Do what the toolkit does after a program has failed. Returns the toolkit's exit code.

    Writes the failure file. That of the script is kept, except by the toolkit that overwrites it.
    """
    file = place.ml / "output/failure"
    shown = " ".join(image.program if word == place.python else word for word in failure.command)
    if image.toolkit == "sagemaker-containers":
        file.write_text(f'{failure.error}:\nCommand "{shown}"')
    elif not file.exists():
        file.write_text(f'{failure.error}:\nExitCode {failure.code}\nErrorMessage ""\nCommand "{shown}"')
    return 1
