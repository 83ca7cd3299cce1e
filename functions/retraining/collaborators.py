"""What handlers work with: clients, the ledger, settings, the clock, and the time that is left.

Lambda passes none, and a handler makes the real ones. A test passes others as a keyword argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Self

from retraining.aws.clients import client, table
from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.aws.settings import ModelConfigs, Settings, from_environment, secret
from retraining.aws.signing import Signing
from retraining.errors import OutOfTime

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sns import SNSClient

    from retraining.aws.model_states import ModelStates
    from retraining.evidence import Sources
    from retraining.links import Links


def unlimited() -> timedelta:
    """The time left of work that nothing bounds but its function's timeout, which is shorter."""
    return timedelta(days=1)


def no_links() -> None:
    """The links of a function whose environment does not name the review page."""


@dataclass(frozen=True)
class Collaborators:
    """The clients of one invocation, the ledger, and what the function's environment says.

    `clock` returns the time in UTC. `time_left` tells how long the present piece of work may go on; loops
    that can be long call `check_time`. `read_links` is what `links` calls. `kms` is None where no key
    signs evidence. `idle` is kept by the process: when a turn of the sweep (turns.py) last found nothing to
    do and nothing to wait for, by the turn's name.
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
    time_left: Callable[[], timedelta] = unlimited
    read_links: Callable[[], Links | None] = no_links
    kms: KMSClient | None = None
    idle: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    @cache
    def real(cls) -> Self:
        """The collaborators of this function, made once for all invocations of the process."""
        settings = from_environment()
        s3 = client("s3")
        return cls(
            settings=settings,
            configs=ModelConfigs(settings.prefix, settings.bucket, s3),
            s3=s3,
            sagemaker=client("sagemaker"),
            sns=client("sns"),
            events=client("events"),
            logs=client("logs"),
            ledger=Ledger(Items(table(settings.table))),
            clock=lambda: datetime.now(UTC),
            read_links=lambda: links_of(settings),
            kms=client("kms") if settings.signing_key else None,
        )

    def within(self, limit: timedelta) -> Self:
        """The same collaborators, for a piece of work that may take as long as `limit` from now."""
        end = self.clock() + limit
        return replace(self, time_left=lambda: end - self.clock())

    def check_time(self) -> None:
        """Raise OutOfTime if the present piece of work has used up its time."""
        if self.time_left() <= timedelta(0):
            raise OutOfTime("the time for this piece of work is over; the next sweep goes on with it")

    @property
    def links(self) -> Links | None:
        """Makes links to the review page; None in a function whose environment does not name the page.

        The secret that signs them is read where a link is needed, and is at most a minute old: without the
        secret, only what needs a link fails.
        """
        return self.read_links()

    @property
    def states(self) -> ModelStates:
        """The models' states in the ledger."""
        from retraining.aws.model_states import ModelStates  # half of the functions read no state

        return ModelStates(self.ledger)

    @property
    def sources(self) -> Sources:
        """The clients from which evidence is gathered."""
        from retraining.evidence import Sources  # it logs: a logger is the function's own

        signing = Signing(self.kms, self.settings.signing_key, self.settings.lock)
        return Sources(self.sagemaker, self.s3, self.ledger, self.settings.bucket, signing)


def links_of(settings: Settings) -> Links | None:
    """Makes links to the review page; None if the settings name no page or no secret.

    The secret is read at most once a minute.
    """
    if settings.review_url is None or settings.link_secret_arn is None:
        return None
    from retraining.links import Links  # most invocations make no link

    return Links(secret(settings.link_secret_arn), settings.review_url)
