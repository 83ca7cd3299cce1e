"""`handsoff deploy` and `handsoff destroy` by Terraform and the SAM CLI, against AWS on this machine.

One story, in the order of the tests: deployed, retrained, deployed again, taken down without and with data.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handsoff.deploying.local import this_machine
from tests.loop.builds import provide
from tests.loop.conftest import wait
from tests.loop.place import BUCKET, Place, deployed_to

pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed"),
]

ANOTHER = "handsoff-was-here-before"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, ready_build: Path) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("deploy")
    with deployed_to(folder / "aws", folder / "project") as made:
        for work in (".handsoff", ".handsoff/deploy/handsoff"):  # of the demo, and of `deploy`
            provide(ready_build, made.folder / work)  # by what `deploy` builds with; the digest is the same
        yield made


HASHES = {
    "data": ("manifestSha256", "reportSha256"),
    "artifact": ("sha256", "bytes"),
    "evaluation": ("sha256",),
}
"""Where the evidence has the digest or size of an object that names identities or times itself."""


def told_apart(evidence: dict[str, Any]) -> dict[str, Any]:
    """Evidence without what differs from one execution to the next: identities, times, and their digests."""
    text = json.dumps(evidence)
    text = text.replace(evidence["pipelineExecutionArn"].rsplit("/", 1)[-1], "EXECUTION")
    text = re.sub(r"(DataPreProcessing|TrainModel|ModelEvaluation)-\w{10}", r"\1-JOB", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(\+00:00|Z)", "TIME", text)
    found: dict[str, Any] = json.loads(text)
    for part, names in HASHES.items():
        assert all(found[part][name] for name in names)
        found[part] |= dict.fromkeys(names, "OF THE EXECUTION")
    found["facts"].sort(key=json.dumps)  # the verdict comes before the execution's end, or after it
    return found


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


def only_package(place: Place, group: str) -> dict[str, Any]:
    found = place.client("sagemaker").list_model_packages(ModelPackageGroupName=group)
    (package,) = found["ModelPackageSummaryList"]
    return package  # type: ignore[no-any-return]


def test_deploy_by_terraform_and_sam_gives_the_evidence_of_the_demo(place: Place) -> None:
    out, _ = place.handsoff("deploy", "--plan")
    assert "  + aws_s3_bucket.data[0]" in out.splitlines()
    assert "stack handsoff: would be made" in out.splitlines()
    assert place.client("s3").list_buckets()["Buckets"] == []

    with (
        place.start("deploy", "--parameter", "ReviewConcurrency=3") as deploying,
        place.start("demo") as demo,  # Terraform waits most of its minute
    ):
        shown = "".join(demo.communicate(timeout=300))
        out, err = deploying.communicate(timeout=300)
    assert (demo.returncode, deploying.returncode) == (0, 0), shown + out + err
    assert "✓ functions and layer are built for {} on {}".format(*this_machine()) in err
    assert "✓ Terraform applies: " in err
    assert re.search(r"^LedgerTable +handsoff-Ledger-", out, re.MULTILINE)
    assert place.parameters()["ReviewConcurrency"] == "3"
    assert list((place.folder / "terraform").glob("*.tfstate*")) == []  # that is where AWS's own state is

    files = [f"data/titanic/{name}.csv" for name in ("train", "validation")]
    place.handsoff("land", "titanic", *files)
    place.handsoff("status", "--watch")

    def whole() -> dict[str, Any] | None:
        """The evidence, once what follows from the decision is in it, too."""
        found: dict[str, Any] = json.loads(place.handsoff("evidence", "--json")[0])
        told = any(fact["kind"] == "notified" for fact in found["facts"])
        return found if found["anchor"] and told else None

    ours = wait("what follows from the decision", whole)
    demos = json.loads((place.folder / ".handsoff" / "evidence.json").read_text())
    assert ours["modelApprovalStatus"] == "Approved"
    assert told_apart(ours) == told_apart(demos)


def test_second_deploy_changes_nothing_and_keeps_parameters(place: Place) -> None:
    before = state(place)
    _, err = place.handsoff("deploy")
    assert "Terraform applies" not in err
    assert state(place) == before
    assert place.parameters()["ReviewConcurrency"] == "3"


def test_deploy_without_its_terraform_state_is_refused(place: Place) -> None:
    before = state(place)
    (elsewhere,) = (place.folder / ".handsoff" / "terraform").iterdir()
    kept = elsewhere.rename(place.folder / "kept")
    for command in (["deploy"], ["destroy", "--confirm", "handsoff"]):
        _, err = place.handsoff(*command, code=1)
        there = f"the bucket {BUCKET}, the stack handsoff, the pipeline handsoff-titanic"
        assert f"{there}: made by `handsoff local up`, not by Terraform" in err
        assert state(place) == before
    shutil.rmtree(elsewhere)
    kept.rename(elsewhere)


def test_destroy_with_the_state_of_another_region_is_refused(place: Place) -> None:
    _, err = place.handsoff("destroy", "--confirm", "handsoff", code=1, AWS_DEFAULT_REGION="eu-west-1")
    assert "is of account 123456789012 region us-east-1 prefix handsoff, and this is account" in err


def test_deploy_that_would_remove_data_is_refused(place: Place) -> None:
    config = place.folder / "handsoff.yaml"
    before, as_written = state(place), config.read_text()
    config.write_text(as_written.replace("  titanic:", "  other:") + f"aws: {{bucket: {ANOTHER}}}\n")
    s3 = place.client("s3")
    s3.create_bucket(Bucket=ANOTHER)
    s3.put_bucket_versioning(Bucket=ANOTHER, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=ANOTHER, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    out, err = place.handsoff("deploy", "--plan", code=1)
    assert "- aws_s3_bucket_policy.data[0]" in out
    assert "- aws_s3_bucket_policy.data[0]" in err
    assert '- aws_sagemaker_model_package_group.model["titanic"], which holds 1 model packages' in err
    assert "-chdir=" in err
    assert "aws_ssm_parameter" not in err
    assert state(place) == before
    s3.delete_bucket(Bucket=ANOTHER)
    config.write_text(as_written)


def test_plan_shows_changes_of_the_stack_and_changes_nothing(place: Place) -> None:
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
        ([], "there is no terminal to ask on: say --confirm handsoff; nothing was changed"),
        (["--confirm", "handsof"], "handsof is not the prefix, which is handsoff: nothing was changed"),
    ],
)
def test_destroy_without_the_typed_prefix_changes_nothing(
    place: Place, confirm: list[str], said: str
) -> None:
    before = state(place)
    out, err = place.handsoff("destroy", *confirm, code=1)
    assert "To be removed:" in out
    assert said in err
    assert state(place) == before


def test_destroy_keeps_data_and_deploy_finds_them_again(place: Place) -> None:
    sagemaker, s3 = place.client("sagemaker"), place.client("s3")
    policy = s3.get_bucket_policy(Bucket=BUCKET)["Policy"]
    out, _ = place.handsoff("destroy", "--confirm", "handsoff")
    goes, before, after = re.split("To be removed:|These remain:", out)[1:]
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
    assert only_package(place, "handsoff-titanic")["ModelApprovalStatus"] == "Approved"


def test_destroy_with_purge_leaves_only_logs_and_foreign_resources(place: Place) -> None:
    sagemaker, s3, dynamodb = (place.client(name) for name in ("sagemaker", "s3", "dynamodb"))
    sagemaker.create_model_package_group(ModelPackageGroupName="handsoff-theirs")
    sagemaker.create_model_package(
        ModelPackageGroupName="handsoff-theirs",
        InferenceSpecification=sagemaker.describe_model_package(
            ModelPackageName=only_package(place, "handsoff-titanic")["ModelPackageArn"]
        )["InferenceSpecification"],
    )
    dynamodb.create_table(
        TableName="handsoff-Ledger-theirs",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "fact", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "fact", "KeyType": "HASH"}],
    )
    out, _ = place.handsoff("destroy", "--purge", "--confirm", "handsoff")
    goes, before, after = re.split("To be removed:|These remain:", out)[1:]
    assert f"the bucket {BUCKET} with " in goes
    assert before == after
    assert "/aws/sagemaker/TrainingJobs" in after
    assert BUCKET not in after
    (group,) = sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert group["ModelPackageGroupName"] == "handsoff-theirs"
    assert only_package(place, "handsoff-theirs")
    assert [item["Name"] for item in s3.list_buckets()["Buckets"] if "handsoff" in item["Name"]] == []
    assert dynamodb.list_tables()["TableNames"] == ["handsoff-Ledger-theirs"]
    assert place.client("ssm").describe_parameters()["Parameters"] == []
    ours = [item["RoleName"] for item in place.client("iam").list_roles()["Roles"]]
    assert [name for name in ours if name.startswith("handsoff")] == []
    place.handsoff("destroy", "--purge", "--confirm", "handsoff")  # again, with nothing there
