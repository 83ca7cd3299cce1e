"""Clients that are made at their first call."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace

import pytest
from boto3.s3.transfer import TransferConfig
from moto import mock_aws

from retraining.aws.clients import Later, client


def test_later_makes_nothing_before_an_attribute_is_read() -> None:
    made: list[str] = []

    def make() -> SimpleNamespace:
        made.append("client")
        return SimpleNamespace(meta="meta", exceptions="exceptions")

    later = Later(make)
    assert made == []
    assert (later.meta, later.exceptions) == ("meta", "exceptions")
    assert made == ["client"]


def test_later_makes_one_client_for_threads_that_ask_at_once() -> None:
    made: list[str] = []
    ready = Barrier(8)

    def make() -> SimpleNamespace:
        made.append("client")
        return SimpleNamespace(meta="meta")

    later = Later(make)

    def ask(_: int) -> object:
        ready.wait()
        return later.meta

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == ["meta"] * 8
    assert made == ["client"]


def test_client_of_s3_copies_a_large_object_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    body = bytes(range(256)) * 24 * 1024
    with mock_aws():
        s3 = client("s3")
        s3.create_bucket(Bucket="data")
        version = s3.put_object(Bucket="data", Key="a", Body=body)
        parts = TransferConfig(multipart_threshold=1, multipart_chunksize=5 * 2**20)
        s3.copy({"Bucket": "data", "Key": "a"}, "data", "b", Config=parts)
        copied = s3.get_object(Bucket="data", Key="b")
        assert copied["Body"].read() == body
        assert (version["ETag"].count("-"), copied["ETag"].count("-2")) == (0, 1)
