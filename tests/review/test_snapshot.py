"""What a snapshot of the review page (SnapStart) holds, in a process imported as Lambda imports it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from retraining.review_page.snapshot import SERVICES
from tests.template import RESOURCES

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json, random, secrets, uuid
import botocore.session
from botocore.endpoint import Endpoint

def unique(*_, **__): raise AssertionError("made before the first event")
kept = uuid.uuid4, secrets.token_bytes, secrets.token_hex, random.random, random.getrandbits
uuid.uuid4 = secrets.token_bytes = secrets.token_hex = random.random = random.getrandbits = unique
Endpoint.make_request = unique

created = []
create = botocore.session.Session.create_client
def created_too(self, service, *given, **named):
    created.append(service)
    return create(self, service, *given, **named)
botocore.session.Session.create_client = created_too

import review_candidate
from pydantic import BaseModel
from retraining.aws.clients import client
from retraining.collaborators import Collaborators
from retraining.html import render

def below(kind):
    for one in kind.__subclasses__():
        yield one
        yield from below(one)
def built():
    ours = {one for one in below(BaseModel) if one.__module__.startswith("retraining.")}
    return len([one for one in ours if one.__pydantic_complete__]), len(ours)

found = {"created": sorted(created)}
found["built"], found["models"] = built()
found["templates"] = len(render._environment().cache)
uuid.uuid4, secrets.token_bytes, secrets.token_hex, random.random, random.getrandbits = kept
Collaborators.real().s3.meta, client("secretsmanager").meta
found["created later"] = created[len(found["created"]):]

from tests.review.stage import Stage
stage = Stage()
before = built()
assert stage.get()["statusCode"] == 200
found["built later"] = built()[0] - before[0]
print(json.dumps(found))
"""


def imported(initialization: str) -> dict[str, Any]:
    """What the function's process holds after its import, and what its first page adds."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_LAMBDA_INITIALIZATION_TYPE": initialization,
            "PREFIX": "handsoff",
            "DATA_BUCKET": "data",
            "LEDGER_TABLE": "ledger",
            "NOTIFICATIONS_TOPIC": "arn:aws:sns:us-east-1:123456789012:topic",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_a_snapshot_holds_clients_models_and_templates() -> None:
    found = imported("snap-start")
    assert found["created"] == sorted(SERVICES)
    assert found["created later"] == []
    assert found["built"] == found["models"] > 100
    assert found["built later"] == 0
    assert found["templates"] == len(list((ROOT / "functions/retraining/html").rglob("*.html")))


@pytest.mark.slow
def test_without_a_snapshot_they_are_made_at_their_first_use() -> None:
    found = imported("on-demand")
    assert (found["created"], found["built"], found["templates"]) == ([], 0, 0)
    assert found["created later"] == ["s3", "secretsmanager"]
    assert found["built later"] > 0


def test_a_snapshot_holds_a_client_for_all_that_the_role_allows() -> None:
    role = [RESOURCES["ReviewCandidateRole"], RESOURCES["ReviewForSlack"]]
    allowed = {action.split(":")[0] for action in actions(role)}
    assert allowed - {"logs", "sts"} == set(SERVICES)  # Lambda itself writes the log, and takes on the role


def actions(value: Any) -> Iterator[str]:
    """All actions in these statements."""
    if isinstance(value, dict):
        found = value.get("Action", [])
        yield from [found] if isinstance(found, str) else found
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from actions(one)
