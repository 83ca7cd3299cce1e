"""The events of executions, steps and jobs have the shapes that AWS documents."""

from local.sagemaker.errors import AlgorithmError
from local.sagemaker.jobs.api import Outcome
from tests.local.support import Engine, event_sample, failing, processing, shape, training, wait_until


def test_execution_and_step_events_have_the_documented_shape() -> None:
    engine = Engine()
    engine.run(
        processing("A"),
        PipelineExecutionDisplayName="SomeName",
        PipelineExecutionDescription="SomeDescription",
    )
    executions = [e for e in engine.events if "Execution Status" in e[0]]
    steps = [e for e in engine.events if "Step Status" in e[0]]
    for sample, (detail_type, resources, detail) in (
        (event_sample("pipeline_execution"), executions[-1]),
        (event_sample("pipeline_step"), steps[-1]),
    ):
        assert detail_type == sample["detail-type"]
        assert len(resources) == len(sample["resources"])
        assert shape(detail) == shape(sample["detail"])
    assert [
        (e[2].get("previousPipelineExecutionStatus"), e[2]["currentPipelineExecutionStatus"])
        for e in executions
    ] == [
        (None, "Executing"),
        ("Executing", "Succeeded"),
    ]
    assert [(e[2].get("previousStepStatus"), e[2]["currentStepStatus"]) for e in steps] == [
        (None, "Starting"),
        ("Starting", "Executing"),
        ("Executing", "Succeeded"),
    ]


def test_event_of_a_failed_step_has_its_reason() -> None:
    engine = Engine(failing(AlgorithmError("broken, exit code: 1")))
    engine.run(processing("A"))
    last = [detail for kind, _, detail in engine.events if "Step Status" in kind][-1]
    assert last["failureReason"] == "AlgorithmError: broken, exit code: 1"


def test_job_events_have_the_documented_shape() -> None:
    engine = Engine(lambda _job: Outcome(artifacts="s3://bucket/m"))
    job = processing(inputs={"x": "s3://bucket/x"}, outputs={"y": "s3://bucket/y"})["Arguments"]
    engine.call("CreateProcessingJob", ProcessingJobName="a", **job)
    engine.call(
        "CreateTrainingJob", TrainingJobName="b", **training(channels={"train": "s3://bucket/x"})["Arguments"]
    )
    wait_until(
        lambda: (
            sum(
                detail.get("ProcessingJobStatus") == "Completed"
                or detail.get("TrainingJobStatus") == "Completed"
                for _, _, detail in engine.events
            )
            == 2
        )
    )
    for name in ("processing_job", "training_job"):
        sample = event_sample(name)
        mine = [
            (resources, detail) for kind, resources, detail in engine.events if kind == sample["detail-type"]
        ]
        assert len(mine) > 1
        for resources, detail in mine:
            assert len(resources) == len(sample["resources"])
            extra = detail.keys() - sample["detail"].keys()
            assert extra <= {"ModelArtifacts"}, extra
        last = mine[-1][1]
        optional = {"FailureReason", "NetworkConfig", "ProcessingStartTime", "TrainingStartTime"}
        assert sample["detail"].keys() - last.keys() <= optional
        assert isinstance(last["CreationTime"], int)
        assert last["CreationTime"] > 10**12
