"""How responses and events leave out members without a value."""

from typing import Any

from local.types import Json


def present(**members: Any) -> Json:
    """The members that are not None."""
    return {key: value for key, value in members.items() if value is not None}
