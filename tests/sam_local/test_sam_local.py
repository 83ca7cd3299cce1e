"""Every function with every file in events/ that belongs to it, in the order in which they come in life."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from handsoff.deploying import containers
from handsoff.errors import NotInvocable
from retraining.facts import keys
from retraining.links import Links
from tests.loop.conftest import ROOT, TITANIC, wait
from tests.loop.visitors import fields
from tests.sam_local.conftest import APPROVERS, EVENT_EXECUTION, Containers
from tests.slack.channel import pressing

pytestmark = pytest.mark.story

GROUP = "arn:aws:sagemaker:us-east-1:123456789012:model-package/handsoff-titanic"
FIRST, SECOND, THIRD = (f"{GROUP}/{number}" for number in (1, 2, 3))
PIPELINE = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic"
REQUEST = "request-6f1c2f0e-2a8a-4d5c-9a59-0d3f1f9f6c11"
HOLDING = {"rules": [{"metric": "recall", "min": 0.99, "on_fail": "hold"}]}


def the(app: Containers, status: str | None = None) -> str:
    """The id of the newest execution, which ended so."""
    found = [one for one in app.executions() if status in (None, one.status)]
    return found[0].arn.rsplit("/", 1)[-1]


def test_landing_starts_one_execution(app: Containers) -> None:
    app.loop.land("titanic", (TITANIC / "train.csv").read_bytes())
    app.held.enter_context(app.loop.preprocessing_held())
    assert app.executions() == []
    assert app.invoke("StartRetraining", "start_retraining.landing").payload == {"batchItemFailures": []}
    (execution,) = app.executions()
    running = (app.fact("model#titanic") or {})["state"]["running"]
    assert running["executionArn"] == execution.arn
    assert [(request["trigger"], request["requestedBy"]) for request in running["requests"]] == [
        ("landing", "s3")
    ]


def test_unreadable_message_is_returned_and_starts_nothing(app: Containers) -> None:
    answer = app.invoke("StartRetraining", "start_retraining.unreadable")
    assert answer.payload == {"batchItemFailures": [{"itemIdentifier": "059f36b4-87a3-44ab-83d2-661970"}]}
    assert '"message":"message cannot be read"' in answer.log
    assert len(app.executions()) == 1


def test_request_during_an_execution_waits(app: Containers) -> None:
    assert app.invoke("StartRetraining", "start_retraining.request").payload == {"batchItemFailures": []}
    (request,) = (app.fact("model#titanic") or {})["state"]["pending"]
    assert (request["cause"], request["trigger"]) == (REQUEST, "request")
    assert request["requestedBy"] == "arn:aws:iam::123456789012:user/data-science-user"
    assert len(app.executions()) == 1


def test_started_execution_is_recorded(app: Containers) -> None:
    arn = f"{PIPELINE}/execution/{the(app)}"
    assert "status" not in (app.fact(f"execution#{arn}") or {})
    answer = app.invoke("TrackExecution", "execution_changed.started", execution=the(app))
    assert answer.payload is None
    found = app.fact(f"execution#{arn}") or {}
    assert (found["status"], found["steps"]) == ("Executing", {"DataPreProcessing": "Executing"})


def test_unknown_execution_records_nothing(app: Containers) -> None:
    answer = app.invoke("TrackExecution", "execution_changed.started")
    assert answer.payload is None
    assert EVENT_EXECUTION in answer.log
    assert app.fact(f"execution#{PIPELINE}/execution/{EVENT_EXECUTION}") is None


def test_ended_step_is_recorded(app: Containers) -> None:
    app.held.close()
    arn = f"{PIPELINE}/execution/{the(app)}"
    app.ended(arn)
    app.invoke("TrackExecution", "execution_changed.step_succeeded", execution=the(app))
    assert (app.fact(f"execution#{arn}") or {})["steps"] == {
        "DataPreProcessing": "Succeeded",
        "TrainModel": "Succeeded",
        "ModelEvaluation": "Succeeded",
        "RegisterModel": "Succeeded",
    }


def test_ended_execution_is_recorded_with_its_evidence(app: Containers) -> None:
    app.loop.deployment.s3.delete_object(Bucket=app.loop.deployment.bucket, Key=evidence(app))
    app.invoke("TrackExecution", "execution_changed.succeeded", execution=the(app))
    assert (app.fact(f"execution#{PIPELINE}/execution/{the(app)}") or {})["status"] == "Succeeded"
    assert json.loads(read(app, evidence(app)))["pipelineExecutionStatus"] == "Succeeded"


def test_annotated_candidate_is_left_unchanged(app: Containers) -> None:
    app.invoke("JudgeCandidate", "candidate_registered.annotated", execution=the(app))
    assert app.package(FIRST)["ModelApprovalStatus"] == "PendingManualApproval"
    assert app.fact(keys.verdict(FIRST).text) is None


def test_pending_candidate_is_judged(app: Containers) -> None:
    assert app.invoke("JudgeCandidate", "candidate_registered.pending").payload is None
    assert (app.fact(keys.verdict(FIRST).text) or {})["verdict"]["decision"] == "APPROVE"
    assert app.package(FIRST)["ModelApprovalStatus"] == "Approved"
    assert app.loop.told("titanic", "approved")["modelPackageArn"] == FIRST


def test_approval_is_recorded(app: Containers) -> None:
    assert "recordedAt" not in (app.fact(keys.decision(FIRST).text) or {})
    app.invoke("RecordDecision", "package_decided.approved", execution=the(app))
    assert "recordedAt" in (app.fact(keys.decision(FIRST).text) or {})
    assert json.loads(read(app, evidence(app)))["modelApprovalStatus"] == "Approved"


def test_reconcile_starts_the_pending_request(app: Containers) -> None:
    """And the rules changed meanwhile: what is registered from now on is left to a person."""
    ssm = app.loop.deployment.session.client("ssm")
    name = "/handsoff/models/titanic"
    config = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"]) | {"approval": HOLDING}
    ssm.put_parameter(Name=name, Value=json.dumps(config), Overwrite=True)
    assert app.invoke("Reconcile", "each_minute").payload is None
    assert len(app.executions()) == 2
    state = (app.fact("model#titanic") or {})["state"]
    assert state["pending"] == []
    assert state["running"]["requests"][0]["cause"] == REQUEST
    app.ended(f"{PIPELINE}/execution/{the(app)}")


def test_held_candidate_waits_for_a_person(app: Containers) -> None:
    app.invoke("JudgeCandidate", "candidate_registered.pending", package=SECOND.split(":", 5)[-1])
    assert (app.fact(keys.verdict(SECOND).text) or {})["verdict"]["decision"] == "HOLD"
    assert app.package(SECOND)["ModelApprovalStatus"] == "PendingManualApproval"
    told = app.loop.told("titanic", "waiting")
    assert told["modelPackageArn"] == SECOND
    assert told["reviewUrl"].startswith(app.loop.deployment.outputs["ReviewUrl"])


def test_waiting_candidate_is_posted_in_slack(app: Containers) -> None:
    answer = app.invoke("NotifySlack", "notify_slack.waiting", package=SECOND.split(":", 5)[-1])
    assert answer.payload == {"batchItemFailures": []}
    (message,) = app.slack.messages()
    assert "titanic" in message["text"]
    assert '"approve"' in json.dumps(message["blocks"])
    assert (app.fact(f"slack#{SECOND}") or {})["ts"] == message["ts"]


def test_failure_is_posted_in_slack(app: Containers) -> None:
    app.invoke("NotifySlack", "notify_slack.failed")
    assert "AlgorithmError: exit code 1" in json.dumps(app.slack.messages()[-1])
    assert len(app.slack.messages()) == 2


def link(app: Containers, arn: str) -> str:
    """The token of a link that this deployment would send now."""
    session = app.loop.deployment.session
    found = session.client("cloudformation").describe_stack_resource(
        StackName="handsoff", LogicalResourceId="LinkSecret"
    )["StackResourceDetail"]
    secret = session.client("secretsmanager").get_secret_value(SecretId=found["PhysicalResourceId"])
    return Links(secret["SecretString"], "https://nowhere/").token(arn)


def test_link_with_a_foreign_signature_shows_nothing(app: Containers) -> None:
    answer = app.invoke("ReviewCandidate", "review_candidate.page")
    assert answer.payload["statusCode"] == 403
    assert "titanic" not in answer.payload["body"]


def test_link_of_a_model_with_a_foreign_signature_shows_nothing(app: Containers) -> None:
    answer = app.invoke("ReviewCandidate", "review_candidate.model")
    assert answer.payload["statusCode"] == 403
    assert "versions" not in answer.payload["body"]


def test_page_shows_the_candidate_and_its_form_decides(app: Containers) -> None:
    token = link(app, SECOND)
    shown = app.invoke("ReviewCandidate", "review_candidate.page", query=urlencode({"t": token})).payload
    assert (shown["statusCode"], shown["headers"]["cache-control"]) == (200, "no-store")
    assert "recall" in shown["body"]
    typed = {"decision": "Approved", "name": "Ada Lovelace", "reason": "better on every slice"}
    form = urlencode({**fields(shown["body"]), **typed}).encode()
    sent = app.invoke("ReviewCandidate", "review_candidate.decision", form=base64.b64encode(form).decode())
    assert sent.payload["statusCode"] == 303
    assert app.package(SECOND)["ModelApprovalStatus"] == "Approved"
    decided = app.fact(keys.decision(SECOND).text) or {}
    assert (decided["by"], decided["who"], decided["why"]) == (
        "link",
        "Ada Lovelace",
        "better on every slice",
    )


def test_form_without_a_shown_page_decides_nothing(app: Containers) -> None:
    answer = app.invoke("ReviewCandidate", "review_candidate.decision")
    assert answer.payload["statusCode"] == 403


def test_slack_button_without_signature_is_refused(app: Containers) -> None:
    before = app.slack.answers[:]
    answer = app.invoke("ReviewCandidate", "review_candidate.slack")
    assert answer.payload["statusCode"] == 401
    assert app.slack.answers == before


def pressed(app: Containers, at: datetime) -> dict[str, str]:
    """What Slack signs of a press of Approve on THIRD at this time."""
    press = pressing(app.slack, THIRD, at=at)["slackPress"]
    return {
        "press": press["body"],
        **{name.rpartition("-")[2]: text for name, text in press["headers"].items()},
    }


def test_slack_button_decides_unless_it_is_old(app: Containers) -> None:
    app.run()
    app.invoke("NotifySlack", "notify_slack.decision", **pressed(app, datetime.now(UTC) - timedelta(hours=1)))
    assert "too long ago" in json.dumps(app.slack.answers[-1])
    assert app.package(THIRD)["ModelApprovalStatus"] == "PendingManualApproval"
    now = datetime.now(UTC) - timedelta(seconds=5)
    app.invoke("NotifySlack", "notify_slack.decision", **pressed(app, now))
    assert app.package(THIRD)["ModelApprovalStatus"] == "Approved"
    decided = app.fact(keys.decision(THIRD).text) or {}
    assert (decided["by"], decided["why"]) == ("slack", "it is better where it matters")
    assert APPROVERS["slack_users"][0] in decided["who"]


def test_rejection_in_the_console_is_recorded_and_notified(app: Containers) -> None:
    app.loop.deployment.sagemaker.update_model_package(
        ModelPackageArn=THIRD, ModelApprovalStatus="Rejected", ApprovalDescription="fits our needs"
    )
    app.invoke("RecordDecision", "package_decided.rejected", package=THIRD.split(":", 5)[-1])
    decided = app.fact(keys.decision(THIRD).text) or {}
    assert (decided["status"], decided["by"]) == ("Rejected", "person")
    assert "recordedAt" in decided
    assert app.loop.told("titanic", "rejected")["modelPackageArn"] == THIRD


def test_failure_is_recorded_and_notified_once(app: Containers) -> None:
    arn = app.run(Batch="nowhere")
    app.invoke("TrackExecution", "execution_changed.step_failed", execution=the(app))
    found = app.fact(f"execution#{arn}") or {}
    assert (found["status"], found["steps"]) == ("Failed", {"DataPreProcessing": "Failed"})
    told = app.loop.told("titanic", "execution_failed")
    assert told["executionArn"] == arn
    app.invoke("TrackExecution", "execution_changed.failed", execution=the(app))
    assert json.loads(read(app, evidence(app)))["pipelineExecutionStatus"] == "Failed"


def test_stop_is_recorded_and_notified_once(app: Containers) -> None:
    sagemaker = app.loop.cloud.client("sagemaker")
    with app.loop.held("DataPreProcessing") as held:
        arn = sagemaker.start_pipeline_execution(PipelineName="handsoff-titanic")["PipelineExecutionArn"]
        wait("the job to begin", lambda: held)
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    app.ended(arn)
    app.invoke("TrackExecution", "execution_changed.stopped", execution=the(app))
    assert (app.fact(f"execution#{arn}") or {})["status"] == "Stopped"
    told = app.loop.told("titanic", "execution_stopped")
    assert (told["executionArn"], told["reasons"]) == (
        arn,
        [
            "the execution was stopped in DataPreProcessing. `handsoff start titanic` trains on the newest "
            "batch"
        ],
    )


def test_invoke_of_an_unknown_function_names_the_known(app: Containers) -> None:
    with pytest.raises(NotInvocable, match="FUNCTION is one of JudgeCandidate, NotifySlack, Rec"):
        containers.command(app.project, app.loop.cloud, "Nobody", ROOT / "events" / "each_minute.json")
    with pytest.raises(NotInvocable, match=r"EVENT may be one of events/candidate_registered"):
        containers.command(app.project, app.loop.cloud, "Reconcile", ROOT / "events" / "nothing.json")


def test_every_event_file_was_invoked(app: Containers) -> None:
    """But those that no function gets: landings go to a queue, our own to whoever serves models."""
    every = {path.stem for path in (ROOT / "events").glob("*.json")}
    elsewhere = ("object_landed.", "champion_", "candidate_waiting")
    assert {event for _, event in app.invoked} == {
        event for event in every if not event.startswith(elsewhere)
    }
    assert {function for function, _ in app.invoked} == {
        "StartRetraining",
        "TrackExecution",
        "JudgeCandidate",
        "RecordDecision",
        "Reconcile",
        "ReviewCandidate",
        "NotifySlack",
    }


def evidence(app: Containers) -> str:
    return f"evidence/titanic/{the(app)}/evidence.json"


def read(app: Containers, key: str) -> bytes:
    body: bytes = app.loop.deployment.s3.get_object(Bucket=app.loop.deployment.bucket, Key=key)["Body"].read()
    return body
