"""The fixtures of the functions' tests: AWS in memory."""

from tests.functions.conftest import world

__all__ = ["world"]
