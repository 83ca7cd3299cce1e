"""What SageMaker's calls need, and what IAM's answers look like in the journal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from local.errors import NoSuchUser
from local.ministack.iam import journal as iam_journal
from local.sagemaker.permissions import needed
from local.server import Cloud

PREFIX = "arn:aws:sagemaker:us-east-1:123456789012"
ROLE = "arn:aws:iam::123456789012:role/r"
PASSED = ("iam:PassRole", ROLE, {"iam:PassedToService": "sagemaker.amazonaws.com"})


@pytest.mark.parametrize(
    ("operation", "request_", "calls"),
    [
        ("ListPipelines", {"PipelineNamePrefix": "p"}, [("sagemaker:ListPipelines", "*", {})]),
        (
            "ListModelPackages",
            {"ModelPackageGroupName": "g"},
            [("sagemaker:ListModelPackages", "*", {})],
        ),
        (
            "StartPipelineExecution",
            {"PipelineName": "p"},
            [("sagemaker:StartPipelineExecution", f"{PREFIX}:pipeline/p", {})],
        ),
        (
            "StartPipelineExecution",
            {"PipelineName": f"{PREFIX}:pipeline/p"},
            [("sagemaker:StartPipelineExecution", f"{PREFIX}:pipeline/p", {})],
        ),
        (
            "DescribePipelineExecution",
            {"PipelineExecutionArn": f"{PREFIX}:pipeline/p/execution/e"},
            [("sagemaker:DescribePipelineExecution", f"{PREFIX}:pipeline/p/execution/e", {})],
        ),
        (
            "CreatePipeline",
            {
                "PipelineName": "p",
                "RoleArn": ROLE,
                "Tags": [{"Key": "k", "Value": "v"}],
                "PipelineDefinitionS3Location": {"Bucket": "b", "ObjectKey": "k"},
            },
            [
                ("sagemaker:CreatePipeline", f"{PREFIX}:pipeline/p", {}),
                ("sagemaker:AddTags", f"{PREFIX}:pipeline/p", {}),
                PASSED,
                ("s3:GetObject", "arn:aws:s3:::b/k", {}),
            ],
        ),
        (
            "UpdatePipeline",
            {"PipelineName": "p", "PipelineDefinition": "{}"},
            [("sagemaker:UpdatePipeline", f"{PREFIX}:pipeline/p", {})],
        ),
        (
            "CreateTrainingJob",
            {"TrainingJobName": "j", "RoleArn": ROLE},
            [("sagemaker:CreateTrainingJob", f"{PREFIX}:training-job/j", {}), PASSED],
        ),
        (
            "CreateModelPackage",
            {"ModelPackageGroupName": "g", "ModelApprovalStatus": "PendingManualApproval"},
            [
                (
                    "sagemaker:CreateModelPackage",
                    f"{PREFIX}:{resource}",
                    {"sagemaker:ModelApprovalStatus": "PendingManualApproval"},
                )
                for resource in ("model-package/g/*", "model-package-group/g")
            ],
        ),
        (
            "UpdateModelPackage",
            {"ModelPackageArn": f"{PREFIX}:model-package/g/1", "ModelApprovalStatus": "Approved"},
            [
                (
                    "sagemaker:UpdateModelPackage",
                    f"{PREFIX}:model-package/g/1",
                    {"sagemaker:ModelApprovalStatus": "Approved"},
                )
            ],
        ),
        (
            "AddTags",
            {"ResourceArn": f"{PREFIX}:pipeline/p", "Tags": [{"Key": "k", "Value": "v"}]},
            [("sagemaker:AddTags", f"{PREFIX}:pipeline/p", {})],
        ),
        ("DescribePipeline", {}, [("sagemaker:DescribePipeline", "*", {})]),
    ],
)
def test_call_needs_permissions(operation: str, request_: dict[str, Any], calls: list[Any]) -> None:
    found = needed(operation, request_, account="123456789012", region="us-east-1")
    assert [(call.action, call.resource, dict(call.context)) for call in found] == calls


def test_journal_keeps_an_answer_once_and_denials_beyond_its_limit(tmp_path: Path) -> None:
    journal = iam_journal.Journal(tmp_path / iam_journal.NAME, max_lines=2)

    def record(resource: str, decision: str) -> None:
        context = {"s3:prefix": "p", "aws:tagkeys": None}
        journal.record(
            "who", "s3:GetObject", resource, region="us-east-1", context=context, decision=decision
        )

    for _ in range(3):
        record("one", "Allow")
    for resource in ("two", "three"):
        record(resource, "Allow")
    record("three", "ImplicitDeny")
    assert [(entry["resource"], entry["decision"]) for entry in iam_journal.read(tmp_path)] == [
        ("one", "Allow"),
        ("two", "Allow"),
        ("three", "ImplicitDeny"),
    ]
    assert iam_journal.read(tmp_path)[0] == {
        "principal": "who",
        "action": "s3:GetObject",
        "resource": "one",
        "region": "us-east-1",
        "context": {"s3:prefix": "p"},
        "decision": "Allow",
    }


def test_keys_of_an_unknown_user_raise(tmp_path: Path) -> None:
    cloud = Cloud("http://127.0.0.1:1", "us-east-1", 1, tmp_path, ("key", "secret"))
    with pytest.raises(NoSuchUser, match="has no user ada: `handsoff local up --enforce-iam`"):
        cloud.environment("ada")
    cloud.keep("ada", "AKIA", "secret")
    assert cloud.environment("ada")["AWS_SECRET_ACCESS_KEY"] == "secret"
    with pytest.raises(NoSuchUser):
        cloud.environment("../cloud")
