"""The engine with quotas: what is refused, and what waits for an instance."""

from local.types import Json
from pipeline_def.retries import JOB_RETRIES
from pipeline_def.retries import OVER_QUOTA as OVER_QUOTA_POLICY
from tests.local.support import (
    Engine,
    Gate,
    processing,
    retry,
    training,
    wait_until,
)

OVER_QUOTA = (
    "The account-level service limit 'ml.m5.large for processing job usage' is 1 Instances, with current "
    "utilization of 1 Instances and a request delta of 1 Instances. Please use AWS Service Quotas to request "
    "an increase for this quota."
)


def test_job_beyond_its_quota_is_refused_at_once_until_another_ends() -> None:
    gate = Gate()
    engine = Engine(gate, quotas={"ml.m5.large for processing job usage": 1})
    one = processing()["Arguments"]
    larger = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
    assert "ProcessingJobArn" in engine.call("CreateProcessingJob", ProcessingJobName="first", **one)
    refused = engine.call("CreateProcessingJob", ProcessingJobName="second", **one)
    assert refused == {"__type": "ResourceLimitExceeded", "message": OVER_QUOTA}
    others = {**one, "ProcessingResources": {"ClusterConfig": larger}}
    assert "ProcessingJobArn" in engine.call("CreateProcessingJob", ProcessingJobName="other", **others)
    train = training()["Arguments"]
    assert "TrainingJobArn" in engine.call("CreateTrainingJob", TrainingJobName="training", **train)
    gate.open.set()
    wait_until(
        lambda: "ProcessingJobArn" in engine.call("CreateProcessingJob", ProcessingJobName="second", **one)
    )


def test_executions_of_two_models_share_a_quota_of_one_instance() -> None:
    """Under the policy of the pipelines' definition, ten thousand times faster."""
    gate = Gate()
    engine = Engine(
        gate,
        quotas={"ml.m5.large for processing job usage": 1, "ml.m5.large for training job usage": 1},
    )
    policies = [{**policy, "IntervalSeconds": policy["IntervalSeconds"] / 10_000} for policy in JOB_RETRIES]
    assert OVER_QUOTA_POLICY in JOB_RETRIES
    engine.create(
        processing("Prepare", RetryPolicies=policies),
        training("Train", DependsOn=["Prepare"], RetryPolicies=policies),
        processing("Evaluate", DependsOn=["Train"], RetryPolicies=policies),
    )
    arns = [engine.start(token * 32)["PipelineExecutionArn"] for token in "ab"]

    def retried() -> list[Json]:
        found = [engine.steps(arn).get("Prepare", {}) for arn in arns]
        return [step for step in found if step.get("AttemptCount", 0) > 1]

    (waiting,) = wait_until(retried)
    assert (waiting["StepStatus"], waiting.get("Metadata", {})) == ("Starting", {})
    gate.open.set()
    assert [engine.ended(arn)["PipelineExecutionStatus"] for arn in arns] == ["Succeeded"] * 2


def test_quota_fails_an_execution_whose_step_is_not_retried() -> None:
    gate = Gate()
    engine = Engine(gate, quotas={"ml.m5.large for processing job usage": 1})
    engine.call("CreateProcessingJob", ProcessingJobName="other", **processing()["Arguments"])
    ended = engine.run(processing("A", RetryPolicies=retry("SageMaker.CAPACITY_ERROR", "Step.THROTTLING")))
    assert ended["PipelineExecutionStatus"] == "Failed"
    step = engine.steps(ended["PipelineExecutionArn"])["A"]
    assert step["FailureReason"] == (
        f"ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: {OVER_QUOTA}"
    )
    gate.open.set()
