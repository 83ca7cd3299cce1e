"""Forks Lambda's Python workers from a process that has imported their layers and what handlers share.

ministack starts a new Python for each worker: a second of processor time, most of it for imports.
"""

import os
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ministack.core import lambda_runtime

from local.forked.warm import WarmProcess, WarmPython

PACKAGES: Final = (
    "boto3.dynamodb.conditions",
    "boto3.s3.transfer",
    "botocore.handlers",
    "aws_lambda_powertools.logging",
    "aws_lambda_powertools.metrics",
    "aws_lambda_powertools.utilities.parameters",
    "aws_lambda_powertools.utilities.typing",
    "itsdangerous",
    "jinja2",
    "pydantic.alias_generators",
    "pydantic.functional_serializers",
    "pydantic.json_schema",
    "pydantic.main",
    "pydantic.plugin._loader",
    "pydantic.type_adapter",
    "pydantic.types",
    "slack_sdk.web.client",
    "statistics",
    "zoneinfo",
)
"""What functions import of their layer and of Python. None of it reads the environment when imported."""

SHARED: Final = (
    "retraining.collaborators",
    "retraining.notifications.messages",
    "retraining.starts.admission",
)
"""What the handlers of this project import of their own code. None of it makes a client or a logger."""


def fork_workers(folder: Path) -> Callable[[], None]:
    """Let ministack fork its workers. Call it once, before serving; the answer ends what they come from.

    `folder` is named in the environment of that process.
    """
    warm: dict[tuple[str, ...], WarmPython] = {}
    alone = threading.Lock()

    def start(arguments: list[str], **how: Any) -> "WarmProcess | subprocess.Popen[str]":
        if arguments[0] == sys.executable and how.get("stdin") == subprocess.PIPE:
            variables = how["env"]
            layers = filter(None, variables.get("_LAMBDA_LAYERS_DIRS", "").split(os.pathsep))
            path = tuple(os.path.realpath(f"{layer}/python") for layer in layers)
            packages: tuple[str, ...] = PACKAGES
            code = Path(how["cwd"]).resolve()  # the same place for all functions of the same code (archives)
            if (code / "retraining" / "collaborators.py").exists():
                path, packages = (*path, str(code)), (*PACKAGES, *SHARED, "service_data")
            with alone:
                python = warm.setdefault(path, WarmPython(folder, packages, path))
            if worker := python.converse(arguments, variables, Path(how["cwd"])):
                return worker
        return subprocess.Popen(arguments, **how)

    def close() -> None:
        for python in warm.values():
            python.close()

    lambda_runtime.subprocess = types.SimpleNamespace(**{**vars(subprocess), "Popen": start})
    return close
