"""How a model's configuration is stored: in an SSM parameter, or in an object that the parameter names.

SSM holds 8 KB. The object lies in the data bucket under the hash of its content, as step code does, and is
never changed or deleted.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

from retraining.config.schema import ModelConfig, dump_model

SSM_LIMIT: Final = 8192
"""Bytes that an SSM parameter of the advanced tier holds."""

_POINTER: Final = re.compile(r'\{"config":"code/([0-9a-f]{64})/config\.json"\}')


@dataclass(frozen=True)
class Stored:
    """What SSM holds under `/<prefix>/models/<model>`, and the objects below `code/` that it names."""

    parameter: str
    objects: dict[str, bytes] = field(default_factory=dict)


def stored(model: ModelConfig) -> Stored:
    """The configuration as JSON where SSM can hold it, else `{"config":"code/<sha256>/config.json"}` and that
    object with the JSON. The same configuration gives the same bytes."""
    text = dump_model(model)
    data = text.encode()
    if len(data) <= SSM_LIMIT:
        return Stored(text)
    key = config_key(hashlib.sha256(data).hexdigest())
    return Stored(f'{{"config":"{key}"}}', {key: data})


def config_sha256(model: ModelConfig) -> str:
    """The identity of a configuration: the SHA-256 of the JSON that `stored` gives, 64 hexadecimal digits."""
    return hashlib.sha256(dump_model(model).encode()).hexdigest()


def config_key(sha256: str) -> str:
    """The key of the object with the configuration whose SHA-256 is this, in the data bucket."""
    return f"code/{sha256}/config.json"


def sha256_named(parameter: str) -> str | None:
    """The SHA-256 of the configuration that a parameter names; None if it holds the configuration itself."""
    found = _POINTER.fullmatch(parameter)
    return found[1] if found else None
