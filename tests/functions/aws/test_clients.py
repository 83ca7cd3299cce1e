"""Clients that are made at their first call."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import botocore.session
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import DataNotFoundError
from botocore.handlers import BUILTIN_HANDLERS
from botocore.loaders import Loader
from moto import mock_aws

from retraining.aws.clients import SERVICES, DictLoader, Later, _session, _with_copy, client


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


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_session_has_all_of_botocores_handlers_for_the_services_of_functions(service: str) -> None:
    """In their order. One more is ours: the `copy` of S3."""
    whole = botocore.session.Session()
    identity = whole.get_service_model(service).service_id.hyphenize()
    operations = whole.get_service_model(service).operation_names
    events = {name.split(".")[0] for name, *_ in BUILTIN_HANDLERS} - {"docs"}
    for event in sorted(events):
        for about in (service, identity, *(f"{identity}.{operation}" for operation in operations)):
            name = f"{event}.{about}"
            ours = [one for one in handlers(_session(), name) if one is not _with_copy]
            assert ours == handlers(whole, name), name


def handlers(session: botocore.session.Session, event: str) -> list[object]:
    """What a session calls when this event happens, in its order. Powertools makes one for each session."""
    events: Any = session.get_component("event_emitter")
    found = list(events._emitter._handlers.prefix_search(events._alias_event_name(event)))
    return [one.__qualname__ if "add_powertools_feature" in repr(one) else one for one in found]


def test_session_reads_botocores_data_as_dicts() -> None:
    """What is compressed, as in the whole botocore, is read by botocore."""
    assert isinstance(_session().get_component("data_loader").file_loader, DictLoader)
    ours, whole = Loader(), Loader()  # all sessions of these tests share one, which may have read it before
    ours.file_loader = DictLoader()
    for name in ("endpoints", "partitions", "s3/2006-03-01/endpoint-rule-set-1"):
        read = ours.load_data(name)
        assert json.dumps(read) == json.dumps(whole.load_data(name))
    assert type(ours.load_data("endpoints")) is dict
    with pytest.raises(DataNotFoundError, match="Unable to load data for: none"):
        ours.load_data("none")


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
