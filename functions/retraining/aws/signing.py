"""By which key evidence records are signed, and how long S3 refuses to delete them."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

ALGORITHM: Final = "ECDSA_SHA_256"
"""KMS's name of the signature: ECDSA on the curve P-256 over a SHA-256, in DER."""

_LOCK: Final = re.compile(r"(governance|compliance):(\d{1,5})")
"""A lock as a function's environment has it, such as governance:365."""


class Lock(NamedTuple):
    """S3 Object Lock for evidence records: its mode, and the days from a record's making."""

    mode: Literal["GOVERNANCE", "COMPLIANCE"]
    days: int

    @classmethod
    def parse(cls, text: str) -> Lock | None:
        """The lock that a function's environment names, such as `governance:365`; None for an empty text."""
        found = _LOCK.fullmatch(text)
        if found is None:
            return None
        return cls("GOVERNANCE" if found[1] == "governance" else "COMPLIANCE", int(found[2]))

    def until(self, now: datetime) -> datetime:
        """The time until which S3 keeps what is locked now."""
        return now + timedelta(days=self.days)


class Signing(NamedTuple):
    """What evidence records are signed with: a key (an ARN, None for no signature), KMS, and the lock."""

    kms: KMSClient | None = None
    key: str | None = None
    lock: Lock | None = None

    def sign(self, message: bytes) -> tuple[str, bytes] | None:
        """The ARN of the key and its signature over `message`; None where no key is configured.

        KMS takes at most 4,096 bytes of a message, so it gets the message's SHA-256.
        """
        if self.key is None:
            return None
        if self.kms is None:
            raise ValueError(f"{self.key} signs, and there is no client of KMS")
        answer: Any = self.kms.sign(
            KeyId=self.key,
            Message=hashlib.sha256(message).digest(),
            MessageType="DIGEST",
            SigningAlgorithm=ALGORITHM,
        )
        return str(answer["KeyId"]), bytes(answer["Signature"])


UNSIGNED: Final = Signing()
"""No key, and no lock."""
