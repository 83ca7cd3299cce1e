"""What own code adds to a model's pipeline: its channels, the scoring steps, and how it is served.

Candidate, champion and anchor are each scored in the image of their package, on the same rows. So pickles of
one image are never read in another, and ModelEvaluation reads predictions only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pipeline_def.jobs import HOUR, MODEL, OUTPUT, Place, channel, processing_job, s3_input, s3_output
from pipeline_def.language import Json, get, join, output_of, parameter
from pipeline_def.retries import JOB_RETRIES

ENTRY: Final = "handsoff_entry.py"
"""The script that the training job starts. It runs that of own code, and packs it beside the model."""

ROWS: Final = "/opt/ml/processing/input/rows"
"""The folder of rows.csv: the validation rows without the target, as a request for predictions has them."""

PREDICTIONS: Final = "/opt/ml/processing/input"
"""The folder of the predictions of each model, below `<model>-predictions`."""

SHORTEST: Final = 2 * HOUR
"""Seconds that a scoring job has at least. It has as long as the training job has."""

LEFT: Final = 1200
"""Seconds of a scoring job that the model does not get: copies of its files, and what was found."""


def parameters(place: Place, anchored: bool) -> list[Json]:
    """The images of champion and anchor. start_retraining passes those of their packages."""
    names = ("ChampionImage", "AnchorImage") if anchored else ("ChampionImage",)
    return [parameter(name, place.inference_image) for name in names]


def compared(place: Place) -> list[Any]:
    """Arguments of DataPreProcessing: the models that the candidate is compared with, and the jobs' role."""
    return [
        *("--champion", get("Parameters.Champion")),
        *("--anchor", get("Parameters.Anchor")),
        *("--group", place.full_name),
        *("--role", place.role_arn),
    ]


def preprocessed(place: Place) -> list[Json]:
    """Outputs of DataPreProcessing: the channels of own code, the rows to score, the models to compare."""
    return [
        s3_output("channel-train", place.of_execution("runs", "channels", "train")),
        s3_output("channel-validation", place.of_execution("runs", "channels", "validation")),
        s3_output("rows", place.of_execution("runs", "rows")),
        s3_output("models", place.of_execution("runs", "models")),
    ]


def hyperparameters(place: Place) -> Json:
    """Own hyperparameters, each as JSON, and the script that the training job starts."""
    values = place.training.get("hyperparameters", {})
    return {**{name: json.dumps(value) for name, value in values.items()}, "sagemaker_program": f'"{ENTRY}"'}


def channels(place: Place) -> list[Json]:
    """The channels of own code, in the format that `data.channel_format` names."""
    csv = place.model.get("data", {}).get("channel_format") == "csv"
    return [
        channel(
            name,
            output_of("DataPreProcessing", f"channel-{name}"),
            "text/csv" if csv else "application/x-parquet",
        )
        for name in ("train", "validation")
    ]


def scorings(place: Place, anchored: bool) -> list[Json]:
    """The steps that score the models. Champion and anchor may be none, or fail, which their output says."""
    trained = get("Steps.TrainModel.ModelArtifacts.S3ModelArtifacts")
    steps = [
        scoring(place, "candidate", place.inference_image, trained),
        scoring(place, "champion", get("Parameters.ChampionImage"), fetched("champion"), optional=True),
    ]
    if anchored:
        steps.append(
            scoring(place, "anchor", get("Parameters.AnchorImage"), fetched("anchor"), optional=True)
        )
    return steps


def fetched(model: str) -> Json:
    """The S3 URI of the folder in which DataPreProcessing has left a model to compare with."""
    return join("/", output_of("DataPreProcessing", "models"), model)


def scoring(place: Place, model: str, image: str | Json, source: Json, *, optional: bool = False) -> Json:
    """The step that scores `model`: its artifact and the validation rows in, one prediction per row out.

    A problem of an `optional` model is its result. That it needs another image than `image` is one, and that
    it has not answered shortly before SageMaker would stop the job. Any other model is asked again with
    shuffled values.
    """
    limit = max(SHORTEST, place.max_runtime)
    return {
        "Name": f"Score{model.capitalize()}",
        "Type": "Processing",
        "Arguments": processing_job(
            place,
            image=image,
            code="scoring",
            script="score.py",
            arguments=[
                *("--model", MODEL),
                *("--rows", f"{ROWS}/rows.csv"),
                *("--output", f"{OUTPUT}/predictions"),
                *("--seconds", str(limit - LEFT)),
                *(("--optional", "--image", image) if optional else ("--shuffle",)),
                *(("--show-values",) if place.model.get("approvers", {}).get("show_values") else ()),
            ],
            inputs=[
                s3_input("model", source, MODEL),
                s3_input("rows", output_of("DataPreProcessing", "rows"), ROWS),
            ],
            outputs=[s3_output("predictions", place.of_execution("runs", "predictions", model))],
            limit=limit,
        ),
        "RetryPolicies": list(JOB_RETRIES),
    }


def predicted(anchored: bool) -> tuple[list[Json], list[Any]]:
    """The inputs of ModelEvaluation with the predictions of each model, and the arguments that name them."""
    models = ("candidate", "champion", "anchor") if anchored else ("candidate", "champion")
    inputs, arguments = [], []
    for model in models:
        name, uri = f"{model}-predictions", output_of(f"Score{model.capitalize()}", "predictions")
        inputs.append(s3_input(name, uri, f"{PREDICTIONS}/{name}"))
        arguments += [f"--{name}", f"{PREDICTIONS}/{name}"]
    return inputs, arguments


def noted(place: Place) -> Json:
    """What the model package's metadata says of own code; evidence has it, too."""
    return {"sourceDir": place.training["source_dir"], "entryPoint": place.training["entry_point"]}


def inference(model: Mapping[str, Any]) -> Json:
    """How a model of own code is asked, with the values of what its config leaves out."""
    given = model.get("inference", {})
    return {
        "entry_point": given.get("entry_point") or model["training"]["entry_point"],
        "content_type": given.get("content_type", "text/csv"),
        "accept": given.get("accept", "text/csv"),
        "header": given.get("header", False),
        "returns": given.get("returns") or ("value" if model["task"] == "regression" else "probability"),
    }


def serving(place: Place) -> Json:
    """How the registered model is served: its image, and own code in the model's folder code/."""
    asked, code = inference(place.model), "/opt/ml/model/code"
    return {
        "Containers": [
            {
                "Image": place.inference_image,
                "ModelDataUrl": get("Steps.TrainModel.ModelArtifacts.S3ModelArtifacts"),
                "Environment": {
                    # Code that can be imported is not installed by pip, and neither are its requirements.
                    **({} if place.requirements else {"PYTHONPATH": code}),
                    "SAGEMAKER_PROGRAM": asked["entry_point"],
                    "SAGEMAKER_SUBMIT_DIRECTORY": code,
                    "SAGEMAKER_CONTAINER_LOG_LEVEL": "20",
                    "SAGEMAKER_REGION": place.region,
                    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": asked["accept"],
                },
            }
        ],
        "SupportedContentTypes": [asked["content_type"]],
        "SupportedResponseMIMETypes": [asked["accept"]],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.large"],
        "SupportedTransformInstanceTypes": ["ml.m5.large"],
    }
