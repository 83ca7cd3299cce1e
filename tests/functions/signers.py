"""KMS in memory: keys of P-256 that sign as KMS does, and how to take a record apart and put it together."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from retraining.proof.envelope import Envelope, Signature, parse_envelope, signed_bytes
from tests.functions.memory import refused

KEY = "arn:aws:kms:us-east-1:123456789012:key/k1"
OTHER = "arn:aws:kms:us-east-1:123456789012:key/k2"


class MemoryKms:
    """Keys by ARN. `failing` raises before the next signatures, as KMS does that is throttled or down."""

    def __init__(self) -> None:
        self.keys = {arn: ec.generate_private_key(ec.SECP256R1()) for arn in (KEY, OTHER)}
        self.failing: list[ClientError] = []
        self.asked = 0

    def sign(self, *, KeyId: str, Message: bytes, MessageType: str, SigningAlgorithm: str) -> dict[str, Any]:
        assert (MessageType, SigningAlgorithm) == ("DIGEST", "ECDSA_SHA_256")
        self.asked += 1
        if self.failing:
            raise self.failing.pop()
        signature = self.keys[KeyId].sign(Message, ec.ECDSA(Prehashed(SHA256())))
        return {"KeyId": KeyId, "Signature": signature, "SigningAlgorithm": SigningAlgorithm}

    def get_public_key(self, *, KeyId: str) -> dict[str, Any]:
        if KeyId not in self.keys:
            raise refused("NotFoundException", "GetPublicKey")
        public = self.keys[KeyId].public_key()
        body = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"KeyId": KeyId, "PublicKey": body, "KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}

    def signed(self, payload: bytes, key: str = KEY) -> bytes:
        """An envelope around this payload, signed by this key."""
        value = self.keys[key].sign(signed_bytes(payload), ec.ECDSA(SHA256()))
        return Envelope(payload, (Signature(key, value),)).dumped()


def altered(body: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """The payload of a record whose statement `change` has changed."""
    said = json.loads(parse_envelope(body).payload)
    change(said)
    return json.dumps(said).encode()
