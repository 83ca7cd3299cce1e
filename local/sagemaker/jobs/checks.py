"""Refuses jobs that AWS refuses beyond its service model, and jobs that this machine cannot run."""

from collections.abc import Iterable
from typing import Final

from local.sagemaker.errors import ValidationException
from local.sagemaker.jobs.container import CHECKPOINTS, ML
from local.types import Json

OF_SAGEMAKER: Final = frozenset({"code", "config", "failure", "input", "model", "output"})
"""Folders of /opt/ml that cannot hold checkpoints."""

PROCESSING: Final = "/opt/ml/processing"
"""The folder below which AWS allows the paths of a Processing job's inputs and outputs."""


def check_processing(request: Json) -> None:
    """Check a valid CreateProcessingJob request further. Raises ValidationException."""
    _check_cluster(request["ProcessingResources"]["ClusterConfig"], "use 1")
    if "ContainerEntrypoint" not in request["AppSpecification"]:
        raise ValidationException(
            "AppSpecification.ContainerEntrypoint is missing. On this machine a job must name its program"
        )
    inputs = request.get("ProcessingInputs", [])
    for item in inputs:
        _check_input(item)
    _check_unique("Input", (item["InputName"] for item in inputs))
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for item in outputs:
        where = f"Output {item['OutputName']}"
        if "S3Output" not in item:
            raise ValidationException(f"{where}: only S3Output is supported on this machine")
        _check_local_path(where, item["S3Output"].get("LocalPath"))
    _check_unique("Output", (item["OutputName"] for item in outputs))


def check_training(request: Json) -> None:
    """Check a valid CreateTrainingJob request further. Raises ValidationException."""
    if "AlgorithmSpecification" not in request or "ResourceConfig" not in request:
        raise ValidationException("AlgorithmSpecification and ResourceConfig are needed on this machine")
    _check_cluster(request["ResourceConfig"], "set training.instance_count to 1 to try it here")
    _check_spot(request)
    _check_checkpoints(request)
    script = request.get("HyperParameters", {}).get("sagemaker_program")
    if not script and "ContainerEntrypoint" not in request["AlgorithmSpecification"]:
        raise ValidationException(
            "Neither hyperparameter sagemaker_program nor AlgorithmSpecification.ContainerEntrypoint is set. "
            "On this machine a job must name its program"
        )
    for channel in request.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource")
        if source is None or source["S3DataType"] != "S3Prefix":
            raise ValidationException(
                f"Channel {channel['ChannelName']}: only S3Prefix is supported on this machine"
            )


def _check_input(item: Json) -> None:
    where = f"Input {item['InputName']}"
    source = item.get("S3Input")
    if source is None:
        raise ValidationException(f"{where}: only S3Input is supported on this machine")
    for member, only in (("S3DataType", "S3Prefix"), ("S3InputMode", "File"), ("S3CompressionType", "None")):
        if source.get(member, only) != only:
            raise ValidationException(f"{where}: only {member} {only} is supported on this machine")
    _check_local_path(where, source.get("LocalPath"))


def _check_unique(kind: str, names: Iterable[str]) -> None:
    """Raise ValidationException if a name is there twice. `kind` is Input or Output."""
    known: set[str] = set()
    for name in names:
        if name in known:
            raise ValidationException(f"{kind} names must be unique, {name} is not")
        known.add(name)


def _check_spot(request: Json) -> None:
    """Check how long a job may wait for spare instances, in AWS's words."""
    limits = request.get("StoppingCondition", {})
    wait, run = limits.get("MaxWaitTimeInSeconds"), limits.get("MaxRuntimeInSeconds", 86400)
    if request.get("EnableManagedSpotTraining", False):
        if wait is None or wait < run:
            raise ValidationException(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to "
                "MaxRuntimeInSeconds"
            )
    elif wait is not None:
        raise ValidationException(
            "MaxWaitTimeInSeconds above 0 is not allowed when EnableManagedSpotTraining is false"
        )


def _check_checkpoints(request: Json) -> None:
    path = request.get("CheckpointConfig", {}).get("LocalPath", CHECKPOINTS)
    if not path.startswith(f"{ML}/") or ".." in path.split("/") or path.split("/")[3] in OF_SAGEMAKER:
        raise ValidationException(
            f"CheckpointConfig.LocalPath {path} must be a path under {ML} that is not SageMaker's own, such "
            f"as {CHECKPOINTS}"
        )


def _check_cluster(cluster: Json, instead: str) -> None:
    if "InstanceType" not in cluster:
        raise ValidationException("InstanceType is missing")
    if cluster.get("InstanceCount", 1) != 1:
        raise ValidationException(
            f"InstanceCount {cluster['InstanceCount']} is not supported on this machine, which runs a job as "
            f"one process: {instead}"
        )


def _check_local_path(where: str, path: str | None) -> None:
    inside = path is not None and (path == PROCESSING or path.startswith(PROCESSING + "/"))
    if path is None or not inside or ".." in path.split("/"):
        raise ValidationException(f"{where}: LocalPath {path} must be a path under {PROCESSING}")
