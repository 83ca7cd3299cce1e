"""Commands about the configuration file itself."""

from __future__ import annotations

from handsoff.commands import terminal
from handsoff.config_schema import config_schema


def schema() -> None:
    """Print the JSON Schema of handsoff.yaml, by which editors complete keys and mark mistakes.

    It says less than `handsoff check`: a schema cannot compare keys with each other, or with data.

    Example: `handsoff schema > .handsoff/handsoff.schema.json`, and in the first line of handsoff.yaml
    `# yaml-language-server: $schema=.handsoff/handsoff.schema.json`. `handsoff init` does both.
    """
    terminal.print_json(config_schema())
