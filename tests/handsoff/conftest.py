"""The account in memory that the functions' tests use, for commands that read and write what functions do."""

from tests.functions.conftest import world

__all__ = ["world"]
