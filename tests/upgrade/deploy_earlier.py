"""Deploys an earlier version to AWS as the environment names it: `python -P deploy_earlier.py CONFIG FOLDER`.

It runs with the code of that version alone: PYTHONPATH names its checkout. CONFIG is a handsoff.yaml in the
root of the checkout, FOLDER is for files of the SAM CLI. The endpoint is one of this version: it plays AWS.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from handsoff.deploying.local import deploy, point_at
from handsoff.project import load
from local import server


def main(config: str, folder: str) -> None:
    """Deploy and publish all models of the configuration."""
    key = (os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
    endpoint, region = os.environ["AWS_ENDPOINT_URL"], os.environ["AWS_REGION"]
    with_key: dict[str, Any] = {"administrator": key}
    if hasattr(server, "ADMINISTRATOR"):  # that version had one key for all endpoints
        server.ADMINISTRATOR, with_key = key, {}
    cloud = server.Cloud(endpoint, region, os.getpid(), Path(folder), **with_key)
    point_at(cloud)
    deploy(load(Path(config)), cloud)


if __name__ == "__main__":
    main(*sys.argv[1:])
