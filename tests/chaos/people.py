"""What people do meanwhile: they delete, stop, retry, rename, approve, ask for starts and change configs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from html import unescape
from random import Random
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from retraining.aws import registry
from retraining.candidates import anchoring, decisions
from retraining.config.schema import ModelConfig, dump_model
from retraining.facts import keys
from retraining.facts.starts import Released
from retraining.starts import quarantine
from retraining.starts.batches import DataObject
from tests.chaos.account import UNCOPIED, Bucket
from tests.chaos.clock import Task
from tests.chaos.slack import press

if TYPE_CHECKING:
    from tests.chaos.runner import Run

STRANGER = "U0999WXYZ"
ANA = "arn:aws:sts::123456789012:assumed-role/people/ana"


class People:
    """Draws what somebody does next, and does it."""

    def __init__(self, run: Run, rng: Random) -> None:
        self._run, self._rng = run, rng
        self.count: Counter[str] = Counter()
        self.requests: list[tuple[str, str]] = []
        self.changed: Counter[str] = Counter()
        self.anchors: list[tuple[str, str]] = []
        self._acts: dict[str, tuple[int, Callable[[str], bool]]] = {
            "ask for a start": (4, self._ask),
            "start in SageMaker": (1, self._start_bare),
            "stop": (2, self._stop),
            "retry": (4, self._retry),
            "rename": (2, self._rename),
            "decide in console": (4, self._console),
            "set back": (2, self._set_back),
            "decide by link": (4, self._link),
            "decide by command": (2, self._command),
            "press in Slack": (4, self._press),
            "press in Slack by another": (1, self._press_by_another),
            "press that Slack has not signed": (1, self._press_unsigned),
            "delete package": (1, self._delete_package),
            "delete version": (3, self._delete_version),
            "delete key": (2, self._delete_key),
            "delete pipeline": (1, self._delete_pipeline),
            "config invalid": (3, self._config_invalid),
            "config removed": (2, self._config_removed),
            "config changed": (2, self._config_changed),
            "secret deleted": (1, self._secret_deleted),
            "slack away": (3, self._slack_away),
            "tokens forgotten": (1, self._tokens_forgotten),
            "release": (2, self._release),
        }

    def act(self) -> None:
        """Somebody does something to a model."""
        model = self._rng.choice(self._run.models)
        kind = self._rng.choices(list(self._acts), [weight for weight, _ in self._acts.values()])[0]
        if self._acts[kind][1](model):
            self.count[kind] += 1
            self._run.trace(f"somebody: {kind} ({model})")

    # ---- starts and executions ----------------------------------------------------------------------------

    def _ask(self, model: str) -> bool:
        cause = f"request-{len(self.requests)}"
        self.requests.append((model, cause))
        self._run.events.request(model, cause, "request", ANA)
        return True

    def _start_bare(self, model: str) -> bool:
        sagemaker = self._run.account.sagemaker
        name = f"handsoff-{model}"
        if name not in sagemaker.pipelines:
            return False
        sagemaker.start_pipeline_execution(
            PipelineName=name, ClientRequestToken=f"bare-{len(sagemaker.trained)}"
        )
        return True

    def _execution(self, model: str, *statuses: str) -> str | None:
        found = [
            made["PipelineExecutionArn"]
            for made in self._run.account.sagemaker.executions.values()
            if made["PipelineName"] == f"handsoff-{model}" and made["PipelineExecutionStatus"] in statuses
        ]
        return self._rng.choice(found) if found else None

    def _to_execution(self, model: str, do: Callable[[str], None], *statuses: str) -> bool:
        arn = self._execution(model, *statuses)
        if arn:
            do(arn)
        return arn is not None

    def _stop(self, model: str) -> bool:
        return self._to_execution(model, self._run.account.sagemaker.stop, "Executing")

    def _retry(self, model: str) -> bool:
        if self._execution(model, "Executing"):  # a person looks whether one runs
            return False
        return self._to_execution(model, self._run.account.sagemaker.retry, "Failed")

    def _rename(self, model: str) -> bool:
        return self._to_execution(
            model, self._run.account.sagemaker.rename, "Failed", "Succeeded", "Executing"
        )

    def _delete_pipeline(self, model: str) -> bool:
        name = f"handsoff-{model}"
        self._run.account.sagemaker.delete_pipeline(name)
        self._later(lambda: self._run.account.sagemaker.pipelines.add(name))
        return True

    def _tokens_forgotten(self, model: str) -> bool:
        del model
        self._run.account.sagemaker.forget_tokens()
        return True

    # ---- candidates ---------------------------------------------------------------------------------------

    def _package(self, model: str, *statuses: str) -> str | None:
        found = [
            arn
            for arn, it in self._run.account.sagemaker.packages.items()
            if it["ModelPackageGroupName"] == f"handsoff-{model}" and it["ModelApprovalStatus"] in statuses
        ]
        return self._rng.choice(found) if found else None

    def _console(self, model: str) -> bool:
        arn = self._package(model, "PendingManualApproval", "Approved")
        if arn:
            status = self._rng.choice(["Approved", "Rejected"])
            self._run.account.sagemaker.decide_in_console(arn, status, ANA)
        return arn is not None

    def _set_back(self, model: str) -> bool:
        arn = self._package(model, "Approved", "Rejected")
        if arn:
            self._run.account.sagemaker.decide_in_console(arn, "PendingManualApproval", ANA)
        return arn is not None

    def _delete_package(self, model: str) -> bool:
        arn = self._package(model, "PendingManualApproval", "Approved", "Rejected")
        if arn:
            sagemaker = self._run.account.sagemaker
            del sagemaker.packages[arn]
            sagemaker.history.append((self._run.clock.seconds, arn, "Deleted"))
        return arn is not None

    def _command(self, model: str) -> bool:
        arn, status = (
            self._package(model, "PendingManualApproval"),
            self._rng.choice(["Approved", "Rejected"]),
        )
        if arn is None:
            return False
        functions = self._run.functions

        def body(task: Task) -> None:
            using = functions.collaborators(task)
            decisions.decide(arn, status, by="operator", who=ANA, why="by command", using=using)  # type: ignore[arg-type]

        self._run.clock.spawn(f"command-{arn[-3:]}", body, timeout=60.0, then=lambda _: None)
        return True

    def move_anchor(self, model: str, rng: Random) -> None:
        """Move the anchor to one of the approved packages, as `handsoff anchor` does."""
        approved = [
            arn
            for arn, it in self._run.account.sagemaker.packages.items()
            if it["ModelPackageGroupName"] == f"handsoff-{model}" and it["ModelApprovalStatus"] == "Approved"
        ]
        if not approved:
            return
        arn, functions = rng.choice(approved), self._run.functions
        self.anchors.append((model, arn))
        self.count["move anchor"] += 1
        self._run.trace(f"somebody: move anchor ({model})")

        def body(task: Task) -> None:
            using = functions.collaborators(task)
            to = registry.package(using.sagemaker, arn)
            anchoring.move(model, to, who=ANA, why="by command", using=using)

        self._run.clock.spawn(f"anchor-{arn[-3:]}", body, timeout=60.0, then=lambda _: None)

    def _link(self, model: str) -> bool:
        """Open the page that a notification links to, and send its form."""
        told = [
            it.body
            for it in self._run.account.topic.taken
            if it.body["model"] == model and it.body["reviewUrl"]
        ]
        if not told:
            return False
        token = parse_qs(urlsplit(self._rng.choice(told[-3:])["reviewUrl"]).query)["t"][0]
        status = self._rng.choice(["Approved", "Rejected"])

        def opened(task: Task, answer: Any) -> None:
            found = dict(re.findall(r'name="(t|form)" value="([^"]*)"', (answer or {}).get("body", "")))
            if task.error is None and "form" in found:
                form = {name: unescape(value) for name, value in found.items()}
                form |= {"decision": status, "name": "Ana", "reason": "it looks right"}
                self._run.functions.invoke(
                    "review_candidate", _http("POST", urlencode(form)), lambda *_: None
                )

        self._run.functions.invoke("review_candidate", _http("GET", query=urlencode({"t": token})), opened)
        return True

    def _press(self, model: str, **other: Any) -> bool:
        """Press a button of a candidate's message; Lambda tries again what fails."""
        arn = self._package(model, "PendingManualApproval", "Approved")
        if arn is None or not self._told_of(arn):
            return False
        event = press(arn, self._rng.choice(["approve", "reject"]), self._run.clock.now(), **other)
        self._run.functions.invoke("notify_slack", event, _not_retried if other.get("forged") else None)
        return True

    def _press_by_another(self, model: str) -> bool:
        return self._press(model, user=STRANGER)

    def _press_unsigned(self, model: str) -> bool:
        return self._press(model, forged=True)

    def _told_of(self, arn: str) -> bool:
        return any(it.body["modelPackageArn"] == arn for it in self._run.account.topic.taken)

    # ---- data ---------------------------------------------------------------------------------------------

    def _key(self, model: str) -> str | None:
        bucket = self._run.account.bucket
        found = [key for key, it in bucket.versions.items() if key.startswith(f"curated/{model}/") and it]
        return self._rng.choice(found) if found else None

    def _delete_version(self, model: str) -> bool:
        key = self._key(model)
        if key:
            version = self._run.account.bucket.versions[key][-1][0]
            self._run.account.bucket.delete_object(Key=key, VersionId=version)
            self._run.account.bucket.leave(key)
            self._run.account.bucket.thinned.add(model)
        return key is not None

    def _delete_key(self, model: str) -> bool:
        key = self._key(model)
        if key:
            self._run.account.bucket.delete_object(Key=key)
            self._run.account.bucket.leave(key)
        return key is not None

    def _release(self, model: str) -> bool:
        """What `handsoff release` does with a file that has not been replaced."""
        bucket, ledger = self._run.account.bucket, self._run.account.ledger
        ending = quarantine.REPORT_SUFFIX
        keys_ = [
            key for key in bucket.versions if key.startswith(f"quarantine/{model}/") and key.endswith(ending)
        ]
        reports = {key.removesuffix(ending): json.loads(bucket.text(key) or "{}") for key in keys_}
        found = {
            place: it
            for place, it in reports.items()
            if it and _can_be_copied(it["key"], bucket) and bucket.text(it["key"]) is None
        }
        if not found:
            return False
        place = self._rng.choice(list(found))
        report = found[place]
        file = DataObject(report["key"], report["versionId"], report["etag"], report["size"])
        released = Released(by=ANA, at=self._run.clock.now())
        ledger.take(keys.released(model, file.etag, file.key), released)
        copied = report.get("notCopied") is None
        quarantine.release(cast("Any", bucket), "data", file, place, copied=copied, current=None)
        bucket.leave(file.key)
        self._run.producers[model].mark()
        return True

    # ---- what is configured -------------------------------------------------------------------------------

    def _later(self, do: Callable[[], None]) -> None:
        self._run.restore.append(do)
        self._run.clock.after(self._rng.choice([70.0, 600.0, 3000.0]), do)

    def _config(self, model: str, text: str | None) -> bool:
        texts = self._run.account.parameters.texts
        if text is None:
            texts.pop(model, None)
        else:
            texts[model] = text
        self._later(lambda: texts.__setitem__(model, dump_model(self._run.configs[model])))
        return True

    def _config_invalid(self, model: str) -> bool:
        return self._config(model, '{"task": "binary_classification"}')

    def _config_removed(self, model: str) -> bool:
        return self._config(model, None)

    def _config_changed(self, model: str) -> bool:
        """Shorten the time that a candidate may wait, for good."""
        self.changed[model] += 1
        values = self._run.configs[model].model_dump(mode="json", exclude_none=True)
        values["approval"] |= {"remind_after": "20m", "expire_after": "40m"}
        self._run.configs[model] = ModelConfig.model_validate(values)
        self._run.account.parameters.texts[model] = dump_model(self._run.configs[model])
        return True

    def _secret_deleted(self, model: str) -> bool:
        del model
        account = self._run.account
        secret, account.secret = account.secret, None
        if secret:
            self._later(lambda: setattr(account, "secret", secret))
        return secret is not None

    def _slack_away(self, model: str) -> bool:
        del model
        channel = self._run.account.channel
        channel.away = True
        self._later(lambda: setattr(channel, "away", False))
        return True


def _can_be_copied(key: str, bucket: Bucket) -> bool:
    return key not in bucket.archived and not key.endswith(UNCOPIED)


def _not_retried(_task: Task, _answer: Any) -> None:
    """What follows where a message in the failure queue would be right for ever."""


def _http(method: str, body: str = "", query: str = "") -> dict[str, Any]:
    """A request to the Function URL."""
    return {
        "version": "2.0",
        "rawPath": "/review",
        "rawQueryString": query,
        "headers": {
            "host": "review.example.com",
            "content-type": "application/x-www-form-urlencoded",
            "origin": "https://review.example.com",
            "sec-fetch-site": "same-origin",
        },
        "requestContext": {
            "http": {"method": method, "path": "/review", "sourceIp": "1.2.3.4"},
            "domainName": "review.example.com",
        },
        "body": body,
        "isBase64Encoded": False,
    }
