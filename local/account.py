"""The one AWS account on this machine."""

from typing import Final

ACCOUNT: Final = "123456789012"
"""The account's id."""

ADMINISTRATOR: Final = ("test", "test")
"""Access key id and secret of the account's root user, who may do everything."""
