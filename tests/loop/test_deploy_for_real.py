"""`handsoff deploy` and `handsoff destroy` by Terraform and the SAM CLI, against AWS on this machine.

One story, in the order of the tests: deployed, retrained, deployed again, taken down without and with data.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import server
from local.server import Cloud
from tests import providers

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.xdist_group("deploy"),
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed"),
]

WHAT_DEPLOYS = (
    "handsoff.yaml",
    "template.yaml",
    "samconfig.toml",
    "functions",
    "layers",
    "pipeline_def",
    "terraform",
    "data",
)
MADE = shutil.ignore_patterns("__pycache__", ".terraform", "*.tfstate*", "*.tfvars.json", "*.tfplan")
BUCKET = "handsoff-data-123456789012-us-east-1"


@dataclass
class Place:
    """A copy of the project, and the AWS that it is deployed to."""

    folder: Path
    cloud: Cloud
    variables: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", "from handsoff.cli import main; main()", *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def handsoff(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """What the command line said on both channels."""
        with self.start(*arguments) as running:
            out, err = running.communicate(timeout=300)
        assert running.returncode == code, out + err
        return out, err

    def client(self, name: str) -> Any:
        return self.cloud.client(name)

    def parameters(self) -> dict[str, str]:
        """Those of the stack."""
        (stack,) = self.client("cloudformation").describe_stacks(StackName="handsoff")["Stacks"]
        return {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("deploy") / "project"
    folder.mkdir()
    for name in WHAT_DEPLOYS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=MADE)
        else:
            shutil.copyfile(ROOT / name, folder / name)
    (folder / ".venv-sam").symlink_to(ROOT / ".venv-sam")
    cloud = server.start(folder.parent / "aws", port=None, outlives_us=False)
    ours = providers.environment()
    ours = {name: value for name, value in ours.items() if not name.startswith("AWS_")}
    variables = {**ours, **cloud.environment()}
    try:
        yield Place(folder, cloud, variables)
    finally:
        server.stop(folder.parent / "aws")


def told_apart(evidence: dict[str, Any]) -> dict[str, Any]:
    """Evidence without what differs from one execution to the next: identities and times."""
    text = json.dumps(evidence)
    text = text.replace(evidence["pipelineExecutionArn"].rsplit("/", 1)[-1], "EXECUTION")
    text = re.sub(r"(DataPreProcessing|TrainModel|ModelEvaluation)-\w{10}", r"\1-JOB", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(\+00:00|Z)", "TIME", text)
    return json.loads(text)  # type: ignore[no-any-return]


def state(place: Place) -> dict[str, Any]:
    """What a deployment makes, by when or in which version it was made."""
    functions = place.client("lambda").list_functions()["Functions"]
    (pipeline,) = place.client("sagemaker").list_pipelines()["PipelineSummaries"]
    parameters = place.client("ssm").describe_parameters()["Parameters"]
    roles = place.client("iam").list_roles()["Roles"]
    code = place.client("s3").list_object_versions(Bucket=BUCKET, Prefix="code/")["Versions"]
    return {
        "functions": {item["FunctionName"]: (item["CodeSha256"], item["LastModified"]) for item in functions},
        "layers": {item["FunctionName"]: item["Layers"][0]["Arn"] for item in functions},
        "pipeline": pipeline["LastModifiedTime"],
        "parameters": {item["Name"]: item["Version"] for item in parameters},
        "roles": {item["RoleName"]: item["CreateDate"] for item in roles},
        "code": [(item["Key"], item["VersionId"]) for item in code],
    }


def test_deployed_by_terraform_and_sam_the_loop_gives_the_same_evidence_as_the_demo(place: Place) -> None:
    out, _ = place.handsoff("deploy", "--plan")
    assert "  + aws_s3_bucket.data[0]" in out.splitlines()
    assert "stack handsoff: would be made" in out.splitlines()
    assert place.client("s3").list_buckets()["Buckets"] == []

    with (
        place.start("deploy", "--parameter", "ReviewConcurrency=3") as deploying,
        place.start("demo") as demo,  # Terraform waits most of its minute
    ):
        shown, _ = demo.communicate(timeout=300)
        out, err = deploying.communicate(timeout=300)
    assert (demo.returncode, deploying.returncode) == (0, 0), shown + out + err
    assert "✓ Terraform applies: " in err
    assert re.search(r"^LedgerTable +handsoff-Ledger-", out, re.MULTILINE)
    assert place.parameters()["ReviewConcurrency"] == "3"
    assert list((place.folder / "terraform").glob("*.tfstate*")) == []  # that is where AWS's own state is

    files = [f"data/titanic/{name}.csv" for name in ("train", "validation")]
    place.handsoff("land", "titanic", *files)
    place.handsoff("status", "--watch")
    ours = json.loads(place.handsoff("evidence", "--json")[0])
    demos = json.loads((place.folder / ".handsoff" / "evidence.json").read_text())
    assert ours["modelApprovalStatus"] == "Approved"
    assert told_apart(ours) == told_apart(demos)


def test_a_second_deploy_changes_nothing_and_keeps_what_the_stack_was_given(place: Place) -> None:
    before = state(place)
    _, err = place.handsoff("deploy")
    assert "Terraform applies" not in err
    assert state(place) == before
    assert place.parameters()["ReviewConcurrency"] == "3"


def test_without_the_state_that_knows_it_nothing_is_made_anew(place: Place) -> None:
    before = state(place)
    (elsewhere,) = (place.folder / ".handsoff" / "terraform").iterdir()
    kept = elsewhere.rename(place.folder / "kept")
    _, err = place.handsoff("deploy", code=1)
    assert f"{BUCKET} was made by `handsoff local up`" in err
    assert state(place) == before
    shutil.rmtree(elsewhere)
    kept.rename(elsewhere)


def test_a_plan_shows_what_would_change_in_the_stack_and_changes_nothing(place: Place) -> None:
    before = state(place)
    out, _ = place.handsoff("deploy", "--plan", "--parameter", "LogRetentionDays=7")
    lines = out.splitlines()
    assert "Terraform: nothing to change" in lines
    assert "  Modify StartRetrainingLogs (AWS::Logs::LogGroup)" in lines
    assert state(place) == before
    assert place.parameters()["LogRetentionDays"] == "30"
    changes = place.client("cloudformation").list_change_sets(StackName="handsoff")["Summaries"]
    assert [item for item in changes if item["ExecutionStatus"] == "AVAILABLE"] == []


@pytest.mark.parametrize(
    ("confirm", "said"),
    [
        ([], "nobody is there to be asked: say --confirm handsoff; nothing was changed"),
        (["--confirm", "handsof"], "handsof is not the prefix, which is handsoff: nothing was changed"),
    ],
)
def test_nothing_goes_unless_the_prefix_is_typed(place: Place, confirm: list[str], said: str) -> None:
    before = state(place)
    out, err = place.handsoff("destroy", *confirm, code=1)
    assert "These go:" in out
    assert said in err
    assert state(place) == before


def test_destroy_leaves_data_and_what_guards_them_and_deploy_finds_them_again(place: Place) -> None:
    sagemaker, s3 = place.client("sagemaker"), place.client("s3")
    policy = s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    out, _ = place.handsoff("destroy", "--confirm", "handsoff")
    goes, before, after = re.split("These go:|These remain:", out)[1:]
    assert "the stack: functions, rules" in goes
    assert BUCKET not in goes
    for remaining in (before, after):
        assert f"the bucket {BUCKET} with " in remaining
        assert "model packages of handsoff-titanic: 1" in remaining
        assert "the ledger handsoff-Ledger-" in remaining
    assert place.client("lambda").list_functions()["Functions"] == []
    assert sagemaker.list_pipelines()["PipelineSummaries"] == []
    assert place.client("scheduler").list_schedules()["Schedules"] == []
    assert s3.get_bucket_policy(Bucket=BUCKET)["Policy"] == policy
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    cloudformation = place.client("cloudformation")
    (managed,) = cloudformation.describe_stacks(StackName="aws-sam-cli-managed-default")["Stacks"]
    sams = managed["Outputs"][0]["OutputValue"]
    assert "Versions" not in s3.list_object_versions(Bucket=sams)

    place.handsoff("deploy")
    (package,) = sagemaker.list_model_packages(ModelPackageGroupName="handsoff-titanic")[
        "ModelPackageSummaryList"
    ]
    assert package["ModelApprovalStatus"] == "Approved"


def test_destroy_with_purge_leaves_nothing_but_logs(place: Place) -> None:
    out, _ = place.handsoff("destroy", "--purge", "--confirm", "handsoff")
    goes, before, after = re.split("These go:|These remain:", out)[1:]
    assert f"the bucket {BUCKET} with " in goes
    assert before == after
    assert "/aws/sagemaker/TrainingJobs" in after
    assert BUCKET not in after
    sagemaker, s3 = place.client("sagemaker"), place.client("s3")
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    assert [item["Name"] for item in s3.list_buckets()["Buckets"] if "handsoff" in item["Name"]] == []
    assert place.client("dynamodb").list_tables()["TableNames"] == []
    assert place.client("ssm").describe_parameters()["Parameters"] == []
    ours = [item["RoleName"] for item in place.client("iam").list_roles()["Roles"]]
    assert [name for name in ours if name.startswith("handsoff")] == []
    place.handsoff("destroy", "--purge", "--confirm", "handsoff")  # again, with nothing there


def test_aws_on_this_machine_is_brought_up_to_date_with_a_new_model(place: Place) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place.handsoff("local", "up", "--detach", "--port", str(port))
    try:
        cloud = server.running(place.folder / ".handsoff" / "local")
        assert cloud is not None
        cloud.client("s3").put_object(Bucket=BUCKET, Key="curated/titanic/note.txt", Body=b"stays")
        config = place.folder / "handsoff.yaml"
        values = yaml.safe_load(config.read_text())
        values["models"]["second"] = values["models"]["titanic"]
        config.write_text(yaml.safe_dump(values))
        place.handsoff("local", "update")
        names = [
            item["PipelineName"] for item in cloud.client("sagemaker").list_pipelines()["PipelineSummaries"]
        ]
        assert sorted(names) == ["handsoff-second", "handsoff-titanic"]
        assert cloud.client("scheduler").get_schedule(Name="handsoff-second")["State"] == "ENABLED"
        kept = cloud.client("s3").get_object(Bucket=BUCKET, Key="curated/titanic/note.txt")
        assert kept["Body"].read() == b"stays"
    finally:
        place.handsoff("local", "down")
