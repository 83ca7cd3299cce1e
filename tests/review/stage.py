"""A candidate for the review page, in an account in memory, and requests as a Function URL passes them on."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import review_candidate
from retraining.aws.ledger import Ledger
from retraining.aws.settings import Settings
from retraining.collaborators import Collaborators
from retraining.facts import keys
from retraining.links import Links
from retraining.review_page.http import Response
from retraining.verdicts.evaluation import parse_evaluation
from retraining.verdicts.judge import judge
from tests.functions.fakes import (
    ROOT,
    Configs,
    Context,
    FakeSageMaker,
    Pages,
    arn_of,
    package,
    titanic_config,
)
from tests.functions.memory import MemoryItems, MemoryS3

NOW = datetime.now(UTC).replace(microsecond=0)
HOST = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws"
EXECUTION = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic/execution/v7w8x9y0z1a2"
CANDIDATE = arn_of(7)
CHAMPION = arn_of(6)
PICTURES = "models/titanic/v7w8x9y0z1a2/pictures.json"
SAMPLE = (ROOT / "tests/samples/evaluation.json").read_text()


class Registry(FakeSageMaker):
    """A registry in which a landing started every execution."""

    def get_paginator(self, operation: str) -> Pages:
        if operation != "list_pipeline_parameters_for_execution":
            return super().get_paginator(operation)
        given = {"Trigger": "landing", "Batch": "5946"}
        parameters = [{"Name": name, "Value": value} for name, value in given.items()]
        return Pages(lambda **_: [{"PipelineParameters": parameters}])


class Stage:
    """One candidate that waits, five versions before it, and the link to its page."""

    def __init__(self, evaluation: str | None = SAMPLE) -> None:
        self.items = MemoryItems()
        self.sagemaker = Registry()
        self.s3 = MemoryS3(lambda: NOW)
        self.configs = Configs()
        self.links = Links("a secret", f"https://{HOST}/")
        self.using = Collaborators(
            settings=Settings(prefix="handsoff", bucket="data", table="ledger", topic="topic"),
            configs=self.configs,  # type: ignore[arg-type]
            s3=self.s3,  # type: ignore[arg-type]
            sagemaker=self.sagemaker,  # type: ignore[arg-type]
            sns=None,  # type: ignore[arg-type]
            events=None,  # type: ignore[arg-type]
            logs=None,  # type: ignore[arg-type]
            ledger=Ledger(self.items),
            clock=lambda: datetime.now(UTC),
        )
        self._run()
        self._before()
        self.put(CANDIDATE, "PendingManualApproval", NOW - timedelta(minutes=20))
        if evaluation is not None:
            folder = "models/titanic/v7w8x9y0z1a2"
            report = {"batch": "5946", "ignored_columns": ["name", "ticket"], "splits": {}}
            self.s3.put_object(Key=f"{folder}/evaluation.json", Body=evaluation.encode())
            self.s3.put_object(Key=f"{folder}/data_report.json", Body=json.dumps(report).encode())
        if evaluation == SAMPLE:
            self.s3.put_object(Key=PICTURES, Body=(ROOT / "tests/samples/pictures.json").read_bytes())
            self.judged()

    def _run(self) -> None:
        began = NOW - timedelta(minutes=29)
        self.sagemaker.execution |= {
            "PipelineArn": EXECUTION.rsplit("/execution/", 1)[0],
            "CreationTime": began,
            "LastModifiedTime": NOW - timedelta(minutes=20),
        }
        kinds = ("ProcessingJob", "TrainingJob", "ProcessingJob", "RegisterModel")
        names = ("DataPreProcessing", "TrainModel", "ModelEvaluation", "RegisterModel")
        for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
            arn = CANDIDATE if kind == "RegisterModel" else f"arn:aws:sagemaker:us-east-1:1:job/{name}"
            self.sagemaker.steps.append(
                {
                    "StepName": name,
                    "StepStatus": "Succeeded",
                    "StartTime": began + timedelta(seconds=131 * number),
                    "EndTime": began + timedelta(seconds=131 * number + (1 if number == 3 else 118)),
                    "Metadata": {kind: {"Arn": arn}},
                }
            )
        self.items.mark(f"execution#{EXECUTION}", {"cause": "landing"})

    def _before(self) -> None:
        decided = [
            ("Rejected", "rules", None, "REJECT by rules: accuracy: 0.7519, needs ≥ 0.78 → fail"),
            ("Approved", "rules", None, "APPROVE by rules: accuracy: 0.8092, needs ≥ 0.78 → pass"),
            ("Rejected", "superseded", None, "superseded by handsoff-titanic/4"),
            ("Rejected", "slack", "U0123ABCD (grace)", "recall of women is too low for the ferry line"),
            ("Approved", "link", "Ada Lovelace", "better on every slice that matters to us"),
        ]
        for version, (status, by, who, why) in enumerate(decided, 2):
            at = NOW - timedelta(days=7 * (7 - version))
            self.put(arn_of(version), status, at, decidedAt=(at + timedelta(hours=3)).isoformat())
            self.decided(arn_of(version), status, by, who, why, at=at + timedelta(hours=3))

    def put(self, arn: str, status: str, at: datetime, **metadata: str) -> None:
        """Put a package into the registry."""
        self.sagemaker.packages[arn] = package(
            arn,
            "s3://data/models/titanic/v7w8x9y0z1a2/evaluation.json",
            status,
            CreationTime=at,
            LastModifiedTime=at,
            CustomerMetadataProperties={"execution": EXECUTION, **metadata},
        )

    def decided(
        self, arn: str, status: str, by: str, who: str | None, why: str, *, at: datetime = NOW
    ) -> None:
        """Put a decision into the ledger."""
        fact = {"status": status, "by": by, "who": who, "why": why, "at": at.isoformat()}
        self.items.mark(keys.decision(arn).text, {**fact, "doneAt": at.isoformat()})

    def judged(self) -> None:
        """Judge the candidate, by rules of which one holds it."""
        approval = titanic_config().approval
        recall = approval.rules[2].model_copy(update={"min": 0.93})
        stricter = approval.model_copy(update={"rules": (*approval.rules[:2], recall, approval.rules[3])})
        verdict = judge(parse_evaluation(SAMPLE, source="sample"), stricter, arn_of(1))
        fact = {
            "verdict": verdict.model_dump(by_alias=True),
            "batch": "b",
            "takenAt": NOW.isoformat(),
            "doneAt": NOW.isoformat(),
        }
        self.items.mark(keys.verdict(CANDIDATE).text, fact)

    # ---- requests ----------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        return self.links.token(CANDIDATE)

    @property
    def status(self) -> str:
        return str(self.sagemaker.packages[CANDIDATE]["ModelApprovalStatus"])

    @property
    def decision(self) -> dict[str, Any] | None:
        return self.items.get(keys.decision(CANDIDATE).text)

    def answer(self, event: Mapping[str, Any], **more: Any) -> Response:
        """The handler's response."""
        given = {"using": self.using, "links": self.links, **more}
        return review_candidate.handler(dict(event), Context(), **given)

    def get(self, token: str | None = None, **changes: Any) -> Response:
        query = urlencode({"t": self.token if token is None else token})
        return self.answer(request("GET", "/review", query=query, **changes))

    def form(self, token: str | None = None) -> dict[str, str]:
        """The form's hidden fields, as a browser finds them on the page."""
        page = self.get(token)["body"]
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))

    def post(self, values: Mapping[str, str] | None = None, **changes: Any) -> Response:
        """The response to the form, filled in to approve; `values` replace fields."""
        filled = {"decision": "Approved", "name": "Ada Lovelace", "reason": "better on every slice"}
        body = urlencode({**self.form(), **filled, **(values or {})}).encode()
        return self.answer(request("POST", "/review", body=body, **changes))


def request(
    method: str,
    path: str,
    *,
    query: str = "",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    kind: str = "application/x-www-form-urlencoded",
) -> dict[str, Any]:
    """A request as a Function URL passes it on, in payload format 2.0; `headers` are added."""
    sent = {"host": HOST, "user-agent": "a browser", **(headers or {})}
    if body:
        sent.setdefault("content-type", kind)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": sent,
        "requestContext": {
            "accountId": "anonymous",
            "domainName": HOST,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "11111111-2222-3333-4444-555555555555",
            "stage": "$default",
        },
        "isBase64Encoded": bool(body),
        **({"body": base64.b64encode(body).decode()} if body else {}),
    }


def text_of(answer: Response) -> str:
    """What a person reads of a page."""
    body = answer["body"].partition("<body>")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def undecided(stage: Stage) -> bool:
    return stage.status == "PendingManualApproval" and stage.decision is None and not stage.sagemaker.updates
