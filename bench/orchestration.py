"""An execution of four steps on this machine: what orchestration costs, its interpreters included.

    python -m bench.orchestration

Two processing jobs and a training job that import scikit-learn and do nothing, and a registration, on a
server that has just started. Counted are the CPU seconds of the server and of all its processes, from the
start of the execution to its end. The limit is three processes that import scikit-learn.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import psutil

from bench.row import Row, alternating, at_most, print_rows
from local import server
from local.types import Json
from tests.local.aws import Aws
from tests.local.support import processing, register, training

IMPORTS: Final = "import pandas, pyarrow.parquet, sklearn.compose, sklearn.ensemble, sklearn.linear_model\n"
"""What the steps' scripts import before they do anything."""

TIMES: Final = 3
"""Servers that are started, one after the other."""

POLL_SECONDS: Final = 0.2
"""Seconds between two looks whether the execution has ended; each costs the server a request."""


def steps(aws: Aws) -> list[Json]:
    """Steps as an execution has them: each but the first needs the one before."""
    code = aws.put("code/job.py", IMPORTS)
    submit = aws.source("code/source.tar.gz", train=IMPORTS)
    program = ["python3", "/opt/ml/processing/code/job.py"]
    given: dict[str, Any] = {"inputs": {"code": code}, "program": program}
    return [
        processing("Prepare", **given),
        training("Train", hyperparameters={"sagemaker_submit_directory": submit}, DependsOn=["Prepare"]),
        processing("Evaluate", **given, DependsOn=["Train"]),
        register(model={"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}, DependsOn=["Evaluate"]),
    ]


def spent(process: psutil.Process) -> float:
    """CPU seconds of a process and of its children, those that have ended included."""
    every = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:4]) for each in every)


def execution() -> tuple[float, float]:
    """CPU seconds and seconds of an execution on a new server."""
    with tempfile.TemporaryDirectory() as name:
        cloud = server.start(Path(name) / "cloud", port=None)
        try:
            cloud.client("s3").create_bucket(Bucket="bucket")
            aws = Aws(cloud, "bucket")
            given, process = steps(aws), psutil.Process(cloud.pid)
            before, began = spent(process), time.perf_counter()
            arn = aws.start(*given)
            while (status := _status(aws, arn)) == "Executing":
                time.sleep(POLL_SECONDS)
            used = spent(process) - before, time.perf_counter() - began
            if status != "Succeeded":
                raise RuntimeError(f"the execution is {status}: {aws.steps(arn)}")
            return used
        finally:
            server.stop(Path(name) / "cloud")


def _status(aws: Aws, arn: str) -> str:
    answer = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    return str(answer["PipelineExecutionStatus"])


def rows() -> list[Row]:
    """CPU seconds of four steps."""
    ours = [execution() for _ in range(TIMES)]
    one = alternating({"import": IMPORTS})["import"]
    cpu, wall = (median(numbers) for numbers in zip(*ours, strict=True))
    return [
        Row(
            "Orchestration of four steps that do nothing",
            cpu / (3 * one.cpu),
            "× three processes that import scikit-learn",
            at_most(1.2),
            "CPU s",
            cpu,
            3 * one.cpu,
            reason=f"{wall:.1f} s from the start of the execution to its end",
        )
    ]


if __name__ == "__main__":
    print_rows(rows())
