"""The commands failures and redrive, with SQS by moto and a Lambda that records its invocations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from typer.testing import CliRunner, Result

from handsoff import cli
from handsoff.commands import terminal
from handsoff.deployment import Deployment
from handsoff.errors import NotFound
from handsoff.operating import failures
from retraining.config.schema import Config

LANDED = {
    "source": "aws.s3",
    "detail": {"bucket": {"name": "data"}, "object": {"key": "curated/titanic/_SUCCESS"}},
}
ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic/execution/p4jn9xou8a8s"
ENDED = {
    "detail-type": "SageMaker Model Building Pipeline Execution Status Change",
    "detail": {"pipelineExecutionArn": ARN},
}
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:handsoff-track-execution"


def unhandled(event: Any, function: str = FUNCTION) -> str:
    """The record that Lambda sends to the failure queue after its last retry."""
    return json.dumps(
        {
            "version": "1.0",
            "requestContext": {"functionArn": f"{function}:$LATEST", "condition": "RetriesExhausted"},
            "requestPayload": event,
            "responsePayload": {"errorType": "KeyError", "errorMessage": "'ledger'"},
        }
    )


@dataclass
class Account:
    """The queues of a deployment, and the functions that were invoked in it."""

    deployment: Deployment
    urls: dict[str, str]
    invoked: list[dict[str, Any]] = field(default_factory=list)
    refuses: bool = False

    def put(self, queue: str, body: str, **attributes: str) -> None:
        """Put a message with these message attributes into a queue."""
        self.deployment.sqs.send_message(
            QueueUrl=self.urls[queue],
            MessageBody=body,
            MessageAttributes={
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        )

    def bodies(self, queue: str) -> list[str]:
        """What lies in a queue and can be received now. It is hidden from then on."""
        answer = self.deployment.sqs.receive_message(QueueUrl=self.urls[queue], MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def client(self, _name: str) -> Account:
        """Lambda's client: this object itself."""
        return self

    def invoke(self, **arguments: Any) -> None:
        """Record an invocation, or refuse it."""
        if self.refuses:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "Invoke")
        self.invoked.append(arguments)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(failures, "LONG_POLL", 0)  # moto has one server
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1")
        names = ("handsoff-landings", "handsoff-landings-failures", "handsoff-failures")
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in names}
        deployment = Deployment(Config.model_construct(models={}, prefix="handsoff"))
        made = Account(deployment, urls)
        deployment.__dict__.update(
            sqs=sqs,
            session=made,
            outputs={
                "LandingsQueue": urls["handsoff-landings"],
                "LandingsFailuresQueue": urls["handsoff-landings-failures"],
                "FailuresQueue": urls["handsoff-failures"],
            },
        )
        monkeypatch.setattr(terminal, "deployment", lambda: deployment)
        yield made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, [*arguments])


def listed() -> list[dict[str, Any]]:
    done = run("failures", "--json")
    assert done.exit_code == 0, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def without_times(messages: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    return [(one["queue"], one["what"], one["why"], one["sentAgain"]) for one in messages]


def test_failures_says_what_each_message_is_and_why_it_lies_there(account: Account) -> None:
    account.put("handsoff-landings-failures", json.dumps(LANDED))
    account.put("handsoff-failures", unhandled(ENDED))
    account.put(
        "handsoff-failures",
        json.dumps({"detail-type": "Scheduled Event", "time": "2026-11-23T06:10:00Z"}),
        TARGET_ARN="arn:aws:lambda:us-east-1:123456789012:function:handsoff-reconcile",
        ERROR_CODE="NO_PERMISSIONS",
        ERROR_MESSAGE="The rule may not invoke the function",
    )
    account.put("handsoff-failures", "not JSON")
    assert sorted(without_times(listed())) == [
        (
            "handsoff-failures",
            "SageMaker Model Building Pipeline Execution Status Change: execution p4jn9xou8a8s",
            "handsoff-track-execution failed: KeyError: 'ledger'",
            "to the function handsoff-track-execution",
        ),
        (
            "handsoff-failures",
            "a message of unknown form",
            "its sender is not known",
            "not possible, its receiver is not known",
        ),
        (
            "handsoff-failures",
            "the sweep of 2026-11-23T06:10:00Z",
            "not delivered to handsoff-reconcile: NO_PERMISSIONS The rule may not invoke the function",
            "to the function handsoff-reconcile",
        ),
        (
            "handsoff-landings-failures",
            "s3://data/curated/titanic/_SUCCESS landed",
            "received too often from handsoff-landings: its function's log says why",
            "to the queue handsoff-landings",
        ),
    ]


def test_failures_leaves_every_message_where_it_lies(account: Account) -> None:
    for number in range(25):
        account.put("handsoff-failures", unhandled({"detail-type": f"event {number}"}))
    assert len(listed()) == 25
    assert len(listed()) == 25


def test_failures_of_an_empty_deployment_says_so(account: Account) -> None:
    assert run("failures").stdout.strip() == "the failure queues are empty"
    assert run("redrive").stdout.strip() == "the failure queues are empty"
    assert account.invoked == []


def test_redrive_sends_each_message_to_its_receiver_and_empties_the_queues(account: Account) -> None:
    account.put("handsoff-landings-failures", json.dumps(LANDED))
    account.put("handsoff-failures", unhandled(ENDED))
    done = run("redrive")
    assert done.exit_code == 0, done.output
    assert account.bodies("handsoff-landings") == [json.dumps(LANDED)]
    assert account.invoked == [
        {
            "FunctionName": "handsoff-track-execution",
            "InvocationType": "Event",
            "Payload": json.dumps(ENDED).encode(),
        }
    ]
    assert listed() == []


def test_redrive_of_one_id_leaves_the_others(account: Account) -> None:
    account.put("handsoff-failures", unhandled({"detail-type": "first"}))
    account.put("handsoff-failures", unhandled({"detail-type": "second"}))
    first, second = listed()
    assert run("redrive", first["id"][:8]).exit_code == 0
    assert [one["id"] for one in listed()] == [second["id"]]


def test_redrive_keeps_what_its_receiver_refuses_and_says_why(account: Account) -> None:
    account.put("handsoff-failures", unhandled(ENDED))
    account.refuses = True
    done = run("redrive")
    assert done.exit_code == 1
    assert "not sent:" in done.stdout
    assert "gone" in done.stdout
    assert len(listed()) == 1


def test_redrive_sends_nothing_out_of_the_deployment(account: Account) -> None:
    other = "arn:aws:lambda:us-east-1:123456789012:function:payroll-run"
    account.put("handsoff-failures", unhandled({"detail-type": "x"}, other))
    done = run("redrive")
    assert done.exit_code == 1
    assert "payroll-run is not part of this deployment" in done.stdout
    assert account.invoked == []
    assert len(listed()) == 1


def test_redrive_remove_takes_a_message_away_and_sends_nothing(account: Account) -> None:
    account.put("handsoff-failures", "not JSON")
    (one,) = listed()
    assert run("redrive", "--remove").exit_code == 2
    assert run("redrive", "--remove", one["id"]).exit_code == 0
    assert (listed(), account.invoked) == ([], [])


@pytest.mark.usefixtures("account")
def test_redrive_names_an_id_that_no_message_has() -> None:
    problem = run("redrive", "feedbeef").exception
    assert isinstance(problem, NotFound)
    assert str(problem) == "no message feedbeef in the failure queues: `handsoff failures` lists them"


def test_failures_shows_no_markup_of_a_message(account: Account) -> None:
    account.put("handsoff-failures", unhandled({"detail-type": "[red]x[/]\x1b[2J"}))
    shown = run("failures").stdout
    assert "[red]x[/]" in shown
    assert "\x1b[2J" not in shown


def test_waiting_counts_the_messages_of_each_queue(account: Account) -> None:
    account.put("handsoff-failures", unhandled(ENDED))
    assert failures.waiting(account.deployment) == {"handsoff-failures": 1}


def event(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parents[2] / "events" / f"{name}.json").read_text())
    return found


TOLD = {"notificationId": "a" * 64, "kind": "waiting", "model": "titanic"}


@pytest.mark.parametrize(
    ("payload", "asks", "effect", "instead"),
    [
        (
            LANDED,
            "a look at the data of titanic, because curated/titanic/_SUCCESS landed",
            "looks at the data as it is then; a batch that was answered starts nothing more",
            "wait: the sweep finds data without its event; or `handsoff start titanic`",
        ),
        (
            ENDED,
            "a record of what has become of execution p4jn9xou8a8s",
            "records the execution as it is then",
            "wait: the sweep records its end; `handsoff evidence p4jn9xou8a8s` shows it now",
        ),
        (
            event("candidate_registered.pending"),
            "a verdict on the candidate handsoff-titanic/1",
            "judges it, unless it is judged or decided",
            "wait: the sweep judges it; or `handsoff approve handsoff-titanic/1` or `handsoff reject "
            "handsoff-titanic/1`",
        ),
        (
            event("package_decided.approved"),
            "a record of who decided on handsoff-titanic/1",
            "records the decision that stands then, unless it is recorded",
            "wait: the sweep records it; `handsoff explain handsoff-titanic/1` shows it",
        ),
        (
            {"Records": [{"Sns": {"Message": json.dumps(TOLD)}}]},
            "word in Slack about titanic: waiting",
            "tells it, unless it was told",
            "`handsoff notifications titanic` shows what it says; without either, Slack is not told",
        ),
        (
            event("start_retraining.request"),
            "an execution of titanic, for arn:aws:iam::123456789012:user/data-science-user (request "
            "request-6f1c2f0e-2a8a-4d5c-9a59-0d3f1f9f6c11)",
            "asks once more; a request that was answered starts nothing more",
            "`handsoff start titanic`: without either, the request is lost",
        ),
        (
            {"detail-type": "Scheduled Event", "time": "2026-11-23T06:10:00Z"},
            "the sweep that runs each minute",
            "runs one more sweep, unless one runs",
            "do nothing: the next sweep has done its work; remove it by `handsoff redrive --remove ID`",
        ),
        (
            {"source": "handsoff", "body": "payload=x"},
            "a decision by a button in Slack",
            "decides nothing if the button was pressed more than 15 minutes ago",
            "let the person press again, or decide by `handsoff approve` or `handsoff reject`",
        ),
        (
            "not JSON",
            "nothing that handsoff knows: the message has another form",
            "is tried by its receiver, and fails again unless the receiver has changed",
            "remove it: `handsoff redrive --remove ID`",
        ),
    ],
)
def test_failures_says_what_a_message_asks_for_what_redrive_does_and_what_else_helps(
    account: Account, payload: Any, asks: str, effect: str, instead: str
) -> None:
    account.put("handsoff-failures", unhandled(payload))
    (found,) = listed()
    assert (found["asks"], found["effect"], found["instead"]) == (asks, effect, instead)


def test_failures_says_it_in_words(account: Account) -> None:
    account.put("handsoff-landings-failures", json.dumps(LANDED))
    (found,) = listed()
    head, *lines = run("failures").stdout.splitlines()
    assert head.startswith(found["id"][:8])
    assert lines[:5] == [
        "  message   s3://data/curated/titanic/_SUCCESS landed",
        "  asks for  a look at the data of titanic, because curated/titanic/_SUCCESS landed",
        "  failed    received too often from handsoff-landings: its function's log says why",
        "  redrive   sends it to the queue handsoff-landings, which looks at the data as it is then; a batch "
        "that was answered starts nothing more",
        "  instead   wait: the sweep finds data without its event; or `handsoff start titanic`",
    ]
    account.put("handsoff-failures", "not JSON")
    unknown = next(one for one in listed() if one["queue"] == "handsoff-failures")
    shown = run("failures").stdout
    assert "  redrive   is not possible: the receiver is not known" in shown
    assert f"  instead   remove it: `handsoff redrive --remove {unknown['id'][:8]}`" in shown


def test_redrive_says_what_follows_and_tells_scripts_as_json(account: Account) -> None:
    account.put("handsoff-failures", unhandled(ENDED))
    assert run("redrive").stdout.endswith(
        " (SageMaker Model Building Pipeline Execution Status Change: execution p4jn9xou8a8s) "
        "to the function handsoff-track-execution, which records the execution as it is then\n"
    )
    account.put("handsoff-failures", unhandled(ENDED))
    account.refuses = True
    done = run("redrive", "--json")
    assert done.exit_code == 1
    (result,) = json.loads(done.stdout)
    assert (result["result"], result["sentAgain"]) == ("not sent", "to the function handsoff-track-execution")
    assert "gone" in result["why"]
    (one,) = listed()
    removed = json.loads(run("redrive", "--remove", one["id"], "--json").stdout)
    assert [(item["id"], item["result"], item["why"]) for item in removed] == [(one["id"], "removed", None)]
    assert json.loads(run("redrive", "--json").stdout) == []
