"""Jobs that run as processes, in executions of a running server."""

import io
import json
import tarfile
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.types import Json
from tests.local.aws import Aws
from tests.local.support import processing, register, training, wait_until

pytestmark = pytest.mark.story

WRITE = """
import json, os, pathlib, sys
root = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "processing"
for name in sys.argv[1:]:
    (pathlib.Path(name) / "part").mkdir()
    (pathlib.Path(name) / "part" / "rows.txt").write_text(name.rpartition("/")[2])
print("wrote", len(sys.argv) - 1, flush=True)
"""
JOIN = """
import os, pathlib, sys
root = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "processing")
rows = [(root / name / "part" / "rows.txt").read_text() for name in ("left", "right")]
(root / "joined" / "all.txt").write_text("+".join(rows))
"""
TRAIN = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--depth", type=int)
parser.add_argument("--name")
given = parser.parse_args()
rows = (pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]) / "all.txt").read_text()
model = {"rows": rows, "depth": given.depth, "name": given.name, "hps": json.loads(os.environ["SM_HPS"])}
pathlib.Path(os.environ["SM_MODEL_DIR"], "model.json").write_text(json.dumps(model))
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "note.txt").write_text("note")
print("trained", flush=True)
"""


def program(text: str, *arguments: str) -> list[str]:
    return ["python3", "-c", text, *arguments]


def test_execution_with_parallel_steps_registers_the_trained_model(aws: Aws) -> None:
    code = aws.put("code/write.py", WRITE)
    run: Json = {
        "Std:Join": {"On": "/", "Values": ["s3://bucket/runs", {"Get": "Execution.PipelineExecutionId"}]}
    }

    def output(step: str, name: str) -> Json:
        return {"Get": f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri"}

    def target(name: str) -> Any:
        return {"Std:Join": {"On": "/", "Values": [run, name]}}

    def writer(step: str, name: str) -> Json:
        return processing(
            step,
            inputs={"code": code},
            outputs={name: target(name)},
            program=["python3", "/opt/ml/processing/code/write.py", f"/opt/ml/processing/{name}"],
        )

    submit = aws.source("code/source.tar.gz", train=TRAIN)
    execution, steps = aws.run(
        writer("Left", "left"),
        writer("Right", "right"),
        processing(
            "Join",
            inputs={
                "left": output("Left", "left"),
                "right": output("Right", "right"),
                "code": aws.put("code/join.py", JOIN),
            },
            outputs={"joined": target("joined")},
            program=["python3", "/opt/ml/processing/code/join.py"],
        ),
        training(
            channels={"train": output("Join", "joined")},
            hyperparameters={"sagemaker_submit_directory": submit, "depth": "3", "name": '"a b"'},
        ),
        register(model={"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}),
    )
    assert execution["PipelineExecutionStatus"] == "Succeeded", steps
    assert list(steps) == [
        "Register",
        "Train",
        "Join",
        *[name for name in steps if name in ("Left", "Right")],
    ]
    identifier = execution["PipelineExecutionArn"].rpartition("/")[2]
    assert aws.get(f"runs/{identifier}/left/part/rows.txt") == b"left"
    assert aws.get(f"runs/{identifier}/joined/all.txt") == b"left+right"

    job = aws.job(steps["Train"])
    artifacts = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifacts == f"s3://bucket/models/{job['TrainingJobName']}/output/model.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(aws.get(artifacts.removeprefix("s3://bucket/")))) as tar:
        file = tar.extractfile("model.json")
        assert file is not None
        model = json.load(file)
    assert model == {"rows": "left+right", "depth": 3, "name": "a b", "hps": {"depth": 3, "name": "a b"}}
    assert aws.get(f"models/{job['TrainingJobName']}/output/output.tar.gz")
    assert job["SecondaryStatus"] == "Completed"
    assert [t["Status"] for t in job["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Training",
        "Uploading",
        "Completed",
    ]
    assert "trained" in aws.lines("Training", job["TrainingJobName"])
    assert "wrote 1" in aws.lines("Processing", aws.job(steps["Left"])["ProcessingJobName"])
    package = aws.sagemaker.describe_model_package(
        ModelPackageName=steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    )
    assert package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"] == artifacts


def test_processing_job_that_fails_gives_its_message_as_reason(aws: Aws) -> None:
    text = (
        "import pathlib, sys; "
        "pathlib.Path('/opt/ml/output/message').write_text('no column survived'); sys.exit(3)"
    )
    execution, steps = aws.run(processing(program=program(text)))
    assert execution["PipelineExecutionStatus"] == "Failed"
    assert execution["FailureReason"] == "Step failure: One or multiple steps failed."
    assert steps["Prepare"]["FailureReason"] == "AlgorithmError: no column survived, exit code: 3"
    job = aws.job(steps["Prepare"])
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Failed", "no column survived")
    assert job["FailureReason"] == steps["Prepare"]["FailureReason"]


def test_training_job_that_fails_gives_its_failure_file_as_reason(aws: Aws) -> None:
    text = (
        "import os, pathlib, sys; "
        "pathlib.Path(os.environ['SM_OUTPUT_DIR'], 'failure').write_text('x' * 3000); sys.exit(1)"
    )
    submit = aws.source("code/bad.tar.gz", train=text)
    _, steps = aws.run(training(hyperparameters={"sagemaker_submit_directory": submit}))
    reason = steps["Train"]["FailureReason"]
    assert reason.startswith("AlgorithmError: xxx")
    assert reason.endswith("x, exit code: 1")
    assert len(reason) <= 1024


@pytest.mark.parametrize(("ends", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", -9), ("1/0", 1)])
def test_training_script_without_failure_file_gives_its_command_as_reason(
    aws: Aws, ends: str, code: int
) -> None:
    submit = aws.source("code/bad.tar.gz", train=f"import os, sys; {ends}")
    _, steps = aws.run(training(hyperparameters={"sagemaker_submit_directory": submit, "depth": "3"}))
    assert steps["Train"]["FailureReason"] == (
        f'AlgorithmError: ExecuteUserScriptError:\nExitCode {code}\nErrorMessage ""\n'
        'Command "/miniconda3/bin/python train.py --depth 3", exit code: 1'
    )


@pytest.mark.parametrize(("says", "reason"), [("own words", "own words"), ("", "")])
def test_training_entry_point_that_fails_gives_no_command_as_reason(aws: Aws, says: str, reason: str) -> None:
    text = f"import pathlib, sys; pathlib.Path('/opt/ml/output/failure').write_text('{says}'); sys.exit(3)"
    algorithm = {
        **training()["Arguments"]["AlgorithmSpecification"],
        "ContainerEntrypoint": program(text),
    }
    _, steps = aws.run(training(arguments={"AlgorithmSpecification": algorithm}))
    assert steps["Train"]["FailureReason"] == f"AlgorithmError: {reason}, exit code: 3"


def test_processing_job_without_message_points_to_its_log(aws: Aws) -> None:
    _, steps = aws.run(processing(program=program("1/0")))
    assert (
        steps["Prepare"]["FailureReason"] == "AlgorithmError: See job logs for more information, exit code: 1"
    )
    assert "ZeroDivisionError: division by zero" in aws.lines(
        "Processing", aws.job(steps["Prepare"])["ProcessingJobName"]
    )


def test_processing_job_that_is_killed_has_the_exit_code_of_its_container(aws: Aws) -> None:
    _, steps = aws.run(processing(program=program("import os; os.kill(os.getpid(), 9)")))
    reason = "AlgorithmError: See job logs for more information, exit code: 137"
    assert steps["Prepare"]["FailureReason"] == reason


def test_job_with_missing_input_names_it(aws: Aws) -> None:
    _, steps = aws.run(processing(inputs={"x": "s3://bucket/nothing/here"}))
    assert steps["Prepare"]["FailureReason"].startswith(
        'ClientError: No S3 objects found under S3 URL "s3://bucket/nothing/here" given in input data source.'
    )


def test_job_environment_has_its_role_and_no_variable_of_the_server(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "leak")
    text = (
        "import boto3, json, os; "
        "print(json.dumps([boto3.client('sts').get_caller_identity()['Arn'], dict(os.environ)]))"
    )
    step = processing(program=program(text), arguments={"Environment": {"WHERE": "/opt/ml/processing/x"}})
    _, steps = aws.run(step)
    name = aws.job(steps["Prepare"])["ProcessingJobName"]
    arn, environment = json.loads(aws.lines("Processing", name)[1])
    assert arn == "arn:aws:sts::123456789012:assumed-role/execution/SageMaker"
    ours = {n for n in environment if not n.startswith(("AWS_", "PYTHON")) and not n.endswith("_NUM_THREADS")}
    assert ours - {"LC_CTYPE"} == {"PATH", "LANG", "HOME", "TMPDIR", "SAGEMAKER_BASE_DIR", "WHERE"}
    assert environment["WHERE"] == environment["SAGEMAKER_BASE_DIR"] + "/processing/x"
    assert environment["AWS_ACCESS_KEY_ID"] != "test"
    assert "AWS_PROFILE" not in environment
    assert not (aws.cloud.folder / "jobs" / name).exists()


def test_job_log_arrives_while_the_job_runs_and_a_stopped_execution_can_be_retried(aws: Aws) -> None:
    arn = aws.start(processing(program=program("import time; print('one'); time.sleep(30)")))
    step = wait_until(lambda: aws.steps(arn).get("Prepare", {}).get("Metadata") and aws.steps(arn)["Prepare"])
    name = aws.job(step)["ProcessingJobName"]
    said = wait_until(lambda: lines if len(lines := aws.lines("Processing", name)) > 1 else None)
    assert said[0].startswith("This is not the image scikit-learn:1.9-0: it is Python 3.")
    assert said[1:] == ["one"]
    began = time.monotonic()
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert aws.ended(arn)["PipelineExecutionStatus"] == "Stopped"
    assert time.monotonic() - began < 5
    assert aws.steps(arn)["Prepare"]["StepStatus"] == "Stopped"
    assert aws.job(step)["ProcessingJobStatus"] == "Stopped"
    retried = aws.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionArn"]
    assert retried == arn
    wait_until(lambda: aws.steps(arn).get("Prepare", {}).get("StepStatus") == "Executing")
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert aws.ended(arn)["PipelineExecutionStatus"] == "Stopped"


def test_job_stops_at_its_time_limit(aws: Aws) -> None:
    limit = {"StoppingCondition": {"MaxRuntimeInSeconds": 1}}
    _, steps = aws.run(processing(program=program("import time; time.sleep(30)"), arguments=limit))
    assert steps["Prepare"]["StepStatus"] == "Failed"
    assert steps["Prepare"]["FailureReason"].endswith("was stopped: MaxRuntimeExceeded")


def test_processing_job_runs_without_a_pipeline(aws: Aws) -> None:
    arguments = processing(program=program("print('alone')"))["Arguments"]
    created = aws.sagemaker.create_processing_job(ProcessingJobName="alone", **arguments)
    assert created["ProcessingJobArn"].endswith(":processing-job/alone")

    def described() -> Json:
        answer: Json = aws.sagemaker.describe_processing_job(ProcessingJobName="alone")
        return answer

    job = wait_until(lambda: described() if described()["ProcessingJobStatus"] == "Completed" else None)
    assert {key: job[key] for key in arguments} == arguments
    assert job["CreationTime"] <= job["ProcessingStartTime"] <= job["ProcessingEndTime"]
    with pytest.raises(aws.sagemaker.exceptions.ResourceInUse):
        aws.sagemaker.create_processing_job(ProcessingJobName="alone", **arguments)
    listed = aws.sagemaker.list_processing_jobs(NameContains="alone")["ProcessingJobSummaries"]
    assert [item["ProcessingJobStatus"] for item in listed] == ["Completed"]


def test_processing_job_finds_its_configuration_files(aws: Aws) -> None:
    text = (
        "import json; print(json.dumps([json.load(open(f'/opt/ml/config/{n}.json')) "
        "for n in ('processingjobconfig', 'resourceconfig')]))"
    )
    _, steps = aws.run(processing(program=program(text)))
    job = aws.job(steps["Prepare"])
    config, resources = json.loads(aws.lines("Processing", job["ProcessingJobName"])[1])
    assert config["ProcessingJobArn"] == job["ProcessingJobArn"]
    assert config["ProcessingResources"]["ClusterConfig"]["InstanceType"] == "ml.m5.large"
    assert resources == {"current_host": "algo-1", "hosts": ["algo-1"]}


def cluster(instance_type: str, count: int) -> Json:
    config = {"InstanceType": instance_type, "InstanceCount": count, "VolumeSizeInGB": 1}
    return {"ProcessingResources": {"ClusterConfig": config}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (cluster("ml.nope", 1), "enum value set"),
        (cluster("ml.m5.large", 2), "InstanceCount 2 is not supported on this machine"),
        ({"AppSpecification": {"ImageUri": "x"}}, "ContainerEntrypoint is missing"),
        (processing(inputs={"../x": "s3://bucket/x"})["Arguments"], "LocalPath"),
    ],
)
def test_create_job_that_cannot_run_here_is_refused(aws: Aws, changes: Json, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        aws.sagemaker.create_processing_job(
            ProcessingJobName="never", **{**processing()["Arguments"], **changes}
        )
