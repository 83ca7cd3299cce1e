"""The engine without real jobs: order, failures, retries, stopping, tokens, states, events."""

import threading
import time

import pytest

from local.sagemaker.errors import AlgorithmError, CapacityError, ThrottlingException
from local.sagemaker.jobs.api import Job, Outcome
from local.types import Json
from tests.local.support import (
    TOKEN,
    Engine,
    Gate,
    definition,
    failing,
    processing,
    register,
    retry,
    training,
    wait_until,
)


def step_of(job_name: str) -> str:
    return job_name.split("-")[2]


def test_steps_run_in_parallel_and_after_their_needs() -> None:
    gate = Gate()
    engine = Engine(gate)
    engine.create(processing("A"), processing("B"), processing("C", DependsOn=["A", "B"]))
    arn = engine.start()["PipelineExecutionArn"]
    wait_until(lambda: len(gate.seen) == 2)
    assert {step_of(name) for name in gate.seen} == {"A", "B"}
    gate.open.set()
    assert engine.ended(arn)["PipelineExecutionStatus"] == "Succeeded"
    assert step_of(gate.seen[2]) == "C"
    steps = engine.steps(arn)
    assert steps["C"]["StartTime"] >= max(steps["A"]["EndTime"], steps["B"]["EndTime"])


def test_steps_run_at_most_as_many_as_parallelism_allows() -> None:
    most, now, lock = [0], [0], threading.Lock()

    def program(_job: Job) -> Outcome:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return Outcome()

    engine = Engine(program)
    ended = engine.run(
        *(processing(f"S{i}") for i in range(4)), ParallelismConfiguration={"MaxParallelExecutionSteps": 1}
    )
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert most == [1]


def test_failed_step_ends_the_execution_after_running_steps_end() -> None:
    def program(job: Job) -> Outcome:
        if step_of(job.name) == "Bad":
            return Outcome(fault=AlgorithmError("no such column, exit code: 1"))
        time.sleep(0.1)
        return Outcome()

    engine = Engine(program)
    ended = engine.run(processing("Bad"), processing("Sibling"), processing("Next", DependsOn=["Sibling"]))
    assert ended["PipelineExecutionStatus"] == "Failed"
    assert ended["FailureReason"] == "Step failure: One or multiple steps failed."
    steps = engine.steps(ended["PipelineExecutionArn"])
    assert {name: step["StepStatus"] for name, step in steps.items()} == {
        "Bad": "Failed",
        "Sibling": "Succeeded",
    }
    assert steps["Bad"]["FailureReason"] == "AlgorithmError: no such column, exit code: 1"


def test_retry_policy_retries_a_failure_that_it_names() -> None:
    engine = Engine(failing(CapacityError("none"), CapacityError("none")))
    ended = engine.run(processing("A", RetryPolicies=retry("SageMaker.CAPACITY_ERROR")))
    assert ended["PipelineExecutionStatus"] == "Succeeded"
    assert engine.steps(ended["PipelineExecutionArn"])["A"]["AttemptCount"] == 3
    assert len(engine.call("ListProcessingJobs")["ProcessingJobSummaries"]) == 3


@pytest.mark.parametrize(
    ("policies", "attempts"),
    [
        (retry("SageMaker.CAPACITY_ERROR"), 3),
        (retry("Step.THROTTLING"), 1),
        (retry("SageMaker.CAPACITY_ERROR", ExpireAfterMin=0), 1),
        ([], 1),
    ],
)
def test_retry_policy_stops_at_its_limits(policies: list[Json], attempts: int) -> None:
    engine = Engine(failing(*[CapacityError("none")] * 9))
    ended = engine.run(processing("A", RetryPolicies=policies))
    step = engine.steps(ended["PipelineExecutionArn"])["A"]
    assert (step["StepStatus"], step["AttemptCount"]) == ("Failed", attempts)
    assert step["FailureReason"] == "CapacityError: none"


def test_retry_policy_retries_a_throttled_call(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    create, refusals = engine.jobs.create, [ThrottlingException("Rate exceeded")]

    def throttled(kind: str, request: Json) -> Job:
        if refusals:
            raise refusals.pop()
        return create(kind, request)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.jobs, "create", throttled)
    ended = engine.run(processing("A", RetryPolicies=retry("Step.THROTTLING")))
    assert ended["PipelineExecutionStatus"] == "Succeeded"


def test_stop_stops_jobs_and_starts_no_waiting_step() -> None:
    gate = Gate()
    engine = Engine(gate)
    engine.create(processing("A"), processing("B", DependsOn=["A"]))
    arn = engine.start()["PipelineExecutionArn"]
    wait_until(lambda: gate.seen)
    engine.call("StopPipelineExecution", PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    assert engine.ended(arn)["PipelineExecutionStatus"] == "Stopped"
    assert {name: step["StepStatus"] for name, step in engine.steps(arn).items()} == {"A": "Stopped"}
    job = engine.call("DescribeProcessingJob", ProcessingJobName=gate.seen[0])
    assert job["ProcessingJobStatus"] == "Stopped"


def test_stop_ends_the_wait_between_attempts() -> None:
    engine = Engine(failing(*[CapacityError("none")] * 9))
    engine.create(processing("A", RetryPolicies=retry("SageMaker.CAPACITY_ERROR", IntervalSeconds=60)))
    arn = engine.start()["PipelineExecutionArn"]
    wait_until(lambda: engine.call("ListProcessingJobs", StatusEquals="Failed")["ProcessingJobSummaries"])
    engine.call("StopPipelineExecution", PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    assert engine.ended(arn)["PipelineExecutionStatus"] == "Stopped"


def test_retry_keeps_succeeded_steps() -> None:
    engine = Engine(failing(None, AlgorithmError("broken"), None))
    ended = engine.run(processing("A"), processing("B", DependsOn=["A"]), processing("C", DependsOn=["B"]))
    arn = ended["PipelineExecutionArn"]
    before = engine.steps(arn)
    assert ended["PipelineExecutionStatus"] == "Failed"
    answer = engine.call("RetryPipelineExecution", PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
    assert answer == {"PipelineExecutionArn": arn}
    again = engine.ended(arn)
    assert again["PipelineExecutionStatus"] == "Succeeded"
    assert "FailureReason" not in again
    after = engine.steps(arn)
    assert list(after) == ["A", "B", "C"]
    assert after["A"] == before["A"]
    assert after["B"]["Metadata"] != before["B"]["Metadata"]


def test_stop_and_retry_refuse_an_execution_that_succeeded() -> None:
    engine = Engine()
    arn = engine.run(processing())["PipelineExecutionArn"]
    for operation in ("StopPipelineExecution", "RetryPipelineExecution"):
        answer = engine.call(operation, PipelineExecutionArn=arn, ClientRequestToken=TOKEN)
        assert answer["__type"] == "ConflictException"


def test_start_with_the_same_token_returns_the_same_execution() -> None:
    engine = Engine()
    engine.create(processing())
    first = engine.start(PipelineExecutionDescription="why")
    assert engine.start(PipelineExecutionDescription="why") == first
    assert engine.start(PipelineExecutionDescription="other")["__type"] == "ConflictException"
    assert engine.start(token="u" * 32) != first
    assert len(engine.call("ListPipelineExecutions", PipelineName="p")["PipelineExecutionSummaries"]) == 2
    engine.ended(first["PipelineExecutionArn"])


def test_concurrent_starts_with_one_token_make_one_execution() -> None:
    engine = Engine()
    engine.create(processing())
    answers: list[Json] = []
    threads = [threading.Thread(target=lambda: answers.append(engine.start())) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(answers) == 16
    assert len({answer["PipelineExecutionArn"] for answer in answers}) == 1


def test_create_with_the_same_token_makes_one_pipeline() -> None:
    engine = Engine()
    created = engine.create(processing())
    assert engine.create(processing()) == created
    again = engine.create(processing(), token="u" * 32)
    assert again["__type"] == "ValidationException"
    assert "Pipeline with name (p) already exists" in again["message"]


def test_execution_keeps_the_definition_of_its_start_after_an_update() -> None:
    gate = Gate()
    engine = Engine(gate)
    engine.create(processing("Old"))
    arn = engine.start()["PipelineExecutionArn"]
    engine.call("UpdatePipeline", PipelineName="p", PipelineDefinition=definition(processing("New")))
    gate.open.set()
    engine.ended(arn)
    assert list(engine.steps(arn)) == ["Old"]
    answer = engine.call("DescribePipelineDefinitionForExecution", PipelineExecutionArn=arn)
    assert answer["PipelineDefinition"] == definition(processing("Old"))
    assert "New" in engine.call("DescribePipeline", PipelineName="p")["PipelineDefinition"]


def test_update_that_is_refused_changes_nothing() -> None:
    engine = Engine()
    engine.create(processing("Old"))
    answer = engine.call("UpdatePipeline", PipelineName="p", PipelineDefinition=definition())
    assert answer["__type"] == "ValidationException"
    assert "Old" in engine.call("DescribePipeline", PipelineName="p")["PipelineDefinition"]


def test_create_reads_a_definition_from_s3() -> None:
    engine = Engine()
    answer = engine.call(
        "CreatePipeline",
        PipelineName="p",
        RoleArn="arn:aws:iam::123456789012:role/execution",
        ClientRequestToken=TOKEN,
        PipelineDefinitionS3Location={"Bucket": "bucket", "ObjectKey": "definition.json"},
    )
    assert answer == {"PipelineArn": "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p"}


def test_parameters_reach_the_job_and_are_listed() -> None:
    requests: list[Json] = []

    def program(job: Job) -> Outcome:
        requests.append(job.request)
        return Outcome()

    engine = Engine(program)
    step = processing(
        "A", arguments={"Environment": {"N": {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.N"}]}}}}
    )
    ended = engine.run(
        step,
        parameters=[{"Name": "N", "Type": "Integer", "DefaultValue": 1}],
        PipelineParameters=[{"Name": "N", "Value": "7"}],
    )
    assert requests[0]["Environment"] == {"N": "7"}
    listed = engine.call(
        "ListPipelineParametersForExecution", PipelineExecutionArn=ended["PipelineExecutionArn"]
    )
    assert listed == {"PipelineParameters": [{"Name": "N", "Value": "7"}]}
    refused = engine.start(token="u" * 32, PipelineParameters=[{"Name": "M", "Value": "7"}])
    assert refused["__type"] == "ValidationException"
    assert "[M]" in refused["message"]


def test_step_fails_if_a_parameter_breaks_its_request() -> None:
    engine = Engine()
    step = processing("A", inputs={"x": {"Get": "Parameters.Uri"}})
    ended = engine.run(step, parameters=[{"Name": "Uri", "Type": "String", "DefaultValue": "nowhere"}])
    reason = engine.steps(ended["PipelineExecutionArn"])["A"]["FailureReason"]
    assert reason.startswith("ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: ")
    assert "processingInputs.1.member.s3Input.s3Uri" in reason


def test_register_step_registers_the_trained_model() -> None:
    engine = Engine(lambda job: Outcome(artifacts=f"s3://bucket/{job.name}/model.tar.gz"))
    ended = engine.run(training(), register(model={"Get": "Steps.Train.ModelArtifacts.S3ModelArtifacts"}))
    steps = engine.steps(ended["PipelineExecutionArn"])
    arn = steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    assert arn == "arn:aws:sagemaker:us-east-1:123456789012:model-package/group/1"
    package = engine.call("DescribeModelPackage", ModelPackageName=arn)
    job_name = steps["Train"]["Metadata"]["TrainingJob"]["Arn"].rpartition("/")[2]
    container = package["InferenceSpecification"]["Containers"][0]
    assert container["ModelDataUrl"] == f"s3://bucket/{job_name}/model.tar.gz"
    assert package["MetadataProperties"] == {"GeneratedBy": ended["PipelineExecutionArn"]}
    assert package["ModelApprovalStatus"] == "PendingManualApproval"


def test_names_of_executions_and_jobs_are_formed_as_on_aws() -> None:
    engine = Engine()
    ended = engine.run(processing("A" * 64))
    arn = ended["PipelineExecutionArn"]
    identifier = arn.rpartition("/")[2]
    assert arn == f"arn:aws:sagemaker:us-east-1:123456789012:pipeline/p/execution/{identifier}"
    assert len(identifier) == 12
    assert identifier.isalnum()
    assert identifier.islower() or identifier.isdigit()
    name = engine.call("ListProcessingJobs")["ProcessingJobSummaries"][0]["ProcessingJobName"]
    assert name.startswith(f"pipelines-{identifier}-AAA")
    assert len(name) == 63
    assert ended["PipelineExecutionDisplayName"].startswith("execution-")


def test_list_executions_returns_pages_newest_first() -> None:
    engine = Engine()
    engine.create(processing())
    arns = [engine.start(token=f"{i:032}")["PipelineExecutionArn"] for i in range(12)]
    for arn in arns:
        engine.ended(arn)
    first = engine.call("ListPipelineExecutions", PipelineName="p")
    second = engine.call("ListPipelineExecutions", PipelineName="p", NextToken=first["NextToken"])
    assert [s["PipelineExecutionArn"] for s in first["PipelineExecutionSummaries"]] == arns[:1:-1]
    assert [s["PipelineExecutionArn"] for s in second["PipelineExecutionSummaries"]] == arns[1::-1]
    assert "NextToken" not in second
    ascending = engine.call("ListPipelineExecutions", PipelineName="p", SortOrder="Ascending", MaxResults=1)
    assert ascending["PipelineExecutionSummaries"][0]["PipelineExecutionArn"] == arns[0]
    assert (
        engine.call("ListPipelineExecutions", PipelineName="p", NextToken="x")["__type"]
        == "ValidationException"
    )


def test_pipeline_can_be_described_updated_listed_and_deleted() -> None:
    engine = Engine()
    engine.create(processing(), PipelineDescription="first", Tags=[{"Key": "k", "Value": "v"}])
    arn = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/p"
    assert engine.call("ListTags", ResourceArn=arn) == {"Tags": [{"Key": "k", "Value": "v"}]}
    engine.call("UpdatePipeline", PipelineName="p", PipelineDescription="second")
    described = engine.call("DescribePipeline", PipelineName=arn)
    assert (described["PipelineDescription"], described["PipelineStatus"]) == ("second", "Active")
    assert [p["PipelineName"] for p in engine.call("ListPipelines")["PipelineSummaries"]] == ["p"]
    assert engine.call("ListPipelines", PipelineNamePrefix="x") == {"PipelineSummaries": []}
    assert engine.call("DeletePipeline", PipelineName="p", ClientRequestToken=TOKEN) == {"PipelineArn": arn}
    assert engine.call("DescribePipeline", PipelineName="p") == {
        "__type": "ResourceNotFound",
        "message": f"Pipeline '{arn}' does not exist.",
    }


def test_update_execution_renames_it() -> None:
    engine = Engine()
    arn = engine.run(processing())["PipelineExecutionArn"]
    engine.call("UpdatePipelineExecution", PipelineExecutionArn=arn, PipelineExecutionDisplayName="new")
    assert (
        engine.call("DescribePipelineExecution", PipelineExecutionArn=arn)["PipelineExecutionDisplayName"]
        == "new"
    )


def test_internal_error_is_reported_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(lambda job: Outcome(**{"nonsense": job}))  # type: ignore[arg-type]
    ended = engine.run(processing("A"))
    reason = engine.steps(ended["PipelineExecutionArn"])["A"]["FailureReason"]
    assert reason.startswith("FaultOfThisMachine: TypeError: ")
    monkeypatch.setattr(engine.registry, "_lock", None)
    assert engine.call("ListModelPackages")["__type"] == "InternalFailure"


NETWORK = {"SecurityGroupIds": ["sg-0123456789abcdef0"], "Subnets": ["subnet-0123456789abcdef0"]}
KEY = "arn:aws:kms:us-east-1:123456789012:key/k"
CLUSTER = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30, "VolumeKmsKeyId": KEY}


def test_network_and_key_are_validated_and_have_no_effect() -> None:
    engine = Engine()
    prepare = processing(
        arguments={
            "NetworkConfig": {"VpcConfig": NETWORK},
            "ProcessingResources": {"ClusterConfig": CLUSTER},
            "ProcessingOutputConfig": {"KmsKeyId": KEY, "Outputs": []},
        }
    )
    train = training(
        arguments={
            "VpcConfig": NETWORK,
            "ResourceConfig": CLUSTER,
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/models", "KmsKeyId": KEY},
        }
    )
    assert engine.run(prepare, train)["PipelineExecutionStatus"] == "Succeeded"
    half = training(arguments={"VpcConfig": {"Subnets": NETWORK["Subnets"]}})
    assert "Value null at 'vpcConfig.securityGroupIds'" in Engine().create(half)["message"]


def test_list_steps_omits_a_step_that_has_not_begun() -> None:
    """It has no status yet, and AWS lists no step without one."""
    gate = Gate()
    engine = Engine(gate)
    engine.create(processing("One"), processing("Two"))
    arn = engine.start()["PipelineExecutionArn"]
    wait_until(lambda: len(gate.seen) == 2)
    execution = engine.pipelines._execution({"PipelineExecutionArn": arn})
    execution._runs["One"].status = None
    assert [step["StepName"] for step in execution.steps()] == ["Two"]
    execution._runs["One"].status = "Executing"
    gate.open.set()
    engine.ended(arn)
