"""Records what an earlier version leaves in an account: `python -P tests/upgrade/record.py CHECKOUT OUT`.

CHECKOUT is a work tree of that version, OUT a JSON file. The handlers of CHECKOUT run on its own fakes, and
leave each model in one state: an execution runs, a start was taken and not made, a candidate waits. Run it
outside of this project's folder. The recordings lie beside this file.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BEGIN = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
HEADER = "age,sibsp,parch,fare,pclass,sex,embarked,survived\n"
MODELS = (
    "asked",
    "bad",
    "decided",
    "failed",
    "held",
    "judged",
    "pending",
    "recorded",
    "registered",
    "running",
    "taken",
    "written",
)
"""One model for each state in which the upgrade may find one."""


class Story:
    """The account of the earlier version, and what happens in it."""

    def __init__(self, checkout: Path) -> None:
        sys.path[:0] = [str(checkout / "functions"), str(checkout)]
        here = Path(__file__).parents[1] / "functions" / "memory.py"
        spec = importlib.util.spec_from_file_location("memory_of_this_version", here)
        assert spec
        assert spec.loader
        memory = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(memory)
        self.fakes: Any = importlib.import_module("tests.functions.fakes")
        self.minutes = 0.0
        self.s3 = memory.MemoryS3(self.now)
        self.table = memory.MemoryTable()
        self.sagemaker = self.fakes.FakeSageMaker()
        self.sagemaker.clock = self.now
        self.told: list[dict[str, Any]] = []
        self.logs = memory.NoLogs()
        self.configs = self._configs(checkout)
        self.count = 0

    def now(self) -> datetime:
        """The time of the story."""
        return BEGIN + timedelta(minutes=self.minutes)

    def _configs(self, checkout: Path) -> Any:
        import yaml

        values = yaml.safe_load((checkout / "handsoff.yaml").read_text())["models"]["titanic"]
        values["approval"]["first_model"] = "rules_only"
        held = json.loads(json.dumps(values))
        held["approval"]["first_model"] = "hold"
        try:
            parse = importlib.import_module("retraining.config.schema").parse_config
        except ModuleNotFoundError:
            parse = importlib.import_module("retraining.config").parse_config
        models = {name: held if name in ("held", "decided") else values for name in MODELS}
        known = dict(parse({"prefix": "handsoff", "models": models}, source="record").models)
        return SimpleNamespace(names=lambda: sorted(known), get=lambda model, **_: known.get(model))

    def using(self, **wrapped: Any) -> Any:
        """The collaborators of the earlier version."""
        try:
            kind = importlib.import_module("retraining.starting").Starting
            ledger = importlib.import_module("retraining.ledger").Ledger(wrapped.get("table", self.table))
            settings = importlib.import_module("retraining.settings").Settings
        except ModuleNotFoundError:
            kind = importlib.import_module("retraining.collaborators").Collaborators
            items = importlib.import_module("retraining.aws.items").Items(wrapped.get("table", self.table))
            ledger = importlib.import_module("retraining.aws.ledger").Ledger(items)
            settings = importlib.import_module("retraining.aws.settings").Settings
        sns = SimpleNamespace(publish=self._publish)
        return kind(
            settings=settings(prefix="handsoff", bucket="data", table="ledger", topic="arn:aws:sns:r:1:t"),
            configs=self.configs,
            s3=wrapped.get("s3", self.s3),
            sagemaker=wrapped.get("sagemaker", self.sagemaker),
            sns=sns,
            events=self.fakes.FakeEvents(),
            logs=self.logs,
            ledger=ledger,
            clock=self.now,
        )

    def _publish(self, *, Message: str, **_: Any) -> None:
        self.told.append(json.loads(json.loads(Message)["default"]))

    def call(self, handler: str, event: dict[str, Any], **wrapped: Any) -> None:
        """Invoke a handler; where a wrapped client kills it, that is how the story goes on."""
        with contextlib.suppress(self.fakes.Died):
            importlib.import_module(handler).handler(event, self.fakes.Context(), using=self.using(**wrapped))

    def land(self, model: str, *, header: str = HEADER, marker: bool = True) -> None:
        """A delivery lands."""
        self.count += 1
        rows = f"22,1,0,{self.count},3,male,S,0\n38,1,0,71,1,female,C,1\n"
        for name in ("train.csv", "validation.csv"):
            self.s3.put_object(
                Bucket="data", Key=f"curated/{model}/{name}", Body=(header + rows + name[0]).encode()[:-1]
            )
        if marker:
            self.minutes += 0.1
            self.s3.put_object(Bucket="data", Key=f"curated/{model}/_SUCCESS", Body=b"")

    def message(self, body: dict[str, Any], **wrapped: Any) -> None:
        """The landings queue delivers one message."""
        self.call("start_retraining", {"Records": [{"messageId": "m", "body": json.dumps(body)}]}, **wrapped)

    def landed(self, model: str, **wrapped: Any) -> None:
        """The event of a marker arrives."""
        key = f"curated/{model}/_SUCCESS"
        self.message(
            {"source": "aws.s3", "detail": {"bucket": {"name": "data"}, "object": {"key": key}}}, **wrapped
        )

    def execution(self, model: str) -> str:
        """The ARN of the model's newest execution."""
        made = [it for it in self.sagemaker.executions.values() if it["PipelineName"] == f"handsoff-{model}"]
        return str(made[-1]["PipelineExecutionArn"])

    def started(self, model: str) -> str:
        """A delivery lands and starts an execution."""
        self.land(model)
        self.landed(model)
        self.minutes += 1
        return self.execution(model)

    def registered(self, model: str, **evaluated: Any) -> str:
        """An execution ends with a candidate; the candidate's ARN."""
        execution = self.started(model)
        arn = f"arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-{model}/1"
        folder = f"models/{model}/{execution.rsplit('/', 1)[-1]}"
        found = self.fakes.evaluation(**evaluated)
        found["handsoff"] |= {"model": model, "execution": execution}
        self.s3.put_object(Bucket="data", Key=f"{folder}/evaluation.json", Body=json.dumps(found).encode())
        self.sagemaker.packages[arn] = self.fakes.package(arn, f"s3://data/{folder}/evaluation.json") | {
            "ModelPackageGroupName": f"handsoff-{model}",
            "CreationTime": self.now(),
            "LastModifiedTime": self.now(),
            "InferenceSpecification": {"Containers": [{"ModelDataUrl": f"s3://data/{folder}/model.tar.gz"}]},
            "CustomerMetadataProperties": {"execution": execution},
        }
        step = {
            "StepName": "RegisterModel",
            "StepStatus": "Succeeded",
            "StartTime": self.now(),
            "EndTime": self.now(),
            "Metadata": {"RegisterModel": {"Arn": arn}},
        }
        self.sagemaker.steps_of[execution] = [step]
        self.sagemaker.end(execution)
        return arn

    def judge(self, arn: str, **wrapped: Any) -> None:
        """The event that the candidate is registered arrives."""
        event = self.fakes.event("candidate_registered.pending")
        event["detail"]["ModelPackageArn"] = arn
        self.call("judge_candidate", event, **wrapped)

    def record(self, arn: str) -> None:
        """The event that the candidate is decided arrives."""
        event = self.fakes.event("package_decided.approved")
        event["detail"] |= {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"}
        event["detail"].pop("LastModifiedTime", None)
        self.call("record_decision", event)

    def dies(self, client: Any, only: str, *, after: bool = False) -> Any:
        """A client whose first call of this name is the last one."""
        return self.fakes.Mortal(client, [1], after=after, only=only)


def tell(story: Story) -> None:
    """Bring each model to its state."""
    story.started("running")
    story.started("pending")
    story.land("pending")
    story.landed("pending")
    story.land("taken")
    story.landed("taken", sagemaker=story.dies(story.sagemaker, "start_pipeline_execution"))
    story.land("bad", header=HEADER.replace("age", "aeg"))
    story.landed("bad", s3=story.dies(story.s3, "copy_object"))
    story.started("asked")
    asked = {
        "model": "asked",
        "cause": "request-1",
        "trigger": "request",
        "requestedBy": "arn:aws:iam::1:user/ana",
    }
    story.message({"source": "handsoff", "detail": asked})
    failed = story.started("failed")
    story.sagemaker.steps_of[failed] = []
    story.sagemaker.end(failed, "Failed")
    story.registered("registered")
    story.judge(story.registered("held"))
    story.judge(story.registered("judged"), sagemaker=story.dies(story.sagemaker, "update_model_package"))
    story.judge(story.registered("written"))
    recorded = story.registered("recorded")
    story.judge(recorded)
    story.record(recorded)
    _decide(story, story.registered("decided"))


def _decide(story: Story, arn: str) -> None:
    """A person decides by the command, which dies before it writes that on the package."""
    story.judge(arn)
    try:
        decisions = importlib.import_module("retraining.candidates.decisions")
    except ModuleNotFoundError:
        decisions = importlib.import_module("retraining.decisions")
    using = story.using(sagemaker=story.dies(story.sagemaker, "update_model_package"))
    try:
        decisions.decide(
            arn, "Approved", by="operator", who="arn:aws:iam::1:user/ana", why="it is good", using=using
        )
    except story.fakes.Died:
        return
    raise AssertionError("the command was to die")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, Decimal):
        return {"number": int(value)}
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError(type(value))


def main(checkout: str, out: str) -> None:
    """Tell the story and write what it left."""
    story = Story(Path(checkout).resolve())
    tell(story)
    left: dict[str, Any] = {
        "minutes": story.minutes,
        "items": dict(sorted(story.table.items.items())),
        "versions": story.s3.versions,
        "count": story.s3.count,
        "executions": story.sagemaker.executions,
        "steps": story.sagemaker.steps_of,
        "packages": story.sagemaker.packages,
        "told": story.told,
    }
    text = json.dumps(left, default=_plain, indent=1, ensure_ascii=False)
    # Version 0.1 reads the real clock for the time of a request: it becomes the end of the story.
    text = re.sub(rf"{datetime.now(UTC):%Y-%m-%d}T[0-9:.]+Z", f"{story.now():%Y-%m-%dT%H:%M:%SZ}", text)
    Path(out).write_text(text + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
