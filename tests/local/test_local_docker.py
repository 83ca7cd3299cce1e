"""Jobs that run in their image itself, by Docker. Skipped without Docker, but not in the gate."""

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.images import installing
from local.images.docker import Docker
from local.types import Json
from tests.local.aws import Aws
from tests.local.support import processing, training, wait_until

MINE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1"
"""A copy of the image that stands in for Lambda's, with a program `train`."""

PYTHON = "/var/lang/bin/python3"
"""Python in that image."""

TRAIN = f"""#!{PYTHON}
import json, os, pathlib, urllib.request
values = json.load(open("/opt/ml/input/config/hyperparameters.json"))
rows = pathlib.Path("/opt/ml/input/data/train/rows.txt").read_text()
code = sorted(path.name for path in pathlib.Path("/opt/ml/code").iterdir())
with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_ministack/health") as answer:
    status = answer.status
model = [values["depth"], rows, code, status, os.environ["TRAINING_JOB_NAME"], os.environ["MINE"]]
print("trained in", "/opt/ml", flush=True)
pathlib.Path("/opt/ml/model/model.json").write_text(json.dumps(model))
if values["depth"] == "13":
    pathlib.Path("/opt/ml/output/failure").write_text("ValueError: too deep")
    raise SystemExit(1)
"""


def docker(*arguments: str, **how: bytes) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, check=True, **how)  # type: ignore[call-overload]
    return str(done.stdout, "utf-8").strip()


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image MINE. It is removed at the end."""
    lambdas = "public.ecr.aws/lambda/python:{}.{}-x86_64".format(*sys.version_info)
    if not Docker(installing.of_user(os.environ)).has(lambdas, once=False):
        if "HANDSOFF_GATE" in os.environ:
            raise AssertionError(f"Docker does not run, or has no image {lambdas}")
        pytest.skip(f"Docker does not run, or has no image {lambdas}")
    program = tmp_path_factory.mktemp("image") / "train"
    program.write_text(TRAIN)
    program.chmod(0o755)
    container = docker("create", lambdas)
    try:
        docker("cp", str(program), f"{container}:/usr/bin/train")
        docker("commit", "--change", 'ENTRYPOINT ["/usr/bin/env"]', container, MINE)
    finally:
        docker("rm", container)
    yield MINE
    docker("rmi", MINE)


pytestmark = [pytest.mark.story, pytest.mark.usefixtures("mine")]


def names() -> list[str]:
    """The names of all containers."""
    return docker("ps", "--all", "--format", "{{.Names}}").splitlines()


def run_in_image(*program: str, arguments: tuple[str, ...] = ()) -> Json:
    """The arguments of a processing job that runs a program in MINE."""
    application: Json = {"ImageUri": MINE, "ContainerEntrypoint": list(program)}
    if arguments:
        application["ContainerArguments"] = list(arguments)
    return {"AppSpecification": application}


SAYS = """
import json, os, pathlib, sys
rows = pathlib.Path("/opt/ml/processing/rows/rows.txt").read_text()
config = json.load(open("/opt/ml/config/processingjobconfig.json"))
said = [rows, sys.argv[1:], os.environ["WHERE"], config["ProcessingJobName"], sys.prefix]
pathlib.Path("/opt/ml/processing/out/said.json").write_text(json.dumps(said))
"""


def test_processing_job_runs_in_the_image_with_its_inputs_and_outputs(aws: Aws) -> None:
    aws.put("in/rows.txt", "a,b")
    program = run_in_image(PYTHON, "/opt/ml/processing/code/says.py", arguments=("--x", "/opt/ml/x"))
    step = processing(
        inputs={"rows": "s3://bucket/in", "code": aws.put("code/says.py", SAYS)},
        outputs={"out": "s3://bucket/out"},
        arguments={**program, "Environment": {"WHERE": "/opt/ml/there"}},
    )
    _, steps = aws.run(step)
    name = aws.job(steps["Prepare"])["ProcessingJobName"]
    assert steps["Prepare"]["StepStatus"] == "Succeeded", aws.lines("Processing", name)
    said = json.loads(aws.get("out/said.json"))
    assert said == ["a,b", ["--x", "/opt/ml/x"], "/opt/ml/there", name, "/var/lang"]
    assert aws.lines("Processing", name) == [f"Docker runs the image {MINE} itself"]
    assert f"handsoff-{name}" not in names()


@pytest.mark.parametrize(("depth", "reason"), [("3", None), ("13", "ValueError: too deep, exit code: 1")])
def test_training_job_calls_the_image_with_train(aws: Aws, depth: str, reason: str | None) -> None:
    aws.put("rows/rows.txt", "1,2")
    submit = aws.source("code/own.tar.gz", train="print('for the toolkit')")
    step = training(
        channels={"train": "s3://bucket/rows"},
        hyperparameters={"sagemaker_submit_directory": submit, "depth": depth},
        arguments={
            "AlgorithmSpecification": {"TrainingImage": MINE, "TrainingInputMode": "File"},
            "Environment": {"MINE": "yes"},
        },
    )
    _, steps = aws.run(step)
    job = aws.job(steps["Train"])
    assert "trained in /opt/ml" in aws.lines("Training", job["TrainingJobName"])
    if reason:
        assert steps["Train"]["FailureReason"] == f"AlgorithmError: {reason}"
        return
    artifact = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://bucket/")
    with tarfile.open(fileobj=io.BytesIO(aws.get(artifact))) as tar:
        file = tar.extractfile("model.json")
        assert file
        assert json.load(file) == ["3", "1,2", ["train.py"], 200, job["TrainingJobName"], "yes"]


SLEEPS = "import time; print('runs', flush=True); time.sleep(60)"


def test_stopped_job_leaves_no_container(aws: Aws) -> None:
    arguments = processing(arguments=run_in_image(PYTHON, "-c", SLEEPS))
    aws.sagemaker.create_processing_job(ProcessingJobName="stops", **arguments["Arguments"])
    wait_until(lambda: "runs" in aws.lines("Processing", "stops"))
    assert "handsoff-stops" in names()
    aws.sagemaker.stop_processing_job(ProcessingJobName="stops")

    def ended() -> bool:
        job = aws.sagemaker.describe_processing_job(ProcessingJobName="stops")
        return bool(job["ProcessingJobStatus"] == "Stopped")

    wait_until(ended)
    assert "handsoff-stops" not in names()


def test_known_image_is_run_itself_once_it_was_pulled(tmp_path: Path) -> None:
    asked = Docker(installing.of_user(os.environ))
    assert not asked.has("mine:2", once=True)
    docker("tag", MINE, "mine:2")
    try:
        assert not asked.has("mine:2", once=True)
        assert asked.has("mine:2", once=False)
    finally:
        docker("rmi", "mine:2")
    nowhere = Docker({"PATH": os.environ["PATH"], "DOCKER_HOST": f"unix://{tmp_path}/none"})
    assert not nowhere.has(MINE, once=False)
    assert not Docker({"PATH": str(tmp_path)}).has(MINE, once=False)
