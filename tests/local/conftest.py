"""Fixtures of the tests of local/. One server for all tests that need one (xdist group "cloud")."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local import server
from local.server import Cloud


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """AWS on this machine."""
    folder: Path = tmp_path_factory.mktemp("aws") / "cloud"
    running = server.start(folder, port=None)
    yield running
    assert server.stop(folder)
    assert not folder.exists()


@pytest.fixture(scope="session")
def bucket(cloud: Cloud) -> str:
    """A bucket."""
    cloud.client("s3").create_bucket(Bucket="bucket")
    return "bucket"
