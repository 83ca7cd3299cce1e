"""Pure: which error codes of S3 say that a file cannot be read until a person acts, and what to do.

Codes are those of "Error responses" in the Amazon S3 API Reference, and those of AWS KMS as S3 hands them on.
"""

from __future__ import annotations

from typing import Final

UNREADABLE: Final = "unreadable"
"""The kind of the problem of a file that cannot be read."""

_WAYS_OUT: Final = {
    "InvalidObjectState": "it is archived: restore it, or land it again",
    "AccessDenied": "access is denied: give the functions' roles the file and its KMS key, or land it again",
    "InvalidRequest": "it is encrypted with a key of the sender (SSE-C): land it again without one",
    "KMS": "its KMS key cannot be used: enable it or give the functions' roles the key, or land it again",
}


def way_out(code: str) -> str | None:
    """Why the file cannot be read, and what to do; None if the error may pass by itself."""
    if code.startswith("KMS.") and "Throttling" not in code:
        code = "KMS"
    return _WAYS_OUT.get(code)


def is_gone(code: str) -> bool:
    """Whether this version of the object exists no more."""
    return code in ("NoSuchVersion", "NoSuchKey", "404")
