"""What jobs get from S3 again and again is read once, and a changed object is read anew."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.sagemaker.jobs import storage
from tests.local.aws import Aws

pytestmark = pytest.mark.slow


def test_object_is_read_once_for_all_jobs_until_it_changes(aws: Aws, tmp_path: Path) -> None:
    read: list[str] = []
    s3 = aws.cloud.client("s3")
    s3.meta.events.register("before-call.s3.GetObject", lambda params, **_: read.append(params["url_path"]))

    def download(to: str) -> dict[str, str]:
        storage.download(
            s3, f"s3://{aws.bucket}/kept/", tmp_path / to, "role", "us-east-1", kept=tmp_path / "kept"
        )
        return {path.name: path.read_text() for path in (tmp_path / to).iterdir()}

    aws.put("kept/same.py", b"same")
    aws.put("kept/changed.py", b"first")
    assert download("one") == {"same.py": "same", "changed.py": "first"}
    assert len(read) == 2
    assert download("two") == {"same.py": "same", "changed.py": "first"}
    assert len(read) == 2
    aws.put("kept/changed.py", b"other")
    assert download("three") == {"same.py": "same", "changed.py": "other"}
    assert read[2:] == ["/kept/changed.py"]


def test_object_that_two_jobs_want_at_once_is_read_once(aws: Aws, tmp_path: Path) -> None:
    read: list[str] = []
    s3 = aws.cloud.client("s3")
    s3.meta.events.register("before-call.s3.GetObject", lambda params, **_: read.append(params["url_path"]))
    address = aws.put("at-once/step.py", b"step")
    together = threading.Barrier(2)

    def download(to: str) -> bytes:
        together.wait(10)
        storage.download(s3, address, tmp_path / to, "role", "us-east-1", kept=tmp_path / "kept")
        return (tmp_path / to / "step.py").read_bytes()

    with ThreadPoolExecutor(2) as jobs:
        assert list(jobs.map(download, ("one", "two"))) == [b"step", b"step"]
    assert read == ["/at-once/step.py"]


def test_large_object_is_not_kept(aws: Aws, tmp_path: Path) -> None:
    address = aws.put("large.bin", b"x" * (storage.MAX_KEPT + 1))
    storage.download(aws.s3, address, tmp_path / "one", "role", "us-east-1", kept=tmp_path / "kept")
    assert (tmp_path / "one" / "large.bin").stat().st_size == 1_048_577
    assert not (tmp_path / "kept").exists()
