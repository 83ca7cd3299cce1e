"""The envelope of an evidence record: DSSE, which says which bytes are signed, and by whom.

Source of the format: https://github.com/secure-systems-lab/dsse, protocol.md and envelope.md, version 1. Only
this much of it is needed here; the package securesystemslib would add 2.8 MB to every function for it.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from retraining.errors import HandsoffError

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
"""The type of a payload that is an in-toto statement."""


class NotARecord(HandsoffError):
    """The bytes are no evidence record: the message says what was expected, and what was found."""


class Signature(NamedTuple):
    """A signature, and the id of the key that made it. The id is a hint that nobody has signed."""

    key_id: str
    value: bytes


class Envelope(NamedTuple):
    """The bytes of a payload, and their signatures; none where no key is configured."""

    payload: bytes
    signatures: tuple[Signature, ...] = ()

    @property
    def signed_bytes(self) -> bytes:
        """What each signature is over: the payload with its type and both lengths (DSSE's PAE)."""
        return signed_bytes(self.payload)

    def dumped(self) -> bytes:
        """The envelope as it is stored: JSON in UTF-8, with an end of line."""
        written = {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(self.payload).decode(),
            "signatures": [
                {"keyid": item.key_id, "sig": base64.b64encode(item.value).decode()}
                for item in self.signatures
            ],
        }
        return json.dumps(written, indent=1).encode() + b"\n"


def signed_bytes(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding of a payload that is an in-toto statement."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def parse_envelope(body: bytes) -> Envelope:
    """Read what `Envelope.dumped` wrote, or another tool that writes DSSE. Raises NotARecord."""
    try:
        found = json.loads(body)
        kind, payload, signatures = found["payloadType"], found["payload"], found["signatures"]
        if kind != PAYLOAD_TYPE:
            raise NotARecord(f"the payload is of the type {kind}: expected {PAYLOAD_TYPE}")
        return Envelope(_decoded(payload), tuple(_signatures(signatures)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise NotARecord(
            f"no DSSE envelope ({type(error).__name__}: {error}): expected a JSON object with payloadType, "
            "payload and signatures"
        ) from None


def _signatures(found: Sequence[dict[str, str]]) -> list[Signature]:
    return [Signature(str(item.get("keyid", "")), _decoded(item["sig"])) for item in found]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from None
