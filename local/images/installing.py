"""What pip, uv and docker need of a user's environment: caches, package indexes, proxies, certificates."""

import configparser
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "HANDSOFF_INSTALLING"
"""The variable by which a server is told of its starter's: JSON of `of_user`."""

_NAMES: Final = frozenset(
    {
        *("DOCKER_CERT_PATH", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST", "DOCKER_TLS_VERIFY"),
        *("HOME", "PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"),
        *("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
        *("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    }
)
"""Variables besides those of pip and uv, in upper case."""


def of_user(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of `environment` that pip, uv and docker need. Credentials of AWS are not among them."""
    return {
        name: value
        for name, value in environment.items()
        if name.upper() in _NAMES or name.startswith(("PIP_", "UV_"))
    }


def taken_from(environment: Mapping[str, str]) -> dict[str, str]:
    """The same in a server, to which its starter has given them in VARIABLE."""
    given = environment.get(VARIABLE)
    known: dict[str, str] = json.loads(given) if given else of_user(environment)
    return known


def cache(variables: Mapping[str, str]) -> Path:
    """The folder of this project below the user's cache: $XDG_CACHE_HOME/handsoff, else ~/.cache/handsoff."""
    return _caches(variables) / "handsoff"


def pip_settings(variables: Mapping[str, str]) -> str:
    """A pip.conf with the user's settings and cache, for programs that have another home and no variables."""
    home = Path(variables.get("HOME") or Path.home())
    settings = Path(variables.get("XDG_CONFIG_HOME") or home / ".config")
    found = configparser.RawConfigParser()
    found.read(
        [home / ".pip/pip.conf", settings / "pip/pip.conf", variables.get("PIP_CONFIG_FILE", os.devnull)]
    )
    merged = {
        "cache-dir": str(_caches(variables) / "pip"),
        "disable-pip-version-check": "1",
        **(dict(found["global"]) if found.has_section("global") else {}),
        **{
            name.removeprefix("PIP_").lower().replace("_", "-"): value
            for name, value in variables.items()
            if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
        },
    }
    found["global"] = merged
    text = io.StringIO()
    found.write(text)
    return text.getvalue()


def _caches(variables: Mapping[str, str]) -> Path:
    return Path(variables.get("XDG_CACHE_HOME") or Path(variables.get("HOME") or Path.home(), ".cache"))
