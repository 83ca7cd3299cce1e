"""What may be told of an error outside the job's log: never a value of a row."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

import job
import train
from job import DataProblem, parse_config, reason_of
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
        (pa.ArrowInvalid("row: secret"), "ArrowInvalid; the log of the job has the message"),
        (
            ValueError("could not convert string to float: 'secret'"),
            "ValueError; the log of the job has the message",
        ),
        (KeyError("secret"), "KeyError; the log of the job has the message"),
        (MemoryError(), "MemoryError; the log of the job has the message"),
    ],
)
def test_reason_of_error_holds_no_value(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_reason_of_library_error_names_the_place_in_the_script(base_dir: Path) -> None:
    features = pd.DataFrame({"x": [1.0, 2.0], "c": ["secret", "secret"]})
    config = parse_config({**SMALL, "features": {"numeric": ["x", "c"]}})
    with pytest.raises(ValueError, match="secret"), job.reason_written("failure"):
        train.fit(config, features, pd.Series(np.array([0, 1], dtype="int16")))
    reason = (base_dir / "output" / "failure").read_text()
    assert reason.startswith("ValueError in train.py, line ")
    assert reason.endswith("; the log of the job has the message")


def test_log_line_has_what_was_found() -> None:
    assert DataProblem("row 2: column x", "a\nb").log_line() == "row 2: column x (found: 'a\\nb')"
    assert DataProblem("train has no rows").log_line() == "train has no rows"
