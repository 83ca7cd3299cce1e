"""terraform/: its own tests, what it makes on AWS on this machine, and an empty plan after publishing.

The tests are skipped where Terraform is not on the PATH.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handsoff import project
from handsoff.deploying import render
from handsoff.deploying.publishing import publish_model, schedule_is_current
from handsoff.deploying.terraform import read_plan
from handsoff.deployment import Deployment
from handsoff.errors import NotDeployed
from handsoff.location import Location
from local import server
from local.infrastructure import provision
from local.server import Cloud
from tests.terraform.conftest import ROOT, Terraform

pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed"),
]

BUCKET = "handsoff-data-123456789012-us-east-1"
NOTHING_TO_DO = "No changes. Your infrastructure matches the configuration."
IN_SYNC = ("plan", "-detailed-exitcode", "-input=false")  # exit code 2 if the plan is not empty


def test_terraform_files_are_formatted() -> None:
    done = subprocess.run(
        ["terraform", "fmt", "-check", "-recursive", "-diff", str(ROOT / "terraform")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.usefixtures("applying")  # runs while Terraform applies
def test_terraforms_own_tests_pass(terraform: Terraform) -> None:
    """Terraform validates the configuration before it applies it, too."""
    said = terraform("test")
    assert "0 failed" in said
    assert "skipped" not in said


def test_resources_have_the_configured_tags(applied: Terraform, cloud: Cloud) -> None:
    assert applied.folder
    tags = cloud.client("s3").get_bucket_tagging(Bucket=BUCKET)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"team": "ml", "handsoff:prefix": "handsoff"}
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/handsoff-titanic"
    tags = cloud.client("sagemaker").list_tags(ResourceArn=arn)["Tags"]
    ours = {"team": "ml", "handsoff:prefix": "handsoff", "handsoff:model": "titanic"}
    assert {tag["Key"]: tag["Value"] for tag in tags} == ours


def test_plan_after_apply_and_publish_is_empty_also_with_labelled_access_keys(
    applied: Terraform, cloud: Cloud
) -> None:
    iam = cloud.client("iam")
    assert iam.list_access_keys(UserName="data-science-user")["AccessKeyMetadata"] == []
    key = iam.create_access_key(UserName="data-science-user")["AccessKey"]["AccessKeyId"]
    label = {"Key": key, "Value": "data-science-user-primary"}
    iam.tag_user(UserName="data-science-user", Tags=[label])
    assert applied.publish() == [("unchanged", False)]
    assert NOTHING_TO_DO in applied(*IN_SYNC)


def test_plan_refuses_a_changed_config_until_it_is_published(
    applied: Terraform,
) -> None:
    before = applied.config.read_text()
    applied.config.write_text(before.replace("min: 0.78", "min: 0.79").replace("m5.large", "m5.xlarge"))
    refused = applied(*IN_SYNC, code=1)
    assert "is older than handsoff.yaml: run handsoff render." in refused
    assert applied.publish() == [("updated", True)]
    assert NOTHING_TO_DO in applied(*IN_SYNC)


def days_to_first_request(cloud: Cloud) -> float:
    schedule = cloud.client("scheduler").get_schedule(Name="handsoff-titanic")
    assert schedule["ScheduleExpression"].startswith("rate(")
    until: timedelta = schedule["StartDate"] - datetime.now(UTC)
    return until / timedelta(days=1)


def test_rate_schedule_starts_one_interval_after_it_was_made_or_changed(
    applied: Terraform, cloud: Cloud
) -> None:
    """The plan is empty meanwhile: tests above and below look, the next one after the last apply."""
    assert 6.9 < days_to_first_request(cloud) <= 7
    before = applied.config.read_text()
    applied.config.write_text(before.replace("rate(7 days)", "rate(3 days)"))
    applied.render()
    said = applied("apply", "-auto-approve", "-input=false")
    assert 'aws_scheduler_schedule.model["titanic"] will be replaced' in said
    assert 2.9 < days_to_first_request(cloud) <= 3
    assert NOTHING_TO_DO in applied(*IN_SYNC)
    applied.config.write_text(before)
    applied.render()
    applied("apply", "-auto-approve", "-input=false")
    assert 6.9 < days_to_first_request(cloud) <= 7


def test_plan_says_that_a_schedule_which_was_disabled_by_hand_is_enabled_again(
    applied: Terraform, cloud: Cloud
) -> None:
    scheduler = cloud.client("scheduler")
    found = scheduler.get_schedule(Name="handsoff-titanic")
    made_of = ("Name", "Description", "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate")
    kept = {key: found[key] for key in (*made_of, "FlexibleTimeWindow", "Target")}
    scheduler.update_schedule(**kept, State="DISABLED")
    try:
        assert "1 to change" in applied("plan", "-input=false", "-out=disabled.tfplan")
        plan = read_plan(json.loads(applied("show", "-json", "disabled.tfplan")))
    finally:
        scheduler.update_schedule(**kept, State="ENABLED")
    address = 'aws_scheduler_schedule.model["titanic"]'
    assert plan.changes == {address: "~"}
    assert plan.notes[address][0] == "state: DISABLED → ENABLED"
    assert plan.notes[address][1].startswith("the schedule of titanic was disabled by hand")
    assert NOTHING_TO_DO in applied(*IN_SYNC)


def test_schedule_is_current_compares_with_the_config(applied: Terraform) -> None:
    config = applied.deployment().config
    titanic = config.models["titanic"]

    def scheduled(model: str, **said: str | None) -> bool:
        retrain = titanic.retrain.model_copy(update=said)
        models = {model: titanic.model_copy(update={"retrain": retrain})}
        deployment = Deployment(config.model_copy(update={"models": models}))
        return schedule_is_current(deployment, model)

    assert scheduled("titanic")
    assert not scheduled("titanic", schedule="rate(3 days)")
    assert not scheduled("titanic", schedule_timezone="Europe/Madrid")
    assert not scheduled("titanic", schedule=None)
    assert not scheduled("other")
    assert scheduled("other", schedule=None)


def test_publish_refuses_a_model_or_bucket_that_is_not_deployed(applied: Terraform) -> None:
    config = applied.deployment().config
    titanic = config.models["titanic"]
    more = config.model_copy(update={"models": {"titanic": titanic, "other": titanic}})
    with pytest.raises(NotDeployed, match="no pipeline handsoff-other here: `handsoff deploy` makes it"):
        publish_model(Deployment(more), "other")
    elsewhere = config.aws.model_copy(update={"bucket": "acme-data"})
    moved = config.model_copy(update={"aws": elsewhere})
    with pytest.raises(NotDeployed, match=f"the data is in {BUCKET} here, handsoff.yaml names acme-data"):
        publish_model(Deployment(moved), "titanic")


def policy(text: str | dict[str, Any]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(text) if isinstance(text, str) else text
    return loaded


def as_made(cloud: Cloud) -> dict[str, Any]:
    """Every resource of a deployment before `sam deploy`, as AWS's API describes it."""
    s3, iam, sagemaker, ssm = (cloud.client(name) for name in ("s3", "iam", "sagemaker", "ssm"))
    schedule = cloud.client("scheduler").get_schedule(Name="handsoff-titanic")
    pipeline = sagemaker.describe_pipeline(PipelineName="handsoff-titanic")
    managed = {}
    for name in ("handsoff-operator", "handsoff-operator-publish"):
        arn = f"arn:aws:iam::123456789012:policy/{name}"
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
        managed[name] = policy(found)
    roles = {}
    for name in sorted(role["RoleName"] for role in iam.list_roles()["Roles"]):
        roles[name] = {
            "trust": policy(iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"]),
            "policies": {
                document: policy(iam.get_role_policy(RoleName=name, PolicyName=document)["PolicyDocument"])
                for document in iam.list_role_policies(RoleName=name)["PolicyNames"]
            },
        }
    rules = s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    encryption = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    return {
        "buckets": [item["Name"] for item in s3.list_buckets()["Buckets"]],
        "public": s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"],
        "versioning": s3.get_bucket_versioning(Bucket=BUCKET)["Status"],
        "ownership": s3.get_bucket_ownership_controls(Bucket=BUCKET)["OwnershipControls"],
        "encryption": [rule["ApplyServerSideEncryptionByDefault"] for rule in encryption],
        "events": "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=BUCKET),
        "lifecycle": sorted(rules, key=lambda rule: str(rule["ID"])),
        "bucket policy": policy(s3.get_bucket_policy(Bucket=BUCKET)["Policy"]),
        "roles": roles,
        "managed policies": managed,
        "groups": [
            (item["ModelPackageGroupName"], item["ModelPackageGroupDescription"])
            for item in sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
        ],
        "pipeline": [
            pipeline[name]
            for name in ("PipelineName", "PipelineDescription", "PipelineDefinition", "RoleArn")
        ],
        "parameters": {
            name: ssm.get_parameter(Name=name)["Parameter"]["Value"]
            for name in ("/handsoff/data-bucket", "/handsoff/models/titanic")
        },
        "schedule": [
            schedule[name]
            for name in ("Description", "ScheduleExpression", "ScheduleExpressionTimezone", "State")
        ],
        "schedule's target": {
            name: schedule["Target"][name] for name in ("Arn", "RoleArn", "DeadLetterConfig")
        },
        "schedule's message": json.loads(schedule["Target"]["Input"]),
    }


def test_local_provisioning_equals_terraform(applied: Terraform, cloud: Cloud, tmp_path: Path) -> None:
    other = server.start(tmp_path / "other", port=None)
    try:
        location = Location(other.account, other.region, "aws")
        values = render.values(project.load(applied.config).config, location)
        provision(other, values)
        scheduler = other.client("scheduler")
        first = scheduler.get_schedule(Name="handsoff-titanic")["StartDate"]
        provision(other, values)
        assert scheduler.get_schedule(Name="handsoff-titanic")["StartDate"] == first
        stood_in = as_made(other)
        assert 6.9 < days_to_first_request(other) <= 7
        titanic = values["models"]["titanic"]
        titanic |= {"schedule": "rate(3 days)", "starts_after_minutes": 3 * 24 * 60}
        provision(other, values)
        assert 2.9 < days_to_first_request(other) <= 3
    finally:
        server.stop(tmp_path / "other")
    terraformed = as_made(cloud)
    for what, made in terraformed.items():
        assert stood_in[what] == made, what
    assert list(terraformed["roles"]) == ["handsoff-pipeline", "handsoff-schedules"]
    assert terraformed["buckets"] == [BUCKET]
    assert terraformed["events"]


def test_destroy_keeps_data_until_they_are_purged(applied: Terraform, cloud: Cloud) -> None:
    """Runs last: it removes everything."""
    s3 = cloud.client("s3")
    s3.put_object(Bucket=BUCKET, Key="curated/titanic/train.csv", Body=b"survived\n1\n")
    refused = applied("destroy", "-auto-approve", "-input=false", code=1)
    assert "BucketNotEmpty" in refused
    assert "must delete access keys first" in refused  # the user has an access key
    assert s3.get_object(Bucket=BUCKET, Key="curated/titanic/train.csv")["Body"].read() == b"survived\n1\n"
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for item in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            s3.delete_object(Bucket=BUCKET, Key=item["Key"], VersionId=item["VersionId"])
    iam = cloud.client("iam")
    (key,) = iam.list_access_keys(UserName="data-science-user")["AccessKeyMetadata"]
    iam.delete_access_key(UserName="data-science-user", AccessKeyId=key["AccessKeyId"])
    assert "Destroy complete!" in applied("destroy", "-auto-approve", "-input=false")
    assert applied("state", "list") == ""
    assert s3.list_buckets()["Buckets"] == []
    assert (iam.list_roles()["Roles"], iam.list_users()["Users"]) == ([], [])
