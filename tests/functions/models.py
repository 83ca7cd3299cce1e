"""Three models in one account, with handlers around them and a clock that the test moves."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import reconcile
import start_retraining
from retraining.collaborators import Collaborators
from tests.functions.fakes import START, Context, event, titanic_config
from tests.functions.world import World

MODELS = ("ant", "bee", "cat")
HEADER = b"pclass,survived,sex,age,sibsp,parch,fare,embarked\n"
ROWS = b"1,1,female,29,0,0,211.3,S\n3,0,male,,0,0,7.9,Q\n"


class Models:
    """Three models in one account, with a clock that only the test and a slow model move."""

    def __init__(self) -> None:
        self.now = START
        self.world = World.empty()
        self.world.configs.known = dict.fromkeys(MODELS, titanic_config())
        self.world.s3._inner.clock = lambda: self.now  # type: ignore[attr-defined]
        self.world.sagemaker.clock = lambda: self.now
        self.slow: dict[str, timedelta] = {}

    def __getattr__(self, name: str) -> Any:
        """S3 itself; a call about a slow model takes its time."""
        found = getattr(self.world.s3._inner, name)  # type: ignore[attr-defined]
        if name == "get_paginator":
            return lambda operation: _Pages(found(operation), self)

        def call(**given: Any) -> Any:
            self.spend(str(given.get("Key", given.get("Prefix", ""))))
            return found(**given)

        return call

    def spend(self, key: str) -> None:
        for model, time in self.slow.items():
            if f"/{model}/" in key:
                self.now += time

    def using(self, **wrapped: Any) -> Collaborators:
        wrapped = {"s3": self, "clock": lambda: self.now, **wrapped}
        return self.world.using(Collaborators, **wrapped)

    def put(self, model: str, name: str, body: bytes = HEADER + ROWS) -> dict[str, Any]:
        """Put an object below a model's prefix; the message that the landings queue gets."""
        key = f"curated/{model}/{name}"
        self.world.s3.put_object(Bucket="data", Key=key, Body=body)
        detail = {"bucket": {"name": "data"}, "object": {"key": key}}
        return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}

    def land(self, model: str) -> dict[str, Any]:
        self.put(model, "train.csv")
        self.put(model, "validation.csv")
        return self.put(model, "_SUCCESS", b"")

    def deliver(self, *messages: dict[str, Any], using: Collaborators | None = None) -> list[str]:
        """Hand these messages over; those that failed."""
        (record,) = event("start_retraining.landing")["Records"][:1]
        records = [
            {**record, "messageId": f"m{number}", "body": json.dumps(body)}
            for number, body in enumerate(messages)
        ]
        answer = start_retraining.handler({"Records": records}, Context(), using=using or self.using())
        return [item["itemIdentifier"] for item in answer["batchItemFailures"]]

    def note(self, *models: str) -> None:
        """Let batches have landed, and their requests been noted and not answered."""
        broken = self.using()
        self.world.configs.broken = True
        assert self.deliver(*[self.land(model) for model in models], using=broken) == []
        self.world.configs.broken = False
        assert self.started() == []

    def sweep(self) -> None:
        reconcile.handler({}, Context(), using=self.using())

    def started(self) -> list[str]:
        """The models that have an execution."""
        made = self.world.sagemaker.executions.values()
        return sorted(one["PipelineName"].removeprefix("handsoff-") for one in made)


class _Pages:
    def __init__(self, inner: Any, models: Models) -> None:
        self._inner, self._models = inner, models

    def paginate(self, **call: Any) -> Any:
        self._models.spend(call["Prefix"])
        return self._inner.paginate(**call)
