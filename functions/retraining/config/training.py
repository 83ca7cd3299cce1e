"""How a model is trained and served: by a built-in estimator, or by own code in SageMaker's script mode."""

import json
import math
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from retraining.config.account import ECR_REPOSITORY
from retraining.config.fields import NUMBER, Duration, Flag, Form, Problem, Section, unexpected
from retraining.config.tasks import Task
from retraining.config.tuning import Tuning

IMAGES: Final = ("scikit-learn:1.9-0", "xgboost:3.0-5", "pytorch:2.6.0")
"""The aliases of SageMaker's framework images. pipeline_def/images.py says what each of them names."""

ECR_URI: Final = rf"{ECR_REPOSITORY}(?::[\w][\w.-]{{0,127}}|@sha256:[0-9a-f]{{64}})"
"""The form of the address of an image in ECR, with a tag or a digest."""

HYPERPARAMETERS: Final = 96
"""Hyperparameters that own code may have. SageMaker takes 100, of which script mode needs four."""

VALUE_LIMIT: Final = 2500
"""Characters of a hyperparameter's value as JSON that SageMaker takes."""

LONGEST_RUN: Final = timedelta(days=5)
"""The longest run of a training job that an account's quotas allow at first."""

RESERVED: Final = ("handsoff_entry.py", "handsoff.json")
"""Files that are put beside own code. It may have none of these names in its first folder."""

Image = Annotated[
    str,
    StringConstraints(max_length=255),
    Form(
        "|".join([*(name.replace(".", r"\.") for name in IMAGES), ECR_URI]),
        f"one of {', '.join(IMAGES)}, or the address of an image in ECR with its tag, such as "
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com/churn:1.2",
    ),
]


def _inside(value: str) -> str:
    """A path below a folder, with slashes and without `.` in the middle: `src/churn/` is `src/churn`.

    A model package's metadata, which names the folder, takes these characters.
    """
    parts = [part for part in value.split("/") if part not in ("", ".")]
    known = all(re.fullmatch(r"[A-Za-z0-9._@+=-]+", part) for part in parts)
    if value.startswith("/") or ".." in parts or not known:
        raise unexpected(
            "a path below the folder of handsoff.yaml, of letters, digits and . _ - @ + =, such as src/churn"
        )
    return "/".join(parts) or "."


Folder = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_inside)]
"""A folder, relative to that of handsoff.yaml and inside it; `.` is that folder itself."""


def _script(value: str) -> str:
    expected = "a Python file inside source_dir, such as train.py"
    path = value[2:] if value.startswith("./") else value
    if not re.fullmatch(r"(?:[A-Za-z0-9_][\w.-]*/)*[A-Za-z0-9_][\w.-]*\.py", path, re.ASCII):
        raise unexpected(expected)
    if path in RESERVED:
        raise unexpected(f"another name than {path}, which is put beside the code")
    return path


Script = Annotated[str, Field(max_length=200), AfterValidator(_script)]
"""A Python file, relative to source_dir and inside it."""


def _runtime(value: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= value <= LONGEST_RUN:
        raise unexpected(f"a duration from 1m to {LONGEST_RUN.days}d")
    return value


class Training(Tuning):
    """How a model is trained: by a built-in `estimator`, or by own code.

    Own code is a script as SageMaker's script mode runs it: hyperparameters are its arguments, the channels
    `train` and `validation` hold Parquet files, and what it leaves in SM_MODEL_DIR is the model.
    """

    estimator: Literal["hist_gradient_boosting", "random_forest", "logistic_regression", "ridge"] | None = (
        "hist_gradient_boosting"
    )
    """scikit-learn's estimator: `logistic_regression` for classification, `ridge` for regression, the others
    for both."""

    source_dir: Folder | None = None
    """The folder of own code, relative to handsoff.yaml. It must lie inside the folder of that file. A
    requirements.txt in it is installed as the image does."""

    entry_point: Script | None = None
    """The script of own code that trains, relative to `source_dir`."""

    image: Image | None = None
    """The image in which own code runs: the alias of a framework image of SageMaker's (`scikit-learn:1.9-0`,
    `xgboost:3.0-5`, `pytorch:2.6.0`), or the address of an image in ECR with its tag."""

    instance_type: Annotated[
        str, Form(r"ml\.[a-z0-9-]+\.[a-z0-9]+", "an instance type, such as ml.m5.large")
    ] = "ml.m5.large"
    """Instance type of the jobs. Where own code is trained on GPUs, or on a type that only
    trains (c5n, trn), the other jobs run on ml.m5.xlarge."""

    instance_count: Annotated[int, Field(ge=1, le=20), NUMBER] = 1
    """Instances of the training job. Each has all rows; own code shares the work, as its framework does."""

    volume_gb: Annotated[int, Field(ge=1, le=16384), NUMBER] = 30
    """Size of the volume of each job, in GB."""

    max_runtime: Annotated[Duration, AfterValidator(_runtime)] = timedelta(hours=4)
    """Time after which the training job is stopped, at most 5d."""

    spot: Flag = False
    """Whether to train on spare capacity (managed spot training). It costs less, and the job may be
    interrupted: it then starts again, with the files that it had left in /opt/ml/checkpoints. It waits at
    most a day longer than `max_runtime`."""

    @property
    def own_code(self) -> bool:
        """Whether own code trains the model."""
        return self.source_dir is not None

    @model_validator(mode="before")
    @classmethod
    def _own_code_has_no_estimator(cls, values: Any) -> Any:
        """The default estimator is none where own code is named."""
        own = isinstance(values, dict) and any(values.get(key) is not None for key in OWN_CODE)
        return {"estimator": None, **values} if own else values

    def problems(self) -> Iterator[Problem]:
        """Keys of a built-in estimator beside those of own code, or too few of them."""
        named = [key for key in OWN_CODE if getattr(self, key) is not None]
        missing = [key for key in OWN_CODE if key not in named]
        if named and self.estimator is not None:
            yield (
                (),
                f"{', '.join(named)} beside the estimator {self.estimator}: name either a built-in "
                f"estimator, or own code by {', '.join(OWN_CODE)}",
            )
        elif named and missing:
            yield (), f"own code needs {', '.join(OWN_CODE)}: add {', '.join(missing)}"
        elif not named and self.estimator is None:
            yield (), f"name an estimator, or own code by {', '.join(OWN_CODE)}"
        elif not named and self.instance_count != 1:
            yield (("instance_count",), "built-in estimators train on one instance: remove instance_count")
        yield from self._hyperparameter_problems()

    def _hyperparameter_problems(self) -> Iterator[Problem]:
        if self.search and self.search.max_time >= self.max_runtime:
            said = "the search would take the whole max_runtime: leave time for the last fit"
            yield ("search", "max_time"), said
        if not self.own_code:
            return
        if self.class_weight is not None:
            yield (
                ("class_weight",),
                "class_weight is for built-in estimators: own code weighs its rows itself",
            )
        if self.search is not None:
            yield ("search",), "search is for built-in estimators: own code searches itself"
        if len(self.hyperparameters) > HYPERPARAMETERS:
            said = f"{len(self.hyperparameters)} hyperparameters: at most {HYPERPARAMETERS} are passed"
            yield ("hyperparameters",), said
        for name, value in self.hyperparameters.items():
            if problem := _hyperparameter_problem(name, value):
                yield ("hyperparameters", name), problem


OWN_CODE: Final = ("source_dir", "entry_point", "image")
"""The keys of `training` that name own code."""


def _hyperparameter_problem(name: str, value: object) -> str | None:
    """Why SageMaker or the script would not get the hyperparameter as it is written."""
    if name.startswith("sagemaker_"):
        return "names that begin with sagemaker_ are script mode's own: choose another name"
    if name.startswith("-") or not re.fullmatch(r"[\w.-]+", name):
        return "expected a name of letters, digits and . _ - without dashes before it, such as max-depth"
    if isinstance(value, float) and not math.isfinite(value):
        return "expected a finite number"
    if value is None:
        return "expected text, a number, true or false, not null"
    if (size := len(json.dumps(value))) > VALUE_LIMIT:
        return f"the value has {size:,} characters as JSON, at most {VALUE_LIMIT:,} are passed"
    return None


class Inference(Section):
    """How a model of own code is asked: by the functions `model_fn`, `input_fn`, `predict_fn`, `output_fn` of
    its entry point, as SageMaker's serving calls them. For those that are missing the image has defaults.

    Candidate and champion are scored so, each in its own image, and an endpoint serves them so.
    """

    entry_point: Script | None = None
    """The script with these functions, in the first folder of `training.source_dir`, as an endpoint imports
    it; the training script if left out."""

    content_type: Literal["text/csv", "application/json"] = "text/csv"
    """In which format requests hold rows."""

    accept: Literal["text/csv", "application/json"] = "text/csv"
    """In which format answers are asked for."""

    header: Flag = False
    """Whether a request in CSV begins with a line of the columns' names."""

    returns: Literal["probability", "label", "value"] | None = None
    """What the model returns for a row: the `probability` of the positive class (of several classes, one
    probability for each), the `label`, which is a class, or a `value`, which is regression's. If left out,
    `value` for regression and `probability` for the others."""

    def returned(self, task: Task) -> Literal["probability", "label", "value"]:
        """What the model returns for a row, in this task."""
        return self.returns or ("value" if task == "regression" else "probability")

    def script_problem(self, training_script: str | None) -> str | None:
        """Why no endpoint could import the script that serves.

        The toolkits of SageMaker's images import it by its file name without `.py`: of `serve/inference.py` a
        module `serve/inference`, of `serve.v2.py` the module `v2` of a package. There is none, and some of
        them then serve by the image's defaults without a word.
        """
        script = self.entry_point or training_script
        if script is None or re.fullmatch(r"[\w-]+\.py", script):
            return None
        if self.entry_point is None:
            return (
                f"the training script {script} would serve, too, and an endpoint imports only a script in "
                "the first folder of source_dir, without another dot in its name: write inference: "
                "{entry_point: inference.py}, which imports what it needs"
            )
        return (
            "an endpoint imports only a script in the first folder of source_dir, without another dot in its "
            f"name, not {script}: put an inference.py there, which may import the functions from elsewhere"
        )

    def problem_in(self, task: Task) -> str | None:
        """Why `returns` makes no sense in this task."""
        if task == "regression" and self.returns not in (None, "value"):
            return f"regression returns no {self.returns}: write returns: value"
        if task != "regression" and self.returns == "value":
            return f"{task} returns no value: write returns: probability, or returns: label"
        return None
