"""The definition: the names that others rely on, SageMaker's limits, and that each parameter is used."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from pipeline_def.definition import pipeline_definition
from pipeline_def.images import ACCOUNTS, BUILT_IN, image_uri, repository_arns
from pipeline_def.instances import has_local_disks

SHA = "ab" * 32
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0123abcd"
ROLE = "arn:aws:iam::123456789012:role/handsoff-sagemaker"
PARAMETERS = {
    "Batch": "latest",
    "Champion": "latest",
    "Anchor": "none",
    "Trigger": "manual",
    "ProcessingInstanceType": "ml.m5.large",
    "TrainingInstanceType": "ml.m5.large",
}
EXECUTION = {
    "Execution.PipelineExecutionId": "abcdefghijkl",
    "Execution.PipelineExecutionArn": (
        f"arn:aws-us-gov:sagemaker:us-gov-west-1:123456789012:pipeline/{'n' * 63}/execution/abcdefghijkl"
    ),
}


def defined(model: dict[str, Any], **account: Any) -> dict[str, Any]:
    return pipeline_definition(
        model,
        name="titanic",
        prefix="handsoff",
        bucket="handsoff-data",
        role_arn=ROLE,
        region="eu-central-1",
        code_sha256=SHA,
        **account,
    )


@pytest.fixture
def definition(model: dict[str, Any]) -> dict[str, Any]:
    return defined(model)


@pytest.fixture
def guarded(model: dict[str, Any]) -> dict[str, Any]:
    """The definition with a network and an encryption key."""
    return defined(
        model,
        subnets=["subnet-01234567", "subnet-89abcdef"],
        security_groups=["sg-01234567"],
        kms_key=KEY,
    )


def steps(definition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["Name"]: step for step in definition["Steps"]}


def references(value: Any) -> Iterator[str]:
    """The path of every `Get` in `value`, at any depth."""
    if isinstance(value, dict):
        if set(value) == {"Get"}:
            yield value["Get"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def resolve(value: Any, known: dict[str, str]) -> Any:
    """`value` as SageMaker sends it to the API: each Get and Std:Join is a string."""
    if isinstance(value, dict):
        if set(value) == {"Get"}:
            return known.get(value["Get"], f"s3://handsoff-data/{value['Get']}")
        if set(value) == {"Std:Join"}:
            join = value["Std:Join"]
            return join["On"].join(resolve(item, known) for item in join["Values"])
        return {key: resolve(item, known) for key, item in value.items()}
    return [resolve(item, known) for item in value] if isinstance(value, list) else value


def resolved(step: dict[str, Any]) -> dict[str, Any]:
    known = {f"Parameters.{name}": value for name, value in PARAMETERS.items()} | EXECUTION
    known["Parameters.Champion"] = known["Parameters.Anchor"] = (
        f"arn:aws-us-gov:sagemaker:us-gov-west-1:123456789012:model-package/{'n' * 63}/9999"
    )
    known["Parameters.Batch"] = SHA
    arguments: dict[str, Any] = resolve(step["Arguments"], known)
    return arguments


def test_definition_has_the_four_steps_in_order(definition: dict[str, Any]) -> None:
    assert definition["Version"] == "2020-12-01"
    assert [(step["Name"], step["Type"]) for step in definition["Steps"]] == [
        ("DataPreProcessing", "Processing"),
        ("TrainModel", "Training"),
        ("ModelEvaluation", "Processing"),
        ("RegisterModel", "RegisterModel"),
    ]


def test_definition_each_parameter_has_a_default_and_reaches_a_step(definition: dict[str, Any]) -> None:
    found = {item["Name"]: (item["Type"], item["DefaultValue"]) for item in definition["Parameters"]}
    assert found == {name: ("String", value) for name, value in PARAMETERS.items()}
    used = {path for path in references(definition["Steps"]) if path.startswith("Parameters.")}
    assert used == {f"Parameters.{name}" for name in PARAMETERS}


def test_definition_looks_for_the_anchor_only_where_a_rule_asks_for_it(model: dict[str, Any]) -> None:
    rules = [
        {"metric": "accuracy", "min": 0.5},
        {"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}},
    ]
    for asked, default in ((rules[:1], "none"), (rules, "first")):
        found = defined({**model, "approval": {"rules": asked}})
        defaults = {item["Name"]: item["DefaultValue"] for item in found["Parameters"]}
        assert defaults["Anchor"] == default


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ("DataPreProcessing", set()),
        ("TrainModel", {"DataPreProcessing"}),
        ("ModelEvaluation", {"DataPreProcessing", "TrainModel"}),
        ("RegisterModel", {"TrainModel", "ModelEvaluation"}),
    ],
)
def test_definition_step_waits_for_the_steps_it_refers_to(
    definition: dict[str, Any], step: str, after: set[str]
) -> None:
    paths = references(steps(definition)[step])
    assert {path.split(".")[1] for path in paths if path.startswith("Steps.")} == after


@pytest.mark.parametrize(
    ("step", "operation", "given_by_pipelines"),
    [
        ("DataPreProcessing", "CreateProcessingJob", {"ProcessingJobName": "job"}),
        ("TrainModel", "CreateTrainingJob", {"TrainingJobName": "job"}),
        ("ModelEvaluation", "CreateProcessingJob", {"ProcessingJobName": "job"}),
        ("RegisterModel", "CreateModelPackage", {}),
    ],
)
@pytest.mark.parametrize("account", ["definition", "guarded"])
def test_definition_arguments_are_valid_for_the_api(
    step: str,
    operation: str,
    given_by_pipelines: dict[str, str],
    account: str,
    request: pytest.FixtureRequest,
) -> None:
    service = boto3.client("sagemaker", region_name="eu-central-1").meta.service_model
    arguments = {**resolved(steps(request.getfixturevalue(account))[step]), **given_by_pipelines}
    shape = service.operation_model(operation).input_shape
    assert shape is not None
    problems = ParamValidator().validate(arguments, shape)
    assert not problems.has_errors(), problems.generate_report()


def test_definition_each_job_is_in_the_given_network(
    definition: dict[str, Any], guarded: dict[str, Any]
) -> None:
    vpc = {"SecurityGroupIds": ["sg-01234567"], "Subnets": ["subnet-01234567", "subnet-89abcdef"]}
    jobs = {name: step["Arguments"] for name, step in steps(guarded).items()}
    assert jobs["DataPreProcessing"]["NetworkConfig"] == {"VpcConfig": vpc}
    assert jobs["TrainModel"]["VpcConfig"] == vpc
    assert jobs["ModelEvaluation"]["NetworkConfig"] == {"VpcConfig": vpc}
    for step in definition["Steps"]:
        assert not {"NetworkConfig", "VpcConfig"} & set(step["Arguments"])


def test_definition_each_volume_and_output_is_encrypted_by_the_given_key(
    definition: dict[str, Any], guarded: dict[str, Any]
) -> None:
    jobs = {name: step["Arguments"] for name, step in steps(guarded).items()}
    for name in ("DataPreProcessing", "ModelEvaluation"):
        assert jobs[name]["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == KEY
        assert jobs[name]["ProcessingOutputConfig"]["KmsKeyId"] == KEY
    assert jobs["TrainModel"]["ResourceConfig"]["VolumeKmsKeyId"] == KEY
    assert jobs["TrainModel"]["OutputDataConfig"]["KmsKeyId"] == KEY
    assert "KmsKeyId" not in str(definition)


def test_definition_names_no_key_for_volumes_on_local_disks(model: dict[str, Any]) -> None:
    training = {**model["training"], "instance_type": "ml.m5d.large"}
    text = str(found := defined({**model, "training": training}, kms_key=KEY))
    assert "VolumeKmsKeyId" not in text
    assert steps(found)["TrainModel"]["Arguments"]["OutputDataConfig"]["KmsKeyId"] == KEY
    assert text.count("KmsKeyId") == 3


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        ("ml.m5.large", False),
        ("ml.c7i-flex.xlarge", False),
        ("ml.p3.2xlarge", False),
        ("ml.m5d.large", True),
        ("ml.c5d.xlarge", True),
        ("ml.c6id.xlarge", True),
        ("ml.g4dn.xlarge", True),
        ("ml.g5.xlarge", True),
        ("ml.p4d.24xlarge", True),
        ("ml.p6e-gb200.36xlarge", True),
    ],
)
def test_has_local_disks_knows_attributes_and_accelerators(instance_type: str, expected: bool) -> None:
    assert has_local_disks(instance_type) is expected


@pytest.mark.slow
def test_has_local_disks_agrees_with_ec2_for_each_type_of_a_job() -> None:
    from moto.ec2.models.instance_types import INSTANCE_TYPES  # the import takes half a second

    shapes = boto3.client("sagemaker", region_name="eu-central-1").meta.service_model
    types = {
        name
        for shape in ("ProcessingInstanceType", "TrainingInstanceType")
        for name in shapes.shape_for(shape).enum  # type: ignore[attr-defined]
    }
    known = {name for name in types if name.removeprefix("ml.") in INSTANCE_TYPES}
    assert {name.split(".")[1] for name in types - known} == {"p2", "p3", "p6e-gb200"}  # moto has no data
    for name in known:
        stored = INSTANCE_TYPES[name.removeprefix("ml.")]["InstanceStorageSupported"]
        assert has_local_disks(name) is stored, name


@pytest.mark.parametrize("step", ["DataPreProcessing", "ModelEvaluation"])
def test_definition_container_arguments_fit_their_limits(definition: dict[str, Any], step: str) -> None:
    arguments = resolved(steps(definition)[step])
    for text in arguments["AppSpecification"]["ContainerArguments"]:
        assert len(text) <= 256
    for text in arguments["Environment"].values():
        assert len(text) <= 256


def test_definition_job_is_retried_if_throttled_or_without_capacity_or_over_quota(
    definition: dict[str, Any],
) -> None:
    throttled = {
        "ExceptionType": ["Step.SERVICE_FAULT", "Step.THROTTLING"],
        "IntervalSeconds": 10,
        "BackoffRate": 2.0,
        "MaxAttempts": 5,
    }
    no_capacity = {
        "ExceptionType": ["SageMaker.CAPACITY_ERROR", "SageMaker.JOB_INTERNAL_ERROR"],
        "IntervalSeconds": 60,
        "BackoffRate": 2.0,
        "MaxAttempts": 5,
    }
    over_quota = {
        "ExceptionType": ["SageMaker.RESOURCE_LIMIT"],
        "IntervalSeconds": 300,
        "BackoffRate": 1.0,
        "ExpireAfterMin": 1440,  # and no MaxAttempts: SageMaker takes one or the other
    }
    policies = {name: step["RetryPolicies"] for name, step in steps(definition).items()}
    assert policies.pop("RegisterModel") == [throttled]  # it runs no job
    assert policies == {name: [throttled, no_capacity, over_quota] for name in policies}
    assert set(policies) == {"DataPreProcessing", "TrainModel", "ModelEvaluation"}


def test_definition_waits_for_a_quota_longer_than_another_execution_runs(definition: dict[str, Any]) -> None:
    jobs = [step for step in definition["Steps"] if step["Type"] != "RegisterModel"]
    longest = sum(step["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"] for step in jobs)
    waits = {
        policy["ExpireAfterMin"] * 60
        for step in jobs
        for policy in step["RetryPolicies"]
        if "SageMaker.RESOURCE_LIMIT" in policy["ExceptionType"]
    }
    assert (longest, waits) == (8 * 3600, {24 * 3600})


def test_definition_each_job_has_a_time_limit(definition: dict[str, Any]) -> None:
    limits = [
        step["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"]
        for step in definition["Steps"]
        if step["Type"] != "RegisterModel"
    ]
    assert limits == [7200, 14400, 7200]


def test_definition_inputs_and_outputs_have_the_documented_keys(definition: dict[str, Any]) -> None:
    by_name = {name: resolved(step) for name, step in steps(definition).items()}
    outputs = {
        item["OutputName"]: item["S3Output"]["S3Uri"]
        for name in ("DataPreProcessing", "ModelEvaluation")
        for item in by_name[name]["ProcessingOutputConfig"]["Outputs"]
    }
    assert outputs == {
        "train": "s3://handsoff-data/runs/titanic/abcdefghijkl/data/train",
        "validation": "s3://handsoff-data/runs/titanic/abcdefghijkl/data/validation",
        "report": "s3://handsoff-data/models/titanic/abcdefghijkl",
        "evaluation": "s3://handsoff-data/models/titanic/abcdefghijkl",
    }
    training = by_name["TrainModel"]
    assert training["OutputDataConfig"] == {"S3OutputPath": "s3://handsoff-data/models/titanic/abcdefghijkl"}
    assert training["HyperParameters"]["sagemaker_program"] == '"train.py"'
    submitted = f'"s3://handsoff-data/code/{SHA}/sourcedir.tar.gz"'
    assert training["HyperParameters"]["sagemaker_submit_directory"] == submitted
    inputs = {item["InputName"]: item["S3Input"] for item in by_name["ModelEvaluation"]["ProcessingInputs"]}
    code = inputs["code"]
    assert code["S3Uri"] == f"s3://handsoff-data/code/{SHA}/processing"


def test_evaluation_reads_the_training_rows_report_and_profile(definition: dict[str, Any]) -> None:
    given = resolve(
        steps(definition)["ModelEvaluation"]["Arguments"],
        {"Steps.DataPreProcessing.ProcessingOutputConfig.Outputs['report'].S3Output.S3Uri": "s3://b/m/x"},
    )
    inputs = {item["InputName"]: item["S3Input"] for item in given["ProcessingInputs"]}
    assert set(inputs) == {"code", "model", "validation", "training-rows", "report", "profile"}
    assert inputs["training-rows"]["S3Uri"] == "s3://b/m/x/training_rows.parquet"
    assert inputs["training-rows"]["LocalPath"] == "/opt/ml/processing/input/training-rows"
    assert inputs["report"]["S3Uri"] == "s3://b/m/x/data_report.json"
    assert inputs["profile"]["S3Uri"] == "s3://b/m/x/data_profile.json"
    assert len({item["LocalPath"] for item in inputs.values()}) == 6
    arguments = given["AppSpecification"]["ContainerArguments"]
    assert arguments[arguments.index("--training-rows") + 1] == (
        "/opt/ml/processing/input/training-rows/training_rows.parquet"
    )
    assert arguments[arguments.index("--profile") + 1] == (
        "/opt/ml/processing/input/profile/data_profile.json"
    )


def test_evaluation_knows_the_role_of_the_jobs(definition: dict[str, Any]) -> None:
    arguments = steps(definition)["ModelEvaluation"]["Arguments"]
    given = arguments["AppSpecification"]["ContainerArguments"]
    assert given[given.index("--role") + 1] == ROLE
    assert steps(definition)["TrainModel"]["Arguments"]["RoleArn"] == ROLE


def test_registration_is_pending_servable_and_traceable(definition: dict[str, Any]) -> None:
    package = resolved(steps(definition)["RegisterModel"])
    assert package["ModelPackageGroupName"] == "handsoff-titanic"
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    assert package["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].endswith("/evaluation.json")
    environment = package["InferenceSpecification"]["Containers"][0]["Environment"]
    assert environment["SAGEMAKER_PROGRAM"] == "inference.py"
    assert environment["SAGEMAKER_SUBMIT_DIRECTORY"] == "/opt/ml/model/code"
    assert environment["PYTHONPATH"] == "/opt/ml/model/code"  # else the container asks PyPI
    metadata = package["CustomerMetadataProperties"]
    assert set(metadata) == {"execution", "batch", "trigger", "codeSha256"}
    for value in metadata.values():
        assert re.fullmatch(r"[A-Za-z0-9 _.:/=+@-]{1,256}", value)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("us-east-1", "683313688378.dkr.ecr.us-east-1.amazonaws.com"),
        ("eu-central-1", "492215442770.dkr.ecr.eu-central-1.amazonaws.com"),
        ("cn-north-1", "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "414596584902.dkr.ecr.us-gov-west-1.amazonaws.com"),
        ("us-iso-east-1", "833128469047.dkr.ecr.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "281123927165.dkr.ecr.us-isob-east-1.sc2s.sgov.gov"),
        ("us-isof-south-1", "124985052026.dkr.ecr.us-isof-south-1.csp.hci.ic.gov"),
    ],
)
def test_image_uri_of_each_partition(region: str, host: str) -> None:
    assert image_uri(region) == f"{host}/sagemaker-scikit-learn:1.9-0-cpu-py3"


def test_image_uri_region_without_the_image_is_an_error() -> None:
    assert len(ACCOUNTS) == 37
    with pytest.raises(ValueError, match="'mars-north-1'"):
        image_uri("mars-north-1")
    with pytest.raises(ValueError, match="'mars-north-1'"):
        repository_arns(BUILT_IN, "mars-north-1", "aws")


def test_repository_arns_name_the_hosting_account() -> None:
    arn = "arn:aws-cn:ecr:cn-north-1:450853457545:repository/sagemaker-scikit-learn"
    assert repository_arns(BUILT_IN, "cn-north-1", "aws-cn") == (arn,)
