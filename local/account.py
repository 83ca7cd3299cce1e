"""The one AWS account on this machine."""

import os
from typing import Final

ACCOUNT: Final = "123456789012"
"""The account's id."""


def administrator() -> tuple[str, str]:
    """Access key id and secret of the account's root user, who may do everything. For the server's process.

    A server makes them when it starts and has them in its environment. Others read them from its folder.
    """
    return os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
