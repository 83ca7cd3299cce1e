"""Where Lambda has no function URLs. There is no review page there: template.yaml has a condition for it."""

from __future__ import annotations

from typing import Final

from handsoff.location import Location

GUIDE: Final = "Lambda Developer Guide, Creating and managing Lambda function URLs"
"""The page that names regions without function URLs; read in November 2026."""

REGIONS_WITHOUT: Final = {
    "ap-south-2": GUIDE,
    "ap-southeast-4": GUIDE,
    "ca-west-1": GUIDE,
    "eu-central-2": GUIDE,
    "eu-south-2": GUIDE,
    "il-central-1": GUIDE,
    "me-central-1": GUIDE,
}
"""Regions without function URLs among those that host SageMaker's scikit-learn image, with the source."""

PARTITIONS_WITHOUT: Final = {
    "aws-cn": "Getting Started with Amazon Web Services in China, Lambda",
    "aws-us-gov": "AWS GovCloud (US) User Guide, AWS Lambda",
}
"""Partitions without function URLs, with the source."""


def missing(location: Location) -> str | None:
    """The page of AWS that says that there are no function URLs; None where there are."""
    return PARTITIONS_WITHOUT.get(location.partition) or REGIONS_WITHOUT.get(location.region)
