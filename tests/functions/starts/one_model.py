"""One model in memory that lands, starts, ends and dies as a test says, on a clock that the test moves."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import reconcile
from retraining.aws.ledger import Ledger
from retraining.aws.settings import Settings
from retraining.collaborators import Collaborators
from retraining.config.schema import ModelConfig, parse_config
from retraining.facts.starts import StartRequest
from retraining.starts import bucket, checksums, executions, starting
from tests.functions.fakes import Context, Died, FakeSageMaker, Mortal
from tests.functions.memory import MemoryItems, MemoryS3
from tests.functions.models import HEADER, ROWS

BEGIN = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
MODEL = "titanic"


class Silent:
    """An SNS client that publishes nothing and keeps what it was asked to publish."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def publish(self, **call: Any) -> None:
        self.sent.append(call)


class Interrupted:
    """Wraps a client; before the n-th call of all wrapped clients, `act` is called."""

    def __init__(self, inner: Any, left: list[int], act: Any) -> None:
        self._inner, self._left, self._act = inner, left, act

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found) or name in ("get_paginator", "exceptions"):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            self._left[0] -= 1
            if self._left[0] == 0:
                self._act()
            return found(*args, **kwargs)

        return call


class Counted:
    """Wraps a client and keeps the calls: their names, with the key or the fact that they are about."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(" ".join([name, *map(str, args[:1]), kwargs.get("Key", "")]).strip())
            return found(*args, **kwargs)

        return call


class OneModel:
    """One model with its bucket, its pipeline and the ledger in memory. A test moves the time itself."""

    def __init__(self, **retrain: Any) -> None:
        self.now = BEGIN
        self.s3 = MemoryS3(lambda: self.now)
        self.sagemaker = FakeSageMaker()
        self.sagemaker.clock = lambda: self.now
        self.items = MemoryItems()
        self.sns = Silent()
        model = {
            "task": "binary_classification",
            "target": "survived",
            "features": {"numeric": ["age"], "categorical": ["sex"]},
            "retrain": retrain,
        }
        self.config = parse_config({"models": {MODEL: model}}, source="test").models[MODEL]
        self.wanted: set[str] = set()
        self.running_at_once = 0

    def get(self, model: str, **_: bool) -> ModelConfig | None:
        return self.config if model == MODEL else None

    def names(self) -> list[str]:
        return [MODEL]

    def using(self, lives: int = 0, interrupt: Any = None) -> Collaborators:
        """What handlers work with. Call number `lives` dies, or is interrupted; 0: none does."""
        left = [lives]

        def mortal(inner: Any) -> Any:
            if interrupt:
                return Interrupted(inner, left, interrupt)
            return Mortal(inner, left, after=lives % 2 == 0) if lives else inner

        return Collaborators(
            settings=Settings(prefix="handsoff", bucket="data", table="t", topic="topic"),
            configs=self,  # type: ignore[arg-type]
            s3=mortal(self.s3),
            sagemaker=mortal(self.sagemaker),
            sns=mortal(self.sns),
            events=None,  # type: ignore[arg-type]
            logs=None,  # type: ignore[arg-type]
            ledger=Ledger(mortal(self.items)),
            clock=lambda: self.now,
        )

    def land(self, name: str, body: bytes) -> None:
        self.s3.put_object(Key=f"curated/{MODEL}/{name}", Body=body)

    def land_batch(self, number: int) -> None:
        self.land("train.csv", HEADER + ROWS + ROWS * number)
        self.land("validation.csv", HEADER + ROWS)

    def mark(self, lives: int = 0) -> None:
        """The marker lands, and its event arrives."""
        self.land("_SUCCESS", b"")
        self.come("landing", lives)

    def come(self, cause: str, lives: int = 0, interrupt: Any = None) -> None:
        """A message of the landings queue arrives: a landing, or a request with this cause."""
        trigger: Any = "landing" if cause == "landing" else "request"
        request = StartRequest(cause=cause, trigger=trigger, requested_by="x", at=self.now)
        with contextlib.suppress(Died):
            using = self.using(lives, interrupt)
            starting.note(MODEL, [request], using)
            starting.advance(MODEL, using)
        self.watch()

    def sweep(self, lives: int = 0) -> None:
        """The sweep runs; it may die at its call of this number. Without one, every failure is raised."""
        try:
            reconcile.handler({}, Context(), using=self.using(lives))
        except (Died, ExceptionGroup):
            if not lives:
                raise
        self.watch()

    def end_all(self, noticed: bool) -> None:
        """All executions end; their events arrive, or are lost."""
        for made in self.sagemaker.executions.values():
            if made["PipelineExecutionStatus"] == "Executing":
                arn = made["PipelineExecutionArn"]
                self.sagemaker.end(arn)
                if noticed:
                    executions.track(arn, self.using())

    def newest(self) -> str:
        """The identity of the batch that lies in the bucket now, whatever its marker."""
        using = self.using()
        return checksums.of_batch(bucket.list_batch(using.s3, "data", MODEL), (), using).identity

    def name_by_etags(self) -> None:
        """The batch in the bucket was started by an earlier version, which named it by its ETags."""
        identity, using = self.newest(), self.using()
        listing = bucket.list_batch(using.s3, "data", MODEL).listing
        self.items.facts[f"model#{MODEL}"]["state"] |= {"lastBatch": listing, "answeredBatch": listing}
        manifest = json.loads(self.s3._find(f"batches/{MODEL}/{identity}/manifest.json", None))
        body = json.dumps({**manifest, "batch": listing}).encode()
        self.s3.put_object(Key=f"batches/{MODEL}/{listing}/manifest.json", Body=body)

    def by_hand(self) -> None:
        """A person starts an execution in SageMaker, unless one runs or was taken."""
        state, _ = self.using().states.load(MODEL)
        if not self.executing() and state.running is None:
            token = f"by-hand-{len(self.sagemaker.executions)}".ljust(32, "-")
            self.sagemaker.start_pipeline_execution(
                PipelineName="handsoff-titanic", ClientRequestToken=token, PipelineParameters=[]
            )

    def executing(self) -> list[dict[str, Any]]:
        made = self.sagemaker.executions.values()
        return [item for item in made if item["PipelineExecutionStatus"] == "Executing"]

    def watch(self) -> None:
        self.running_at_once = max(self.running_at_once, len(self.executing()))

    def settle(self) -> None:
        """Deliver all requests again and sweep until nothing more happens."""
        for cause in sorted(self.wanted):
            if cause == "landing":
                self.mark()
            else:
                self.come(cause)
        for _ in range(12):
            self.now += timedelta(minutes=10)
            self.sweep()
            self.end_all(noticed=False)

    def started(self) -> list[dict[str, str]]:
        """The parameters of the executions that handsoff started."""
        return [
            {item["Name"]: item["Value"] for item in made["PipelineParameters"]}
            for made in self.sagemaker.executions.values()
            if made["PipelineParameters"]
        ]


BAD = b"pclass,survived,sex\n1,1,female\n1,0,male\n"
