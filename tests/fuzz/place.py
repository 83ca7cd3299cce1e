"""What is fuzzed: the page, Slack's endpoint and notify_slack, over one account in memory."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from notify_slack import handler as notify_slack
from retraining.config.schema import Approvers
from retraining.links import Links
from retraining.slack.client import Place as Message
from retraining.slack.endpoint import Endpoint
from tests.functions.fakes import Context
from tests.review.stage import HOST, Stage

APPROVER = "U0123ABCD"
SIGNING_SECRET = "the signing secret"
BASE = f"https://{HOST}/"


class QuietSlack:
    """The Slack client of notify_slack, without Slack: it takes every message and keeps none."""

    interactive = True
    signing_secret = SIGNING_SECRET
    api_url = None

    def post(self, *_: Any, **__: Any) -> Message:
        return Message("C0APPROVALS", "1.1")

    def update(self, *_: Any) -> bool:
        return True

    def answer(self, *_: Any) -> bool:
        return True


@dataclass
class Place:
    """One candidate that waits. `decided` tells what has been decided since the last `reset`."""

    stage: Stage = field(default_factory=Stage)
    handed: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = self.stage.configs.known["titanic"]
        approvers = Approvers(slack_channel="#ml-approvals", slack_users=(APPROVER,))
        self.stage.configs.known["titanic"] = config.model_copy(update={"approvers": approvers})
        self.stage.links = Links("a secret", BASE)
        self.stage.using = replace(self.stage.using, read_links=lambda: self.stage.links)
        self._facts = copy.deepcopy(self.stage.items.facts)
        self._packages = copy.deepcopy(self.stage.sagemaker.packages)

    def reset(self) -> None:
        """Let the candidate wait again, as at the beginning."""
        self.stage.items.facts = copy.deepcopy(self._facts)
        self.stage.sagemaker.packages = copy.deepcopy(self._packages)
        self.stage.sagemaker.updates.clear()

    @property
    def decided(self) -> tuple[str, ...]:
        """Statuses that were written, and decisions that were taken, of any package."""
        written = [call.get("ModelApprovalStatus", "metadata") for call in self.stage.sagemaker.updates]
        facts = self.stage.items.facts
        taken = [
            str(fact["status"])
            for key, fact in facts.items()
            if key.startswith("decision#") and fact != self._facts.get(key)
        ]
        return (*map(str, written), *taken)

    def http(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The response of review_candidate; a press that it hands on is handled at once."""
        endpoint = Endpoint(SIGNING_SECRET, lambda press: self.handed.append(dict(press)))
        answer = self.stage.answer(event, endpoint=endpoint)
        while self.handed:
            self.invoke(json.loads(json.dumps(self.handed.pop())))
        return dict(answer)

    def invoke(self, event: dict[str, Any]) -> None:
        """Invoke notify_slack. It may raise: an asynchronous event is then tried again, and kept."""
        client: Any = QuietSlack()
        notify_slack(
            event,
            Context(),
            using=self.stage.using,
            connect=lambda _patience: client,
            postpone=lambda _receipt, _seconds: None,
        )
