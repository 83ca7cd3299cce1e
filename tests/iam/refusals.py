"""What everybody must be refused, whatever else they may do. {names} stand for what the deployment has."""

from __future__ import annotations

from typing import Any, Final

ACCOUNT = "123456789012"
SAGEMAKER = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
ROLES = f"arn:aws:iam::{ACCOUNT}:role"
Call = tuple[str, str, dict[str, Any]]


def write(key: str) -> Call:
    return ("s3", "put_object", {"Bucket": "{bucket}", "Key": key, "Body": b""})


def delete(key: str) -> Call:
    return ("s3", "delete_object", {"Bucket": "{bucket}", "Key": key})


def approve(group: str) -> Call:
    arn = f"{SAGEMAKER}:model-package/{group}/1"
    return (
        "sagemaker",
        "update_model_package",
        {"ModelPackageArn": arn, "ModelApprovalStatus": "Approved"},
    )


def register(status: str) -> Call:
    return (
        "sagemaker",
        "create_model_package",
        {"ModelPackageGroupName": "handsoff-page", "ModelApprovalStatus": status},
    )


def train(role: str) -> Call:
    return (
        "sagemaker",
        "create_training_job",
        {
            "TrainingJobName": "pipelines-by-hand",
            "RoleArn": f"{ROLES}/{role}",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://elsewhere/"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    )


READ_ELSEWHERE: Final[Call] = ("s3", "list_objects_v2", {"Bucket": "another-teams-bucket"})
WRITE_ELSEWHERE: Final[Call] = ("s3", "put_object", {"Bucket": "another-teams-bucket", "Key": "k"})
READ_A_SECRET: Final[Call] = ("secretsmanager", "get_secret_value", {"SecretId": "another-teams-secret"})
READ_SLACKS_FACT: Final[Call] = (
    "dynamodb",
    "get_item",
    {"TableName": "{table}", "Key": {"fact": {"S": "slack#arn:aws:sagemaker"}}},
)
CHANGE_A_START: Final[Call] = (
    "dynamodb",
    "delete_item",
    {"TableName": "{table}", "Key": {"fact": {"S": "start#abc"}}},
)
READ_THE_LEDGER: Final[Call] = ("dynamodb", "get_item", {"TableName": "{table}", "Key": {"fact": {"S": "f"}}})
SCAN_THE_LEDGER: Final[Call] = ("dynamodb", "scan", {"TableName": "{table}"})
PUBLISH: Final[Call] = ("sns", "publish", {"TopicArn": "{topic}", "Message": "m"})
ASK: Final[Call] = ("sqs", "send_message", {"QueueUrl": "{landings}", "MessageBody": "{{}}"})
TAKE: Final[Call] = ("sqs", "receive_message", {"QueueUrl": "{landings}"})
START: Final[Call] = ("sagemaker", "start_pipeline_execution", {"PipelineName": "handsoff-page"})
START_ELSEWHERE: Final[Call] = ("sagemaker", "start_pipeline_execution", {"PipelineName": "handsoffdev-page"})
RULES: Final[Call] = (
    "ssm",
    "put_parameter",
    {"Name": "/handsoff/models/page", "Value": "{{}}", "Type": "String", "Overwrite": True},
)
MORE_RIGHTS: Final[Call] = (
    "iam",
    "put_role_policy",
    {"RoleName": "handsoff-pipeline", "PolicyName": "more", "PolicyDocument": "{{}}"},
)
ASSUME: Final[Call] = (
    "sts",
    "assume_role",
    {"RoleArn": f"{ROLES}/handsoff-reconcile", "RoleSessionName": "session"},
)
INVOKE: Final[Call] = ("lambda", "invoke", {"FunctionName": "handsoff-reconcile"})
INVOKE_THE_PAGE: Final[Call] = ("lambda", "invoke", {"FunctionName": "handsoff-review-candidate"})
SERVE: Final[Call] = (
    "events",
    "put_events",
    {"Entries": [{"Source": "other", "DetailType": "d", "Detail": "{}"}]},
)

STOP: Final[Call] = (
    "sagemaker",
    "stop_pipeline_execution",
    {"PipelineExecutionArn": f"{SAGEMAKER}:pipeline/handsoff-page/execution/0123456789ab"},
)
PASS_ANOTHER_ROLE: Final[Call] = (
    "sagemaker",
    "update_pipeline",
    {"PipelineName": "handsoff-page", "RoleArn": f"{ROLES}/handsoff-reconcile"},
)
PACKAGE: Final = f"{SAGEMAKER}:model-package/handsoff-page/1"

REFUSED: Final[dict[str, list[Call]]] = {
    "handsoff-pipeline": [
        approve("handsoff-page"),
        register("Approved"),
        register("Rejected"),
        write("curated/page/train.csv"),
        write("evidence/page/e/evidence.json"),
        write("code/c/processing/evaluate.py"),
        delete("models/page/e/model.tar.gz"),
        READ_ELSEWHERE,
        WRITE_ELSEWHERE,
        train("handsoff-reconcile"),
        MORE_RIGHTS,
        START,
        READ_THE_LEDGER,
        RULES,
        READ_A_SECRET,
    ],
    "handsoff-schedules": [
        TAKE,
        ("sqs", "send_message", {"QueueUrl": "{failures}", "MessageBody": "m"}),
        ("sqs", "purge_queue", {"QueueUrl": "{landings}"}),
        PUBLISH,
        START,
        INVOKE,
        READ_THE_LEDGER,
        READ_ELSEWHERE,
    ],
    "handsoff-start-retraining": [
        write("models/page/e/model.tar.gz"),
        write("evidence/page/e/evidence.json"),
        write("curated/page/train.csv"),
        approve("handsoff-page"),
        START_ELSEWHERE,
        STOP,
        train("handsoff-pipeline"),
        SCAN_THE_LEDGER,
        READ_A_SECRET,
        RULES,
        ASK,
    ],
    "handsoff-reconcile": [
        write("models/page/e/model.tar.gz"),
        write("curated/page/train.csv"),
        delete("evidence/page/e/evidence.json"),
        write("evidence/page/chain/00000001.json"),  # a record that is there already
        delete("evidence/page/chain/00000001.json"),
        approve("handsoffdev-page"),
        START_ELSEWHERE,
        train("handsoff-pipeline"),
        READ_A_SECRET,
        SERVE,
        RULES,
        TAKE,
        SCAN_THE_LEDGER,
    ],
    "handsoff-track-execution": [
        approve("handsoff-page"),
        START,
        write("batches/page/b/manifest.json"),
        write("models/page/e/model.tar.gz"),
        write("curated/page/train.csv"),
        READ_A_SECRET,
        ("logs", "delete_log_group", {"logGroupName": "/aws/sagemaker/TrainingJobs"}),
        ("logs", "get_log_events", {"logGroupName": "/aws/lambda/handsoff-reconcile", "logStreamName": "s"}),
        ASK,
    ],
    "handsoff-judge-candidate": [
        approve("handsoffdev-page"),
        START,
        write("batches/page/b/manifest.json"),
        write("models/page/e/evaluation.json"),
        write("curated/page/train.csv"),
        READ_A_SECRET,
        RULES,
        SERVE,
        TAKE,
    ],
    "handsoff-record-decision": [
        approve("handsoffdev-page"),
        START,
        write("batches/page/b/manifest.json"),
        write("models/page/e/evaluation.json"),
        READ_A_SECRET,
        RULES,
        SERVE,
        ASK,
    ],
    "handsoff-review-candidate": [
        approve("handsoffdev-page"),
        START,
        write("batches/page/b/manifest.json"),
        write("evidence/page/e/evidence.json"),
        write("models/page/e/evaluation.json"),
        PUBLISH,
        READ_A_SECRET,
        INVOKE,
        SCAN_THE_LEDGER,
        ASK,
    ],
    "handsoff-notify-slack": [
        approve("handsoffdev-page"),
        START,
        write("evidence/page/e/evidence.json"),
        write("models/page/e/evaluation.json"),
        PUBLISH,
        READ_A_SECRET,
        INVOKE,
        RULES,
    ],
    "data-science-user": [
        train("handsoff-pipeline"),
        ("sagemaker", "delete_model_package", {"ModelPackageName": PACKAGE}),
        approve("handsoffdev-page"),
        START_ELSEWHERE,
        ("sagemaker", "delete_pipeline", {"PipelineName": "handsoff-page", "ClientRequestToken": "t" * 32}),
        PASS_ANOTHER_ROLE,
        write("models/page/e/model.tar.gz"),
        write("code/c/processing/evaluate.py"),
        write("batches/page/b/manifest.json"),
        delete("curated/page/train.csv"),
        delete("evidence/page/e/evidence.json"),
        write("evidence/page/chain/00000001.json"),  # a record that is there already
        delete("evidence/page/chain/00000001.json"),
        ("iam", "create_access_key", {"UserName": "somebody-else"}),
        MORE_RIGHTS,
        ASSUME,
        ("secretsmanager", "get_secret_value", {"SecretId": "handsoff-slack"}),
        ("lambda", "update_function_configuration", {"FunctionName": "handsoff-reconcile", "Timeout": 1}),
        INVOKE_THE_PAGE,
        SCAN_THE_LEDGER,
        READ_SLACKS_FACT,
        CHANGE_A_START,
        TAKE,
        READ_ELSEWHERE,
    ],
}  # fmt: skip
