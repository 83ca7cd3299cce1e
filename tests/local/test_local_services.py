"""A running server: events reach rules and functions, and its errors are those of AWS."""

import io
import json
import zipfile
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from local.types import Json
from tests.local.aws import Aws
from tests.local.support import ROLE, processing, register, wait_until

pytestmark = pytest.mark.story


@pytest.fixture
def queue(aws: Aws) -> Iterator[str]:
    """The URL of a queue that receives all of SageMaker's events."""
    sqs, events = aws.cloud.client("sqs"), aws.cloud.client("events")
    url: str = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(Rule="all", Targets=[{"Id": "q", "Arn": arn}])
    yield url
    events.remove_targets(Rule="all", Ids=["q"])
    events.delete_rule(Name="all")
    sqs.delete_queue(QueueUrl=url)


def test_execution_events_reach_a_rule(aws: Aws, queue: str) -> None:
    execution, _ = aws.run(processing(), register(DependsOn=["Prepare"]))
    sqs = aws.cloud.client("sqs")
    heard: list[Json] = []

    def complete() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            heard.append(json.loads(message["Body"]))
        return any(e["detail"].get("currentPipelineExecutionStatus") == "Succeeded" for e in heard)

    wait_until(complete)
    assert {event["detail-type"] for event in heard} >= {
        "SageMaker Model Building Pipeline Execution Status Change",
        "SageMaker Model Building Pipeline Execution Step Status Change",
        "SageMaker Processing Job State Change",
        "SageMaker Model Package State Change",
    }
    last = next(e for e in heard if e["detail"].get("currentPipelineExecutionStatus") == "Succeeded")
    assert (last["source"], last["account"], last["region"]) == ("aws.sagemaker", "123456789012", "us-east-1")
    assert last["resources"] == [execution["PipelineArn"], execution["PipelineExecutionArn"]]


def test_failing_function_sends_its_event_to_the_failure_queue(aws: Aws) -> None:
    """The target is an alias, as SAM makes it: after its attempts the event goes to OnFailure."""
    functions, events, sqs = (aws.cloud.client(name) for name in ("lambda", "events", "sqs"))
    url = sqs.create_queue(QueueName="failed")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): raise ValueError(event['id'])\n")
    functions.create_function(
        FunctionName="raises",
        Runtime="python3.11",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName="raises", WaiterConfig={"Delay": 1})
    version = functions.publish_version(FunctionName="raises")["Version"]
    alias = functions.create_alias(FunctionName="raises", Name="live", FunctionVersion=version)["AliasArn"]
    functions.put_function_event_invoke_config(
        FunctionName="raises",
        Qualifier="live",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue_arn}},
    )
    events.put_rule(Name="raises", EventPattern=json.dumps({"source": ["test.raises"]}))
    events.put_targets(Rule="raises", Targets=[{"Id": "f", "Arn": alias}])
    events.put_events(Entries=[{"Source": "test.raises", "DetailType": "x", "Detail": json.dumps({"n": 1})}])
    failed = wait_until(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    assert json.loads(failed[0]["Body"])["requestPayload"]["detail"] == {"n": 1}
    streams = aws.logs.describe_log_streams(logGroupName="/aws/lambda/raises")["logStreams"]
    assert len(streams) == 2


def test_errors_have_the_names_of_the_service_model(aws: Aws) -> None:
    sagemaker = aws.sagemaker
    with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="pipeline/none' does not exist"):
        sagemaker.start_pipeline_execution(PipelineName="none")
    with pytest.raises(
        ClientError, match=r"ValidationException.*'pipelineExecutionDisplayName' failed to satisfy"
    ):
        sagemaker.start_pipeline_execution(PipelineName="none", PipelineExecutionDisplayName="not allowed")


def test_other_operations_are_answered_by_moto_or_refused(aws: Aws) -> None:
    aws.sagemaker.create_model(ModelName="m", PrimaryContainer={"Image": "i"}, ExecutionRoleArn=ROLE)
    assert aws.sagemaker.describe_model(ModelName="m")["ModelArn"].startswith(
        "arn:aws:sagemaker:us-east-1:123456789012:"
    )
    with pytest.raises(ClientError, match="is not available on this machine"):
        aws.sagemaker.create_labeling_job(
            LabelingJobName="l",
            LabelAttributeName="a",
            RoleArn=ROLE,
            InputConfig={"DataSource": {}},
            OutputConfig={"S3OutputPath": "s3://bucket/x"},
            HumanTaskConfig={
                "WorkteamArn": "arn:aws:sagemaker:us-east-1:123456789012:workteam/private-crowd/x",
                "UiConfig": {},
                "TaskTitle": "t",
                "TaskDescription": "d",
                "NumberOfHumanWorkersPerDataObject": 1,
                "TaskTimeLimitInSeconds": 60,
            },
        )
