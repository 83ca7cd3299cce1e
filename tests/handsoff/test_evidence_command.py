"""`handsoff evidence` of executions that SageMaker no longer knows, and of those that it knows."""

from __future__ import annotations

import json

from handsoff.errors import NotFound
from retraining import evidence
from retraining.collaborators import Collaborators
from tests.functions.world import World
from tests.handsoff.test_decision_commands import deployed, project
from tests.handsoff.typed import refused, said
from tests.upgrade.test_evidence_versions import RECORDED

__all__ = ["deployed", "project"]

EXECUTION = "arn:aws:sagemaker:us-east-1:1:pipeline/handsoff-titanic/execution/e1"
KEY = "evidence/titanic/e1/evidence.json"


def test_evidence_of_a_deleted_execution_is_its_copy(deployed: World) -> None:
    evidence.write(deployed.using(Collaborators).sources, "titanic", EXECUTION)
    written = json.loads(deployed.s3.get_object(Bucket="data", Key=KEY)["Body"].read())
    deployed.sagemaker.deleted.add(EXECUTION)
    assert json.loads(said("evidence", EXECUTION, "--json")) == written
    assert EXECUTION in said("evidence", EXECUTION)


def test_evidence_of_an_earlier_version_is_shown_in_todays_form(deployed: World) -> None:
    deployed.sagemaker.deleted.add(EXECUTION)
    for found in RECORDED.values():
        body = json.dumps({**found, "pipelineExecutionArn": EXECUTION}).encode()
        deployed.s3.put_object(Bucket="data", Key=KEY, Body=body)
        shown = json.loads(said("evidence", EXECUTION, "--json"))
        assert (shown["schemaVersion"], shown["metrics"]) == (3, found["metrics"])
        assert EXECUTION in said("evidence", EXECUTION)


def test_evidence_of_an_execution_that_nobody_knows_is_refused(deployed: World) -> None:
    deployed.sagemaker.deleted.add(EXECUTION)
    deployed.s3.delete_object(Bucket="data", Key=KEY)
    line = refused("evidence", EXECUTION, error=NotFound)
    assert line == f"SageMaker knows no execution {EXECUTION}: `handsoff status` shows those it has"


def test_evidence_of_a_known_execution_has_the_facts_that_only_the_copy_knows(deployed: World) -> None:
    evidence.write(deployed.using(Collaborators).sources, "titanic", EXECUTION)
    copy = json.loads(deployed.s3.get_object(Bucket="data", Key=KEY)["Body"].read())
    gone = {**copy["facts"][0], "kind": "stepEnded", "subject": "TrainModel", "status": "Failed"}
    body = json.dumps({**copy, "facts": [gone, *copy["facts"]]}).encode()
    deployed.s3.put_object(Bucket="data", Key=KEY, Body=body)
    assert gone in json.loads(said("evidence", EXECUTION, "--json"))["facts"]
