"""What may be told of an error outside the job's log: never a value of a row."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

import job
import reasons
import train
from job import DataProblem, parse_config
from reasons import reason_of
from tests.pipeline_def.helpers import SMALL

DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            DataProblem("train.csv, row 2: column x has a wrong value", "secret"),
            "train.csv, row 2: column x has a wrong value",
        ),
        (DENIED, f"ClientError: {DENIED}"),
        (NoCredentialsError(), "NoCredentialsError: Unable to locate credentials"),
        (OSError(errno.ENOSPC, "secret"), "OSError: No space left on device"),
        (pa.ArrowInvalid("row: secret"), f"ArrowInvalid; {reasons.HIDDEN}"),
        (
            ValueError("could not convert string to float: 'secret'"),
            f"ValueError; {reasons.HIDDEN}",
        ),
        (KeyError("secret"), f"KeyError; {reasons.HIDDEN}"),
        (MemoryError(), f"MemoryError; {reasons.HIDDEN}"),
    ],
)
def test_reason_of_error_holds_no_value(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_hidden_says_why_and_what_shows_it() -> None:
    assert reasons.HIDDEN == (
        "its message may quote a row and is left out; with approvers.show_values the log has it"
    )


def test_reason_of_library_error_names_the_place_in_the_script(
    base_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    features = pd.DataFrame({"x": [1.0, 2.0], "c": ["secret", "secret"]})
    config = parse_config({**SMALL, "features": {"numeric": ["x", "c"]}})
    with pytest.raises(ValueError, match="secret"), reasons.reason_written("failure", tmp_path / "none"):
        train.fit(config, features, pd.Series(np.array([0, 1], dtype="int16")))
    reason = (base_dir / "output" / "failure").read_text()
    assert reason.startswith("ValueError in train.py, line ")
    assert reason.endswith(f"; {reasons.HIDDEN}")


@pytest.mark.slow
@pytest.mark.parametrize(("shown", "seen"), [(False, False), (True, True)])
def test_uncaught_error_is_in_the_log_with_its_message_only_if_values_are_shown(
    tmp_path: Path, shown: bool, seen: bool
) -> None:
    (tmp_path / "model.json").write_text(json.dumps({**SMALL, "show_values": shown}))
    script = (
        "import pathlib, reasons\n"
        f"with reasons.reason_written('message', pathlib.Path({str(tmp_path / 'model.json')!r})):\n"
        "    try:\n        float('secret')\n"
        "    except ValueError as error:\n        raise KeyError('secret') from error\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(job.HERE), "SAGEMAKER_BASE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "'secret'" in done.stderr) == (1, seen)
    assert all(kind in done.stderr for kind in ("ValueError", "KeyError", "line 6, in <module>"))
    reason = (tmp_path / "output" / "message").read_text()
    assert reason.startswith("KeyError in reasons.py, line ")
    assert reason.endswith(f"; {reasons.HIDDEN}")


def test_log_line_has_what_was_found() -> None:
    assert DataProblem("row 2: column x", "a\nb").log_line() == "row 2: column x (found: 'a\\nb')"
    assert DataProblem("train has no rows").log_line() == "train has no rows"
