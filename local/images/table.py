"""The images whose jobs run on this machine without Docker, and what jobs do not find here of each."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

FOLDER: Final = Path(__file__).parent
"""The folder of the locked packages: NAME.in is what is asked for, NAME.txt what `make lock` made of it."""

Toolkit = Literal["sagemaker-training", "sagemaker-containers"]
"""What runs a source directory in an image: the training toolkit, or the one that came before it."""


@dataclass(frozen=True)
class Image:
    """An image of SageMaker.

    `name` is its alias in handsoff.yaml, `tags` are its repositories and tags in ECR. `python` is its version
    of Python, `program` the path of Python in it, `toolkit` what runs a source directory there, by
    its `module`. `imported` are packages that most of its jobs import.
    `besides` is what the image has and jobs do not find here. Below `modules` lies what stands in for
    packages of the image that are on no index.
    """

    name: str
    tags: tuple[str, ...]
    python: str
    program: str
    toolkit: Toolkit
    module: str
    imported: tuple[str, ...]
    besides: str
    modules: Path | None = None

    @property
    def lock(self) -> Path:
        """The requirement file with versions and hashes of its packages."""
        return FOLDER / f"{self.name.replace(':', '-')}.txt"


_TABLES: Final = ("boto3", "joblib", "numpy", "pandas", "pyarrow.parquet", "scipy.stats")
"""What code that reads Parquet files and trains on them imports."""

IMAGES: Final = (
    Image(
        name="scikit-learn:1.9-0",
        tags=("sagemaker-scikit-learn:1.9-0-cpu-py3",),
        python="3.12",
        program="/miniconda3/bin/python",
        toolkit="sagemaker-training",
        module="sagemaker_sklearn_container.training:main",
        imported=(
            *_TABLES,
            "pyarrow.compute",
            "pyarrow.csv",
            "sklearn.compose",
            "sklearn.ensemble",
            "sklearn.impute",
            "sklearn.linear_model",
            "sklearn.pipeline",
            "sklearn.preprocessing",
        ),
        besides="the toolkits and the serving stack of SageMaker",
    ),
    Image(
        name="xgboost:3.0-5",
        tags=("sagemaker-xgboost:3.0-5", "sagemaker-xgboost:3.0-5-cpu-py3"),
        python="3.10",
        program="/miniconda3/bin/python3",
        toolkit="sagemaker-containers",
        module="sagemaker_xgboost_container.training:main",
        imported=(*_TABLES, "sklearn.model_selection", "xgboost"),
        besides="the toolkits and the serving stack of SageMaker, dask, mlio, smdebug and GPUs",
        modules=FOLDER / "xgboost",
    ),
    Image(
        name="pytorch:2.6.0",
        tags=tuple(
            f"pytorch-{use}:2.6.0-{kind}-py312"
            for use in ("training", "inference")
            for kind in ("cpu", "gpu")
        ),
        python="3.12",
        program="/opt/conda/bin/python3.12",
        toolkit="sagemaker-training",
        module="sagemaker_pytorch_container.training:main",
        imported=(*_TABLES, "torch"),
        besides="the toolkits and the serving stack of SageMaker, torchaudio, fastai, spacy and GPUs",
    ),
)
"""The images that are known."""


def find(uri: str) -> Image | None:
    """The image at an address such as ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG, None if unknown.

    Account and region do not matter: an account may keep a copy of the image.
    """
    tag = uri.rpartition("/")[2]
    return next((image for image in IMAGES if tag in image.tags), None)
