"""What Lambda's workers are forked with: nothing in it may come from the environment of one function."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from ministack.core import lambda_runtime as runtime
from ministack.services import lambda_svc

from local.ministack.repairs import queues

ROOT = Path(__file__).parents[2]

IMPORTING = """
import importlib, logging, os, sys
read = []
class Watched(dict):
    def __getitem__(self, name): read.append(name); return super().__getitem__(name)
    def get(self, name, default=None): read.append(name); return super().get(name, default)
from local.ministack.workers import PACKAGES, SHARED
for name in PACKAGES:
    importlib.import_module(name)
os.environ = Watched(os.environ)
for name in SHARED:
    importlib.import_module(name)
import boto3
ours = {name for name in read if not name.startswith("PYDANTIC_")}
print(ours or "nothing", "retraining.aws.observability" in sys.modules, boto3.DEFAULT_SESSION)
"""


@pytest.mark.slow
def test_shared_modules_read_no_environment_and_make_no_logger_or_session() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "nothing False None\n", done.stderr


@pytest.mark.parametrize("how", ["spawn", "reused", "fails", "no code"])
def test_worker_of_a_queue_starts_within_the_window_of_its_batch(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given back whatever happens, and counts as new in the line about its first invocation."""
    worker, done = SimpleNamespace(_cold=True), list[str]()

    def spawn(one: SimpleNamespace) -> None:
        done.append("spawned")
        one._cold = False
        if how == "fails":
            raise RuntimeError("no memory")

    record = {"code_zip": b"" if how == "no code" else b"zip"}
    config = {"FunctionName": "f", "Version": "$LATEST"}
    monkeypatch.setattr(lambda_svc, "_get_func_record_for_qualifier", lambda *_: (record, config))
    monkeypatch.setattr(
        runtime, "acquire_worker", lambda *_, **__: (worker, "reused" if how == "reused" else "spawn")
    )
    monkeypatch.setattr(runtime, "ensure_spawned", spawn)
    monkeypatch.setattr(runtime, "release_worker", lambda _: done.append("released"))
    queues._start_worker({"FunctionName": "f"}).join(10)
    expected = {"spawn": ["spawned", "released"], "reused": ["released"], "no code": []}
    assert done == expected.get(how, ["spawned", "released"])
    assert worker._cold is (how != "fails")
