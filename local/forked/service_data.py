"""Reads botocore's descriptions of the services that functions call, once for all that are forked.

forking.py imports this by name, before it forks. No client is kept: later sessions find what was read.
"""

import contextlib
import functools
import os
from typing import Any, Final

import boto3
import botocore.session
from botocore.exceptions import UnknownServiceError

SERVICES: Final = ("dynamodb", "events", "logs", "s3", "sagemaker", "secretsmanager", "sns", "sqs", "ssm")
"""What the project's functions call. Those that botocore in their layer does not describe are left out."""

NO_FILES: Final[dict[str, Any]] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
}
"""Keeps a session from reading profiles and configuration files of this machine."""


def read() -> None:
    """Let all sessions of this process share what reads the descriptions, and make each client once."""
    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    session = boto3.Session(
        "none", "none", region_name="us-east-1", botocore_session=botocore.session.Session(NO_FILES)
    )
    for name in SERVICES:
        with contextlib.suppress(UnknownServiceError):
            session.client(name)
    session.resource("dynamodb")


read()
