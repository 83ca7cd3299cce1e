"""What a snapshot of the review page holds beyond its imports: with SnapStart, no request waits for it.

Elsewhere clients, models and templates are made at their first use, because an invocation uses few of them.
A snapshot is taken once for a version, and nobody waits for it. Nothing is read from AWS here: what was read
would be as old as the snapshot.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from retraining.aws import clients
from retraining.html.render import load_templates

SERVICES: Final = ("dynamodb", "lambda", "s3", "sagemaker", "secretsmanager", "ssm")
"""What the function calls, which is what its role in template.yaml allows."""


def is_being_taken() -> bool:
    """Whether this process is imported for a snapshot. Lambda sets the variable in all its functions."""
    return os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start"


def make_ready() -> None:
    """Make the clients, the readers of all models that are imported, and the templates of the pages."""
    from retraining.review_page import model_page  # noqa: F401 - its models, too

    clients.make_now(*SERVICES)
    for kind in _below(BaseModel):
        if kind.__module__.startswith("retraining."):
            kind.model_rebuild()
    load_templates()


def _below(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)
