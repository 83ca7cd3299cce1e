"""The scikit-learn image that SageMaker hosts, by region.

Source: the image table of the SageMaker SDK, version 1.9-0 of the image.
"""

from __future__ import annotations

from typing import Final

REPOSITORY: Final = "sagemaker-scikit-learn"
"""The name of the image's repository."""

IMAGE: Final = f"{REPOSITORY}:1.9-0-cpu-py3"
"""Repository and tag: scikit-learn 1.9, without GPU."""

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
"""The AWS account that hosts the image, by region."""

DOMAINS: Final = {
    "cn-": "amazonaws.com.cn",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}
"""The domain of a region, by the start of its name. The domain of every other region is amazonaws.com."""


def image_uri(region: str) -> str:
    """The address of the image in `region`. Raises ValueError if SageMaker does not host it there."""
    account = _account(region)
    domain = next((name for start, name in DOMAINS.items() if region.startswith(start)), "amazonaws.com")
    return f"{account}.dkr.ecr.{region}.{domain}/{IMAGE}"


def repository_arn(region: str, partition: str) -> str:
    """The ARN of the image's repository in `region`. Raises ValueError as `image_uri`."""
    return f"arn:{partition}:ecr:{region}:{_account(region)}:repository/{REPOSITORY}"


def _account(region: str) -> str:
    if region not in ACCOUNTS:
        raise ValueError(f"SageMaker hosts {IMAGE} in no region {region!r}; it is in {', '.join(ACCOUNTS)}")
    return ACCOUNTS[region]
