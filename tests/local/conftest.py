"""Fixtures of the tests of local/: one server per test process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import server
from local.server import Cloud
from tests.local.aws import Aws


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A running AWS on this machine."""
    folder: Path = tmp_path_factory.mktemp("aws") / "cloud"
    running = server.start(folder, port=None)
    yield running
    assert server.stop(folder)
    assert not folder.exists()


@pytest.fixture(scope="session")
def bucket(cloud: Cloud) -> str:
    """The name of a bucket in it."""
    cloud.client("s3").create_bucket(Bucket="bucket")
    return "bucket"


@pytest.fixture(scope="module")
def aws(cloud: Cloud, bucket: str) -> Aws:
    """The server under test."""
    return Aws(cloud, bucket)
