"""The functions, invoked as AWS does: with a timeout, retries, containers that are used again.

Timeouts and numbers of retries are those of template.yaml.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType, SimpleNamespace
from typing import Any, Final, cast

import itsdangerous.timed

from retraining.aws import settings as aws_settings
from retraining.aws.items import Items
from retraining.aws.ledger import Ledger
from retraining.aws.observability import logger
from retraining.aws.settings import ModelConfigs, Settings
from retraining.collaborators import Collaborators
from retraining.links import Links
from tests.chaos.account import Bucket, Parameters, Provider, Table, Topic, WatchedItems
from tests.chaos.clock import Clock, Killed, Task
from tests.chaos.faults import Client, Faults, client_error
from tests.chaos.pipelines import LiveSageMaker
from tests.chaos.slack import Channel
from tests.functions.fakes import Context, FakeEvents
from tests.functions.memory import NoLogs
from tests.template import RESOURCES

SECRET: Final = "canary-link-secret-6d1f"
BASE: Final = "https://review.example.com/"
SETTINGS: Final = Settings(
    prefix="handsoff", bucket="data", table="ledger", topic="arn:aws:sns:us-east-1:123456789012:t"
)
RETRY_AFTER: Final = (60.0, 120.0)
"""Seconds until the first and the second retry of an asynchronous invocation."""


def source_of(name: str) -> dict[str, Any]:
    """The properties of the queue that a function takes messages from, as its event source."""
    events = properties(name)["Events"].values()
    found: dict[str, Any] = next(it["Properties"] for it in events if it["Type"] == "SQS")
    return found


def properties(name: str) -> dict[str, Any]:
    """The properties of a function of the template, by its module's name."""
    found: dict[str, Any] = RESOURCES[name.title().replace("_", "")]["Properties"]
    return found


@dataclass
class Container:
    """What outlives an invocation: the configs that were read, and when models were found idle."""

    provider: Provider
    configs: ModelConfigs
    idle: dict[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """A message in a failure queue: what a function could not handle."""

    at: float
    function: str
    event: dict[str, Any]
    error: str


@dataclass
class Account:
    """All that functions work on."""

    clock: Clock
    faults: Faults
    bucket: Bucket
    table: Table
    sagemaker: LiveSageMaker
    topic: Topic
    parameters: Parameters
    channel: Channel
    bus: FakeEvents = field(default_factory=FakeEvents)
    secret: str | None = SECRET

    def get_secret_value(self) -> str:
        """The secret that signs links, as Secrets Manager answers."""
        if self.secret is None:
            raise client_error("ResourceNotFoundException", "get_secret_value")
        return self.secret

    @property
    def ledger(self) -> Ledger:
        """The ledger as it is, without faults."""
        return Ledger(Items(cast("Any", self.table)))


class Functions:
    """Invokes the handlers. `failures` is their failure queue, `errors` counts what they raised.

    `unrecognised` are facts whose write the ledger took, while the function was told that it did not.
    """

    def __init__(self, account: Account, trace: Callable[[str], None]) -> None:
        self.account, self.clock, self._trace = account, account.clock, trace
        self.failures: list[Failed] = []
        self.errors: Counter[str] = Counter()
        self.unrecognised: list[str] = []
        self.invoked: Counter[str] = Counter()
        self.postpone: Callable[[str, int], None] = lambda *_: None
        self._idle: dict[str, list[Container]] = {}
        self._number = 0

    def invoke(
        self,
        name: str,
        event: dict[str, Any],
        then: Callable[[Task, Any], None] | None = None,
        attempt: int = 1,
    ) -> None:
        """Invoke a function. Without `then` as an event: Lambda retries it, and keeps what fails at last."""
        self._number += 1
        label = f"{name}-{self._number}"
        answer: list[Any] = []
        idle = self._idle.setdefault(name, [])
        container = idle.pop() if idle else self._container()

        def body(task: Task) -> None:
            using = self.collaborators(task, container)
            context = Context(lambda: int(task.remaining * 1000))
            answer.append(self._call(name, event, context, using, task))

        def ended(task: Task) -> None:
            if not isinstance(task.error, Killed):
                idle.append(container)
            if task.error is not None:
                self._trace(f"{label} {type(task.error).__name__}: {_first(task.error)}")
                self.errors[f"{name}: {type(task.error).__name__}"] += 1
            if then:
                then(task, answer[0] if answer else None)
            elif task.error is not None:
                self._again(name, event, attempt, task.error)

        self.invoked[name] += 1
        self._trace(f"{label} begins")
        self.clock.spawn(label, body, timeout=float(properties(name).get("Timeout", 60)), then=ended)

    def names_kept(self) -> int:
        """Names of models that containers have kept, known or not."""
        return sum(
            len(held)
            for idle in self._idle.values()
            for container in idle
            for held in (
                container.idle,
                *vars(container.configs).values(),
                *vars(container.provider).values(),
            )
            if isinstance(held, dict)
        )

    def _again(self, name: str, event: dict[str, Any], attempt: int, error: BaseException) -> None:
        retries = properties(name).get("EventInvokeConfig", {}).get("MaximumRetryAttempts", 2)
        if attempt <= retries:
            wait = RETRY_AFTER[min(attempt, 2) - 1]
            self.clock.after(wait, lambda: self.invoke(name, event, attempt=attempt + 1))
        else:
            self.failures.append(Failed(self.clock.seconds, name, event, _first(error)))

    def _call(self, name: str, event: dict[str, Any], context: Any, using: Collaborators, task: Task) -> Any:
        handler = importlib.import_module(name).handler
        if name == "notify_slack":
            client = Client(self.account.channel, "slack", task, self.account.faults)
            return handler(event, context, using=using, connect=lambda _: client, postpone=self.postpone)
        if name == "review_candidate":
            if self.account.secret is None:
                raise RuntimeError("ResourceNotFoundException: the secret is deleted")
            return handler(event, context, using=using, links=Links(self.account.secret, BASE))
        return handler(event, context, using=using)

    def _container(self) -> Container:
        provider = Provider(self.clock)
        return Container(provider, ModelConfigs("handsoff", "data", cast("Any", None), cast("Any", provider)))

    def _items(self, client: Any) -> Items:
        return WatchedItems(client, self.account.table, self.unrecognised)

    def collaborators(self, task: Task, container: Container | None = None) -> Collaborators:
        """What an invocation works with."""
        account, faults = self.account, self.account.faults
        container = container or self._container()

        def client(inner: Any, service: str) -> Any:
            return Client(inner, service, task, faults)

        container.provider.client = client(account.parameters, "ssm")
        return Collaborators(
            settings=SETTINGS,
            configs=container.configs,
            s3=client(account.bucket, "s3"),
            sagemaker=client(account.sagemaker, "sagemaker"),
            sns=client(account.topic, "sns"),
            events=client(account.bus, "events"),
            logs=client(NoLogs(), "logs"),
            ledger=Ledger(self._items(client(account.table, "dynamodb"))),
            clock=self.clock.now,
            read_links=lambda: Links(client(account, "secretsmanager").get_secret_value(), BASE),
            idle=container.idle,
        )


def _first(error: BaseException) -> str:
    """The first line of an error, and of those that it groups."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_first(one) for one in error.exceptions)
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


@contextlib.contextmanager
def virtual(clock: Clock) -> Iterator[io.StringIO]:
    """While this lasts, the functions' modules read this clock, and what they print goes to the text."""
    time = SimpleNamespace(
        monotonic=lambda: clock.seconds, time=lambda: clock.now().timestamp(), sleep=lambda _: None
    )
    printed = io.StringIO()
    handler = next(iter(logger._logger.handlers), None)
    modules: list[ModuleType] = [itsdangerous.timed, aws_settings]
    before = [(module, module.__dict__["time"]) for module in modules if "time" in module.__dict__]
    stream = getattr(handler, "stream", None)
    try:
        for module, _ in before:
            module.__dict__["time"] = time
        if handler is not None:
            handler.stream = printed  # type: ignore[attr-defined]
        with contextlib.redirect_stdout(printed):
            yield printed
    finally:
        for module, real in before:
            module.__dict__["time"] = real
        if handler is not None:
            handler.stream = stream  # type: ignore[attr-defined]
