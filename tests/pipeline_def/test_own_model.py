"""The definition of a model with own code: its steps, what each is given, and that SageMaker takes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator

from local.sagemaker.pipelines.parsing import parse
from pipeline_def import publish
from pipeline_def.images import has_gpu
from pipeline_def.jobs import processing_type
from pipeline_def.publish import code_files, code_objects, code_sha256, render
from tests.pipeline_def.test_pipeline_definition import (
    EXECUTION,
    KEY,
    ROLE,
    SHA,
    defined,
    references,
    resolve,
    steps,
)

Model = dict[str, Any]
OWN = {
    "source_dir": "src/churn",
    "entry_point": "train.py",
    "image": "xgboost:3.0-5",
    "hyperparameters": {"max-depth": 4, "eta": 0.05, "verbose": True, "objective": "binary:logistic"},
    "instance_type": "ml.m5.xlarge",
    "instance_count": 2,
    "volume_gb": 100,
    "max_runtime": "7200s",
    "spot": False,
}
XGBOOST = "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.0-5"
STEPS_IMAGE = "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
ANCHORED = {"rules": [{"metric": "roc_auc", "versus_anchor": {"max_loss": 0.05}}]}


@pytest.fixture
def own(model: Model) -> Model:
    return {**model, "training": OWN, "inference": {"entry_point": "inference.py"}}


def of_jobs(definition: Model) -> dict[str, Model]:
    return {name: step["Arguments"] for name, step in steps(definition).items()}


def uris(definition: Model, step: str, kind: str = "Inputs") -> dict[str, Any]:
    """The S3 URIs of a processing step's inputs or outputs by name, resolved as far as the step tells."""
    job = of_jobs(definition)[step]
    items = job["ProcessingInputs"] if kind == "Inputs" else job["ProcessingOutputConfig"]["Outputs"]
    member = "S3Input" if kind == "Inputs" else "S3Output"
    known = {**EXECUTION, **{path: path for path in references(items) if path.startswith("Steps.")}}
    return {item[f"{kind[:-1]}Name"]: resolve(item[member]["S3Uri"], known) for item in items}


def test_own_code_is_scored_before_its_evaluation(own: Model) -> None:
    assert [(step["Name"], step["Type"]) for step in defined(own)["Steps"]] == [
        ("DataPreProcessing", "Processing"),
        ("TrainModel", "Training"),
        ("ScoreCandidate", "Processing"),
        ("ScoreChampion", "Processing"),
        ("ModelEvaluation", "Processing"),
        ("RegisterModel", "RegisterModel"),
    ]
    anchored = defined({**own, "approval": ANCHORED})
    assert [step["Name"] for step in anchored["Steps"]][4] == "ScoreAnchor"
    assert len(anchored["Steps"]) == 7


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ("TrainModel", {"DataPreProcessing"}),
        ("ScoreCandidate", {"DataPreProcessing", "TrainModel"}),
        ("ScoreChampion", {"DataPreProcessing"}),
        ("ScoreAnchor", {"DataPreProcessing"}),
        ("ModelEvaluation", {"DataPreProcessing", "ScoreCandidate", "ScoreChampion", "ScoreAnchor"}),
        ("RegisterModel", {"TrainModel", "ModelEvaluation"}),
    ],
)
def test_each_step_waits_for_the_steps_it_refers_to(own: Model, step: str, after: set[str]) -> None:
    paths = references(steps(defined({**own, "approval": ANCHORED}))[step])
    assert {path.split(".")[1] for path in paths if path.startswith("Steps.")} == after


def test_parameters_name_the_images_of_champion_and_anchor_where_they_are_used(own: Model) -> None:
    for model, names in (
        (own, {"ChampionImage"}),
        ({**own, "approval": ANCHORED}, {"ChampionImage", "AnchorImage"}),
    ):
        found = defined(model)
        defaults = {item["Name"]: item["DefaultValue"] for item in found["Parameters"]}
        images = {name: default for name, default in defaults.items() if name.endswith("Image")}
        assert images == dict.fromkeys(names, XGBOOST)
        used = {path for path in references(found["Steps"]) if path.startswith("Parameters.")}
        assert used == {f"Parameters.{name}" for name in defaults}


def test_preprocessing_gets_the_models_and_gives_what_the_others_read(own: Model) -> None:
    found = defined(own)
    arguments = of_jobs(found)["DataPreProcessing"]["AppSpecification"]["ContainerArguments"]
    assert arguments[-10:] == [
        *("--champion", {"Get": "Parameters.Champion"}),
        *("--anchor", {"Get": "Parameters.Anchor"}),
        *("--group", "handsoff-titanic"),
        *("--role", ROLE),
        *("--output", "/opt/ml/processing/output"),
    ]
    run = "s3://handsoff-data/runs/titanic/abcdefghijkl"
    assert uris(found, "DataPreProcessing", "Outputs") == {
        "train": f"{run}/data/train",
        "validation": f"{run}/data/validation",
        "report": "s3://handsoff-data/models/titanic/abcdefghijkl",
        "channel-train": f"{run}/channels/train",
        "channel-validation": f"{run}/channels/validation",
        "rows": f"{run}/rows",
        "models": f"{run}/models",
    }


@pytest.mark.parametrize(
    ("data", "expected"),
    [({}, "application/x-parquet"), ({"channel_format": "csv"}, "text/csv")],
)
def test_channels_have_the_content_type_of_their_format(data: Model, expected: str, own: Model) -> None:
    job = of_jobs(defined({**own, "data": data}))["TrainModel"]
    assert [item["ContentType"] for item in job["InputDataConfig"]] == [expected, expected]


def test_training_runs_own_code_in_its_image(own: Model) -> None:
    job = of_jobs(defined(own))["TrainModel"]
    assert job["AlgorithmSpecification"]["TrainingImage"] == XGBOOST
    assert job["HyperParameters"] == {
        "max-depth": "4",
        "eta": "0.05",
        "verbose": "true",
        "objective": '"binary:logistic"',
        "sagemaker_program": '"handsoff_entry.py"',
        "sagemaker_submit_directory": f'"s3://handsoff-data/code/{SHA}/sourcedir.tar.gz"',
        "sagemaker_region": '"eu-central-1"',
        "sagemaker_container_log_level": "20",
    }
    channels = {
        item["ChannelName"]: item["DataSource"]["S3DataSource"]["S3Uri"] for item in job["InputDataConfig"]
    }
    outputs = "Steps.DataPreProcessing.ProcessingOutputConfig.Outputs"
    assert channels == {
        name: {"Get": f"{outputs}['channel-{name}'].S3Output.S3Uri"} for name in ("train", "validation")
    }
    assert (job["ResourceConfig"]["InstanceCount"], job["ResourceConfig"]["VolumeSizeInGB"]) == (2, 100)
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200}
    assert not {"EnableManagedSpotTraining", "CheckpointConfig"} & set(job)


def test_spot_training_waits_a_day_and_keeps_its_checkpoints(own: Model) -> None:
    job = of_jobs(defined({**own, "training": {**OWN, "spot": True}}))["TrainModel"]
    assert job["EnableManagedSpotTraining"] is True
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200, "MaxWaitTimeInSeconds": 93_600}
    assert resolve(job["CheckpointConfig"], EXECUTION) == {
        "S3Uri": "s3://handsoff-data/runs/titanic/abcdefghijkl/checkpoints"
    }


def test_a_built_in_estimator_may_be_trained_on_spot_capacity(model: Model) -> None:
    training = {**model["training"], "spot": True, "max_runtime": "14400s", "volume_gb": 50}
    found = defined({**model, "training": training})
    job = of_jobs(found)["TrainModel"]
    assert (job["EnableManagedSpotTraining"], len(found["Steps"])) == (True, 4)
    sizes = [
        job["ResourceConfig"]["VolumeSizeInGB"],
        of_jobs(found)["ModelEvaluation"]["ProcessingResources"]["ClusterConfig"]["VolumeSizeInGB"],
    ]
    assert sizes == [50, 50]


@pytest.mark.parametrize(
    ("step", "image", "scored", "options"),
    [
        ("ScoreCandidate", XGBOOST, "candidate", ["--shuffle"]),
        (
            *("ScoreChampion", {"Get": "Parameters.ChampionImage"}, "champion"),
            ["--optional", "--image", {"Get": "Parameters.ChampionImage"}],
        ),
        (
            *("ScoreAnchor", {"Get": "Parameters.AnchorImage"}, "anchor"),
            ["--optional", "--image", {"Get": "Parameters.AnchorImage"}],
        ),
    ],
)
def test_each_model_is_scored_in_its_own_image(
    step: str, image: Any, scored: str, options: list[Any], own: Model
) -> None:
    found = defined({**own, "approval": ANCHORED})
    job = of_jobs(found)[step]
    assert job["AppSpecification"] == {
        "ImageUri": image,
        "ContainerEntrypoint": ["python3", "/opt/ml/processing/input/code/score.py"],
        "ContainerArguments": [
            *("--model", "/opt/ml/processing/input/model"),
            *("--rows", "/opt/ml/processing/input/rows/rows.csv"),
            *("--output", "/opt/ml/processing/output/predictions"),
            *("--seconds", "6000"),
            *options,
        ],
    }
    outputs = "Steps.DataPreProcessing.ProcessingOutputConfig.Outputs"
    trained = "Steps.TrainModel.ModelArtifacts.S3ModelArtifacts"
    assert uris(found, step) == {
        "code": f"s3://handsoff-data/code/{SHA}/scoring",
        "rows": f"{outputs}['rows'].S3Output.S3Uri",
        "model": trained if scored == "candidate" else f"{outputs}['models'].S3Output.S3Uri/{scored}",
    }
    run = "s3://handsoff-data/runs/titanic/abcdefghijkl"
    assert uris(found, step, "Outputs") == {"predictions": f"{run}/predictions/{scored}"}


def test_evaluation_reads_predictions_and_no_model(own: Model) -> None:
    found = defined({**own, "approval": ANCHORED})
    job = of_jobs(found)["ModelEvaluation"]
    assert job["AppSpecification"]["ImageUri"] == STEPS_IMAGE
    names = [name for name in job["AppSpecification"]["ContainerArguments"] if str(name).startswith("--")]
    assert names == [
        *(
            "--config",
            "--validation",
            "--training-rows",
            "--report",
            "--profile",
            "--bucket",
            "--group",
            "--role",
        ),
        *(
            "--candidate-predictions",
            "--champion-predictions",
            "--anchor-predictions",
            "--execution",
            "--output",
        ),
    ]
    paths = {item["InputName"]: item["S3Input"]["LocalPath"] for item in job["ProcessingInputs"]}
    assert paths["anchor-predictions"] == "/opt/ml/processing/input/anchor-predictions"
    assert "model" not in paths
    assert uris(found, "ModelEvaluation")["champion-predictions"] == (
        "Steps.ScoreChampion.ProcessingOutputConfig.Outputs['predictions'].S3Output.S3Uri"
    )
    assert "anchor-predictions" not in uris(defined(own), "ModelEvaluation")


def test_own_code_is_registered_with_its_image_and_its_contract(own: Model) -> None:
    inference = {"entry_point": None, "content_type": "application/json", "accept": "text/csv"}
    for requirements, more in ((False, {"PYTHONPATH": "/opt/ml/model/code"}), (True, {})):
        found = defined({**own, "inference": inference}, requirements=requirements)
        served = of_jobs(found)["RegisterModel"]["InferenceSpecification"]
        (container,) = served["Containers"]
        assert container["Image"] == XGBOOST
        assert container["Environment"] == {
            **more,
            "SAGEMAKER_PROGRAM": "train.py",
            "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
            "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
            "SAGEMAKER_REGION": "eu-central-1",
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "text/csv",
        }
        assert served["SupportedContentTypes"] == ["application/json"]
        assert served["SupportedResponseMIMETypes"] == ["text/csv"]


def test_only_training_uses_gpus(own: Model) -> None:
    training = {**OWN, "image": "pytorch:2.6.0", "instance_type": "ml.g5.xlarge"}
    found = defined({**own, "training": training}, kms_key=KEY)
    defaults = {item["Name"]: item["DefaultValue"] for item in found["Parameters"]}
    assert (defaults["ProcessingInstanceType"], defaults["TrainingInstanceType"]) == (
        *("ml.m5.xlarge", "ml.g5.xlarge"),
    )
    jobs = of_jobs(found)
    assert jobs["TrainModel"]["AlgorithmSpecification"]["TrainingImage"].endswith(
        "/pytorch-training:2.6.0-gpu-py312"
    )
    assert "VolumeKmsKeyId" not in jobs["TrainModel"]["ResourceConfig"]
    assert jobs["ScoreCandidate"]["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == KEY


def test_every_type_that_trains_has_one_that_processes() -> None:
    """Read from what botocore knows; both kinds of model, with GPUs for own code only."""
    service = botocore.session.get_session().get_service_model("sagemaker")
    trains, processes = (
        set(service.shape_for(f"{kind}InstanceType").enum)  # type: ignore[attr-defined]
        for kind in ("Training", "Processing")
    )
    assert "ml.trn1.2xlarge" in trains - processes
    assert {processing_type(name, own_code=True) for name in trains} <= processes
    built_in = {name for name in trains if not has_gpu(name)}
    assert {processing_type(name, own_code=False) for name in built_in} <= processes
    assert processing_type("ml.c5n.xlarge", own_code=False) == "ml.m5.xlarge"
    assert processing_type("ml.c5.xlarge", own_code=True) == "ml.c5.xlarge"


OPERATIONS = {
    "Processing": "CreateProcessingJob",
    "Training": "CreateTrainingJob",
    "RegisterModel": "CreateModelPackage",
}


@pytest.mark.parametrize("spot", [False, True])
def test_sagemaker_and_the_local_engine_take_the_definition(own: Model, spot: bool) -> None:
    model = {**own, "approval": ANCHORED, "training": {**OWN, "spot": spot}}
    found = defined(model, kms_key=KEY, subnets=["subnet-01234567"], security_groups=["sg-01234567"])
    assert set(parse(json.dumps(found)).steps) == {step["Name"] for step in found["Steps"]}
    service = boto3.client("sagemaker", region_name="eu-central-1").meta.service_model
    known = {f"Parameters.{item['Name']}": item["DefaultValue"] for item in found["Parameters"]} | EXECUTION
    for step in found["Steps"]:
        named = {} if step["Type"] == "RegisterModel" else {f"{step['Type']}JobName": "job"}
        shape = service.operation_model(OPERATIONS[step["Type"]]).input_shape
        assert shape is not None
        problems = ParamValidator().validate({**resolve(step["Arguments"], known), **named}, shape)
        assert not problems.has_errors(), problems.generate_report()


# ---- published ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of handsoff.yaml, with own code."""
    source = tmp_path / "src" / "churn"
    (source / "lib").mkdir(parents=True)
    for name in ("train.py", "inference.py", "lib/dates.py"):
        (source / name).write_text(f"# {name}\n", encoding="utf-8")
    return tmp_path


def published(own: Model, folder: Path) -> dict[str, bytes]:
    return code_files(own, "titanic", folder=folder, region="eu-central-1")


def test_the_code_of_the_training_job_is_the_users_with_our_start(own: Model, folder: Path) -> None:
    files = published(own, folder)
    source = {path for path in files if path.startswith("sourcedir/")}
    assert source == {
        *("sourcedir/train.py", "sourcedir/inference.py", "sourcedir/lib/dates.py"),
        *("sourcedir/handsoff_entry.py", "sourcedir/handsoff_words.py", "sourcedir/handsoff.json"),
    }
    assert {path for path in files if path.startswith("scoring/")} >= {"scoring/score.py"}
    assert set(code_objects(files)) == {"sourcedir.tar.gz", *(set(files) - source)}


def test_the_contract_says_how_the_model_is_asked(own: Model, folder: Path) -> None:
    files = published(own, folder)
    contract = json.loads(files["sourcedir/handsoff.json"])
    config = json.loads(files["processing/model.json"])
    asked = {
        "entry_point": "inference.py",
        "content_type": "text/csv",
        "accept": "text/csv",
        "header": False,
        "returns": "probability",
    }
    assert contract == {
        "schema_version": 1,
        "config": config,
        "inference": asked,
        "image": XGBOOST,
        "framework": "xgboost",
        "columns": [],
        "training": {
            "source_dir": "src/churn",
            "entry_point": "train.py",
            "files": ["inference.py", "lib/dates.py", "train.py"],
        },
    }
    assert (config["training"], config["inference"]) == ({}, asked)


def test_the_hash_names_the_users_code(own: Model, folder: Path) -> None:
    before = code_sha256(published(own, folder))
    faster = {**own, "training": {**OWN, "instance_type": "ml.m5.4xlarge", "hyperparameters": {}}}
    assert code_sha256(published(faster, folder)) == before
    (folder / "src" / "churn" / "__pycache__").mkdir()
    (folder / "src" / "churn" / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert code_sha256(published(own, folder)) == before
    (folder / "src" / "churn" / "lib" / "dates.py").write_text("# other", encoding="utf-8")
    assert code_sha256(published(own, folder)) != before


@pytest.mark.parametrize("requirements", [False, True])
def test_render_names_the_code_and_whether_it_has_requirements(
    requirements: bool, own: Model, folder: Path
) -> None:
    if requirements:
        (folder / "src" / "churn" / "requirements.txt").write_text("holidays\n", encoding="utf-8")
    text = render(
        *("titanic", own, published(own, folder)),
        prefix="handsoff",
        bucket="handsoff-data",
        role_arn=ROLE,
        region="eu-central-1",
    )
    sha256 = code_sha256(published(own, folder))
    assert f"s3://handsoff-data/code/{sha256}/sourcedir.tar.gz" in text
    assert ("PYTHONPATH" in text) is not requirements


def test_a_built_in_estimator_has_no_scoring_code(model: Model) -> None:
    assert {path.partition("/")[0] for path in code_files(model, "titanic")} == {"processing", "sourcedir"}
    assert publish.step_config({**model, "data": {"columns": "landed"}}, "titanic")["data"] == {}
