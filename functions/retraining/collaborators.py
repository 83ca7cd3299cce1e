"""What handlers work with: clients, the ledger, settings and the clock.

Lambda passes none, and a handler makes the real ones. A test passes others as a keyword argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Self

import boto3

from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.aws.model_states import ModelStates
from retraining.aws.settings import ModelConfigs, Settings, from_environment, secret
from retraining.evidence import Sources
from retraining.links import Links

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sns import SNSClient


@dataclass(frozen=True)
class Collaborators:
    """The clients of one invocation, the ledger, and what the function's environment says.

    `clock` returns the time in UTC. `links` makes links to the review page; None in a function whose
    environment does not name the page.
    """

    settings: Settings
    configs: ModelConfigs
    s3: S3Client
    sagemaker: SageMakerClient
    sns: SNSClient
    events: EventBridgeClient
    logs: CloudWatchLogsClient
    ledger: Ledger
    clock: Callable[[], datetime]
    links: Links | None = None

    @classmethod
    def real(cls) -> Self:
        """The collaborators of this function. The secret that signs links is at most a minute old."""
        made = cls._made()
        return replace(made, links=links_of(made.settings))

    @classmethod
    @cache
    def _made(cls) -> Self:
        """All collaborators without links, made once for all invocations of the process."""
        settings = from_environment()
        return cls(
            settings=settings,
            configs=ModelConfigs(settings.prefix),
            s3=boto3.client("s3"),
            sagemaker=boto3.client("sagemaker"),
            sns=boto3.client("sns"),
            events=boto3.client("events"),
            logs=boto3.client("logs"),
            ledger=Ledger(Items(boto3.resource("dynamodb").Table(settings.table))),
            clock=lambda: datetime.now(UTC),
        )

    @property
    def states(self) -> ModelStates:
        """The models' states in the ledger."""
        return ModelStates(self.ledger)

    @property
    def sources(self) -> Sources:
        """The clients from which evidence is gathered."""
        return Sources(self.sagemaker, self.s3, self.ledger, self.settings.bucket)


def links_of(settings: Settings) -> Links | None:
    """Makes links to the review page; None if the settings name no page or no secret.

    The secret is read at most once a minute.
    """
    if settings.review_url is None or settings.link_secret_arn is None:
        return None
    return Links(secret(settings.link_secret_arn), settings.review_url)
