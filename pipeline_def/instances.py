"""Instance types whose disks SageMaker encrypts by a key of the hardware."""

from __future__ import annotations

import re
from typing import Final

LOCAL_DISKS: Final = re.compile(
    r"ml\.(?:[a-z]+\d[a-z]*d[a-z]*|g[4-9][a-z]*|p[4-9][a-z]*(?:-\w+)?|trn\d[a-z]*)\.[\w-]+"
)
"""Types with local disks: a `d` among the attributes (m5d, c6id, g4dn), and all accelerators since g4 and p4.

Source: "Instance store volumes" of the EC2 User Guide. tests/pipeline_def compares each family that SageMaker
offers with EC2's own list.
"""


def has_local_disks(instance_type: str) -> bool:
    """Whether a job on this type, such as `ml.m5d.large`, stores its data on local disks.

    SageMaker refuses VolumeKmsKeyId for these (ResourceConfig, ProcessingClusterConfig). Their disks are
    encrypted by keys that the hardware makes and destroys with the instance.
    """
    return LOCAL_DISKS.fullmatch(instance_type) is not None
