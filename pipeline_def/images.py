"""The images in which a model's jobs run: SageMaker's framework images by alias and region, or any of ECR.

Source: the image tables of the SageMaker SDK (image_uri_config/sklearn.json, xgboost.json, pytorch.json).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Framework = Literal["sklearn", "xgboost", "pytorch"]
"""The framework of an image, which says how it serves a model."""

ACCOUNTS: Final = {
    "af-south-1": "510948584623",
    "ap-east-1": "651117190479",
    "ap-northeast-1": "354813040037",
    "ap-northeast-2": "366743142698",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "720646828776",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "121021644041",
    "ap-southeast-2": "783357654285",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "341280168497",
    "ca-west-1": "190319476487",
    "cn-north-1": "450853457545",
    "cn-northwest-1": "451049120500",
    "eu-central-1": "492215442770",
    "eu-central-2": "680994064768",
    "eu-north-1": "662702820516",
    "eu-south-1": "978288397137",
    "eu-south-2": "104374241257",
    "eu-west-1": "141502667606",
    "eu-west-2": "764974769150",
    "eu-west-3": "659782779980",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "801668240914",
    "sa-east-1": "737474898029",
    "us-east-1": "683313688378",
    "us-east-2": "257758044811",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "414596584902",
    "us-iso-east-1": "833128469047",
    "us-isob-east-1": "281123927165",
    "us-isof-east-1": "108575199400",
    "us-isof-south-1": "124985052026",
    "us-west-1": "746614075791",
    "us-west-2": "246618743249",
}
"""The AWS account that hosts the images of scikit-learn and of XGBoost, by region."""

_MAIN_ACCOUNT: Final = "763104351884"
"""The account of the Deep Learning Containers in most regions."""

_DLC_ACCOUNTS: Final = {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-1": _MAIN_ACCOUNT,
    "ap-northeast-2": _MAIN_ACCOUNT,
    "ap-northeast-3": "364406365360",
    "ap-south-1": _MAIN_ACCOUNT,
    "ap-south-2": "772153158452",
    "ap-southeast-1": _MAIN_ACCOUNT,
    "ap-southeast-2": _MAIN_ACCOUNT,
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-central-1": _MAIN_ACCOUNT,
    "ca-west-1": "204538143572",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "eu-central-1": _MAIN_ACCOUNT,
    "eu-central-2": "380420809688",
    "eu-north-1": _MAIN_ACCOUNT,
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "eu-west-1": _MAIN_ACCOUNT,
    "eu-west-2": _MAIN_ACCOUNT,
    "eu-west-3": _MAIN_ACCOUNT,
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "mx-central-1": "637423239942",
    "sa-east-1": _MAIN_ACCOUNT,
    "us-east-1": _MAIN_ACCOUNT,
    "us-east-2": _MAIN_ACCOUNT,
    "us-gov-east-1": "446045086412",
    "us-gov-west-1": "442386744353",
    "us-west-1": _MAIN_ACCOUNT,
    "us-west-2": _MAIN_ACCOUNT,
}
"""The AWS account that hosts the Deep Learning Containers of PyTorch 2.6, by region."""

DOMAINS: Final = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}
"""The domain of a region, by the start of its name. The domain of every other region is amazonaws.com."""


@dataclass(frozen=True)
class Image:
    """A framework image: repositories with their tags for training and inference, and accounts by region.

    `gpu_training` is the tag for training on instances with GPUs, where that differs.
    """

    framework: Framework
    training: str
    inference: str
    accounts: Mapping[str, str]
    gpu_training: str | None = None

    @property
    def repositories(self) -> tuple[str, ...]:
        """The names of its repositories."""
        return tuple(dict.fromkeys(name.partition(":")[0] for name in (self.training, self.inference)))


BUILT_IN: Final = "scikit-learn:1.9-0"
"""The alias of the image of the steps and of built-in estimators: scikit-learn 1.9, without GPU."""

ALIASES: Final[Mapping[str, Image]] = {
    BUILT_IN: Image(
        framework="sklearn",
        training="sagemaker-scikit-learn:1.9-0-cpu-py3",
        inference="sagemaker-scikit-learn:1.9-0-cpu-py3",
        accounts=ACCOUNTS,
    ),
    "xgboost:3.0-5": Image(
        framework="xgboost",
        training="sagemaker-xgboost:3.0-5",
        inference="sagemaker-xgboost:3.0-5",
        accounts=ACCOUNTS,
    ),
    "pytorch:2.6.0": Image(
        framework="pytorch",
        training="pytorch-training:2.6.0-cpu-py312",
        inference="pytorch-inference:2.6.0-cpu-py312",
        accounts=_DLC_ACCOUNTS,
        gpu_training="pytorch-training:2.6.0-gpu-py312",
    ),
}
"""The images that handsoff.yaml may name by alias. The SDK's tables have no newer PyTorch for inference."""

_URI: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+"
    r"/(?P<repository>[^:@]+)(?P<version>[:@].+)?"
)
_GPU_TYPE: Final = re.compile(r"ml\.[gp]\d")


def has_gpu(instance_type: str) -> bool:
    """Whether instances of this type, such as `ml.g5.xlarge`, have GPUs, as the SageMaker SDK tells it."""
    return _GPU_TYPE.match(instance_type) is not None


def image_uri(region: str) -> str:
    """The address of the steps' image in `region`. Raises ValueError if SageMaker does not host it there."""
    return inference_uri(BUILT_IN, region)


def inference_uri(image: str, region: str) -> str:
    """The address of the image that serves and scores a model: of an alias in `region`, else `image` itself.

    Raises ValueError if SageMaker does not host the alias' image in `region`.
    """
    known = ALIASES.get(image)
    return image if known is None else _address(image, known.inference, region)


def training_uri(image: str, region: str, instance_type: str) -> str:
    """The address of the image that trains a model on instances of this type. Raises as `inference_uri`."""
    known = ALIASES.get(image)
    if known is None:
        return image
    on_gpu = known.gpu_training if has_gpu(instance_type) else None
    return _address(image, on_gpu or known.training, region)


def framework(image: str) -> Framework | None:
    """The framework of an alias, or of the address of an image in a repository of SageMaker's; else None."""
    if image in ALIASES:
        return ALIASES[image].framework
    found = _URI.fullmatch(image)
    for known in ALIASES.values():
        if (
            found
            and found["repository"] in known.repositories
            and found["account"] in known.accounts.values()
        ):
            return known.framework
    return None


def region_of(image: str) -> str | None:
    """The region of an image's address in ECR; None for an alias, which is in each region."""
    found = _URI.fullmatch(image)
    return found and found["region"]


def repository_arns(image: str, region: str, partition: str) -> tuple[str, ...]:
    """The ARNs of the repositories that an alias or an address names. Raises ValueError as `inference_uri`,
    and for an image that is in no repository of ECR."""
    known = ALIASES.get(image)
    if known is not None:
        account = _account(image, region)
        return tuple(
            f"arn:{partition}:ecr:{region}:{account}:repository/{name}" for name in known.repositories
        )
    found = _URI.fullmatch(image)
    if found is None:
        raise ValueError(f"{image} is in no repository of ECR")
    return (f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['repository']}",)


def _address(alias: str, name: str, region: str) -> str:
    domain = next((known for start, known in DOMAINS.items() if region.startswith(start)), "amazonaws.com")
    return f"{_account(alias, region)}.dkr.ecr.{region}.{domain}/{name}"


def _account(alias: str, region: str) -> str:
    accounts = ALIASES[alias].accounts
    if region not in accounts:
        raise ValueError(f"SageMaker hosts {alias} in no region {region!r}; it is in {', '.join(accounts)}")
    return accounts[region]
