"""Fixtures: the Titanic's config as plain data, AWS in memory, /opt/ml in a folder of the test."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import sklearn.ensemble  # with it come all libraries whose threads are counted  # noqa: F401
from moto import mock_aws
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

import evaluate
from tests.pipeline_def.helpers import BUCKET, MODEL, SMALL, STEPS, Run
from tests.pipeline_def.runs import Kept, candidates_run, champions_run

sys.path.append(str(STEPS.parent / "scoring"))  # score.py's folder is the first place where Python looks

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient


@pytest.fixture
def model() -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(MODEL))
    return copy


@cache
def shared_session() -> boto3.Session:
    """One session for all tests, with one client of each service.

    Reading botocore's service models for each test would take most of its time.
    """
    session = boto3.Session("testing", "testing", region_name="us-east-1")
    session.client = cache(session.client)  # type: ignore[method-assign]
    return session


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.Session]:
    """AWS in memory, with a versioned data bucket."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    session = shared_session()
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    monkeypatch.setattr(boto3, "Session", lambda: session)  # the steps make one each
    with mock_aws(config={"core": {"mock_credentials": False, "reset_boto3_session": False}}):
        s3 = session.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield session


@pytest.fixture
def s3(aws: boto3.Session) -> S3Client:
    return aws.client("s3")


@pytest.fixture
def sagemaker(aws: boto3.Session) -> SageMakerClient:
    return aws.client("sagemaker")


@pytest.fixture
def run(s3: S3Client, tmp_path: Path) -> Run:
    """An execution of the model `small`."""
    return Run(tmp_path / "run", s3, SMALL, "abcdefghijkl")


@cache
def thread_pools() -> ThreadpoolController:
    """What counts the threads of libraries. It looks through all that are loaded, so it is made once."""
    return ThreadpoolController()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Give OpenMP one thread. Idle threads spin: beside other test processes a fit of 0.1 s takes 20 s."""
    with thread_pools().limit(limits=1):
        yield


@pytest.fixture(autouse=True)
def base_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for /opt/ml."""
    path = tmp_path / "opt-ml"
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(path))
    return path


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ModelEvaluation draw no pictures, which is half of its time, for tests that look at none.

    An error in a picture never ends the step, so no such test would see one.
    """
    monkeypatch.setattr(evaluate, "draw", lambda _shown, _folder: None)


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """What the executions `first` and `second` wrote when a test asked for them first."""
    return Kept(tmp_path_factory.mktemp("kept"))


@pytest.fixture
def first(s3: S3Client, tmp_path: Path, kept: Kept) -> Run:
    """The execution that trained the champion."""
    return champions_run(s3, tmp_path / "first", kept)


@pytest.fixture
def second(s3: S3Client, tmp_path: Path, first: Run, kept: Kept) -> Run:  # noqa: ARG001
    """The execution that trained the candidate, after the champion's."""
    return candidates_run(s3, tmp_path / "second", kept)
