"""What SageMaker provides inside a job's container, here without one: /opt/ml, a command and variables.

Sources: "Build Your Own Processing Container" and "How Amazon SageMaker Provides Training Information" of the
developer guide. Script mode follows aws/sagemaker-training-toolkit 4.8.0, which the image contains.
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from local.types import Json

ML: Final = "/opt/ml"
"""The folder in which a job on AWS finds its configuration, inputs and outputs."""

CHECKPOINTS: Final = f"{ML}/checkpoints"
"""The folder of a Training job's checkpoints, unless the job names another one."""

HOST: Final = "algo-1"
"""The name that SageMaker gives the first instance of a job."""

GROUP: Final = "homogeneousCluster"
"""The name that SageMaker gives a job's instances if all are of one type."""

OF_TOOLKIT: Final = frozenset(
    f"sagemaker_{name}"
    for name in (
        *("program", "submit_directory", "container_log_level", "enable_cloudwatch_metrics"),
        *("job_name", "region", "s3_output"),
    )
)
"""Hyperparameters that the toolkit itself reads. Others that begin with sagemaker_ are a framework's."""

_ML: Final = re.compile(r"/opt/ml(?=/|$|[^\w.-])")
"""Finds /opt/ml as a whole path in a text."""

_PYTHON: Final = {"python", "python3", "/usr/bin/python3", "/usr/local/bin/python3", "/miniconda3/bin/python"}
"""Programs that mean Python in the image. Here all of them mean the Python of the image's environment."""


@dataclass(frozen=True)
class Place:
    """A job's folder on this machine. Its subfolder `ml` stands for /opt/ml."""

    root: Path

    @property
    def ml(self) -> Path:
        """The folder that stands for /opt/ml."""
        return self.root / "ml"

    @property
    def layer(self) -> Path:
        """The folder of the job's own environment of Python, on top of its image's."""
        return self.root / "python"

    @property
    def python(self) -> str:
        """The Python that stands for the image's."""
        return str(self.layer / "bin" / "python")

    def inside(self, path: str) -> Path:
        """The path on this machine of `path` below /opt/ml."""
        return self.ml / path.removeprefix(ML).lstrip("/")

    def translated(self, text: str) -> str:
        """`text` with /opt/ml replaced by its path on this machine."""
        return _ML.sub(lambda _: str(self.ml), text)


@dataclass(frozen=True)
class Command:
    """A program to run: its arguments, its variables besides those of every job, its working directory."""

    arguments: list[str]
    variables: dict[str, str]
    folder: Path


def variables(place: Place, endpoint: str, region: str, credentials: Json) -> dict[str, str]:
    """The environment of every job: the image's variables, the endpoint and the role's credentials.

    Nothing of this process's own environment is in it.
    """
    return {
        **limits(),
        "HOME": str(place.root / "home"),
        "TMPDIR": str(place.root / "tmp"),
        "SAGEMAKER_BASE_DIR": str(place.ml),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
        "PYTHONUNBUFFERED": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def limits() -> dict[str, str]:
    """The language and the limits of threads of all jobs."""
    threads = str(max(1, (os.cpu_count() or 2) // 2))  # other jobs run at the same time
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {"LANG": "C.UTF-8", **dict.fromkeys(names, threads)}


def make(place: Place) -> None:
    """Make the folders that every job has."""
    for path in (place.ml / "config", place.ml / "input/config", place.ml / "input/data", place.ml / "model"):
        path.mkdir(parents=True)
    for path in (place.ml / "output/data", place.ml / "code", place.root / "home", place.root / "tmp"):
        path.mkdir(parents=True)


def processing(place: Place, arn: str, request: Json) -> Command:
    """Write the configuration files of a Processing job. Returns its command."""
    configure_processing(place, arn, request)
    application = request["AppSpecification"]
    program = [*application["ContainerEntrypoint"], *application.get("ContainerArguments", [])]
    return Command(_program(place, program), _declared(place, request), place.ml)


def configure_processing(place: Place, arn: str, request: Json) -> None:
    """Write the configuration files of a Processing job."""
    application = request["AppSpecification"]
    config = {
        "ProcessingJobArn": arn,
        "ProcessingJobName": request["ProcessingJobName"],
        "AppSpecification": {"ContainerEntrypoint": None, "ContainerArguments": None, **application},
        "Environment": request.get("Environment", {}),
        "ProcessingInputs": request.get("ProcessingInputs", []),
        "ProcessingOutputConfig": {
            "KmsKeyId": None,
            "Outputs": [],
            **request.get("ProcessingOutputConfig", {}),
        },
        "ProcessingResources": request["ProcessingResources"],
        "RoleArn": request["RoleArn"],
        "StoppingCondition": request.get("StoppingCondition", {"MaxRuntimeInSeconds": 86400}),
    }
    _write(place.ml / "config/processingjobconfig.json", config)
    _write(place.ml / "config/resourceconfig.json", {"current_host": HOST, "hosts": [HOST]})


def training(place: Place, request: Json) -> Command:
    """Write the configuration files of a Training job with a program of its own. Returns its command."""
    configure_training(place, request)
    algorithm = request["AlgorithmSpecification"]
    program = [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]
    return Command(_program(place, program), _declared(place, request), place.ml)


def configure_training(place: Place, request: Json) -> tuple[Json, Json]:
    """Write the configuration files of a Training job. Returns its channels and its resources."""
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode")
            or request["AlgorithmSpecification"]["TrainingInputMode"],
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
        for channel in request.get("InputDataConfig", [])
    }
    instance = request["ResourceConfig"]["InstanceType"]
    resources = {
        "current_host": HOST,
        "current_instance_type": instance,
        "current_group_name": GROUP,
        "hosts": [HOST],
        "instance_groups": [{"instance_group_name": GROUP, "instance_type": instance, "hosts": [HOST]}],
        "network_interface_name": "lo",
    }
    config = place.ml / "input/config"
    _write(config / "hyperparameters.json", request.get("HyperParameters", {}))
    _write(config / "resourceconfig.json", resources)
    _write(config / "inputdataconfig.json", channels)
    if "CheckpointConfig" in request:
        _write(config / "checkpointconfig.json", request["CheckpointConfig"])
    return channels, resources


def is_script_mode(request: Json) -> bool:
    """Whether the image's training toolkit runs the job. A declared entry point replaces the toolkit."""
    return "ContainerEntrypoint" not in request["AlgorithmSpecification"]


def script_of(request: Json) -> str:
    """The entry point of a job in script mode."""
    return str(_decoded(request["HyperParameters"]["sagemaker_program"]))


def users_hyperparameters(request: Json) -> Json:
    """A job's hyperparameters by name, without those of the toolkit, as the toolkit reads them."""
    values = {name: _decoded(text) for name, text in sorted(request.get("HyperParameters", {}).items())}
    return {name: value for name, value in values.items() if not name.startswith("sagemaker_")}


def script_arguments(place: Place, users: Json) -> list[str]:
    """The arguments that the toolkit makes of hyperparameters."""
    return [
        place.translated(text)
        for name, value in users.items()
        for text in (f"--{name}" if len(name) > 1 else f"-{name}", _argument(value))
    ]


def script_variables(place: Place, request: Json, module: str) -> dict[str, str]:
    """Write the configuration files of a job in script mode. Returns the toolkit's variables.

    `module` is what the image's toolkit imports, framework:function.
    """
    channels, resources = configure_training(place, request)
    values = {name: _decoded(text) for name, text in request.get("HyperParameters", {}).items()}
    users, script = users_hyperparameters(request), script_of(request)
    own = {name: value for name, value in values.items() if name.startswith("sagemaker_")}
    facts: Json = {
        **_folders(place, channels),
        **_machine(channels, resources),
        "HPS": users,
        "USER_ARGS": script_arguments(place, users),
        "USER_ENTRY_POINT": script,
        "MODULE_NAME": script.removesuffix(".py"),
        "MODULE_DIR": str(values.get("sagemaker_submit_directory", place.ml / "code")),
        "FRAMEWORK_MODULE": module,
        "LOG_LEVEL": values.get("sagemaker_container_log_level", 20),
        "FRAMEWORK_PARAMS": {name: value for name, value in own.items() if name not in OF_TOOLKIT},
        "JOB_NAME": request["TrainingJobName"],
    }
    environment = {name.lower(): value for name, value in facts.items() if name != "USER_ARGS"}
    facts |= {
        "TRAINING_ENV": {**environment, "hyperparameters": users, "is_master": True},
        **{f"HP_{name.upper()}": value for name, value in users.items()},
    }
    return {
        "TRAINING_JOB_NAME": request["TrainingJobName"],
        "PYTHONPATH": str(place.ml / "code"),
        **{
            f"SM_{name}": value if isinstance(value, str) else _compact(value)
            for name, value in facts.items()
        },
        **_declared(place, request),
    }


def _folders(place: Place, channels: Json) -> dict[str, str]:
    """The toolkit's variables, without SM_, that name folders."""
    return {
        "MODEL_DIR": str(place.ml / "model"),
        "INPUT_DIR": str(place.ml / "input"),
        "INPUT_CONFIG_DIR": str(place.ml / "input/config"),
        "OUTPUT_DIR": str(place.ml / "output"),
        "OUTPUT_DATA_DIR": str(place.ml / "output/data"),
        "OUTPUT_INTERMEDIATE_DIR": str(place.ml / "output/intermediate"),
        **{f"CHANNEL_{name.upper()}": str(place.ml / "input/data" / name) for name in channels},
    }


def _machine(channels: Json, resources: Json) -> Json:
    """The toolkit's variables, without SM_, that describe the instance and the channels."""
    return {
        "CURRENT_HOST": HOST,
        "MASTER_HOSTNAME": HOST,
        "HOSTS": [HOST],
        "NUM_GPUS": 0,
        "NUM_NEURONS": 0,
        "NUM_CPUS": os.cpu_count() or 1,
        "CURRENT_INSTANCE_TYPE": resources["current_instance_type"],
        "CURRENT_INSTANCE_GROUP": GROUP,
        "CURRENT_INSTANCE_GROUP_HOSTS": [HOST],
        "INSTANCE_GROUPS": [GROUP],
        "INSTANCE_GROUPS_DICT": {GROUP: resources["instance_groups"][0]},
        "DISTRIBUTION_INSTANCE_GROUPS": [],
        "IS_HETERO": False,
        "NETWORK_INTERFACE_NAME": "lo",
        "RESOURCE_CONFIG": resources,
        "INPUT_DATA_CONFIG": channels,
        "CHANNELS": sorted(channels),
    }


def exit_code(code: int) -> int:
    """The exit code of a container whose program ended with `code`, negative for a signal as in subprocess.

    Docker adds 128 to a signal: https://docs.docker.com/engine/containers/run/#exit-status
    """
    return code if code >= 0 else 128 - code


def first(path: Path, length: int) -> str | None:
    """The first `length` characters of a file. None if it is empty or was not written."""
    try:
        with path.open("rb") as file:
            return file.read(length * 4).decode(errors="replace").strip()[:length] or None
    except OSError:
        return None


def _program(place: Place, program: list[str]) -> list[str]:
    executable = place.python if program[0] in _PYTHON else place.translated(program[0])
    return [executable, *map(place.translated, program[1:])]


def _declared(place: Place, request: Json) -> dict[str, str]:
    return {name: place.translated(value) for name, value in request.get("Environment", {}).items()}


def _decoded(text: str) -> Any:
    """The value of a hyperparameter: JSON in a string. A string that is not JSON is its own value."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _argument(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in sorted(value.items()))
    return "" if value is None else str(value)


def _compact(value: Any) -> str:
    return "" if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"))


def _write(path: Path, value: Json) -> None:
    path.write_text(json.dumps(value, indent=1))
