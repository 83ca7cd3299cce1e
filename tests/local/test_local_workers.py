"""What Lambda's workers are forked with: nothing in it may come from the environment of one function."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_shared_modules_read_no_environment_and_make_no_logger_or_session() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING],
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'functions'}"},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "nothing False None\n", done.stderr
